// What a card waits for: a slot for each contribution to its gradient; and the paths of the chosen
// node as lines side by side, each in its colour.

const MOST_SLOTS = 5;

/** Slots on the right of a card's name: circles, or where there are too many only their number. */
function addSlots(unit, n, width, height) {
  const circles = n > MOST_SLOTS ? [] : Array.from({ length: n }, (_, k) =>
    svg("circle", { class: "slot", cx: width - 13 - 12 * (n - 1 - k), cy: 15, r: 4.5 }));
  const text = svg("text", { class: "k", x: width - 10, y: 20, "text-anchor": "end" });
  unit.slots = { n, circles, text, width: circles.length ? 12 * n + 4 : 46 };
  unit.height = height;
  unit.group.append(...circles, text);
}

/** Fill the slots; what has arrived in words. */
function updateSlots(page, unit) {
  const { n, circles, text } = unit.slots;
  const [i] = unit.shown;
  const arrived = n - page.known.missing[i];
  const isWaiting = arrived > 0 && arrived < n;
  circles.forEach((circle, k) => { circle.classList.toggle("full", k < arrived); });
  if (!circles.length) text.textContent = `${arrived}/${n}`;
  unit.group.classList.toggle("waiting", isWaiting);
  return word("slots.arrived", { arrived, all: n });
}

/** The gradient that a card would get if cards did not wait, in red beside the right one. */
function addWrong(page, unit) {
  const text = `✗ ${short(page.early.g[unit.shown[0]])}`;
  const { at } = unit.numbers[1];
  const width = 7.4 * text.length + 12;
  unit.wrong = svg("g", { class: "early" }, svg("rect", { x: at - 6, y: 66, width, height: 19, rx: 6 }),
    svg("text", { x: at, y: 80 }, text));
  unit.group.append(unit.wrong);
}

/** Draw the paths of the chosen node, if there are few, side by side where they share an edge. */
function drawRoutes(page) {
  const { drawing, layout, paths } = page;
  drawing.routes = paths.map((path, place) => {
    const d = path.map((n) => routePath(linePoints(layout, page.edges[n].link))).join("");
    const apart = 4 * (place - (paths.length - 1) / 2);
    const lost = page.early && isLost(page, path) ? " lost" : "";
    return svg("path", { class: `route p${place}${lost}`, d, transform: `translate(0 ${apart})` });
  });
  for (const route of drawing.ways.querySelectorAll(".route")) route.remove();
  drawing.ways.prepend(...drawing.routes);
}
