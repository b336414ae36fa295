// The panel of the rule: the local derivatives of one operation as mathematics, and its source on demand.

const MOST_OPERANDS = 6;

/** The rule of the running operation, or of the chosen node, or of the root. */
function updateRule(page) {
  const { graph, steps, state, view, known } = page;
  const { rule: panel, ruleTitle, ruleLocal } = page.elements;
  const { key, kind } = steps[state.step];
  const of = (unit) => (unit?.startsWith("card:") ? graph.cards : graph.modules)[unit?.split(":")[1]];
  const found = [key, state.selected, view.unitOf[graph.root]].find((unit) => of(unit)?.rule !== undefined)
    ?? `card:${graph.root}`;
  const thing = of(found);
  const rule = graph.rules[thing.rule];
  if (!rule) return;
  ruleTitle.textContent = word("rule.title", { symbol: rule.symbol, name: thing.name });
  panel.textContent = rule.source;
  for (const element of [panel, ruleLocal]) {
    for (const pass of ["forward", "backward"]) element.classList.toggle(pass, kind === pass && key === found);
  }
  const isKnown = found.startsWith("card:") && known.value[Number(found.slice(5))];
  const links = isKnown ? thing.links.filter((k) => page.numbers.local[k] !== null).slice(0, MOST_OPERANDS) : [];
  ruleLocal.replaceChildren(...links.map((k) => h("p", {}, localMath(graph, k, page.numbers))));
}
