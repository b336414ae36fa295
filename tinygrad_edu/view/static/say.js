// One spoken sentence per step.

const INFIX = new Set(["+", "−", "×", "÷", "**", "@"]);

/** The sentences of the current step, as paragraphs; the first says where we are. */
function sentences(page) {
  const { steps, state, graph } = page;
  const step = steps[state.step];
  const last = steps.length - 1;
  const phase = { ready: "ready", forward: "forward", seed: "backward", backward: "backward" };
  const where = step.kind === "done" ? "Done · every gradient is known"
    : `Step ${state.step} of ${last} · ${phase[step.kind]}`;
  const lines = {
    ready: () => [["Only the inputs are known. Press → to compute forward."]],
    forward: () => sayForward(page, step.key),
    seed: () => [["Backward starts at the output: ", bold(graph.cards[graph.root].name),
      " changes one for one with itself, so its gradient is ", gradientText(1), "."]],
    backward: () => sayBackward(page, step.key),
    done: () => sayDone(page),
  }[step.kind]();
  return [h("p", { class: "where" }, where), ...lines.map((line) => h("p", {}, ...line))];
}

function sayForward(page, key) {
  const { graph, numbers } = page;
  if (key.startsWith("module:")) return sayModule(page, key);
  const i = Number(key.slice(5));
  const card = graph.cards[i];
  if (card.array) return [[bold(card.name), ` = ${applied(card, operandNames(graph, card))}, `, card.array]];
  const operands = card.links.map((k) => graph.cards[graph.links[k][0]]);
  const inNames = applied(card, operands.map((x) => x.name));
  const line = [bold(card.name), ` = ${inNames}`];
  if (operands.some((x) => x.kind !== "constant" && !x.array)) {
    const values = operandsOf(graph, card, numbers.v);
    const inNumbers = applied(card, values.map((x, n) => operands[n].array ?? medium(x)));
    if (inNumbers !== inNames) line.push(` = ${inNumbers}`);
  }
  line.push(" = ", valueText(numbers.v[i]));
  const undefinedHere = !Number.isFinite(numbers.v[i])
    && operandsOf(graph, card, numbers.v).every((x) => Number.isFinite(x));
  if (undefinedHere) line.push(`. ${card.symbol} is not defined here.`);
  return [line];
}

/** An operation written out: a × b, or tanh(s). */
function applied(card, operands) {
  if (INFIX.has(card.symbol) && operands.length === 2) return operands.join(` ${card.symbol} `);
  return `${card.symbol}(${operands.join(", ")})`;
}

function sayModule(page, key) {
  const unit = page.view.units.get(key);
  const made = shownCards(page.graph, key);
  const line = [bold(unitName(page.graph, key)), ` runs its ${counted(unit.operations.length, "operation")}`];
  if (made.length === 1) line.push(" and gives ", valueText(page.numbers.v[made[0]]));
  else line.push(` and gives ${made.length} numbers`);
  return [[...line, "."]];
}

function counted(n, noun) {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** "x.grad += 1.1 arriving × 2 local = 2.2", for every operand; and the sum, if it was not the first. */
function sayBackward(page, key) {
  const { graph, numbers, view } = page;
  const unit = view.units.get(key);
  const lines = [];
  if (key.startsWith("card:")) {
    const i = Number(key.slice(5));
    const { gradient } = knownAfter(graph, view, page.steps, page.state.step - 1, numbers.sent);
    for (const k of graph.cards[i].links) {
      const tail = graph.links[k][0];
      if (graph.cards[tail].kind === "constant") continue;
      const name = bold(graph.cards[tail].name);
      if (numbers.local[k] === null) { // an array: its local derivatives are not one number
        const sent = numbers.sent[k] === null ? "what the rule sends back" : gradientText(numbers.sent[k]);
        lines.push([name, ".grad += ", sent, ` from all elements of ${graph.cards[i].name}`]);
        continue;
      }
      const line = [name, ".grad += ", gradientText(numbers.g[i]), " arriving × ",
        gradientText(numbers.local[k]), " local = ", gradientText(numbers.sent[k])];
      const before = gradient[tail];
      gradient[tail] = (before ?? 0) + numbers.sent[k];
      if (before !== undefined) line.push(", which makes ", gradientText(gradient[tail]));
      lines.push(line);
    }
    return lines.slice(0, 6);
  }
  page.edges.forEach((edge, n) => {
    const tail = graph.links[edge.links[0]][0];
    if (edge.head !== key || graph.cards[tail].kind === "constant") return;
    const name = bold(unitName(graph, edge.tail));
    const derivative = page.derivatives[n];
    const output = graph.outputs[Number(key.slice(7))][0];
    if (derivative === null) lines.push([name, ".grad += what comes back through ", bold(unitName(graph, key))]);
    else {
      lines.push([name, ".grad += ", gradientText(numbers.g[output]), " arriving × ",
        gradientText(derivative), " through the module = ", gradientText(numbers.g[output] * derivative)]);
    }
  });
  if (!lines.length) {
    lines.push([bold(unitName(graph, key)), ` works back through its ${
      counted(unit.operations.length, "operation")}.`]);
  }
  return lines.slice(0, 6);
}

function sayDone(page) {
  const n = page.graph.cards.filter((card) => card.kind !== "constant").length;
  const move = page.graph.live ? "Move a slider, or pick" : "Pick";
  return [[`One backward pass gave all ${n} gradients. ${move} a node to see where its gradient comes from.`]];
}
