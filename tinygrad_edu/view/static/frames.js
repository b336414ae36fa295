// Frames: the page on a screen, on a slide, in a cell of a notebook, and on a phone.

const NARROW = { full: 1150, cell: 640, slide: 0 }; // from this width on everything stands in one column

/** Whether what a choice changes stands below the graph. */
const isNarrow = () => document.body.classList.contains("narrow");

/** Keep the class of narrow windows; before anything is measured. */
function watchWidth() {
  const { body } = document;
  const [layout] = ["slide", "cell", "full"].filter((name) => body.classList.contains(name));
  const narrow = matchMedia(`(max-width:${NARROW[layout]}px)`);
  const follow = () => body.classList.toggle("narrow", narrow.matches);
  narrow.addEventListener("change", follow);
  follow();
}

/** Put the cards into other rows where their holder has become wider or narrower. */
function watchRoom(page, holder, arrangeAgain) {
  new ResizeObserver(() => {
    const room = roomIn(holder);
    if (!page.graph.drawn || page.state.table || room === page.room) return;
    const isSame = page.layout.rows === 1 && page.layout.width <= room;
    page.room = room;
    if (!isSame) arrangeAgain();
  }).observe(holder);
}

/** On a slide one panel stands beside the sentence: buttons, and the keys 1, 2, …, choose it. */
function buildChoice() {
  if (!document.body.classList.contains("slide")) return;
  const panels = [...document.querySelectorAll(".right>.panel:not([hidden]), .codes")];
  const row = h("div", { id: "shown", role: "group" });
  const show = (n) => {
    panels.forEach((panel, k) => {
      panel.classList.toggle("out", k !== n);
      row.children[k].setAttribute("aria-pressed", k === n);
    });
    panels[n].prepend(row);
  };
  panels.forEach((panel, n) => { panel.showOnSlide = () => show(n); });
  for (const [n, panel] of panels.entries()) {
    const button = h("button", { type: "button" }, panel.querySelector("h2")?.firstChild.textContent.trim() ?? "");
    button.addEventListener("click", () => show(n));
    row.append(button);
  }
  show(panels.findIndex((panel) => panel.matches(".why")));
}

/** What a key does on a slide if it is the number of a panel. */
function choiceOf(key) {
  const button = /^[1-9]$/.test(key) ? document.getElementById("shown")?.children[key - 1] : null;
  return button && (() => button.click());
}

/** Where the answer to a choice is out of view, as on a phone, bring it below the graph. */
function showAnswer() {
  if (!isNarrow()) return;
  const panel = document.querySelector(".why");
  const stage = document.querySelector(".stage").getBoundingClientRect();
  const { top } = panel.getBoundingClientRect();
  if (top < stage.bottom || top > innerHeight - 140) panel.scrollIntoView({ block: "start" });
}

/** This page as a file of its own that opens in the present state. */
function savePage(page) {
  const opening = JSON.stringify(new URL(page.link).hash.slice(1)).replaceAll("&", "\\u0026");
  const whole = page.source.replace(/(id="graph">[^<]*)\}/, (_, data) => `${data},"opening":${opening}}`);
  download(new Blob([`<!doctype html>\n${whole}`], { type: "text/html" }), fileName(page, "html"));
}
