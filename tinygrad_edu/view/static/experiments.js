// What the reader can try: the panels below the explanation, built once and kept up to date.

function buildExperiments(page) {
  const find = (id) => document.getElementById(id);
  buildLesson(page, find("exercises"), find("walk"));
  buildPin(page, find("pin"));
  buildLens(page, find("lens"));
  buildFlow(page, find("flow"), find("widths"));
  find("flow").parentNode.hidden = !page.graph.drawn;
  find("curve").parentNode.hidden = !page.graph.live;
  buildDescent(page, find("descent"));
  buildCurve(page, find("curve"));
}

function updateExperiments(page) {
  updateLens(page);
  if (page.graph.drawn) updateFlow(page);
  if (!page.graph.live) return;
  updateDescent(page);
  updateCurve(page);
}
