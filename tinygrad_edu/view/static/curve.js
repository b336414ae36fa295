// The curve of the output along the chosen node: its tangent, and a point to drag.

const PLOT = { w: 340, h: 176, bottom: 158 };
const CURVE_ZOOM = 4;

/** Build the plot and its point once: a drag must not lose what it holds. */
function buildCurve(page, panel) {
  const picture = svg("svg", { viewBox: `0 0 ${PLOT.w} ${PLOT.h}`, class: "plot" });
  const drawn = svg("g");
  const point = svg("g", { class: "point", role: "slider", tabindex: "0" }, svg("circle", { r: 7 }));
  picture.append(drawn, point);
  const zooms = [["−", "curve.out", 1 / CURVE_ZOOM], ["+", "curve.in", CURVE_ZOOM]].map(([sign, key, by]) => {
    const button = h("button", { type: "button", "aria-label": word(key), title: word(key) }, sign);
    button.addEventListener("click", () => {
      page.curve.zoom = Math.min(CURVE_ZOOM ** 12, Math.max(CURVE_ZOOM ** -5, page.curve.zoom * by));
      page.curve.middle = pointOf(page);
      updateCurve(page);
    });
    return button;
  });
  const title = h("h3");
  const text = h("div", { "aria-live": "polite" });
  panel.replaceChildren(h("div", { class: "bar" }, title, h("span", { class: "zoom" }, ...zooms)), picture, text);
  page.curve = { card: -1, zoom: 1, middle: 0, probe: null, panel, picture, drawn, point, title, text, zooms };
  const moveTo = (event) => {
    const box = picture.getBoundingClientRect();
    const part = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    movePoint(page, part);
  };
  picture.addEventListener("pointerdown", (event) => {
    picture.setPointerCapture(event.pointerId);
    moveTo(event);
  });
  picture.addEventListener("pointermove", (event) => {
    if (picture.hasPointerCapture(event.pointerId)) moveTo(event);
  });
  point.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10,
      Home: -1e3, End: 1e3 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation(); // on the page the arrows are steps
    const { low, high } = windowAround(page.curve.middle, page.curve.zoom);
    const part = (pointOf(page) - low) / (high - low) + by / 100;
    movePoint(page, Math.max(0, Math.min(1, part)));
  });
}

/** Where the point is: at the present number of the node, or where the reader drew it. */
function pointOf(page) {
  return page.curve.probe ?? page.numbers.v[page.curve.card];
}

/** Move the point to a part of the width. An input moves with it; of a node it is only asked. */
function movePoint(page, part) {
  const { curve, graph } = page;
  const { low, high } = windowAround(curve.middle, curve.zoom);
  const x = Number((low + (high - low) * part).toPrecision(Math.ceil(Math.log10(1e3 * Math.max(1, curve.zoom)))));
  if (graph.cards[curve.card].kind === "leaf") { page.actions.setInput(curve.card, x); return; }
  curve.probe = x;
  curve.asked = page.numbers; // moves of other inputs give the point back to its node
  updateCurve(page);
}

/** Draw the curve of the chosen node, unless it is drawn already. */
function updateCurve(page) {
  const { graph, curve, state, numbers } = page;
  const shown = shownCards(graph, state.selected);
  const card = shown.length === 1 && shown[0] !== graph.root ? shown[0] : -1;
  if (curve.asked !== numbers) curve.probe = null;
  const rate = page.descent.plan?.rate;
  const key = [card, curve.zoom, curve.probe, page.known.complete[card], rate].join(" ");
  if (curve.drawnOf === numbers && curve.key === key) return;
  const isOther = card !== curve.card;
  Object.assign(curve, { card, key, drawnOf: numbers });
  if (isOther) Object.assign(curve, { zoom: 1, probe: null, middle: numbers.v[card] });
  const name = cut(graph.cards[Math.max(card, 0)].name, 24);
  const root = cut(graph.cards[graph.root].name, 24);
  curve.panel.classList.toggle("empty", card < 0);
  curve.title.textContent = card < 0 ? word("curve.none", { root }) : word("curve.title", { root, name });
  if (card < 0) { curve.text.replaceChildren(); return; }
  const x = pointOf(page);
  const { low, high } = windowAround(curve.middle, curve.zoom);
  if (!(low <= x && x <= high)) curve.middle = x;
  drawCurve(page, x);
}

/** What is known at the point: the numbers there, and the slope by differences. */
function slopeAt(page, x) {
  const { graph, numbers, state, curve } = page;
  if (curve.probe === null) return { v: numbers.v, g: numbers.g[curve.card], found: foundSlope(page, curve.card) };
  const inputs = new Map(state.inputs).set(curve.card, x);
  const v = forward(graph, inputs);
  return { v, g: backward(graph, v).g[curve.card], found: numericSlope(graph, inputs, curve.card, v) };
}

/** Where a number stands between the ends of an axis of some pixels; not too far outside to be drawn. */
function scaleOf(start, end, size) {
  const half = end / 2 - start / 2; // the whole may be more than a number can be
  return (at) => Math.max(-1e4, Math.min(1e4, size * (at / 2 - start / 2) / half));
}

function drawCurve(page, x) {
  const { graph, curve, state } = page;
  const { card, drawn, point } = curve;
  const window = windowAround(curve.middle, curve.zoom);
  const budget = Math.max(200, Math.min(1200, Math.round(2e5 / graph.cards.length)));
  const here = slopeAt(page, x);
  const y = here.v[graph.root];
  const { pieces, bottom, top } = curveOf(outputAlong(graph, state.inputs, card), window, y, budget);
  const place = { x: scaleOf(window.low, window.high, PLOT.w), y: scaleOf(top, bottom, PLOT.bottom) };
  const line = (points) => `M${points.map(([a, b]) => `${place.x(a).toFixed(2)} ${place.y(b).toFixed(2)}`).join("L")}`;
  const inside = svg("svg", { width: PLOT.w, height: PLOT.bottom }); // cuts off what is outside
  const axis = top > 0 && bottom < 0 ? place.y(0).toFixed(1) : PLOT.bottom;
  inside.append(svg("path", { class: "zero", d: `M0 ${axis}H${PLOT.w}` }));
  for (const piece of pieces) inside.append(svg("path", { class: "value", d: line(piece) }));
  const known = page.known.complete[card];
  if (known) {
    const tangents = tangentsAt(here, x, y, window);
    inside.append(...tangents.map(({ css, points }) => svg("path", { class: `tangent ${css}`, d: line(points) })),
      ...checkedPoints(page, here.found, place));
  }
  const [left, upper] = [place.x(x), place.y(y)].map((z) => (z || 0).toFixed(2));
  inside.append(svg("path", { class: "drop", d: `M${left} ${PLOT.bottom}V${upper}` }));
  const ends = [[top, 10], [bottom, PLOT.bottom - 4]].map(([height, at]) =>
    svg("text", { class: "k", x: 2, y: at }, short(height)));
  drawn.replaceChildren(inside, ...ends, ...landmarks(page, place, window));
  point.setAttribute("transform", `translate(${left} ${Number.isFinite(y) ? upper : PLOT.bottom})`);
  const name = graph.cards[card].name;
  const attributes = { "aria-label": word("curve.point", { name }), "aria-valuemin": window.low,
    "aria-valuemax": window.high, "aria-valuenow": Number.isFinite(x) ? x : 0,
    "aria-valuetext": word("curve.at", { name, x: medium(x), root: graph.cards[graph.root].name, y: medium(y) }) };
  for (const [key, value] of Object.entries(attributes)) point.setAttribute(key, value);
  curve.picture.setAttribute("aria-label", curve.title.textContent);
  curve.text.replaceChildren(...curveText(page, x, y, here, known));
}

/** The lines through the point: the tangent, or at a kink one for each side and what backprop takes. */
function tangentsAt({ g, found }, x, y, { low, high }) {
  if (!Number.isFinite(g) || !Number.isFinite(y)) return [];
  const from = (slope, a, b, css) => ({ css, points: [[a, y + slope * (a - x)], [b, y + slope * (b - x)]] });
  if (found.kind !== "kink") return [from(g, low, high, "")];
  const sides = [from(found.left, low, x, "side"), from(found.right, x, high, "side")];
  return [found.left, found.right].includes(g) ? sides : [...sides, from(g, low, high, "taken")];
}

/** The two points of the numeric check, once they are far enough apart to be seen. */
function checkedPoints(page, { move }, place) {
  if (!move || page.curve.probe !== null || Math.abs(place.x(move.high) - place.x(move.low)) < 12) return [];
  return [[move.low, move.below], [move.high, move.above]].map(([a, b]) =>
    svg("rect", { class: "nudged", x: place.x(a) - 4, y: place.y(b) - 4, width: 8, height: 8 }));
}

/** The ends of the axis, the node's own number, and where the last step and the next one lead. */
function landmarks(page, place, { low, high }) {
  const { curve, graph, numbers, descent } = page;
  const y = PLOT.h - 4;
  const marks = [svg("text", { class: "k", x: 2, y }, short(low)),
    svg("text", { class: "k", x: PLOT.w - 2, y, "text-anchor": "end" }, short(high))];
  if (curve.probe !== null) {
    const own = numbers.v[curve.card];
    marks.push(svg("circle", { class: "own", r: 4, cx: place.x(own), cy: place.y(numbers.v[graph.root]) }));
  }
  const next = descent.plan?.rows.find(({ i }) => i === curve.card);
  if (next && curve.probe === null) {
    const [a, b] = [place.x(next.before), Math.max(2, Math.min(PLOT.w - 2, place.x(next.after)))];
    const back = b > a ? -6 : 6;
    if (Math.abs(b - a) > 8) {
      marks.push(svg("path", { class: "move", d: `M${a.toFixed(1)} ${y - 4}H${b.toFixed(1)}m${back} -4l${-back} 4l${back} 4` }));
    }
  }
  const last = isAfterStep(page.state.inputs, descent.history.at(-1)) ? descent.history.at(-1) : null;
  const moved = last?.rows.find(({ i }) => i === curve.card);
  if (moved) marks.push(svg("circle", { class: "own", r: 5, cx: place.x(moved.before), cy: place.y(last.before) }));
  return marks;
}

/** What the curve says, in words. */
function curveText(page, x, y, { g, found }, known) {
  const { graph, curve } = page;
  const named = (i) => bold(cut(graph.cards[i].name, 24));
  const lines = [];
  if (curve.probe !== null) {
    lines.push(phrase("curve.probe", { name: named(curve.card), x: valueText(x),
      own: valueText(page.numbers.v[curve.card]), root: named(graph.root), y: valueText(y) }));
  }
  if (!Number.isFinite(y) || !Number.isFinite(g)) lines.push(phrase("curve.undefined", { root: named(graph.root) }));
  else if (!known) lines.push(phrase("curve.unknown"));
  else if (found.kind === "kink") {
    lines.push(phrase("curve.kink", { left: short(found.left), right: short(found.right), g: gradientText(g) }));
  }
  else lines.push(phrase("curve.slope", { g: gradientText(g) }));
  return lines.map((line) => h("p", {}, ...line));
}
