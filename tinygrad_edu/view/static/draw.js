// The graph as SVG: built again when something folds, and brought up to date at every step.

const MARGIN = 12;
const CIRCLE = 16;
const BARS = 24;

/** Draw everything that is visible. Returns the elements that change, for `updateDrawing`. */
function buildDrawing(page) {
  const { view, layout } = page;
  const frames = svg("g");
  const edges = svg("g");
  const ways = svg("g");
  const cards = svg("g");
  const pills = svg("g");
  const drawing = { units: new Map(), edges: [], routes: [], ways, layers: [frames, edges, ways, cards, pills] };
  for (const [key, box] of Object.entries(layout.boxes)) {
    if (key.startsWith("module:") && !view.units.has(key)) frames.append(drawFrame(page, key, box));
  }
  const drawn = new Set();
  page.edges.forEach((edge, n) => {
    const own = routePath(linePoints(layout, edge.link, drawn)); // from where it leaves the others
    const path = svg("path", { d: own });
    const line = svg("g", { class: "edge" }, path);
    edges.append(line);
    const pill = layout.pills[edge.link] ? drawPill(layout.pills[edge.link]) : null;
    if (pill) {
      pills.append(pill.group);
      pill.group.addEventListener("click", () => page.actions.explainEdge(n, pill.group));
    }
    drawing.edges.push({ line, path, own, pill, isLit: false });
  });
  for (const key of view.units.keys()) {
    const unit = drawUnit(page, key, layout.boxes[key]);
    cards.append(unit.group, ...(unit.beside ? [unit.beside] : []));
    drawing.units.set(key, unit);
  }
  return drawing;
}

function drawFrame(page, key, { x, y, w, h: height }) {
  const m = Number(key.slice("module:".length));
  const name = page.graph.modules[m].name;
  const button = svg("g", { class: "fold", role: "button", tabindex: "-1",
    "aria-label": word("unit.fold", { name }), transform: `translate(${x + 20} ${y + 18})` },
    svg("circle", { r: 11 }), svg("path", { d: "M-4 0h8" }));
  onPress(button, () => page.actions.toggleFold(m));
  return svg("g", {},
    svg("rect", { class: "frame", x, y, width: w, height, rx: 14 }),
    svg("text", { class: "title", x: x + 36, y: y + 22.5 }, fitted(name, w - 56)),
    button);
}

function drawPill({ x, y }) {
  const rect = svg("rect", { class: "pill", y: y - 11, height: 22, rx: 11 });
  const text = svg("text", { class: "pt", x, y: y + 4.5 });
  const was = svg("text", { class: "ghost", x, y: y + 23 });
  return { group: svg("g", { class: "local" }, rect, text, was), rect, text, was, x };
}

function setPill(pill, text) {
  pill.group.classList.toggle("empty", text === "");
  if (pill.text.textContent === text) return;
  pill.text.textContent = text;
  const width = Math.max(44, 7.2 * text.length + 14);
  pill.rect.setAttribute("width", width);
  pill.rect.setAttribute("x", pill.x - width / 2);
}

/** The cards whose numbers a unit shows: itself, or what comes out of a folded module. */
function shownCards(graph, key) {
  const [kind, index] = [key.split(":")[0], Number(key.split(":")[1])];
  if (kind === "card") return [index];
  return graph.modules[index].elements ?? graph.outputs[index];
}

function unitName(graph, key) {
  const index = Number(key.split(":")[1]);
  return key.startsWith("card:") ? graph.cards[index].name : graph.modules[index].name;
}

function drawUnit(page, key, { x, y, w, h: height }) {
  const { graph, state } = page;
  const index = Number(key.split(":")[1]);
  const isModule = key.startsWith("module:");
  const thing = isModule ? graph.modules[index] : graph.cards[index];
  const operations = page.view.units.get(key).operations.length;
  const kind = isModule ? (operations ? "module folded" : "module folded leaf") : thing.kind;
  const root = page.view.unitOf[graph.root] === key ? " root" : "";
  const group = svg("g", { class: `unit ${kind}${root}`, "data-key": key,
    transform: `translate(${x} ${y})` });
  const unit = { group, shown: shownCards(graph, key), numbers: [], tip: svg("title") };
  group.append(unit.tip);
  if (isModule) group.append(svg("rect", { class: "box under", x: 5, y: 5, width: w, height, rx: 12 }));
  group.append(svg("rect", { class: "box", width: w, height, rx: 12 }));
  if (kind === "constant") {
    unit.constant = svg("text", { class: "v", x: w / 2, y: height / 2 + 5, "text-anchor": "middle" });
    group.append(unit.constant);
    group.addEventListener("click", () => page.actions.explainConstant(index, group));
    return unit;
  }
  group.setAttribute("tabindex", state.selected === key ? 0 : -1);
  group.setAttribute("role", "button");
  onPress(group, () => page.actions.select(key));
  if (isModule) group.addEventListener("dblclick", () => page.actions.toggleFold(index));
  if (thing.uses?.length > 1 && !thing.array) addSlots(unit, thing.uses.length, w, height);
  group.addEventListener("focus", () => { // by keyboard; under a pointer nothing may move
    markStop(page, key);
    if (group.matches(":focus-visible")) page.canvas.show({ x, y, w, h: height });
  });
  const badge = isModule || !thing.symbol ? 0 : w - (thing.array ? 196 : 166) + 2 * CIRCLE;
  const left = badge ? badge - 4 : 14;
  const unnamed = !isModule && !thing.labelled;
  const room = w - left - (isModule ? 34 : 10) - (unit.slots ? unit.slots.width : 0);
  const title = fitted(thing.brief ?? thing.name, room);
  const text = svg("text", { class: unnamed ? "name unnamed" : "name", x: left, y: 21 }, title);
  const output = graph.cards[unit.shown[0]]?.name;
  if (isModule && !thing.elements && unit.shown.length === 1 && 9 * (title.length + output.length) < room) {
    text.append(svg("tspan", { class: "k", dx: 7 }, output)); // what fractions call it
  }
  group.append(text);
  unit.bars = unit.shown.length > 1 || Boolean(graph.cards[unit.shown[0]]?.array);
  const made = isModule && thing.symbol ? `${thing.symbol} · ` : "";
  const array = thing.array ?? graph.cards[unit.shown[0]]?.array;
  const note = made + (array ?? (unit.bars ? word("unit.outputs", { n: unit.shown.length }) : ""));
  if (note) group.append(svg("text", { class: "k", x: left, y: 33 }, cut(note.replace(/ · $/, ""), 25)));
  addNumbers(unit, left, note && !unit.bars ? 7 : 0, thing.array && !isModule);
  if (badge) group.append(...drawSymbol(thing.badge ?? thing.symbol, badge, height / 2));
  if (isModule) {
    unit.beside = svg("g", { class: "fold", role: "button", tabindex: "-1",
      "aria-label": word("unit.unfold", { name: thing.name }), transform: `translate(${x + w - 16} ${y + 17})` },
      svg("circle", { r: 11 }), svg("path", { d: "M-4 0h8M0 -4v8" }));
    onPress(unit.beside, () => page.actions.toggleFold(index));
  }
  return unit;
}

/** Places for a value and a gradient: numbers, or strips of bars side by side or one below the other. */
function addNumbers(unit, left, lower, isTall) {
  for (const [n, css, label] of [[0, "v", word("unit.value")], [1, "g", word("unit.gradient")]]) {
    const at = isTall ? left + 54 : left + n * 70;
    const middle = isTall ? 59 + 24 * n : 59;
    const text = svg("text", { class: css, x: at, y: unit.bars ? middle + 4 : 60 + lower });
    const bars = svg("path", { class: `bar ${css}` });
    const back = unit.bars ? { x: at - 4, y: middle - 13, height: 26 } : { x: at - 6, y: 29 + lower, height: 38 };
    unit.group.append(svg("rect", { class: `back ${css}`, width: isTall ? 104 : 66, rx: 7, ...back }));
    const place = isTall ? { x: left, y: middle + 4 } : { x: at, y: (unit.bars ? 48 : 41) + lower };
    const name = svg("text", { class: unit.bars && !isTall ? "k small" : "k", ...place }, label);
    unit.group.append(name);
    const width = isTall ? 96 : 58;
    const pinned = svg("path", { class: "ghost" });
    if (unit.bars) unit.group.append(svg("path", { class: "axis", d: `M${at} ${middle}h${width}` }), pinned, bars);
    unit.group.append(text);
    unit.numbers.push({ css, at, middle, width, text, bars, pinned, name, label });
  }
}

/** The operation in a circle on the left side of its card; a longer name in a wider badge. */
function drawSymbol(symbol, width, y) {
  const size = [...symbol].length === 1 ? 19 : 11.5;
  return [
    svg("rect", { class: "op", x: -CIRCLE, y: y - CIRCLE, width, height: 2 * CIRCLE, rx: CIRCLE }),
    svg("text", { class: size > 14 ? "opt one" : "opt", x: width / 2 - CIRCLE, y: y + size / 3, "font-size": size }, symbol),
  ];
}

/** Do something at a click, and at Enter for those who use the keyboard. */
function onPress(target, action) {
  target.addEventListener("click", (event) => {
    event.stopPropagation();
    action();
    if (event.detail) document.activeElement.blur(); // after a click the arrow keys step
  });
  target.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    action();
  });
}

/** At most BARS means of neighbouring numbers. */
function blockMeans(numbers) {
  const n = Math.min(BARS, numbers.length);
  return Array.from({ length: n }, (_, i) => {
    const from = Math.floor((i * numbers.length) / n);
    const to = Math.floor(((i + 1) * numbers.length) / n);
    return numbers.slice(from, to).reduce((sum, x) => sum + x, 0) / (to - from);
  });
}

/** Bars up for positive numbers and down for negative ones: signs read without colour. */
function barsPath(numbers, { at, middle, width }) {
  const means = blockMeans(numbers);
  const largest = Math.max(...means.map((x) => (Number.isFinite(x) ? Math.abs(x) : 0))) || 1;
  const cell = Math.min(width / means.length, 12);
  return means.map((x, n) => {
    const up = Number.isFinite(x) ? x / largest : Math.sign(x) || 0;
    const from = (at + n * cell).toFixed(2);
    const wide = (cell - Math.min(1, cell / 4)).toFixed(2);
    return up ? `M${from} ${middle}h${wide}v${(-9 * up).toFixed(2)}h-${wide}z` : "";
  }).join("");
}

/** The font size at which a number fits into its half of a card. */
function numberSize(text) {
  return { 8: 13.5, 9: 12.5, 10: 11.5 }[text.length] ?? (text.length < 8 ? 15 : 11);
}

/** Bring numbers, highlights and names for screen readers up to date. */
function updateDrawing(page) {
  const { graph, drawing, known, steps, state, view } = page;
  const now = steps[state.step];
  const operands = new Set();
  if (now.key) {
    for (const edge of page.edges) if (edge.head === now.key) operands.add(edge.tail);
  }
  const onPath = page.pathEdges;
  for (const [key, unit] of drawing.units) {
    const running = now.key === key;
    updateUnit(page, key, unit);
    const marks = {
      forward: running && now.kind === "forward",
      backward: running && now.kind === "backward",
      receives: (now.kind === "backward" && operands.has(key))
        || (now.kind === "seed" && key === view.unitOf[graph.root]),
      selected: state.selected === key,
      unusual: unit.numbers.some(({ isOdd }) => isOdd),
    };
    for (const [name, on] of Object.entries(marks)) unit.group.classList.toggle(name, on);
  }
  drawRoutes(page);
  page.edges.forEach((edge, n) => {
    const drawn = drawing.edges[n];
    const { line, path, own, pill } = drawn;
    const running = now.key === edge.head;
    line.classList.toggle("forward", running && now.kind === "forward");
    line.classList.toggle("backward", running && now.kind === "backward");
    line.classList.toggle("path", onPath.has(n));
    const isLit = running || onPath.has(n); // then all the way from its tail
    if (isLit !== drawn.isLit) path.setAttribute("d", isLit ? routePath(linePoints(page.layout, edge.link)) : own);
    drawn.isLit = isLit;
    if (!pill) return;
    pill.group.classList.toggle("backward", running && now.kind === "backward");
    pill.group.classList.toggle("path", onPath.has(n));
    const heads = edge.links.map((k) => graph.links[k][1]);
    const ready = heads.every((head) => known.value[head]);
    const derivative = page.derivatives[n];
    setPill(pill, ready && derivative !== null ? `×${short(derivative)}` : "");
    pill.was.textContent = ghost(page, "local", edge.link, derivative);
  });
}

function updateUnit(page, key, unit) {
  const { graph, known, numbers } = page;
  if (unit.constant) {
    const card = graph.cards[unit.shown[0]];
    unit.constant.textContent = card.array ? card.name : short(card.v);
    unit.tip.textContent = card.array ?? full(card.v);
    return;
  }
  const values = unit.shown.map((i) => (known.value[i] ? numbers.v[i] ?? 0 : undefined));
  const gradients = unit.shown.map((i) => visibleGradient(page, i));
  const said = [page.state.selected === key, known.missing[unit.shown[0]], ...values, ...gradients].join();
  const isSame = unit.said === said && unit.pinned === page.pinned && !page.early && !unit.wrong;
  if (isSame) return; // most cards at most steps, and writing would cost layout
  Object.assign(unit, { said, pinned: page.pinned });
  const m = key.startsWith("module:") ? Number(key.slice(7)) : -1;
  const lines = [m < 0 ? unitName(graph, key) : modulePath(graph, m)];
  for (const place of unit.numbers) {
    const [what, own] = place.css === "v" ? [word("unit.value"), values] : [word("unit.gradient"), gradients];
    const unknown = own.includes(undefined);
    const strip = unit.bars && !unknown ? stripOf(page, unit, place.css, own) : [];
    const stats = graph.cards[unit.shown[0]]?.stats?.[place.css].map(toNumber);
    place.isOdd = !unknown && own.some((x) => !Number.isFinite(x));
    place.text.classList.toggle("unknown", unknown);
    place.text.classList.toggle("odd", place.isOdd);
    place.text.textContent = unknown ? UNKNOWN : unit.bars ? "" : short(own[0]);
    place.text.setAttribute("font-size", numberSize(place.text.textContent));
    if (unit.bars) place.bars.setAttribute("d", barsPath(strip, place));
    const was = unit.shown.map((i, n) => ghost(page, place.css, i, own[n]));
    const isMoved = was.some(Boolean);
    place.name.textContent = isMoved && !unit.bars ? was[0] : place.label; // there is no other room
    place.name.classList.toggle("ghost", isMoved && !unit.bars);
    const before = unit.shown.map((i) => page.pinned?.[place.css].get(i));
    place.pinned.setAttribute("d", isMoved && unit.bars ? barsPath(before, place) : "");
    lines.push(`${what} ${unknown ? word("unit.unknown") : unit.bars ? rangeText(stats ?? strip) : full(own[0])}`);
    if (isMoved && !unit.bars) lines.push(word("pin.was", { what, x: full(before[0]) }));
  }
  if (unit.slots) lines.push(updateSlots(page, unit));
  unit.wrong?.remove();
  if (m < 0 && page.early && known.complete[unit.shown[0]] && isWrong(page, unit.shown[0])) addWrong(page, unit);
  unit.tip.textContent = lines.join("\n");
  const [name, ...rest] = lines;
  unit.group.setAttribute("aria-label", [name, madeFrom(page, key), ...rest].join(", "));
  unit.group.setAttribute("aria-pressed", page.state.selected === key);
}

/** A gradient as far as it has arrived; of an array only once all of it has. */
function visibleGradient(page, i) {
  const { graph, known, numbers } = page;
  if (graph.cards[i].array) return known.complete[i] ? numbers.g[i] ?? 0 : undefined;
  return known.gradient[i];
}

function stripOf(page, unit, css, own) {
  const card = page.graph.cards[unit.shown[0]];
  return card?.array ? card.strip[css].map(toNumber) : own;
}

function rangeText(strip) {
  if (!strip.length) return word("unit.empty");
  return word("unit.range", { low: short(Math.min(...strip)), high: short(Math.max(...strip)) });
}

/** What a unit is, in words. */
function madeFrom(page, key) {
  const { graph, view } = page;
  if (key.startsWith("module:")) {
    const n = view.units.get(key).operations.length;
    return n ? word("unit.folded", { n }) : word("unit.folded_input");
  }
  const card = graph.cards[Number(key.slice(5))];
  if (card.kind !== "node") return word("unit.input");
  return word("unit.made", { symbol: card.symbol, operands: listed(operandNames(page, card)) });
}

/** The operands of a card as the reader sees them: names, and constants as numbers. */
function operandNames(page, card) {
  const { graph } = page;
  return card.links.map((k) => {
    const operand = graph.cards[graph.links[k][0]];
    return operand.kind === "constant" && !operand.array ? medium(operand.v) : shownName(page, graph.links[k][0]);
  });
}
