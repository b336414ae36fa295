"""A replayed training step is the eager loop: losses, parameters, and what the optimizer keeps."""

import numpy as np
import pytest
from effort import much
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Tensor, TrainingStep
from tinygrad_edu.data import DataLoader, one_hot
from tinygrad_edu.nn import (
    MLP,
    Linear,
    binary_cross_entropy_with_logits,
    cross_entropy,
    max_margin_loss,
    mse_loss,
)
from tinygrad_edu.optim import SGD, Adam, AdamW

OPTIMIZERS = {
    "plain SGD": lambda ps: SGD(ps, 0.1),
    "SGD with weight decay": lambda ps: SGD(ps, 0.1, weight_decay=0.1),
    "momentum": lambda ps: SGD(ps, 0.05, momentum=0.8),
    "Nesterov": lambda ps: SGD(ps, 0.05, momentum=0.8, nesterov=True),
    "SGD with everything": lambda ps: SGD(ps, 0.05, 0.8, True, weight_decay=0.1),
    "Adam": lambda ps: Adam(ps, 0.01),
    "Adam with weight decay": lambda ps: Adam(ps, 0.01, weight_decay=0.1),
    "AdamW": lambda ps: AdamW(ps, 0.01),
    "AdamW without decay": lambda ps: AdamW(ps, 0.01, weight_decay=0.0),
}
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
both_dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])
RNG = np.random.default_rng(0)
X = RNG.normal(size=(23, 4))
LABELS = RNG.integers(0, 3, 23)


def network(dtype=np.float64):
    return MLP(4, [5, 3], rng=1, dtype=dtype)


def loss_of(model, loss=cross_entropy):
    return lambda x, y: loss(model(x), y)


def eager_step(loss, optimizer, x, y):
    optimizer.zero_grad()
    root = loss(x, y)
    root.backward()
    optimizer.step()
    return float(root)


def tolerance(dtype):
    return 1e-11 if dtype == np.float64 else 2e-4


def assert_same_state(ours, theirs, dtype=np.float64):
    """The same parameters and the same memory of two optimizers."""
    assert ours.steps == theirs.steps
    close = {"rtol": tolerance(dtype), "atol": tolerance(dtype)}
    for p, q in zip(ours.parameters, theirs.parameters, strict=True):
        assert (type(p.data), p.dtype, p.shape) == (np.ndarray, q.dtype, q.shape)
        np.testing.assert_allclose(p.data, q.data, **close)
    for state, other in zip(ours.states, theirs.states, strict=True):
        for s, t, p in zip(state, other, ours.parameters, strict=True):
            np.testing.assert_allclose(s, np.broadcast_to(t, p.shape), **close)


def pair(make, build=network, loss=cross_entropy):
    """Two equal models: a TrainingStep with its optimizer, and a loss with an optimizer of its
    own for the eager loop."""
    ours, theirs = build(), build()
    optimizer, own = make(ours.parameters()), make(theirs.parameters())
    return TrainingStep(loss_of(ours, loss), optimizer), loss_of(theirs, loss), own


# --- the same as the eager loop ------------------------------------------------------------------


@every_optimizer
@both_dtypes
@pytest.mark.parametrize("shuffle", [True, False])
def test_epochs_whose_last_batch_is_shorter(make, dtype, shuffle):
    step, loss, own = pair(make, lambda: network(dtype))
    loaders = [DataLoader(X.astype(dtype), LABELS, 5, shuffle, rng=3) for _ in range(2)]
    for _ in range(3):
        losses = step.epoch(loaders[0])
        assert losses == pytest.approx(
            [eager_step(loss, own, *batch) for batch in loaders[1]], rel=tolerance(dtype)
        )
        assert_same_state(step.optimizer, own, dtype)
    assert loaders[0].rng.random() == loaders[1].rng.random()


@every_optimizer
@given(
    plan=st.lists(
        st.sampled_from(["step", "epoch", "eager", "rate", "rate 0", "parameters", "short"]),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=much(12, 4))
def test_any_order_of_what_a_user_may_do(make, plan):
    step, loss, own = pair(make)
    optimizer = step.optimizer
    loaders = [DataLoader(X, LABELS, 6, rng=4) for _ in range(2)]
    for what in plan:
        if what in ("step", "short"):
            batch = (X[:6], LABELS[:6]) if what == "step" else (X[:1], LABELS[:1])
            assert step(*batch) == pytest.approx(eager_step(loss, own, *batch), rel=1e-11)
        elif what == "epoch":
            losses = [eager_step(loss, own, *batch) for batch in loaders[1]]
            assert step.epoch(loaders[0]) == pytest.approx(losses, rel=1e-11)
        elif what == "eager":
            eager_step(step.loss, optimizer, X[:7], LABELS[:7])
            eager_step(loss, own, X[:7], LABELS[:7])
        elif what == "parameters":
            for p in (optimizer.parameters[0], own.parameters[0]):
                p.data = p.data * 0.5
            for p in (optimizer.parameters[1], own.parameters[1]):
                p.data[0] += 0.25
        else:
            optimizer.lr = own.lr = 0.0 if what == "rate 0" else optimizer.lr * 0.5 + 0.01
        assert_same_state(optimizer, own)


LOSSES = {
    "one-hot": (cross_entropy, one_hot(LABELS, 3)),
    "probabilities": (cross_entropy, np.full((23, 3), 1 / 3)),
    "smoothed": (lambda p, y: cross_entropy(p, y, label_smoothing=0.1), one_hot(LABELS, 3)),
    "sum of losses": (lambda p, y: cross_entropy(p, y, reduction="sum") * 0.1, LABELS),
    "mean of a square": (mse_loss, RNG.normal(size=(23, 3))),
    "written by hand": (lambda p, y: ((p - y) * (p - y)).sum() * 0.1, RNG.normal(size=(23, 3))),
    "binary": (binary_cross_entropy_with_logits, one_hot(LABELS, 3)),
    "regularised": (lambda p, y: mse_loss(p, y) + 0.01 * (p * p).mean(), X[:, :3]),
    "tables": (lambda p, y: cross_entropy(p, y) + p.logsumexp(axis=1).mean(), LABELS),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
@both_dtypes
def test_losses(name, dtype):
    loss, targets = LOSSES[name]
    targets = targets.astype(dtype) if targets.dtype.kind == "f" else targets
    step, own_loss, own = pair(lambda ps: SGD(ps, 0.1, 0.5), lambda: network(dtype), loss)
    loaders = [DataLoader(X.astype(dtype), targets, 6, rng=3) for _ in range(2)]
    for _ in range(3):
        losses = [eager_step(own_loss, own, *batch) for batch in loaders[1]]
        assert step.epoch(loaders[0]) == pytest.approx(losses, rel=tolerance(dtype))
    assert_same_state(step.optimizer, own, dtype)


def test_the_margin_of_a_classifier():
    labels = np.where(LABELS > 0, 1, -1)

    def make():
        model = MLP(4, [5, 1], rng=2)
        return model, lambda x, y: max_margin_loss(model(x).reshape(-1), y)

    (ours, loss), (theirs, own_loss) = make(), make()
    optimizer, own = SGD(ours.parameters(), 0.1), SGD(theirs.parameters(), 0.1)
    x, y = X[:6], labels[:6]
    with pytest.raises(TypeError, match="is in no operation as it was given"):
        TrainingStep(loss, optimizer)(x, y)  # labels are converted outside the graph
    step = TrainingStep(lambda x, y: (1.0 - ours(x).reshape(-1) * y).relu().mean(), optimizer)
    for _ in range(4):
        assert step(x, y.astype(float)) == pytest.approx(eager_step(own_loss, own, x, y))
    assert_same_state(optimizer, own)


# --- models --------------------------------------------------------------------------------------


class Tied(tg.nn.Module):
    """x → tanh(x w) wᵀ: one matrix, used twice."""

    def __init__(self):
        self.weight = Tensor(np.random.default_rng(5).normal(size=(4, 3)))

    def __call__(self, x):
        return (x @ self.weight).tanh() @ self.weight.T


class Table(tg.nn.Module):
    """Rows of a table, by their places."""

    def __init__(self):
        self.rows = Tensor(np.random.default_rng(5).normal(size=(7, 3)))

    def __call__(self, places):
        return self.rows[places]


class Branching(tg.nn.Module):
    """Another formula where the mean of the first column is positive."""

    def __init__(self):
        self.linear = Linear(4, 4, rng=1)

    def __call__(self, x):
        y = self.linear(x)
        return y.tanh() if y[:, 0].mean() > 0 else y * tg.where(y > 0, 2.0, 0.5)


class Unused(tg.nn.Module):
    """Has a parameter that no output depends on, and one that is a single number."""

    def __init__(self):
        self.first, self.scale = Linear(4, 4, bias=False, rng=1), Tensor(0.5)
        self.unused = Tensor(np.ones((2, 2)))

    def __call__(self, x):
        return self.first(x) * self.scale


MODELS = {
    "tied": (Tied, X, X), "table": (Table, LABELS * 3, X[:, :3]),
    "repeated table": (Table, np.stack([LABELS, LABELS, LABELS + 4], axis=1),
                       RNG.normal(size=(23, 3, 3))),
    "branching": (Branching, X, X), "unused": (Unused, X, X),
    "without bias": (lambda: Linear(4, 4, bias=False, rng=2), X, X),
    "one output": (lambda: Linear(4, 1, rng=2), X, X[:, :1]),
    "deep": (lambda: MLP(4, [5, 5, 5, 4], rng=3), X, X),
}  # fmt: skip


THREE = ("plain SGD", "Nesterov", "AdamW")
three_optimizers = pytest.mark.parametrize("make", [OPTIMIZERS[x] for x in THREE], ids=THREE)


@pytest.mark.parametrize("name", MODELS)
@three_optimizers
def test_models(name, make):
    build, x, y = MODELS[name]
    step, loss, own = pair(make, build, mse_loss)
    loaders = [DataLoader(x, y, 5, rng=3) for _ in range(2)]
    for _ in range(4):
        losses = [eager_step(loss, own, *batch) for batch in loaders[1]]
        assert step.epoch(loaders[0]) == pytest.approx(losses, rel=1e-10)
        assert_same_state(step.optimizer, own)


@three_optimizers
def test_frozen_parameters_stay_and_may_be_changed(make):
    """An optimizer may have some of the parameters; the others are read at every step."""

    def build():
        model = network()
        return model, make(model.parameters()[2:])

    (ours, optimizer), (theirs, own) = build(), build()
    step = TrainingStep(loss_of(ours), optimizer)
    frozen = ours.parameters()[0]
    loaders = [DataLoader(X, LABELS, 5, rng=3) for _ in range(2)]
    for i in range(3):
        losses = [eager_step(loss_of(theirs), own, *batch) for batch in loaders[1]]
        assert step.epoch(loaders[0]) == pytest.approx(losses, rel=1e-10)
        assert_same_state(optimizer, own)
        np.testing.assert_array_equal(frozen.data, theirs.parameters()[0].data)
        for model in (ours, theirs):
            model.parameters()[0].data = model.parameters()[0].data + 0.1 * i


def test_one_hot_loss_with_the_rate_0_changes_nothing_and_comes_back():
    step, loss, own = pair(lambda ps: SGD(ps, 0.0))
    before = [p.data.copy() for p in step.optimizer.parameters]
    for rate in (0.0, 0.0, 0.1, 0.0, 0.2):
        step.optimizer.lr = own.lr = rate
        losses = [eager_step(loss, own, *batch) for batch in DataLoader(X, LABELS, 5, False)]
        assert step.epoch(DataLoader(X, LABELS, 5, False)) == pytest.approx(losses, rel=1e-11)
        same = all(map(np.array_equal, before, [p.data for p in step.optimizer.parameters]))
        assert same == (own.steps <= 10)


@every_optimizer
def test_training_that_is_resumed_is_training_straight_through(make):
    straight, _, _ = pair(make)
    resumed, _, _ = pair(make)
    for i in range(4):
        straight.epoch(DataLoader(X, LABELS, 5, rng=i))
        again = TrainingStep(resumed.loss, resumed.optimizer)
        again.epoch(DataLoader(X, LABELS, 5, rng=i))
    assert straight.optimizer.steps == 20
    for p, q in zip(straight.optimizer.parameters, resumed.optimizer.parameters, strict=True):
        np.testing.assert_allclose(p.data, q.data, rtol=1e-12)
