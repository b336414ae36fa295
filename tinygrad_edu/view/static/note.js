// The note: a small window beside what was pressed, which explains it and follows the numbers. Escape
// or a press elsewhere closes it.

/** Open the note beside an element; `makeContent` gives what it says, now and when numbers change. */
function openNote(page, anchor, makeContent) {
  const { note } = page.elements;
  page.note = makeContent;
  note.replaceChildren(...makeContent());
  note.showPopover();
  const [at, size] = [anchor.getBoundingClientRect(), note.getBoundingClientRect()];
  const within = (x, length, whole) => Math.max(8, Math.min(x, whole - length - 8));
  const below = at.bottom + 8 + size.height < innerHeight ? at.bottom + 8 : at.top - size.height - 8;
  note.style.left = `${within(at.left + at.width / 2 - size.width / 2, size.width, innerWidth)}px`;
  note.style.top = `${within(below, size.height, innerHeight)}px`;
}

function updateNote(page) {
  const { note } = page.elements;
  if (page.note && note.matches(":popover-open")) note.replaceChildren(...page.note());
}

/** What the number on an edge is: the local derivative, as mathematics and in a sentence. */
function edgeNote(page, n) {
  const { graph, numbers, known } = page;
  const edge = page.edges[n];
  const [first] = edge.links;
  const [head, tail] = [bold(unitName(graph, edge.head)), bold(shownName(page, graph.links[first][0]))];
  if (!edge.links.every((k) => known.value[graph.links[k][1]])) return [h("p", {}, word("note.not_yet"))];
  const local = page.derivatives[n];
  if (local === null) return [h("p", {}, ...phrase("note.no_number", { head, tail }))];
  if (!Number.isFinite(local)) return [h("p", {}, ...phrase("note.not_finite", { head, tail, x: gradientText(local) }))];
  const moves = h("p", {}, ...phrase("note.moves", { head, tail, x: gradientText(local) }));
  if (edge.head.startsWith("card:")) return [h("p", {}, localMath(graph, first, numbers)), moves];
  return [moves, h("p", { class: "note" }, word("note.through_module"))];
}

function constantNote(page, i) {
  const card = page.graph.cards[i];
  return [h("p", {}, word("note.constant", { x: card.array ?? full(card.v) }))];
}
