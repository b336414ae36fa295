// Exercises: questions that the author of the page asks, one after the other, and what to hand in.

function buildExercises(page, panel) {
  const { graph } = page;
  const items = [...graph.stops.flatMap(({ ask }) => ask ?? []), ...graph.ask]
    .map((question) => ({ ...question, tries: 0, named: [], isDone: false, isShown: false }));
  page.exercises = { items, open: null, panel, chosen: [] };
  panel.parentNode.hidden = !items.length;
}

/** The last step at which a question is still one: the page goes no further while it is open. */
function lastStepOf(page, { kind, card, link }) {
  const { graph, steps, view } = page;
  const find = (wanted, i) => steps.findIndex((step) => step.kind === wanted && step.key === view.unitOf[i]);
  if (kind === "value") return find("forward", card) - 1;
  if (kind === "local") return find("forward", graph.links[link][1]) - 1;
  if (kind === "order") return steps.findIndex((step) => step.kind === "seed");
  if (kind === "gradient") return Math.max(...graph.cards[card].uses.map((k) => find("backward", graph.links[k][1]))) - 1;
  return steps.length - 1;
}

/** How far the page may go. */
function stepLimit(page) {
  const open = page.exercises?.open;
  return open && !open.isDone ? lastStepOf(page, open) : page.steps.length - 1;
}

function openQuestion(page, item) {
  const { exercises, graph, state } = page;
  if (!item || exercises.open === item) return;
  const links = [...graph.links.keys()].filter((k) => page.numbers.local[k] !== null);
  if (item.kind === "falsified") item.link ??= links[Math.floor(Math.random() * links.length)];
  if (item.kind === "falsified") item.pill ??= falsePill(page, item.link);
  Object.assign(exercises, { open: item, chosen: [] });
  exercises.panel.parentNode.showOnSlide?.();
  state.step = stepLimit(page);
  drawExercise(page);
}

/** While it is to be found, the false pill takes the place of the right one on every edge and chip. */
function falsify(page) {
  const open = page.exercises?.open;
  if (open?.kind !== "falsified" || open.isDone) return;
  page.edges.forEach(({ links }, n) => { if (links.length === 1 && links[0] === open.link) page.derivatives[n] = open.pill.x; });
}

function drawExercise(page) {
  const { exercises, graph } = page;
  const { open, items } = exercises;
  const form = h("div", { class: "answers" });
  const verdict = h("p", { role: "status", class: "said" });
  const place = word("ask.place", { n: items.indexOf(open) + 1, all: items.length });
  exercises.verdict = verdict;
  exercises.panel.replaceChildren(h("p", { class: "note" }, place), h("p", {}, ...questionText(page, open)), form, verdict);
  if (open.isDone) { verdict.textContent = solution(page, open); return; }
  const button = (text, action) => {
    const made = h("button", { type: "button" }, text);
    made.addEventListener("click", () => action(made));
    form.append(made);
  };
  if (open.kind === "order") {
    const operations = [...graph.cards.keys()].filter((i) => graph.cards[i].kind === "node");
    for (const i of operations) button(graph.cards[i].name, (made) => chooseNext(page, i, made, operations.length));
  } else if (open.kind === "falsified") {
    for (const k of graph.links.keys()) {
      if (page.numbers.local[k] === null) continue;
      const shown = k === open.link ? open.pill.x : page.numbers.local[k];
      button(`${derivativeName(graph, k)} = ${short(shown)}`, () => choosePill(page, k));
    }
  } else {
    const field = h("input", { type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": word("ask.answer") });
    const check = () => {
      const answers = { value: valueAnswer, local: localAnswer, gradient: gradientAnswer };
      const answer = answers[open.kind](page, open.card ?? open.link);
      const { isRight, text, isNamed } = judged(typedNumber(field.value), answer);
      settle(page, isRight, text, isNamed, field.value.trim() !== "");
    };
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // else it would press the button that takes the focus, too
      check();
    });
    form.append(field);
    button(word("ask.check"), check);
  }
  button(word("ask.show"), () => {
    open.isShown = true;
    settle(page, true, solution(page, open), false, false);
  });
}

function derivativeName(graph, k) {
  const [tail, head] = graph.links[k].map((i) => graph.cards[i]?.name);
  return `∂${head}/∂${tail}`;
}

function questionText(page, { kind, card, link }) {
  const { graph } = page;
  const made = card ?? (link !== undefined && graph.links[link][1]);
  if (kind === "order" || kind === "falsified") return phrase(`ask.${kind}`);
  const formula = graph.cards[made].kind === "node" ? applied(graph.cards[made], operandNames(page, graph.cards[made])) : "";
  return phrase(`ask.${kind}`, { name: bold(graph.cards[made].name), formula, derivative: link === undefined ? "" : derivativeName(graph, link) });
}

/** The answer, in words. */
function solution(page, { kind, card, link, pill }) {
  const { graph, numbers } = page;
  if (kind === "value") return valueAnswer(page, card).praise;
  if (kind === "local") return localAnswer(page, link).praise;
  if (kind === "gradient") return gradientAnswer(page, card).praise;
  if (kind === "order") {
    const order = [...graph.cards.keys()].reverse().filter((i) => graph.cards[i].kind === "node");
    return word("ask.one_order", { names: order.map((i) => graph.cards[i].name).join(", ") });
  }
  return word(pill.key, { derivative: derivativeName(graph, link), x: short(numbers.local[link]), wrong: short(pill.x),
    name: graph.cards[graph.links[link][0]].name });
}

/** The next node of the order: right if nothing that it waits for is missing. */
function chooseNext(page, i, button, all) {
  const { exercises, graph } = page;
  const missing = waitsFor(graph, i, exercises.chosen);
  if (missing >= 0) {
    settle(page, false, word("mistake.waits", { name: graph.cards[i].name, head: graph.cards[missing].name }), true, true);
    return;
  }
  exercises.chosen.push(i);
  button.disabled = true;
  button.prepend(`${exercises.chosen.length} `);
  const names = exercises.chosen.map((card) => graph.cards[card].name).join(", ");
  if (exercises.chosen.length === all) settle(page, true, word("ask.ordered", { names }), false, true);
  else exercises.verdict.textContent = names;
}

function choosePill(page, k) {
  const { open } = page.exercises;
  if (k === open.link) { settle(page, true, solution(page, open), false, true); return; }
  const text = word("mistake.pill", { derivative: derivativeName(page.graph, k), x: short(page.numbers.local[k]) });
  settle(page, false, text, false, true);
}

/** Say what an answer was worth, keep it for the summary, and go on where it was right. */
function settle(page, isRight, text, isNamed, isTry) {
  const { exercises } = page;
  const { open } = exercises;
  if (isTry) open.tries += 1;
  if (isNamed && !open.named.includes(text)) open.named.push(text);
  exercises.verdict.textContent = text;
  if (!isRight) return;
  const limit = stepLimit(page);
  open.isDone = true;
  for (const part of exercises.panel.querySelectorAll(".answers > *")) part.disabled = true;
  page.actions.setInputs(); // the false pill gives way to the right one
  page.actions.go(Math.min(limit + 1, page.steps.length - 1));
  const next = exercises.items.find((item) => !item.isDone);
  if (page.walk && !page.walk.isOver) return;
  if (!next) { exercises.panel.append(...summary(page)); return; }
  const button = h("button", { type: "button" }, word("ask.next"));
  button.addEventListener("click", () => {
    openQuestion(page, next);
    page.actions.setInputs();
    exercises.panel.querySelector("input, button")?.focus();
  });
  exercises.panel.append(button);
  button.focus();
}

/** One line to hand in: what was right at once, after how many tries and mistakes, what was shown. */
function summary(page) {
  const { items } = page.exercises;
  const parts = items.map(({ tries, named, isShown }, n) => {
    if (isShown) return word("ask.sum_shown", { place: n + 1 });
    return word("ask.sum_right", { place: n + 1, n: tries }) + (named.length ? ` (${named.join(" ")})` : "");
  });
  const right = items.filter(({ tries, isShown }) => !isShown && tries === 1).length;
  const line = `${word("ask.sum", { title: document.title, right, all: items.length })} ${parts.join("; ")}.`;
  const copy = h("button", { type: "button" }, word("ask.copy"));
  copy.addEventListener("click", () => page.actions.copy(line, "ask.copied", "ask.copy_this"));
  return [h("p", { class: "line-out" }, line), copy];
}
