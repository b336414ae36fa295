"""What a replayed training step leaves alone, what it refuses, and errors in its middle."""

import numpy as np
import pytest
from test_training_step import (
    LABELS,
    OPTIMIZERS,
    X,
    assert_same_state,
    eager_step,
    every_optimizer,
    loss_of,
    network,
    pair,
)

from tinygrad_edu import Tensor, TrainingStep, Value
from tinygrad_edu.data import DataLoader
from tinygrad_edu.nn import cross_entropy, mse_loss
from tinygrad_edu.optim import SGD

# --- what is left alone --------------------------------------------------------------------------


@every_optimizer
def test_data_that_was_handed_out_is_never_written_to(make):
    step, _, _ = pair(make)
    optimizer = step.optimizer
    held, copies = [], []

    def hold():
        arrays = [p.data for p in optimizer.parameters]
        arrays += [x for state in optimizer.states for x in state if isinstance(x, np.ndarray)]
        held.extend(arrays)
        copies.extend(x.copy() for x in arrays)

    for _ in range(2):
        hold()
        step(X[:5], LABELS[:5])
        hold()
        step(X[:6], LABELS[:6])
        hold()
        step.epoch(DataLoader(X, LABELS, 5, rng=0))
        step.epoch(DataLoader(X, LABELS, 5, rng=1))
    for x, copy in zip(held, copies, strict=True):
        np.testing.assert_array_equal(x, copy)


@every_optimizer
def test_what_the_user_writes_into_data_counts(make):
    """`data` is the user's own array: what is written into it in place is where the step starts."""
    step, loss, own = pair(make)
    for i in range(3):
        for optimizer in (step.optimizer, own):
            optimizer.parameters[0].data[0, :] = 0.5 * i
        assert step(X[:5], LABELS[:5]) == pytest.approx(eager_step(loss, own, X[:5], LABELS[:5]))
        for optimizer in (step.optimizer, own):
            optimizer.parameters[2].data[1, 1] = -1.0
        losses = [eager_step(loss, own, *batch) for batch in DataLoader(X, LABELS, 5, False)]
        assert step.epoch(DataLoader(X, LABELS, 5, False)) == pytest.approx(losses, rel=1e-11)
        assert_same_state(step.optimizer, own)


def test_batches_are_not_written_to_and_grad_is_not_touched():
    step, _, _ = pair(OPTIMIZERS["Adam"])
    x, y = X[:5].copy(), LABELS[:5].copy()
    x.flags.writeable = y.flags.writeable = False
    for p in step.optimizer.parameters:
        p.grad = np.full(p.shape, 7.0)
    for _ in range(3):
        step(x, y)
        step.epoch(DataLoader(x, y, 2))
    np.testing.assert_array_equal(x, X[:5])
    assert all((p.grad == 7).all() for p in step.optimizer.parameters)


def test_a_batch_may_be_changed_after_the_step():
    step, loss, own = pair(OPTIMIZERS["momentum"])
    x, y = np.empty((5, 4)), np.empty(5, int)
    for i in range(5):
        x[:], y[:] = X[i : i + 5], LABELS[i : i + 5]
        assert step(x, y) == pytest.approx(eager_step(loss, own, x.copy(), y.copy()))
        x.fill(9.0)
    assert_same_state(step.optimizer, own)


@pytest.mark.parametrize("by", ["step", "epoch"])
def test_a_graph_made_before_a_step_gives_the_gradients_of_its_own_time(by):
    step, _, _ = pair(OPTIMIZERS["plain SGD"])
    for _ in range(2):
        root = step.loss(X[:5], LABELS[:5])
        root.backward()
        expected = [p.grad.copy() for p in step.optimizer.parameters]
        value = root.item()
        if by == "step":
            step(X[5:10], LABELS[5:10])
        else:
            step.epoch(DataLoader(X, LABELS, 5))
        step.optimizer.zero_grad()
        root.backward()
        assert root.item() == value
        for p, g in zip(step.optimizer.parameters, expected, strict=True):
            np.testing.assert_array_equal(p.grad, g)
        step.optimizer.zero_grad()


# --- errors in the middle ------------------------------------------------------------------------


class Broken(np.ndarray):
    """An array that can be indexed so many times; then it raises KeyboardInterrupt."""

    left = 0

    def spend(self):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1

    def __getitem__(self, index):
        self.spend()
        return self.view(np.ndarray)[index]

    def take(self, *settings):
        self.spend()
        return self.view(np.ndarray).take(*settings)


class Unwilling(DataLoader):
    """Raises KeyboardInterrupt in the middle of a pass."""

    def batches(self):
        yield from list(super().batches())[:2]
        raise KeyboardInterrupt


@every_optimizer
@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("epochs", [0, 1])
def test_an_interrupted_epoch_leaves_the_last_finished_step(make, after, epochs):
    step, loss, own = pair(make)
    for _ in range(epochs):
        step.epoch(DataLoader(X, LABELS, 5, False))
        for batch in DataLoader(X, LABELS, 5, False):
            eager_step(loss, own, *batch)
    loader = DataLoader(X, LABELS, 5, False)
    loader.x = X.view(Broken)
    loader.x.left = after
    with pytest.raises(KeyboardInterrupt):
        step.epoch(loader)
    for i, batch in enumerate(DataLoader(X, LABELS, 5, False)):
        if i < after:
            eager_step(loss, own, *batch)
    assert_same_state(step.optimizer, own)
    step(X[:5], LABELS[:5])
    eager_step(loss, own, X[:5], LABELS[:5])
    assert_same_state(step.optimizer, own)


@every_optimizer
def test_a_loader_that_is_interrupted_leaves_whole_steps(make):
    step, loss, own = pair(make)
    with pytest.raises(KeyboardInterrupt):
        step.epoch(Unwilling(X, LABELS, 5, False))
    for batch in list(DataLoader(X, LABELS, 5, False))[: step.optimizer.steps]:
        eager_step(loss, own, *batch)
    assert_same_state(step.optimizer, own)


@pytest.mark.parametrize("wrong", [-1, 3, 100, -100])
@pytest.mark.parametrize("place", [2, 7, 12, 22])
@pytest.mark.parametrize("epochs", [0, 1])
def test_a_label_out_of_range_in_the_middle_of_an_epoch(wrong, place, epochs):
    """The steps before that of the wrong label are done or not, but those that are, wholly."""
    for make in (OPTIMIZERS["plain SGD"], OPTIMIZERS["Adam"]):
        step, loss, own = pair(make)
        for _ in range(epochs):
            step.epoch(DataLoader(X, LABELS, 5, False))
            for batch in DataLoader(X, LABELS, 5, False):
                eager_step(loss, own, *batch)
        labels = LABELS.copy()
        labels[place] = wrong
        with pytest.raises((IndexError, ValueError), match=r"label|invalid entry"):
            step.epoch(DataLoader(X, labels, 5, False))
        done = step.optimizer.steps - own.steps
        assert 0 <= done <= place // 5
        for i, batch in enumerate(DataLoader(X, LABELS, 5, False)):
            if i < done:
                eager_step(loss, own, *batch)
        assert_same_state(step.optimizer, own)
        with pytest.raises((IndexError, ValueError), match=r"label|invalid entry"):
            step(X[:23], labels)
        assert_same_state(step.optimizer, own)
        losses = [eager_step(loss, own, *batch) for batch in DataLoader(X, LABELS, 5, False)]
        assert step.epoch(DataLoader(X, LABELS, 5, False)) == pytest.approx(losses, rel=1e-11)


@pytest.mark.parametrize("wrong", [-1, 3])
def test_a_label_out_of_range_is_an_index_error_as_in_an_eager_step(wrong):
    step, _, _ = pair(OPTIMIZERS["plain SGD"])
    labels = np.array([0, wrong, 1])
    for _ in range(3):
        with pytest.raises(IndexError, match=rf"label {wrong} of sample \d is out of range"):
            step(X[:3], labels)
        step(X[:3], np.array([0, 2, 1]))
        step(X[1:4], np.array([0, 2, 1]))


def test_an_error_in_the_loss_leaves_everything_as_it_was():
    model, fails = network(), []

    def loss(x, y):
        if fails:
            raise RuntimeError("no")
        return cross_entropy(model(x), y)

    optimizer = SGD(model.parameters(), 0.1, momentum=0.5)
    step = TrainingStep(loss, optimizer)
    step(X[:5], LABELS[:5])
    before = [p.data.copy() for p in optimizer.parameters]
    fails.append(True)
    with pytest.raises(RuntimeError, match="no"):
        step(X[:6], LABELS[:6])  # another shape: recorded
    assert optimizer.steps == 1
    for p, x in zip(optimizer.parameters, before, strict=True):
        np.testing.assert_array_equal(p.data, x)


# --- what is refused -----------------------------------------------------------------------------


def test_parameters_that_are_values_or_of_several_dtypes_are_refused():
    with pytest.raises(TypeError, match=r"TrainingStep: parameter .* is not a Tensor"):
        TrainingStep(lambda x, y: x, SGD([Value(1.0)], 0.1))
    mixed = [Tensor([1.0]), Tensor([1.0], dtype=np.float32)]
    with pytest.raises(TypeError, match=r"parameters of float32, float64; use one dtype"):
        TrainingStep(lambda x, y: x, SGD(mixed, 0.1))


@pytest.mark.parametrize(
    ("loss", "error", "match"),
    [
        (lambda p: p * 2.0, ValueError, "give the gradient|one number"),
        (lambda p: 3.0, TypeError, "the function returned float, not a node"),
        (lambda p: None, TypeError, "the function returned NoneType, not a node"),
        (lambda p: p.data.sum(), TypeError, "the function returned float64, not a node"),
    ],
)
def test_a_loss_that_is_no_single_number_in_a_graph_is_refused(loss, error, match):
    p = Tensor(np.ones(4))
    optimizer = SGD([p], 0.1)
    step = TrainingStep(lambda x, y: loss(p), optimizer)
    for _ in range(2):
        with pytest.raises(error, match=match):
            step(X[:4], X[:4])
    assert optimizer.steps == 0
    assert p.data.tolist() == [1, 1, 1, 1]


def test_another_shape_of_a_parameter_is_refused():
    p = Tensor(np.ones(4))
    step = TrainingStep(lambda x, y: mse_loss(x @ p, y), SGD([p], 0.1))
    step(X[:5], X[:5, 0])
    p.data = np.ones((4, 1))
    with pytest.raises(ValueError, match=r"parameter of shape \(4,\) now has data of shape"):
        step(X[:5], X[:5, 0])


@pytest.mark.parametrize("by_epochs", [False, True])
def test_random_numbers_in_the_loss_are_found(by_epochs):
    """On the first step with another batch, the replay is compared with the function itself."""
    p, rng = Tensor(np.ones(4)), np.random.default_rng(0)
    step = TrainingStep(lambda x, y: mse_loss(x @ (p * rng.random(4)), y), SGD([p], 0.1))
    loader = DataLoader(X, X[:, 0], 5)
    with pytest.raises(RuntimeError, match="outside the graph"):
        step.epoch(loader) if by_epochs else [step(*batch) for batch in loader]
    assert step.optimizer.steps == 1


def test_one_step_for_a_loss_that_is_recorded_with_every_length():
    model = network()
    calls = []

    def loss(x, y):
        calls.append(len(x))
        return cross_entropy(model(x), y)

    step = TrainingStep(loss, SGD(model.parameters(), 0.1))
    steps = []
    for _ in range(4):
        step.epoch(loader := DataLoader(X, LABELS, 5))
        steps += sorted(map(len, loader.batches()), reverse=True)
    # recorded once for each length, looked at with the next batch, and at steps 1, 2, 4, 8, …
    times = [steps[: i + 1].count(length) for i, length in enumerate(steps)]
    due = {1, 2, 4, 8, 16, 32}
    expected = [
        x for i, (x, n) in enumerate(zip(steps, times, strict=True), 1) if n < 3 or i in due
    ]
    assert calls == expected


def test_single_numbers_as_batches():
    p = Tensor(2.0)
    step = TrainingStep(lambda x, y: (p * x - y) ** 2, SGD([p], 0.1))
    assert step(np.array(3.0), np.array(1.0)) == 25.0
    assert p.data == pytest.approx(2.0 - 0.1 * 2 * 5 * 3)
    assert loss_of(lambda x: x, lambda x, y: x)(1, 2) == 1


def test_settings_that_change_between_steps_count():
    rng = np.random.default_rng(0)
    p, q = Tensor(np.ones(4)), Tensor(np.ones(4))
    theirs, ours = SGD([p], 0.1), SGD([q], 0.1)
    step = TrainingStep(lambda x, y: mse_loss(x @ q, y), ours)
    changes = {3: {"momentum": 0.9}, 5: {"weight_decay": 0.1, "nesterov": True}, 7: {"lr": 0.01}}
    for k in range(9):
        for optimizer in (theirs, ours):
            vars(optimizer).update(changes.get(k, {}))
        x, y = rng.normal(size=(5, 4)), rng.normal(size=5)
        loss = mse_loss(x @ p, y)
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        assert step(x, y) == pytest.approx(loss.item(), rel=1e-12)
        np.testing.assert_allclose(q.data, p.data, rtol=1e-12)
