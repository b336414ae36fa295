// The ticks behind the slider of steps: round forward, square backward.

const MOST_TICKS = 60;

function buildTicks(page, ticks) {
  const last = page.steps.length - 1;
  ticks.classList.toggle("many", last > MOST_TICKS);
  ticks.replaceChildren(h("b"), h("b", { class: "fill" }), h("b", { class: "fill b" }));
  page.steps.forEach(({ kind }, n) => {
    const css = { ready: "end", forward: "", done: "end b" }[kind] ?? "b";
    const tick = h("i", { class: css });
    tick.style.left = `${(100 * n) / last}%`;
    ticks.append(tick);
  });
}

function markTicks({ steps, state }, ticks) {
  const last = steps.length - 1;
  const turn = steps.findIndex((step) => step.kind === "seed") - 1;
  const [, forwardFill, backwardFill] = ticks.children;
  forwardFill.style.width = `${(100 * Math.min(state.step, turn)) / last}%`;
  backwardFill.style.left = `${(100 * turn) / last}%`;
  backwardFill.style.width = `${(100 * Math.max(0, state.step - turn)) / last}%`;
  for (const [n, tick] of ticks.querySelectorAll("i").entries()) tick.classList.toggle("on", n <= state.step);
}
