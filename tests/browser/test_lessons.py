"""Lessons on a page: exercises one after the other, the line to hand in, and the authored walk."""

import math
import re

import pytest
from graphs import neuron
from page_reader import change_address, fragment_of

from tinygrad_edu import Stop

T = math.tanh(1.25)
GRADIENT = T + 0.5 * (1 - T * T) * 2.5


def step_of(page):
    return int(page.locator("#scrub").input_value())


def panel(page):
    return page.locator("#exercises").inner_text()


def answer(page, typed):
    """Type a number and press Enter; what is said to it."""
    page.get_by_label("Your answer").fill(str(typed))
    page.get_by_label("Your answer").press("Enter")
    return page.locator("#exercises .said").inner_text()


def choose(page, name):
    page.locator("#exercises").get_by_role(
        "button", name=re.compile(f"^{name}( =|$)".replace("/", "."))
    ).click()
    return page.locator("#exercises .said").inner_text()


def go_on(page):
    page.get_by_role("button", name="Next question").press("Enter")


def test_exercises_from_the_first_answer_to_the_line_to_hand_in(open_page):
    y = neuron()
    y.backward()
    asked = [("value", "t"), ("local", "y", "t"), ("gradient", "x"), "order"]
    asked.append(("falsified", "t", "s"))
    may = ["clipboard-read", "clipboard-write"]
    page = open_page(y, ask=asked, title="Three paths", permissions=may)
    assert "Question 1 of 5" in panel(page)
    assert "What is the value of t = tanh(s)?" in panel(page)
    assert step_of(page) == 2  # wx and s are known
    for way in (page.locator("#next").click, lambda: page.keyboard.press("End")):
        way()
        assert step_of(page) == 2
        assert "Answer the question first" in page.locator("#notice").inner_text()
    assert "which goes in" in answer(page, 1.25)
    assert answer(page, "1,25") == "That is s, which goes in."
    assert answer(page, f"{T:.4f}") == "Right: 0.8482836."
    assert step_of(page) == 3
    go_on(page)
    assert "What is ∂y/∂t here?" in panel(page)
    assert answer(page, 0.5) == "Right: 0.5."
    go_on(page)
    assert step_of(page) == 8  # two of the three uses have sent theirs
    assert "through y" in answer(page, T)
    assert answer(page, GRADIENT).startswith("Right: ")
    go_on(page)
    assert step_of(page) == 5
    assert "t still waits for what y passes back" in choose(page, "t")
    for name in ("y", "t", "s"):
        choose(page, name)
    assert choose(page, "wx") == "Right: y, t, s, wx."
    go_on(page)
    shown = page.locator("#picture .local .pt").all_text_contents()
    assert f"×{1 - T * T:.4g}" not in shown  # the false one is on the edge, too
    assert choose(page, "∂y/∂t") == "∂y/∂t = 0.5 is right."
    page.get_by_role("button", name="Show me").click()
    assert f"∂t/∂s is {1 - T * T:.4g}, not 1.25" in page.locator("#exercises .said").inner_text()
    assert f"×{1 - T * T:.4g}" in page.locator("#picture .local .pt").all_text_contents()
    line = page.locator(".line-out").inner_text()
    assert line == (
        "Three paths: 1 of 5 right at the first try. "
        "1: right at try 3 (That is s, which goes in.); 2: right at try 1; "
        "3: right at try 2 (That is one path only, the one through y.); 4: right at try 2 "
        "(t still waits for what y passes back: its gradient would be incomplete.); "
        "5: shown."
    )
    page.get_by_role("button", name="Copy this line").click()
    assert page.evaluate("navigator.clipboard.readText()") == line


def test_the_walk_goes_from_stop_to_stop_and_then_the_page_is_free(open_page):
    stops = [
        Stop("Everything starts at <x>.", step=0, select="x"),
        Stop("What does y get?", ask=("value", "y")),
        Stop("And back.", step=10, select="t"),
    ]
    page = open_page(neuron(), stops=stops, ask=["order"])
    walk = page.locator("#walk")

    def state():
        selected = page.locator(".unit.selected").get_attribute("data-key")
        return step_of(page), selected, walk.locator("p").inner_text()

    assert state() == (0, "card:1", "Everything starts at <x>.")
    assert "Stop 1 of 3" in walk.inner_text()
    assert panel(page) == "There is no question at this stop."
    page.keyboard.press("ArrowRight")
    assert step_of(page) == 1  # a stop holds nobody
    walk.get_by_role("button", name="Next").press("Enter")
    assert state() == (3, "card:1", "What does y get?")
    assert answer(page, 0.5 * T) == "Right: 0.4241418."
    walk.get_by_role("button", name="Next").click()
    assert state() == (10, "card:4", "And back.")
    assert panel(page) == "There is no question at this stop."
    assert "stop=2" in fragment_of(page)
    walk.get_by_role("button", name="Back").click()
    assert state()[2] == "What does y get?"
    assert "Right: 0.4241418." in panel(page)  # it is answered
    change_address(page, "stop=2")
    assert state()[2] == "And back."
    walk.get_by_role("button", name="Play freely").click()
    assert "Now it is yours" in walk.inner_text()
    assert "Choose the nodes in an order" in panel(page)


def test_on_a_slide_the_panel_of_a_question_comes_up_by_itself(open_page):
    stops = [Stop("Look.", select="x"), Stop("And?", ask=("local", "t", "s"))]
    page = open_page(neuron(), stops=stops, layout="slide", width=960, height=540)
    assert not page.locator("#exercises").is_visible()
    page.get_by_role("button", name="Next").click()
    assert page.get_by_label("Your answer").is_visible()
    page.get_by_role("button", name="Try it").click()
    assert page.locator(".plot").is_visible()
    box = page.locator(".plot").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(340 / 176, rel=0.02)
