// One spoken sentence per step.

const MOST_LINES = 6;
const MOST_EXPLAINED = 3;

/** The sentences of the current step, as paragraphs; the first says where we are. */
function sentences(page) {
  const { steps, state, graph } = page;
  const step = steps[state.step];
  const at = { step: state.step, last: steps.length - 1 };
  const phase = { ready: "ready", forward: "forward", seed: "backward", backward: "backward", done: "done" };
  const lines = {
    ready: () => [[word(matchMedia("(hover: none)").matches ? "say.start_by_touch" : "say.start")]],
    forward: () => sayForward(page, step.key),
    seed: () => [phrase("say.seed", { root: bold(graph.cards[graph.root].name), g: gradientText(1) })],
    backward: () => sayBackward(page, step.key),
    done: () => sayDone(page),
  }[step.kind]();
  return [h("p", { class: "where" }, word(`say.at_${phase[step.kind]}`, at)), ...lines.map((line) => h("p", {}, ...line))];
}

/** The name of a card as it is seen: that of the folded module whose only result it is, unless it has a label. */
function shownName(page, i) {
  const { graph, view } = page;
  const key = view.unitOf[i];
  const isOnly = key.startsWith("module:") && shownCards(graph, key).length === 1;
  return isOnly && !graph.cards[i].labelled ? unitName(graph, key) : graph.cards[i].name;
}

function sayForward(page, key) {
  const { graph, numbers } = page;
  if (key.startsWith("module:")) return sayModule(page, key);
  const i = Number(key.slice(5));
  const card = graph.cards[i];
  const inNames = applied(card, operandNames(page, card));
  if (card.array) return [phrase("say.array", { name: bold(card.name), formula: inNames, array: card.array })];
  const operands = card.links.map((k) => graph.cards[graph.links[k][0]]);
  const values = operandsOf(graph, card, numbers.v);
  const inNumbers = applied(card, values.map((x, n) => operands[n].array ?? medium(x)));
  const isCalculation = operands.some((x) => x.kind !== "constant" && !x.array) && inNumbers !== inNames;
  const equation = isCalculation ? `${inNames} = ${inNumbers}` : inNames;
  const line = phrase("say.value", { name: bold(card.name), equation, x: valueText(numbers.v[i]) });
  const trouble = troubleOf(graph, card, values, numbers.v[i]);
  return [trouble ? [...line, `. ${word(trouble, { symbol: card.symbol })}`] : line];
}

/** Why the result of finite numbers is not one: the key of a sentence, or "". */
function troubleOf(graph, card, values, x) {
  if (Number.isFinite(x) || !values.every(Number.isFinite)) return "";
  if (Number.isNaN(x)) return "say.undefined";
  if (!graph.live) return "say.infinite";
  const beside = (step) => RULES[card.rule].f(...values.map((value) => value + step * Math.max(1, Math.abs(value))));
  return [-1e-6, 1e-6].some((step) => Number.isFinite(beside(step))) ? "say.infinite" : "say.overflow";
}

function sayModule(page, key) {
  const { graph, numbers, view } = page;
  const made = shownCards(graph, key);
  const n = view.units.get(key).operations.length;
  const name = bold(unitName(graph, key));
  const runs = word("say.operations", { n });
  if (made.length !== 1 || graph.cards[made[0]].array) {
    return [phrase("say.module_many", { name, runs, results: word("say.results", { n: made.length }) })];
  }
  return [phrase("say.module", { name, runs, x: valueText(numbers.v[made[0]]) })];
}

/** "gradient of x += 1.1 arriving × 2 local = 2.2", for every operand, and how much of it that makes. */
function sayBackward(page, key) {
  const lines = key.startsWith("card:") ? sayOperands(page, Number(key.slice(5))) : sayThroughModule(page, key);
  return lines.slice(0, MOST_LINES);
}

function sayOperands(page, i) {
  const { graph, numbers, view } = page;
  const card = graph.cards[i];
  const { gradient, missing } = knownAfter(graph, view, page.steps, page.state.step - 1, numbers.sent);
  const links = card.links.filter((k) => graph.cards[graph.links[k][0]].kind !== "constant");
  const lines = [];
  for (const k of links) {
    const tail = graph.links[k][0];
    const name = bold(shownName(page, tail));
    missing[tail] -= 1;
    if (numbers.local[k] === null) { // an array: its local derivatives are not one number
      const sent = numbers.sent[k] === null ? word("say.pullback") : gradientText(numbers.sent[k]);
      lines.push(phrase("say.add_array", { name, sent, head: card.name }));
      continue;
    }
    const line = phrase("say.add", { name, arriving: gradientText(numbers.g[i]), local: factorText(numbers.local[k]),
      sent: gradientText(numbers.sent[k]) });
    gradient[tail] = (gradient[tail] ?? 0) + numbers.sent[k];
    const n = graph.cards[tail].uses.length;
    if (n > 1) line.push(...phrase(missing[tail] ? "say.so_far" : "say.complete",
      { total: gradientText(gradient[tail]), arrived: n - missing[tail], all: n }));
    lines.push(line);
    if (links.length <= MOST_EXPLAINED) {
      lines.push([h("span", { class: "because" }, word("say.local", { equation: localText(graph, k, numbers) }))]);
    }
  }
  const seed = page.steps.findIndex((step) => step.kind === "seed");
  if (page.state.step === seed + 1 && lines.length) {
    lines.push([h("span", { class: "because" }, word("say.terms", { head: card.name }))]);
  }
  return lines;
}

function sayThroughModule(page, key) {
  const { graph, numbers } = page;
  const lines = [];
  page.edges.forEach((edge, n) => {
    const tail = graph.links[edge.links[0]][0];
    if (edge.head !== key || graph.cards[tail].kind === "constant") return;
    const [name, module] = [bold(shownName(page, tail)), bold(unitName(graph, key))];
    const local = page.derivatives[n];
    const arriving = numbers.g[graph.outputs[Number(key.slice(7))][0]];
    lines.push(local === null ? phrase("say.add_back", { name, module }) : phrase("say.add_through", { name, module,
      arriving: gradientText(arriving), local: factorText(local), sent: gradientText(arriving * local) }));
  });
  const operations = word("say.operations", { n: page.view.units.get(key).operations.length });
  return lines.length ? lines : [phrase("say.module_back", { name: bold(unitName(graph, key)), operations })];
}

function sayDone(page) {
  const n = page.graph.cards.filter((card) => card.kind !== "constant").length;
  return [[word("say.done", { n }), " ", word(page.graph.live ? "say.next_live" : "say.next")]];
}
