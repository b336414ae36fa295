"""A two-layer network in plain NumPy, written by hand in the manner of the course notebooks.

Layers keep what they need in attributes and have forward and backward, which also computes the
derivative by the input of the first layer, as the notebooks do. Softmax and loss are one layer.
"""

import numpy as np


class Affine:
    def __init__(self, weight, bias):
        self.weight, self.bias = weight, bias

    def forward(self, x):
        self.x = x
        return np.dot(x, self.weight) + self.bias

    def backward(self, dout):
        dx = np.dot(dout, self.weight.T)
        self.dweight = np.dot(self.x.T, dout)
        self.dbias = np.sum(dout, axis=0)
        return dx


class Relu:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dx = dout.copy()
        dx[self.mask] = 0
        return dx


class SoftmaxWithLoss:
    def forward(self, x, labels):
        self.labels = labels
        exp_x = np.exp(x - np.max(x, axis=1, keepdims=True))
        self.y = exp_x / np.sum(exp_x, axis=1, keepdims=True)
        n = len(labels)
        return -np.sum(np.log(self.y[np.arange(n), labels] + 1e-7)) / n

    def backward(self):
        n = len(self.labels)
        dx = self.y.copy()
        dx[np.arange(n), self.labels] -= 1
        return dx / n


class TwoLayerNet:
    def __init__(self, parameters):
        w1, b1, w2, b2 = (p.copy() for p in parameters)
        self.layers = [Affine(w1, b1), Relu(), Affine(w2, b2)]
        self.last = SoftmaxWithLoss()

    def step(self, x, labels, lr):
        """One training step; returns the loss before it."""
        for layer in self.layers:
            x = layer.forward(x)
        loss = self.last.forward(x, labels)
        dout = self.last.backward()
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        for layer in (self.layers[0], self.layers[2]):
            layer.weight -= lr * layer.dweight
            layer.bias -= lr * layer.dbias
        return loss
