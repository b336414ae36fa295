// The paths from the chosen node to the output: each a row with its factors, its product and its
// colour; and what becomes of them if every card sends too early.

const MOST_PATHS = 6;

/** One row for each path: a × b × c = product, its share, and the sum so far. */
function pathRows(page, paths, isKnown) {
  const products = paths.map((path) => path.reduce((product, n) => product * page.derivatives[n], 1));
  const total = products.reduce((sum, x) => sum + x, 0);
  const oneSign = products.every((x) => x >= 0) || products.every((x) => x <= 0);
  let sum = 0;
  return paths.map((path, place) => {
    const row = h("div", { class: `row path p${place}` }, h("span", { class: "sign" }, place ? "+" : "="));
    [...path].reverse().forEach((edge, n) => {
      if (n) row.append(h("span", { class: "sign" }, "×"));
      row.append(chip(page, edge));
    });
    sum += products[place];
    if (isKnown && paths.length > 1) {
      const share = oneSign && total && Number.isFinite(total) ? percent(products[place] / total) : "";
      const sumText = place ? word("paths.sum", { sum: medium(sum) }) : "";
      row.append(h("span", { class: "product" }, h("span", { class: "sign" }, "="), " ", gradientText(products[place]), " ",
        h("span", { class: "note" }, [share, sumText].filter(Boolean).join(", "))));
    }
    if (page.early && isLost(page, path)) row.append(h("span", { class: "lost" }, lostText(page, path)));
    lightWith(row, () => page.drawing?.routes[place]);
    return row;
  });
}

function percent(share) {
  const rounded = Math.round(100 * share);
  return rounded || !share ? `${rounded} %` : "< 1 %";
}

/** Light lines of the picture while an element is pointed at or has the focus. */
function lightWith(element, lineOf) {
  const light = (on) => () => lineOf()?.classList.toggle("hot", on);
  for (const [event, on] of [["pointerenter", true], ["pointerleave", false], ["focusin", true], ["focusout", false]]) {
    element.addEventListener(event, light(on));
  }
}

/** One factor: ∂head/∂tail and its number; pointing at it lights its edge, pressing explains it. */
function chip(page, n) {
  const edge = page.edges[n];
  const { graph, known } = page;
  const ready = edge.links.every((k) => known.value[graph.links[k][1]]);
  const number = h("b", {}, ready ? short(page.derivatives[n]) : UNKNOWN);
  const made = h("button", { type: "button", class: "chip" },
    fraction("∂", briefName(page, edge.head), tailLetter(page, edge)), number);
  lightWith(made, () => page.drawing?.edges[n].line);
  made.addEventListener("click", () => page.actions.explainEdge(n, made));
  return made;
}

/** The name of an edge's tail in a fraction; numbered where its head takes it twice. */
function tailLetter(page, edge) {
  const { graph } = page;
  const [tail, head, position] = graph.links[edge.link];
  if (edge.links.length > 1 || !edge.head.startsWith("card:")) return briefName(page, edge.tail);
  const tails = graph.cards[head].links.map((k) => graph.links[k][0]);
  const isTwice = tails.filter((other) => other === tail).length > 1;
  return isTwice ? operandLetters(graph, graph.cards[head])[position] : briefName(page, edge.tail);
}

/** A unit's name as short as it can be, for fractions. */
function briefName(page, key) {
  const { graph } = page;
  const [output] = shownCards(graph, key);
  const card = graph.cards[output];
  const name = shownName(page, output);
  return cut(name === card.name ? card.brief ?? name : name, 14);
}

// --- Sending too early ----------------------------------------------------------------------------

/**
 * The backward pass in which every card sends as soon as its first contribution is in: its gradients,
 * and the links whose contributions come to a card that has sent before.
 */
function sendEarly(graph, numbers) {
  const g = graph.cards.map(() => 0);
  const late = new Set();
  const hasSent = new Set();
  g[graph.root] = 1;
  const links = []; // whose contributions are on their way, and the gradient that was sent
  const open = (i) => {
    hasSent.add(i);
    links.push(...[...graph.cards[i].links].reverse().map((k) => [k, g[i]]));
  };
  open(graph.root);
  while (links.length) {
    const [k, arriving] = links.pop();
    const tail = graph.links[k][0];
    if (numbers.local[k] === null) continue;
    g[tail] += arriving * numbers.local[k];
    if (hasSent.has(tail)) late.add(k);
    else open(tail);
  }
  return { g, late };
}

/** Whether what comes along a path would be left out: it arrives somewhere on the way after that has sent. */
function isLost(page, path) {
  return path.slice(1).some((n) => page.edges[n].links.every((k) => page.early.late.has(k)));
}

function lostText(page, path) {
  const edge = path.slice(1).map((n) => page.edges[n]).find((one) => one.links.every((k) => page.early.late.has(k)));
  return word("early.lost", { name: unitName(page.graph, edge.tail) });
}

/** What the chosen node would get if cards did not wait. */
function earlyNote(page, i) {
  const { graph, numbers, early } = page;
  const differs = graph.cards.some((_, n) => isWrong(page, n));
  const name = bold(shownName(page, i));
  if (!differs) return h("p", { class: "note" }, word("early.same"));
  if (!isWrong(page, i)) return h("p", { class: "note" }, ...phrase("early.same_here", { name }));
  return h("p", { class: "verdict no" }, h("span", {}, ...phrase("early.wrong", { name,
    wrong: h("b", { class: "wrong" }, medium(early.g[i])), right: gradientText(numbers.g[i]) })));
}

/** Whether sending early gives a card another gradient. */
function isWrong(page, i) {
  const [wrong, right] = [page.early.g[i], page.numbers.g[i]];
  return Math.abs(wrong - right) > 1e-9 * Math.max(Math.abs(wrong), Math.abs(right));
}
