"""Nothing covers anything else, and nothing is cut off, at the width of a phone and of a desk."""

from dataclasses import dataclass

import pytest
from graphs import network, neuron, tensors, wide_network

from tinygrad_edu import Value, rule
from tinygrad_edu.rules import RULES, operations

WIDTHS = (360, 820, 1440)

# Boxes in pixels of the window, with what they belong to. A text's box goes from the height of its
# capitals to its descenders.
GEOMETRY = """() => {
  const boxOf = (element) => {
    const {left, top, right, bottom} = element.getBoundingClientRect();
    return [left, top, right, bottom];
  };
  const glyphs = (text) => {
    const [left, top, right, bottom] = boxOf(text);
    const height = bottom - top;
    return [left, top + 0.16 * height, right, bottom - 0.03 * height];
  };
  const found = [];
  const add = (kind, owner, box, text = "") => found.push({kind, owner, box, text});
  const picture = document.querySelector("#picture > svg");
  for (const unit of picture.querySelectorAll(".unit")) {
    const owner = unit.dataset.key;
    for (const box of unit.querySelectorAll(".box:not(.under)")) add("card", owner, boxOf(box));
    for (const op of unit.querySelectorAll(".op")) add("op", owner, boxOf(op));
    for (const text of unit.querySelectorAll("text")) {
      const kind = text.classList.contains("opt") ? "symbol" : "text";
      if (text.textContent) add(kind, owner, glyphs(text), text.textContent);
    }
    for (const bars of unit.querySelectorAll(".bars, .zero")) {
      if (bars.getAttribute("d")) add("bars", owner, boxOf(bars));
    }
    const beside = unit.nextElementSibling;
    if (beside?.matches(".fold")) add("fold", owner, boxOf(beside.querySelector("circle")));
  }
  picture.querySelectorAll(".local:not(.empty)").forEach((local, n) => {
    add("pill", `pill ${n}`, boxOf(local.querySelector(".pill")));
    add("derivative", `pill ${n}`, glyphs(local.querySelector("text")), local.textContent);
  });
  picture.querySelectorAll(".frame").forEach((frame, n) => {
    const title = frame.parentNode.querySelector(".title");
    add("frame", `frame ${n}`, boxOf(frame));
    add("title", `frame ${n}`, glyphs(title), title.textContent);
    add("frame fold", `frame ${n}`, boxOf(frame.parentNode.querySelector(".fold circle")));
  });
  return found;
}"""

# Whatever reaches over an edge of the window and is not inside something that scrolls.
SPILLED = """() => [...document.querySelectorAll("header *, main *, dialog[open], dialog[open] *")]
  .filter((x) => x.checkVisibility())
  .filter((x) => !x.closest("#picture, #tablebox, .cells, pre, .hidden, #ticks"))
  .filter((x) => {
    const {left, right} = x.getBoundingClientRect();
    return left < -0.5 || right > document.documentElement.clientWidth + 0.5;
  })
  .map((x) => x.outerHTML.slice(0, 120))"""

# How far a unit reaches out of the picture's window, on any side.
HIDDEN = """(selector) => {
  const stage = document.querySelector("#picture").getBoundingClientRect();
  return [...document.querySelectorAll(selector)].map((unit) => {
    const box = unit.querySelector(".box").getBoundingClientRect();
    return Math.max(stage.left - box.left, stage.top - box.top, box.right - stage.right,
      box.bottom - stage.bottom);
  });
}"""


@dataclass(frozen=True)
class Part:
    """A drawn thing and its box: left, top, right, bottom."""

    kind: str
    owner: str
    box: tuple
    text: str = ""

    def __str__(self):
        return f"{self.kind} {self.text!r} of {self.owner}"


def parts_of(page):
    return [
        Part(p["kind"], p["owner"], tuple(p["box"]), p["text"]) for p in page.evaluate(GEOMETRY)
    ]


def overlap(a, b):
    """How many pixels two boxes have in common, in the direction in which it is less."""
    (left, top, right, bottom), (left2, top2, right2, bottom2) = a.box, b.box
    return min(min(right, right2) - max(left, left2), min(bottom, bottom2) - max(top, top2))


def sticks_out(inner, outer):
    """How many pixels a box reaches out of another."""
    (left, top, right, bottom), (left2, top2, right2, bottom2) = inner.box, outer.box
    return max(left2 - left, top2 - top, right - right2, bottom - bottom2)


def crowded(parts):
    """Pairs that cover each other and should not."""
    kinds = {"card", "op", "pill", "frame fold", "title"}
    things = [p for p in parts if p.kind in kinds]
    return [
        f"{a} covers {b}"
        for i, a in enumerate(things)
        for b in things[i + 1 :]
        if overlap(a, b) > 0.25 and not (a.owner == b.owner and {a.kind, b.kind} == {"card", "op"})
    ]


def outside(parts):
    """Texts and bars that leave their card, pill, circle or frame."""
    around = {"text": "card", "bars": "card", "symbol": "op", "derivative": "pill",
              "title": "frame", "fold": "card"}  # fmt: skip
    homes = {(p.kind, p.owner): p for p in parts}
    return [
        f"{p} leaves its {around[p.kind]}"
        for p in parts
        if p.kind in around and sticks_out(p, homes[around[p.kind], p.owner]) > 0
    ]


def covered_texts(parts):
    """Texts, bars, circles and buttons of one card that cover each other."""
    inside = {"text", "bars", "op", "fold"}
    by_owner = {}
    for p in parts:
        if p.kind in inside:
            by_owner.setdefault(p.owner, []).append(p)
    return [
        f"{a} covers {b}"
        for own in by_owner.values()
        for i, a in enumerate(own)
        for b in own[i + 1 :]
        if {a.kind, b.kind} != {"bars"} and overlap(a, b) > 0.25
    ]


def long_numbers():
    x, y = Value(-1.2345e300, "x"), Value(1.2345e-300, "y")
    z = x * y + x / -123456.0 - 1.0000001e-200
    return z * Value(-1234567.0, "w")


def long_names():
    names = ["W" * 60, "a very long name of an input that does not end", "長い名前" * 20, "ﷺ" * 9]
    total = Value(1.0, "i" * 200)
    for name in names:
        total = total * Value(2.0, name)
        total.label = name[::-1]
    return total


@rule("a very long operation name")
def long_operation(x, /):
    """Twice x; for this file only, so it leaves the registry that other tests walk."""
    return x * 2.0, lambda g: (g * 2.0,)


del RULES["long_operation"]
del operations.long_operation


def long_operations():
    x = Value(0.5, "x")
    y = long_operation(x.softplus().leaky_relu())
    return y * y.clip(0.0, 1.0)


GRAPHS = {
    "neuron": (neuron, ""),
    "folded network": (lambda: network(3, 2, 1), ""),
    "open network": (lambda: network(3, 2, 1), "folded="),
    "long numbers": (long_numbers, ""),
    "long names": (long_names, ""),
    "long operations": (long_operations, ""),
    "tensors": (lambda: tensors("a tensor with a long name"), ""),
    "recorded tensors": (wide_network, ""),
    "open recorded tensors": (wide_network, "folded="),
}


def resize(page, width):
    """Give the window a width, and the page the two frames that it takes to refit its picture."""
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def check_width(page, width):
    scroll = page.evaluate("document.documentElement.scrollWidth")
    assert scroll <= width, f"{scroll} in a window of {width}"
    assert page.evaluate(SPILLED) == [], f"in a window of {width}"


@pytest.mark.parametrize("graph", ["apples", *GRAPHS])
def test_nothing_covers_anything_else_and_nothing_is_cut_off(open_page, two_fruits, graph):
    make, fragment = GRAPHS.get(graph, (two_fruits, ""))
    root = make()
    root.backward()
    page = open_page(root, fragment=fragment)
    for width in WIDTHS:
        resize(page, width)
        parts = parts_of(page)
        assert sum(p.kind == "card" for p in parts) >= 3
        assert crowded(parts) == []
        assert outside(parts) == []
        assert covered_texts(parts) == []
        check_width(page, width)


@pytest.mark.parametrize("make", [neuron, long_names])
def test_whatever_is_open_fits_too(open_page, make):
    root = make()
    root.backward()
    page = open_page(root, title="A title " * 12)

    def check_widths():
        for width in WIDTHS:
            resize(page, width)
            check_width(page, width)

    for keys in (["t"], ["p", "ArrowRight"], ["?"]):
        for key in keys:
            page.keyboard.press(key)
        check_widths()
    page.keyboard.press("Escape")
    page.locator("#save > summary").click()
    check_widths()


# The words of the table's head and of its names that are broken in two.
BROKEN_WORDS = """() => [...document.querySelectorAll("#tablebox th")].flatMap((cell) => {
  const [text] = cell.childNodes;
  return [...text.data.matchAll(/\\w+/g)].filter(({0: word, index}) => {
    const range = document.createRange();
    range.setStart(text, index);
    range.setEnd(text, index + word.length);
    return range.getClientRects().length > 1;
  }).map(([word]) => word);
})"""


def test_the_table_breaks_no_word(open_page, two_fruits):
    price = two_fruits()
    price.backward()
    page = open_page(price, width=360)
    page.keyboard.press("t")
    assert page.evaluate(BROKEN_WORDS) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_node_that_runs_is_in_view(open_page, two_fruits, width):
    page = open_page(two_fruits(), width=width)
    runs = ".unit.forward, .unit.backward, .unit.receives.root"
    for step in range(1, 10):
        page.keyboard.press("ArrowRight")
        (hidden,) = page.evaluate(HIDDEN, runs)
        assert hidden < 0, f"step {step}"


@pytest.mark.parametrize("width", [360, 1440])
def test_the_node_that_a_question_is_about_is_in_view(open_page, two_fruits, width):
    price = two_fruits()
    price.backward()
    page = open_page(price, width=width)
    for key in ("p", "ArrowRight"):
        page.keyboard.press(key)
    assert page.locator("#question").inner_text().startswith("price")
    assert max(page.evaluate(HIDDEN, ".unit.root")) < 0


def test_on_a_desk_all_of_a_small_graph_stays_in_view(open_page, two_fruits):
    page = open_page(two_fruits())
    assert max(page.evaluate(HIDDEN, ".unit")) < 0
    page.keyboard.press("p")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    assert page.locator("#ask").is_visible()
    assert max(page.evaluate(HIDDEN, ".unit")) < 0


def test_fingers_can_hit_the_buttons(open_page, two_fruits):
    page = open_page(two_fruits(), fragment="in.apple=120")  # so that there is something to reset
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        sizes = page.evaluate(
            """() => [...document.querySelectorAll("button, summary, input:not([data-slider])")]
            .filter((x) => x.checkVisibility()).map((x) => {
              const {width, height} = x.getBoundingClientRect();
              return [x.id || x.outerHTML.slice(0, 60), Math.min(width, height)];
            })"""
        )
        assert {"first", "back", "play", "next", "last", "scrub"} <= {name for name, _ in sizes}
        assert [name for name, least in sizes if least < 24] == []
