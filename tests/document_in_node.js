// As much of a document as it takes to make the page's texts in Node: elements that hold text.

class Part {
  constructor(name) {
    Object.assign(this, { localName: name, children: [], attributes: {}, style: {} });
    this.classList = { toggle() {}, add() {}, remove() {} };
  }
  append(...parts) { this.children.push(...parts); }
  prepend(...parts) { this.children.unshift(...parts); }
  replaceChildren(...parts) { this.children = parts; }
  setAttribute(name, value) { this.attributes[name] = String(value); }
  addEventListener() {}
  get textContent() {
    if (this.localName === "math") return this.attributes["aria-label"] ?? "";
    return this.children.map((part) => (part instanceof Part ? part.textContent : String(part))).join("");
  }
  set textContent(text) { this.children = [text]; }
}

globalThis.matchMedia = () => ({ matches: false });
globalThis.document = {
  createElement: (name) => new Part(name),
  createElementNS: (_, name) => new Part(name),
};

/** Every text of the page at every step, with every unit chosen: [where it stands, text]. */
function everyText(graph, folded, inputs, early) {
  const { view, steps, edges } = rebuilt(graph, folded);
  const state = { inputs: new Map(inputs), step: 0, selected: "", folded, predicting: false, early };
  const elements = { rule: new Part("pre"), ruleTitle: new Part("h2"), ruleLocal: new Part("div") };
  const v = forward(graph, state.inputs);
  const page = { graph, state, view, steps, edges, elements, numbers: { v, ...backward(graph, v) } };
  page.derivatives = edgeDerivatives(graph, edges, v, page.numbers.local);
  page.early = early ? sendEarly(graph, page.numbers) : null;
  const found = [];
  const add = (where, parts) => found.push(...parts.map((part) => [where, part instanceof Part ? part.textContent : String(part)]));
  const paragraphs = (where, panel) => add(where, panel.children.flatMap((part) =>
    (part instanceof Part && part.localName !== "p" && part.localName !== "button" ? part.children : [part])));
  steps.forEach((_, step) => {
    state.step = step;
    page.known = knownAfter(graph, view, steps, step, page.numbers.sent);
    add(`say ${step}`, sentences(page));
    const isEnd = step === 0 || step === steps.length - 1;
    for (const key of isEnd ? view.units.keys() : []) {
      if (graph.cards[key.split(":")[1]]?.kind === "constant" && key.startsWith("card")) continue;
      state.selected = key;
      const why = new Part("div");
      explainGradient(page, why);
      paragraphs(`why ${key}`, why);
      updateRule(page);
      add("rule", [elements.ruleTitle, ...elements.ruleLocal.children]);
      add("unit", [madeFrom(page, key)]);
    }
    if (isEnd) edges.forEach((_, n) => add(`edge ${n}`, edgeNote(page, n)));
  });
  graph.links.forEach((_, k) => {
    if (page.numbers.local[k] !== null) add(`question ${k}`, [question(page, k).map((part) => part.textContent ?? part).join("")]);
  });
  return found.filter(([, text]) => text !== ""); // a fraction
}
