// "Why this gradient?": the chain rule for the chosen node, with a numeric check.

const MOST_PATHS = 6;

/** Fill the panel for the selected unit; returns the numbers of the edges on its paths. */
function explainGradient(page, panel) {
  const { graph, state, view, known, numbers } = page;
  const key = state.selected;
  const rootKey = view.unitOf[graph.root];
  const rootName = graph.cards[graph.root].name;
  const shown = shownCards(graph, key);
  const name = unitName(graph, key);
  panel.replaceChildren();
  const add = (...parts) => panel.append(...parts);
  if (shown.length !== 1 || graph.cards[shown[0]].array) {
    add(h("p", { class: "question" }, bold(name), ": ", madeFrom(page, key)));
    add(elementTable(page, shown));
    add(foldButton(page, key));
    return new Set();
  }
  const i = shown[0];
  if (key === rootKey) {
    add(h("p", { class: "question" }, "How fast does ", bold(rootName), " change with itself?"),
      h("p", {}, "One for one, so its gradient is ", gradientText(1), ". Pick any other node."));
    return new Set();
  }
  add(h("p", { class: "question" }, "How fast does ", bold(rootName), " change with ", bold(name), "?"));
  const isKnown = known.complete[i] && !isHidden(page, i);
  const result = isKnown ? gradientText(numbers.g[i]) : h("span", { class: "gradient" }, "?");
  const paths = pathsToRoot(page.edges, key, rootKey, MOST_PATHS);
  const usable = paths?.every((path) => path.every((n) => page.derivatives[n] !== null));
  const used = new Set();
  if (usable) for (const path of paths) for (const n of path) used.add(n);
  if (usable && paths.length) add(chainOfPaths(page, i, paths, result));
  else if (!chainOfChildren(page, key, i, result, used, add)) add(passingThrough(page, i, result));
  if (!isKnown) {
    add(h("p", {}, "Not known yet. Keep stepping backward, or predict it first."));
    return used;
  }
  add(...checkBySteps(page, i));
  return used;
}

/** Whether the reader is asked to predict, and this gradient would give it away. */
function isHidden(page, i) {
  return page.state.predicting && !page.known.complete[i];
}

/** dy/dx = a × b × c + d × e + ... = 1.2 */
function chainOfPaths(page, i, paths, result) {
  const { graph } = page;
  const chain = h("div", { class: "chain" }, fraction("d", cut(graph.cards[graph.root].name, 16), cut(graph.cards[i].brief ?? graph.cards[i].name, 16)));
  paths.forEach((path, n) => {
    const row = h("div", { class: "row" }, h("span", { class: "sign" }, n ? "+" : "="));
    [...path].reverse().forEach((edge, place) => {
      if (place) row.append(h("span", { class: "sign" }, "×"));
      row.append(chip(page, edge));
    });
    chain.append(row);
  });
  chain.append(h("div", { class: "row" }, h("span", { class: "sign" }, "="), result));
  return chain;
}

/** One factor: ∂head/∂tail and its number; pointing at it lights its edge. */
function chip(page, n) {
  const edge = page.edges[n];
  const { graph, known } = page;
  const heads = edge.links.map((k) => graph.links[k][1]);
  const ready = heads.every((head) => known.value[head]);
  const number = h("b", {}, ready ? short(page.derivatives[n]) : UNKNOWN);
  const made = h("span", { class: "chip", tabindex: "0" },
    fraction("∂", briefName(graph, edge.head), briefName(graph, edge.tail)), number);
  const light = (on) => () => page.drawing.edges[n].line.classList.toggle("hot", on);
  made.addEventListener("pointerenter", light(true));
  made.addEventListener("pointerleave", light(false));
  made.addEventListener("focus", light(true));
  made.addEventListener("blur", light(false));
  return made;
}

/** A unit's name as short as it can be, for fractions; a module goes by what comes out of it. */
function briefName(graph, key) {
  const [output] = shownCards(graph, key);
  const card = graph.cards[output];
  return cut(card.brief ?? card.name, 14);
}

/** With too many paths: the sum over the children, each with its own gradient. False if unknown. */
function chainOfChildren(page, key, i, result, used, add) {
  const { graph, numbers, known } = page;
  const children = [];
  page.edges.forEach((edge, n) => { if (edge.tail === key) children.push(n); });
  if (!children.length || children.some((n) => page.derivatives[n] === null)) return false;
  const root = graph.cards[graph.root].name;
  const chain = h("div", { class: "chain" }, fraction("d", root, graph.cards[i].name));
  children.slice(0, 12).forEach((n, place) => {
    used.add(n);
    const output = shownCards(graph, page.edges[n].head)[0];
    const total = known.complete[output] ? medium(numbers.g[output]) : "?";
    const whole = h("span", { class: "chip total" },
      fraction("d", cut(root, 13), briefName(graph, page.edges[n].head)), h("b", {}, total));
    chain.append(h("div", { class: "row" }, h("span", { class: "sign" }, place ? "+" : "="), whole,
      h("span", { class: "sign" }, "×"), chip(page, n)));
  });
  if (children.length > 12) {
    chain.append(h("div", { class: "row" }, `+ ${children.length - 12} more`));
  }
  chain.append(h("div", { class: "row" }, h("span", { class: "sign" }, "="), result));
  add(h("p", { class: "note" }, "More than six paths lead to the output, so this is the sum over ",
    counted(children.length, "child").replace("childs", "children"), "."), chain);
  return true;
}

function passingThrough(page, i, result) {
  const { graph } = page;
  return h("div", { class: "chain" },
    h("div", { class: "row" }, fraction("d", cut(graph.cards[graph.root].name, 16), cut(graph.cards[i].brief ?? graph.cards[i].name, 16)),
      h("span", { class: "sign" }, "="), result),
    h("p", { class: "note" }, graph.live
      ? "It passes through something folded with several outputs. Unfold that to see the factors."
      : "It passes through arrays, whose local derivatives are tables and not single numbers."));
}

/** The numbers of something with several: a table of its first dozen elements. */
function elementTable(page, shown) {
  const { graph, known, numbers } = page;
  const first = graph.cards[shown[0]];
  if (first?.array) return arrayTable(page, shown[0]);
  const body = h("tbody");
  for (const i of shown.slice(0, 12)) {
    const gradient = known.complete[i] ? medium(numbers.g[i]) : UNKNOWN;
    body.append(h("tr", {}, h("th", { scope: "row" }, cut(graph.cards[i].name, 24)),
      h("td", { class: "value" }, known.value[i] ? medium(numbers.v[i]) : UNKNOWN),
      h("td", { class: "gradient" }, gradient)));
  }
  const head = h("thead", {}, h("tr", {}, ...["element", "value", "gradient"].map((x) => h("th", { scope: "col" }, x))));
  const more = shown.length > 12 ? h("p", { class: "note" }, `and ${shown.length - 12} more`) : "";
  return h("div", {}, h("table", { class: "numbers" }, head, body), more);
}

/** What there is to say of an array that is not opened: its extremes and its mean. */
function arrayTable(page, i) {
  const { graph, known } = page;
  const card = graph.cards[i];
  const body = h("tbody");
  for (const [n, label] of ["smallest", "mean", "largest"].entries()) {
    const cell = (key, isKnown) => h("td", { class: key === "v" ? "value" : "gradient" },
      isKnown ? medium(toNumber(card.stats[key][n])) : UNKNOWN);
    body.append(h("tr", {}, h("th", { scope: "row" }, label), cell("v", known.value[i]), cell("g", known.complete[i])));
  }
  const head = h("thead", {}, h("tr", {}, ...["", "value", "gradient"].map((x) => h(x ? "th" : "td", {}, x))));
  const root = graph.cards[graph.root].name;
  return h("div", {}, h("p", {}, `${card.array}. Its gradient has the same shape: each element says how fast `,
    bold(root), " changes with the element in its place."), h("table", { class: "numbers" }, head, body));
}

function foldButton(page, key) {
  if (!key.startsWith("module:")) return "";
  const button = h("button", { type: "button", class: "open" }, "Open it (F)");
  button.addEventListener("click", () => page.actions.toggleFold(Number(key.slice(7))));
  return button;
}

/** What a move of the value does to the root, beside the gradient: a sentence and a check. */
function checkBySteps(page, i) {
  const { graph, numbers } = page;
  const name = graph.cards[i].name;
  const root = graph.cards[graph.root].name;
  const gradient = numbers.g[i];
  const found = graph.live ? foundSlope(page, i) : { kind: "recorded" };
  if (found.kind === "undefined" || !Number.isFinite(gradient)) {
    return [h("p", { class: "note" }, `${cut(root, 24)} is ${short(numbers.v[graph.root])} here and its gradient `,
      `${short(gradient)}: it has no derivative at this point, so there is nothing to compare.`)];
  }
  if (found.kind === "kink") return [kinkVerdict(found, gradient)];
  const sentence = h("p", {}, "Add a little to ", bold(name), " and ", bold(root), " moves ",
    gradientText(gradient), " times as much.");
  if (found.kind === "recorded") return [sentence];
  if (found.kind === "rough") {
    return [sentence, h("p", { class: "note" }, "It is too steep or too rough here to check it with a small step.")];
  }
  const { agrees, digits } = compareSlope(found, gradient);
  const { move } = found;
  const row = (label, number) => h("tr", {}, h("th", { scope: "row" }, label), h("td", {}, signed(number)));
  const at = (x, y) => row(`${root} at ${name} = ${medium(x)}`, general(y, 10));
  const table = h("table", { class: "numbers" }, h("tbody", {}, at(move.high, move.above),
    at(move.low, move.below), row(`difference ÷ ${short(move.width)}`, general(found.slope, 7))));
  const side = h("p", { class: "note" }, "It is defined on one side of this point only.");
  const verdict = agrees
    ? [h("span", {}, "✓ agrees with backprop"), h("span", {}, digits >= 4 ? `to ${digits} digits` : "")]
    : [h("span", {}, "✗ does not agree"), h("span")];
  return [sentence, h("h3", {}, `Check it: nudge ${cut(name, 24)} both ways`),
    found.kind === "one side" ? side : table,
    h("p", { class: agrees ? "verdict" : "verdict no" }, ...verdict)];
}

/** At a kink the slope jumps, and what backprop takes is a convention. */
function kinkVerdict(found, gradient) {
  const { agrees } = compareSlope(found, gradient);
  const sides = `The slope is ${short(found.left)} on the left and ${short(found.right)} on the right. `;
  const taken = agrees
    ? `Backprop takes ${short(gradient)}, by convention.`
    : `✗ Backprop's ${short(gradient)} is not between them.`;
  return h("p", { class: agrees ? "verdict kink" : "verdict no" }, h("span", {}, "A kink. ", sides, taken));
}
