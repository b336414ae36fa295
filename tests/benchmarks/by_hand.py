"""Training steps written in plain NumPy: as a course notebook has them, and as fast as they get."""

from __future__ import annotations

from typing import Any

import numpy as np


class Affine:
    """x @ weight + bias. Layers keep what they need in attributes and have forward, backward."""

    def __init__(self, weight: Any, bias: Any) -> None:
        self.weight, self.bias = weight, bias

    def forward(self, x: Any) -> Any:
        self.x = x
        return np.dot(x, self.weight) + self.bias

    def backward(self, dout: Any) -> Any:
        dx = np.dot(dout, self.weight.T)
        self.dweight = np.dot(self.x.T, dout)
        self.dbias = np.sum(dout, axis=0)
        return dx


class FirstAffine(Affine):
    """Does not compute the derivative by its input, which nobody reads."""

    def backward(self, dout: Any) -> None:
        self.dweight = np.dot(self.x.T, dout)
        self.dbias = np.sum(dout, axis=0)


class Relu:
    def forward(self, x: Any) -> Any:
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout: Any) -> Any:
        dx = dout.copy()
        dx[self.mask] = 0
        return dx


class SoftmaxWithLoss:
    def forward(self, x: Any, labels: Any) -> Any:
        self.labels = labels
        exp_x = np.exp(x - np.max(x, axis=1, keepdims=True))
        self.y = exp_x / np.sum(exp_x, axis=1, keepdims=True)
        n = len(labels)
        return -np.sum(np.log(self.y[np.arange(n), labels] + 1e-7)) / n

    def backward(self) -> Any:
        n = len(self.labels)
        dx = self.y.copy()
        dx[np.arange(n), self.labels] -= 1
        return dx / n


class NotebookNetwork:
    """In the manner of course notebooks: they compute the derivative by the input as well."""

    def __init__(self, parameters: list[Any], first: type[Affine] = Affine) -> None:
        pairs = list(zip(parameters[::2], parameters[1::2], strict=True))
        self.affine = [first(*pairs[0]), *(Affine(*pair) for pair in pairs[1:])]
        self.layers: list[Any] = [self.affine[0]]
        for layer in self.affine[1:]:
            self.layers += [Relu(), layer]
        self.last = SoftmaxWithLoss()

    def step(self, x: Any, labels: Any, lr: float) -> Any:
        """One training step; returns the loss before it."""
        for layer in self.layers:
            x = layer.forward(x)
        loss = self.last.forward(x, labels)
        dout = self.last.backward()
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        for layer in self.affine:
            layer.weight -= lr * layer.dweight
            layer.bias -= lr * layer.dbias
        return loss


class Buffers:
    """Every array is made once and written to with `out=`; what NumPy can do and hardly faster.

    All parameters lie in one array, and so do their derivatives: an update is one subtraction.
    Sums over a batch are products with a vector of ones, the labels are subtracted in place, and
    the learning rate is folded into the derivative by the logits.
    """

    def __init__(self, x: Any, labels: Any, parameters: list[Any], batch: int, lr: float) -> None:
        kind = x.dtype
        self.all_x, self.all_labels = x, labels
        self.flat = np.concatenate([p.ravel() for p in parameters])
        self.slope = np.empty_like(self.flat)
        self.parameters = views(self.flat, parameters)
        slopes = views(self.slope, parameters)
        self.x, self.labels = np.empty((batch, x.shape[1]), kind), np.empty(batch, labels.dtype)
        outputs = [np.empty((batch, b.size), kind) for b in parameters[1::2]]
        deltas = [np.empty_like(z) for z in outputs]
        inputs = [self.x, *outputs]
        last = len(outputs) - 1
        self.forward = [
            (inputs[i], self.parameters[2 * i], self.parameters[2 * i + 1], outputs[i], i < last)
            for i in range(last + 1)
        ]
        self.backward = [
            (inputs[i].T, deltas[i], slopes[2 * i], slopes[2 * i + 1])
            + ((self.parameters[2 * i].T, deltas[i - 1], outputs[i - 1]) if i else (None,) * 3)
            for i in range(last, -1, -1)
        ]
        self.logits, self.p = outputs[last], deltas[last]
        self.flat_p = self.p.reshape(-1)
        classes = self.p.shape[1]
        self.row_starts = np.arange(batch) * classes
        self.chosen = np.empty_like(self.labels)
        self.column, self.sums = np.empty((batch, 1), kind), np.empty((batch, 1), kind)
        self.ones, self.class_ones = np.ones(batch, kind), np.ones((classes, 1), kind)
        self.scale, self.zero = np.array(lr / batch, kind), np.zeros((), kind)

    def step(self, index: Any) -> Any:
        """One training step on these rows; returns the loss before it."""
        zero, ones, p, sums = self.zero, self.ones, self.p, self.sums
        self.all_x.take(index, 0, self.x, "clip")
        self.all_labels.take(index, None, self.labels, "clip")
        for a, weight, bias, z, hidden in self.forward:
            np.dot(a, weight, z)
            np.add(z, bias, z)
            if hidden:
                np.maximum(z, zero, out=z)
        self.logits.max(1, self.column, True)
        np.subtract(self.logits, self.column, p)
        chosen = np.add(self.row_starts, self.labels, self.chosen)
        total = ones.dot(self.flat_p.take(chosen))
        np.exp(p, p)
        np.dot(p, self.class_ones, sums)
        loss = (ones.dot(np.log(sums))[0] - total) / len(ones)
        np.divide(self.scale, sums, sums)
        np.multiply(p, sums, p)
        self.flat_p[chosen] -= self.scale
        for a, delta, by_weight, by_bias, weight, below, output in self.backward:
            np.dot(a, delta, by_weight)
            np.dot(ones, delta, by_bias)
            if weight is not None:
                np.dot(delta, weight, below)
                np.multiply(below, np.greater(output, zero), below)
        np.subtract(self.flat, self.slope, self.flat)
        return loss


def views(flat: Any, parameters: list[Any]) -> list[Any]:
    """Parts of a flat array in the shapes of the parameters."""
    ends = np.cumsum([p.size for p in parameters])[:-1]
    return [part.reshape(p.shape) for part, p in zip(np.split(flat, ends), parameters, strict=True)]
