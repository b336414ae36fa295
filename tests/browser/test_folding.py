"""Modules fold and open; whatever is folded, the gradients are the same."""

import re
from itertools import pairwise

import pytest
from graphs import named, network
from page_reader import go_to, look_along, number, show_table

from tinygrad_edu import Value, group, topological_order

NEURONS = 6
LAYERS = 3


def score():
    """Three layers of three, two and one neurons, after a backward pass."""
    node = network(3, 2, 1)
    node.backward()
    return node


SCORE = score()
NODES = topological_order(SCORE)
OPERATIONS = sum(bool(node.operands) for node in NODES)
GRADIENTS = {node.label: node.grad for node in NODES if not node.operands}


def leaf_gradients(page):
    """The gradient beside every input, in a folded section or not."""
    outputs = page.locator("#inputs output.gradient")
    pairs = outputs.evaluate_all(
        "(all) => all.map((x) => [x.getAttribute('aria-label'), x.textContent])"
    )
    return {label.removeprefix("gradient of "): number(text) for label, text in pairs}


def last_step(page):
    return int(page.locator("#scrub").get_attribute("max"))


def step_of(page):
    return int(page.locator("#scrub").input_value())


def units(page):
    return page.locator("#picture .unit:not(.constant)").evaluate_all(
        "(all) => all.map((unit) => unit.dataset.key)"
    )


def buttons(page, word):
    return page.locator(f'#picture .fold[aria-label^="{word} "]')


def fold_everything(page):
    while buttons(page, "Fold").count():
        buttons(page, "Fold").last.focus()  # inner modules are drawn after those around them
        page.keyboard.press("Enter")


def unfold_everything(page):
    while buttons(page, "Unfold").count():
        buttons(page, "Unfold").first.focus()
        page.keyboard.press("Enter")


def assert_same_gradients(page):
    assert leaf_gradients(page) == pytest.approx(GRADIENTS, rel=1e-6, abs=1e-9)


def test_it_opens_with_neurons_folded_in_open_layers(open_page):
    page = open_page(score())
    assert buttons(page, "Unfold").count() == NEURONS
    assert buttons(page, "Fold").count() == LAYERS
    folded = [key for key in units(page) if key.startswith("module:")]
    assert len(folded) == NEURONS
    assert set(units(page)) - set(folded) == {
        page.locator(f'.unit[aria-label^="{x}, "]').get_attribute("data-key") for x in ("x1", "x2")
    }
    assert_same_gradients(page)


def test_gradients_stay_and_steps_get_fewer(open_page):
    page = open_page(score())
    assert last_step(page) == 2 * NEURONS + 2
    unfold_everything(page)
    assert last_step(page) == 2 * OPERATIONS + 2
    assert_same_gradients(page)
    fold_everything(page)
    assert last_step(page) == 2 * LAYERS + 2
    assert len(units(page)) == LAYERS + 2
    assert_same_gradients(page)


def test_a_walk_over_folded_modules_ends_at_the_same_gradients(open_page):
    for folded in ("", "0.1.2.3.4.5.6.7.8"):
        page = show_table(open_page(score(), fragment=f"folded={folded}&step=0"))
        states = look_along(page, "next")
        assert len(states) == last_step(page) + 1
        assert_same_gradients(page)
        for seen, later in pairwise(states):
            for name, x in seen.values.items():  # what is known stays so
                assert x in (None, later.values[name])
            for name, x in seen.input_gradients.items():
                assert x is None or later.input_gradients[name] is not None
        assert states[0].input_gradients == dict.fromkeys(GRADIENTS)
    assert look_along(page, "back") == states[::-1]


def test_the_table_of_the_open_graph_has_python_s_numbers(open_page):
    page = show_table(open_page(score(), fragment="folded=&step=9999"))
    [seen] = look_along(page, "next")
    assert len(seen.values) == len(NODES)
    named_nodes = [node for node in NODES if node.label]
    for node in named_nodes:
        assert seen.values[node.label] == pytest.approx(node.data, rel=1e-12)
        assert seen.gradients[node.label] == pytest.approx(node.grad, rel=1e-12, abs=1e-15)
    assert sorted(seen.gradients.values()) == pytest.approx(sorted(x.grad for x in NODES))


def test_a_folded_module_says_what_it_does(open_page):
    page = open_page(score(), fragment="step=1")
    assert "runs its 5 operations and gives" in page.locator("#say").inner_text()
    go_to(page, NEURONS + 2)  # the neuron of the score is the first to go back
    lines = page.locator("#say p").all_inner_texts()[1:]
    assert len(lines) == 2
    for line in lines:
        found = re.fullmatch(r"(.+)\.grad \+= 1 arriving × (\S+) through .+ = (\S+)", line)
        assert found[2].strip("()") == found[3]


def test_f_folds_and_opens_the_chosen_module(open_page):
    page = open_page(score(), fragment="step=3")
    before = units(page)
    module = page.locator('.unit[data-key^="module:"]').first
    key = module.get_attribute("data-key")
    module.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("f")
    opened = units(page)
    assert key not in opened
    assert len(opened) > len(before)
    chosen = page.locator('.unit[aria-pressed="true"]')
    assert chosen.count() == 1
    assert chosen.get_attribute("data-key") not in before  # something of what was opened
    page.keyboard.press("f")
    assert sorted(units(page)) == sorted(before)
    again = page.locator('.unit[aria-pressed="true"]')
    assert again.get_attribute("data-key") == key
    assert again.evaluate("(unit) => unit === document.activeElement")


def test_folding_in_the_middle_of_the_walk_stays_at_the_same_operation(open_page):
    page = open_page(score(), fragment="folded=")
    for step, kind in ((5, "forward"), (OPERATIONS + 4, "backward")):
        unfold_everything(page)
        go_to(page, step)
        running = page.locator(f"#picture .unit.{kind}")
        running.dispatch_event("click")
        page.keyboard.press("f")
        now = page.locator(f"#picture .unit.{kind}")
        assert now.get_attribute("data-key").startswith("module:")
        assert now.get_attribute("aria-pressed") == "true"
        assert kind in page.locator("#say .where").inner_text()
        page.keyboard.press("f")
        assert page.locator(f"#picture .unit.{kind}").count() == 1
        assert step_of(page) >= 5


def test_the_buttons_answer_the_mouse(open_page):
    page = open_page(score())
    page.keyboard.press("0")
    buttons(page, "Unfold").first.click()
    assert buttons(page, "Unfold").count() == NEURONS - 1
    page.keyboard.press("0")
    assert buttons(page, "Fold").count() == LAYERS + 1
    buttons(page, "Fold").first.click()
    assert buttons(page, "Fold").count() < LAYERS + 1
    assert_same_gradients(page)


def test_finding_a_node_opens_what_it_is_in(open_page):
    page = open_page(score())
    page.keyboard.press("/")
    page.locator("#find").fill("layers.0.neurons.1.w0")
    page.keyboard.press("Enter")
    chosen = page.locator('.unit[aria-pressed="true"]')
    assert chosen.get_attribute("aria-label").startswith("layers.0.neurons.1.w0, input")
    assert buttons(page, "Unfold").count() == NEURONS - 1
    assert_same_gradients(page)


def test_groups_that_the_user_made_fold(open_page):
    x, w, b = Value(0.5, "x"), Value(1.5, "w"), Value(-0.2, "b")
    with group("layer1"):
        a = named((w * x + b).tanh(), "a")
    y = named(a * x, "y")
    y.backward()
    page = open_page(y)
    assert buttons(page, "Fold").get_attribute("aria-label") == "Fold layer1"
    open_steps = last_step(page)
    fold_everything(page)
    assert last_step(page) == open_steps - 4  # three operations have become one, twice
    grads = {leaf.label: leaf.grad for leaf in (x, w, b)}
    assert leaf_gradients(page) == pytest.approx(grads, rel=1e-6)
