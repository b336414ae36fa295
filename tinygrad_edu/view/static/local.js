// Local derivatives explained: ∂(t × x)/∂t = x = 0.5, with the reader's names and present numbers.

/** Symbols with a notation of their own, with their operations and numbers of operands. */
const NOTATIONS = {
  "+": ["add", 2], "−": ["subtract", 2], "×": ["multiply", 2], "÷": ["divide", 2], "**": ["power", 2],
  neg: ["negative", 1], abs: ["abs", 1], "√": ["sqrt", 1], where: ["where", 3],
};

/** What an operation makes of its operands, as a tree. */
function appliedTree(card) {
  const operands = [...card.links.keys()].map(String);
  const [name, n] = NOTATIONS[card.symbol] ?? [];
  if (n === operands.length) return [name, ...operands];
  return card.symbol === "@" && operands.length === 2 ? ["matmul", ...operands] : ["call", card.symbol, ...operands];
}

/** An operation written out over texts of its operands: a × b, or tanh(s). */
function applied(card, operands) {
  return writeFormula(appliedTree(card), (leaf) => operands[Number(leaf)], AS_TEXT);
}

/** Names for the operands of a card in formulas; those of a node that stands there twice are numbered. */
function operandLetters(graph, card) {
  const tails = card.links.map((k) => graph.links[k][0]);
  return tails.map((tail, n) => {
    const one = graph.cards[tail];
    if (one.kind === "constant") return one.array ? one.name : medium(one.v);
    const name = cut(one.brief ?? one.name, 16);
    if (tails.filter((other) => other === tail).length === 1) return name;
    return `${name}${lowered(tails.slice(0, n + 1).filter((other) => other === tail).length)}`;
  });
}

function lowered(n) {
  return [...String(n)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("");
}

/**
 * The local derivative of a link: [∂(t × x), ∂t, x, 0.5 …] as `AS_TEXT` or `AS_MATH` writes it.
 * `formulas` has it in names and, where that says more, in numbers; empty for a rule of no formula.
 */
function explainLocal(graph, k, numbers, as) {
  const [, head, position] = graph.links[k];
  const card = graph.cards[head];
  const letters = operandLetters(graph, card);
  const at = (leaf) => (leaf === "z" ? numbers.v[head] : numbers.v[graph.links[card.links[Number(leaf)]][0]]);
  const output = appliedTree(card);
  const letter = (leaf) => letters[Number(leaf)];
  const found = { of: writeFormula(output, letter, as), by: as.text(letters[position]), formulas: [], since: "" };
  const tree = graph.trees[graph.formulaOf[k]];
  if (tree === undefined) return found;
  const reasons = [];
  const taken = takenBranches(tree, at, reasons);
  const inNames = writeFormula(withOutput(taken, output), letter, AS_TEXT);
  const inNumbers = writeFormula(taken, (leaf) => medium(at(leaf)), AS_TEXT);
  const result = medium(numbers.local[k]);
  if (inNames !== result) found.formulas.push(writeFormula(withOutput(taken, output), letter, as));
  if (Array.isArray(taken) && inNumbers !== inNames && inNumbers !== result) {
    found.formulas.push(writeFormula(taken, (leaf) => short(at(leaf)), as));
  }
  if (reasons.length) found.since = writeFormula(reasons.at(-1), letter, AS_TEXT);
  return found;
}

/** A tree in which the output is written as what it is of its operands. */
function withOutput(tree, output) {
  if (tree === "z") return output;
  return Array.isArray(tree) ? [tree[0], ...tree.slice(1).map((x) => withOutput(x, output))] : tree;
}

/** "∂(t × x)/∂t = x = 0.5", for sentences. */
function localText(graph, k, numbers) {
  const { of, by, formulas, since } = explainLocal(graph, k, numbers, AS_TEXT);
  const whole = /^[\w.]+\(.*\)$|^[\w.]+$/.test(of) ? of : `(${of})`;
  const equation = [`∂${whole}/∂${by}`, ...formulas, medium(numbers.local[k])].join(" = ");
  return since ? word("local.since", { equation, since }) : equation;
}

/** The same as mathematics. */
function localMath(graph, k, numbers) {
  const { of, by, formulas, since } = explainLocal(graph, k, numbers, AS_MATH);
  const d = () => math("mo", { form: "prefix", rspace: "0.1em" }, "∂");
  const bound = /^m(i|n)$/.test(of.localName) ? of : math("mrow", {}, math("mo", {}, "("), of, math("mo", {}, ")"));
  const parts = [math("mfrac", {}, math("mrow", {}, d(), bound), math("mrow", {}, d(), by))];
  for (const formula of formulas) parts.push(math("mo", {}, "="), formula);
  parts.push(math("mo", {}, "="), math("mn", { class: "gradient" }, medium(numbers.local[k])));
  const equation = math("math", { "aria-label": localText(graph, k, numbers) }, ...parts);
  return h("span", { class: "equation" }, ...(since ? phrase("local.since", { equation, since }) : [equation]));
}
