"""Backpropagation written by hand in plain NumPy, as in a course: what the engine is held against.

Nothing here imports the package. Each layer keeps what its backward pass needs; `dout` is the
derivative of the loss by the output of the layer.
"""

import numpy as np


class Multiply:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x


class Add:
    def forward(self, x, y):
        return x + y

    def backward(self, dout):
        return dout, dout


class ReLU:
    def forward(self, x):
        self.off = x <= 0
        return np.where(self.off, 0.0, x)

    def backward(self, dout):
        return np.where(self.off, 0.0, dout)


class Sigmoid:
    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, dout):
        return dout * self.y * (1 - self.y)


class Affine:
    """x W + b, W of shape (in, out)."""

    def __init__(self, weight, bias):
        self.weight, self.bias = weight, bias

    def forward(self, x):
        self.x = x
        return x @ self.weight + self.bias

    def backward(self, dout):
        self.dweight, self.dbias = self.x.T @ dout, dout.sum(axis=0)
        return dout @ self.weight.T


class LinearOutIn:
    """x Wᵀ + b, W of shape (out, in)."""

    def __init__(self, weight, bias):
        self.weight, self.bias = weight, bias

    def forward(self, x):
        self.x = x
        return x @ self.weight.T + self.bias

    def backward(self, dout):
        self.dweight, self.dbias = dout.T @ self.x, dout.sum(axis=0)
        return dout @ self.weight


def softmax(x):
    """Of one row of logits, or of each row of a batch."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class SoftmaxCrossEntropy:
    """The mean over a batch; labels are class indices (one axis) or one-hot rows (two).

    `epsilon` inside the logarithm is what some write so that log(0) does not happen. The
    gradient is then no longer that of the loss.
    """

    def __init__(self, epsilon=0.0):
        self.epsilon = epsilon

    def forward(self, x, labels):
        self.probabilities = softmax(x)
        self.one_hot = np.eye(x.shape[1])[labels] if labels.ndim == 1 else labels
        chosen = (self.probabilities * self.one_hot).sum(axis=1)
        return -np.log(chosen + self.epsilon).mean()

    def backward(self, dout=1.0):
        return dout * (self.probabilities - self.one_hot) / len(self.one_hot)


class TwoLayerNet:
    """Affine, ReLU, affine, softmax and cross-entropy, with both kinds of gradient."""

    def __init__(self, inputs, hidden, outputs, rng, deviation=0.01, epsilon=0.0):
        self.params = {
            "W1": deviation * rng.normal(size=(inputs, hidden)),
            "b1": np.zeros(hidden),
            "W2": deviation * rng.normal(size=(hidden, outputs)),
            "b2": np.zeros(outputs),
        }
        self.first = Affine(self.params["W1"], self.params["b1"])
        self.relu = ReLU()
        self.second = Affine(self.params["W2"], self.params["b2"])
        self.last = SoftmaxCrossEntropy(epsilon)

    def predict(self, x):
        return self.second.forward(self.relu.forward(self.first.forward(x)))

    def loss(self, x, labels):
        return self.last.forward(self.predict(x), labels)

    def accuracy(self, x, labels):
        if labels.ndim == 2:
            labels = labels.argmax(axis=1)
        return float((self.predict(x).argmax(axis=1) == labels).mean())

    def gradient(self, x, labels):
        self.loss(x, labels)
        dout = self.second.backward(self.last.backward())
        self.dx = self.first.backward(self.relu.backward(dout))
        first, second = self.first, self.second
        return {
            "W1": first.dweight, "b1": first.dbias, "W2": second.dweight, "b2": second.dbias
        }  # fmt: skip


def central_differences(f, x, h=1e-4):
    """(f(x + h) - f(x - h)) / 2h for every element; f looks at x, which is moved and put back."""
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + h
        above = f()
        x[index] = kept - h
        below = f()
        x[index] = kept
        gradient[index] = (above - below) / (2 * h)
    return gradient


def classify(x, labels, w1, b1, w2, b2):
    """Loss and gradients of two layers, W of shape (out, in), in one function."""
    z1 = x @ w1.T + b1
    a1 = np.maximum(z1, 0)
    z2 = a1 @ w2.T + b2
    s = softmax(z2)
    one_hot = np.eye(len(w2))[labels]
    loss = -np.log((s * one_hot).sum(axis=1)).mean()
    dz2 = (s - one_hot) / len(x)
    dz1 = dz2 @ w2 * (z1 > 0)
    return loss, (dz1.T @ x, dz1.sum(axis=0), dz2.T @ a1, dz2.sum(axis=0))


def regress(x, target, w1, b1, w2, b2):
    """Mean squared error of one output, W of shape (in, out): loss, and gradients with that of x.

    The target has shape (N,), the output (N, 1): its only column is taken before they meet.
    """
    z1 = x @ w1 + b1
    a1 = np.maximum(z1, 0)
    difference = (a1 @ w2 + b2)[:, 0] - target
    loss = (difference**2).mean()
    dout = 2 * difference[:, None] / len(x)
    dz1 = dout @ w2.T * (z1 > 0)
    return loss, (x.T @ dz1, dz1.sum(axis=0), a1.T @ dout, dout.sum(axis=0), dz1 @ w1.T)


class Model:
    """Layers of W (out, in), with `zero_grad` and `step`."""

    def __init__(self, w1, b1, w2, b2):
        self.first, self.relu, self.second = LinearOutIn(w1, b1), ReLU(), LinearOutIn(w2, b2)
        self.loss = SoftmaxCrossEntropy()
        self.zero_grad()

    def forward(self, x, labels):
        logits = self.second.forward(self.relu.forward(self.first.forward(x)))
        return self.loss.forward(logits, labels), logits

    def backward(self):
        self.first.backward(self.relu.backward(self.second.backward(self.loss.backward())))

    def zero_grad(self):
        for layer in (self.first, self.second):
            layer.dweight = layer.dbias = None

    def step(self, lr):
        for layer in (self.first, self.second):
            layer.weight = layer.weight - lr * layer.dweight
            layer.bias = layer.bias - lr * layer.dbias
