// Where the gradient flows: how much of it, by edge and by depth, and where it is lost.

/** How large a number is, "v" or "g"; of an array its largest element. */
function sizeOf({ graph, numbers }, i, key) {
  const stats = graph.cards[i].stats?.[key] ?? [numbers[key][i] ?? 0];
  const sizes = stats.map((x) => Math.abs(toNumber(x)));
  return sizes.find(Number.isNaN) ?? Math.max(...sizes);
}

/** For each number of operations up to the output, 0 first: the largest gradient, and whose it is. */
function depthProfile(page) {
  const { graph } = page;
  const depth = graph.cards.map(() => 0);
  const profile = [];
  for (let i = graph.cards.length - 1; i >= 0; i--) {
    for (const k of graph.cards[i].uses) depth[i] = Math.max(depth[i], depth[graph.links[k][1]] + 1);
    if (graph.cards[i].kind === "constant") continue;
    const size = sizeOf(page, i, "g");
    if (!(profile[depth[i]]?.size >= size)) profile[depth[i]] = { size, card: i };
  }
  return profile;
}

/** What a reader should know of the numbers: the keys of texts, their values, and a card to go to. */
function findings(page) {
  const { graph, numbers } = page;
  const name = (i) => graph.cards[i].name;
  const bad = firstBad(page);
  if (bad?.link === undefined && bad) {
    const made = graph.cards[bad.card].kind === "node" ? applied(graph.cards[bad.card], operandNames(page, graph.cards[bad.card])) : "";
    return [{ key: made ? "flow.value" : "flow.input", card: bad.card, values: { name: name(bad.card), made, x: short(numbers.v[bad.card] ?? NaN) } }];
  }
  const found = flatUnits(page);
  if (bad) {
    const [tail, head] = graph.links[bad.link];
    const [g, local, sent] = [numbers.g[head], numbers.local[bad.link], numbers.sent[bad.link]].map(short);
    found.unshift({ key: "flow.gradient", card: tail, values: { name: name(tail), head: name(head), g, local, sent } });
    return found;
  }
  for (const { key, card, count, log } of longFactors(page)) {
    const values = { name: name(card), n: count, mean: short(10 ** (log / count)), product: short(10 ** log) };
    found.push({ key, card, values });
  }
  return found;
}

/** The first number that is not finite: forward a card, backward a link; null if there is none. */
function firstBad(page) {
  const { graph } = page;
  const isBad = (i, key) => !Number.isFinite(sizeOf(page, i, key));
  const card = graph.cards.findIndex((_, i) => isBad(i, "v"));
  if (card >= 0) return { card };
  for (let i = graph.cards.length - 1; i >= 0; i--) {
    if (isBad(i, "g")) continue;
    const link = graph.cards[i].links.find((k) => graph.cards[graph.links[k][0]].kind !== "constant"
      && isBad(graph.links[k][0], "g"));
    if (link !== undefined) return { link };
  }
  return null;
}

/** On how many sides an operation of one free operand is flat far out, if it is not flat all over. */
function flatSides(graph, card, v) {
  const free = card.links.filter((k) => graph.cards[graph.links[k][0]].kind !== "constant");
  if (!graph.live || free.length !== 1) return 0;
  const place = card.links.indexOf(free[0]);
  const { f, b } = RULES[card.rule];
  const slope = (x) => {
    const operands = operandsOf(graph, card, v).map((own, n) => (n === place ? x : own));
    return b[place]?.(1, ...operands, f(...operands));
  };
  const isFlat = (x) => slope(x) === 0;
  return [-1, -0.1, 0.1, 1].every(isFlat) ? 0 : [-1e3, 1e3].filter(isFlat).length;
}

/** Units that let nothing or little of their gradient through, by operation. */
function flatUnits({ graph, numbers }) {
  const groups = new Map();
  graph.cards.forEach((card, i) => {
    const sides = card.kind === "node" ? flatSides(graph, card, numbers.v) : 0;
    if (!sides) return;
    const local = Math.abs(numbers.local[card.links.find((k) => numbers.local[k] !== null)]);
    const group = groups.get(card.symbol) ?? { all: 0, off: [], saturated: [] };
    groups.set(card.symbol, group);
    group.all += 1;
    if (local < 0.01) group[sides === 1 && local === 0 ? "off" : "saturated"].push(i);
  });
  return [...groups].flatMap(([symbol, group]) => ["off", "saturated"].filter((kind) => group[kind].length).map((kind) => {
    const names = group[kind].slice(0, 5).map((i) => cut(graph.cards[i].name, 16));
    const n = group[kind].length;
    return { key: `flow.${kind}`, card: group[kind][0],
      values: { n, all: group.all, symbol, names: names.join(", ") + (n > 5 ? " …" : "") } };
  }));
}

/** The inputs whose strongest path to the output multiplies to less than 1e-3 or more than 1e3. */
function longFactors({ graph, numbers }) {
  const paths = graph.cards.map(() => null);
  paths[graph.root] = { count: 0, log: 0 };
  for (let i = graph.cards.length - 1; i >= 0; i--) {
    const ways = graph.cards[i].uses.filter((k) => paths[graph.links[k][1]] && numbers.local[k]);
    if (!ways.length) continue;
    const size = (k) => Math.abs(numbers.sent[k]);
    const best = ways.reduce((a, k) => (size(k) > size(a) ? k : a));
    const local = Math.abs(numbers.local[best]);
    const { count, log } = paths[graph.links[best][1]];
    paths[i] = { card: i, count: count + Number(local !== 1), log: log + Math.log10(local) };
  }
  const ends = paths.filter((path) => path?.count > 2 && graph.cards[path.card].kind === "leaf")
    .sort((a, b) => a.log - b.log);
  const found = [];
  if (ends[0]?.log < -3) found.push({ key: "flow.vanishing", ...ends[0] });
  if (ends.at(-1)?.log > 3) found.push({ key: "flow.exploding", ...ends.at(-1) });
  return found;
}

// --- the panel -----------------------------------------------------------------------------------

function buildFlow(page, panel, toggle) {
  page.flow = { panel, toggle, widths: false };
  toggle.addEventListener("click", () => {
    page.flow.widths = !page.flow.widths;
    toggle.setAttribute("aria-pressed", page.flow.widths);
    updateFlow(page);
  });
}

function updateFlow(page) {
  const { flow, graph, numbers, known, steps, state } = page;
  const leaves = [...graph.cards.keys()].filter((i) => graph.cards[i].kind === "leaf");
  const isReady = leaves.every((i) => known.complete[i]);
  setWidths(page, steps.slice(0, state.step + 1).filter(({ kind }) => kind === "backward").map(({ key }) => key));
  if (flow.shownOf === numbers && flow.isReady === isReady) return;
  Object.assign(flow, { shownOf: numbers, isReady });
  const found = findings(page).filter(({ key }) => isReady || ["flow.value", "flow.input"].includes(key));
  const buttons = found.map(({ key, values, card }) => {
    const button = h("button", { type: "button", class: "finding" }, word(key, values));
    button.addEventListener("click", () => page.actions.reach(card));
    return button;
  });
  if (!isReady) { flow.panel.replaceChildren(...buttons, h("p", { class: "note" }, word("flow.wait"))); return; }
  const profile = depthProfile(page);
  flow.panel.replaceChildren(...buttons, ...(found.length ? [] : [h("p", {}, word("flow.fine"))]), drawProfile(page, profile));
}

/** The width of every edge whose gradient has been sent: 9 for the largest, 1 for a millionth of it. */
function setWidths(page, sentBack) {
  const { flow, graph, numbers } = page;
  if (!page.drawing || (!flow.widths && flow.drawnOn !== page.drawing)) return;
  flow.drawnOn = flow.widths ? page.drawing : null;
  const sent = page.edges.map((edge) => {
    const sums = edge.links.map((k) => numbers.sent[k] ?? sizeOf(page, graph.links[k][0], "g"));
    return Math.abs(sums.reduce((a, b) => a + b, 0));
  });
  const largest = Math.max(...sent.filter(Number.isFinite));
  page.drawing.edges.forEach(({ path }, n) => {
    const isShown = flow.widths && sentBack.includes(page.edges[n].head) && Number.isFinite(sent[n]);
    if (!isShown) { path.removeAttribute("stroke-width"); return; }
    const part = 1 + Math.log10(sent[n] / largest || 1e-9) / 6;
    path.setAttribute("stroke-width", (1 + 8 * Math.max(0, part)).toFixed(2));
  });
}

/** |gradient| by depth as bars, logarithmic, the output on the right as in the graph. */
function drawProfile(page, profile) {
  const { graph } = page;
  const sizes = profile.map(({ size }) => size).filter((size) => size > 0 && Number.isFinite(size));
  const [low, high] = [Math.min(...sizes), Math.max(...sizes)].map(Math.log10);
  const wide = PLOT.w / profile.length;
  const bars = profile.map(({ size, card }, depth) => {
    const part = size > 0 && Number.isFinite(size) ? 0.08 + 0.92 * ((Math.log10(size) - low) / (high - low || 1)) : 0;
    const tall = Number.isFinite(size) ? 56 * part : 56;
    const x = PLOT.w - (depth + 1) * wide;
    return svg("rect", { class: Number.isFinite(size) ? "g" : "bad", x: x + wide / 10, y: 58 - tall, width: wide * 0.8, height: tall },
      svg("title", {}, `${graph.cards[card].name}: ${short(size)}`));
  });
  const ends = { first: short(profile.at(-1).size), last: short(profile[0].size), n: profile.length - 1 };
  return h("figure", {}, svg("svg", { class: "profile", viewBox: `0 0 ${PLOT.w} 60`, role: "img", "aria-label": word("flow.profile", ends) }, ...bars),
    h("figcaption", { class: "note" }, word("flow.profile", ends)));
}
