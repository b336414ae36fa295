// Answers to exercises: for every kind of question what is right, and the numbers that mistakes lead
// to, the surest first, each with the key of its name and the values of its text.

/** The value of an operation: another operation, the operands the wrong way round, the slope. */
function valueAnswer({ graph, numbers }, i) {
  const card = graph.cards[i];
  const values = operandsOf(graph, card, numbers.v);
  const names = card.links.map((k) => graph.cards[graph.links[k][0]].name);
  const right = numbers.v[i];
  const [a, b] = values;
  const other = (symbol) => ["mistake.operation", { made: `${names[0]} ${symbol} ${names[1]}`, symbol: card.symbol }];
  const pair = values.length !== 2 ? [] : [
    [RULES[card.rule]?.f(b, a), "mistake.swapped"], [a + b, ...other("+")], [a * b, ...other("×")],
    [a - b, ...other("−")], [a / b, ...other("÷")]];
  return { right, praise: word("ask.right", { x: medium(right) }), mistakes: [
    ...pair, [-right, "predict.sign"],
    ...values.map((x, n) => [x, "mistake.operand", { name: names[n] }]),
    ...card.links.map((k) => [numbers.local[k], "mistake.slope", { symbol: card.symbol }]),
    [numbers.g[i], "mistake.gradient", { name: card.name }]] };
}

/** A local derivative: the other operand's, the contribution, the reciprocal, a factor. */
function localAnswer({ graph, numbers }, k) {
  const [tail, head] = graph.links[k];
  const right = numbers.local[k];
  const [name, made] = [graph.cards[tail].name, graph.cards[head].name];
  const others = graph.cards[head].links.filter((other) => other !== k);
  const constants = others.filter((other) => numbers.local[other] === null).map((other) => numbers.v[graph.links[other][0]]);
  return { right, praise: word("ask.right", { x: medium(right) }), mistakes: [
    [-right, "predict.sign"],
    ...others.filter((other) => numbers.local[other] !== null).map((other) => [numbers.local[other], "mistake.other_local",
      { head: made, name: graph.cards[graph.links[other][0]].name }]),
    ...constants.flatMap((c) => [[right / c, "mistake.factor", { x: medium(c) }], [right * c, "mistake.twice", { x: medium(c) }]]),
    [1 / right, "mistake.inverse", { head: made, name }],
    [numbers.sent[k], "mistake.sent", { head: made }], [numbers.g[head], "predict.arriving"],
    [numbers.v[head], "mistake.value_of", { name: made }], [numbers.v[tail], "mistake.value_of", { name }]] };
}

/** A gradient, the sum over the uses of a node: one path only, one left out, a product of paths. */
function gradientAnswer(page, i) {
  const { graph, numbers } = page;
  const card = graph.cards[i];
  const right = numbers.g[i];
  const uses = card.uses.filter((k) => numbers.sent[k] !== null);
  const praise = word("ask.right_sum", { sum: uses.map((k) => medium(numbers.sent[k])).join(" + "), x: medium(right) });
  if (uses.length === 1) return sentAnswer(page, uses[0]);
  const total = (numbersOf) => uses.reduce((sum, k) => sum + numbersOf(k), 0);
  const through = (k) => ({ head: graph.cards[graph.links[k][1]].name });
  return { right, praise, mistakes: [
    [-right, "predict.sign"],
    ...uses.map((k) => [numbers.sent[k], "mistake.one_path", through(k)]),
    ...uses.map((k) => [right - numbers.sent[k], "mistake.lost_path", through(k)]),
    ...uses.map((k) => [right - 2 * numbers.sent[k], "mistake.path_sign", through(k)]),
    [uses.reduce((product, k) => product * numbers.sent[k], 1), "mistake.product"],
    [total((k) => numbers.local[k]), "mistake.locals"],
    [total((k) => numbers.g[graph.links[k][1]]), "mistake.arriving"],
    [right / uses.length, "mistake.mean"], [numbers.v[i], "predict.value", { name: card.name }]] };
}

/** A false number for a pill, and the key of the mistake that would lead to it. */
function falsePill({ graph, numbers }, k) {
  const [tail, head] = graph.links[k];
  const right = numbers.local[k];
  const other = graph.cards[head].links.find((one) => one !== k && numbers.local[one] !== null);
  const candidates = [[numbers.local[other], "pill.other"], [numbers.v[tail], "pill.value"], [-right, "pill.sign"],
    [right + 1, "pill.wrong"]];
  const [x, key] = candidates.find(([number]) => Number.isFinite(number) && !isClose(number, right));
  return { x, key };
}

/** The first node made from this one that has not sent its gradient back yet, or -1. */
function waitsFor(graph, i, sent) {
  const k = graph.cards[i].uses.find((use) => !sent.includes(graph.links[use][1]));
  return k === undefined ? -1 : graph.links[k][1];
}
