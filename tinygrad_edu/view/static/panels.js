// The inputs, the program, the rule, and the table: the same data in other forms.

/** The rows of sliders and number fields, one per leaf; returns what `updateInputs` needs. */
function buildInputs(page, panel) {
  const { graph } = page;
  const rows = [];
  panel.replaceChildren();
  if (!graph.live) panel.append(h("p", { class: "note" }, graph.still));
  const owners = inputsInOrder(graph);
  const isLong = [...owners.values()].flat().length > 12;
  const free = h("div", { class: "inputs" });
  panel.append(free);
  for (const [m, own] of owners) {
    const list = isLong && m >= 0 ? h("div", { class: "inputs" }) : free;
    if (list !== free) {
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

/** The leaves of each module, -1 for none, in the order of use; the elements of an array in theirs. */
function inputsInOrder(graph) {
  const firstUse = (i) => Math.min(...graph.cards[i].uses.map((k) => graph.links[k][1]), graph.cards.length);
  const owners = new Map([[-1, []]]);
  const leaves = [...graph.cards.keys()].filter((i) => graph.cards[i].kind === "leaf");
  for (const i of leaves.sort((a, b) => firstUse(a) - firstUse(b) || a - b)) {
    const m = graph.moduleOf[i];
    if (!owners.has(m)) owners.set(m, []);
    owners.get(m).push(i);
  }
  for (const [m, own] of owners) {
    const elements = graph.modules[m]?.elements;
    if (elements) own.sort((a, b) => elements.indexOf(a) - elements.indexOf(b));
  }
  if (graph.modules.some(({ elements }) => elements)) return owners;
  const path = (m) => (m < 0 ? "" : modulePath(graph, m)); // neurons are used in turns, and are easier to find by name
  return new Map([...owners].sort(([a], [b]) => path(a).localeCompare(path(b), "en", { numeric: true })));
}

/** The names of a module and of those around it. */
function modulePath(graph, m) {
  const { name, outer } = graph.modules[m];
  return outer < 0 ? name : `${modulePath(graph, outer)} · ${name}`;
}

function inputRow(page, i) {
  const { graph } = page;
  const card = graph.cards[i];
  const gradient = h("output", { class: "gradient number", "aria-label": word("inputs.gradient", { name: card.name }) });
  const name = h("bdi", { class: "label", title: card.name }, cut(card.name, 22));
  name.addEventListener("click", () => page.actions.selectCard(i));
  if (card.array) {
    const about = h("span", { class: "about" }, card.array);
    return { i, gradient, parts: [name, about] };
  }
  if (!graph.live) {
    const value = h("output", { class: "value number" });
    return { i, gradient, value, parts: [name, value, gradient] };
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
  field.addEventListener("focus", () => {
    const all = full(page.numbers.v[i]).replaceAll("−", "-");
    if (field.value === all) return;
    field.value = all;
    field.select(); // as it was, if Tab led here
  });
  field.addEventListener("blur", () => updateInputs(page)); // what is not a number gives way to the number
  const was = { v: h("small", { class: "ghost" }), g: h("small", { class: "ghost" }) };
  const ghosts = [h("span"), was.v, was.g];
  return { i, gradient, slider, field, was, ghosts, parts: [h("div", {}, name, slider), field, gradient, ...ghosts] };
}

/** A slider's number on its grid, free of the last digits that binary fractions add. */
function toStep(x, low, step) {
  return Number((low + Math.round((x - low) / step) * step).toPrecision(12));
}

function updateInputs(page) {
  const { numbers } = page;
  for (const { i, gradient, value, slider, field, was, ghosts } of page.rows) {
    const g = visibleGradient(page, i);
    gradient.textContent = g === undefined ? UNKNOWN : inRoom(g);
    if (was) {
      was.v.textContent = ghost(page, "v", i, numbers.v[i], medium);
      was.g.textContent = ghost(page, "g", i, g, medium);
      for (const part of ghosts) part.hidden = !was.v.textContent && !was.g.textContent;
    }
    if (value) value.textContent = inRoom(numbers.v[i]);
    if (slider) slider.value = numbers.v[i];
    if (field && document.activeElement !== field) field.value = inRoom(numbers.v[i]).replaceAll("−", "-");
  }
}

/** A number with all its digits, or as many as have room in a row of inputs. */
function inRoom(x) {
  const texts = Number.isFinite(x) ? [full(x), ...[7, 6, 5].map((digits) => signed(general(x, digits)))] : [];
  return texts.find((text) => text.length <= 10) ?? short(x);
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
      isolateNames(line);
      lines.push({ line, card, css, pre, text });
      pre.append(line);
    }
    pre.addEventListener("click", (event) => {
      const chosen = lines.find(({ line }) => line.contains(event.target));
      if (chosen && !String(getSelection())) page.actions.selectCard(chosen.card);
    });
    panel.append(pre);
  };
  panel.replaceChildren();
  block("forward", page.graph.program.forward);
  block("backward", page.graph.program.backward);
  return lines;
}

/** A number as Python writes it. */
function pythonNumber(x) {
  if (!Number.isFinite(x)) return short(x).replace("−", "-");
  const [mantissa, exponent] = x.toExponential().split("e");
  const power = Number(exponent);
  if (x !== 0 && (power < -4 || power >= 16)) {
    return `${mantissa}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  return Number.isInteger(x) ? `${x}.0` : String(x);
}

/** The line that makes an input says its present number. */
function updateNumbers(page) {
  const { graph, state } = page;
  for (const { line, card, css, text } of page.lines) {
    if (css !== "forward" || graph.cards[card]?.kind !== "leaf" || !graph.live) continue;
    const now = state.inputs.has(card) ? `${text.split(" = ")[0]} = ${pythonNumber(state.inputs.get(card))}` : text;
    if (line.textContent === `${now}\n`) continue;
    line.textContent = `${now}\n`;
    isolateNames(line);
  }
}

function updateProgram(page) {
  updateNumbers(page);
  const { graph, steps, state, view } = page;
  const step = steps[state.step];
  const operations = new Set(step.key ? view.units.get(step.key).operations : []);
  let seen = null;
  for (const entry of page.lines) {
    const { line, card, css, pre } = entry;
    const isOperation = graph.cards[card]?.kind === "node";
    const seed = css === "backward" && card === graph.root && line === line.parentNode.firstChild;
    const lit = (step.kind === css && operations.has(card) && isOperation && !seed)
      || (step.kind === "ready" && css === "forward" && !isOperation)
      || (step.kind === "seed" && seed);
    if (lit !== Boolean(entry.lit)) for (const name of ["lit", css]) line.classList.toggle(name, lit);
    entry.lit = lit;
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
