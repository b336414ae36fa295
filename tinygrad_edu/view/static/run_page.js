// The page of a run: its state, the epoch that is shown, and what the scrubber does.

function startRunPage() {
  const $ = (id) => document.getElementById(id);
  const run = JSON.parse($("run").textContent);
  const xs = run.columns.epoch;
  const charts = curveCharts(run);
  const layers = layerCharts(run);
  let at = xs.length - 1;
  let timer = null;

  /** What was kept at the epoch that is shown, or last before it. */
  function keptNow(part) {
    return run.kept.filter((kept) => kept.epoch <= xs[at] && kept[part]).at(-1);
  }

  function showStatus() {
    const epochs = word("epochs", { n: run.epochs });
    const said = [run.running ? word("running", { epochs }) : epochs, word("best", { epoch: run.best }), run.stopped];
    if (xs.length < run.epochs) said.push(word("thinned", { shown: xs.length, all: run.epochs }));
    $("status").textContent = said.filter(Boolean).join(" · ");
  }

  function showNumbers() {
    const names = Object.keys(run.columns).filter((name) => name !== "epoch");
    const parts = names.flatMap((name) => [`${name.replaceAll("_", " ")} `, h("b", {}, short(run.columns[name][at])), "   "]);
    const shown = ["health", "map", "matrix"].map(keptNow).find(Boolean);
    if (shown && shown.epoch !== xs[at]) parts.push(h("br"), word("kept", { epoch: shown.epoch }));
    $("numbers").replaceChildren(...parts);
  }

  function refresh() {
    $("scrub").value = at;
    $("shown").textContent = String(xs[at]);
    for (const { show } of charts) show(xs[at]);
    for (const { show } of layers) show(xs[at]);
    showNumbers();
    const health = keptNow("health"), matrix = keptNow("matrix"), map = keptNow("map");
    if (health) $("complaints").replaceChildren(...complaintItems(health));
    if (matrix) {
      $("matrix").replaceChildren(confusionTable(matrix.matrix));
      $("misread").replaceChildren(...(run.pixels ? misreadFigures(matrix.misread) : []));
    }
    if (map) $("mapbox").replaceChildren(...decisionMap(run.map, map));
    history.replaceState(null, "", at === xs.length - 1 ? "#" : `#epoch=${xs[at]}`);
  }

  function go(to) {
    at = Math.max(0, Math.min(xs.length - 1, to));
    if (at === xs.length - 1) stop();
    refresh();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    $("play").textContent = word("play");
  }

  function play() {
    if (timer !== null) { stop(); return; }
    if (at === xs.length - 1) go(0);
    timer = setInterval(() => go(at + 1), Math.max(60, 6000 / xs.length));
    $("play").textContent = word("pause");
  }

  const asked = Number(location.hash.split("epoch=")[1]);
  if (xs.includes(asked)) at = xs.indexOf(asked);
  $("scrub").max = xs.length - 1;
  $("scrub").addEventListener("input", () => { stop(); go(Number($("scrub").value)); });
  $("play").addEventListener("click", play);
  $("curves").append(...charts.map(({ box }) => box));
  $("layers").append(...layers.map(({ box }) => box));
  $("steps").append(...graphLinks(run));
  $("health").hidden = !layers.length;
  $("map").hidden = !run.map;
  $("confusion").hidden = !run.kept.some((kept) => kept.matrix);
  $("graphs").hidden = !run.graphs.length;
  showStatus();
  refresh();
}

startRunPage();
