// Names that are written from right to left stand by themselves: they do not turn what is around them.

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
const NAMES = /([\p{L}_][\p{L}\p{M}\p{N}_]*)/u;

/** Isolate the names in an element, where there are any that need it. */
function isolateNames(element) {
  if (!RIGHT_TO_LEFT.test(element.textContent)) return;
  const texts = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) if (RIGHT_TO_LEFT.test(walker.currentNode.data)) texts.push(walker.currentNode);
  for (const text of texts) {
    if (text.parentNode.matches("bdi, math *, svg *, title")) continue;
    const parts = text.data.split(NAMES).filter((part) => part !== "");
    text.replaceWith(...parts.map((part) => (RIGHT_TO_LEFT.test(part) ? h("bdi", {}, part) : part)));
  }
}
