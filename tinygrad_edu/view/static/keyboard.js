// The graph by keyboard: it is one tab stop, and the arrow keys go from card to card.

const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

/** Make one card the tab stop of the graph. */
function markStop(page, key) {
  for (const [own, { group, constant }] of page.drawing.units) {
    if (!constant) group.setAttribute("tabindex", own === key ? 0 : -1);
  }
}

/** Go from the card that has the focus to the nearest one in the direction of a key, if it is an arrow. */
function moveFocus(page, key) {
  const from = document.activeElement?.closest?.("#picture .unit")?.getAttribute("data-key");
  const direction = ARROWS[key];
  if (!from || !direction) return false;
  const middle = (other) => {
    const { x, y, w, h: height } = page.layout.boxes[other];
    return [x + w / 2, y + height / 2];
  };
  const [x, y] = middle(from);
  let [nearest, least] = [null, Infinity];
  for (const [other, { constant }] of page.drawing.units) {
    if (constant || other === from) continue;
    const [dx, dy] = [middle(other)[0] - x, middle(other)[1] - y];
    const along = dx * direction[0] + dy * direction[1];
    const beside = Math.abs(dx * direction[1]) + Math.abs(dy * direction[0]);
    if (along > 0 && along + 2 * beside < least) [nearest, least] = [other, along + 2 * beside];
  }
  if (!nearest) return true;
  markStop(page, nearest);
  page.drawing.units.get(nearest).group.focus({ preventScroll: true });
  return true;
}
