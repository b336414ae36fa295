"""Replay at the edges of floats: what the graph gives, and where the graph raises, its error."""

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_table import ELEMENTWISE
from test_replay_values import all_bits, close, program_of, recorded, rule_function

import tinygrad_edu as tg
from tinygrad_edu import Value, replay
from tinygrad_edu.rules import operations

ERRORS = (ArithmeticError, ValueError)
EDGES = [
    0.0, -0.0, 1.0, -1.0, 2.0, -3.0, 0.5, 5e-324, -1e-310, 1e-200, 1e154, -1e200, 1e308, 720.0,
    -800.0, math.inf, -math.inf, math.nan,
]  # fmt: skip
ORDINARY = (0.5, 0.75)
"""Where every rule can be recorded, and every composition below."""


def outcome(function, *xs):
    """The bits of the value and the gradients, or the class of the error. `grad` begins with 0.0,
    to which it adds, so that it is never -0.0."""
    try:
        value, gradients = function(*xs)
        return all_bits((value, [0.0 + g for g in gradients]))
    except ERRORS as error:
        return type(error)


def by_the_graph(function):
    return lambda *xs: recorded(function, xs)


def points_of(n):
    return itertools.product(EDGES, repeat=n)


def at_hand(function, n):
    leaves = [Value(x, f"x{i}") for i, x in enumerate(ORDINARY[:n])]
    return replay(function(*leaves), leaves)


EXPONENTS = [-3, -2, -1, -0.5, 0, 1e-20, 0.5, 1, 1.5, 2, 3, 4, 1e20, 1e308, math.inf, math.nan]
FUNCTIONS = {
    **{name: (rule_function(name), len(row.domains)) for name, row in ELEMENTWISE.items()},
    **{f"x ** {y}": (lambda x, y=y: x**y, 1) for y in EXPONENTS},
    **{f"{y} ** x": (lambda x, y=y: y**x, 1) for y in (0.0, 0.5, 1.0, 10.0, math.inf)},
    "x ** 0 of a logarithm": (lambda x: x.log() ** 0, 1),
    "x ** 2 that vanishes": (lambda x: 1 / x**2, 1),
    "a branch by a constant": (lambda x, y: tg.where(True, x, y.log()), 2),
    "a branch by a constant of a power": (lambda x, y: tg.where(False, 1 / x, y**3), 2),
    "a root of relu": (lambda x, y: x.relu() ** 0.5 * y, 2),
    "relu of a quotient": (lambda x, y: (x / y).relu() - 2, 2),
    "abs below a power": (lambda x: abs(x) ** 0.5, 1),
    "clip below a root": (lambda x: x.clip(0.0, 1.0).sqrt(), 1),
    "a maximum below a quotient": (lambda x, y: 1 / x.maximum(y), 2),
    "leaky relu below exp": (lambda x: (x.leaky_relu() * 1e3).exp(), 1),
    "exp of x - log y": (lambda x, y: x.exp() + (x - y.log()).exp(), 2),
    "1 / n": (lambda x, y: (x / 3 + y / 7) / 1e-310, 2),
    "signs of zero": (lambda x, y: 0.0 - (x * -1.0) + -(0.0 - (-y)) * 1.0, 2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_at_every_edge_the_bits_or_the_error_of_the_graph(name):
    function, n = FUNCTIONS[name]
    run, as_function = at_hand(function, n), replay(function, ORDINARY[:n])
    text = program_of(run)
    for xs in points_of(n):
        expected = outcome(by_the_graph(function), *xs)
        assert outcome(run, *xs) == expected, (xs, run.source)
        assert outcome(as_function, *xs) == expected, xs
        found = outcome(text, *xs)  # the text has Python's own errors: 0.0 ** -1 has another class
        assert found == expected or (isinstance(found, type) and isinstance(expected, type)), xs


def test_the_error_of_a_derivative_that_nobody_asked_for_is_not_raised():
    x, w = Value(4.0, "x"), Value(2.0, "w")
    root = x.sqrt() * w
    with pytest.raises(ZeroDivisionError):
        replay(root, [x, w])(0.0, 3.0)
    assert replay(root, [x, w], wrt=[w])(0.0, 3.0) == (0.0, (0.0,))


NAMES = sorted(set(ELEMENTWISE))


@st.composite
def compositions(draw):
    """A function of two numbers: up to six operations, each on what there is so far."""
    steps = []
    for i in range(draw(st.integers(1, 6))):
        name = draw(st.sampled_from([*NAMES, "x ** c", "c ** x", "where"]))
        places = [draw(st.integers(0, i + 1)) for _ in range(2)]
        constant = draw(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 1e200]))
        steps.append((name, places, constant))

    def function(x, y):
        nodes = [x, y]
        for name, places, constant in steps:
            a, b = (nodes[i] for i in places)
            if name == "x ** c":
                nodes.append(a**constant)
            elif name == "c ** x":
                nodes.append(abs(constant) ** a)
            elif name == "where":
                nodes.append(tg.where(constant > 0, a, b))
            else:
                row = ELEMENTWISE[name]
                operands = (a, b)[: len(row.domains)]
                nodes.append(getattr(operations, name)(*operands, **row.settings))
        return nodes[-1] + 0.0 * sum(nodes[2:-1], 0.0)

    function.steps = steps
    return function


@given(
    function=compositions(),
    first=st.tuples(*[st.sampled_from([0.5, 0.75, 1.5, -0.5, 2.0])] * 2),
    others=st.lists(st.tuples(*[st.sampled_from(EDGES)] * 2), min_size=1, max_size=6),
)
def test_compositions_at_edges_whatever_they_were_recorded_with(function, first, others):
    leaves = [Value(x, f"x{i}") for i, x in enumerate(first)]
    try:
        run = replay(function(*leaves), leaves)
    except ERRORS:
        return  # nothing was recorded
    for xs in (first, *others):
        expected = outcome(by_the_graph(function), *xs)
        assert outcome(run, *xs) == expected, (function.steps, xs, run.source)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_columns_agree_point_by_point_and_warn_where_the_graph_raises(name):
    function, n = FUNCTIONS[name]
    run = at_hand(function, n)
    for xs in points_of(n):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            value, gradients = run(*(np.array([x]) for x in xs))
        found = value.item(), *(g.item() for g in gradients)
        try:
            value, gradients = recorded(function, xs)
        except ERRORS:
            assert any(issubclass(w.category, RuntimeWarning) for w in caught), (xs, found)
            # what is computed from inf may be finite again, as in 1 / x ** 2
            assert name not in ELEMENTWISE or not all(map(math.isfinite, found)), (xs, found)
        else:
            if name in ("x ** 0.5", "x ** 1.5") and xs == (-math.inf,):
                assert any(map(math.isnan, found))  # NumPy's square root of -inf; C's power is inf
                continue
            for x, y in zip(found, (value, *gradients), strict=True):
                assert close(x, y, slack=1e-300), (xs, found, (value, *gradients))
