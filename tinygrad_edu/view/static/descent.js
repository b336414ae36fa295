// A step of gradient descent on every input, what the tangent promises of it, and the way back.

const MOST_STEPS = 200;

/**
 * What a step would do: for each input its `before`, `after` and gradient `g`; `before` is the
 * output, `forecast` what the gradients promise of it. null where one of them is not a number.
 */
function planStep(graph, { v, g }, rate) {
  const rows = [...graph.cards.keys()].filter((i) => graph.cards[i].kind === "leaf")
    .map((i) => ({ i, before: v[i], g: g[i], after: v[i] - rate * g[i] }));
  const before = v[graph.root];
  const forecast = rows.reduce((sum, row) => sum + row.g * (row.after - row.before), before);
  return rows.length && Number.isFinite(forecast) ? { rate, rows, before, forecast } : null;
}

/** A rate of 0.1, or as many tenths of it as keep every move within half of its input's size. */
function firstRate(graph, { v, g }) {
  const leaves = [...graph.cards.keys()].filter((i) => graph.cards[i].kind === "leaf");
  const least = Math.min(...leaves.map((i) => 0.5 * Math.max(1, Math.abs(v[i])) / Math.abs(g[i] || 0)));
  if (!(least < 0.1)) return 0.1;
  return Number(`1e${Math.max(-12, Math.floor(Math.log10(least)))}`);
}

/** The inputs after a step, as `state.inputs` keeps them: only those that Python did not give. */
function inputsAfter(graph, inputs, rows) {
  const changed = new Map(inputs);
  for (const { i, after } of rows) {
    if (after === graph.cards[i].v) changed.delete(i);
    else changed.set(i, after);
  }
  return changed;
}

/** Whether inputs are those that the last step left. */
function isAfterStep(inputs, step) {
  return Boolean(step) && inputs.size === step.left.size
    && [...inputs].every(([i, x]) => step.left.get(i) === x);
}

// --- the panel -----------------------------------------------------------------------------------

/** Build the fields of a step once; `page.descent` keeps the rate, the plan and the steps taken. */
function buildDescent(page, panel) {
  const rate = h("input", { type: "text", inputmode: "decimal", id: "rate", "aria-label": word("step.rate") });
  const [take, undo] = [["step", takeStep], ["undo", undoStep]].map(([id, action]) => {
    const button = h("button", { type: "button", id, title: word(`step.${id}.title`) }, word(`step.${id}`));
    button.addEventListener("click", () => action(page));
    return button;
  });
  const text = h("div", { "aria-live": "polite" });
  const rows = h("div", { class: "rows", tabindex: "0", role: "region", "aria-label": word("step.rows") });
  page.descent = { rate: null, plan: null, history: [], field: rate, take, undo, text, rows };
  rate.addEventListener("change", () => {
    const typed = typedNumber(rate.value);
    if (Number.isFinite(typed)) page.descent.rate = typed;
    updateDescent(page);
    updateCurve(page);
  });
  rate.addEventListener("blur", () => updateDescent(page)); // what is not a number gives way to the number
  panel.replaceChildren(h("h3", {}, word("step.title")),
    h("div", { class: "bar" }, h("label", {}, word("step.rate"), " ", rate), take, undo), text, rows);
}

function takeStep(page) {
  const { descent, graph, state } = page;
  const { plan } = descent;
  const left = inputsAfter(graph, state.inputs, plan.rows);
  const happened = forward(graph, left)[graph.root];
  descent.history = [...descent.history, { ...plan, inputs: new Map(state.inputs), left, happened }].slice(-MOST_STEPS);
  page.actions.setInputs(left);
}

function undoStep(page) {
  const last = page.descent.history.pop();
  page.actions.setInputs(last.inputs);
}

/** What the next step would do, and what the last one did, as long as nothing else has moved. */
function updateDescent(page) {
  const { descent, graph, numbers, known, state } = page;
  const leaves = [...graph.cards.keys()].filter((i) => graph.cards[i].kind === "leaf");
  descent.rate ??= firstRate(graph, numbers);
  if (document.activeElement !== descent.field) descent.field.value = descent.rate;
  const isReady = leaves.every((i) => known.complete[i]);
  descent.plan = isReady ? planStep(graph, numbers, descent.rate) : null;
  const last = descent.history.at(-1);
  const isFresh = isReady && isAfterStep(state.inputs, last);
  descent.take.disabled = descent.plan === null;
  descent.undo.disabled = !last;
  const root = () => bold(cut(graph.cards[graph.root].name, 24));
  const lines = [];
  if (isFresh) lines.push(...whatHappened(last, root));
  else if (descent.plan) {
    lines.push(phrase("step.plan", { root: root(), rate: medium(descent.rate), y: valueText(descent.plan.forecast) }));
  } else lines.push(phrase(isReady ? "step.none" : "step.wait"));
  descent.text.replaceChildren(...lines.map((line) => h("p", {}, ...line)));
  descent.rows.hidden = !isFresh;
  descent.rows.replaceChildren(isFresh ? stepTable(graph, last) : "");
}

/** The promise of the tangent beside what came of it. */
function whatHappened({ before, forecast, happened }, root) {
  const numbers = { root: root(), before: valueText(before), y: valueText(happened), forecast: valueText(forecast) };
  const key = !Number.isFinite(happened) ? "step.lost" : happened < before ? "step.fell"
    : happened > before ? "step.rose" : "step.same";
  return [phrase(key, numbers)];
}

/** Before and after, for every input and for the output. */
function stepTable(graph, { rows, before, happened, rate }) {
  const line = (name, from, g, to) => h("tr", {}, h("th", { scope: "row" }, cut(name, 18)), h("td", {}, short(from)),
    h("td", { class: "gradient" }, g), h("td", { class: "value" }, short(to)));
  const head = ["", word("step.before"), word("step.move"), word("step.after")]
    .map((text) => h(text ? "th" : "td", { scope: text ? "col" : null }, text));
  const inputs = rows.map(({ i, before: from, g, after }) =>
    line(graph.cards[i].name, from, `− ${short(rate)} × ${short(g)}`, after));
  return h("table", { class: "numbers" }, h("thead", {}, h("tr", {}, ...head)),
    h("tbody", {}, ...inputs, line(graph.cards[graph.root].name, before, "", happened)));
}
