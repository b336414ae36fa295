// Zoom and pan, and the picture as a file.

/**
 * Pixels a unit of the drawing, so that every text is at least 10 pixels high, 12 on a large screen,
 * and 16 on a slide. The smallest text of a drawing has 11 units, on a slide 14.
 */
function readableScale() {
  if (document.body.classList.contains("slide")) return 16 / 14;
  return (innerWidth >= 1920 ? 12 : 10) / 11;
}

/** How wide a row of cards may be so that it can be read as a whole. */
const roomIn = (holder) => Math.max(holder.getBoundingClientRect().width / readableScale() - 2 * MARGIN - CIRCLE, 320);

/**
 * Put the picture into its holder and make it zoom with wheel and pinch, and move with a drag;
 * `before` is the canvas that it takes the place of.
 */
function makeCanvas(picture, holder, layout, before) {
  const whole = { x: -MARGIN - CIRCLE, y: -MARGIN, w: layout.width + 2 * MARGIN + CIRCLE + 4, h: layout.height + 2 * MARGIN };
  const measured = () => {
    const box = holder.getBoundingClientRect();
    return { w: Math.max(box.width, 1), h: Math.max(box.height, 1) };
  };
  let size = measured(); // asked for once, before the picture is in: with it, that takes 0.3 s for 300 nodes
  const fitting = () => Math.min(size.w / whole.w, size.h / whole.h, 1.4);
  let scale = 1;
  let middle = { x: 0, y: 0 };
  let isMoved = false; // by the reader: from then on a new window size changes nothing
  let lastShown = null;

  function apply() {
    const { w, h: height } = size;
    picture.setAttribute("width", w); // as a share of its holder it would be laid out anew at every step
    picture.setAttribute("height", height);
    picture.setAttribute("viewBox", [middle.x - w / scale / 2, middle.y - height / scale / 2, w / scale, height / scale].map((x) => x.toFixed(2)).join(" "));
  }

  /** All of it; or, where that would be too small to read, its beginning. */
  function fit(smallest = 0) {
    isMoved = false;
    scale = Math.max(fitting(), smallest);
    const width = Math.min(whole.w, size.w / scale);
    const height = Math.min(whole.h, size.h / scale);
    middle = { x: whole.x + width / 2, y: whole.y + height / 2 };
    apply();
  }

  function zoom(by, at = null) {
    isMoved = true;
    const old = scale;
    scale = Math.max(Math.min(fitting(), 0.1), Math.min(4, scale * by));
    if (at) {
      middle.x += at.x * (1 / old - 1 / scale);
      middle.y += at.y * (1 / old - 1 / scale);
    }
    apply();
  }

  /** Move as little as needed to bring a box into view, and come near enough to read it. */
  function show(box) {
    if (!box) return;
    lastShown = box;
    const isFar = scale < readableScale() - 1e-9;
    if (isFar) scale = readableScale();
    const { w, h: height } = size;
    const [halfW, halfH] = [w / scale / 2 - 12, height / scale / 2 - 12];
    const into = (position, half, from, to) => {
      if (to - from > 2 * half) return from + half; // too large: its beginning
      return Math.min(Math.max(position, to - half), from + half);
    };
    const moved = {
      x: into(middle.x, halfW, box.x - 130, box.x + box.w + 20),
      y: into(middle.y, halfH, box.y - 20, box.y + box.h + 20),
    };
    if (moved.x === middle.x && moved.y === middle.y && !isFar) return;
    middle = moved;
    apply();
  }

  const fingers = new Map();
  let moved = 0;
  picture.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    moved = 0;
  });
  picture.addEventListener("pointermove", (event) => {
    const from = fingers.get(event.pointerId);
    if (!from) return;
    const to = { x: event.clientX, y: event.clientY };
    moved += Math.hypot(to.x - from.x, to.y - from.y);
    if (fingers.size === 1 && moved > 4) {
      if (!picture.hasPointerCapture(event.pointerId)) picture.setPointerCapture(event.pointerId);
      picture.classList.add("dragging");
      isMoved = true;
      middle.x -= (to.x - from.x) / scale;
      middle.y -= (to.y - from.y) / scale;
      apply();
    }
    if (fingers.size === 2) {
      const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, finger]) => finger);
      const apart = (finger) => Math.hypot(finger.x - other.x, finger.y - other.y) || 1;
      zoom(apart(to) / apart(from));
    }
    fingers.set(event.pointerId, to);
  });
  const lift = (event) => {
    fingers.delete(event.pointerId);
    picture.classList.remove("dragging");
  };
  picture.addEventListener("pointerup", lift);
  picture.addEventListener("pointercancel", lift);
  picture.addEventListener("click", (event) => { if (moved > 4) event.stopPropagation(); }, true);
  picture.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // a plain wheel scrolls the page
    event.preventDefault();
    const box = picture.getBoundingClientRect();
    const at = { x: event.clientX - box.x - box.width / 2, y: event.clientY - box.y - box.height / 2 };
    zoom(Math.exp(-event.deltaY / 300), at);
  }, { passive: false });

  const start = () => {
    fit(readableScale());
    if (lastShown) show(lastShown);
  };
  before?.observer.disconnect();
  const observer = new ResizeObserver(() => {
    size = measured();
    if (isMoved) apply();
    else start();
  });
  observer.observe(holder);
  if (before?.place().isMoved) {
    ({ scale, middle, isMoved } = before.place());
    apply();
  } else start();
  holder.replaceChildren(picture);
  return { fit: () => fit(), zoom, show, observer, place: () => ({ scale, middle: { ...middle }, isMoved }), whole };
}

const LOOKS = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "opacity",
  "font-size", "font-weight", "text-anchor"];
const FONTS = "Arial,Helvetica,Liberation Sans,DejaVu Sans,sans-serif"; // as in looks.py

/** Give a copy the looks of its original as plain attributes: not every program reads styles. */
function sayLooks(original, copy) {
  const [looks, around] = [original, original.parentNode].map((element) => getComputedStyle(element));
  if (original.matches("text")) copy.setAttribute("xml:space", "preserve");
  for (const name of LOOKS) {
    const value = looks.getPropertyValue(name);
    if (value === around.getPropertyValue(name)) continue;
    copy.setAttribute(name, value === "650" ? "bold" : value.replace(/(\d)px/g, "$1"));
  }
}

/** The picture as it stands, as the text of a file of its own. */
function pictureText(page) {
  const { x, y, w, h: height } = page.canvas.whole;
  const ground = getComputedStyle(document.documentElement).getPropertyValue("--bg");
  const copies = page.drawing.layers.map((layer) => {
    const copy = layer.cloneNode(true);
    const originals = [...layer.querySelectorAll("*")];
    copy.querySelectorAll("*").forEach((element, n) => {
      sayLooks(originals[n], element);
    });
    for (const unseen of copy.querySelectorAll(".fold, .moving, .empty")) unseen.remove();
    return copy;
  });
  const whole = svg("svg", { xmlns: SVG, viewBox: [x, y, w, height].join(" "), width: w, height,
    "font-family": FONTS, "font-size": 14 });
  whole.append(svg("rect", { class: "bg", x, y, width: w, height, fill: ground }), ...copies);
  return { text: new XMLSerializer().serializeToString(whole), w, height };
}

function fileName(page, ending) {
  const safe = page.graph.cards[page.graph.root].id.replace(/[^A-Za-z0-9_-]+/g, "_").slice(0, 40);
  return `${safe || "graph"}.${ending}`;
}

function download(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = h("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function saveSvg(page) {
  if (!page.drawing) return;
  download(new Blob([pictureText(page).text], { type: "image/svg+xml" }), fileName(page, "svg"));
}

function savePng(page, notice) {
  if (!page.drawing) return;
  const { text, w, height } = pictureText(page);
  const factor = Math.min(2, 8000 / Math.max(w, height));
  const image = new Image();
  image.onload = () => {
    const canvas = h("canvas", { width: Math.round(w * factor), height: Math.round(height * factor) });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => download(blob, fileName(page, "png")));
  };
  image.onerror = () => notice(word("page.no_png"));
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
}
