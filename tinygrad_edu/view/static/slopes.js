// Slopes by differences: what the root does when the value of one card moves a little.

const MACHINE_EPSILON = 2 ** -52;

/**
 * How the root changes with a card, next to its present value. `kind` is "smooth", "kink", "one
 * side" (it is not defined on the other), "rough" (no step gives a slope) or "undefined". `slope`
 * may be off by `doubt`; `left` and `right` are the slopes of the sides, `usual` is that of the
 * widest step. `move` gave the slope: the root is `below` at `low` and `above` at `high`.
 */
function numericSlope(graph, inputs, card, v) {
  const x = v[card];
  const middle = v[graph.root];
  if (!Number.isFinite(x) || !Number.isFinite(middle)) return { kind: "undefined" };
  const at = (y) => forward(graph, new Map(inputs).set(card, y))[graph.root];
  const moves = stepsAround(x).map((h) => ({ low: x - h, high: x + h }))
    .filter(({ low, high }) => low < x && x < high)
    .map(({ low, high }) => ({ low, high, width: high - low, below: at(low), above: at(high) }));
  const size = (...ys) => Math.max(...ys.map(Math.abs), Number.MIN_VALUE / MACHINE_EPSILON);
  const rows = (rise, width, y) => moves.map((m) => [width(m), rise(m), size(...y(m)), m]);
  const leftRows = rows((m) => middle - m.below, (m) => x - m.low, (m) => [middle, m.below]);
  const rightRows = rows((m) => m.above - middle, (m) => m.high - x, (m) => [middle, m.above]);
  const widest = [leftRows[0], rightRows[0]].map(([width, rise]) => Math.abs(rise / width) || 0);
  const usual = Math.max(...widest);
  const left = bestSlope(leftRows, 1, usual);
  const right = bestSlope(rightRows, 1, usual);
  const sides = { left: left?.slope, right: right?.slope };
  if (!left && !right) return { kind: "rough" };
  if (!left || !right) return { kind: "one side", ...sides, ...(left ?? right) };
  const gap = Math.abs(left.slope - right.slope);
  const largest = Math.max(Math.abs(left.slope), Math.abs(right.slope));
  if (gap > 4 * (left.doubt + right.doubt) + 1e-6 * largest) return { kind: "kink", ...sides };
  const bothRows = rows((m) => m.above - m.below, (m) => m.width, (m) => [m.below, m.above]);
  const both = bestSlope(bothRows, 2, usual);
  return both ? { kind: "smooth", ...sides, usual, ...both } : { kind: "rough" };
}

/** The slope of a card where the page stands now, computed once. */
function foundSlope(page, card) {
  const { graph, state, numbers } = page;
  numbers.slopes ??= new Map();
  if (!numbers.slopes.has(card)) {
    numbers.slopes.set(card, numericSlope(graph, state.inputs, card, numbers.v));
  }
  return numbers.slopes.get(card);
}

/** Steps of all sizes, from a quarter of 1 and of |x| down, each at most half of the one before. */
function stepsAround(x) {
  const wanted = [];
  for (const [scale, last] of [[1, -40], [Math.abs(x), -24]]) {
    for (let k = -2; scale && k >= last; k -= 2) wanted.push(scale * 2 ** k);
  }
  const steps = [];
  for (const h of wanted.sort((a, b) => b - a)) if (!(h > steps.at(-1) / 2)) steps.push(h);
  return steps;
}

/**
 * The slope in which two steps agree best: extrapolated to a step of 0, where the error shrinks with
 * the step to the power `order`. What one step says counts for less the more it is rounded. Each row
 * has the width of a step, the rise, the size of the numbers that it was made from, and its move.
 * null if no two steps agree to a hundredth, or to a millionth of the `usual` slope, that of the
 * widest step, or a steeper one before.
 */
function bestSlope(rows, order, usual) {
  let best = null;
  let before = null;
  let steepest = Number.isFinite(usual) ? usual : 0;
  for (const [width, rise, size, move] of rows) {
    const slope = rise / width;
    const rounding = 4 * MACHINE_EPSILON * size / width;
    if (!Number.isFinite(slope)) { before = null; continue; }
    steepest = Math.max(steepest, Math.abs(slope));
    if (before) {
      const factor = (before.width / width) ** order;
      const extrapolated = slope + (slope - before.slope) / (factor - 1);
      const change = Math.abs(slope - before.slope) / factor;
      const agree = change <= Math.max(1e-2 * Math.abs(extrapolated), 1e-6 * steepest, rounding);
      const doubt = change + rounding;
      if (agree && !(best?.doubt <= doubt)) best = { slope: extrapolated, doubt, move };
    }
    before = { width, slope };
  }
  return best;
}

/** To how many significant digits two numbers agree, at most 12. */
function digitsOfAgreement(a, b) {
  if (a === b) return 12;
  const relative = Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
  if (!(relative < 1)) return 0;
  return Math.min(12, Math.floor(-Math.log10(relative)));
}

/** Whether a gradient is what differences say: to `digits`, or between both sides of a kink. */
function compareSlope(found, gradient) {
  const { left, right, slope, doubt } = found;
  if (found.kind === "kink") {
    const slack = 1e-6 * Math.max(Math.abs(left), Math.abs(right));
    const [low, high] = [Math.min(left, right) - slack, Math.max(left, right) + slack];
    return { agrees: low <= gradient && gradient <= high, digits: 0 };
  }
  const digits = digitsOfAgreement(slope, gradient);
  const slack = 4 * doubt + 1e-12 * (found.usual ?? 0); // a gradient is a sum, and rounded
  return { agrees: digits >= 4 || Math.abs(slope - gradient) <= slack, digits };
}
