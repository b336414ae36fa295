// What travels along the edges of the running operation: values forward, and backward each
// contribution with its number, into its slot.

const TRAVEL = 650;

function sendDots(page, key, kind) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const { ways } = page.drawing;
  for (const dot of ways.querySelectorAll(".moving")) dot.remove();
  page.edges.forEach((edge, n) => {
    if (edge.head !== key) return;
    const { path } = page.drawing.edges[n];
    const length = path.getTotalLength();
    const dot = svg("g", { class: `moving ${kind}` }, svg("circle", { r: 6 }));
    const sent = kind === "backward" && edge.links.length === 1 ? page.numbers.sent[edge.link] : null;
    if (sent !== null) dot.append(svg("text", { class: "g", y: -9, "text-anchor": "middle", "font-size": 13 }, short(sent)));
    ways.append(dot);
    const start = performance.now();
    const move = (now) => {
      const part = Math.min(1, (now - start) / TRAVEL);
      const { x, y } = path.getPointAtLength(length * (kind === "forward" ? part : 1 - part));
      dot.setAttribute("transform", `translate(${x} ${y})`);
      if (part < 1 && dot.isConnected) requestAnimationFrame(move);
      else dot.remove();
    };
    move(start);
  });
}
