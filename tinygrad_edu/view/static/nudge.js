// The numeric check: what a small move of a node does to the root, beside the gradient.

/** A sentence, and the numbers of the check. */
function checkBySteps(page, i) {
  const { graph, numbers } = page;
  const name = shownName(page, i);
  const root = graph.cards[graph.root].name;
  const gradient = numbers.g[i];
  const found = graph.live ? foundSlope(page, i) : { kind: "recorded" };
  if (found.kind === "undefined" || !Number.isFinite(gradient)) return [noDerivative(page, i)];
  if (found.kind === "kink") return [kinkVerdict(found, gradient)];
  const sentence = h("p", {}, ...phrase("nudge.moves", { name: bold(name), root: bold(root), g: gradientText(gradient) }));
  if (found.kind === "recorded") return [sentence];
  if (found.kind === "rough") return [sentence, h("p", { class: "note" }, word("nudge.rough"))];
  const { agrees, digits } = compareSlope(found, gradient);
  const { move } = found;
  const row = (label, number) => h("tr", {}, h("th", { scope: "row" }, label), h("td", {}, signed(number)));
  const at = (x, y) => row(word("nudge.at", { root, name, x: medium(x) }), general(y, 10));
  const table = h("table", { class: "numbers" }, h("tbody", {}, at(move.high, move.above), at(move.low, move.below),
    row(word("nudge.quotient", { width: short(move.width) }), general(found.slope, 7))));
  const side = h("p", { class: "note" }, word("nudge.one_side"));
  const verdict = agrees
    ? [h("span", {}, `✓ ${word("nudge.agrees")}`), h("span", {}, digits >= 4 ? word("nudge.digits", { n: digits }) : "")]
    : [h("span", {}, `✗ ${word("nudge.differs")}`), h("span")];
  return [sentence, h("h3", {}, word("nudge.title", { name: cut(name, 24) })), found.kind === "one side" ? side : table,
    h("p", { class: agrees ? "verdict" : "verdict no" }, ...verdict)];
}

/** Why there is nothing to check: the operation that has no number here, or a gradient that is none. */
function noDerivative(page, i) {
  const { graph, numbers } = page;
  const root = cut(graph.cards[graph.root].name, 24);
  const first = graph.cards.findIndex((card, n) => card.kind === "node" && !Number.isFinite(numbers.v[n]));
  if (first < 0) return h("p", { class: "note" }, word("nudge.steep", { root, g: short(numbers.g[i]) }));
  const card = graph.cards[first];
  const values = operandsOf(graph, card, numbers.v);
  const formula = applied(card, values.map((x, n) => graph.cards[graph.links[card.links[n]][0]].array ?? medium(x)));
  return h("p", { class: "note" }, word("nudge.undefined", { root, formula, x: short(numbers.v[first]) }));
}

/** At a kink the slope jumps, and what backprop takes is a convention. */
function kinkVerdict(found, gradient) {
  const { agrees } = compareSlope(found, gradient);
  const sides = word("nudge.kink", { left: short(found.left), right: short(found.right) });
  const taken = agrees ? word("nudge.convention", { g: short(gradient) }) : `✗ ${word("nudge.not_between", { g: short(gradient) })}`;
  return h("p", { class: agrees ? "verdict kink" : "verdict no" }, h("span", {}, `${sides} ${taken}`));
}
