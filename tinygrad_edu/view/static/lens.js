// The lens: an operation on arrays as grids, and the sum behind the cell that the reader chooses.

const MOST_LENS_TERMS = 6;

function buildLens(page, panel) {
  const { lens } = page.graph;
  panel.parentNode.hidden = !lens;
  if (!lens) return;
  const choose = h("select", { "aria-label": word("lens.operation") });
  choose.append(...lens.operations.map((operation, n) => h("option", { value: n }, lensEquation(lens, operation))));
  page.lens = { choose, place: h("div"), operation: lens.operations.length - 1, cell: null, seen: "" };
  choose.addEventListener("change", () => {
    Object.assign(page.lens, { operation: Number(choose.value), cell: null });
    drawLens(page);
  });
  panel.append(choose, page.lens.place);
}

/** Z = X @ W */
function lensEquation({ arrays }, { out, operands, symbol }) {
  const names = operands.map((k) => arrays[k].name);
  const made = names.length === 2 && !/^\w+$/.test(symbol) ? names.join(` ${symbol} `) : `${symbol}(${names.join(", ")})`;
  return `${arrays[out].name} = ${made}`;
}

/** Follow the step and the choice of the reader. */
function updateLens(page) {
  if (!page.lens) return;
  const { key } = page.steps[page.state.step];
  const seen = `${key}|${page.state.selected}`;
  if (seen !== page.lens.seen) {
    const wanted = key && !page.lens.seen.startsWith(`${key}|`) ? key : page.state.selected;
    page.lens.seen = seen;
    const n = page.graph.lens.operations.findIndex(({ out }) => lensCards(page.graph, out).some((i) => page.view.unitOf[i] === wanted));
    if (n >= 0 && n !== page.lens.operation) Object.assign(page.lens, { operation: n, cell: null });
  }
  drawLens(page);
}

/** The cards of the page that stand for the cells of an array. */
function lensCards(graph, k) {
  const { cards, card } = graph.lens.arrays[k];
  return cards ? cards.filter((i) => i >= 0) : card === undefined ? [] : [card];
}

/** The number of cell n of array k, what ("v" or "g") as the page knows it; null where it does not. */
function lensNumber(page, k, n, what) {
  const array = page.graph.lens.arrays[k];
  const i = array.cards ? array.cards[n] : array.card ?? -1;
  if (i >= 0 && !page.known[what === "v" ? "value" : "complete"][i]) return null;
  if (what === "v" && array.cards && i >= 0) return page.numbers.v[i];
  if (page.state.inputs.size && what === "g" && array.cards) return i >= 0 && lensOwns(page.graph, k, i) ? page.numbers.g[i] : null;
  const x = array[what]?.[n];
  return x === undefined ? null : toNumber(x);
}

/** Whether the card is a cell of this array alone; those that a reshape shares have other gradients. */
function lensOwns(graph, k, i) {
  return graph.lens.arrays.every(({ cards }, other) => other === k || !cards?.includes(i));
}

/** The local derivatives of cell n of an operation's output: a list of [operand, cell, number]. */
function lensRow(page, operation, n) {
  const row = operation.rows[n];
  if (!page.state.inputs.size) return row.map(([k, i, d]) => [k, i, toNumber(d)]);
  const { graph, numbers } = page;
  const { arrays } = graph.lens;
  const start = arrays[operation.out].cards?.[n] ?? -1;
  const stops = new Set(operation.operands.flatMap((k) => lensCards(graph, k)));
  const g = graph.cards.map(() => 0);
  if (start >= 0) g[start] = 1;
  for (let i = start; i >= 0; i--) if (g[i] && !stops.has(i)) sendBack(graph, i, numbers.v, g, [], []);
  const moved = operation.operands.flatMap((array, k) => (arrays[array].cards ?? []).flatMap((i, cell) => (i >= 0 && g[i] ? [[k, cell, g[i]]] : [])));
  return [...moved, ...row.filter(([k]) => arrays[operation.operands[k]].kind === "data").map(([k, i]) => [k, i, null])];
}

/** What cell is called: Z[0, 1]. */
function lensCell(array, n) {
  const index = [];
  for (const size of [...array.shape].reverse()) { index.unshift(n % size); n = Math.floor(n / size); }
  return index.length ? `${array.name}[${index.join(", ")}]` : array.name;
}

/** The terms of a sum as text, the long ones shortened, and the sum. */
function lensTerms(terms) {
  const shown = terms.slice(0, MOST_LENS_TERMS).map(([a, b]) => `${short(a)} × ${short(b)}`).join(" + ");
  const more = terms.length - MOST_LENS_TERMS;
  return more > 0 ? `${shown} + ${word("lens.more", { n: more })}` : shown;
}

/** The operands in which an output is the sum of derivative times number: all of them, or one. */
function lensLinear(page, operation, row, x) {
  const all = operation.operands.map((_, k) => k);
  for (const chosen of [all, ...all.map((k) => [k]).reverse()]) {
    const terms = row.filter(([k, , d]) => chosen.includes(k) && d !== null)
      .map(([k, i, d]) => [d, lensNumber(page, operation.operands[k], i, "v")]);
    const sum = terms.reduce((total, [d, v]) => total + d * v, 0);
    const size = terms.reduce((total, [d, v]) => total + Math.abs(d * v), 0);
    if (terms.length && Math.abs(sum - x) <= 1e-5 * size) return terms;
  }
  return null;
}

/** What the chosen cell was computed from, in one sentence. */
function lensSentence(page, operation, lit) {
  const { arrays } = page.graph.lens;
  const { which, cell } = page.lens.cell ?? {};
  if (!operation.rows) return word("lens.too_large");
  if (which === undefined) return word("lens.pick");
  const out = arrays[operation.out];
  if (which < 0) {
    const x = lensNumber(page, operation.out, cell, "v");
    if (x === null) return word("why.not_yet");
    const row = lensRow(page, operation, cell);
    for (const [k, i] of row) lit.add(`${k}:${i}`);
    const name = lensCell(out, cell);
    if (!row.length) return word("lens.nothing", { cell: name });
    const terms = lensLinear(page, operation, row, x);
    if (terms) return word("lens.sum", { cell: name, terms: lensTerms(terms), sum: medium(x) });
    const names = row.slice(0, MOST_LENS_TERMS).map(([k, i]) => lensCell(arrays[operation.operands[k]], i));
    const locals = row.slice(0, MOST_LENS_TERMS).map(([, , d], n) => (d === null ? "" : `${names[n]}: ${short(d)}`)).filter(Boolean).join("; ");
    const more = row.length - MOST_LENS_TERMS;
    return word("lens.made", { cell: name, x: medium(x), names: listed(names), terms: locals + (more > 0 ? `; ${word("lens.more", { n: more })}` : "") });
  }
  const values = { name: out.name, cell: lensCell(arrays[operation.operands[which]], cell) };
  const terms = [];
  operation.rows.forEach((_, n) => {
    for (const [k, i, d] of lensRow(page, operation, n)) {
      if (k === which && i === cell && d !== null) { lit.add(`-1:${n}`); terms.push([d, lensNumber(page, operation.out, n, "g")]); }
    }
  });
  if (!terms.length) return word("lens.nothing_back", values);
  if (terms.some(([, g]) => g === null)) return word("why.not_yet");
  const sum = terms.reduce((total, [d, g]) => total + d * g, 0);
  return word("lens.gradient", { ...values, terms: lensTerms(terms), sum: medium(sum) });
}

function drawLens(page) {
  const { graph, lens } = page;
  const operation = graph.lens.operations[lens.operation];
  lens.choose.value = String(lens.operation);
  const focused = lens.place.contains(document.activeElement) ? document.activeElement.dataset.cell : null;
  const lit = new Set();
  const sentence = lensSentence(page, operation, lit);
  const grids = (what) => {
    const list = operation.operands.map((k, n) => (what === "v" || graph.lens.arrays[k].kind !== "data" ? lensGrid(page, k, n, what, lit) : ""));
    const out = lensGrid(page, operation.out, -1, what, lit);
    return h("div", { class: "grids" }, ...(what === "v" ? [...list, "=", out] : [out, "→", ...list]));
  };
  lens.place.replaceChildren(h("h3", {}, word("lens.forward")), grids("v"), h("h3", {}, word("lens.backward")), grids("g"),
    h("p", { role: "status" }, sentence));
  if (focused) lens.place.querySelector(`[data-cell="${focused}"]`)?.focus({ preventScroll: true });
}

/** The grid of an array: of its values, or of its gradient. One tab stop; arrow keys move inside. */
function lensGrid(page, k, which, what, lit) {
  const array = page.graph.lens.arrays[k];
  const width = array.shape.at(-1) ?? 1;
  const name = what === "v" ? array.name : `∂${cut(page.graph.cards[page.graph.root].name, 16)}/∂${array.name}`;
  const { cell } = page.lens;
  const buttons = [];
  const rows = array.rows.map((r, y) => h("tr", {}, ...array.columns.map((c, x) => {
    const n = r * width + c;
    const place = y * array.columns.length + x;
    const shown = short(lensNumber(page, k, array.rows.length * array.columns.length === array.v.length && array.cards ? n : place, what));
    const isChosen = cell?.which === which && cell.cell === n;
    const button = h("button", { type: "button", tabindex: place ? "-1" : "0", "data-cell": `${what}:${which}:${n}`,
      class: isChosen ? "chosen" : lit.has(`${which}:${n}`) ? "lit" : null, "aria-pressed": String(isChosen),
      "aria-label": `${lensCell(array, n)}: ${shown}` }, shown);
    button.addEventListener("click", () => { page.lens.cell = { which, cell: n }; drawLens(page); });
    button.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -array.columns.length, ArrowDown: array.columns.length }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      buttons[place + by]?.focus();
    });
    buttons.push(button);
    return h("td", { class: what === "v" ? "value" : "gradient" }, button);
  })));
  const all = array.shape.reduce((product, size) => product * size, 1);
  const about = array.v.length < all ? word("lens.thinned", { shape: array.text, rows: array.rows.length, columns: array.columns.length })
    : array.kind === "data" && array.shape.length ? word("lens.data", { shape: array.text }) : array.shape.length ? array.text : "";
  return h("figure", {}, bold(name), h("div", { class: "cells" }, h("table", { role: "presentation" }, h("tbody", {}, ...rows))), h("figcaption", {}, about));
}
