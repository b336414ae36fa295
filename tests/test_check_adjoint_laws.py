"""Backward passes are the same at every run, linear in the adjoint, and hide no gradient."""

import itertools

import numpy as np
import pytest

from tinygrad_edu import check_backward

RNG = np.random.default_rng(11)
X, W = RNG.normal(size=(5, 4)), RNG.normal(size=(4, 3))


def said(*args, **options):
    return " ".join(str(check_backward(*args, **options, raises=False)).split())


CUTS = {
    "clipped": lambda d: np.clip(d, -2, 2),
    "clipped far away": lambda d: np.clip(d, -100, 100),
    "small ones dropped": lambda d: np.where(np.abs(d) < 0.3, 0, d),
    "rounded": lambda d: np.round(d, 12),
    "in float16": lambda d: np.where(np.abs(d) < 1e-2, 0, d),
    "positive ones doubled far away": lambda d: np.where(d > 5, 2 * d, d),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("cut", CUTS)
def test_a_backward_pass_that_cuts_the_adjoint_is_wrong(cut, dtype):
    if cut == "rounded" and dtype is np.float32:
        return  # rounding to 12 digits is the precision of float32
    text = said(np.sin, lambda dout, x: CUTS[cut](dout) * np.cos(x), X.astype(dtype))
    if cut == "rounded":
        assert "agree" in text  # 1e-12 is not a mistake
    else:
        assert "the gradient does not grow with the adjoint" in text


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_a_linear_one_is_right_in_every_precision(dtype):
    x = X.astype(dtype)
    assert check_backward(np.sin, lambda dout, x: dout * np.cos(x), x).ok


def test_an_adjoint_that_is_left_out_is_called_that():
    assert "the adjoint of the output is left out" in said(np.sin, lambda dout, x: np.cos(x), X)


def test_gradients_that_are_rounding_are_not_called_unlinear():
    def forward(x, b):
        e = np.exp(x + b)
        return e / e.sum(axis=1, keepdims=True)

    def backward(dout, x, b):
        y = forward(x, b)
        dz = y * (dout - (dout * y).sum(axis=1, keepdims=True))
        return dz, dz.sum(axis=1, keepdims=True)

    text = said(forward, backward, X, RNG.normal(size=(5, 1)))
    assert "does not grow" not in text
    assert "left out" not in text


def test_two_answers_for_one_question_are_a_fault():
    numbers = itertools.count(1)
    text = said(np.sin, lambda dout, x: dout * np.cos(x) * (1 + 1e-3 * next(numbers)), X)
    assert "x: the same adjoint gives two gradients" in text


class Dense:
    def __init__(self):
        self.W = W.copy()

    def forward(self, x):
        self.x = x
        return x @ self.W


def test_a_gradient_that_belongs_to_nothing_is_said():
    class Strange(Dense):
        def backward(self, dout):
            self.dW, self.dQ = self.x.T @ dout, 7 * (self.x.T @ dout)
            return dout @ self.W.T

    assert "backward gave dQ, which looks like a gradient" in said(Strange(), X)


def test_gradients_of_intermediates_are_no_surprise():
    class Keeping(Dense):
        def forward(self, x):
            self.x = x
            logits = x @ self.W
            self.h = np.tanh(logits)
            return self.h

        def backward(self, dout):
            self.dh = self.dout = self.delta = dout
            self.dlogits = self.grad_logits = self.dh * (1 - self.h**2)
            self.dW, self.dx = self.x.T @ self.dlogits, self.dlogits @ self.W.T
            self.grads = [self.dW]
            self.dimension, self.done, self.decay = 3.0, 1.0, 0.5
            return self.dx

    assert "agree" in said(Keeping(), X)


def test_a_class_attribute_is_a_parameter_if_it_has_a_gradient():
    class Shared:
        W, kernel = W.copy(), np.array([1.0, 2.0, 3.0])
        factor = 7

        def forward(self, x):
            self.x = x
            return x @ self.W * self.kernel

        def backward(self, dout):
            dout = dout * self.kernel
            self.dW = self.factor * self.x.T @ dout
            return dout @ self.W.T

    assert "W: it is 7 times what it should be" in said(Shared(), X)
    Shared.factor = 1
    assert check_backward(Shared(), X).ok
    np.testing.assert_array_equal(Shared.W, W)


def test_buffers_of_optimizers_are_not_listed():
    class WithAdam(Dense):
        def __init__(self):
            super().__init__()
            self.m, self.v = [np.ones((4, 3))] * 2, {"W": np.ones((4, 3))}

        def backward(self, dout):
            self.dW = self.x.T @ dout
            return dout @ self.W.T

    assert [row.parameter for row in check_backward(WithAdam(), X).rows] == ["x", "W"]
