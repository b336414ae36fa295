// The page: its state, and what every button and key does.

function startPage() {
  const $ = (id) => document.getElementById(id);
  const source = document.documentElement.outerHTML; // as it came
  const graph = readGraph($("graph").textContent);
  watchWidth();
  const page = {
    graph,
    source,
    elements: { rule: $("rule"), ruleTitle: $("rule-title"), ruleLocal: $("rule-local"), note: $("note") },
    state: { inputs: new Map(), step: 0, selected: "", folded: new Set(graph.folded), predicting: false, table: false, early: false },
    rows: [],
    lines: [],
    actions: {},
    paths: [],
    pathEdges: new Set(),
  };
  const { state, actions } = page;
  let timer = null;

  // --- what is visible, and what is known ------------------------------------------------------

  function rebuild() {
    page.view = visibleUnits(graph, state.folded);
    page.steps = listSteps(page.view);
    const outer = graph.modules.map((module) => module.outer);
    const sizes = graph.cards.map((card) => (card.w ? [card.w, card.h] : null));
    page.room = roomIn($("picture"));
    page.layout = arrange(graph.containers, sizes, state.folded, graph.pills, outer, graph.moduleOf,
      graph.links, graph.derived, page.room);
    page.edges = visibleEdges(graph, page.view, page.layout.shown);
    state.selected = visibleKey(state.selected);
    if (graph.drawn) drawAll();
    buildTicks(page, $("ticks"));
  }

  /** A key, or what is visible in its place: the module that folds it, or an opened module's output. */
  function visibleKey(key) {
    if (page.view.units.has(key)) return key;
    const [kind, index] = key.split(":");
    const i = kind === "card" ? Number(index) : graph.modules[index] && shownCards(graph, key)[0];
    return page.view.unitOf[i] ?? page.view.unitOf[graph.root];
  }

  function drawAll() {
    page.drawing = buildDrawing(page);
    const picture = svg("svg", { role: "group", "aria-label": word("page.graph", { name: graph.cards[graph.root].name }) });
    picture.append(...page.drawing.layers);
    page.canvas = makeCanvas(picture, $("picture"), page.layout, page.canvas);
  }

  function recompute() {
    const v = forward(graph, state.inputs);
    page.numbers = { v, ...backward(graph, v) };
    page.derivatives = edgeDerivatives(graph, page.edges, v, page.numbers.local);
    falsify(page);
  }

  function refresh() {
    const { steps, numbers } = page;
    state.step = Math.max(0, Math.min(state.step, stepLimit(page)));
    page.known = knownAfter(graph, page.view, steps, state.step, numbers.sent);
    page.early = state.early && numbers.g.every((g) => g !== null) ? sendEarly(graph, numbers) : null;
    explainGradient(page, $("why"));
    if (graph.drawn) updateDrawing(page);
    updateInputs(page);
    updateProgram(page);
    updateRule(page);
    if (state.table || !graph.drawn) fillTable(page, $("tablebody"));
    $("say").replaceChildren(...sentences(page));
    for (const id of ["say", "why", "tablebody"]) isolateNames($(id));
    const scrub = $("scrub");
    scrub.max = steps.length - 1;
    scrub.value = state.step;
    scrub.setAttribute("aria-valuetext", [...$("say").children].map((p) => p.textContent).join(" "));
    markTicks(page, $("ticks"));
    for (const id of ["first", "back"]) $(id).disabled = state.step === 0;
    for (const id of ["next", "last"]) $(id).disabled = state.step === steps.length - 1;
    $("play").textContent = word(timer === null ? "page.play" : "page.pause");
    $("reset").hidden = state.inputs.size === 0;
    updateExperiments(page);
    updateNote(page);
    writeLink(page);
  }

  // --- steps -----------------------------------------------------------------------------------

  function go(step, { animate = true } = {}) {
    const limit = stepLimit(page);
    if (step > limit && limit < page.steps.length - 1) { stop(); notice(word("ask.first")); }
    const target = Math.max(0, Math.min(limit, step));
    if (state.predicting && target > state.step && asks(target)) return;
    state.step = target;
    if (timer !== null && target === page.steps.length - 1) stop();
    closeQuestion();
    refresh();
    bringIntoView(target);
    const { key, kind } = page.steps[target];
    if (key && graph.drawn && !state.table && animate) sendDots(page, key, kind);
  }

  /** Move the picture, if need be, to where a step happens; the seed happens at the root. */
  function bringIntoView(step) {
    const { key, kind } = page.steps[step];
    const place = kind === "seed" ? page.view.unitOf[graph.root] : key;
    if (graph.drawn && !state.table) page.canvas.show(page.layout.boxes[place]);
  }

  function play() {
    if (timer !== null) { stop(); refresh(); return; }
    if (state.step === page.steps.length - 1) state.step = 0;
    timer = setInterval(() => go(state.step + 1), 1300);
    refresh();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
  }

  // --- predict ---------------------------------------------------------------------------------

  let asked = null; // the step and link of the open question

  /** Open the question of the first step up to `target` that has one; true if there is such a step. */
  function asks(target) {
    for (let n = state.step + 1; n <= target; n++) {
      const step = page.steps[n];
      const link = step.kind === "backward" ? linkToPredict(page, step.key) : -1;
      if (link < 0) continue;
      stop();
      if (asked?.step === n) { refresh(); $("answer").focus(); return true; }
      state.step = n - 1;
      refresh();
      asked = { step: n, link };
      $("question").replaceChildren(...question(page, link));
      $("answer").value = "";
      $("verdict").textContent = "";
      $("ask").hidden = false;
      $("answer").focus();
      bringIntoView(n);
      return true;
    }
    return false;
  }

  function closeQuestion() {
    if ($("ask").contains(document.activeElement)) document.activeElement.blur();
    asked = null;
    $("ask").hidden = true;
  }

  function checkAnswer() {
    if (!asked) return;
    const { isRight, text } = judged(typedNumber($("answer").value), sentAnswer(page, asked.link));
    $("verdict").textContent = text;
    if (isRight) reveal(text);
  }

  function reveal(sentence = "") {
    if (!asked) return;
    const { step } = asked;
    closeQuestion();
    state.step = step;
    refresh();
    if (sentence) $("say").prepend(h("p", { class: "verdict" }, sentence));
  }

  function togglePredict() {
    state.predicting = !state.predicting;
    $("predict").setAttribute("aria-pressed", state.predicting);
    stop();
    closeQuestion();
    const seed = page.steps.findIndex((step) => step.kind === "seed");
    if (state.predicting && state.step > seed) state.step = seed;
    refresh();
    bringIntoView(state.step);
    if (state.predicting) notice(word("predict.hint"));
  }

  // --- choosing, folding, inputs ---------------------------------------------------------------

  actions.select = (key) => {
    state.selected = key;
    refresh();
    showAnswer();
  };

  actions.selectCard = (i) => {
    if (graph.cards[i]?.kind !== "constant") actions.select(page.view.unitOf[i]);
  };

  actions.explainEdge = (n, anchor) => openNote(page, anchor, () => edgeNote(page, n));
  actions.explainConstant = (i, anchor) => openNote(page, anchor, () => constantNote(page, i));

  function toggleEarly() {
    state.early = !state.early;
    $("early").setAttribute("aria-pressed", state.early);
    refresh();
    if (state.early) notice(word("early.hint"));
  }

  actions.toggleFold = (m) => {
    const step = page.steps[state.step];
    const operation = step.key ? page.view.units.get(step.key).operations.at(-1) : null;
    const first = state.folded.has(m) ? graph.members[m][0] : null;
    if (state.folded.has(m)) state.folded.delete(m);
    else state.folded.add(m);
    if (countVisible(page) > graph.limits.draw) {
      state.folded.add(m);
      notice(word("page.too_much"));
      return;
    }
    stop();
    closeQuestion();
    if (first === null) state.selected = `module:${m}`;
    else if (state.selected === `module:${m}`) state.selected = `card:${graph.outputs[m][0] ?? first}`;
    rebuild();
    state.step = page.steps.findIndex((other) => other.kind === step.kind
      && (!other.key || page.view.unitOf[operation] === other.key));
    recompute();
    refresh();
    page.canvas?.show(page.layout.boxes[`module:${m}`]);
    page.drawing?.units.get(state.selected)?.group.focus({ preventScroll: true });
  };

  function foldChosen() {
    const key = state.selected;
    if (key.startsWith("module:")) { actions.toggleFold(Number(key.slice(7))); return; }
    const m = graph.moduleOf[Number(key.slice(5))];
    if (m >= 0) actions.toggleFold(m);
    else notice(word("page.in_no_module"));
  }

  actions.setInput = (i, x) => {
    if (x === graph.cards[i].v) state.inputs.delete(i);
    else state.inputs.set(i, x);
    recompute();
    refresh();
  };

  actions.setInputs = (inputs = state.inputs) => {
    state.inputs = new Map(inputs);
    recompute();
    refresh();
  };

  function find(text) {
    const wanted = text.trim().toLowerCase();
    const names = graph.cards.map((card) => card.name.toLowerCase());
    const fits = (test) => names.findIndex((name, i) => graph.cards[i].kind !== "constant" && test(name));
    const tests = [(name) => name === wanted, (name) => name.startsWith(wanted), (name) => name.includes(wanted)];
    const i = wanted ? tests.map(fits).find((n) => n >= 0) ?? -1 : -1;
    if (i < 0) { notice(word(wanted ? "page.not_found" : "page.type_a_name", { name: cut(text.trim(), 40) })); return; }
    actions.reach(i);
  }

  /** Choose a card and bring it into view, out of what folds it. */
  actions.reach = (i) => {
    let opened = false;
    for (let m = graph.moduleOf[i]; m >= 0; m = graph.modules[m].outer) opened = state.folded.delete(m) || opened;
    if (opened) { const step = page.steps[state.step]; closeQuestion(); rebuild(); recompute(); sameKind(step); }
    state.selected = page.view.unitOf[i];
    refresh();
    if (!graph.drawn || state.table) return;
    page.canvas.show(page.layout.boxes[state.selected]);
    page.drawing.units.get(state.selected).group.focus({ preventScroll: true });
  };

  function sameKind(step) {
    const n = page.steps.findIndex((other) => other.kind === step.kind && other.key === step.key);
    state.step = n >= 0 ? n : page.steps.findIndex((other) => other.kind === step.kind);
  }

  function toggleTable() {
    state.table = !state.table;
    showTable();
    refresh();
  }

  function showTable() {
    const on = state.table || !graph.drawn;
    document.body.classList.toggle("undrawn", !graph.drawn);
    $("table").setAttribute("aria-pressed", on);
    $("picture").hidden = on;
    $("tablebox").hidden = !on;
    $("instead").hidden = graph.drawn;
    $("instead").textContent = graph.instead;
  }

  // --- the link that holds the state -----------------------------------------------------------

  function copyLink() {
    if (location.protocol === "about:") notice(word("page.no_address"));
    else actions.copy(page.link, location.protocol === "file:" ? "page.copied_here" : "page.copied", "page.copy_this");
  }

  actions.copy = async (text, copied, instead) => {
    try {
      await navigator.clipboard.writeText(text);
      notice(word(copied));
    } catch {
      notice(word(instead, { link: text }));
    }
  };

  let noticeTimer = null;
  function notice(text) {
    $("notice").textContent = text;
    clearTimeout(noticeTimer);
    noticeTimer = setTimeout(() => { $("notice").textContent = ""; }, 6000);
  }

  // --- buttons and keys ------------------------------------------------------------------------

  const buttons = {
    first: () => go(0), back: () => go(state.step - 1), play, next: () => go(state.step + 1),
    last: () => go(page.steps.length - 1), predict: togglePredict, early: toggleEarly, table: toggleTable,
    help: () => $("keys").showModal(), "keys-close": () => $("keys").close(), reset: () => actions.setInputs([]),
    link: copyLink,
    check: checkAnswer, reveal: () => reveal(), print: () => window.print(),
    "save-page": () => savePage(page), "save-svg": () => saveSvg(page), "save-png": () => savePng(page, notice),
    "zoom-in": () => page.canvas?.zoom(1.25), "zoom-out": () => page.canvas?.zoom(0.8),
    "zoom-fit": () => page.canvas?.fit(),
  };
  for (const [id, action] of Object.entries(buttons)) $(id).addEventListener("click", action);
  for (const id of ["save-page", "save-svg", "save-png", "print"]) $(id).addEventListener("click", () => { $("save").open = false; });
  $("scrub").addEventListener("input", (event) => go(Number(event.target.value), { animate: false }));
  $("answer").addEventListener("keydown", (event) => {
    if (event.key === "Enter") checkAnswer();
    if (event.key === "Escape") closeQuestion();
  });
  $("find").addEventListener("keydown", (event) => {
    if (event.key === "Enter") find(event.target.value);
    if (event.key === "Escape") event.target.blur();
  });
  const keys = {
    PageDown: buttons.next, PageUp: buttons.back, ArrowRight: buttons.next, ArrowLeft: buttons.back, Home: buttons.first, End: buttons.last, " ": play,
    p: togglePredict, t: toggleTable, f: foldChosen, "/": () => $("find").focus(), "?": buttons.help,
    "+": buttons["zoom-in"], "=": buttons["zoom-in"], "-": buttons["zoom-out"], "−": buttons["zoom-out"],
    0: buttons["zoom-fit"],
  };
  document.addEventListener("keydown", (event) => {
    const inField = event.target.matches?.("input, textarea, select, summary");
    if (inField || event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
    if (event.key === " " && event.target.matches?.("button")) return;
    const isScrolled = event.target.matches?.("pre, #tablebox") && /^(Arrow|Page|Home|End)/.test(event.key);
    if (isScrolled || (event.key.startsWith("Page") && !document.body.classList.contains("slide"))) return;
    if (moveFocus(page, event.key)) { event.preventDefault(); return; }
    const action = choiceOf(event.key) ?? keys[event.key] ?? keys[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
  window.addEventListener("hashchange", () => {
    if (page.link && new URL(page.link).hash === location.hash) return;
    state.inputs.clear();
    state.folded = new Set(graph.folded);
    open();
  });

  function open() {
    stop();
    closeQuestion();
    const step = readLink(page);
    rebuild();
    recompute();
    const last = page.steps.length - 1;
    state.step = Math.min(last, step ?? (graph.known ? last : 0));
    showTable();
    refresh();
    if (step !== null) bringIntoView(state.step);
    startLesson(page);
  }

  watchRoom(page, $("picture"), () => {
    rebuild();
    recompute();
    refresh();
    bringIntoView(state.step);
  });
  Object.assign(actions, { go, bringIntoView, visibleKey });
  page.rows = buildInputs(page, $("inputs"));
  page.lines = buildProgram(page, $("program"));
  buildExperiments(page);
  buildChoice();
  isolateNames(document.querySelector(".formula"));
  window.addEventListener("beforeprint", () => page.canvas?.fit());
  $("names").append(...graph.cards.filter((card) => card.labelled).slice(0, 200).map((card) => h("option", { value: card.name })));
  open();
  return page;
}

startPage();
