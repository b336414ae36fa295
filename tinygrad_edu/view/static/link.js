// The address that holds the state: inputs, step, choice, and what is folded.

/** Put the state into the address, at most five times a second: browsers refuse more than some. */
function writeLink(page) {
  const { graph, state } = page;
  const found = new URLSearchParams();
  for (const [i, x] of state.inputs) found.set(`in.${graph.cards[i].id}`, String(x));
  found.set("step", state.step);
  found.set("select", state.selected);
  if (page.walk) found.set("stop", page.walk.at);
  const same = state.folded.size === graph.folded.length && graph.folded.every((m) => state.folded.has(m));
  if (!same) found.set("folded", [...state.folded].sort((a, b) => a - b).join("."));
  page.link = `${location.href.split("#")[0]}#${found}`;
  page.writing ??= setTimeout(() => {
    page.writing = null;
    try {
      history.replaceState(null, "", new URL(page.link).hash);
    } catch {
      // a page inside a notebook's frame has no address of its own
    }
  }, 200);
}

/** Take over what the address holds, as far as it fits this graph; returns its step, or null. */
function readLink(page) {
  const { graph, state } = page;
  const found = new URLSearchParams(location.hash.slice(1) || graph.opening);
  const leaves = new Map(graph.cards.flatMap((card, i) => (card.kind === "leaf" ? [[card.id, i]] : [])));
  for (const [key, text] of found) {
    const leaf = leaves.get(key.slice("in.".length));
    if (key.startsWith("in.") && leaf !== undefined && graph.live && Number.isFinite(Number(text))) {
      state.inputs.set(leaf, Number(text));
    }
  }
  if (found.has("folded")) {
    const modules = found.get("folded").split(".").filter((m) => /^\d{1,9}$/.test(m)).map(Number);
    const before = state.folded;
    state.folded = new Set(modules.filter((m) => m < graph.modules.length));
    if (countVisible(page) > graph.limits.draw) state.folded = before;
  }
  if (found.has("stop")) page.firstStop = Math.max(0, Math.trunc(Number(found.get("stop"))) || 0);
  state.selected = isKey(graph, found.get("select")) ? found.get("select") : graph.selected;
  const step = Number(found.get("step") || NaN);
  return Number.isInteger(step) && step >= 0 ? step : null;
}

/** Whether a text names a card that can be chosen, or a module. */
function isKey(graph, text) {
  const [, kind, index] = /^(card|module):(\d{1,9})$/.exec(text) ?? [];
  return kind === "card" ? graph.cards[index] && graph.cards[index].kind !== "constant" : graph.modules[index];
}

function countVisible(page) {
  return visibleUnits(page.graph, page.state.folded).units.size;
}
