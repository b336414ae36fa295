// The output along one card: points of its curve, with gaps where it is not defined or jumps.

const SAMPLES = 96;
const BISECTIONS = 50;

/** The output as a function of the value of one card, everything else as it is. */
function outputAlong(graph, inputs, card) {
  return (x) => forward(graph, new Map(inputs).set(card, x))[graph.root];
}

/** The part of a card's numbers that is looked at, in the middle x, `zoom` times as close. */
function windowAround(x, zoom) {
  const half = 1.5 * Math.max(1, Math.abs(x)) / zoom;
  const inside = (end) => Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, end));
  return { low: inside(x - half), high: inside(x + half) };
}

/**
 * The curve of f between two numbers: `pieces`, each a list of [x, y], and the heights `bottom` and
 * `top` between which most of it lies, `y0` too. At most `budget` points are computed, more of them
 * where it bends.
 */
function curveOf(f, { low, high }, y0, budget = 1200) {
  const part = (n) => low + (high / SAMPLES - low / SAMPLES) * n;
  const start = Array.from({ length: SAMPLES + 1 }, (_, n) => [part(n), f(part(n))]);
  const { bottom, top } = heights([...start.map(([, y]) => y), y0]);
  const points = refined(f, start, bottom, top, budget - SAMPLES);
  return { pieces: unbroken(f, points, bottom, top), bottom, top };
}

/** Where most numbers lie; far ends, as at a pole, are cut off. */
function heights(numbers) {
  const y0 = numbers.at(-1);
  const sorted = numbers.filter(Number.isFinite).sort((a, b) => a - b);
  if (!sorted.length) return { bottom: -1, top: 1 };
  const at = (part) => sorted[Math.round(part * (sorted.length - 1))];
  const usual = at(0.93) - at(0.07);
  const here = Number.isFinite(y0) ? y0 : at(0.5);
  const bottom = Math.min(here, Math.max(sorted[0], at(0.07) - usual));
  const top = Math.max(here, Math.min(sorted.at(-1), at(0.93) + usual));
  const room = 0.08 * (top - bottom) || 0.5 * Math.abs(top) || 1;
  return { bottom: bottom - room, top: top + room };
}

/** The points, and more between those where the curve bends as it is seen, in rounds. */
function refined(f, start, bottom, top, budget) {
  const seen = (y) => Math.max(bottom, Math.min(top, y));
  const isBent = ([, a], [, m], [, b]) => ![a, m, b].every(Number.isFinite)
    || Math.abs(seen(m) - seen(a) / 2 - seen(b) / 2) > (top - bottom) / 300;
  let points = start.map((point) => ({ point, isOpen: true })); // open: to be looked at up to the next
  for (let round = 0, left = budget; round < 10; round++) {
    left -= points.filter(({ isOpen }) => isOpen).length;
    if (left < 0) break;
    points = points.flatMap(({ point, isOpen }, n) => {
      const next = points[n + 1]?.point;
      const x = next && point[0] / 2 + next[0] / 2;
      if (!isOpen || !next || !(point[0] < x && x < next[0])) return [{ point, isOpen: false }];
      const middle = [x, f(x)];
      const bends = isBent(point, middle, next);
      const isNowhere = ![point, middle, next].some(([, y]) => Number.isFinite(y));
      return [{ point, isOpen: bends && !isNowhere }, { point: middle, isOpen: bends && !isNowhere }];
    });
  }
  return points.map(({ point }) => point);
}

/** The points in pieces without a gap, each drawn to the very edge of where it is defined. */
function unbroken(f, points, bottom, top) {
  const pieces = [];
  let piece = [];
  let looks = 30; // where it is rough all over, there is no end to looking for jumps
  const isSteep = (from, to) => Math.abs(to[1] - from[1]) > (top - bottom) / 20;
  const end = () => {
    if (piece.length > 1) pieces.push(piece);
    piece = [];
  };
  points.forEach((to, n) => {
    const from = points[n - 1];
    const [isHere, wasHere] = [to, from].map((point) => Number.isFinite(point?.[1]));
    if (!isHere && wasHere) piece.push(edgeOf(f, from, to));
    if (!isHere || (wasHere && isSteep(from, to) && looks-- > 0 && isJump(f, from, to))) end();
    if (isHere && from && !wasHere) piece.push(edgeOf(f, to, from));
    if (isHere) piece.push(to);
  });
  end();
  return pieces;
}

/** The last point with a number on the way from one with to one without. */
function edgeOf(f, inside, outside) {
  let [last, beyond] = [inside, outside[0]];
  for (let n = 0; n < BISECTIONS; n++) {
    const x = last[0] / 2 + beyond / 2;
    const y = f(x);
    if (Number.isFinite(y)) last = [x, y];
    else beyond = x;
  }
  return last;
}

/** Whether the curve jumps between two points: the rise stays, however close they come. */
function isJump(f, from, to) {
  const rise = Math.abs(to[1] - from[1]);
  let [a, b] = [from, to];
  for (let n = 0; n < BISECTIONS; n++) {
    const x = a[0] / 2 + b[0] / 2;
    const middle = [x, f(x)];
    if (!Number.isFinite(middle[1])) return true;
    if (Math.abs(middle[1] - a[1]) > Math.abs(b[1] - middle[1])) b = middle;
    else a = middle;
    if (Math.abs(b[1] - a[1]) < rise / 4) return false;
  }
  return true;
}
