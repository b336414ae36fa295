"""The checks of the seed notebooks: K1, central differences, and K2, by hand against the engine."""

import by_hand
import numpy as np
import pytest
from draws import enlarged_digits, standardized_digits

from tinygrad_edu import Tensor, data, nn, numerical_gradient

H = 1e-4


def engine_gradients(net, x, labels):
    """The gradients of a hand-written network by the engine, and its Module."""
    model = nn.MLP(x.shape[1], [net.params["b1"].size, 10])
    for p, start in zip(model.parameters(), net.params.values(), strict=True):
        p.data = start
    nn.cross_entropy(model(x), labels).backward()
    return dict(zip(net.params, (p.grad for p in model.parameters()), strict=True)), model


def numeric_gradients(net, x, labels):
    """Central differences over every element. For W1, all hidden units of a pixel at once.

    To move W1[i, j] by h moves column j of the first layer's output by h x[:, i], and nothing else.
    """
    found = {
        name: by_hand.central_differences(lambda: net.loss(x, labels), net.params[name], H)
        for name in ("b1", "W2", "b2")
    }
    z1 = net.first.forward(x)
    units = np.arange(z1.shape[1])
    found["W1"] = np.empty_like(net.params["W1"])
    for i, pixel in enumerate(x.T):
        losses = []
        for h in (H, -H):
            moved = np.repeat(z1[None], len(units), axis=0)
            moved[units, :, units] += h * pixel
            s = by_hand.softmax(np.maximum(moved, 0) @ net.params["W2"] + net.params["b2"])
            chosen = s[:, np.arange(len(x)), labels]
            losses.append(-np.log(chosen + net.last.epsilon).mean(axis=1))
        found["W1"][i] = (losses[0] - losses[1]) / (2 * H)
    return found


def mean_differences(net, x, labels):
    numeric, (gradients, _) = numeric_gradients(net, x, labels), engine_gradients(net, x, labels)
    return {name: np.abs(numeric[name] - gradients[name]).mean() for name in gradients}


@pytest.mark.parametrize("seed", range(3))
def test_k1_784_50_10_over_every_element(seed):
    """Row 004: mean differences of 2e-13 to 1.2e-10; the largest is that of b2."""
    pictures, labels = enlarged_digits(28)
    net = by_hand.TwoLayerNet(784, 50, 10, np.random.default_rng(seed))
    found = mean_differences(net, pictures[:3], labels[:3])
    assert found["b2"] == max(found.values()) == pytest.approx(1.2e-10, rel=0.05)
    for name in ("W1", "b1", "W2"):
        assert 5e-14 < found[name] < 2e-12


@pytest.mark.untraced
@pytest.mark.parametrize("seed", range(2))
def test_k1_256_50_10_with_an_epsilon_in_the_logarithm(seed):
    """Row 002: 2.9e-9 to 8.1e-7. That loss and that gradient belong to different functions."""
    pictures, labels = enlarged_digits(16)
    x, labels = np.minimum(pictures[:3] * 256, 255).round(), labels[:3]
    wrong = by_hand.TwoLayerNet(256, 50, 10, np.random.default_rng(seed), epsilon=1e-7)
    found = mean_differences(wrong, x, labels)
    assert 1e-9 < found["b1"] == min(found.values())
    assert 1e-7 < found["W2"] == max(found.values()) < 1e-5
    right = by_hand.TwoLayerNet(256, 50, 10, np.random.default_rng(seed))
    without = mean_differences(right, x, labels)
    assert without["b1"] < 5e-12
    assert without["b2"] < 1.3e-10
    # what is left for weights is not wrong but coarse: h = 1e-4 times brightness 255 is a long way
    gradients, model = engine_gradients(right, x, labels)
    weights = model.layers[2].weight
    hidden = np.maximum(right.first.forward(x), 0)

    def loss_of(w2):
        return nn.cross_entropy(hidden @ w2 + right.params["b2"], labels)

    with_chosen_step = numerical_gradient(loss_of, weights)
    assert np.abs(with_chosen_step - gradients["W2"]).mean() < without["W2"] / 30


@pytest.mark.parametrize("seed", range(3))
def test_k2_classification_of_all_digits(seed):
    """Row 000: 64-30-10 over the 1437 digits of the training set, W of shape (out, in)."""
    x, _, labels, _ = standardized_digits()
    rng = np.random.default_rng(seed)
    start = [
        rng.normal(0, (2 / 64) ** 0.5, (30, 64)), np.zeros((1, 30)),
        rng.normal(0, (2 / 30) ** 0.5, (10, 30)), np.zeros((1, 10)),
    ]  # fmt: skip
    _, by_function = by_hand.classify(x, labels, *start)
    w1, b1, w2, b2 = leaves = [Tensor(p, dtype=np.float32) for p in start]
    logits = (x.astype(np.float32) @ w1.T + b1).relu() @ w2.T + b2
    nn.cross_entropy(logits, data.one_hot(labels, 10)).backward()
    for leaf, gradient in zip(leaves, by_function, strict=True):
        assert np.allclose(leaf.grad, gradient.reshape(leaf.shape), atol=1e-7)
    exact = [Tensor(p) for p in start]
    w1, b1, w2, b2 = exact
    nn.cross_entropy((x @ w1.T + b1).relu() @ w2.T + b2, labels).backward()
    for leaf, gradient in zip(exact, by_function, strict=True):
        assert np.allclose(leaf.grad, gradient.reshape(leaf.shape), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("seed", range(3))
def test_k2_a_regression_of_digits_with_the_gradient_of_the_pictures(seed):
    """Row 003: 784-50-1, weights with deviation 1, as in T9 but with 200 pictures."""
    pictures, labels = enlarged_digits(28)
    rng = np.random.default_rng(seed)
    start = [rng.normal(size=(784, 50)), np.zeros(50), rng.normal(size=(50, 1)), np.zeros(1)]
    _, by_function = by_hand.regress(pictures[:200], labels[:200], *start)
    x, *leaves = (Tensor(p) for p in (pictures[:200], *start))
    w1, b1, w2, b2 = leaves
    nn.mse_loss(((x @ w1 + b1).relu() @ w2 + b2)[:, 0], labels[:200]).backward()
    for leaf, gradient in zip([*leaves, x], by_function, strict=True):
        assert np.allclose(leaf.grad, gradient, rtol=1e-10)
