"""Predict: the next gradient is hidden until the reader has tried it, and mistakes are named."""

import math
import re

import pytest
from graphs import named, neuron, trace
from page_reader import change_address, look, set_field, show_table

from tinygrad_edu import Value, group

EVERYTHING_SAID = """() => {
  const said = [document.body.innerText];
  for (const node of document.querySelectorAll("[aria-label], [aria-valuetext], title, output")) {
    said.push(node.textContent);
    for (const name of ["aria-label", "aria-valuetext"]) said.push(node.getAttribute(name));
  }
  for (const input of document.querySelectorAll("input")) said.push(input.value);
  return said.join("\\n");
}"""


def products(**inputs):
    """y = sin(a b) c: no two of its numbers look alike, so that a mistake tells what was done."""
    x = {"a": 3.0, "b": 5.0, "c": 7.0, **inputs}
    a, b, c = (Value(x[name], name) for name in "abc")
    return named(named(named(a * b, "p").sin(), "s") * c, "y")


LOCAL_SIN = math.cos(15)
ARRIVING = 7 * LOCAL_SIN
QUESTIONS = ("s.grad += ", "p.grad += ", "a.grad += ")


def step_of(page):
    return int(page.locator("#scrub").input_value())


def is_asked(page):
    return page.locator("#ask").is_visible()


def answer(page, typed):
    """Type an answer and press Enter; what the page says to it."""
    page.locator("#answer").fill(typed if isinstance(typed, str) else repr(typed))
    page.locator("#answer").press("Enter")
    return page.locator("#verdict").text_content() if is_asked(page) else look(page).say[0]


def ask(page, question):
    """Step forward from the seed, giving up, until this question is asked."""
    for asked in QUESTIONS:
        page.keyboard.press("ArrowRight")
        assert is_asked(page)
        assert page.locator("#question").text_content().endswith(f"back. {asked}")
        if asked == question:
            return page
        page.locator("#reveal").click()
    raise AssertionError(question)


@pytest.fixture
def page(open_page):
    """The page of the products, at the seed, with predict on."""
    page = open_page(products(), fragment="step=8&select=card:0")
    page.keyboard.press("p")
    return page


def test_predict_goes_back_to_the_seed_and_hides_what_follows(page):
    assert step_of(page) == 4
    assert page.locator("#predict").get_attribute("aria-pressed") == "true"
    show_table(page)
    seen = look(page)
    for shown in (seen.gradients, seen.card_gradients):
        assert {name for name, x in shown.items() if x is not None} == {"y"}
    assert set(seen.input_gradients.values()) == {None}


def test_no_way_forward_shows_the_answer(page):
    """The number is nowhere, not in titles nor labels, until it is right, and then everywhere."""
    ask(page, "a.grad += ")
    hidden = [f"{5 * abs(ARRIVING):.3f}", "26.59"]

    def choose():
        page.locator('.unit[data-key="card:0"]').click()
        assert "Not known yet" in page.locator("#why").inner_text()

    def change_and_change_back():
        set_field(page, "a", 3.5)
        set_field(page, "a", 3.0)

    ways = [lambda: page.keyboard.press("End"), lambda: page.keyboard.press("ArrowRight"),
            lambda: page.locator("#next").click(), choose, change_and_change_back]  # fmt: skip
    for way in ways:
        page.evaluate("document.activeElement.blur()")
        way()
        assert is_asked(page)
        assert step_of(page) == 6
        said = page.evaluate(EVERYTHING_SAID)
        assert [number for number in hidden if number in said] == []
    page.evaluate("document.activeElement.blur()")
    show_table(page)
    assert look(page).gradients["a"] is None
    answer(page, 5 * ARRIVING)
    assert all(number in page.evaluate(EVERYTHING_SAID) for number in hidden)


def test_the_scrubber_stays_where_the_question_is(page):
    ask(page, "a.grad += ")
    page.locator("#scrub").fill("8")
    assert is_asked(page)
    assert step_of(page) == 6


def test_play_stops_at_a_question(open_page):
    page = open_page(products(), fragment="step=4", clock=True)
    page.keyboard.press("p")
    for _ in range(2):  # the second time the question is open already
        page.locator("#play").click()
        page.clock.run_for(5_000)
        assert is_asked(page)
        assert step_of(page) == 4
        assert page.locator("#play").inner_text() == "Play"


def test_a_right_answer_moves_on(page):
    ask(page, "a.grad += ")
    show_table_by_button(page)
    said = answer(page, f"{5 * ARRIVING:.4g}")  # four digits are enough
    assert said == "Right: −5.317815 arriving × 5 local = −26.58908."
    assert not is_asked(page)
    assert step_of(page) == 7
    assert look(page).gradients["a"] == pytest.approx(5 * ARRIVING)


def show_table_by_button(page):
    page.locator("#table").click()
    assert page.locator("#tablebox").is_visible()


MISTAKES = (
    (5, "local derivative alone"), (-5 * ARRIVING, "the sign is not"), (1234.5, "Not quite"),
    ("", "Type a number"), ("five", "Type a number"),
)  # fmt: skip


def test_mistakes_are_named(page):
    """`test_page_words` tries them all."""
    ask(page, "a.grad += ")
    step = step_of(page)
    for typed, verdict in MISTAKES:
        assert verdict in answer(page, typed), typed
        assert is_asked(page)
        assert step_of(page) == step


def test_a_number_that_is_not_finite_is_never_right(page):
    ask(page, "a.grad += ")
    for typed in ("Infinity", "-Infinity", "1e999", "NaN"):
        assert "Right" not in answer(page, typed), typed
        assert is_asked(page)


def test_the_whole_gradient_is_not_what_one_step_adds(open_page):
    a = Value(3.0, "a")
    p, q = named(a * Value(5.0, "b"), "p"), named(a * Value(7.0, "c"), "q")
    page = open_page(named(p + q, "s"))
    page.keyboard.press("p")
    for _ in range(2):  # s, then q, which sends a its first 7
        page.keyboard.press("End")
        page.locator("#reveal").click()
    page.keyboard.press("End")
    assert page.locator("#question").text_content().startswith("p = a × b passes")
    assert "That is all of a's gradient" in answer(page, 12)
    assert answer(page, 5) == "Right: 1 arriving × 5 local = 5."


def test_a_whole_walk_with_right_answers(open_page):
    """Every question of the walk, answered by Python's own trace, leads to the end."""
    y = neuron()
    page = open_page(y)
    page.keyboard.press("p")
    asked = 0
    for step, expected in enumerate(trace(y)[1:], 1):
        page.keyboard.press("ArrowRight")
        if expected.kind == "backward":
            assert is_asked(page)
            asked += 1
            name = re.search(r"back\. (.+)\.grad \+= $", page.locator("#question").text_content())[
                1
            ]
            [sent] = [x[3] for x in expected.sent if x[0] == name]
            assert answer(page, sent).startswith("Right: ")
        assert step_of(page) == step
    assert asked == 4


def test_show_me(page):
    ask(page, "a.grad += ")
    page.locator("#reveal").click()
    assert not is_asked(page)
    assert step_of(page) == 7
    said = look(page).say
    assert said[1] == "a.grad += −5.317815 arriving × 5 local = −26.58908"
    assert "Right" not in " ".join(said)


def test_escape_closes_the_question_and_the_next_step_asks_again(page):
    ask(page, "s.grad += ")
    page.keyboard.press("Escape")
    assert not is_asked(page)
    assert step_of(page) == 4
    page.keyboard.press("ArrowRight")
    assert is_asked(page)
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowLeft")  # going back asks nothing
    assert not is_asked(page)
    assert step_of(page) == 3


def test_a_question_stays_with_its_operation_when_a_module_opens(open_page):
    """Finding a node that is folded away opens its module, which makes the walk longer."""
    x, w = Value(0.5, "x"), Value(1.5, "w")
    with group("layer"):
        a = named(named(w * x, "wx").tanh(), "a")
    page = open_page(named(a * x, "y"), fragment="folded=0&step=3")
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    assert page.locator("#question").text_content().startswith("y = a × x passes")
    page.locator("#find").fill("wx")
    page.locator("#find").press("Enter")
    assert page.locator('.fold[aria-label="Fold layer"]').count() == 1
    if not is_asked(page):
        page.locator(
            "#next"
        ).click()  # arrow keys go from card to card: the one found has the focus
    page.locator("#reveal").click()
    assert look(page).say[1].startswith("a.grad += 1 arriving × 0.5 local")


def test_a_changed_address_closes_the_question(page):
    ask(page, "p.grad += ")
    change_address(page, "step=2")
    assert step_of(page) == 2
    assert not is_asked(page)


def test_without_predict_nothing_is_asked(page):
    page.keyboard.press("p")
    for step in range(5, 9):
        page.keyboard.press("ArrowRight")
        assert not is_asked(page)
        assert step_of(page) == step


def test_the_verdict_is_read_aloud_and_the_answer_has_the_focus(page):
    ask(page, "s.grad += ")
    assert page.locator("#verdict").get_attribute("role") == "status"
    assert page.evaluate("document.activeElement.id") == "answer"
    assert page.locator("#answer").get_attribute("aria-label") == "Your prediction"
