"""Numerical derivatives and the verdict on functions: no false alarm at any scale, no miss."""

import math

import mpmath
import numpy as np
import pytest
from effort import much
from hypothesis import assume, given
from hypothesis import strategies as st
from random_graphs import tensor_graphs, value_graphs
from rule_table import ARRAYS, ELEMENTWISE

from tinygrad_edu import Tensor, gradcheck, numerical_gradient, rule
from tinygrad_edu.check import GradientError
from tinygrad_edu.rules import operations

SIZES = [1e-150, 1e-30, 1e-12, 1e-6, 1.0, 1e6, 1e12, 1e30]
RNG = np.random.default_rng(5)
X = RNG.normal(size=(3, 4))


def verdicts(f, *inputs, **options):
    return [row.verdict for row in gradcheck(f, *inputs, **options, raises=False).rows]


def verdict(f, derivative, x, **options):
    """The verdict on a derivative by hand; f is kept from taking complex numbers."""

    def real(a):
        return float(np.real(f(a))) if not np.iscomplexobj(a) else float("nan")

    (found,) = verdicts(real, x, gradient=derivative, **options)
    return found


# --- scales --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", SIZES)
def test_right_and_wrong_are_told_apart_at_every_scale_of_input_and_result(size, scale):
    functions = {
        "square": (lambda x: size * x * x, lambda x: 2 * size * x),
        "wave": (
            lambda x: size * math.sin(x / scale),
            lambda x: size / scale * math.cos(x / scale),
        ),
    }
    for f, derivative in functions.values():
        x = 0.7 * scale
        if not all(1e-290 < abs(y) < 1e290 for y in (f(x), derivative(x))):
            continue  # nearly nothing is left of it, or nothing fits
        assert verdict(f, derivative, x) == "ok"
        assert verdict(f, lambda x, d=derivative: 1.001 * d(x), x) == "wrong"
        assert verdict(f, lambda x, d=derivative: -d(x), x) == "wrong"


SHARP = {
    "softplus": (lambda z: np.logaddexp(0, z), lambda z: 1 / (1 + np.exp(-z))),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "bell": (lambda z: np.exp(-z * z), lambda z: -2 * z * np.exp(-z * z)),
    "wave": (np.sin, np.cos),
}


@pytest.mark.parametrize("steepness", [1, 1e3, 1e5, 1e6])
@pytest.mark.parametrize("centre", [0.0, 1.0, -20.0])
@pytest.mark.parametrize("name", SHARP)
def test_a_function_that_changes_over_a_millionth_is_not_taken_for_a_straight_line(
    name, centre, steepness
):
    f, slope = SHARP[name]
    for z in (0.0, 0.3, -2.0):
        x = centre + z / steepness
        at = (x - centre) * steepness  # where rounding put it
        assert verdict(
            lambda x: f((x - centre) * steepness),
            lambda x: steepness * slope((x - centre) * steepness),
            x,
        ) == "ok"  # fmt: skip
        found = numerical_gradient(lambda x: float(f((x - centre) * steepness)), x)
        expected = float(steepness * slope(at))
        assert found == pytest.approx(expected, rel=1e-5, abs=2e-6 * steepness)


@given(
    st.sampled_from(sorted(ELEMENTWISE)),
    st.lists(st.floats(0, 1), min_size=2, max_size=2),
)
def test_numerical_derivatives_of_elementwise_rules_have_nine_digits_beside_mpmath(name, places):
    row = ELEMENTWISE[name]
    xs = [low + (high - low) * t for (low, high), t in zip(row.domains, places, strict=False)]
    for kinks in row.kinks:
        assume(all(abs(x - kink) > 1e-3 for x, kink in zip(xs, kinks, strict=False)))
    assume(not row.apart or abs(xs[0] - xs[1]) > 1e-3)
    rule = getattr(operations, name)
    with mpmath.workdps(40):
        for i, x in enumerate(xs):
            exact = float(mpmath.diff(lambda t, i=i: row.oracle(*xs[:i], t, *xs[i + 1 :]), x))
            found = numerical_gradient(
                lambda t, i=i: rule(*xs[:i], t, *xs[i + 1 :], **row.settings), x
            )
            assert found == pytest.approx(exact, rel=1e-9, abs=1e-9)


# --- right code is never accused -----------------------------------------------------------------


RIGHT = {"ok", "kink", "unused"}


@given(value_graphs())
def test_random_graphs_of_values_are_right(graph):
    assert set(verdicts(graph, *graph.new_leaves())) <= RIGHT


@given(tensor_graphs())
def test_random_graphs_of_tensors_are_right(graph):
    assert set(verdicts(graph, *graph.new_leaves())) <= RIGHT


@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_every_rule_for_arrays_is_right_to_second_order(name):
    rng = np.random.default_rng(11)
    for call in ARRAYS[name][: much(None, 1)]:
        xs = [
            rng.uniform(0.2, 1.2, s) if call.positive else rng.normal(size=s) for s in call.shapes
        ]
        assert set(verdicts(call.ours, *map(Tensor, xs), second_order=True)) <= RIGHT


@pytest.mark.parametrize("distance", [0, 1e-11, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("centre", [0.0, 1.0, -100.0])
@pytest.mark.parametrize("side", [1, -1])
def test_a_kink_near_the_input_raises_no_alarm_and_hides_no_mistake(distance, centre, side):
    x = centre + side * distance
    slope = float(x > centre)
    relu = (lambda z: max(z - centre, 0.0)), (lambda z: float(z > centre))
    assert verdict(*relu, x) in ("ok", "kink")
    bent = (lambda z: abs(z - centre) + z * z), (lambda z: float(np.sign(z - centre)) + 2 * z)
    assert verdict(*bent, x) in ("ok", "kink")
    many = np.array([x, centre + 0.3, x])
    assert set(verdicts(lambda z: (z - centre).relu() * 3, many)) <= {"ok", "kink"}
    assert verdict(relu[0], lambda z: -0.5, x) == "wrong"
    assert verdict(relu[0], lambda z: 1.5, x) == "wrong"
    if distance >= 1e-6:
        assert verdict(relu[0], lambda z: 1 - slope, x) == "wrong"
        assert verdict(relu[0], lambda z: 0.5, x) == "wrong"


KINKS = {
    "ties": (lambda x: x.max(axis=1), np.round(X)),
    "all tied": (lambda x: x.max(), np.ones(4)),
    "abs": (lambda x: x.abs(), np.array([0.0, 1.0, -1e-13])),
    "clip": (lambda x: x.clip(-1, 1), np.array([-1, 1, 0, -1 - 1e-9, 1 + 1e-9, 5.0])),
    "minimum": (lambda x, y: x.minimum(y), np.ones(3), np.array([1, 1 + 1e-12, 2])),
    "relu of zeros": (lambda x: (x @ x.T).relu(), np.zeros((2, 2))),
    "edge of the domain": (lambda x: x**1.5, np.array([0.0, 1.0])),
    "powers at 0": (lambda x: x**3 + x**2, np.array([0.0, 1e-9, -1e-5])),
    "log near 0": (lambda x: x.log(), np.array([1e-300, 1e-15, 1e-5])),
    "reciprocal near 0": (lambda x: 1 / x, np.array([1e-100, 1e-9, 1e-5, -1e-4])),
    "root near 0": (lambda x: x**0.5, np.array([1e-12, 1e-9, 1.0])),
}


@pytest.mark.parametrize("call", KINKS.values(), ids=KINKS)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_kinks_ties_and_edges_are_no_mistakes(call):
    f, *inputs = call
    assert set(verdicts(f, *inputs)) <= {"ok", "kink"}


def test_relu_networks_of_any_size_pass():
    rng = np.random.default_rng(3)
    for d, h in [(3, 5), (20, 50), (40, 30)][: much(3, 1)]:
        W, V, b = rng.normal(size=(d, h)), rng.normal(size=(h, 4)), np.zeros(h)
        x = np.round(rng.normal(size=(8, d)), 1)
        gradcheck(lambda W, b, V, x=x: ((Tensor(x) @ W + b).relu() @ V).tanh(), W, b, V)


FLOAT32 = {
    "inside": lambda x: float(np.sum(np.sin(np.float32(x)))),
    "inside and out": lambda x: float(np.float32(np.sum(np.sin(np.float32(x)), dtype=np.float32))),
}


@pytest.mark.parametrize("f", FLOAT32.values(), ids=FLOAT32)
def test_float32_inside_of_a_function_hides_no_mistake_and_raises_no_alarm_at_its_tolerance(f):
    assert verdicts(f, X, gradient=np.cos, rtol=1e-3, atol=1e-3) == ["ok"]
    assert verdicts(f, X, gradient=lambda x: np.float32(np.cos(x))) == ["ok"]
    assert verdicts(f, X, gradient=lambda x: 1.1 * np.cos(x)) == ["wrong"]
    assert verdicts(f, X, gradient=lambda x: -np.cos(x), rtol=1e-3, atol=1e-3) == ["wrong"]


def test_float32_is_judged_and_said_to_be_so():
    report = gradcheck(lambda x: (x * x.sin()).sum(), Tensor(X.astype(np.float32), "x"))
    assert "judged as float32" in str(report)
    mixed = gradcheck(lambda x, y: x @ y, Tensor(X.astype(np.float32)), X.T.copy())
    assert mixed.ok
    half = gradcheck(lambda x: float((x**2).sum()), np.float16(X), gradient=lambda x: 2 * x)
    assert half.ok
    assert "judged as float16" in str(half)


@pytest.mark.parametrize("offset", [1e6, 1e10])
def test_a_small_part_of_a_large_result_is_no_false_alarm(offset):
    for size in (1.0, 1e-3):
        f = lambda x, s=size: offset + s * float(np.sum(x * x))  # noqa: E731
        (found,) = verdicts(f, X, gradient=lambda x, s=size: 2 * s * x)
        assert found in ("ok", "unsure")


# --- jumps, nan, and functions cut off -----------------------------------------------------------


def test_jumps_are_called_so_and_only_where_they_are():
    floor = (lambda x: math.floor(x) * x), (lambda x: float(math.floor(x)))
    assert verdict(*floor, 2.3) == "ok"
    for x in (1.0005, 1 + 1e-6, 1 + 1e-9):
        assert verdict(lambda z: float(z > 1) + z, lambda z: 1.0, x) == "ok"
    report = gradcheck(*floor[:1], 2.0, gradient=lambda x: 1.0, raises=False)
    assert "the result jumps at this input" in " ".join(str(report).split())
    for digits in (0, 1, 2):
        cut = gradcheck(
            lambda x, d=digits: round(x, d), 2.347, gradient=lambda x: 1.0, raises=False
        )
        assert "moving the input does not change the result" in str(cut)


def test_an_infinite_derivative_is_unsure_not_ok():
    with np.errstate(all="ignore"):
        report = gradcheck(lambda x: x**0.5, np.array([0.0, 1.0]), raises=False)
    assert [row.verdict for row in report.rows] == ["unsure"]
    assert not report.ok


def test_nan_is_never_right():
    assert verdicts(lambda x: float("nan"), 1.0, gradient=lambda x: 1.0) != ["ok"]
    assert verdicts(lambda x: x * x, 1.0, gradient=lambda x: float("nan")) == ["wrong"]
    squares = (lambda x: (x * x).sum()), X
    assert verdicts(*squares, gradient=lambda x: x * np.inf) == ["wrong"]


# --- functions that take complex numbers, and are not analytic -----------------------------------

COMPLEX = {
    "abs": (lambda x: np.abs(x).sum(), np.sign),
    "abs squared": (lambda x: (np.abs(x) ** 2).sum(), lambda x: 2 * x),
    "real": (lambda x: np.real(x**2).sum(), lambda x: 2 * x),
    "conjugate": (lambda x: (x * np.conj(x)).sum(), lambda x: 2 * x),
    "imag": (lambda x: (x**2).sum() + np.imag(x).sum(), lambda x: 2 * x),
    "where": (lambda x: np.where(x > 0, x * x, x).sum(), lambda x: np.where(x > 0, 2 * x, 1)),
    "norm": (np.linalg.norm, lambda x: x / np.linalg.norm(x)),
    "sort": (
        lambda x: (np.sort(x.ravel()) * np.arange(x.size)).sum(),
        lambda x: np.argsort(np.argsort(x.ravel())).reshape(x.shape) * 1.0,
    ),
    "max": (np.max, lambda x: (x == x.max()) * 1.0),
    "root of a square": (lambda x: np.sqrt(x * x).sum(), np.sign),
    "angle": (lambda x: np.angle(x + 3).sum() + (x**2).sum(), lambda x: 2 * x),
    "mask": (lambda x: (x * (x > 0)).sum(), lambda x: (x > 0) * 1.0),
    "astype": (lambda x: (x.astype(float) ** 2).sum(), lambda x: 2 * x),
    "another function for complex": (
        lambda x: (x**3 if np.iscomplexobj(x) else x**2).sum(), lambda x: 2 * x,
    ),
    "one row": (
        lambda x: (x[0] ** 2).sum() + np.abs(x[1]).sum(),
        lambda x: np.stack([2 * x[0], np.sign(x[1]), 0 * x[2]]),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("f", "derivative"), COMPLEX.values(), ids=COMPLEX)
def test_the_complex_step_never_gives_a_wrong_verdict(f, derivative):
    assert verdicts(f, X, gradient=derivative) == ["ok"]
    assert verdicts(f, X, gradient=lambda x: 1.0001 * derivative(x)) == ["wrong"]


# --- wrong code is found -------------------------------------------------------------------------


@given(st.integers(0, 11), st.sampled_from([1e-3, -1e-3, 1.0]), st.sampled_from([1e-9, 1.0, 1e9]))
def test_one_wrong_element_is_found_however_small_the_whole_gradient(element, part, size):
    def derivative(x):
        d = 2 * size * x
        d.flat[element] *= 1 + part
        return d

    report = gradcheck(lambda x: size * (x * x).sum(), X, gradient=derivative, raises=False)
    (row,) = report.rows
    assert row.verdict == "wrong"
    assert row.index == tuple(map(int, np.unravel_index(element, X.shape)))
    assert "(1 of 12 elements wrong)" in row.note


LARGE = np.random.default_rng(0).normal(size=much((200, 200), (60, 50)))


@pytest.mark.no_cover
@pytest.mark.parametrize("plant", ["sign", "zero", "percent", "row", "all", None])
@pytest.mark.parametrize("size", [1e-9, 1.0])
def test_one_wrong_element_among_thousands_is_found(plant, size):
    def derivative(x):
        d = size * np.cos(x)
        at = (17, 33)
        d[at] *= {"sign": -1, "zero": 0, "percent": 1.01}.get(plant, 1)
        if plant == "row":
            d[3] = 0
        return d * (1.001 if plant == "all" else 1)

    (row,) = gradcheck(
        lambda x: size * np.sum(np.sin(x)), LARGE, gradient=derivative, raises=False
    ).rows
    assert row.verdict == ("ok" if plant is None else "wrong")
    if plant in ("sign", "zero", "percent"):
        assert row.index == (17, 33)


def test_second_order_finds_what_first_order_cannot_see():
    @rule("?")
    def cube_of_a_test(x, /):
        def pullback(g, x=x):
            # right as a number; as a node the square is cut from its graph
            square = x.detach() * x.detach() if hasattr(x, "detach") else x * x
            return (3 * square * g,)

        return x * x * x, pullback

    assert gradcheck(cube_of_a_test, 1.5).ok
    with pytest.raises(GradientError, match="second order: x"):
        gradcheck(cube_of_a_test, 1.5, second_order=True)


@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
def test_second_derivatives_of_every_elementwise_rule_pass(name):
    row = ELEMENTWISE[name]
    xs = [low + (high - low) * t for (low, high), t in zip(row.domains, (0.61, 0.23), strict=False)]
    assert gradcheck(
        lambda *nodes: getattr(operations, name)(*nodes, **row.settings), *xs, second_order=True
    ).ok  # fmt: skip


def test_one_element_costs_four_calls_or_five_of_the_function():
    calls = []

    def f(x):
        calls.append(1)
        return (x.sin() * x).sum()

    gradcheck(f, np.linspace(0.5, 2, 100))
    assert len(calls) <= 5 * 100
