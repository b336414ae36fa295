// What travels along the edges of the running operation: values forward, and backward each
// contribution with its number, into its slot.

const TRAVEL = 650;

/** Where a part of a line from 0 to 1 ends; to ask the browser would cost a layout of the whole graph. */
function pointAlong(points, part) {
  const lengths = points.slice(1).map((to, k) => Math.hypot(to.x - points[k].x, to.y - points[k].y));
  let left = part * lengths.reduce((sum, length) => sum + length, 0);
  let k = 0;
  while (k < lengths.length - 1 && left > lengths[k]) left -= lengths[k++];
  const [from, to, t] = [points[k], points[k + 1], lengths[k] ? Math.min(1, left / lengths[k]) : 1];
  const bend = from.x === to.x ? t : t * t * (3 - 2 * t); // a curve leaves and arrives level
  return { x: from.x + (to.x - from.x) * t, y: from.y + (to.y - from.y) * bend };
}

function sendDots(page, key, kind) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const { ways } = page.drawing;
  for (const dot of ways.querySelectorAll(".moving")) dot.remove();
  page.edges.forEach((edge) => {
    if (edge.head !== key) return;
    const points = linePoints(page.layout, edge.link);
    const dot = svg("g", { class: `moving ${kind}` }, svg("circle", { r: 6 }));
    const sent = kind === "backward" && edge.links.length === 1 ? page.numbers.sent[edge.link] : null;
    if (sent !== null) dot.append(svg("text", { class: "g", y: -9, "text-anchor": "middle", "font-size": 13 }, short(sent)));
    ways.append(dot);
    const start = performance.now();
    const move = (now) => {
      const part = Math.min(1, (now - start) / TRAVEL);
      const { x, y } = pointAlong(points, kind === "forward" ? part : 1 - part);
      dot.setAttribute("transform", `translate(${x} ${y})`);
      if (part < 1 && dot.isConnected) requestAnimationFrame(move);
      else dot.remove();
    };
    move(start);
  });
}
