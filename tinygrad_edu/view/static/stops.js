// The authored walk: a text, a step, a node and maybe a question at each stop; then free play.

function buildWalk(page, strip) {
  const { stops } = page.graph;
  strip.hidden = !stops.length;
  if (!stops.length) return;
  const place = h("span", { class: "note" });
  const text = h("p", { "aria-live": "polite" });
  const [back, next] = [["stop.back", -1], ["stop.next", 1]].map(([key, by]) => {
    const button = h("button", { type: "button" }, word(key));
    button.addEventListener("click", () => goToStop(page, page.walk.at + by));
    return button;
  });
  strip.replaceChildren(text, h("div", { class: "bar" }, place, back, next));
  page.walk = { strip, place, text, back, next, at: -1, isOver: false };
}

/** Show a stop: its text, step and node; behind the last one the page is the reader's. */
function goToStop(page, at) {
  const { walk, graph, state } = page;
  const { stops, ask } = graph;
  walk.at = at;
  walk.isOver = at >= stops.length;
  const stop = stops[at];
  walk.text.textContent = walk.isOver ? word("stop.over") : stop.text;
  walk.place.textContent = walk.isOver ? "" : word("stop.place", { n: at + 1, all: stops.length });
  walk.back.disabled = at === 0;
  walk.next.hidden = walk.isOver;
  walk.next.textContent = word(at === stops.length - 1 ? "stop.play" : "stop.next");
  page.exercises.open = null;
  page.exercises.panel.replaceChildren(h("p", { class: "note" }, word("ask.later")));
  if (!walk.isOver) {
    state.selected = stop.select ? page.actions.visibleKey(stop.select) : state.selected;
    state.step = stop.step ?? state.step;
    const asked = stops.slice(0, at + 1).filter((one) => one.ask).length;
    if (stop.ask) openQuestion(page, page.exercises.items[asked - 1]);
  } else if (ask.length) openQuestion(page, page.exercises.items.find((item) => !item.isDone));
  page.actions.setInputs();
  page.actions.bringIntoView(state.step);
}

function buildLesson(page, exercises, walk) {
  buildExercises(page, exercises);
  buildWalk(page, walk);
}

/** Begin the walk, or go on with it where the address says; without one, ask the first question. */
function startLesson(page) {
  const { walk, graph } = page;
  if (walk) { goToStop(page, Math.min(page.firstStop ?? 0, graph.stops.length)); return; }
  if (!graph.ask.length) return;
  page.exercises.open = null;
  openQuestion(page, page.exercises.items.find((item) => !item.isDone));
  page.actions.setInputs();
}
