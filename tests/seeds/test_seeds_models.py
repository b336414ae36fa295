"""The models of the seed notebooks: each written by hand and with the engine, side by side."""

import by_hand
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Tensor, data, nn, no_grad, optim, relu

seeds = st.integers(0, 2**32 - 1)


def close(expected):
    return pytest.approx(expected, rel=1e-11, abs=1e-12)


class TwoLayerNet(nn.Module):
    """The class of the notebooks with Tensors: a forward pass is all that there is to write."""

    def __init__(self, params):
        self.params = {name: Tensor(p, name) for name, p in params.items()}

    def __call__(self, x):
        w1, b1, w2, b2 = self.params.values()
        return relu(x @ w1 + b1) @ w2 + b2

    def loss(self, x, labels):
        return nn.cross_entropy(self(x), labels)

    def accuracy(self, x, labels):
        labels = labels.argmax(axis=1) if labels.ndim == 2 else labels
        with no_grad():
            return float((self(x).data.argmax(axis=1) == labels).mean())

    def gradient(self, x, labels):
        self.zero_grad()
        self.loss(x, labels).backward()
        return {name: p.grad for name, p in self.params.items()}


@given(seeds, st.booleans())
def test_models_two_layer_net_with_gradient_and_numerical_gradient(seed, one_hot):
    rng = np.random.default_rng(seed)
    net = by_hand.TwoLayerNet(4, 3, 3, rng, deviation=1.0)
    ours = TwoLayerNet(net.params)
    x, labels = rng.normal(size=(5, 4)), rng.integers(3, size=5)
    labels = data.one_hot(labels, 3) if one_hot else labels
    assert ours(x).data == close(net.predict(x))
    assert ours.loss(x, labels).item() == close(net.loss(x, labels))
    assert ours.accuracy(x, labels) == net.accuracy(x, labels)
    expected, found = net.gradient(x, labels), ours.gradient(x, labels)
    assert list(expected) == list(found) == ["W1", "b1", "W2", "b2"]
    for name in expected:
        assert found[name] == close(expected[name])


@given(seeds)
def test_models_forward_and_backward_in_one_function_for_classes(seed):
    rng = np.random.default_rng(seed)
    shapes = (6, 4), (1, 6), (3, 6), (1, 3)  # W of shape (out, in), b of shape (1, out)
    parameters = [rng.normal(size=shape) for shape in shapes]
    x, labels = rng.normal(size=(5, 4)), rng.integers(3, size=5)
    expected, by_function = by_hand.classify(x, labels, *parameters)
    w1, b1, w2, b2 = leaves = [Tensor(p) for p in parameters]
    loss = nn.cross_entropy(relu(x @ w1.T + b1) @ w2.T + b2, labels)
    loss.backward()
    assert loss.item() == close(expected)
    for leaf, gradient in zip(leaves, by_function, strict=True):
        assert leaf.grad == close(gradient.reshape(leaf.shape))


class Model(nn.Module):
    """The class of the notebooks with a `step` of its own, W of shape (out, in)."""

    def __init__(self, *parameters):
        self.w1, self.b1, self.w2, self.b2 = (Tensor(p) for p in parameters)

    def __call__(self, x):
        return relu(x @ self.w1.T + self.b1) @ self.w2.T + self.b2

    def step(self, lr):
        for p in self.parameters():
            p.data = p.data - lr * p.grad


def test_models_zero_grad_and_step_in_a_training_loop():
    rng = np.random.default_rng(0)
    parameters = [rng.normal(size=s) for s in ((6, 4), (6,), (3, 6), (3,))]
    model, ours = by_hand.Model(*parameters), Model(*parameters)
    x, labels = rng.normal(size=(5, 4)), rng.integers(3, size=5)
    losses = []
    for _ in range(20):
        expected, _ = model.forward(x, labels)
        model.backward()
        model.step(0.1)
        model.zero_grad()
        loss = nn.cross_entropy(ours(x), labels)
        loss.backward()
        ours.step(0.1)
        ours.zero_grad()
        assert loss.item() == pytest.approx(expected, rel=1e-9)
        assert not any(p.grad.any() for p in ours.parameters())
        losses.append(expected)
    assert losses[-1] < losses[0] / 2
    trained = model.first.weight, model.first.bias, model.second.weight, model.second.bias
    for p, q in zip(ours.parameters(), trained, strict=True):
        assert p.data == pytest.approx(q, rel=1e-9)


@pytest.mark.parametrize("batch_size", [5, 6])
def test_models_an_epoch_of_optimizer_data_set_and_data_loader(batch_size):
    """The next refactoring that the notebook names: its loop of permuted slices, in three lines."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(20, 4)), rng.integers(3, size=20)
    parameters = [rng.normal(size=s) for s in ((6, 4), (6,), (3, 6), (3,))]
    model, ours = by_hand.Model(*parameters), Model(*parameters)

    order = np.random.default_rng(1).permutation(20)
    for i in range(int(np.ceil(20 / batch_size))):
        batch = order[i * batch_size : (i + 1) * batch_size]
        model.forward(x[batch], labels[batch])
        model.backward()
        model.step(0.1)

    optimizer = optim.SGD(ours.parameters(), lr=0.1)
    for x_batch, labels_batch in data.DataLoader(x, labels, batch_size, rng=1):
        optimizer.zero_grad()
        nn.cross_entropy(ours(x_batch), labels_batch).backward()
        optimizer.step()
    trained = model.first.weight, model.first.bias, model.second.weight, model.second.bias
    for p, q in zip(ours.parameters(), trained, strict=True):
        assert p.data == close(q)
