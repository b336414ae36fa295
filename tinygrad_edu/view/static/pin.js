// Pin: the numbers as they were, in grey beside those of now.

function buildPin(page, button) {
  button.hidden = !page.graph.live; // elsewhere no number moves
  button.addEventListener("click", () => {
    page.pinned = page.pinned ? null : visibleNumbers(page);
    button.setAttribute("aria-pressed", Boolean(page.pinned));
    page.actions.setInputs();
  });
}

/** What the page shows: values and gradients by card, local derivatives by the link of their edge. */
function visibleNumbers(page) {
  const { graph, numbers, known, edges, derivatives } = page;
  const cards = [...graph.cards.keys()];
  return {
    v: new Map(cards.filter((i) => known.value[i]).map((i) => [i, numbers.v[i]])),
    g: new Map(cards.map((i) => [i, visibleGradient(page, i)])),
    local: new Map(edges.map(({ link }, n) => [link, derivatives[n]])),
  };
}

/** The pinned number as text and an arrow, "0.5 →"; "" where it looks the same as now. */
function ghost(page, key, i, now, written = short) {
  const was = page.pinned?.[key].get(i);
  if (was === undefined || was === null || now === undefined || now === null) return "";
  return written(was) === written(now) ? "" : `${written(was)} →`;
}

/** A pinned number in front of the present one. */
function withGhost(page, key, i, now, present) {
  const text = ghost(page, key, i, now, medium);
  if (text) present.prepend(h("small", { class: "ghost" }, text), " ");
  return present;
}
