"""The walk: after every step the page knows what Python knows, and says what happened."""

import re

import pytest
from graphs import expressions, few_examples, named, neuron, trace
from hypothesis import given
from page_reader import go_to, look, look_along, show_table

from tinygrad_edu import Value, topological_order

FRUIT_GRADIENTS = {"apple": 2.2, "apple_count": 110, "orange": 3.3, "orange_count": 165, "tax": 650}

NUMBER = r"(\S+)"
ACCUMULATION = re.compile(rf"(.+)\.grad \+= {NUMBER} arriving × {NUMBER} local = {NUMBER}")


def close(numbers):
    """Equal up to the last digits in which V8's exp, tanh and others differ from Python's."""
    largest = max((abs(x) for x in numbers.values()), default=1.0)
    return pytest.approx(numbers, rel=1e-12, abs=1e-12 * max(1.0, largest))


def about(x):
    """A sentence has seven digits."""
    return pytest.approx(x, rel=2e-6, abs=1e-300)


def read_number(text):
    return float(text.replace("−", "-").rstrip(".,:").strip("()"))


def known(numbers):
    return {name: x for name, x in numbers.items() if x is not None}


def check_numbers(seen, expected):
    """Table, cards and inputs show the numbers known at this step, and dots for the others."""
    for shown in (seen.values, seen.card_values):
        assert known(shown) == close(expected.values)
    for shown in (seen.gradients, seen.card_gradients):
        assert known(shown) == close(expected.gradients)
    for name, shown in seen.input_gradients.items():
        assert (shown is None) == (name not in expected.gradients)
        if shown is not None:
            assert shown == pytest.approx(expected.gradients[name], rel=2e-6, abs=1e-9)


def check_sentence(say, step, expected, last):
    where, *lines = say
    if expected.kind == "done":
        assert where == "Done · every gradient is known"
        n = len(expected.gradients)
        assert (f"gradients of all {n} nodes" if n > 1 else "with respect to itself") in lines[0]
        return
    assert where.startswith(f"Step {step} of {last} · ")
    if expected.kind == "forward":
        [line] = lines
        assert where.endswith("forward")
        assert line.startswith(f"{expected.node.label} = ")
        assert read_number(line.rpartition(" = ")[2]) == about(expected.node.data)
        for parent in expected.node.parents:
            assert parent.label in line
    elif expected.kind == "seed":
        assert expected.node.label in lines[0]
        assert "its gradient is 1." in lines[0]
    elif expected.kind == "backward":
        assert where.endswith("backward")
        found = [match.groups() for line in lines if (match := ACCUMULATION.match(line))]
        because = [line for line in lines if not ACCUMULATION.match(line)]
        assert all(line.startswith(("local: ∂", "Arriving is ")) for line in because)
        assert [name for name, *_ in found] == [name for name, *_ in expected.sent]
        for (_, *said), (_, *numbers) in zip(found, expected.sent, strict=True):
            assert [read_number(x) for x in said] == [about(x) for x in numbers]


def walk(page, root):
    """Every step forwards, then backwards, against Python's own trace."""
    steps = trace(root)
    labels = {node.label for node in topological_order(root)}
    go_to(page, 0)
    states = look_along(page, "next")
    assert len(states) == len(steps)
    for step, (seen, expected) in enumerate(zip(states, steps, strict=True)):
        assert (seen.step, seen.last) == (step, len(steps) - 1)
        assert set(seen.values) == set(seen.card_values) == labels
        check_numbers(seen, expected)
        check_sentence(seen.say, step, expected, len(steps) - 1)
    assert look_along(page, "back") == states[::-1]


def test_the_five_gradients_and_the_price(open_page, two_fruits):
    price = two_fruits()
    price.backward()
    page = show_table(open_page(price))
    seen = look(page)
    assert seen.step == seen.last  # backward() has run: it opens with every gradient
    assert {name: seen.gradients[name] for name in FRUIT_GRADIENTS} == close(FRUIT_GRADIENTS)
    assert seen.values["price"] == price.data == pytest.approx(715)
    texts = page.locator(".unit text").all_text_contents()
    assert {"2.2", "110", "3.3", "165", "650", "715"} <= set(texts)


def test_before_backward_the_page_opens_at_the_start(open_page, two_fruits):
    seen = look(show_table(open_page(two_fruits())))
    assert seen.step == 0
    assert known(seen.gradients) == {}
    assert set(known(seen.values)) == set(FRUIT_GRADIENTS)


@pytest.mark.parametrize("ran_backward", [True, False])
def test_every_step_of_apples_and_oranges(open_page, two_fruits, ran_backward):
    price = two_fruits()
    if ran_backward:
        price.backward()
    walk(show_table(open_page(price)), price)


def square():
    a = Value(3.0, "a")
    return named(a * a, "square")


@pytest.mark.parametrize("make", [neuron, lambda: Value(3.0, "x"), square])
def test_every_step_of_small_graphs(open_page, make):
    root = make()
    walk(show_table(open_page(root)), root)


@few_examples
@given(root=expressions())
def test_every_step_of_random_expressions(open_page, root):
    page = show_table(open_page(root))
    walk(page, root)
    page.close()


def test_a_sum_says_what_each_addition_makes(open_page):
    """`+=` twice on one node: each sentence ends with what has come together by then."""
    page = open_page(square())
    go_to(page, 3)
    lines = [line for line in look(page).say[1:] if "+=" in line]
    totals = [re.search(rf"which makes {NUMBER}", line) for line in lines]
    assert [read_number(t[1]) for t in totals] == [3.0, 6.0]
    assert "3 so far: 1 of 2 contributions" in lines[0]
    assert "6: all 2 contributions are in" in lines[1]


def test_a_second_use_adds_to_what_is_there(open_page):
    """y = t x sends x its first gradient; s and then wx add to it."""
    y = neuron()
    page = open_page(y)
    steps = trace(y)
    made = {}
    for step, expected in enumerate(steps):
        go_to(page, step)
        if expected.kind == "backward":
            for line in look(page).say[1:]:
                if line.startswith("x.grad"):
                    made[step] = re.search(rf"which makes {NUMBER}", line)
    assert len(made) == 3
    for step in made:
        assert read_number(made[step][1]) == about(steps[step].gradients["x"])


def test_the_line_of_the_program_that_runs_is_lit(open_page):
    y = neuron()
    page = open_page(y)
    for step, expected in enumerate(trace(y)):
        go_to(page, step)
        lit = look(page).lit
        if expected.kind == "forward":
            assert [line.split(" = ")[0] for line in lit] == [expected.node.label]
        if expected.kind == "backward":
            names = [f"{name}.grad" for name, *_ in expected.sent]
            assert [re.split(r" \+?= ", line)[0] for line in lit] == names


def test_the_sentence_is_read_aloud_and_cards_say_their_numbers(open_page, two_fruits):
    page = open_page(two_fruits())
    assert page.locator("#say").get_attribute("aria-live") == "polite"
    for step, gradient in ((5, "gradient not known yet"), (6, "gradient 1.1")):
        go_to(page, step)
        spoken = look(page).spoken["subtotal"]
        assert spoken == f"subtotal, + of apple_price and orange_price, value 650, {gradient}"
        scrubber = page.locator("#scrub").get_attribute("aria-valuetext")
        assert scrubber.startswith(f"Step {step} of 10")
