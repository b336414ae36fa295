"""Everything works from the keyboard, and the focus is always to be seen."""

import pytest
from graphs import named, network, neuron
from page_reader import field, go_to, look, show_table

from tinygrad_edu import Value

FOCUSED = """() => {
  const target = document.activeElement;
  const shape = target.querySelector(".box:not(.under), :scope > circle") ?? target;
  const looks = () => {
    const style = getComputedStyle(shape);
    const outline = style.outlineStyle === "none" ? "" : style.outlineWidth + style.outlineColor;
    return `${outline} ${style.stroke} ${style.strokeWidth}`;
  };
  const focused = looks();
  target.blur();
  const without = looks();
  target.focus({ focusVisible: true, preventScroll: true });
  const { x, y, width, height } = target.getBoundingClientRect();
  const stage = document.querySelector("#picture").getBoundingClientRect();
  return {
    id: target.id,
    key: target.getAttribute("data-key"),
    field: target.getAttribute("data-field"),
    slider: target.getAttribute("data-slider"),
    label: target.getAttribute("aria-label"),
    isBody: target === document.body,
    isSeen: focused !== without,
    inStage: x >= stage.x && y >= stage.y && x + width <= stage.right && y + height <= stage.bottom,
  };
}"""
"""What has the focus, and whether it looks different than without."""


def tab_through(page, most=100):
    """Everything that Tab reaches, once around the page."""
    reached = []
    for _ in range(most):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused["isBody"] or reached[:1] == [focused]:
            return reached
        reached.append(focused)
    raise AssertionError(f"Tab has not come around after {most} stops")


def step_of(page):
    return int(page.locator("#scrub").input_value())


def view_box(page):
    """What of the picture is on the screen, once the browser has drawn it."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    return [float(x) for x in page.locator("#picture svg").get_attribute("viewBox").split()]


def has_focus(page, selector):
    return page.locator(selector).evaluate("(node) => node === document.activeElement")


def test_a_whole_walk(open_page):
    page = open_page(neuron())
    last = look(page).last
    for step in range(1, last + 1):
        page.keyboard.press("ArrowRight")
        assert step_of(page) == step
    page.keyboard.press("ArrowRight")
    assert step_of(page) == last
    page.keyboard.press("ArrowLeft")
    assert step_of(page) == last - 1
    page.keyboard.press("Home")
    assert step_of(page) == 0
    page.keyboard.press("ArrowLeft")
    assert step_of(page) == 0
    page.keyboard.press("End")
    assert step_of(page) == last
    assert look(page).say[0].startswith("Done")


def test_space_plays_and_pauses(open_page):
    page = open_page(neuron(), clock=True)
    play = page.locator("#play")
    page.keyboard.press("Space")
    assert play.inner_text() == "Pause"
    page.clock.run_for(4_000)
    reached = step_of(page)
    assert 2 <= reached <= 6
    page.keyboard.press("Space")
    assert play.inner_text() == "Play"
    page.clock.run_for(10_000)
    assert step_of(page) == reached
    page.keyboard.press("Space")
    page.clock.run_for(30_000)
    assert step_of(page) == look(page).last
    assert play.inner_text() == "Play"  # it stops by itself
    page.keyboard.press("Space")  # and starts again from the beginning
    assert step_of(page) == 0


def test_tab_reaches_everything_and_the_focus_is_seen(open_page):
    page = open_page(neuron(), fragment="step=3")
    reached = tab_through(page)
    unseen = [stop for stop in reached if not stop["isSeen"]]
    assert unseen == []
    assert len([stop for stop in reached if stop["key"]]) == 1  # the graph is one stop
    ids = [stop["id"] for stop in reached]
    assert ids.index("play") < 8
    for kind in ("field", "slider"):
        assert {stop[kind] for stop in reached} - {None} == {"x", "w"}
    assert {"find", "predict", "table", "help", "scrub"} <= set(ids)
    assert {"first", "back", "play", "next", "last"} <= set(ids)


def test_the_focus_is_seen_on_modules_and_in_dark_mode(open_page):
    page = open_page(network(2, 1), dark=True, fragment="folded=0.1&select=module:0")
    reached = tab_through(page)
    assert [stop for stop in reached if not stop["isSeen"]] == []
    labels = " ".join(stop["label"] or "" for stop in reached)
    assert "fold" in labels.lower()


@pytest.fixture
def long_page(open_page):
    """A chain that is too wide to be read when all of it is on the screen."""
    y = Value(0.5, "x")
    for i in range(30):
        y = named(y + float(i), f"y{i}")
    return open_page(y)


def test_a_graph_wider_than_the_screen_opens_where_it_begins(long_page):
    long_page.locator('.unit[data-key="card:0"]').evaluate("(unit) => unit.focus()")
    assert long_page.evaluate(FOCUSED)["inStage"]


def test_arrows_go_from_card_to_card_and_bring_each_into_view(long_page):
    long_page.locator("#help").focus()
    long_page.keyboard.press("Tab")
    nodes = [long_page.evaluate(FOCUSED)]
    for key in ["ArrowRight"] * 30 + ["ArrowLeft"] * 2 + ["ArrowUp"]:
        long_page.keyboard.press(key)
        nodes.append(long_page.evaluate(FOCUSED))
    assert len({stop["key"] for stop in nodes[:31]}) == 31
    assert [stop["key"] for stop in nodes if not stop["inStage"]] == []
    assert nodes[-2]["key"] == nodes[28]["key"]
    assert nodes[-1]["key"] not in {nodes[-2]["key"], nodes[27]["key"], nodes[29]["key"]}
    assert step_of(long_page) == 0


def test_arrows_step_after_a_click_on_a_card(open_page):
    page = open_page(neuron())
    page.locator('.unit[data-key="card:3"]').click()
    page.keyboard.press("ArrowRight")
    assert step_of(page) == 1


def test_enter_chooses_a_node(open_page):
    page = open_page(neuron())
    page.keyboard.press("End")
    unit = page.locator('.unit[data-key="card:3"]')
    page.locator("#help").focus()
    page.keyboard.press("Tab")
    while not has_focus(page, '.unit[data-key="card:3"]'):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    name = unit.locator("title").text_content().split("\n")[0]
    assert unit.get_attribute("aria-pressed") == "true"
    assert page.locator('.unit[aria-pressed="true"]').count() == 1
    assert page.locator("#why .question").inner_text().endswith(f"change with {name}?")
    assert has_focus(page, '.unit[data-key="card:3"]')  # so that Tab goes on from here


def test_enter_unfolds_and_folds(open_page):
    page = open_page(network(2, 1), fragment="folded=0")
    button = page.locator('.fold[aria-label^="Unfold"]').first
    name = button.get_attribute("aria-label").removeprefix("Unfold ")
    button.focus()
    page.keyboard.press("Enter")
    other = page.locator(f'.fold[aria-label="Fold {name}"]')
    other.focus()
    page.keyboard.press("Enter")
    assert page.locator(f'.fold[aria-label="Unfold {name}"]').count() == 1
    assert other.count() == 0
    assert not has_focus(page, "body")  # what was folded has it, so that Tab goes on from there


def test_letters_and_signs(open_page):
    page = open_page(neuron())
    for _ in range(2):  # on and off
        before = page.locator("#predict").get_attribute("aria-pressed")
        page.keyboard.press("p")
        assert page.locator("#predict").get_attribute("aria-pressed") != before
    page.keyboard.press("T")
    assert page.locator("#tablebox").is_visible()
    assert page.locator("#picture").is_hidden()
    page.keyboard.press("t")
    assert page.locator("#tablebox").is_hidden()
    whole = view_box(page)
    page.keyboard.press("+")
    assert view_box(page)[2] < whole[2]
    page.keyboard.press("0")
    assert view_box(page) == pytest.approx(whole)
    page.keyboard.press("-")
    assert view_box(page)[2] > whole[2]
    page.keyboard.press("f")
    assert "no module" in page.locator("#notice").inner_text()


def test_the_list_of_keys(open_page):
    page = open_page(neuron())
    page.keyboard.press("?")
    keys = page.locator("#keys")
    assert keys.is_visible()
    for key in ("ArrowRight", "t", "p"):
        page.keyboard.press(key)
    page.keyboard.press("Escape")
    assert keys.is_hidden()
    assert step_of(page) == 0  # keys that were pressed while it was open did nothing
    assert page.locator("#tablebox").is_hidden()
    assert page.locator("#predict").get_attribute("aria-pressed") == "false"


def test_find_a_node(open_page, two_fruits):
    page = open_page(two_fruits())
    for typed, name in (("SUBTOTAL", "subtotal"), ("orange_p", "orange_price"), ("ax", "tax")):
        page.keyboard.press("/")
        assert has_focus(page, "#find")
        page.locator("#find").fill(typed)
        page.keyboard.press("Enter")
        chosen = page.locator('.unit[aria-pressed="true"]')
        assert chosen.get_attribute("aria-label").startswith(f"{name}, ")
        assert chosen.evaluate("(node) => node === document.activeElement")
    page.keyboard.press("/")
    page.locator("#find").fill("banana")
    page.keyboard.press("Enter")
    assert page.locator("#notice").inner_text() == "No node is called banana."
    page.keyboard.press("Escape")
    assert not has_focus(page, "#find")


def test_keys_in_fields_belong_to_the_fields(open_page):
    page = show_table(open_page(neuron()))
    go_to(page, 3)
    before = look(page)
    for target in (page.locator("#find"), field(page, "x")):
        target.click()
        page.keyboard.type("pt/+-0f? ")
        for key in ("ArrowLeft", "ArrowRight", "Home", "End"):
            page.keyboard.press(key)
        assert "pt/+-0f? " in target.input_value()
        target.fill("")
    page.keyboard.press("Tab")
    assert look(page) == before
    assert page.locator("#keys").is_hidden()
    assert page.locator("#predict").get_attribute("aria-pressed") == "false"


def test_the_scrubber_moves_with_its_own_keys(open_page):
    page = open_page(neuron())
    page.locator("#scrub").focus()
    steps = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "Home"):
        page.keyboard.press(key)
        steps.append(step_of(page))
    assert steps == [1, 2, 1, look(page).last, 0]


def test_space_on_a_button_presses_the_button_only(open_page):
    page = open_page(neuron())
    page.locator("#table").focus()
    page.keyboard.press("Space")
    assert page.locator("#tablebox").is_visible()
    assert page.locator("#play").inner_text() == "Play"
    page.locator("#play").focus()
    page.keyboard.press("Space")
    assert page.locator("#play").inner_text() == "Pause"


def test_keys_with_control_belong_to_the_browser(open_page):
    page = open_page(neuron())
    page.evaluate("""() => document.addEventListener("keydown", (event) => {
      window.taken = window.taken || event.defaultPrevented;
      event.preventDefault();
    })""")
    for key in ("Control+p", "Alt+ArrowRight", "Control+ArrowRight", "Meta+t", "Control+0"):
        page.keyboard.press(key)
    assert not page.evaluate("window.taken")
    assert step_of(page) == 0
    assert page.locator("#predict").get_attribute("aria-pressed") == "false"
    assert page.locator("#tablebox").is_hidden()
