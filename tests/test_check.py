"""The gradient check: right on right rules, at every scale and kind; sharp on wrong ones."""

import math
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Tensor, Value, einsum, gradcheck, nn, numerical_gradient, rule, rules
from tinygrad_edu.check import GradientError

# --- numerical derivatives ---------------------------------------------------------------------


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=5), st.lists(st.floats(-2, 2), max_size=4))
def test_the_numerical_gradient_of_a_polynomial_is_its_derivative(coefficients, points):
    p = np.polynomial.Polynomial(coefficients)
    x = np.array(points)
    found = numerical_gradient(lambda a: p(a).sum(), x)
    np.testing.assert_allclose(found, p.deriv()(x), rtol=1e-6, atol=1e-6)


X = np.array([[0.5, -1.0, 2.0], [3.0, 0.25, -0.75]])
KINDS = {
    "number": (3.0, float, float),
    "integer": (3, float, float),
    "bool": (True, float, float),
    "NumPy float32": (np.float32(1.5), float, float),
    "Value": (Value(1.5), Value, float),
    "array": (X, np.ndarray, np.ndarray),
    "float32 array": (X.astype(np.float32), np.ndarray, np.ndarray),
    "integer array": (np.array([1, 2, 3]), np.ndarray, np.ndarray),
    "list": ([1, 2, 3], np.ndarray, np.ndarray),
    "array of no axes": (np.array(2.0), np.ndarray, np.ndarray),
    "Tensor": (Tensor(X), Tensor, np.ndarray),
    "float32 Tensor": (Tensor(X, dtype=np.float32), Tensor, np.ndarray),
    "empty": (np.zeros((0, 3)), np.ndarray, np.ndarray),
}


@pytest.mark.parametrize(("x", "given_kind", "result"), KINDS.values(), ids=KINDS)
def test_the_function_gets_the_kind_that_was_given_in_float64(x, given_kind, result):
    seen = []

    def sum_of_squares(a):
        seen.append(a)
        square = a * a
        return square.sum() if hasattr(square, "sum") else square

    gradient = numerical_gradient(sum_of_squares, x)
    plain = np.array(x.data if isinstance(x, Value | Tensor) else x, np.float64)
    assert isinstance(gradient, result)
    assert np.shape(gradient) == plain.shape
    np.testing.assert_allclose(gradient, 2 * plain, rtol=1e-8)
    for a in seen:
        assert type(a) is given_kind
        assert getattr(a, "dtype", np.float64) == np.float64


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("x", [1e-8, 1e-3, 1.0, 1e4, 1e8])
def test_numerical_derivatives_are_right_at_every_scale_of_the_number_and_of_the_result(size, x):
    assert numerical_gradient(lambda a: size * a * a, x) == pytest.approx(2 * size * x, rel=1e-7)


def test_a_numerical_gradient_of_several_numbers_is_refused_with_the_cure():
    with pytest.raises(ValueError, match=r"one number.*shape \(2, 3\).*\.sum\(\)"):
        numerical_gradient(lambda a: a * 2, X)


@pytest.mark.parametrize("nothing", [None, "3", 1j], ids=repr)
def test_a_function_that_returns_no_real_number_is_refused(nothing):
    with pytest.raises((TypeError, ValueError), match=r"NoneType|string|str|complex"):
        numerical_gradient(lambda a: nothing, 1.0)


@pytest.mark.parametrize("check", [numerical_gradient, gradcheck])
@pytest.mark.parametrize("wrong", ["3", 1j, None, np.array(["a"])], ids=repr)
def test_an_input_that_is_no_real_number_is_refused(check, wrong):
    operands = (lambda a: a, wrong)
    with pytest.raises(TypeError, match=rf"{check.__name__}.*real numbers"):
        check(*operands)


# --- the check of right rules --------------------------------------------------------------------

RIGHT = {
    "one number": (lambda x: x * x + x.sin(), 0.7),
    "several numbers": (lambda x, y: x**y, 1.5, 2.5),
    "a Value and a number": (lambda x, y: (x / y).tanh(), Value(0.5, "x"), 3),
    "a result of several numbers": (lambda x: x * x.sin(), X),
    "several arrays": (lambda x, y: x @ y, X, X.T.copy()),
    "arrays of two shapes": (lambda x, b: (x + b).softmax(axis=1), X, np.array([1.0, -1.0, 0.5])),
    "a Tensor and an array": (lambda x, y: einsum("ij,kj->ik", x, y), Tensor(X), X),
    "the same input twice": (lambda x, y: x * y, X, X),
    "integers": (lambda x: x * x, np.array([1, 2, 3])),
    "nested lists": (lambda x: x.sum(axis=0), [[1, 2], [3, 4]]),
    "float32": (lambda x: (x * x.sin()).sum(), Tensor(X, dtype=np.float32)),
    "no elements": (lambda x: x.sum(axis=0), np.zeros((0, 3))),
}


@pytest.mark.parametrize("call", RIGHT.values(), ids=RIGHT)
def test_a_right_rule_passes(call):
    f, *inputs = call
    report = gradcheck(f, *inputs)
    assert report.ok
    assert [row.verdict for row in report.rows] == ["ok"] * len(inputs)
    assert "agree" in str(report)


SCALES = {
    "sin far out": (lambda x: x.sin(), 1000.0),
    "large exp": (lambda x: x.exp(), 600.0),
    "log near 0": (lambda x: x.log(), 1e-4),
    "log at 1e-8": (lambda x: x.log(), 1e-8),
    "array with numbers of all sizes": (lambda x: x.log(), np.array([1e-8, 1.0, 1e8])),
    "root near 0": (lambda x: x.sqrt(), 1e-5),
    "reciprocal near 0": (lambda x: 1 / x, 1e-3),
    "large squares": (lambda x: x * x, 1e8),
    "small squares": (lambda x: x * x, 1e-8),
    "a large result": (lambda x: x.sin() * 1e12, 0.5),
    "a small result": (lambda x: x.sin() * 1e-12, 0.5),
}


@pytest.mark.parametrize(("f", "x"), SCALES.values(), ids=SCALES)
def test_a_right_rule_is_not_accused_at_any_scale(f, x):
    gradcheck(f, x)


# --- the check of wrong rules --------------------------------------------------------------------


def wrong_rows(f, *inputs, **options):
    """The rows that a check finds wrong, from the report and, the same, from the exception."""
    report = gradcheck(f, *inputs, **options, raises=False)
    with pytest.raises(GradientError) as found:
        gradcheck(f, *inputs, **options)
    assert str(found.value) == str(report) == str(found.value.report)
    rows = [row for row in report.rows if row.verdict == "wrong"]
    assert rows
    return rows


@pytest.fixture
def wrong_rule():
    """A rule with a derivative of the test's own."""

    def declare(forward, pullback_of):
        @rule("?")
        def planted_by_a_test(x, /):
            return forward(x), pullback_of(x)

        return rules.operations.planted_by_a_test

    return declare


def test_a_wrong_factor_is_reported_with_the_name_the_place_and_both_derivatives(wrong_rule):
    cube = wrong_rule(lambda x: x**3, lambda x: lambda g: (2 * x * x * g,))
    (row,) = wrong_rows(cube, Value(2, "weight"))
    assert (row.parameter, row.at, row.analytic) == ("weight", 2, 8)
    assert row.numeric == pytest.approx(12, rel=1e-9)
    assert row.relative == pytest.approx(1 / 3)
    assert wrong_rows(cube, 2)[0].parameter == "x"
    report = gradcheck(cube, Value(2, "weight"), raises=False)
    assert re.search(r"weight +2 +8 +1[12][.\d]* +3\.3e-01 +WRONG", str(report))


def test_one_wrong_element_is_named_by_its_index(wrong_rule):
    off = np.zeros((2, 3))
    off[1, 2], off[0, 1] = 0.5, 0.01
    square = wrong_rule(lambda x: x * x, lambda x: lambda g: (g * (2 * x + off),))
    x = Tensor(np.arange(1.0, 7.0).reshape(2, 3), "x")
    (row,) = wrong_rows(lambda a: square(a).sum(), x)
    assert (row.place, row.at, row.analytic) == ("x[1, 2]", 6, 12.5)
    assert row.numeric == pytest.approx(12, rel=1e-6)
    assert (row.errors > 1).tolist() == (off > 0).tolist()
    assert "(2 of 6 elements wrong)" in row.note


def test_of_several_inputs_only_the_wrong_ones_are_named(wrong_rule):
    double = wrong_rule(lambda x: 2 * x, lambda x: lambda g: (g,))
    (row,) = wrong_rows(lambda x, y: x * x + double(y), Value(1, "first"), Value(2, "second"))
    assert (row.parameter, row.analytic) == ("second", 1)
    rows = wrong_rows(lambda x, y: double(x) + double(y), 3, 4)
    assert [(row.parameter, row.at) for row in rows] == [("x", 3), ("y", 4)]
    with pytest.raises(GradientError, match="wrong for second\n"):
        gradcheck(lambda x, y: x * x + double(y), Value(1, "first"), Value(2, "second"))


WRONG = {
    "no gradient": lambda x: lambda g: (0 * g,),
    "the sign": lambda x: lambda g: (-2 * x * g,),
    "the adjoint is left out": lambda x: lambda g: (2 * x,),
    "one in ten thousand": lambda x: lambda g: (2.0002 * x * g,),
    "not a number": lambda x: lambda g: (g * math.nan,),
    "infinite": lambda x: lambda g: (g * math.inf,),
}


@pytest.mark.parametrize("pullback_of", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("x", [3.0, 3, np.array([1.0, 3.0]), np.array([1, 3])], ids=repr)
def test_every_kind_of_wrong_derivative_is_found(wrong_rule, pullback_of, x):
    square = wrong_rule(lambda x: x * x, pullback_of)
    (row,) = wrong_rows(lambda a: square(a) * 1.5 - a * a * 0.5, x)
    assert row.at in (1, 3)
    weight = row.numeric / row.at / 2  # that of the element in the weighed result
    assert weight == pytest.approx(1) or (isinstance(x, np.ndarray) and 0.5 < abs(weight) < 1.5)


def test_a_part_of_the_graph_that_was_cut_off_is_found():
    (row,) = wrong_rows(lambda x: x.detach() * x, Value(3, "x"))
    assert row.analytic == 3
    assert row.numeric == pytest.approx(6)


def test_the_tolerances_decide_what_passes(wrong_rule):
    nearly = wrong_rule(lambda x: x * x, lambda x: lambda g: (2.02 * x * g,))
    gradcheck(nearly, 5.0, rtol=0.02)
    gradcheck(nearly, 5.0, atol=0.2)
    (row,) = wrong_rows(nearly, 5.0, rtol=0.005)
    assert row.relative == pytest.approx(0.0099, rel=1e-2)


def test_a_gradient_error_is_an_assertion_error():
    assert issubclass(GradientError, AssertionError)


# --- bad calls, and no traces --------------------------------------------------------------------


def test_a_check_without_inputs_is_refused():
    with pytest.raises(ValueError, match="at least one input"):
        gradcheck(lambda: Value(1))


@pytest.mark.parametrize("result", [3.0, None, [Value(1), 2.0], np.ones(2)], ids=repr)
def test_a_function_that_returns_no_node_is_refused(result):
    with pytest.raises(TypeError, match=f"returned {type(result).__name__}, not a node"):
        gradcheck(lambda x: result, 1.0)


@pytest.mark.parametrize("right", [True, False])
def test_the_inputs_stay_as_they_are(right):
    v, t = Value(2, "v"), Tensor(X, "t")
    (v * v).backward()
    (t * t).sum().backward()
    array, numbers = X.copy(), [1.0, 2.0]

    def of_v(x):
        return x.exp() if right else x.detach()

    for inputs in ((v,), (t,), (array,), (numbers,)):
        numerical_gradient(lambda x: (x * x).sum() if hasattr(x, "sum") else x * x, inputs[0])
        if right:
            gradcheck(of_v, *inputs)
        else:
            assert {row.analytic for row in wrong_rows(of_v, *inputs)} == {0}
    assert (v.data, v.grad, v.label, v.operands) == (2, 4, "v", ())
    assert (t.data.tolist(), t.grad.tolist(), t.label) == (X.tolist(), (2 * X).tolist(), "t")
    assert (array.tolist(), numbers) == (X.tolist(), [1.0, 2.0])


@pytest.mark.parametrize("before", [False, True], ids=["no gradient yet", "a gradient"])
def test_nodes_that_the_function_uses_keep_their_gradients(before):
    model, scale = nn.Linear(3, 2, rng=0), Value(2.0, "scale")
    if before:
        model(X).sum().backward()
        (scale * 3.0).backward()
    grads = [p.grad.copy() for p in model.parameters()]
    gradcheck(lambda x: model(x).tanh().sum(), X)
    gradcheck(lambda x: x * scale, 1.5)
    for parameter, grad in zip(model.parameters(), grads, strict=True):
        assert (parameter.grad == grad).all()
    assert scale.grad == 3.0 * before


def test_functions_of_numbers_are_checked_where_numpy_cannot_be_imported():
    code = """
import sys
sys.modules["numpy"] = None
from tinygrad_edu import Value, gradcheck, numerical_gradient
print(gradcheck(lambda x, y: x * y + x.sin(), 2.0, Value(3.0, "y"), second_order=True))
print(gradcheck(lambda x: x**3, 2.0, gradient=lambda x: 1.5 * x * x, raises=False))
print(gradcheck(lambda x: x.relu(), 0.0))
print(numerical_gradient(lambda x: x * x, 3.0))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.search(r"y +3 +2 +2 .* ok", run.stdout)
    assert re.search(r"x +2 +6 +12 +5.0e-01 +WRONG", run.stdout)
    assert "it is half of what it should be" in run.stdout
    assert "a kink at 1 of 1" in run.stdout
    assert float(run.stdout.split()[-1]) == pytest.approx(6)
