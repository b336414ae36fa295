// The numbers: what Python's forward and backward pass compute, here from RULES, which is generated
// from the same rules. `graph` is the page's data, see page_data.py.

/** Read the data block; numbers that JSON cannot hold come as text: "nan", "inf", "-inf". */
function readGraph(text) {
  const graph = JSON.parse(text);
  for (const card of graph.cards) card.v = toNumber(card.v);
  graph.cards.forEach((card) => { card.links = []; card.uses = []; });
  graph.links.forEach(([tail, head], k) => {
    graph.cards[head].links.push(k);
    graph.cards[tail].uses.push(k);
    if (!graph.cards[tail].w) graph.cards[tail].within = head; // a constant that the badge of its operation says
  });
  graph.outputs = graph.modules.map(() => []);
  graph.members = graph.modules.map(() => []);
  graph.cards.forEach((card, i) => {
    for (let m = graph.moduleOf[i]; m >= 0; m = graph.modules[m].outer) {
      graph.members[m].push(i);
      const leaves = (k) => !isInside(graph, graph.links[k][1], m);
      if (card.kind !== "constant" && (i === graph.root || card.uses.some(leaves))) {
        graph.outputs[m].push(i);
      }
    }
  });
  return graph;
}

function toNumber(x) {
  if (typeof x !== "string") return x;
  return { nan: NaN, inf: Infinity, "-inf": -Infinity }[x];
}

/** Whether a card stands in module m or in a module inside it. */
function isInside(graph, card, m) {
  for (let own = graph.moduleOf[card]; own >= 0; own = graph.modules[own].outer) {
    if (own === m) return true;
  }
  return false;
}

/** The value of every card; `inputs` maps cards to numbers that take the place of their own. */
function forward(graph, inputs) {
  const v = graph.cards.map((card, i) => (inputs.has(i) ? inputs.get(i) : card.v));
  if (!graph.live) return v;
  graph.cards.forEach((card, i) => {
    if (card.kind === "node" && !inputs.has(i)) v[i] = RULES[card.rule].f(...operandsOf(graph, card, v));
  });
  return v;
}

function operandsOf(graph, card, v) {
  return card.links.map((k) => v[graph.links[k][0]]);
}

/**
 * The backward pass: the gradient of every card, and for every link the local derivative and what
 * it sends to its operand. A link to a constant has null for both.
 */
function backward(graph, v) {
  if (!graph.live) return recorded(graph);
  const g = graph.cards.map(() => 0);
  const local = graph.links.map(() => null);
  const sent = graph.links.map(() => null);
  g[graph.root] = 1;
  for (let i = graph.cards.length - 1; i >= 0; i--) sendBack(graph, i, v, g, local, sent);
  return { g, local, sent };
}

/** Run the pullback of card i on its gradient and add up what arrives at its operands. */
function sendBack(graph, i, v, g, local, sent) {
  const card = graph.cards[i];
  if (card.kind !== "node") return;
  const operands = operandsOf(graph, card, v);
  card.links.forEach((k, position) => {
    const adjoint = RULES[card.rule].b[position];
    const tail = graph.links[k][0];
    if (adjoint === null || graph.cards[tail].kind === "constant") return;
    local[k] = adjoint(1, ...operands, v[i]);
    sent[k] = adjoint(g[i], ...operands, v[i]);
    g[tail] += sent[k];
  });
}

/** Where the numbers cannot be computed here, those that Python recorded. */
function recorded(graph) {
  const number = (x) => (x === null ? null : toNumber(x));
  return {
    g: graph.recorded.g.map(number),
    local: graph.recorded.local.map(number),
    sent: graph.recorded.sent.map(number),
  };
}

/**
 * The derivatives of a module's only output by the cards outside that it uses: the module seen as
 * one operation. Map from card to number; empty unless there is exactly one output.
 */
function moduleDerivatives(graph, m, v) {
  const found = new Map();
  if (!graph.live || graph.outputs[m].length !== 1) return found;
  const g = graph.cards.map(() => 0);
  g[graph.outputs[m][0]] = 1;
  const members = graph.members[m];
  for (let n = members.length - 1; n >= 0; n--) sendBack(graph, members[n], v, g, [], []);
  for (const i of members) {
    for (const k of graph.cards[i].links) {
      const tail = graph.links[k][0];
      if (!isInside(graph, tail, m) && graph.cards[tail].kind !== "constant") {
        found.set(tail, g[tail]);
      }
    }
  }
  return found;
}
