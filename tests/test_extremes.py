"""Values and gradients where floats end, against mpmath: right, or infinite as NumPy's, and never
nan or a wrong number where the exact one is a float."""

import functools
import itertools
import math
import warnings

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from rule_table import ELEMENTWISE

from tinygrad_edu import Tensor, Value, nn
from tinygrad_edu.rules import operations

DIGITS = 800  # exp(-1800) and 1 are added on the way

ORACLES = {
    **{name: row.oracle for name, row in ELEMENTWISE.items()},
    "clip": lambda x: min(max(x, mpf(-1)), mpf(2)),
    "relu": lambda x: max(x, mpf(0)),
}
INSIDE = {  # of the domain
    "log": lambda x: x > 0, "log1p": lambda x: x > -1, "sqrt": lambda x: x > 0,
    "arcsin": lambda x: abs(x) < 1, "arccos": lambda x: abs(x) < 1,
    "divide": lambda x, y: y != 0, "power": lambda x, y: x > 0,
}  # fmt: skip

EXPONENTIAL = ("exp", "expm1", "sinh", "cosh", "tanh", "sigmoid", "softplus")
PERIODIC = ("sin", "cos", "tan")


def magnitudes(dtype):
    """From 0 over the smallest number to the largest, and around 1, and where exponentials end."""
    end = np.finfo(dtype)
    top = math.log(end.max)
    return [
        0.0, end.smallest_subnormal, 1e3 * end.smallest_subnormal, end.tiny, end.tiny**0.5,
        end.eps, 0.5, 1 - end.epsneg, 1.0, 1 + end.eps, 2.0, 10.0, 17.5, 40.0, 0.999 * top,
        1.001 * top, 1.2 * top, 1e4, 0.5 / end.eps, end.max**0.5 * 1.5, end.max / 2, end.max,
    ]  # fmt: skip


def numbers(dtype):
    return sorted({sign * float(dtype(x)) for x in magnitudes(dtype) for sign in (1, -1)})


def representable(exact, dtype):
    return mpmath.isfinite(exact) and abs(exact) <= mpf(float(np.finfo(dtype).max))


def problem(ours, exact, dtype, slack=16.0, absolute=0.0):
    """What is wrong with a result, or None. `slack` counts units in the last place."""
    end = np.finfo(dtype)
    if not representable(exact, dtype):
        limit = 0.999 * float(end.max)
        near_the_end = abs(ours) >= limit and (ours > 0) == (exact > 0)
        return None if near_the_end else f"{ours}, and it is beyond all floats"
    error = abs(mpf(ours) - exact) if math.isfinite(ours) else mpmath.inf
    allowed = slack * (abs(exact) * float(end.eps) + mpf(float(end.smallest_subnormal)))
    if error <= max(allowed, absolute):
        return None
    rounds_up = abs(exact) >= 0.9999 * float(end.max) and math.isinf(ours)
    return None if rounds_up else f"{ours!r}, and it is {mpmath.nstr(exact, 17)}"


@functools.cache
def exact(name, xs):
    """The value and the derivatives."""
    settled = name in EXPONENTIAL and abs(xs[0]) > 1500  # as flat or as large there as further out
    with mpmath.workdps(DIGITS):
        points = [mpf(math.copysign(1500, xs[0]))] if settled else [mpf(x) for x in xs]
        value = mpmath.sign(xs[0]) * mpf(max(xs[0], 0)) if settled and name == "softplus" else None
        if value is None:
            value = mpf(ORACLES[name](*points))
        if settled and name != "softplus" and abs(value) > 2:
            value = mpmath.sign(value) * mpmath.inf
        slopes = [slope(name, points, i) for i in range(len(points))]
        return value, [mpmath.sign(d) * mpmath.inf if settled and abs(d) > 2 else d for d in slopes]


def slope(name, xs, i):
    """A derivative by mpmath; at a kink the one agreed on."""
    row = ELEMENTWISE[name]
    if row.apart and xs[0] == xs[1]:
        return mpf(0.5)
    if at_kink := row.kinks.get(tuple(map(float, xs))):
        return mpf(at_kink[i])
    h = mpf(10) ** -40 * min(abs(xs[i]) or mpf(10) ** -360, 1)
    if name == "power":  # a base near 1 with a huge exponent
        h /= max(abs(xs[1]), 1)
    above, below = ((*xs[:i], xs[i] + step, *xs[i + 1 :]) for step in (h, -h))
    return (ORACLES[name](*above) - ORACLES[name](*below)) / (2 * h)


def tolerance(name, xs, dtype):
    """Units in the last place, and an absolute error, beyond what is asked of every rule."""
    if name == "power":  # the rounding of y - 1 counts as often as the exponent of x
        return 16 + 4 * abs(math.log(xs[0])) + abs(xs[1]), 0.0
    if name in ("tanh", "sigmoid"):  # their derivatives are made of their rounded outputs
        return 16, 2 * float(np.finfo(dtype).eps)
    if ELEMENTWISE[name].bell:
        return 16 + 2 * min(xs[0] * xs[0], 1500), 0.0
    if name == "arctan":  # the square in 1 / (1 + x²) overflows where the derivative is subnormal
        return 16, float(np.finfo(dtype).tiny)
    return 16, 0.0


def beyond_on_the_way(name, xs, dtype):
    """Where an intermediate result has no float although the derivative does: 1 / y for y below
    the normal numbers, x ** (y - 1) near it, and the square of x in 1 / (1 + x²)."""
    end = np.finfo(dtype)
    if name == "divide":
        return abs(xs[1]) < end.tiny
    return name == "power" and xs[0] <= 2 * end.tiny and abs(xs[1]) < 2


def results(name, xs, kind, dtype):
    leaves = [Value(x) if kind is Value else Tensor(np.array([x], dtype)) for x in xs]
    y = getattr(operations, name)(*leaves, **ELEMENTWISE[name].settings)
    y.backward(None)
    return [float(x) for x in (y, *(np.ravel(leaf.grad)[0] for leaf in leaves))]


def points(name, dtype):
    n = len(ELEMENTWISE[name].domains)
    some = numbers(dtype) if n == 1 else [*numbers(dtype)[::2], 1.0, 2.0]
    for xs in itertools.product(some, repeat=n):
        if name in PERIODIC and abs(xs[0]) > 1e300:
            continue  # mpmath would need the digits of π up to there
        if ELEMENTWISE[name].bell and abs(xs[0]) > 1e150:
            continue  # mpmath's erfc takes the square of x as a float
        if name in INSIDE and not INSIDE[name](*xs):
            continue
        if name == "power" and abs(xs[1] * math.log(xs[0])) > 1e6:
            continue  # far beyond all floats, and long to compute
        yield xs


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("kind", "dtype"), [(Value, np.float64), (Tensor, np.float64), (Tensor, np.float32)]
)
@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
def test_an_elementwise_rule_is_right_wherever_its_result_is_a_float(name, kind, dtype):
    tried = 0
    for xs in points(name, dtype):
        value, slopes = exact(name, xs)
        wanted = [value, *slopes]
        fine = [representable(x, dtype) for x in wanted]
        if all(fine) and not beyond_on_the_way(name, xs, dtype):
            ours = results(name, xs, kind, dtype)
        else:
            try:
                ours = results(name, xs, kind, dtype)
            except (ArithmeticError, ValueError):  # a Value refuses what is beyond all floats
                continue
        slack, absolute = tolerance(name, xs, dtype)
        for i, (number, right) in enumerate(zip(ours, wanted, strict=True)):
            wrong = problem(number, right, dtype, slack, absolute if i else 0.0)
            if wrong and i and beyond_on_the_way(name, xs, dtype):
                assert not math.isfinite(number), (xs, wrong)  # and so not wrong without a word
            else:
                assert not wrong, (xs, "value" if i == 0 else f"derivative {i}", wrong)
        tried += 1
    assert tried > 10


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", sorted(set(ELEMENTWISE) - {"power", "divide"}))
def test_a_warning_says_that_a_number_is_not_finite(name, dtype):
    """Without one, value and gradients are finite; with one, something is not."""
    for xs in points(name, dtype):
        has_square = name == "arctan" or ELEMENTWISE[name].bell
        if has_square and abs(xs[0]) > np.finfo(dtype).max ** 0.5:
            continue  # the square overflows, with NumPy's warning, on the way to a derivative of 0
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ours = results(name, xs, Tensor, dtype)
        assert bool(caught) == (not np.isfinite(ours).all()), (xs, ours)


# --- the softmax family, and losses ---------------------------------------------------------------

ROWS = [
    (0.0, 0.0), (1e4, -1e4), (-700.0, 0.0), (0.0, -100.0), (50.0, 0.0), (88.0, 89.0),
    ("max", "-max"), ("max", "max"), ("-max", "-max"), ("-max", 0.0), ("max", 0.0),
    ("max", "max/2"), ("tiny", 0.0), (1e4, 1e4), (1e4 + 1, 1e4),
    (-1e4, -1e4 - 0.5, -1e4 + 0.25), (16777216.0, 16777216.0, 0.0),
]  # fmt: skip


def row_of(row, dtype):
    end = np.finfo(dtype)
    named = {"max": end.max, "-max": -end.max, "max/2": end.max / 2, "tiny": end.smallest_subnormal}
    return np.array([named.get(x, x) for x in row], dtype)


def exact_softmax(row):
    with mpmath.workdps(400):
        xs = [mpf(float(x)) for x in row]
        top = max(xs)
        exponentials = [mpmath.exp(x - top) for x in xs]
        total = mpmath.fsum(exponentials)
        return [e / total for e in exponentials], top + mpmath.log(total)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_softmax_and_its_kin_and_their_gradients_are_right_at_the_extremes(row, dtype):
    """Warnings are errors here. An absolute error of a rounding of 1 is allowed where numbers near
    0 are differences of numbers near 1."""
    row = row_of(row, dtype)
    shares, top = exact_softmax(row)
    slack = {"slack": 16, "absolute": 4 * float(np.finfo(dtype).eps)}
    n = len(row)
    with mpmath.workdps(400):
        logs = [mpf(float(x)) - top for x in row]
    x = Tensor(row)
    for i in range(n):
        x.zero_grad()
        y = x.logsumexp()
        y.backward()
        assert not problem(y.item(), top, dtype, **slack)
        assert not problem(float(x.grad[i]), shares[i], dtype)
        p = x.softmax()
        assert not problem(float(p.data[i]), shares[i], dtype)
        x.zero_grad()
        p[i].backward()
        for k in range(n):
            slope = shares[i] * ((i == k) - shares[k])
            assert not problem(float(x.grad[k]), slope, dtype, **slack)
        x.zero_grad()
        losses = [
            x.log_softmax()[i],
            nn.cross_entropy(x, np.array(i)) * -1.0,
            nn.cross_entropy(x, np.eye(n)[i]) * -1.0,
        ]
        for loss in losses:
            x.zero_grad()
            loss.backward()
            assert not problem(loss.item(), logs[i], dtype, **slack)
            for k in range(n):
                assert not problem(float(x.grad[k]), (i == k) - shares[k], dtype, **slack)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
def test_binary_cross_entropy_is_right_at_the_extremes(target, dtype):
    for number in numbers(dtype):
        with mpmath.workdps(DIGITS):
            at = mpf(max(min(number, 1500.0), -1500.0))
            if abs(number) > 1500:
                value = mpf(number) * ((1 - target) if number > 0 else -target)
            else:
                up, down = mpmath.log1p(mpmath.exp(at)), mpmath.log1p(mpmath.exp(-at))
                value = target * down + (1 - target) * up
            slope = 1 / (1 + mpmath.exp(-at)) - target
        x = Tensor(np.array([number], dtype))
        loss = nn.binary_cross_entropy_with_logits(x, np.array([target]))
        loss.backward()
        eps = 4 * float(np.finfo(dtype).eps)
        assert not problem(loss.item(), value, dtype)
        assert not problem(float(x.grad[0]), slope, dtype, absolute=eps)


# --- reductions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ["sum", "mean", "var", "std", "prod", "max", "min", "cumsum"])
def test_a_reduction_is_numpys_at_the_extremes_and_warns_where_that_does(name, dtype):
    end = np.finfo(dtype)
    rows = [
        [end.max, end.max], [end.max, -end.max], [-end.max, 1.0], [end.tiny, end.tiny], [0, 0],
        [end.smallest_subnormal, 0], [end.max / 4, end.max / 4], [1e-30, 1e-30, 1e30],
    ]  # fmt: skip
    for row in rows:
        row = np.array(row, dtype)
        caught = []
        for reduce in (lambda a: getattr(np, name)(a), lambda a: getattr(Tensor(a), name)().data):
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                caught.append((np.asarray(reduce(row)).tolist(), bool(seen)))
        assert repr(caught[0]) == repr(caught[1]), row


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_gradient_of_a_product_needs_no_quotient(dtype):
    """prod / x would be 0 / 0, inf / inf or 0 / tiny here."""
    end = np.finfo(dtype)
    for row in (
        [0.0, 0.0, 3.0],
        [0.0, 2.0, 3.0],
        [end.max / 4, 0.5, 2.0],
        [end.tiny, end.tiny, 4.0],
    ):
        x = Tensor(np.array(row, dtype))
        x.prod().backward()
        for i, slope in enumerate(x.grad):
            with mpmath.workdps(60):
                others = mpmath.fprod(mpf(float(v)) for k, v in enumerate(x.data) if k != i)
            assert not problem(float(slope), others, dtype)
