// The walk: which cards are visible, in which order they run, and what is known after each step.

/**
 * What is visible when some modules are folded: units, each a card or a folded module, and the
 * order in which they run forward. A unit's key is "card:3" or "module:1".
 */
function visibleUnits(graph, folded) {
  const unitOf = graph.cards.map((_, i) => keyOf(graph, i, folded));
  const units = new Map();
  graph.cards.forEach((card, i) => {
    const key = unitOf[i];
    if (!units.has(key)) units.set(key, { key, cards: [], operations: [] });
    units.get(key).cards.push(i);
    if (card.kind === "node") units.get(key).operations.push(i);
  });
  return { unitOf, units, order: runningOrder(graph, unitOf, units) };
}

function keyOf(graph, i, folded) {
  let key = `card:${graph.cards[i].within ?? i}`;
  for (let m = graph.moduleOf[i]; m >= 0; m = graph.modules[m].outer) {
    if (folded.has(m)) key = `module:${m}`;
  }
  return key;
}

/** Units after those they depend on; of the ready ones, the one that Python finished first. */
function runningOrder(graph, unitOf, units) {
  const waitsFor = new Map([...units.keys()].map((key) => [key, new Set()]));
  for (const [tail, head] of graph.links) {
    if (unitOf[tail] !== unitOf[head]) waitsFor.get(unitOf[head]).add(unitOf[tail]);
  }
  const followers = new Map([...units.keys()].map((key) => [key, []]));
  for (const [key, tails] of waitsFor) for (const tail of tails) followers.get(tail).push(key);
  const last = (key) => units.get(key).cards.at(-1);
  const ready = [...units.keys()].filter((key) => waitsFor.get(key).size === 0);
  const order = [];
  while (ready.length) {
    let best = 0;
    ready.forEach((key, n) => { if (last(key) < last(ready[best])) best = n; });
    const [key] = ready.splice(best, 1);
    if (units.get(key).operations.length) order.push(key);
    for (const follower of followers.get(key)) {
      waitsFor.get(follower).delete(key);
      if (waitsFor.get(follower).size === 0) ready.push(follower);
    }
  }
  return order;
}

/** Ready; every unit forward; the seed; every unit backward; done. */
function listSteps(view) {
  return [
    { kind: "ready" },
    ...view.order.map((key) => ({ kind: "forward", key })),
    { kind: "seed" },
    ...[...view.order].reverse().map((key) => ({ kind: "backward", key })),
    { kind: "done" },
  ];
}

/**
 * What is known after a step: for each card whether its value is, the gradient that has arrived so
 * far (undefined before anything has), whether all of it has, and how many contributions are missing.
 */
function knownAfter(graph, view, steps, step, sent) {
  if (!graph.drawn) { // only the ends are there, as Python left them
    const gradient = graph.recorded.g.map((g) => (graph.known && g !== null ? toNumber(g) : undefined));
    const all = graph.cards.map(() => true);
    return { value: all, gradient, complete: all, missing: graph.cards.map(() => 0) };
  }
  const value = graph.cards.map((card) => card.kind !== "node");
  const gradient = graph.cards.map(() => undefined);
  const missing = graph.cards.map((card) => card.uses.length);
  for (const { kind, key } of steps.slice(0, step + 1)) {
    if (kind === "forward") for (const i of view.units.get(key).operations) value[i] = true;
    if (kind === "seed") gradient[graph.root] = 1;
    if (kind === "backward") {
      for (const i of [...view.units.get(key).operations].reverse()) {
        for (const k of graph.cards[i].links) {
          const tail = graph.links[k][0];
          missing[tail] -= 1;
          if (sent[k] !== null) gradient[tail] = (gradient[tail] ?? 0) + sent[k];
        }
      }
    }
  }
  const complete = missing.map((n, i) => n === 0 && (i !== graph.root || gradient[i] !== undefined));
  return { value, gradient, complete, missing };
}

/** The visible edges: for each link that is drawn, its ends and the links that it stands for. */
function visibleEdges(graph, view, shown) {
  const edges = new Map();
  graph.links.forEach(([tail, head], k) => {
    if (shown[k] < 0) return;
    if (!edges.has(shown[k])) {
      const ends = { tail: view.unitOf[tail], head: view.unitOf[head] };
      edges.set(shown[k], { link: shown[k], ...ends, links: [] });
    }
    edges.get(shown[k]).links.push(k);
  });
  return [...edges.values()];
}

/** The number on each visible edge, or null where it has none. */
function edgeDerivatives(graph, edges, v, local) {
  const modules = new Map();
  return edges.map((edge) => {
    if (edge.head.startsWith("card:")) return edge.links.length === 1 ? local[edge.links[0]] : null;
    const m = Number(edge.head.slice("module:".length));
    if (!modules.has(m)) modules.set(m, moduleDerivatives(graph, m, v));
    const tails = new Set(edge.links.map((k) => graph.links[k][0]));
    const [only] = tails;
    return tails.size === 1 ? modules.get(m).get(only) ?? null : null;
  });
}

/**
 * Every way from a unit to the root's unit along visible edges, as lists of edge numbers; null if
 * there are more than `limit`.
 */
function pathsToRoot(edges, from, rootKey, limit) {
  const leaving = new Map();
  edges.forEach((edge, n) => {
    if (!leaving.has(edge.tail)) leaving.set(edge.tail, []);
    leaving.get(edge.tail).push(n);
  });
  const count = new Map([[rootKey, 1]]); // how many paths lead on from a unit
  const countFrom = (start) => {
    const stack = [start];
    while (stack.length) {
      const key = stack.at(-1);
      const next = (leaving.get(key) ?? []).map((n) => edges[n].head);
      const open = next.filter((head) => !count.has(head));
      if (count.has(key) || !open.length) {
        if (!count.has(key)) count.set(key, next.reduce((sum, head) => sum + count.get(head), 0));
        stack.pop();
      } else stack.push(...open);
    }
    return count.get(start);
  };
  if (countFrom(from) > limit) return null;
  const walk = (key) => {
    if (key === rootKey) return [[]];
    const ways = (leaving.get(key) ?? []).filter((n) => count.get(edges[n].head) > 0);
    return ways.flatMap((n) => walk(edges[n].head).map((rest) => [n, ...rest]));
  };
  return walk(from);
}
