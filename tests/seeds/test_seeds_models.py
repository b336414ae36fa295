"""The models of the seed notebooks: each written by hand and with the engine, side by side."""

import by_hand
import numpy as np
import pytest
from by_hand import Kept
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Tensor, data, nn, no_grad, numerical_gradient, optim, relu

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

    def numerical_gradient(self, x, labels):
        found = {}
        for name, p in self.params.items():

            def loss_at(moved, name=name):
                return self.with_params(**{name: moved}).loss(x, labels)

            found[name] = numerical_gradient(loss_at, p)
        return found

    def with_params(self, **changed):
        params = {name: p.data for name, p in self.params.items()}
        other = TwoLayerNet(params)
        other.params.update(changed)
        return other


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


@pytest.mark.parametrize("seed", range(3))
def test_models_two_layer_net_finds_its_gradients_numerically_too(seed):
    rng = np.random.default_rng(seed)
    net = by_hand.TwoLayerNet(4, 3, 3, rng, deviation=1.0)
    ours = TwoLayerNet(net.params)
    x, labels = rng.normal(size=(5, 4)), rng.integers(3, size=5)
    analytic, numeric = ours.gradient(x, labels), ours.numerical_gradient(x, labels)
    with_fixed_step = net.numerical_gradient(x, labels)
    for name, gradient in analytic.items():
        assert numeric[name] == pytest.approx(gradient, abs=1e-9)
        assert with_fixed_step[name] == pytest.approx(gradient, abs=1e-6)


def test_models_two_layer_net_starts_as_a_multi_layer_perceptron_with_a_deviation():
    model = nn.MLP(784, [50, 10], init=0.01, rng=0)
    shapes = {name: p.shape for name, p in model.named_parameters()}
    net = by_hand.TwoLayerNet(784, 50, 10, np.random.default_rng(0))
    assert list(shapes.values()) == [p.shape for p in net.params.values()]
    for p, start in zip(model.parameters(), net.params.values(), strict=True):
        assert np.array_equal(p.data, start)  # the same draws of the same generator


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


@given(seeds, st.sampled_from([1, 2, 5]))
def test_models_forward_and_backward_in_one_function_for_a_number(seed, n):
    rng = np.random.default_rng(seed)
    shapes = (n, 4), (4, 6), (6,), (6, 1), (1,)
    x, w1, b1, w2, b2 = leaves = [Tensor(rng.normal(size=shape)) for shape in shapes]
    target = rng.integers(10, size=n)
    expected, gradients = by_hand.regress(x.data, target, *(leaf.data for leaf in leaves[1:]))
    loss = nn.mse_loss((relu(x @ w1 + b1) @ w2 + b2)[:, 0], target)
    loss.backward()
    assert loss.item() == close(expected)
    for leaf, gradient in zip([w1, b1, w2, b2, x], gradients, strict=True):
        assert leaf.grad == close(gradient)


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


LAYERS = {
    "callable layers that keep inputs and outputs": (
        by_hand.CallableLinear, by_hand.CallableReLU, by_hand.CallableMSE
    ),
    "a Module base class with forward and backward": (
        by_hand.ModuleLinear, by_hand.ModuleReLU, by_hand.ModuleMSE
    ),
}  # fmt: skip


@pytest.mark.parametrize("style", LAYERS)
def test_models_layers_one_after_the_other(style):
    linear, activation, loss_of = LAYERS[style]
    rng = np.random.default_rng(0)
    shapes = (4, 6), (6,), (6, 1), (1,)
    parameters = [Kept(rng.normal(size=shape)) for shape in shapes]
    x, target = Kept(rng.normal(size=(5, 4))), rng.integers(10, size=5)
    w1, b1, w2, b2 = parameters
    model = by_hand.Layers(linear(w1, b1), activation(), linear(w2, b2), loss=loss_of())
    expected = model(x, target)
    model.backward()

    ours = nn.MLP(4, [6, 1])
    for p, kept in zip(ours.parameters(), parameters, strict=True):
        p.data = kept.data
    leaf = Tensor(x.data)
    loss = nn.mse_loss(ours(leaf)[:, 0], target)
    loss.backward()
    assert loss.item() == close(expected)
    for p, kept in zip([*ours.parameters(), leaf], [*parameters, x], strict=True):
        assert p.grad == close(kept.g)


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


@pytest.mark.parametrize("bends", [False, True], ids=["1-10-1", "1-10-ReLU-1"])
def test_models_regressors_of_one_number(bends):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(25, 1)), rng.normal(size=(25, 1))
    first = by_hand.Affine(rng.normal(size=(1, 10)), np.full(10, 0.5))
    second = by_hand.Affine(rng.normal(size=(10, 1)), np.full(1, 0.5))
    layers = [first, *([by_hand.ReLU()] if bends else []), second]
    ours = nn.Sequential(nn.Linear(1, 10), *([nn.ReLU()] if bends else []), nn.Linear(10, 1))
    start = first.weight, first.bias, second.weight, second.bias
    for p, value in zip(ours.parameters(), start, strict=True):
        p.data = value
    out = x
    for layer in layers:
        out = layer.forward(out)
    criterion = by_hand.MeanSquaredError()
    expected, dout = criterion.forward(out, y), criterion.backward()
    for layer in reversed(layers):
        dout = layer.backward(dout)
    leaf = Tensor(x)
    loss = nn.mse_loss(ours(leaf), y)
    loss.backward()
    assert loss.item() == close(expected)
    assert leaf.grad == close(dout)
    by_layers = first.dweight, first.dbias, second.dweight, second.dbias
    for p, gradient in zip(ours.parameters(), by_layers, strict=True):
        assert p.grad == close(gradient)
        assert p.grad.shape == p.shape  # a bias has 10 numbers, however many samples there are
