"""For every reader: axe-core finds nothing, no meaning by colour alone, contrast, stillness."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from graphs import network, tensors, wide_network

from tinygrad_edu import Stop, Value

# What axe-core finds, what it is in doubt about, and the rules that something passed. It cannot see
# what lies behind the text of a picture, nor whether a single sign such as ∂ is text: contrast is
# left out of the doubts, and measured below.
RUN_AXE = """async (rules) => {
  const only = rules ? {runOnly: {type: "rule", values: rules}} : {};
  const {violations, incomplete, passes} = await axe.run(document, only);
  const told = ({id, nodes}) =>
    `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160))}`;
  const doubts = incomplete.filter(({id}) => id !== "color-contrast");
  return [violations.map(told), doubts.map(told), passes.map(({id}) => id)];
}"""

# The colours of every text of the picture, as CSS writes them, and of what was drawn behind it.
COLOURS = """() => {
  const stage = getComputedStyle(document.querySelector(".stage")).backgroundColor;
  const within = ({left, right, top, bottom}, x, y) =>
    left <= x && x <= right && top <= y && y <= bottom;
  const find = (selector) => [...document.querySelectorAll(selector)];
  const shapes = find("#picture :is(.box, .back, .op, .pill)");
  return find("#picture text").filter((text) => text.textContent).map((text) => {
    const {x, y, width, height} = text.getBoundingClientRect();
    const own = text.closest(".unit, .local") ?? text;
    const behind = shapes.filter((shape) => own.contains(shape)
      && shape.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING
      && getComputedStyle(shape).fill !== "none"
      && within(shape.getBoundingClientRect(), x + width / 2, y + height / 2));
    const background = behind.length ? getComputedStyle(behind.at(-1)).fill : stage;
    const name = `${text.getAttribute("class")} ${text.textContent}`;
    return [name, getComputedStyle(text).fill, background];
  });
}"""

LABELS = """() => [...document.querySelectorAll("#picture .unit:not(.constant)")].map((unit) => [
  unit.getAttribute("aria-label"),
  [...unit.querySelectorAll(".k")].map((k) => k.textContent)])"""


@pytest.fixture(scope="module")
def axe():
    """The text of axe-core."""
    found = find_spec("axe_playwright_python")
    if found is None:
        pytest.skip("axe-core is not installed (pip install -e '.[browser]')")
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")


def too_large():
    x = Value(1.0, "x")
    for _ in range(1600):
        x = x + 1.0
    return x


STATES = {
    "at the end": [],
    "forward": ["Home", "ArrowRight", "ArrowRight", "ArrowRight"],
    "backward": ["Home", *["ArrowRight"] * 7],
    "table": ["t"],
    "keys": ["?"],
    "predict": ["p", "ArrowRight"],
}
GRAPHS = {
    "folded network": lambda: network(3, 2, 1),
    "tensors": tensors,
    "recorded tensors": wide_network,
    "too large to draw": too_large,
}


LESSON = {"stops": [Stop("Look.", ask="falsified"), Stop("Next.")], "ask": ["order"]}


@pytest.mark.parametrize("state", [*STATES, *GRAPHS, "lesson"])
def test_axe_finds_nothing(open_page, two_fruits, axe, state):
    root = GRAPHS.get(state, two_fruits)()
    root.backward()
    page = open_page(root, **(LESSON if state == "lesson" else {}))
    for key in STATES.get(state, []):
        page.keyboard.press(key)
    # evaluated from outside, because the page's own policy lets no other script in
    page.evaluate(f"{axe}; undefined")
    violations, doubts, passes = page.evaluate(RUN_AXE)
    assert violations == []
    assert doubts == []
    assert len(passes) > 15
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(RUN_AXE, ["color-contrast"]) == [[], [], ["color-contrast"]]


def luminance(colour):
    """The relative luminance of WCAG 2 of a colour such as rgb(0, 95, 163)."""
    parts = [float(x) / 255 for x in re.fullmatch(r"rgb\((.*)\)", colour)[1].split(", ")]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def style(page, selector, name):
    """A computed style of the first element that a selector finds."""
    return page.locator(selector).first.evaluate("(x, name) => getComputedStyle(x)[name]", name)


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_as_wcag_defines_it():
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21)
    assert contrast("rgb(119, 119, 119)", "rgb(255, 255, 255)") == pytest.approx(4.48, abs=5e-3)


@pytest.mark.parametrize("make", [None, lambda: network(3, 2, 1)], ids=["apples", "network"])
def test_every_text_of_the_picture_has_contrast(open_page, two_fruits, make):
    page = open_page((make or two_fruits)())
    weak, seen = set(), 0
    for _ in range(12):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for text, colour, background in page.evaluate(COLOURS):
                seen += 1
                if contrast(colour, background) < 4.5:
                    weak.add(f"{text}: {colour} on {background}")
        page.keyboard.press("ArrowRight")
    assert seen > 400
    assert sorted(weak) == []


def test_on_paper_the_text_is_dark_whatever_the_screen_is(open_page, two_fruits):
    page = open_page(two_fruits(), dark=True)
    page.emulate_media(media="print", color_scheme="dark")
    for selector in ("h1", "#say p", "#program .line", "#inputs .label", "#why .question"):
        assert contrast(style(page, selector, "color"), "rgb(255, 255, 255)") > 4.5, selector
    for text, colour, background in page.evaluate(COLOURS):
        assert contrast(colour, background) >= 4.5, text


def test_forward_is_solid_and_backward_is_dashed(open_page, two_fruits):
    page = open_page(two_fruits())
    page.keyboard.press("ArrowRight")
    assert (
        style(page, ".edge.forward path", "strokeDasharray")
        == "none"
        == style(page, ".key-value", "strokeDasharray")
    )
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert style(page, ".edge.backward path", "strokeDasharray") != "none"
    assert style(page, ".key-gradient", "strokeDasharray") != "none"


def test_steps_forward_are_round_and_steps_backward_are_square(open_page, two_fruits):
    page = open_page(two_fruits())
    kinds = [x.get_attribute("class") or "" for x in page.locator("#ticks i").all()]
    assert len(kinds) == 11
    round_, square = (style(page, f"#ticks i:nth-of-type({n})", "borderRadius") for n in (2, 7))
    assert round_ == "50%"
    assert square.endswith("px")


@pytest.mark.parametrize("make", [None, lambda: network(3, 2, 1), tensors, wide_network])
def test_every_number_says_whether_it_is_a_value_or_a_gradient(open_page, two_fruits, make):
    root = (make or two_fruits)()
    root.backward()
    page = open_page(root)
    units = page.evaluate(LABELS)
    assert units
    for name, labels in units:
        assert re.search(r", value .*, gradient ", name), name
        assert {"value", "gradient"} <= set(labels), f"{name} shows only {labels}"


def test_columns_and_fields_say_what_they_are(open_page, two_fruits):
    page = open_page(two_fruits())
    heads = page.locator(".inputs.head span").all_inner_texts()
    assert heads[-2:] == ["value", "gradient"]
    assert page.get_by_role("textbox", name="value of tax").count() == 1
    assert page.get_by_role("slider", name="tax").count() == 1
    page.keyboard.press("t")
    columns = page.get_by_role("columnheader").all_inner_texts()
    assert columns == ["node", "made by", "value", "gradient", "local derivatives"]


def count_dots(page):
    """The most moving dots that are seen at once while three steps are taken."""
    return page.evaluate(
        """async () => {
        let most = 0;
        for (let step = 0; step < 3; step++) {
          document.getElementById("next").click();
          for (let frame = 0; frame < 3; frame++) {
            most = Math.max(most, document.querySelectorAll(".moving").length);
            await new Promise(requestAnimationFrame);
          }
        }
        return most;
      }"""
    )


def test_dots_move_only_for_those_who_do_not_mind(open_page, two_fruits):
    assert count_dots(open_page(two_fruits(), reduced_motion=False)) == 2
    assert count_dots(open_page(two_fruits(), reduced_motion=True)) == 0
