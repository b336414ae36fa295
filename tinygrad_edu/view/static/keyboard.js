// The graph by keyboard: it is one tab stop, and the arrow keys go from card to card.

/** Make one card the tab stop of the graph. */
function markStop(page, key) {
  for (const [own, { group, constant }] of page.drawing.units) {
    if (!constant) group.setAttribute("tabindex", own === key ? 0 : -1);
  }
}

/** Go on from the card that has the focus: along a line to the right or left, or up or down. */
function moveFocus(page, key) {
  const card = document.activeElement?.closest?.("#picture .unit:focus-visible");
  if (!card || !/^Arrow/.test(key)) return false; // a card that the mouse chose leaves the keys to the steps
  const from = card.getAttribute("data-key");
  const next = {
    ArrowRight: () => page.edges.find((edge) => edge.tail === from)?.head,
    ArrowLeft: () => page.edges.find((edge) => edge.head === from && isStop(page, edge.tail))?.tail,
    ArrowDown: () => nearestCard(page, from, 1),
    ArrowUp: () => nearestCard(page, from, -1),
  }[key]();
  if (next) page.drawing.units.get(next).group.focus({ preventScroll: true, focusVisible: true });
  return true;
}

const isStop = (page, key) => !page.drawing.units.get(key)?.constant;

/** The nearest card below or above another. */
function nearestCard(page, from, way) {
  const middle = (key) => {
    const { x, y, w, h: height } = page.layout.boxes[key];
    return [x + w / 2, y + height / 2];
  };
  const [x, y] = middle(from);
  let [nearest, least] = [null, Infinity];
  for (const key of page.drawing.units.keys()) {
    if (key === from || !isStop(page, key)) continue;
    const along = (middle(key)[1] - y) * way;
    const distance = along + 2 * Math.abs(middle(key)[0] - x);
    if (along > 0 && distance < least) [nearest, least] = [key, distance];
  }
  return nearest;
}
