// The page: its controls, and a frame at a time of gradient descent.

const data = JSON.parse(document.getElementById("trainer").textContent);
const find = (id) => document.getElementById(id);
const run = startRun(data.weights);
const state = { set: data.sets[0], noise: 0, points: [], view: null, held: null, cursor: null, fields: null, playing: false };
const paper = h("canvas", { width: CELLS, height: CELLS });
const units = data.layers.slice(0, -1).map((layer, l) => unitRow(layer, l));
let isFramePending = false;

/** A row of pictures, one for each unit of a hidden layer. */
function unitRow(layer, l) {
  const canvases = Array.from({ length: layer.outputs }, (_, j) => h("canvas", { width: CELLS, height: CELLS, role: "img",
    "aria-label": word("unit", { layer: l + 1, unit: j + 1 }) }));
  find("units").append(h("h3", {}, word("layer", { layer: l + 1, activation: layer.activation, n: layer.outputs })),
    h("div", { class: "row" }, ...canvases));
  return canvases;
}

/** The learning rate: the slider is its logarithm. */
function rateOf() {
  return Number((10 ** Number(find("rate").value)).toPrecision(2));
}

/** How many points a step takes; at the end of the slider all, however many there are. */
function batchOf() {
  const { value, max } = find("batch");
  return value === max ? state.points.length : Math.min(Number(value), state.points.length);
}

/** Draw what is now, once a frame. */
function changed() {
  if (isFramePending) return;
  isFramePending = true;
  requestAnimationFrame(() => { isFramePending = false; frame(); });
}

/** One frame: some steps where the run plays, then pictures and numbers. */
function frame() {
  if (state.playing) train(Number(find("speed").value));
  draw();
  if (state.playing) changed();
}

/** Some steps; a loss that is not a number ends the run and says so. */
function train(steps) {
  for (let i = 0; i < steps; i++) descend(run, state.points, rateOf(), batchOf());
  const { loss } = measure(data.layers, run.weights, state.points);
  keepRecord(run, loss);
  if (Number.isFinite(loss)) return;
  setPlaying(false);
  say(word("diverged", { rate: short(rateOf()) }));
}

function draw() {
  const palette = paletteOf(document.body);
  state.fields = fieldsOf(data.layers, run.weights, state.view);
  drawPlane(find("map"), paper, state, palette);
  if (!state.playing || run.step % 2 === 0) drawUnits(units, state.fields, palette);
  drawLoss(find("loss"), run, palette);
  const { loss, right } = measure(data.layers, run.weights, state.points);
  find("step-now").textContent = String(run.step);
  find("loss-now").textContent = short(loss);
  find("right-now").textContent = `${Math.round(100 * right)} %`;
  find("rate-now").textContent = short(rateOf());
  find("batch-now").textContent = batchOf() === state.points.length ? word("all", { n: batchOf() }) : String(batchOf());
  find("noise-now").textContent = short(state.noise);
  const scrub = find("scrub");
  scrub.max = String(run.records.length - 1);
  scrub.value = String(Math.max(run.records.findIndex((record) => record.step >= run.step), 0));
  scrub.setAttribute("aria-valuetext", word("at_step", { step: run.step }));
}

function say(text) {
  find("notice").textContent = text;
}

function setPlaying(playing) {
  state.playing = playing;
  find("play").textContent = word(playing ? "pause" : "play");
  if (playing) say("");
  changed();
}

/** Back to a record, where the run stands still. */
function rewindTo(record) {
  setPlaying(false);
  say("");
  returnTo(run, record);
}

/** Other points, and the weights of the start. */
function chooseSet(set, noise) {
  state.set = set;
  state.noise = noise;
  find("noise").value = String(noise);
  state.points = pointsOf(set, noise);
  state.view = viewOf(state.points);
  state.held = null;
  find("batch").max = String(state.points.length);
  run.records = [];
  returnTo(run, { step: 0, weights: data.weights });
  keepRecord(run, measure(data.layers, run.weights, state.points).loss);
  changed();
}

function listen() {
  find("play").addEventListener("click", () => setPlaying(!state.playing));
  find("step").addEventListener("click", () => { setPlaying(false); train(1); changed(); });
  find("rewind").addEventListener("click", () => rewindTo(run.records[0]));
  find("scrub").addEventListener("input", (event) => rewindTo(run.records[Number(event.target.value)]));
  find("set").addEventListener("change", (event) => {
    const set = data.sets[Number(event.target.value)];
    chooseSet(set, set.name === "given" ? 0 : 0.08);
  });
  find("noise").addEventListener("input", (event) => {
    state.noise = Number(event.target.value);
    for (const point of state.points) withNoise(point, state.noise);
    changed();
  });
  for (const id of ["rate", "batch"]) find(id).addEventListener("input", changed);
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || event.target.closest("button, input, select, summary")) return;
    event.preventDefault();
    setPlaying(!state.playing);
  });
  const tool = () => document.querySelector("input[name=tool]:checked").value;
  listenToPointers(find("plane"), state, tool, changed);
  listenToKeys(find("plane"), state, say, changed);
  for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", draw);
}

data.sets.forEach((set, i) => { find("set").append(h("option", { value: i }, word(`set_${set.name}`))); });
find("rate").value = String(Math.log10(data.rate));
find("batch").max = String(data.sets[0].points.length);
find("batch").value = String(data.batch ?? data.sets[0].points.length);
listen();
chooseSet(data.sets[0], 0);
if (!matchMedia("(prefers-reduced-motion: reduce)").matches) setPlaying(true);
