// The panels of a run: curves, layers, the decision map, what was taken for what, kept graphs.

/** The charts of all columns: losses together, every other column by itself. */
function curveCharts(run) {
  const xs = run.columns.epoch;
  const names = Object.keys(run.columns).filter((name) => !["epoch", "seconds"].includes(name));
  const losses = names.filter((name) => name.includes("loss"));
  const lines = (some) => some.map((name, i) => ({
    name: name.replaceAll("_", " "), ys: run.columns[name], className: lineClass(i) }));
  const charts = [chart("loss", xs, lines(losses))];
  for (const name of names.filter((other) => !losses.includes(other))) {
    charts.push(chart(name.replaceAll("_", " "), xs, lines([name])));
  }
  return charts;
}

/** The charts of the diagnoses by layer, over the epochs that were looked at. */
function layerCharts(run) {
  const looks = run.kept.filter((kept) => kept.health);
  if (!looks.length) return [];
  const xs = looks.map((kept) => kept.epoch);
  const lines = (part, number) => looks[0].health[part].map((first, i) => ({
    name: first.name, className: lineClass(i), ys: looks.map((kept) => number(kept.health[part][i])) }));
  const charts = [];
  if (looks[0].health.activations.length) {
    charts.push(chart(word("saturated"), xs, lines("activations", (a) => Math.max(a.saturated, a.dead))));
    charts.push(chart(word("gradient_deviation"), xs, lines("activations", (a) => a.gradient)));
  }
  if (looks[0].health.weights.length) {
    charts.push(chart(word("update"), xs, lines("weights", (w) => w.update),
      { usual: -3, about: word("update_about") }));
    charts.push(chart(word("gradient_to_data"), xs, lines("weights", (w) => w.gradient)));
  }
  return charts;
}

/** What is bad in the layers at a kept epoch. */
function complaintItems(kept) {
  const said = kept.health.complaints;
  return said.length ? said.map((text) => h("li", { class: "complaint" }, text)) : [h("li", {}, word("healthy"))];
}

/** How often each label was taken for each class. */
function confusionTable(matrix) {
  const total = matrix.flat().reduce((sum, n) => sum + n, 0);
  const right = matrix.reduce((sum, row, i) => sum + row[i], 0);
  const head = h("tr", {}, h("th", { scope: "col" }, `${word("rows")} \\ ${word("columns")}`),
    ...matrix.map((_, j) => h("th", { scope: "col" }, String(j))));
  const rows = matrix.map((row, i) => h("tr", {}, h("th", { scope: "row" }, String(i)),
    ...row.map((n, j) => h("td", { class: i === j ? "right" : n ? "wrong" : "" }, n ? String(n) : "·"))));
  return h("table", {}, h("caption", {}, word("matrix_about", { right, all: total })),
    h("thead", {}, head), h("tbody", {}, ...rows));
}

/** A picture of square pixels, 0 white and 1 black. */
function pixelPicture(pixels, name) {
  const side = Math.round(Math.sqrt(pixels.length));
  const picture = svg("svg", { viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": name, "shape-rendering": "crispEdges" });
  pixels.forEach((ink, i) => {
    if (ink > 0) picture.append(svg("rect", { x: i % side, y: Math.floor(i / side), width: 1, height: 1,
      fill: `rgb(${Array(3).fill(Math.round(255 * (1 - ink))).join(",")})` }));
  });
  return picture;
}

/** Pictures of what was read wrong, with what it was taken for. */
function misreadFigures(misread) {
  if (!misread.length) return [h("p", {}, word("no_misread"))];
  return misread.map(({ pixels, label, predicted }) => {
    const text = word("misread", { label, predicted });
    return h("figure", {}, pixelPicture(pixels, text), h("figcaption", {}, text));
  });
}

const CLASS_COLOURS = ["#b64500", "#005fa3", "#00755a", "#7a3fc0", "#a3122a", "#6b5b00"];

/** What the network says about every place of the plane, under the points of the data. */
function decisionMap(map, kept) {
  const { x, y, points, labels } = map;
  const size = Math.round(Math.sqrt(kept.map.length));
  const picture = svg("svg", { viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": word("map_about") });
  kept.map.forEach((said, i) => {
    const colour = CLASS_COLOURS[Math.floor(said) % CLASS_COLOURS.length];
    picture.append(svg("rect", { x: i % size, y: size - 1 - Math.floor(i / size), width: 1.02, height: 1.02,
      fill: colour, "fill-opacity": (0.12 + 0.45 * (said % 1)).toFixed(2) }));
  });
  points.forEach(([a, b], i) => {
    const at = [placed(a, x[0], x[1], 0, size), placed(b, y[0], y[1], size, 0)];
    const colour = CLASS_COLOURS[labels[i] % CLASS_COLOURS.length];
    const r = size / 90;
    picture.append(kept.wrong.includes(i)
      ? svg("path", { d: `M${at[0] - r} ${at[1] - r}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`, stroke: colour, "stroke-width": r / 1.5 })
      : svg("circle", { cx: at[0], cy: at[1], r, fill: colour, stroke: "#fff", "stroke-width": r / 4 }));
  });
  return [picture, h("p", {}, word("map_about"))];
}

/** Links that open a kept step as a page of its own. */
function graphLinks(run) {
  return run.graphs.map((graph) => {
    const link = h("a", { href: "#", target: "_blank" }, word("open", { name: graph.name }));
    const open = () => {
      const page = run.template.split("%DATA%").join(graph.data);
      link.href = URL.createObjectURL(new Blob([page], { type: "text/html" }));
    };
    for (const event of ["pointerdown", "focus"]) link.addEventListener(event, open, { once: true });
    return h("li", {}, link);
  });
}
