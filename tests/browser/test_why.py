"""Why this gradient?: the factors that are shown make the gradient that is shown."""

import math
from dataclasses import dataclass

import pytest
from graphs import expressions, few_examples, named, neuron, trace
from hypothesis import given
from page_reader import go_to, number, set_field

from tinygrad_edu import Node, Value, topological_order

MOST_PATHS = 6

READ_WHY = """(unit) => {
  unit.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  const panel = document.querySelector("#why");
  const text = (node) => node?.textContent ?? "";
  const fraction = (math) => [...math.querySelectorAll("mfrac > mrow")].map((row) => text(row));
  const rows = [...panel.querySelectorAll(".chain .row")].map((row) => ({
    sign: text(row.querySelector(".sign")),
    factors: [...row.querySelectorAll(".chip")].map((chip) =>
      ({ names: fraction(chip.querySelector("math")), number: text(chip.querySelector("b")) })),
    text: text(row),
  }));
  return {
    name: unit.querySelector("title").textContent.split("\\n")[0],
    question: text(panel.querySelector(".question")),
    total: [...panel.querySelectorAll(".chain > math")].map(fraction),
    rows,
    result: text(panel.querySelector(".chain .row > .gradient")),
    text: [...panel.querySelectorAll("p")].map(text).join("\\n"),
    verdict: text(panel.querySelector(".verdict")),
    lit: document.querySelectorAll(".edge.path").length,
    isMath: [...panel.querySelectorAll("math, math *")].every((node) =>
      node.namespaceURI === "http://www.w3.org/1998/Math/MathML"),
  };
}"""


@dataclass
class Factor:
    """A chip: the derivative of `upper` by `lower`."""

    upper: str
    lower: str
    x: float | None


def explain(page):
    """For every node of the page, chosen one after the other, what the panel says."""
    found = page.evaluate(
        f"() => [...document.querySelectorAll('#picture .unit:not(.constant)')].map({READ_WHY})"
    )
    for why in found:
        assert why["isMath"]
        terms = [row for row in why["rows"] if row["factors"]]
        assert [row["sign"] for row in terms] == ["=", "+", "+", "+", "+", "+"][: len(terms)]
        why["terms"] = [[factor_of(f) for f in row["factors"]] for row in terms]
        why["total"] = [[name.removeprefix("d") for name in names] for names in why["total"]]
    return {why["name"]: why for why in found}


def factor_of(found):
    upper, lower = found["names"]
    assert upper[0] == lower[0]
    assert upper[0] in "d∂"
    operand = lower[1:].rstrip("₁₂")  # x × x has two of that name
    return Factor(upper[1:], operand, number(found["number"]))


def uses(root):
    """For each label the (label of the user, local derivative) of every use."""
    found = {node.label: [] for node in topological_order(root)}
    for node in topological_order(root):
        if node.operands:
            for operand, factor in zip(node.operands, node.pullback(1.0), strict=True):
                if isinstance(operand, Node):
                    found[operand.label].append((node.label, 0.0 + factor))
    return found


def paths(root, label):
    """The local derivatives along every path from a node to the root, root first."""
    leaving = uses(root)

    def walk(at):
        if at == root.label:
            return [[]]
        return [[*rest, step] for step in leaving[at] for rest in walk(step[0])]

    return [[factor for _, factor in path] for path in walk(label)]


def rounded(x):
    """A chip has four digits, and all digits of a whole part below ten million."""
    return pytest.approx(x, rel=6e-4, abs=1e-12)


def check_chain(why, root, gradient):
    """Fractions follow one another from the root to the node; the products add up."""
    all_paths = paths(root, why["name"])
    assert why["total"] == [[root.label, why["name"]]]
    assert number(why["result"]) == pytest.approx(gradient, rel=1e-6, abs=1e-9)
    if len(all_paths) > MOST_PATHS:
        check_sum_over_users(why, root)
    else:
        assert len(why["terms"]) == len(all_paths)
        shown = sorted([f.x for f in term] for term in why["terms"])
        for term, path in zip(shown, sorted(all_paths), strict=True):
            assert term == [rounded(x) for x in path]
        for term in why["terms"]:
            names = [(f.upper, f.lower) for f in term]
            assert names[0][0] == root.label
            assert names[-1][1] == why["name"]
            assert [lower for _, lower in names[:-1]] == [upper for upper, _ in names[1:]]
    products = [math.prod(f.x for f in term) for term in why["terms"]]
    length = max(map(len, why["terms"]))
    error = 6e-4 * length * sum(map(abs, products)) + 1e-9
    assert sum(products) == pytest.approx(gradient, abs=error)


def check_sum_over_users(why, root):
    leaving = uses(root)[why["name"]]
    assert "More than 6 paths" in why["text"]
    assert sorted(term[0].upper for term in why["terms"]) == [root.label] * len(leaving)
    for (total, factor), (user, local) in zip(
        sorted(why["terms"], key=lambda term: term[0].lower), sorted(leaving), strict=True
    ):
        assert (total.lower, factor.upper, factor.lower) == (user, user, why["name"])
        assert factor.x == rounded(local)


def check_all(page, root):
    """Every node but the root is explained, and the numeric check agrees."""
    page.keyboard.press("End")
    gradients = trace(root)[-1].gradients
    found = explain(page)
    assert set(found) == set(gradients)
    for name, why in found.items():
        if name == root.label:
            assert "One for one, so its gradient is 1" in why["text"]
            continue
        assert why["question"] == f"How fast does {root.label} change with {name}?"
        check_chain(why, root, gradients[name])
        assert f"Add a little to {name} and {root.label} moves" in why["text"]
        assert why["verdict"].startswith("✓ agrees with backprop"), (name, why["verdict"])


def test_apples_and_oranges(open_page, two_fruits):
    price = two_fruits()
    page = open_page(price)
    check_all(page, price)
    assert explain(page)["apple"]["lit"] == 3  # the edges of its only path


def test_a_neuron_whose_input_takes_three_paths(open_page):
    y = neuron()
    page = open_page(y)
    check_all(page, y)
    why = explain(page)["x"]
    assert sorted(len(term) for term in why["terms"]) == [1, 3, 4]
    assert why["lit"] == 6  # two of its eight factors are shared by two paths


@few_examples
@given(root=expressions())
def test_random_expressions(open_page, root):
    page = open_page(root)
    check_all(page, root)
    page.close()


def squares(x=1.1):
    """((x²)²)²: eight paths from x, four from its square."""
    y = Value(x, "x")
    for i in (2, 4, 8):
        y = named(y * y, f"x{i}")
    return y


def test_more_than_six_paths_are_a_sum_over_the_nodes_that_use_it(open_page):
    page = open_page(squares())
    check_all(page, squares())
    found = explain(page)
    assert len(found["x"]["terms"]) == 2
    assert [len(term) for term in found["x2"]["terms"]] == [2] * 4


def test_before_it_is_known_a_gradient_is_a_question_mark(open_page):
    page = open_page(neuron())
    steps = trace(neuron())
    for step in (0, 4, 5, 7):
        go_to(page, step)
        to_come = {label for later in steps[step + 1 :] for label, *_ in later.sent}
        for name, why in explain(page).items():
            if name != "y":
                complete = name in steps[step].gradients and name not in to_come
                assert (why["result"] != "?") == complete, (step, name)
                assert bool(why["verdict"]) == complete
                assert ("Not known yet" in why["text"]) == (not complete)


def test_factors_wait_for_the_forward_pass(open_page):
    page = open_page(neuron())
    go_to(page, 2)  # wx and s are known
    [after_s, *_] = explain(page)["wx"]["terms"]
    assert [factor.x for factor in after_s] == [None, None, 1]


def test_pointing_at_a_factor_lights_its_edge(open_page):
    page = open_page(neuron(), fragment="step=11")
    page.locator('.unit[aria-label^="x, "]').click()
    chips = page.locator("#why .chip")
    hot = page.locator(".edge.hot path")
    edges = []
    for chip in chips.all():
        chip.hover()
        assert hot.count() == 1
        edges.append(hot.get_attribute("d"))
        page.mouse.move(5, 5)
        assert hot.count() == 0
        chip.focus()
        assert hot.get_attribute("d") == edges[-1]
        chip.blur()
        assert hot.count() == 0
    assert len(edges) == 8
    assert len(set(edges)) == 6  # the three paths share edges


RIGHT_SIDES = """(units) => units.map((unit) => unit.transform.baseVal.getItem(0).matrix.e
  + unit.querySelector(".box").width.baseVal.value)"""


def test_an_edge_that_is_lit_is_lit_from_its_card_on(open_page):
    w, y = Value(0.5, "w"), Value(2.0, "x")
    for _ in range(4):
        y = y * w  # one line that leaves a trunk four times
    y.backward()
    page = open_page(y)
    lengths = "(paths) => paths.map((path) => path.getTotalLength())"
    starts = "(paths) => paths.map((path) => path.getPointAtLength(0).x)"
    page.locator('.unit[aria-label^="x, "]').click()
    before = page.locator(".edge path").evaluate_all(lengths)
    page.locator('.unit[aria-label^="w, "]').click()
    lit = page.locator(".edge.path path")
    assert lit.count() == 7
    ends = page.locator(".unit").evaluate_all(RIGHT_SIDES)
    assert set(map(round, lit.evaluate_all(starts))) <= set(map(round, ends))
    assert sum(page.locator(".edge path").evaluate_all(lengths)) > sum(before)
    page.locator('.unit[aria-label^="x, "]').click()
    assert page.locator(".edge path").evaluate_all(lengths) == before


def test_at_a_kink_the_check_says_both_slopes_and_the_convention(open_page):
    x = Value(0.0, "x")
    y = named(x.relu() * 3.0, "y")
    page = open_page(y, fragment="step=6")
    why = explain(page)["x"]
    assert number(why["result"]) == 0
    assert why["verdict"] == (
        "A kink. The slope is 0 on the left and 3 on the right. Backprop takes 0, by convention."
    )
    assert "times as much" not in why["text"]
    set_field(page, "x", 0.5)
    why = explain(page)["x"]
    assert number(why["result"]) == 3
    assert why["verdict"].startswith("✓ agrees")


def test_next_to_a_kink_or_a_pole_the_check_agrees(open_page):
    x = Value(1e-5, "x")
    page = open_page(named(x.relu() + 1 / x + x.log() + (1000 * x).sin(), "y"))
    page.keyboard.press("End")
    assert explain(page)["x"]["verdict"].startswith("✓ agrees with backprop")


@pytest.mark.parametrize(("x", "shown"), [(0, "log(0) = −inf"), (-1, "log(−1) = nan")])
def test_where_there_is_no_derivative_it_is_not_said_to_move(open_page, x, shown):
    page = open_page(named(Value(1.0, "x").log(), "y"))
    page.keyboard.press("End")
    set_field(page, "x", x)
    why = explain(page)["x"]
    assert f"{shown}, so y has no derivative at this point" in why["text"]
    assert "times as much" not in why["text"]
    assert not why["verdict"]


def test_the_explanation_moves_with_the_inputs(open_page):
    page = open_page(neuron(), fragment="step=11")
    set_field(page, "x", -0.7)
    check_all(page, neuron(x=-0.7))
