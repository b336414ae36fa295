"""Backward passes that update parameters themselves, and passes without results or arguments."""

import numpy as np
import pytest
from test_check_kept_gradients import Dense, W, X

from tinygrad_edu import check_backward


class WithRate(Dense):
    def backward(self, output_gradient, learning_rate):
        dx = output_gradient @ self.W.T
        self.W = self.W - learning_rate * self.factor * (self.x.T @ output_gradient)
        self.b -= learning_rate * output_gradient.sum(axis=0)
        return dx


class WithOwnRate(Dense):
    def __init__(self):
        super().__init__()
        self.lr = 0.01

    def backward(self, dout):
        dx = dout @ self.W.T
        self.W -= self.lr * self.factor * (self.x.T @ dout)
        self.b -= self.lr * dout.sum(axis=0)
        return dx


class Momentum:
    def __init__(self):
        self.v = None

    def update(self, w, grad_w):
        self.v = np.zeros_like(w) if self.v is None else self.v
        self.v = 0.9 * self.v + 0.1 * grad_w
        return w - 0.3 * self.v


class WithOptimizer(Dense):
    def __init__(self):
        super().__init__()
        self.W_opt, self.b_opt = Momentum(), Momentum()

    def backward(self, dout):
        W = self.W
        self.W = self.W_opt.update(self.W, self.factor * (self.x.T @ dout))
        self.b = self.b_opt.update(self.b, dout.sum(axis=0))
        return dout @ W.T


@pytest.mark.parametrize("kind", [WithRate, WithOwnRate, WithOptimizer])
def test_the_gradient_of_an_update_is_its_step(kind):
    report = check_backward(kind(), X)
    assert [(row.parameter, row.verdict) for row in report.rows] == [
        ("x", "ok"), ("W", "ok"), ("b", "ok"),
    ]  # fmt: skip
    layer = kind()
    layer.factor = 3
    report = check_backward(layer, X, raises=False)
    assert [row.verdict for row in report.rows] == ["ok", "wrong", "ok"]


class UpdatedTooEarly(WithRate):
    def backward(self, output_gradient, learning_rate):
        self.W = self.W - learning_rate * (self.x.T @ output_gradient)
        self.b -= learning_rate * output_gradient.sum(axis=0)
        return output_gradient @ self.W.T


def test_weights_that_are_used_after_their_update_are_found():
    report = check_backward(UpdatedTooEarly(), X, raises=False)
    assert [row.verdict for row in report.rows] == ["wrong", "ok", "ok"]
    assert report.called == "backward(output_gradient, learning_rate=0.5)"


# --- outputs and inputs that are attributes ------------------------------------------------------


class KeepsOutput(Dense):
    def forward(self, inputs):
        self.x = inputs
        self.output = inputs @ self.W + self.b

    def keep(self, dx, dW, db):
        self.dweights, self.dbiases, self.dinputs = dW, db, dx


class WithoutArguments:
    def __init__(self):
        self.x, self.W, self.loss = X.copy(), W.copy(), None

    def forward(self):
        self.loss = np.sum(np.tanh(self.x @ self.W))

    factor = 1

    def backward(self):
        dz = 1 - np.tanh(self.x @ self.W) ** 2
        self.dx, self.dW = dz @ self.W.T, self.factor * (self.x.T @ dz)


class Cell:
    """A number of a graph made by hand, whose adjoint is in `grad`."""

    def __init__(self, value):
        self.value, self.grad = value, 0.0


class Times:
    factor = 1

    def __init__(self):
        self.a, self.b, self.out, self.grad = Cell(3.0), Cell(-2.0), None, 0.0

    def forward(self):
        self.out = self.a.value * self.b.value
        return self.out

    def backward(self):
        self.a.grad += self.factor * self.grad * self.b.value
        self.b.grad += self.grad * self.a.value


@pytest.mark.parametrize(
    ("kind", "inputs", "count"), [(KeepsOutput, (X,), 3), (WithoutArguments, (), 2), (Times, (), 2)]
)
def test_forward_and_backward_without_results_or_arguments(kind, inputs, count):
    assert [row.verdict for row in check_backward(kind(), *inputs).rows] == ["ok"] * count
    layer = kind()
    layer.factor = 3
    report = check_backward(layer, *inputs, raises=False)
    assert sorted(row.verdict for row in report.rows) == ["ok"] * (count - 1) + ["wrong"]
