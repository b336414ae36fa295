"""Replay of graphs of Values: what it gives for numbers is what recording afresh gives."""

import math
import random

import custom_rules
import mpmath
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from random_graphs import (
    GRAPHS,
    TO_THE_BIT,
    follow,
    places,
)
from rule_table import ELEMENTWISE
from test_symbols import bits

import tinygrad_edu as tg
from tinygrad_edu import Value, gradients, replay
from tinygrad_edu.rules import operations

softsign, swish = custom_rules.softsign, custom_rules.swish


def program_of(made):
    """The function that the Python source of a replay is: its text, run."""
    namespace = {}
    exec(compile(made.source, "<source>", "exec"), namespace)
    return namespace["program"]


def recorded(function, xs):
    """The value and the gradients of a graph that is made for these numbers."""
    leaves = [Value(x, f"x{i}") for i, x in enumerate(xs)]
    root = function(*leaves)
    root.backward()
    return root.data, tuple(leaf.grad for leaf in leaves)


def close(ours, theirs, slack=0.0, rel=1e-12):
    """Equal to 12 digits, or within the slack; what is not finite is equal exactly."""
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        return bits(ours) == bits(theirs)
    return abs(ours - theirs) <= rel * max(abs(ours), abs(theirs)) + slack


def all_close(found, expected, rel=1e-12):
    (value, grads), (exact, exact_grads) = found, expected
    return len(grads) == len(exact_grads) and all(
        close(float(x), float(y), rel=rel)
        for x, y in zip((value, *grads), (exact, *exact_grads), strict=True)
    )


def all_bits(found):
    return bits(found[0]), tuple(map(bits, found[1]))


def graph_of(function, xs):
    leaves = [Value(x, f"x{i}") for i, x in enumerate(xs)]
    return function(*leaves), leaves


def points(row, n=20):
    draw = random.Random(11)
    inside = [tuple(draw.uniform(a, b) for a, b in row.domains) for _ in range(n)]
    return inside + [tuple(map(float, kink)) for kink in row.kinks]


def rule_function(name):
    row = ELEMENTWISE[name]
    return lambda *xs: getattr(operations, name)(*xs, **row.settings)


elementwise = pytest.mark.parametrize("name", ELEMENTWISE)


# --- every rule ----------------------------------------------------------------------------------


@elementwise
def test_every_rule_gives_the_bits_of_recording_afresh_kinks_and_ties_too(name):
    function, row = rule_function(name), ELEMENTWISE[name]
    for first in (points(row)[0], *row.kinks):
        root, leaves = graph_of(function, first)
        run = replay(root, leaves)
        text = program_of(run)
        for xs in points(row):
            expected = all_bits(recorded(function, xs))
            assert all_bits(run(*xs)) == expected, xs
            assert all_bits(text(*xs)) == expected, xs


@pytest.mark.parametrize(
    "xs",
    [(0.5,), (-0.5,), (0.0,), (-0.0,), (30.0,), (-30.0,), (800.0,), (-800.0,)],
)
@pytest.mark.parametrize("name", ["softsign", "swish"])
def test_rules_of_ones_own_are_replayed(request, name, xs):
    operation = request.getfixturevalue(name)
    root, leaves = graph_of(operation, (0.3,))
    run = replay(root, leaves)
    assert all_bits(run(*xs)) == all_bits(recorded(operation, xs))
    assert all_bits(program_of(run)(*xs)) == all_bits(recorded(operation, xs))


def test_a_setting_of_a_rule_is_a_number_of_the_program(swish):
    root, leaves = graph_of(lambda x: swish(x, beta=2.5), (0.3,))
    assert all_close(replay(root, leaves)(-1.0), recorded(lambda x: swish(x, 2.5), (-1.0,)))


def test_a_rule_that_asks_for_plain_numbers_is_refused_by_name():
    my_erf = custom_rules.declare("def my_erf(x, /):\n    return math.erf(x), lambda g: (g,)")
    with pytest.raises(TypeError, match=r"my_erf cannot be replayed.*of\(x\)"):
        replay(my_erf(Value(0.5)))


@given(graph=GRAPHS, factors=st.lists(st.none() | st.floats(0.95, 1.05), max_size=12))
def test_new_inputs_give_what_the_graph_made_again_gives(graph, factors):
    leaves = places(graph)
    moved = {i: f * graph.inputs[i] for f, i in zip(factors, leaves, strict=False) if f}
    try:
        exact = follow(graph, moved)
        exact[-1].backward()
        wobbled = [follow(graph, moved, random.Random(seed)) for seed in range(6)]
        for nodes in wobbled:
            nodes[-1].backward()
    except (ArithmeticError, ValueError):
        assume(False)  # outside what a rule takes
    nodes = follow(graph)
    run = replay(nodes[-1], [nodes[i] for i in leaves])
    xs = [exact[i].data for i in leaves]
    for value, grads in (run(*xs), program_of(run)(*xs)):
        spread = max(abs(w[-1].data - exact[-1].data) for w in wobbled)
        assert close(value, exact[-1].data, 8 * spread)
        for i, g in zip(leaves, grads, strict=True):
            spread = max(abs(w[i].grad - exact[i].grad) for w in wobbled)
            assert close(g, exact[i].grad, 8 * spread), run.source


@given(
    graph=TO_THE_BIT,
    numbers=st.lists(st.none() | st.floats(-1e6, 1e6), max_size=12),
)
def test_arithmetic_and_roots_give_the_bits_of_recording_afresh(graph, numbers):
    moved = {i: x for x, i in zip(numbers, places(graph), strict=False) if x is not None}
    nodes = follow(graph)
    run = replay(nodes[-1], [nodes[i] for i in places(graph)])
    try:
        fresh = follow(graph, moved)
        fresh[-1].backward()
    except (ArithmeticError, ValueError) as error:
        with pytest.raises(type(error)):
            run(*[moved.get(i, graph.inputs[i]) for i in places(graph)])
        return
    value, grads = run(*[fresh[i].data for i in places(graph)])
    assert bits(value) == bits(fresh[-1].data)
    assert [float(g) for g in grads] == pytest.approx(
        [fresh[i].grad for i in places(graph)], rel=1e-12, abs=1e-300, nan_ok=True
    )


# --- derivatives of derivatives ------------------------------------------------------------------

SMOOTH = [name for name, row in ELEMENTWISE.items() if not row.kinks and len(row.domains) == 1]


@pytest.mark.parametrize("name", SMOOTH)
def test_second_derivatives_are_those_of_mpmath(name):
    function, row = rule_function(name), ELEMENTWISE[name]
    run = replay(lambda x: gradients(function(x), x)[0], [points(row)[0][0]])
    for (x,) in points(row, 6):
        slope, (curvature,) = run(x)
        with mpmath.workdps(40):
            assert close(slope, float(mpmath.diff(row.oracle, x)), rel=1e-11, slack=1e-14)
            assert close(curvature, float(mpmath.diff(row.oracle, x, 2)), rel=1e-10, slack=1e-13)


@pytest.mark.parametrize("name", ["relu", "abs", "leaky_relu", "maximum", "clip", "power"])
def test_second_derivatives_change_sides_with_their_comparisons(name):
    function, row = rule_function(name), ELEMENTWISE[name]

    def slope(*xs):
        return gradients(function(*xs) * xs[0], xs[0])[0]

    run = replay(slope, points(row)[0])
    for xs in points(row, 8):
        assert all_close(run(*xs), recorded(slope, xs)), xs


def test_a_power_is_derived_twice_from_its_root():
    x = Value(1.5, "x")
    value, (curvature,) = replay(gradients(x**3 + x.sqrt() ** 5, x)[0], [x])(4.0)
    assert value == pytest.approx(3 * 16 + 2.5 * 8, rel=1e-13)
    assert curvature == pytest.approx(24 + 3.75 * 2, rel=1e-13)


@pytest.mark.parametrize("name", ["relu", "abs", "maximum", "minimum", "clip"])
def test_a_gradient_that_chose_a_side_is_refused_and_the_graph_below_it_is_not(name):
    function, row = rule_function(name), ELEMENTWISE[name]
    root, leaves = graph_of(function, points(row)[0])
    slope = gradients(root * leaves[0], leaves[0])[0]
    with pytest.raises(TypeError, match="was compared"):
        replay(slope * 2, leaves)
    for xs in points(row, 3):
        assert all_close(replay(root, leaves)(*xs), recorded(function, xs))


def test_results_of_calculus_are_functions_to_replay():
    def f(x, y):
        return (x * y).sin() + x**3 * y

    run = replay(tg.grad(f), [0.3, 0.5])
    for x, y in ((0.7, -1.2), (-2.0, 0.4)):
        value, (by_x, by_y) = run(x, y)
        assert value == pytest.approx(y * math.cos(x * y) + 3 * x * x * y, rel=1e-13)
        assert by_x == pytest.approx(-y * y * math.sin(x * y) + 6 * x * y, rel=1e-13)
        mixed = math.cos(x * y) - x * y * math.sin(x * y) + 3 * x * x
        assert by_y == pytest.approx(mixed, rel=1e-13)
