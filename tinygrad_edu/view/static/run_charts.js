// Charts of numbers by epoch, as SVG: lines, an axis with its ends, and the epoch that is shown.

const CHART = { width: 300, height: 150, left: 52, right: 8, top: 8, bottom: 22 };

/** Where a number stands between two ends on a length of pixels. */
function placed(x, low, high, from, to) {
  return high > low ? from + ((x - low) / (high - low)) * (to - from) : (from + to) / 2;
}

/** The path of a line, with gaps where a number is missing. */
function linePath(xs, ys, across, down) {
  let path = "";
  let isOpen = false;
  xs.forEach((x, i) => {
    const y = ys[i];
    if (y === null || y === undefined) { isOpen = false; return; }
    path += `${isOpen ? "L" : "M"}${across(x).toFixed(1)} ${down(y).toFixed(1)}`;
    isOpen = true;
  });
  return path;
}

/** A chart with a title, its lines {name, ys, className} over epochs xs, and a level to compare with. */
function chart(title, xs, lines, { usual = null, about = "" } = {}) {
  const known = lines.flatMap((line) => line.ys).filter((y) => y !== null && y !== undefined);
  const all = usual === null ? known : [...known, usual];
  const low = Math.min(...all), high = Math.max(...all);
  const { width, height, left, right, top, bottom } = CHART;
  const across = (x) => placed(x, xs[0], xs[xs.length - 1], left, width - right);
  const down = (y) => placed(y, low, high, height - bottom, top);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": word("chart", { name: title, first: xs[0], last: xs[xs.length - 1] }) });
  picture.append(
    svg("path", { class: "axis", fill: "none", d: `M${left} ${top}V${height - bottom}H${width - right}` }),
    svg("text", { x: left - 4, y: top + 8, "text-anchor": "end" }, signed(general(high, 3))),
    svg("text", { x: left - 4, y: height - bottom, "text-anchor": "end" }, signed(general(low, 3))),
    svg("text", { x: left, y: height - 6 }, String(xs[0])),
    svg("text", { x: width - right, y: height - 6, "text-anchor": "end" }, String(xs[xs.length - 1])),
  );
  if (usual !== null) {
    picture.append(svg("path", { class: "usual", d: `M${left} ${down(usual)}H${width - right}` }));
  }
  for (const line of lines) {
    picture.append(svg("path", { class: `line ${line.className}`, d: linePath(xs, line.ys, across, down) }));
  }
  const now = svg("path", { class: "now", d: "" });
  picture.append(now);
  const box = h("div", { class: "chart" }, h("h3", {}, title), picture, chartKey(lines, about));
  return { box, show: (x) => now.setAttribute("d", `M${across(x)} ${top}V${height - bottom}`) };
}

/** Which line is which; nothing for one line without a remark. */
function chartKey(lines, about) {
  const items = lines.length > 1 ? lines.map((line) => h("li", {},
    svg("svg", { viewBox: "0 0 22 8", "aria-hidden": "true" },
      svg("path", { class: `line ${line.className}`, d: "M0 4h22" })), line.name)) : [];
  if (about) items.push(h("li", {}, about));
  return h("ul", { class: "key" }, ...items);
}

/** A colour and a dash for line i, so that neither alone has to tell lines apart. */
function lineClass(i) {
  return `c${i % 6} d${Math.floor(i / 2) % 3}`;
}
