// Numbers and small pieces of the page as text and elements. Data becomes text, never markup.

const UNKNOWN = "·";

/** A number with four significant digits, or all digits of its whole part, as Python's pictures. */
function short(x) {
  if (x === null || x === undefined) return UNKNOWN;
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "−inf";
  const size = Math.abs(x);
  if (size >= 9999.5 && size < 1e7) return signed(x.toFixed(0));
  return signed(general(x, 4));
}

/** A number as C's %g writes it. */
function general(x, digits) {
  if (x === 0) return "0";
  const [mantissa, exponent] = x.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (power < -4 || power >= digits) {
    const written = String(Math.abs(power)).padStart(2, "0");
    return `${trimmed(mantissa)}e${power < 0 ? "-" : "+"}${written}`;
  }
  return trimmed(x.toFixed(digits - 1 - power));
}

/** A number with about seven digits, for sentences and panels. */
function medium(x) {
  if (x === null || x === undefined || !Number.isFinite(x)) return short(x);
  return signed(general(x, 7));
}

/** All digits that tell it from its neighbours. */
function full(x) {
  return Number.isFinite(x) ? signed(String(x)) : short(x);
}

function signed(text) {
  return text === "-0" ? "0" : text.replaceAll("-", "−");
}

/** A number that a reader typed: a minus of any kind, a decimal point or comma. */
function typedNumber(text) {
  const plain = text.trim().replace(/[−–—﹣－]/g, "-").replace(",", ".");
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
}

const SVG = "http://www.w3.org/2000/svg";
const MATHML = "http://www.w3.org/1998/Math/MathML";

/** An element with attributes and children; strings become text. */
function element(space, name, attributes = {}, ...children) {
  const made = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const h = (name, attributes, ...children) => element(null, name, attributes, ...children);
const svg = (name, attributes, ...children) => element(SVG, name, attributes, ...children);
const math = (name, attributes, ...children) => element(MATHML, name, attributes, ...children);

const valueText = (x) => h("span", { class: "value" }, medium(x));
const gradientText = (x) => h("span", { class: "gradient" }, medium(x));
/** A number after a sign: a negative one in parentheses. */
const factorText = (x) => (x < 0 ? h("span", { class: "gradient" }, `(${medium(x)})`) : gradientText(x));
const bold = (text) => h("b", {}, text);

/** The fraction d y / d x, with d for a total and ∂ for a factor. */
function fraction(d, y, x) {
  const part = (name) =>
    math("mrow", {}, math("mo", { form: "prefix", lspace: "0.1em", rspace: "0.12em" }, d),
      math("mi", { mathvariant: "normal" }, name));
  return math("math", {}, math("mfrac", {}, part(y), part(x)));
}

/** A name cut to a width in pixels, as it is drawn on a card. */
function fitted(text, width, font = '650 14px Inter, "Segoe UI", Roboto, Helvetica, Arial, sans-serif') {
  fitted.ruler ??= document.createElement("canvas").getContext("2d");
  fitted.ruler.font = font;
  const isShort = (shown) => fitted.ruler.measureText(shown).width <= width;
  if (isShort(text)) return text;
  const letters = [...text].slice(0, 120);
  while (letters.length > 1 && !isShort(`${letters.join("")}…`)) letters.pop();
  return `${letters.join("")}…`;
}

/** A name cut to a length, for places that have no room for more. */
function cut(text, length) {
  const letters = [...text];
  return letters.length <= length ? text : `${letters.slice(0, length - 1).join("")}…`;
}
