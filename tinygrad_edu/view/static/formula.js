// Formulas: what a rule says when it runs on symbols, written with names or with numbers. A tree is
// a number, an operand by its position ("0"), "z" for the output, [operation, ...operands], or
// ["call", name, ...operands].

/** Signs between two operands: how strongly they bind, and how strongly each operand must. */
const SIGNS = {
  add: ["+", 3, 3, 3], subtract: ["−", 3, 3, 4], multiply: ["×", 4, 4, 4], divide: ["÷", 4, 4, 5],
  matmul: ["@", 4, 4, 5],
  less: ["<", 2, 3, 3], greater: [">", 2, 3, 3], less_equal: ["≤", 2, 3, 3], greater_equal: ["≥", 2, 3, 3],
  equal: ["=", 2, 3, 3], not_equal: ["≠", 2, 3, 3], logical_and: ["∧", 1, 2, 2], logical_or: ["∨", 1, 2, 2],
};
const ATOM = 7;
const SHORT_NAMES = { maximum: "max", minimum: "min", sigmoid: "σ", relu: "ReLU" };
const OPPOSITE = { less: "greater_equal", greater: "less_equal", less_equal: "greater", greater_equal: "less" };

/** How formulas are made as text, and as MathML. */
const AS_TEXT = {
  text: (text) => text,
  row: (...parts) => parts.join(""),
  sign: (text) => ` ${text} `,
  minus: (x) => `−${x}`,
  power: (x, y) => (/^−?\d+$/.test(y) ? x + raised(y) : `${x}^${/^[\w.]+$/.test(y) ? y : `(${y})`}`),
  root: (x) => `√(${x})`,
  choice: (condition, x, y) => word("formula.choice", { condition, x, y }),
};
const AS_MATH = {
  text: (text) => (/^−?[\d.]+(e[+−]\d+)?$/.test(text) ? math("mn", {}, text) : math("mi", { mathvariant: "normal" }, text)),
  row: (...parts) => math("mrow", {}, ...parts.map((part) => (typeof part === "string" ? math("mo", {}, part) : part))),
  sign: (text) => math("mo", {}, text),
  minus: (x) => math("mrow", {}, math("mo", { form: "prefix" }, "−"), x),
  power: (x, y) => math("msup", {}, x, y),
  root: (x) => math("msqrt", {}, x),
  choice: (condition, x, y) => AS_MATH.row(x, math("mtext", {}, word("formula.if")), condition, math("mtext", {}, word("formula.else")), y),
};

function raised(digits) {
  return [...digits].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit] ?? "⁻").join("");
}

/** A tree written out; `leaf` gives the text of an operand, or of the output. */
function writeFormula(tree, leaf, as) {
  const write = (x, least) => {
    const [made, binds] = part(x);
    return binds < least ? as.row("(", made, ")") : made;
  };
  const part = (x) => {
    if (!Array.isArray(x)) {
      const text = typeof x === "number" ? medium(x) : x === "z" || /^\d+$/.test(x) ? leaf(x) : short(toNumber(x));
      return [as.text(text), text.startsWith("−") ? 0.5 : bindingOf(text)]; // 3 + (−2), (−7)²
    }
    const [name, ...operands] = x;
    if (name === "call") return called(operands[0], operands.slice(1));
    if (SIGNS[name]) {
      const [sign, binds, left, right] = SIGNS[name];
      return [as.row(write(operands[0], left), as.sign(sign), write(operands[1], right)), binds];
    }
    if (name === "negative") return [as.minus(write(operands[0], 4)), 3.5];
    if (name === "power") return [as.power(write(operands[0], ATOM), write(operands[1], 0)), 6];
    if (name === "sqrt") return [as.root(write(operands[0], 0)), ATOM];
    if (name === "abs") return [as.row("|", write(operands[0], 0), "|"), ATOM];
    if (name === "where") return [as.choice(...operands.map((y) => write(y, 2))), 0];
    return called(SHORT_NAMES[name] ?? name, operands);
  };
  const called = (name, operands) => {
    const inside = operands.flatMap((y, n) => (n ? [", ", write(y, 0)] : [write(y, 0)]));
    return [as.row(as.text(name), "(", ...inside, ")"), ATOM];
  };
  return write(tree, 0);
}

/** How strongly a name or number binds that is put in for an operand: a product, as 2e−5 is one, loosely; a word not. */
function bindingOf(text) {
  return / [+−] /.test(text) ? 3 : / [×÷] |^[\d.]+e/.test(text) ? 4 : ATOM;
}

/**
 * A tree without choices: each gives way to the branch that the present numbers take. Collects in
 * `reasons` the comparisons that hold there. `at` gives the number of an operand.
 */
function takenBranches(tree, at, reasons) {
  if (!Array.isArray(tree)) return tree;
  const [name, ...operands] = tree;
  if (name === "call") return tree;
  if (name === "where") {
    const [condition, x, y] = operands;
    const holds = evaluate(condition, at);
    if (holds !== undefined) {
      const reason = holds ? condition : OPPOSITE[condition[0]] && [OPPOSITE[condition[0]], ...condition.slice(1)];
      if (reason && SIGNS[reason[0]]?.[1] === 2) reasons.push(reason);
      return takenBranches(holds ? x : y, at, reasons);
    }
  }
  return [name, ...operands.map((x) => takenBranches(x, at, reasons))];
}

/** The number or truth of a tree of comparisons; undefined where it takes more to know it. */
function evaluate(tree, at) {
  if (typeof tree === "number") return tree;
  if (!Array.isArray(tree)) return tree === "z" || /^\d+$/.test(tree) ? at(tree) : toNumber(tree);
  const [x, y] = tree.slice(1).map((operand) => evaluate(operand, at));
  if (x === undefined || (tree.length > 2 && y === undefined)) return undefined;
  switch (tree[0]) {
    case "less": return x < y;
    case "greater": return x > y;
    case "less_equal": return x <= y;
    case "greater_equal": return x >= y;
    case "logical_and": return x && y;
    case "logical_or": return x || y;
    case "negative": return -x;
    case "subtract": return x - y;
    case "abs": return Math.abs(x);
    default: return undefined;
  }
}
