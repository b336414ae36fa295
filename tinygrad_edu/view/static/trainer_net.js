// Gradient descent: `program` is a function of one point and all weights that gives the loss and its
// gradients. Python generated it from the graph of the network.

const MOST_RECORDS = 240;
const ACTIVATIONS = {
  linear: (x) => x,
  relu: (x) => Math.max(x, 0),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
};

/** A source of numbers from 0 to 1, the same for the same seed (mulberry32, T. Ettinger 2017). */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A number from the normal distribution (G. Box and M. Muller 1958). */
function normalNumber(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** A run at its start. A record is what it was at a step; `queue` is what is left of an epoch. */
function startRun(weights) {
  return { step: 0, weights: [...weights], queue: [], records: [], random: randomNumbers(1) };
}

/** The gradient of the mean loss of some points. */
function meanGradient(weights, points) {
  const gradient = new Array(weights.length).fill(0);
  for (const { x, y, label } of points) {
    const [, parts] = program(x, y, label, ...weights);
    for (let i = 0; i < gradient.length; i++) gradient[i] += parts[i];
  }
  return gradient.map((g) => g / points.length);
}

/** The points of the next step: all, or some of those that this epoch has not had. */
function nextBatch(run, points, size) {
  if (size >= points.length) return points;
  run.queue = run.queue.filter((point) => points.includes(point));
  if (run.queue.length < size) {
    run.queue = [...points];
    for (let i = run.queue.length - 1; i > 0; i--) {
      const j = Math.floor(run.random() * (i + 1));
      [run.queue[i], run.queue[j]] = [run.queue[j], run.queue[i]];
    }
  }
  return run.queue.splice(0, size);
}

/** One step of gradient descent. */
function descend(run, points, rate, size) {
  const gradient = meanGradient(run.weights, nextBatch(run, points, size));
  run.weights = run.weights.map((w, i) => w - rate * gradient[i]);
  run.step += 1;
}

/** Keep what the run is now, in place of any record of this step or later; few of a long run. */
function keepRecord(run, loss) {
  run.records = run.records.filter((record) => record.step < run.step);
  run.records.push({ step: run.step, weights: run.weights, loss });
  if (run.records.length > MOST_RECORDS) {
    run.records = run.records.filter((_, i) => i % 2 === 0 || i === run.records.length - 1);
  }
}

/** Go to a record; the run goes on from there. */
function returnTo(run, record) {
  run.step = record.step;
  run.weights = record.weights;
  run.queue = [];
}

/** What every unit of every layer answers to points, given as columns of x and of y: a column each. */
function responses(layers, weights, xs, ys) {
  const all = [];
  let place = 0;
  let given = [xs, ys];
  for (const { outputs, bias, activation } of layers) {
    const activate = ACTIVATIONS[activation];
    const answers = Array.from({ length: outputs }, () => {
      const sums = new Float64Array(xs.length);
      for (const input of given) {
        const weight = weights[place++];
        for (let i = 0; i < sums.length; i++) sums[i] += weight * input[i];
      }
      const shift = bias ? weights[place++] : 0;
      for (let i = 0; i < sums.length; i++) sums[i] = activate(sums[i] + shift);
      return sums;
    });
    all.push(answers);
    given = answers;
  }
  return all;
}

/** The scores of points: class 1 where positive. */
function scoresOf(answers) {
  const last = answers[answers.length - 1];
  return last.length === 1 ? last[0] : last[1].map((score, i) => score - last[0][i]);
}

/** The mean loss of points, log(1 + exp(score)) - label · score, and the share that is read right. */
function measure(layers, weights, points) {
  const columns = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const scores = scoresOf(responses(layers, weights, ...columns));
  let loss = 0, right = 0;
  points.forEach(({ label }, i) => {
    loss += Math.max(scores[i], 0) + Math.log1p(Math.exp(-Math.abs(scores[i]))) - label * scores[i];
    right += scores[i] > 0 === (label === 1);
  });
  return { loss: loss / points.length, right: right / points.length };
}
