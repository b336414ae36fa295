// Points that a reader adds, moves and deletes: with a pointer, a finger, or the keyboard.

const REACH = 0.04;
const KEY_STEP = 0.02;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** The points of a set with as much noise as is asked for; `offset` is what noise adds. */
function pointsOf(set, noise) {
  const random = randomNumbers(7);
  return set.points.map(([x, y], i) => {
    const point = { from: [x, y], offset: [normalNumber(random), normalNumber(random)], label: set.labels[i] };
    return withNoise(point, noise);
  });
}

/** A point where noise puts it. */
function withNoise(point, noise) {
  point.x = point.from[0] + noise * point.offset[0];
  point.y = point.from[1] + noise * point.offset[1];
  return point;
}

/** Put a point somewhere; noise will move it from there. */
function placePoint(point, { x, y }, noise) {
  point.from = [x - noise * point.offset[0], y - noise * point.offset[1]];
  point.x = x;
  point.y = y;
}

/** A square of the plane with room around all points. */
function viewOf(points) {
  const xs = points.map(({ x }) => x), ys = points.map(({ y }) => y);
  const middle = (list) => (Math.min(...list) + Math.max(...list)) / 2;
  const extent = (list) => Math.max(...list) - Math.min(...list);
  const width = 1.35 * Math.max(extent(xs), extent(ys), 1e-6);
  return { left: middle(xs) - width / 2, top: middle(ys) + width / 2, width, height: width };
}

/** The point nearest to a place, if one is within reach. */
function nearestPoint(state, { x, y }) {
  const far = ({ x: px, y: py }) => Math.hypot(px - x, py - y) / state.view.width;
  const nearest = state.points.reduce((best, point) => (far(point) < far(best) ? point : best));
  return far(nearest) <= REACH ? nearest : null;
}

/** Add a point, which noise does not move. */
function addPoint(state, { x, y }, label) {
  const point = { label, offset: [0, 0], from: [x, y], x, y };
  state.points = [...state.points, point];
  return point;
}

/** Take a point away; the last one stays, since there is no mean of none. */
function deletePoint(state, point) {
  if (state.points.length > 1) state.points = state.points.filter((other) => other !== point);
}

/** Pointers on the plane: what they do there is what the chosen tool says. */
function listenToPointers(plane, state, toolOf, changed) {
  const placeOf = (event) => {
    const box = plane.getBoundingClientRect();
    return {
      x: state.view.left + ((event.clientX - box.left) / box.width) * state.view.width,
      y: state.view.top - ((event.clientY - box.top) / box.height) * state.view.height,
    };
  };
  plane.addEventListener("pointerdown", (event) => {
    const place = placeOf(event);
    const near = nearestPoint(state, place);
    const tool = toolOf();
    state.cursor = null;
    if (tool === "delete" && near) deletePoint(state, near);
    if (tool === "move") state.held = near;
    if (tool === "zero" || tool === "one") state.held = addPoint(state, place, tool === "one" ? 1 : 0);
    if (state.held) plane.setPointerCapture(event.pointerId);
    changed();
  });
  plane.addEventListener("pointermove", (event) => {
    if (!state.held || !plane.hasPointerCapture(event.pointerId)) return;
    placePoint(state.held, placeOf(event), state.noise);
    changed();
  });
  const drop = () => { state.held = null; changed(); };
  plane.addEventListener("pointerup", drop);
  plane.addEventListener("pointercancel", drop);
}

/** Keys on the plane: arrows, Enter to take and drop, 0 and 1 to add, Delete; `say` is told. */
function listenToKeys(plane, state, say, changed) {
  plane.addEventListener("focus", () => {
    if (!plane.matches(":focus-visible")) return;
    state.cursor ??= { x: state.view.left + state.view.width / 2, y: state.view.top - state.view.height / 2 };
    changed();
  });
  plane.addEventListener("blur", () => { state.cursor = null; state.held = null; changed(); });
  plane.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !state.cursor) return;
    const near = nearestPoint(state, state.cursor);
    if (ARROWS[event.key]) {
      const [dx, dy] = ARROWS[event.key];
      state.cursor.x += dx * KEY_STEP * state.view.width;
      state.cursor.y += dy * KEY_STEP * state.view.height;
      if (state.held) placePoint(state.held, state.cursor, state.noise);
    } else if (event.key === "Enter") {
      state.held = state.held ? null : near;
      say(word(state.held ? "taken" : near ? "dropped" : "no_point"));
    } else if (event.key === "0" || event.key === "1") {
      addPoint(state, { ...state.cursor }, Number(event.key));
      say(word("added", { label: event.key, n: state.points.length }));
    } else if ((event.key === "Delete" || event.key === "Backspace") && near) {
      deletePoint(state, near);
      state.held = null;
      say(word("deleted", { n: state.points.length }));
    } else return;
    event.preventDefault();
    changed();
  });
}
