// What the reader can try: the panels below the explanation, built once and kept up to date.

function buildExperiments(page) {
  const find = (id) => document.getElementById(id);
  if (!page.graph.live) { find("curve").parentNode.hidden = true; return; }
  buildDescent(page, find("descent"));
  buildCurve(page, find("curve"));
}

function updateExperiments(page) {
  if (!page.graph.live) return;
  updateDescent(page);
  updateCurve(page);
}
