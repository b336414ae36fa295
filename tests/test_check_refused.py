"""What the checkers refuse: calls that cannot be understood, each with what it was and the cure."""

import numpy as np
import pytest

from tinygrad_edu import Tensor, check_backward, compare, gradcheck
from tinygrad_edu.check import GradientError

X = np.array([[0.3, -0.7], [1.1, 0.4]])
NO_ARRAY = np.array([1, 2])


class Double:
    """The layer 2 x; its backward pass may take any arguments."""

    def __init__(self):
        self.scale = np.full(2, 2.0)

    def forward(self, x):
        return x * self.scale

    def backward(self, dout):
        return dout * self.scale


def takes_too_many(x, y, z, dout):
    return dout


class OnlyForward:
    def forward(self, x):
        return x


class OnlyBackward:
    def backward(self, dout):
        return dout


class ForwardIsNoFunction(OnlyBackward):
    forward = 3.0


CALLS = {
    "no inputs": (ValueError, lambda: check_backward(Double()), "at least one input"),
    "no inputs for two functions": (
        ValueError, lambda: check_backward(np.exp, np.exp), "at least one input",
    ),
    "a class": (TypeError, lambda: check_backward(Double, X), "Double is a class; give an object"),
    "no backward": (
        TypeError, lambda: check_backward(OnlyForward(), X), "OnlyForward has no backward; give",
    ),
    "no forward": (
        TypeError, lambda: check_backward(OnlyBackward(), X), "OnlyBackward has backward but no f",
    ),
    "forward is a number": (
        TypeError, lambda: check_backward(ForwardIsNoFunction(), X), "backward but no forward",
    ),
    "a number": (TypeError, lambda: check_backward(3.0, X), "float has no backward; give a layer"),
    "one function": (TypeError, lambda: check_backward(np.exp, X), "or two functions: check_back"),
    "backward with too many arguments": (
        TypeError, lambda: check_backward(Double().forward, takes_too_many, X),
        "takes 4 arguments for 1 inputs.*with inputs and adjoint.*wrap it",
    ),
    "two inputs, and no adjoint for a result of four": (
        GradientError, lambda: check_backward(np.multiply, lambda x, y: (y, x), X, X),
        r"takes no adjoint, as that of a loss, but forward gives shape \(2, 2\); a loss is one",
    ),
    "more gradients than inputs": (
        ValueError, lambda: check_backward(np.exp, lambda dout: (dout, dout), X),
        "returned 2 gradients for 1 inputs; return those of the inputs in order, or a dict",
    ),
    "no gradient anywhere": (
        ValueError, lambda: check_backward(np.exp, lambda dout: None, X),
        "gave no gradient; return it, or leave it in an attribute such as dW",
    ),
    "a parameter that the layer does not hold": (
        ValueError, lambda: check_backward(Double(), X, parameters=["scales"]),
        "holds no array 'scales'; it has scale",
    ),
    "a parameter of two functions that hold none": (
        ValueError, lambda: check_backward(np.exp, np.exp, X, parameters=["W"]),
        "no array 'W'; it has none",
    ),
    "a parameter that is not an array": (
        TypeError, lambda: check_backward(Double(), X, parameters={"scale": 2.0}),
        "the parameter scale is of type float.*floating arrays by name",
    ),
    "a parameter of integers": (
        TypeError, lambda: check_backward(Double(), X, parameters={"n": NO_ARRAY}),
        "the parameter n is of type ndarray.*floating arrays by name",
    ),
    "gradcheck: a name too few": (
        ValueError, lambda: gradcheck(lambda x, y: x * y, 1.0, 2.0, names=["x"]),
        "gradcheck: 1 names for 2 inputs",
    ),
    "compare: a name too many": (
        ValueError, lambda: compare(lambda x: x, 1.0, names=["x", "y"], with_="sympy"),
        "compare: 2 names for 1 inputs",
    ),
    "second order of a derivative by hand": (
        ValueError, lambda: gradcheck(np.sin, 1.0, gradient=np.cos, second_order=True),
        "second_order needs a function of nodes, not gradient=",
    ),
    "second order of a number and an array": (
        ValueError,
        lambda: gradcheck(lambda x, y: (y * y).sum(), 2.0, Tensor(X), second_order=True),
        "inputs of one kind, numbers or arrays",
    ),
    "a derivative by hand that gives too few": (
        TypeError, lambda: gradcheck(np.hypot, 3.0, 4.0, gradient=lambda x, y: x),
        "gave float for 2 inputs; it returns a tuple with one derivative for each input",
    ),
    "the gradient of a function that gives another shape": (
        ValueError, lambda: gradcheck(lambda x: x.sum(1, keepdims=True), X, gradient=np.cos),
        r"gives shape \(2, 1\) for x of shape \(2, 2\); gradient= is for .* as jacobian=, or a bac",
    ),
    "the gradient of a function that is not one-to-one": (
        ValueError, lambda: gradcheck(lambda x: np.cumsum(x, 1), X, gradient=np.ones_like),
        "a result of the function depends on more than its own element of x, .* as jacobian=, or",
    ),
    "a derivative by hand that is an array": (
        TypeError, lambda: gradcheck(np.sum, X, gradient=X), "gradient= is a function of the inp",
    ),
    "a derivative by hand that gives None": (
        GradientError, lambda: gradcheck(np.sum, X, jacobian=lambda x: None),
        "no derivative was given, so nothing was compared",
    ),
    "a function without the gradient that it should return": (
        TypeError, lambda: gradcheck(np.sum, X, gradient=True),
        "with gradient=True the function returns its value and its gradient, not",
    ),
    "a function by hand that gives nothing": (
        TypeError, lambda: gradcheck(lambda x: None, 1.0, gradient=np.cos),
        "the function returns numbers, not NoneType",
    ),
    "a node with inputs": (
        TypeError, lambda: compare(Tensor(X).sum(), X, with_="autograd"),
        "a node has its inputs already; give a function for others",
    ),
    "compare without inputs": (
        ValueError, lambda: compare(np.sin, with_="autograd"), "at least one input",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("error", "call", "text"), CALLS.values(), ids=CALLS)
def test_what_cannot_be_checked_is_refused_with_the_cure(error, call, text):
    with pytest.raises(error, match=text):
        call()


def test_a_function_that_draws_random_numbers_is_refused():
    with pytest.raises(ValueError, match=r"the same inputs gave two results, .* and .*; a func"):
        gradcheck(lambda x: x * np.random.default_rng().normal(), 1.0)


def test_functions_without_a_signature_take_the_adjoint():
    """As functions written in C may be: they are called with one argument."""

    class Hidden:
        __signature__ = "none"

        def __call__(self, dout):
            return dout * 2

    report = check_backward(lambda x: x * 2, Hidden(), X)
    assert [row.verdict for row in report.rows] == ["ok"]
