// Predict: the reader types the next gradient before the page shows it.

/** The link whose contribution the reader is asked for at a backward step, or -1 if there is none. */
function linkToPredict(page, key) {
  const { graph, numbers } = page;
  if (!key.startsWith("card:")) return -1;
  const asked = graph.cards[Number(key.slice(5))].links.filter((k) => numbers.local[k] !== null);
  // the most telling one: a factor other than 1, if there is one
  return asked.find((k) => Math.abs(numbers.local[k]) !== 1) ?? asked[0] ?? -1;
}

function question(page, k) {
  const { graph } = page;
  const [tail, head] = graph.links[k];
  const card = graph.cards[head];
  return phrase("predict.question", { head: bold(card.name), formula: applied(card, operandNames(page, card)),
    tail: bold(shownName(page, tail)) });
}

function isClose(a, b) {
  return a === b || Math.abs(a - b) <= 5e-3 * Math.max(Math.abs(a), Math.abs(b));
}

/** { isRight, text } for a typed number. */
function judged(typed, { right, praise, mistakes, otherwise = "mistake.none" }) {
  if (!Number.isFinite(typed)) return { isRight: false, text: word("predict.type_a_number") };
  if (isClose(typed, right)) return { isRight: true, text: praise };
  const [, key, values] = mistakes.find(([number]) => isClose(typed, number)) ?? [0, otherwise];
  return { isRight: false, text: word(key, values), isNamed: key !== otherwise };
}

/** What one use adds to a gradient: a factor left out, added, divided by; all of the gradient. */
function sentAnswer({ graph, numbers }, k) {
  const [tail, head] = graph.links[k];
  const [arriving, local, sent] = [numbers.g[head], numbers.local[k], numbers.sent[k]];
  const others = graph.cards[head].links.filter((other) => other !== k && numbers.local[other] !== null);
  const [name, value] = [graph.cards[tail].name, numbers.v[tail]];
  const factor = local < 0 ? `(${medium(local)})` : medium(local);
  const praise = word("predict.right", { arriving: medium(arriving), local: factor, sent: medium(sent) });
  return { right: sent, praise, otherwise: "predict.wrong", mistakes: [
    [local, "predict.local"], [arriving, "predict.arriving"], [-sent, "predict.sign"],
    [arriving + local, "predict.added"], [numbers.g[tail], "predict.all", { name }],
    [arriving / local, "predict.divided"],
    ...others.map((other) => [numbers.sent[other], "predict.other", { other: graph.cards[graph.links[other][0]].name }]),
    [arriving * value, "predict.own_value", { name }], [value, "predict.value", { name }]] };
}
