"""The diagnoses of networks by layer: each is said of a network that has it, and of no other."""

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import data, nn, optim

X = np.random.default_rng(0).normal(size=(200, 20))
LABELS = (X[:, :2] > 0) @ [1, 2]


def network(layer, init, hidden=(30, 30, 30)):
    rng, layers = np.random.default_rng(1), []
    for before, after in zip([20, *hidden], hidden, strict=False):
        layers += [nn.Linear(before, after, init=init, rng=rng), layer()]
    return nn.Sequential(*layers, nn.Linear(hidden[-1], 4, rng=rng))


def health(model, lr=0.1, make=optim.SGD):
    optimizer = make(model.parameters(), lr=lr)
    return tg.layer_health(nn.cross_entropy(model(X), LABELS), optimizer)


def test_the_numbers_are_those_of_numpy():
    model = network(nn.Tanh, "glorot", [6])
    first, last = model.layers[0], model.layers[2]
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    found = tg.layer_health(nn.cross_entropy(model(X), LABELS), optimizer)
    hidden = np.tanh(X @ first.weight.data + first.bias.data)
    scores = np.exp(hidden @ last.weight.data + last.bias.data)
    d = (scores / scores.sum(axis=1, keepdims=True) - np.eye(4)[LABELS]) / len(X)
    gradient = d @ last.weight.data.T
    (layer,) = found.activations
    assert layer.saturated == np.mean(np.abs(hidden) > 0.97)
    assert (layer.mean, layer.deviation) == pytest.approx((hidden.mean(), hidden.std()))
    assert layer.gradient_deviation == pytest.approx(gradient.std())
    assert layer.histogram[0].sum() == layer.gradients[0].sum() == hidden.size
    by_hand = [X.T @ (gradient * (1 - hidden**2)), hidden.T @ d]
    for weights, g, w in zip(found.weights, by_hand, (first.weight, last.weight), strict=True):
        assert weights.gradient_to_data == pytest.approx(g.std() / w.data.std())
        assert weights.log_update == pytest.approx(np.log10(0.1 * g.std() / w.data.std()))
    assert optimizer.steps == 0
    assert not any(p.grad.any() for p in model.parameters())


def shifted(model):
    model.layers[0].bias.data = model.layers[0].bias.data - 100
    return model


PLANTED = {
    "saturated tanh": (lambda: health(network(nn.Tanh, 5.0)), "of layer 1 (tanh) is saturated"),
    "saturated sigmoid": (
        lambda: health(network(nn.Sigmoid, 20.0)),
        "of layer 1 (sigmoid) is saturated",
    ),
    "dead": (lambda: health(shifted(network(nn.ReLU, "he"))), "units of layer 1 (ReLU) are dead"),
    "vanishing": (lambda: health(network(nn.Sigmoid, 0.01)), "the gradient vanishes"),
    "exploding": (lambda: health(network(nn.ReLU, 2.0, [30] * 5)), "the gradient explodes"),
    "small steps": (lambda: health(network(nn.Tanh, "glorot"), 1e-5), "raise lr"),
    "large steps": (lambda: health(network(nn.Tanh, "glorot"), 50.0), "lower lr"),
    "large steps of Adam": (
        lambda: health(network(nn.Tanh, "glorot"), 1.0, optim.Adam),
        "lower lr",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_bad_is_said_with_what_to_do(name):
    look, words = PLANTED[name]
    found = look()
    assert any(words in said for said in found.complaints), found.complaints
    assert all(said in repr(found) for said in found.complaints)


@pytest.mark.parametrize(
    ("layer", "make", "lr"),
    [
        (nn.ReLU, optim.SGD, 0.3),
        (nn.Tanh, optim.SGD, 0.1),
        (nn.ReLU, optim.Adam, 0.01),
        (nn.Sigmoid, optim.AdamW, 0.003),
    ],
)
def test_a_healthy_run_is_left_alone(layer, make, lr):
    x, y = data.load_digits()
    rng = np.random.default_rng(0)
    init = "he" if layer is nn.ReLU else "glorot"
    hidden = nn.Linear(64, 30, init=init, rng=rng)
    model = nn.Sequential(hidden, layer(), nn.Linear(30, 10, rng=rng))
    loader = data.DataLoader((x - x.mean()) / x.std(), y, 30, rng=rng)
    optimizer = make(model.parameters(), lr=lr)
    for epoch in tg.epochs(model, nn.cross_entropy, loader, optimizer, 6, replay=True,
                           diagnose=True):  # fmt: skip
        assert not epoch.health.complaints, epoch
