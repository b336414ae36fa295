// Predict: the reader types the next gradient before the page shows it.

/** The link whose contribution the reader is asked for at a backward step, or -1 if there is none. */
function linkToPredict(page, key) {
  const { graph, numbers } = page;
  if (!key.startsWith("card:")) return -1;
  const asked = graph.cards[Number(key.slice(5))].links.filter((k) => numbers.local[k] !== null);
  // the most telling one: a factor other than 1, if there is one
  return asked.find((k) => Math.abs(numbers.local[k]) !== 1) ?? asked[0] ?? -1;
}

function question(page, k) {
  const { graph } = page;
  const [tail, head] = graph.links[k];
  const card = graph.cards[head];
  return phrase("predict.question", { head: bold(card.name), formula: applied(card, operandNames(page, card)),
    tail: bold(shownName(page, tail)) });
}
