"""Functions of autograd are checked through autograd's own backward pass."""

import subprocess
import sys

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.extend import defvjp, primitive

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, check_backward, gradcheck
from tinygrad_edu.check import GradientError
from tinygrad_edu.check.libraries.recognition import library_behind

rng = np.random.default_rng(0)
X, W = rng.normal(size=(4, 3)), rng.normal(size=(3, 3))


def layer(vjp_of_x, vjp_of_w):
    """x @ w with a derivative by hand."""

    @primitive
    def affine(x, w):
        return x @ w

    defvjp(affine, vjp_of_x, vjp_of_w)
    return affine


def right_x(y, x, w):
    return lambda g: g @ w.T


def right_w(y, x, w):
    return lambda g: x.T @ g


MISTAKES = {
    "the sign is wrong": lambda y, x, w: lambda g: -g @ w.T,
    "twice what it should be": lambda y, x, w: lambda g: 2 * g @ w.T,
    "w is not transposed": lambda y, x, w: lambda g: g @ w,
    "the adjoint of the output is left out": lambda y, x, w: lambda g: np.ones_like(g) @ w.T,
    "does not grow with the adjoint": lambda y, x, w: lambda g: np.clip(g, -2, 2) @ w.T,
    "only in [2, :]": lambda y, x, w: lambda g: g @ w.T * np.array([[1], [1], [3], [1]]),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_primitive_is_right(dtype):
    f = layer(right_x, right_w)
    for report in (
        gradcheck(f, X.astype(dtype), W.astype(dtype)),
        check_backward(f, X.astype(dtype), W.astype(dtype)),
    ):
        assert [(row.parameter, row.verdict, row.dtype) for row in report.rows] == [
            ("x", "ok", dtype),
            ("w", "ok", dtype),
        ]
        assert report.called == "affine(x, w), differentiated by autograd.make_vjp"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("said", MISTAKES)
def test_a_mistake_in_a_primitive_is_named(said, dtype):
    wrong = layer(MISTAKES[said], right_w)
    with pytest.raises(GradientError) as caught:
        gradcheck(wrong, X.astype(dtype), W.astype(dtype))
    assert said in " ".join(str(caught.value).split())
    assert caught.value.report.rows[1].verdict == "ok"


@pytest.mark.parametrize("said", ["the sign is wrong", "the adjoint of the output is left out"])
def test_a_primitive_inside_a_function_of_nodes_is_differentiated_by_autograd(said):
    wrong = layer(MISTAKES[said], right_w)
    for x in (X, Tensor(X)):
        report = gradcheck(lambda x: (wrong(x, W) ** 2).sum(), x, raises=False)
        assert [row.verdict for row in report.rows] == ["wrong"]


def test_functions_of_autograd_numpy_take_several_results_and_structures():
    def f(parameters, scale):
        h = anp.tanh(parameters["x"] @ parameters["w"][0] * scale)
        return {"h": h, "loss": [anp.mean(h**2)]}

    report = gradcheck(f, {"x": X, "w": [W]}, 0.5)
    assert [row.parameter for row in report.rows] == ["parameters.x", "parameters.w.0"]
    assert gradcheck(lambda x: anp.exp(x) * x, 0.5).rows[0].analytic == pytest.approx(
        1.5 * np.exp(0.5), rel=1e-12
    )


def test_of_several_results_the_one_with_the_mistake_is_named():
    f = layer(MISTAKES["the sign is wrong"], right_w)
    report = gradcheck(lambda x, w: (anp.sin(x), f(x, w)), X, W, raises=False)
    assert [row.verdict for row in report.rows] == ["wrong", "ok"]
    assert report.rows[0].note.startswith("through result 1: the sign is wrong")


def test_an_input_without_a_vjp_is_missing_if_it_matters():
    @primitive
    def scaled(x, w):
        return x * w

    defvjp(scaled, lambda y, x, w: lambda g: g * w)
    report = gradcheck(scaled, X, 2 * X, raises=False)
    assert [row.verdict for row in report.rows] == ["ok", "missing"]
    assert report.rows[1].note.startswith("autograd gives no gradient for it, but moving it")
    unused = gradcheck(lambda x, w: anp.tanh(x), X, W, raises=False)
    assert [row.verdict for row in unused.rows] == ["ok", "unused"]


def test_what_is_written_into_or_not_finite_is_said():
    @primitive
    def halved(x):
        x /= 2
        return x * 1

    defvjp(halved, lambda y, x: lambda g: g / 2)
    given = X.copy()
    report = gradcheck(halved, given, raises=False)
    assert report.problems == ["x: the function wrote into it; work on a copy"]
    np.testing.assert_array_equal(given, X)
    report = gradcheck(lambda x: anp.log(x) * 1.0, np.array([np.nan, 1.0]), raises=False)
    assert "nan or infinity" in report.problems[0]


def test_nodes_that_no_library_gets_stay_ours():
    for f in (tg.softmax, lambda x: x.tanh(), lambda x: x * float(anp.sum(X))):
        assert library_behind(f, [X], False) == ""
    assert library_behind(lambda x: anp.tanh(x), [Value(0.5)], False) == "autograd"
    profiler = sys.getprofile()
    assert gradcheck(lambda x: x.tanh(), X).called == ""
    assert sys.getprofile() is profiler


@pytest.mark.parametrize(("package", "said"), [("tensorflow", "gradient="), ("cupy", "asnumpy")])
def test_arrays_of_libraries_that_are_not_checked_are_refused(package, said):
    array = type("Array", (), {"dtype": np.dtype(float), "__module__": f"{package}.core"})()
    with pytest.raises(TypeError, match=f"{package} cannot be checked; hand in .*{said}"):
        gradcheck(lambda x: x, array)
    layer = type("Layer", (), {"__call__": lambda self, x: x, "__module__": f"{package}.layers"})()
    with pytest.raises(TypeError, match=f"{package} cannot be checked"):
        check_backward(layer, X)


def test_no_library_is_imported_that_is_not_handed_in():
    code = """
import sys
import numpy as np
from tinygrad_edu import check_backward, gradcheck

class Layer:
    def forward(self, x):
        return 2 * x
    def backward(self, dout):
        return 2 * dout

gradcheck(lambda x: x.tanh(), np.ones(3))
check_backward(Layer(), np.ones(3))
assert not {"torch", "jax", "autograd"} & set(sys.modules)
import autograd.numpy as anp
assert gradcheck(lambda x: anp.tanh(x), np.ones(3)).called
assert not {"torch", "jax"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
