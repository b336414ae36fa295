"""Graphs of every depth can be read on every screen; slides, cells, phones, paper, saved states."""

import random
import re

import pytest
from graphs import named, network, neuron
from page_reader import field, go_to, set_field

from tinygrad_edu import Tensor, Value, nn, to_html

SCREENS = [(1280, 720), (1440, 900), (1920, 1080)]

SMALLEST = """(selector) => Math.min(...[...document.querySelectorAll(selector)]
  .filter((x) => x.textContent.trim() && x.checkVisibility())
  .map((x) => parseFloat(getComputedStyle(x).fontSize) * (x.getScreenCTM?.().a ?? 1)))"""

IN_STAGE = """() => {
  const stage = document.querySelector("#picture").getBoundingClientRect();
  const running = document.querySelector(".unit.forward, .unit.backward").getBoundingClientRect();
  return running.left >= stage.left && running.right <= stage.right
    && running.top >= stage.top && running.bottom <= stage.bottom
    && stage.top >= 0 && stage.bottom <= innerHeight;
}"""


def chain():
    y = Value(0.3, "x")
    for i in range(150):
        y = y.tanh() if i % 3 == 0 else y * 1.02 if i % 3 == 1 else y + 0.01
    return named(y, "y")


def readme():
    """The graph in micrograd's README."""
    a, b = Value(-4.0, "a"), Value(2.0, "b")
    c, d = a + b, a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    f = (c - d) ** 2
    return named(f / 2.0 + 10.0 / f, "g")


GRAPHS = {"chain": chain, "readme": readme, "network": lambda: network(8, 8, 1)}


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_running_card_is_in_view_and_all_texts_can_be_read(open_page, graph):
    page = open_page(GRAPHS[graph](), fragment="folded=")
    for width, height in SCREENS:
        page.set_viewport_size({"width": width, "height": height})
        last = int(page.locator("#scrub").get_attribute("max"))
        page.keyboard.press("0")  # even from far away the next step comes back
        for step in (1, last // 3, last // 2 - 2, last - 1):
            go_to(page, step)
            assert page.evaluate(IN_STAGE), (width, step)
            least = page.evaluate(SMALLEST, "#picture .unit text, #picture .pt")
            assert least >= (12 if width == 1920 else 10) - 0.01
        assert page.evaluate("document.documentElement.scrollHeight") <= 3 * height


def test_a_long_chain_stands_in_rows_and_its_constants_on_badges(open_page):
    page = open_page(chain(), fragment="folded=")
    assert page.locator("#picture .constant").count() == 0
    assert page.locator("#picture .opt", has_text="× 1.02").count() == 50
    boxes = [unit.bounding_box() for unit in page.locator("#picture .unit").all()[:8]]
    rows = {round(box["y"] + box["height"] / 2) for box in boxes}
    assert len(rows) in (2, 3, 4)


def test_a_long_program_opens_in_parts_that_are_named_after_their_ends(open_page):
    page = open_page(chain())
    parts = page.locator("#picture .module").all()
    assert 4 <= len(parts) <= 12
    assert page.locator('.unit[data-key^="card:"]').count() == 1  # the input
    assert re.match(r"v1 … v\d+", parts[0].locator(".name").text_content())


@pytest.mark.parametrize("width", [360, 1280, 1920])
def test_sliders_have_room_and_numbers_are_whole(open_page, width):
    rng = random.Random(0)
    w = Tensor([[rng.gauss(0, 1e-3) for _ in range(2)] for _ in range(3)], "W")
    x = Tensor([[rng.gauss(0, 1) for _ in range(3)] for _ in range(2)]).data
    loss = named(nn.cross_entropy(x @ w + Tensor([0.5, -12345.678], "b"), [0, 1]), "loss")
    loss.backward()
    page = open_page(loss, width=width, height=740)
    assert min(s.bounding_box()["width"] for s in page.locator("[data-slider]").all()) >= 110
    clipped = "(all) => all.filter((x) => x.scrollWidth > x.clientWidth + 1).length"
    assert page.locator("[data-field]").evaluate_all(clipped) == 0
    broken = "(all) => all.filter((x) => x.offsetHeight > 30).length"
    assert page.locator("#inputs output").evaluate_all(broken) == 0
    names = page.locator("#inputs .label").all_text_contents()
    assert names == [f"W[{i}, {j}]" for i in range(3) for j in range(2)] + ["b[0]", "b[1]"]


def test_the_program_has_the_present_numbers(open_page, two_fruits):
    page = open_page(two_fruits())
    for x in (120.0, 1e-5, 1e16, 0.25):
        set_field(page, "apple", x)
        line = page.locator("#program .line", has_text=re.compile("^apple = ")).first
        assert line.text_content().strip() == f"apple = {x!r}"
    page.locator("#reset").click()
    assert "apple = 100.0" in page.locator("#program").text_content()
    assert field(page, "apple").input_value() == "100"


def test_a_slide_is_legible_from_afar_and_obeys_a_presenter(open_page, two_fruits):
    page = open_page(two_fruits(), layout="slide", width=960, height=540)
    for step in range(1, 5):
        page.keyboard.press("PageDown")
        assert page.evaluate(IN_STAGE), step
    page.keyboard.press("PageUp")
    assert page.locator("#scrub").input_value() == "3"
    for panel in range(1, page.locator("#shown button").count() + 1):
        page.keyboard.press(str(panel))
        assert page.locator(".right > .panel:visible, .codes:visible").count() == 1
        assert page.evaluate(SMALLEST, "#picture text") >= 15.99
        assert page.evaluate(SMALLEST, ".transport :is(p, button), .panel :is(h2, button)") >= 15.99
    assert page.evaluate("document.documentElement.scrollHeight") == 540


def test_in_a_cell_inputs_and_why_stand_beside_the_graph(open_page, two_fruits):
    page = open_page(two_fruits(), layout="cell", width=900, height=560)
    stage = page.locator("#picture").bounding_box()
    for panel in ("#inputs", "#why .question"):
        box = page.locator(panel).bounding_box()
        assert box["x"] > stage["x"] + stage["width"]
        assert box["y"] < 560
    assert page.evaluate("document.documentElement.scrollHeight") == 560


def test_on_a_phone_a_tap_shows_its_answer_and_a_swipe_scrolls(open_page, two_fruits):
    price = two_fruits()
    price.backward()
    page = open_page(price, width=360, height=740, has_touch=True, is_mobile=True)
    page.locator("#first").tap()
    assert "Tap ▶" in page.locator("#say").inner_text()
    page.locator("#last").tap()
    page.locator('.unit[data-key="card:0"]').tap()
    answer = page.locator("#why .question").bounding_box()
    stage = page.locator(".stage").bounding_box()
    assert stage["y"] >= 0
    assert stage["y"] + stage["height"] <= answer["y"] < 740 - answer["height"]
    touch = page.locator("#picture > svg").evaluate("(x) => getComputedStyle(x).touchAction")
    assert touch == "pan-y"


def test_a_saved_state_opens_as_it_was(open_page, open_file, tmp_path):
    page = open_page(neuron())
    set_field(page, "x", 0.75)
    go_to(page, 7)
    for n in range(2):  # a page that was saved can be saved
        page.locator("#save > summary").click()
        with page.expect_download() as download:
            page.locator("#save-page").click()
        path = tmp_path / f"saved{n}.html"
        download.value.save_as(path)
        page = open_file(path)
        assert field(page, "x").input_value() == "0.75"
        assert page.locator("#scrub").input_value() == "7"


def test_names_from_right_to_left_leave_the_program_as_it_is(open_page):
    x, w = Value(2.0, "\u05d0\u05d1"), Value(3.0, "\u05d2\u05d3")
    page = open_page(named(x * w, "y"))
    line = page.locator("#program pre").first.locator(".line").last
    places = line.locator("bdi").evaluate_all(
        "(all) => all.map((x) => x.getBoundingClientRect().x)"
    )
    assert len(places) == 2
    assert places == sorted(places)


def test_few_sheets_of_paper(open_page, two_fruits):
    for root, fragment, most in ((two_fruits(), "", 2), (network(8, 8, 1), "folded=", 6)):
        root.backward()
        page = open_page(root, fragment=fragment)
        sheets = len(re.findall(rb"/Type\s*/Page[^s]", page.pdf(format="A4")))
        assert 1 <= sheets <= most


def test_what_is_not_a_number_stands_out(open_page):
    y = named(Value(float("nan"), "x") * 2.0 + Value(1.0, "z"), "y")
    page = open_page(y, fragment="step=9")
    unusual = page.locator(".unit.unusual .name").all_text_contents()
    assert {"x", "y"} <= set(unusual)
    assert "z" not in unusual


STEPS = """() => {
  const [first, next] = ["first", "next"].map((id) => document.getElementById(id));
  first.click();
  const times = [];
  for (let n = 0; n < 8; n++) {
    const start = performance.now();
    next.click();
    document.body.offsetHeight;
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[4];
}"""


def test_a_step_of_a_large_graph_costs_little_more_than_one_of_a_small_one(open_page):
    small = open_page(neuron())
    large = open_page(network(9, 8, 1), fragment="folded=")
    assert large.locator("#picture .unit").count() > 310
    ratios = []
    while len(ratios) < 8 and min(ratios, default=9) > 6:  # the machine has other work, too
        ratios.append(1 / small.evaluate(STEPS) * large.evaluate(STEPS))
    assert min(ratios) <= 6, ratios


def test_a_layout_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match=r"layout must be one of .*'slide'.*, not 'poster'"):
        to_html(Value(1.0), layout="poster")
