// The inputs, the program, the rule, and the table: the same data in other forms.

/** The rows of sliders and number fields, one per leaf; returns what `updateInputs` needs. */
function buildInputs(page, panel) {
  const { graph } = page;
  const rows = [];
  panel.replaceChildren();
  if (!graph.live) panel.append(h("p", { class: "note" }, graph.still));
  const leaves = [...graph.cards.keys()].filter((i) => graph.cards[i].kind === "leaf");
  const owners = new Map([[-1, []]]);
  for (const i of leaves) {
    const m = leaves.length > 12 ? graph.moduleOf[i] : -1;
    if (!owners.has(m)) owners.set(m, []);
    owners.get(m).push(i);
  }
  const path = (m) => (m < 0 ? "" : modulePath(graph, m));
  const inOrder = ([a], [b]) => path(a).localeCompare(path(b), "en", { numeric: true });
  for (const [m, own] of [...owners].sort(inOrder)) {
    const list = h("div", { class: "inputs" });
    if (m < 0) panel.append(list);
    else {
      const count = h("span", { class: "note" }, String(own.length));
      panel.append(h("details", {}, h("summary", {}, `${modulePath(graph, m)} `, count), list));
    }
    for (const i of own) {
      const row = inputRow(page, i);
      rows.push(row);
      list.append(...row.parts);
    }
  }
  return rows;
}

/** The names of a module and of those around it. */
function modulePath(graph, m) {
  const { name, outer } = graph.modules[m];
  return outer < 0 ? name : `${modulePath(graph, outer)} · ${name}`;
}

function inputRow(page, i) {
  const { graph } = page;
  const card = graph.cards[i];
  const gradient = h("output", { class: "gradient", "aria-label": word("inputs.gradient", { name: card.name }) });
  const name = h("span", { class: "label", title: card.name }, cut(card.name, 22));
  name.addEventListener("click", () => page.actions.selectCard(i));
  if (card.array) {
    const about = h("span", { class: "about" }, card.array);
    return { i, gradient, parts: [name, about] };
  }
  if (!graph.live) {
    const value = h("output", { class: "value" });
    return { i, gradient, value, parts: [name, h("span"), value, gradient] };
  }
  const [low, high, step] = card.range;
  const slider = h("input", { type: "range", min: low, max: high, step: "any", "data-slider": card.id,
    "aria-label": word("inputs.slider", { name: card.name }) });
  const field = h("input", { type: "text", inputmode: "decimal", "data-field": card.id,
    "aria-label": word("inputs.value", { name: card.name }) });
  slider.addEventListener("input", () => page.actions.setInput(i, toStep(Number(slider.value), low, step)));
  slider.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const now = page.numbers.v[i];
    page.actions.setInput(i, Math.min(high, Math.max(low, toStep(now + by * step, low, step))));
  });
  field.addEventListener("change", () => {
    const typed = typedNumber(field.value);
    if (Number.isFinite(typed)) page.actions.setInput(i, typed);
  });
  field.addEventListener("blur", () => updateInputs(page)); // what is not a number gives way to the number
  const was = { v: h("small", { class: "ghost" }), g: h("small", { class: "ghost" }) };
  const ghosts = [h("span", { class: "beside" }), was.v, was.g];
  return { i, gradient, slider, field, was, ghosts, parts: [name, slider, field, gradient, ...ghosts] };
}

/** A slider's number on its grid, free of the last digits that binary fractions add. */
function toStep(x, low, step) {
  return Number((low + Math.round((x - low) / step) * step).toPrecision(12));
}

function updateInputs(page) {
  const { numbers } = page;
  for (const { i, gradient, value, slider, field, was, ghosts } of page.rows) {
    const g = visibleGradient(page, i);
    gradient.textContent = g === undefined ? UNKNOWN : medium(g);
    if (was) {
      was.v.textContent = ghost(page, "v", i, numbers.v[i], medium);
      was.g.textContent = ghost(page, "g", i, g, medium);
      for (const part of ghosts) part.hidden = !was.v.textContent && !was.g.textContent;
    }
    if (value) value.textContent = medium(numbers.v[i]);
    if (slider) slider.value = numbers.v[i];
    if (field && document.activeElement !== field) field.value = full(numbers.v[i]).replace("−", "-");
  }
}

/** The program, forward then backward; each line knows its card. */
function buildProgram(page, panel) {
  const lines = [];
  const block = (css, list) => {
    if (!list.length) return;
    panel.append(h("h2", {}, word(`program.${css}`)));
    const pre = h("pre", { role: "region", tabindex: "0", "aria-label": word(`program.${css}_label`) });
    for (const [text, card] of list) {
      const line = h("span", { class: "line" }, `${text}\n`);
      lines.push({ line, card, css, pre });
      pre.append(line);
    }
    pre.addEventListener("click", (event) => {
      const chosen = lines.find(({ line }) => line === event.target);
      if (chosen && !String(getSelection())) page.actions.selectCard(chosen.card);
    });
    panel.append(pre);
  };
  panel.replaceChildren();
  block("forward", page.graph.program.forward);
  block("backward", page.graph.program.backward);
  return lines;
}

function updateProgram(page) {
  const { graph, steps, state, view } = page;
  const step = steps[state.step];
  const operations = new Set(step.key ? view.units.get(step.key).operations : []);
  let seen = null;
  for (const { line, card, css, pre } of page.lines) {
    const isOperation = graph.cards[card]?.kind === "node";
    const seed = css === "backward" && card === graph.root && line === line.parentNode.firstChild;
    const lit = (step.kind === css && operations.has(card) && isOperation && !seed)
      || (step.kind === "ready" && css === "forward" && !isOperation)
      || (step.kind === "seed" && seed);
    line.classList.toggle("lit", lit);
    line.classList.toggle(css, lit);
    if (lit && !seen) seen = { line, pre };
  }
  if (seen) {
    const above = seen.line.offsetTop - seen.pre.offsetTop;
    if (above < seen.pre.scrollTop || above > seen.pre.scrollTop + seen.pre.clientHeight - 40) {
      seen.pre.scrollTop = above - 30;
    }
  }
}

/** The same data as a table. */
function fillTable(page, body) {
  const { graph, known, numbers, view } = page;
  body.replaceChildren();
  const rows = [...view.units.keys()].flatMap((key) => shownCards(graph, key).map((i) => [i, key]));
  for (const [i, key] of rows.sort(([a], [b]) => a - b)) {
    const card = graph.cards[i];
    if (card.kind !== "constant") {
      const g = visibleGradient(page, i);
      const factors = card.links.filter((k) => numbers.local[k] !== null && known.value[i]).map((k) =>
        word("table.by", { name: shownName(page, graph.links[k][0]), x: medium(numbers.local[k]) }));
      const row = h("tr", { class: page.state.selected === key ? "selected" : null },
        h("th", { scope: "row" }, card.name),
        h("td", {}, card.kind === "node" ? applied(card, operandNames(page, card))
          : word(i === graph.root ? "table.output" : "table.input")),
        h("td", { class: "value" }, card.array ?? (known.value[i] ? `${ghost(page, "v", i, numbers.v[i], full)} ${full(numbers.v[i])}`.trim() : UNKNOWN)),
        h("td", { class: "gradient" }, card.array ? (known.complete[i] ? word("table.known") : UNKNOWN) : g === undefined ? UNKNOWN : `${ghost(page, "g", i, g, full)} ${full(g)}`.trim()),
        h("td", {}, factors.join("; ")));
      row.addEventListener("click", () => page.actions.select(key));
      body.append(row);
    }
  }
}
