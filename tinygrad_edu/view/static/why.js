// "Why this gradient?": the chain rule for the chosen node, with a numeric check.

const MOST_ROWS = 12;

/** Fill the panel for the selected unit; the paths that it shows and their edges are kept in `page`. */
function explainGradient(page, panel) {
  const { graph, state, view } = page;
  const key = state.selected;
  const rootKey = view.unitOf[graph.root];
  const shown = shownCards(graph, key);
  const root = bold(graph.cards[graph.root].name);
  page.paths = [];
  page.pathEdges = new Set();
  if (shown.length !== 1 || graph.cards[shown[0]].array) {
    panel.replaceChildren(h("p", { class: "question" }, bold(unitName(graph, key)), ": ", madeFrom(page, key)),
      elementTable(page, shown), foldButton(page, key));
    return;
  }
  if (key === rootKey) {
    panel.replaceChildren(h("p", { class: "question" }, ...phrase("why.itself", { root })),
      h("p", {}, ...phrase("why.one", { g: gradientText(1) })));
    return;
  }
  const i = shown[0];
  const name = bold(shownName(page, i));
  panel.replaceChildren(h("p", { class: "question" }, ...phrase("why.question", { root, name })), ...explainCard(page, i));
}

/** The chain of factors of a card, and what a small move of it does. */
function explainCard(page, i) {
  const { graph, state, view, known, numbers } = page;
  const isKnown = known.complete[i] && !(state.predicting && !known.complete[i]);
  const result = isKnown ? withGhost(page, "g", i, numbers.g[i], gradientText(numbers.g[i])) : h("span", { class: "gradient" }, "?");
  const paths = pathsToRoot(page.edges, state.selected, view.unitOf[graph.root], MOST_PATHS);
  const usable = paths?.length && paths.every((path) => path.every((n) => page.derivatives[n] !== null));
  if (usable) page.paths = paths;
  const parts = usable ? [chainOf(page, i, pathRows(page, paths, isKnown), result)]
    : sumOverParents(page, i, result) ?? [passingThrough(page, i, result)];
  for (const path of page.paths) for (const n of path) page.pathEdges.add(n);
  if (page.early && isKnown) parts.push(earlyNote(page, i));
  return [...parts, ...(isKnown ? checkBySteps(page, i) : [h("p", {}, word("why.not_yet"))])];
}

/** dy/dx = a × b × c + d × e + ... = 1.2 */
function chainOf(page, i, rows, result) {
  return h("div", { class: "chain" }, totalFraction(page, i), ...rows,
    h("div", { class: "row" }, h("span", { class: "sign" }, "="), result));
}

/** dy/dx, which is the gradient of x. */
function totalFraction(page, i) {
  const { graph, state } = page;
  return fraction("d", cut(graph.cards[graph.root].name, 16), cut(graph.cards[i].brief ?? briefName(page, state.selected), 16));
}

/** With too many paths: the sum over the nodes that use it, each with its own gradient. Null if unknown. */
function sumOverParents(page, i, result) {
  const { graph, numbers, known, state } = page;
  const leaving = [...page.edges.keys()].filter((n) => page.edges[n].tail === state.selected);
  if (!leaving.length || leaving.some((n) => page.derivatives[n] === null)) return null;
  const root = cut(graph.cards[graph.root].name, 13);
  const rows = leaving.slice(0, MOST_ROWS).map((n, place) => {
    page.pathEdges.add(n);
    const [head] = shownCards(graph, page.edges[n].head);
    const whole = h("span", { class: "chip total" }, fraction("d", root, briefName(page, page.edges[n].head)),
      h("b", {}, known.complete[head] ? medium(numbers.g[head]) : "?"));
    const row = h("div", { class: "row" }, h("span", { class: "sign" }, place ? "+" : "="), whole,
      h("span", { class: "sign" }, "×"), chip(page, n));
    if (known.complete[head]) {
      row.append(h("span", { class: "product" }, h("span", { class: "sign" }, "="), " ",
        gradientText(numbers.g[head] * page.derivatives[n])));
    }
    lightWith(row, () => page.drawing?.edges[n].line);
    return row;
  });
  const more = leaving.length - MOST_ROWS;
  if (more > 0) rows.push(h("div", { class: "row" }, word("why.more_rows", { n: more })));
  const note = word("why.many_paths", { n: leaving.length, most: MOST_PATHS });
  return [h("p", { class: "note" }, note), chainOf(page, i, rows, result)];
}

function passingThrough(page, i, result) {
  return h("div", { class: "chain" },
    h("div", { class: "row" }, totalFraction(page, i), h("span", { class: "sign" }, "="), result),
    h("p", { class: "note" }, word(page.graph.live ? "why.through_folded" : "why.through_arrays")));
}

/** The numbers of something with several: a table of its first dozen elements. */
function elementTable(page, shown) {
  const { graph, known, numbers } = page;
  const first = graph.cards[shown[0]];
  if (first?.array) return arrayTable(page, shown[0]);
  const body = h("tbody");
  for (const i of shown.slice(0, MOST_ROWS)) {
    const gradient = known.complete[i] ? medium(numbers.g[i]) : UNKNOWN;
    body.append(h("tr", {}, h("th", { scope: "row" }, cut(graph.cards[i].name, 24)),
      h("td", { class: "value" }, known.value[i] ? medium(numbers.v[i]) : UNKNOWN),
      h("td", { class: "gradient" }, gradient)));
  }
  const head = h("thead", {}, h("tr", {}, ...[word("why.element"), word("unit.value"), word("unit.gradient")]
    .map((x) => h("th", { scope: "col" }, x))));
  const more = shown.length - MOST_ROWS;
  return h("div", {}, h("table", { class: "numbers" }, head, body),
    more > 0 ? h("p", { class: "note" }, word("why.more_elements", { n: more })) : "");
}

/** What there is to say of an array that is not opened: its extremes and its mean. */
function arrayTable(page, i) {
  const { graph, known } = page;
  const card = graph.cards[i];
  const body = h("tbody");
  for (const [n, label] of [word("why.smallest"), word("why.mean"), word("why.largest")].entries()) {
    const cell = (key, isKnown) => h("td", { class: key === "v" ? "value" : "gradient" },
      isKnown ? medium(toNumber(card.stats[key][n])) : UNKNOWN);
    body.append(h("tr", {}, h("th", { scope: "row" }, label), cell("v", known.value[i]), cell("g", known.complete[i])));
  }
  const head = h("thead", {}, h("tr", {}, h("td"), ...[word("unit.value"), word("unit.gradient")].map((x) => h("th", {}, x))));
  const root = bold(graph.cards[graph.root].name);
  return h("div", {}, h("p", {}, ...phrase("why.array", { array: card.array, root })),
    h("table", { class: "numbers" }, head, body));
}

function foldButton(page, key) {
  if (!key.startsWith("module:")) return "";
  const button = h("button", { type: "button", class: "open" }, word("why.open"));
  button.addEventListener("click", () => page.actions.toggleFold(Number(key.slice(7))));
  return button;
}
