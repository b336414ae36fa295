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
  return [bold(card.name), ` = ${applied(card, operandNames(graph, card))} passes its gradient back. `,
    bold(graph.cards[tail].name), ".grad += "];
}

function isClose(a, b) {
  return a === b || Math.abs(a - b) <= 5e-3 * Math.max(Math.abs(a), Math.abs(b));
}

/** What a typed number says about what the reader did: [right, sentence]. */
function judge(page, k, typed) {
  const { graph, numbers } = page;
  const [tail, head] = graph.links[k];
  const [arriving, local, sent] = [numbers.g[head], numbers.local[k], numbers.sent[k]];
  const product = `${medium(arriving)} arriving × ${medium(local)} local = ${medium(sent)}`;
  if (!Number.isFinite(typed)) return [false, "Type a number, such as 1.1 or -0.25."];
  if (isClose(typed, sent)) return [true, `Right: ${product}.`];
  const before = numbers.g[tail] - sent;
  const others = graph.cards[head].links.filter((other) => other !== k && numbers.local[other] !== null);
  const [name, value] = [graph.cards[tail].name, numbers.v[tail]];
  const mistakes = [
    [local, "That is the local derivative alone: the gradient that arrives was left out."],
    [arriving, "That is what arrives: the local derivative was left out."],
    [-sent, "The size is right; the sign is not."],
    [arriving + local, "Along a path the factors multiply; those were added."],
    [sent + before, `That is all of ${name}'s gradient; this step only adds its own part to it.`],
    [arriving / local, "The local derivative multiplies; it does not divide."],
    ...others.map((other) => [numbers.sent[other],
      `That is what goes to ${graph.cards[graph.links[other][0]].name}, the other operand.`]),
    [arriving * value, `That takes ${name}'s own value as the local derivative.`],
    [value, `That is ${name}'s value, not its gradient.`],
  ];
  const mistake = mistakes.find(([number]) => isClose(typed, number));
  return [false, mistake ? mistake[1] : "Not quite: take what arrives times the local derivative of this operation."];
}
