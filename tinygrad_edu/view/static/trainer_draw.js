// Pictures of a run: the score over the plane with the points, what each unit answers, the loss.

const CELLS = 40;
const MARK = 6;

/** The colours of the page, as it is now: light, dark, printed. */
function paletteOf(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(name).trim();
  const palette = { zero: read("--grad"), one: read("--val"), ink: read("--ink"),
    panel: read("--panel"), focus: read("--focus"), line: read("--line") };
  return { ...palette, colours: coloursOf(palette) };
}

/** Red, green and blue of a colour such as #005fa3 or #fff. */
function channels(colour) {
  const digits = colour.slice(1);
  const long = digits.length === 3 ? [...digits].map((d) => d + d).join("") : digits;
  return [0, 2, 4].map((i) => Number.parseInt(long.slice(i, i + 2), 16));
}

/** What all units and the network say on a grid over the plane: {units by layer, score}. */
function fieldsOf(layers, weights, view) {
  const xs = new Float64Array(CELLS * CELLS), ys = new Float64Array(CELLS * CELLS);
  for (let i = 0; i < xs.length; i++) {
    xs[i] = view.left + (((i % CELLS) + 0.5) / CELLS) * view.width;
    ys[i] = view.top - ((Math.floor(i / CELLS) + 0.5) / CELLS) * view.height;
  }
  const answers = responses(layers, weights, xs, ys);
  return { units: answers.slice(0, -1), score: scoresOf(answers) };
}

/** 201 colours from one class, at -1, over paper to the other, at 1, as numbers of 32 bits. */
function coloursOf(palette) {
  const [zero, one, paper] = [palette.zero, palette.one, palette.panel].map(channels);
  const bytes = new Uint8ClampedArray(4 * 201).fill(255);
  for (let i = 0; i < 201; i++) {
    const end = i < 100 ? zero : one;
    for (let k = 0; k < 3; k++) bytes[4 * i + k] = paper[k] + (end[k] - paper[k]) * Math.abs(i / 100 - 1);
  }
  return new Uint32Array(bytes.buffer);
}

/** Paint a field on a canvas of CELLS × CELLS, with the full colours at `most` and at -most. */
function paintField(canvas, field, most, colours) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(CELLS, CELLS);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < field.length; i++) pixels[i] = colours[Math.round(100 + (100 * field[i]) / most)];
  context.putImageData(image, 0, 0);
}

/** Where a point of the plane is on a canvas. */
function onCanvas(canvas, view, { x, y }) {
  return [((x - view.left) / view.width) * canvas.width, ((view.top - y) / view.height) * canvas.height];
}

/** The line on which the score is 0, by marching along the edges of the grid's squares. */
function traceBoundary(context, score, size) {
  const cell = size / CELLS;
  const at = (row, column) => score[row * CELLS + column];
  context.beginPath();
  for (let row = 0; row < CELLS - 1; row++) {
    for (let column = 0; column < CELLS - 1; column++) {
      const corners = [[row, column], [row, column + 1], [row + 1, column + 1], [row + 1, column]];
      const crossings = [];
      corners.forEach(([r, c], i) => {
        const [r2, c2] = corners[(i + 1) % 4];
        const a = at(r, c), b = at(r2, c2);
        if (a > 0 === b > 0) return;
        const t = a / (a - b);
        crossings.push([(c + t * (c2 - c) + 0.5) * cell, (r + t * (r2 - r) + 0.5) * cell]);
      });
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        context.moveTo(...crossings[i]);
        context.lineTo(...crossings[i + 1]);
      }
    }
  }
  context.stroke();
}

/** The plane: the score, its boundary, the points, the mark of the keyboard. */
function drawPlane(canvas, paper, state, palette) {
  const context = canvas.getContext("2d");
  paintField(paper, state.fields.score.map((s) => Math.tanh(s / 2)), 1.6, palette.colours);
  context.imageSmoothingEnabled = true;
  context.drawImage(paper, 0, 0, canvas.width, canvas.height);
  context.strokeStyle = palette.ink;
  context.lineWidth = 3;
  traceBoundary(context, state.fields.score, canvas.width);
  for (const point of state.points) {
    const [x, y] = onCanvas(canvas, state.view, point);
    context.beginPath();
    if (point.label === 0) context.arc(x, y, MARK, 0, 2 * Math.PI);
    else {
      context.moveTo(x, y - MARK - 1);
      context.lineTo(x + MARK, y + MARK - 1);
      context.lineTo(x - MARK, y + MARK - 1);
      context.closePath();
    }
    context.fillStyle = point.label === 0 ? palette.zero : palette.one;
    context.strokeStyle = point === state.held ? palette.focus : palette.panel;
    context.lineWidth = point === state.held ? 5 : 2;
    context.stroke();
    context.fill();
  }
  if (state.cursor) drawCursor(context, onCanvas(canvas, state.view, state.cursor), palette);
}

/** A cross where the keyboard is. */
function drawCursor(context, [x, y], palette) {
  context.strokeStyle = palette.focus;
  context.lineWidth = 3;
  context.beginPath();
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    context.moveTo(x + 8 * dx, y + 8 * dy);
    context.lineTo(x + 18 * dx, y + 18 * dy);
  }
  context.stroke();
}

/** What the units answer, each in parts of its largest answer. */
function drawUnits(canvases, fields, palette) {
  fields.units.forEach((layer, l) => { layer.forEach((field, j) => {
    let most = Number.MIN_VALUE;
    for (const value of field) most = Math.max(most, Math.abs(value));
    paintField(canvases[l][j], field, most, palette.colours);
  }); });
}

/** The loss by step, and a line where the run is. */
function drawLoss(canvas, run, palette) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  const known = run.records.filter(({ loss }) => Number.isFinite(loss));
  const most = Math.max(...known.map(({ loss }) => loss), 1e-9);
  const last = Math.max(...run.records.map(({ step }) => step), 1);
  const across = (step) => 4 + (step / last) * (width - 8);
  context.clearRect(0, 0, width, height);
  context.strokeStyle = palette.line;
  context.lineWidth = 2;
  context.strokeRect(1, 1, width - 2, height - 2);
  context.strokeStyle = palette.one;
  context.lineWidth = 4;
  context.lineJoin = "round";
  context.beginPath();
  for (const { step, loss } of known) context.lineTo(across(step), height - 6 - (loss / most) * (height - 14));
  context.stroke();
  context.strokeStyle = palette.ink;
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(across(run.step), 0);
  context.lineTo(across(run.step), height);
  context.stroke();
}
