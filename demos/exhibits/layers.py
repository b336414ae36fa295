"""Bugs of layers: what their backward passes forget, overwrite or take from the wrong place."""

import numpy as np

from exhibits.frame import bug, cure
from tinygrad_edu import check_backward

rng = np.random.default_rng(0)
X = rng.normal(size=(25, 4))
W, SQUARE = rng.normal(size=(4, 1)), rng.normal(size=(4, 4))


@bug(6, "The gradient of the bias is not summed over the batch", "001")
def bias_not_summed():
    """With `self.db = dldy` the bias, a number, becomes a (25, 1) array at the first update: every
    sample of the batch gets its own bias."""

    class Neuron:
        def __init__(self, weights, bias):
            self.weights, self.bias = weights, bias

        def forward(self, inputs):
            return inputs @ self.weights + self.bias

        def backward(self, inputs, dldy):
            self.dw = inputs.T @ dldy
            self.db = dldy

    check_backward(Neuron(W, 0.5), X)


@cure(6)
def bias_summed():
    """What the forward pass repeats, the backward pass sums."""

    class Neuron:
        def __init__(self, weights, bias):
            self.weights, self.bias = weights, bias

        def forward(self, inputs):
            return inputs @ self.weights + self.bias

        def backward(self, inputs, dldy):
            self.dw = inputs.T @ dldy
            self.db = dldy.sum()

    check_backward(Neuron(W, 0.5), X)


@bug(7, "ReLU masked by the sign of the gradient", "001")
def mask_of_the_gradient():
    """The mask comes from the adjoint instead of the input. Training gets worse with time, and
    nothing says why."""

    class ReLU:
        def forward(self, x):
            return np.maximum(x, 0)

        def backward(self, dout):
            return dout * (dout > 0)

    check_backward(ReLU(), X)


@cure(7)
def mask_of_the_input():
    """Remember in the forward pass where the input was positive."""

    class ReLU:
        def forward(self, x):
            self.mask = x > 0
            return np.maximum(x, 0)

        def backward(self, dout):
            return dout * self.mask

    check_backward(ReLU(), X)


@bug(8, "Weights updated inside backward, before dx is taken", "001")
def update_inside_backward():
    """The gradient of the input is computed with the weights of the next step."""

    class Linear:
        def __init__(self, W):
            self.W = W

        def forward(self, x):
            self.x = x
            return x @ self.W

        def backward(self, dout):
            self.dW = self.x.T @ dout
            self.W -= 0.03 * self.dW
            return dout @ self.W.T

    check_backward(Linear(W), X)


@cure(8)
def update_after_backward():
    """Only compute gradients in backward; let the optimizer change the weights afterwards."""

    class Linear:
        def __init__(self, W):
            self.W = W

        def forward(self, x):
            self.x = x
            return x @ self.W

        def backward(self, dout):
            self.dW = self.x.T @ dout
            return dout @ self.W.T

    check_backward(Linear(W), X)


@bug(11, "The adjoint edited in place", "002, 004")
def adjoint_edited():
    """`dout` belongs to the caller. If two layers share it, as after an addition, the second gets
    what the first has left of it."""

    class ReLU:
        def forward(self, x):
            self.mask = x <= 0
            return np.where(self.mask, 0, x)

        def backward(self, dout):
            dout[self.mask] = 0
            return dout

    check_backward(ReLU(), X)


@cure(11)
def adjoint_left_alone():
    """Make a new array."""

    class ReLU:
        def forward(self, x):
            self.mask = x <= 0
            return np.where(self.mask, 0, x)

        def backward(self, dout):
            return np.where(self.mask, 0, dout)

    check_backward(ReLU(), X)


@bug(12, "Sigmoid overflows below -709", "002")
def sigmoid_overflows():
    """exp(-x) is infinite there. The result is right by luck, and the warning looks like any
    other."""

    class Sigmoid:
        def forward(self, x):
            self.out = 1 / (1 + np.exp(-x))
            return self.out

        def backward(self, dout):
            return dout * (1 - self.out) * self.out

    check_backward(Sigmoid(), np.array([-1000.0, 0.0, 2.0]))


@cure(12)
def sigmoid_by_halves():
    """Take exp of negative numbers only."""

    class Sigmoid:
        def forward(self, x):
            small = np.exp(-np.abs(x))
            self.out = np.where(x >= 0, 1, small) / (1 + small)
            return self.out

        def backward(self, dout):
            return dout * (1 - self.out) * self.out

    check_backward(Sigmoid(), np.array([-1000.0, 0.0, 2.0]))


@bug(16, "Gradients assigned, not accumulated", "000, 003")
def assigned():
    """A weight that is used twice gets two gradients. The second assignment discards the first."""

    class Twice:
        def __init__(self, w):
            self.w = w

        def forward(self, x):
            self.x = x
            self.hidden = x @ self.w
            return self.hidden @ self.w

        def backward(self, dout):
            self.dw = self.hidden.T @ dout
            dhidden = dout @ self.w.T
            self.dw = self.x.T @ dhidden
            return dhidden @ self.w.T

    check_backward(Twice(SQUARE), X)


@cure(16)
def accumulated():
    """Add the gradients of all uses."""

    class Twice:
        def __init__(self, w):
            self.w = w

        def forward(self, x):
            self.x = x
            self.hidden = x @ self.w
            return self.hidden @ self.w

        def backward(self, dout):
            self.dw = self.hidden.T @ dout
            dhidden = dout @ self.w.T
            self.dw += self.x.T @ dhidden
            return dhidden @ self.w.T

    check_backward(Twice(SQUARE), X)


@bug(18, "x.copy without the call", "004")
def copy_not_called():
    """Without its parentheses `x.copy` is a method, not an array. The cell had been run before the
    edit, so the notebook still showed the old output."""

    class ReLU:
        def forward(self, x):
            self.mask = x <= 0
            out = x.copy
            out[self.mask] = 0
            return out

        def backward(self, dout):
            return np.where(self.mask, 0, dout)

    check_backward(ReLU(), X)


@cure(18)
def copy_called():
    """Call it, and check a layer as soon as you have written it."""

    class ReLU:
        def forward(self, x):
            self.mask = x <= 0
            out = x.copy()
            out[self.mask] = 0
            return out

        def backward(self, dout):
            return np.where(self.mask, 0, dout)

    check_backward(ReLU(), X)
