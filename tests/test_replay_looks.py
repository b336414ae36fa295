"""What a function computes outside the graph is noticed: at the next look at the latest."""

import numpy as np
import pytest

from tinygrad_edu import Tensor, TrainingStep, Value, nn, replay
from tinygrad_edu.data import DataLoader
from tinygrad_edu.optim import SGD, Adam
from tinygrad_edu.rules import of, rule

LOOKS = [1, 2, 4, 8, 16, 32, 64]


class Scaled:
    """A function of a number or an array, times a coefficient of its own, that counts its calls."""

    def __init__(self):
        self.coefficient, self.calls = 2.0, 0

    def __call__(self, x):
        self.calls += 1
        y = x * x * self.coefficient
        return y.sum() if isinstance(x, Tensor) else y


def calls_with_a_look(function, run, inputs, n=70):
    """Run n calls; at which of them the function was called as well."""
    seen = []
    for call in range(1, n + 1):
        before = function.calls
        run(inputs(call))
        if function.calls > before:
            seen.append(call)
    return seen


KINDS = {
    "numbers": (1.0, lambda call: 1.0 + call),
    "columns": (1.0, lambda call: np.array([1.0 + call, 5.0])),
    "tensors": (np.ones(3), lambda call: np.full(3, 1.0 + call)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_function_is_called_at_calls_1_2_4_8_and_so_on(kind):
    at, inputs = KINDS[kind]
    function = Scaled()
    run = replay(function, [at])
    assert calls_with_a_look(function, run, inputs) == LOOKS


def test_a_graph_at_hand_has_no_function_to_look_at():
    x = Value(1.0)
    run = replay(x * 2, [x])
    assert [run(float(i))[0] for i in range(9)] == [2.0 * i for i in range(9)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("before", [1, 5, 8, 40])
def test_a_coefficient_that_changed_is_noticed_at_the_next_look_and_from_then_on(kind, before):
    at, inputs = KINDS[kind]
    function = Scaled()
    run = replay(function, [at])
    for call in range(1, before + 1):
        run(inputs(call))
    function.coefficient = 3.0
    look = next(n for n in LOOKS if n > before)
    for call in range(before + 1, look):  # unnoticed until then, as the documentation says
        run(inputs(call))
    for call in range(look, look + 5):
        with pytest.raises(RuntimeError, match=r"where its recording gives .* make a new replay"):
            run(inputs(call))
    function.coefficient = 2.0
    run(inputs(look))  # what it was recorded with is right again


def test_a_branch_by_data_is_noticed():
    run = replay(lambda x: x * 2 if x.data > 0 else x * -3, [Value(1.0)])
    assert run(1.0) == run(1.0) == (2.0, (2.0,))  # calls 1 and 2, as it was recorded
    with pytest.raises(RuntimeError, match=r"gives 3\.0 where its recording gives -2\.0"):
        run(-1.0)  # the first other number


def test_an_error_of_the_changed_function_is_its_own():
    at = [0.0]
    run = replay(lambda x: (x - at[0]).log(), [2.0])
    for _ in range(3):
        run(3.0)
    at[0] = 5.0
    with pytest.raises(ValueError, match="the logarithm needs a positive number"):
        run(3.0)


def test_numbers_that_are_small_as_a_whole_are_compared_too():
    scale = [1e-30]
    run = replay(lambda x: x * scale[0], [1.0])
    run(2.0)
    scale[0] = 2e-30
    with pytest.raises(RuntimeError, match="4e-30 where its recording gives 2e-30"):
        run(2.0)


def test_another_shape_is_a_difference():
    rows = [2]
    run = replay(lambda x: (x * np.ones((rows[0], 1))).sum(axis=1).sum(), [np.ones(3)])
    run(np.ones(3) * 2)
    rows[0] = 4
    with pytest.raises(RuntimeError, match=r"gives 24.0 where its recording gives 12.0"):
        run(np.ones(3) * 2)


def test_random_numbers_inside_a_rule_and_a_setting_of_it_that_changed_are_found():
    rng = np.random.default_rng(0)
    slope = [2.0]

    @rule("noise")
    def noise(x, /):
        c = float(rng.random())
        return x * c, lambda g, c=c: (g * c,)

    @rule("slope")
    def sloped(x, /):
        return of(x).where(x > 0, x * slope[0], 0.0), lambda g, x=x, c=slope[0]: (g * c,)

    with pytest.raises(RuntimeError, match="random numbers"):
        replay(noise, [1.0])(1.0)
    run = replay(sloped, [1.0])
    run(2.0)
    slope[0] = 3.0
    with pytest.raises(RuntimeError, match=r"gives 6\.0 where its recording gives 4\.0"):
        run(2.0)


def test_rounding_where_large_numbers_cancel_is_no_difference():
    """A replay adds up in another order: all digits differ, and the programs are the same."""
    x = np.tile([1e16, 3.0, -1e16, 5.0, 7.0, -9.0, 11.0], 7)

    def function(x):
        return x.sum() / 49.0

    run = replay(function, [np.ones(49)])
    values = {run(x)[0] for _ in range(9)}
    assert values != {function(Tensor(x)).data.item()}


def test_constants_from_data_that_do_not_change_the_result_are_allowed():
    def stable(x):
        return (x - x.data.max()).softmax()[0]

    run = replay(stable, [np.array([1.0, 2.0])])
    for call in range(20):
        run(np.array([call * 1.0, 3.0]))


# --- training steps ------------------------------------------------------------------------------

RNG = np.random.default_rng(3)
X, LABELS = RNG.normal(size=(40, 3)), RNG.integers(0, 2, 40)


class Loss:
    def __init__(self, model):
        self.model, self.coefficient, self.calls = model, 1.0, 0

    def __call__(self, x, y):
        self.calls += 1
        return nn.cross_entropy(self.model(x), y) * self.coefficient


@pytest.mark.parametrize("make", [lambda p: SGD(p, 0.01), lambda p: Adam(p, 0.01)])
@pytest.mark.parametrize("by_epochs", [False, True])
def test_a_training_step_looks_at_steps_2_4_8_and_so_on(make, by_epochs):
    loss = Loss(nn.MLP(3, [4, 2], rng=0))
    step = TrainingStep(loss, make(loss.model.parameters()))
    eager_loss = Loss(nn.MLP(3, [4, 2], rng=0))
    optimizer = make(eager_loss.model.parameters())
    loader = DataLoader(X, LABELS, 4, rng=5)
    order = DataLoader(X, LABELS, 4, rng=5)
    losses = []
    for _ in range(4):
        losses += (
            step.epoch(loader) if by_epochs else [step(X[b], LABELS[b]) for b in batches(loader)]
        )
    assert loss.calls == 1 + len([2, 4, 8, 16, 32])  # recorded at step 1
    assert step.optimizer.steps == 40
    expected = []
    for _ in range(4):
        for b in batches(order):
            optimizer.zero_grad()
            y = eager_loss(X[b], LABELS[b])
            y.backward()
            optimizer.step()
            expected.append(y.data.item())
    np.testing.assert_allclose(losses, expected, rtol=1e-10)


def batches(loader):
    return list(loader.batches())


@pytest.mark.parametrize("by_epochs", [False, True])
def test_a_loss_coefficient_that_changed_is_noticed_with_the_steps_before_it_taken(by_epochs):
    loss = Loss(nn.MLP(3, [4, 2], rng=0))
    step = TrainingStep(loss, SGD(loss.model.parameters(), 0.01))
    loader = DataLoader(X, LABELS, 4, rng=5)
    step.epoch(loader)
    loss.coefficient = 1000.0

    def train():
        return step.epoch(loader) if by_epochs else [step(X[b], LABELS[b]) for b in batches(loader)]

    with pytest.raises(RuntimeError, match="where its recording gives"):
        train()
    assert step.optimizer.steps == 15  # the look was at step 16
    weights = [p.data.copy() for p in loss.model.parameters()]
    with pytest.raises(RuntimeError, match="make a new replay"):  # and at every step from then on
        step.epoch(loader)
    for p, data in zip(loss.model.parameters(), weights, strict=True):
        np.testing.assert_array_equal(p.data, data)
    loss.coefficient = 1.0
    assert len(step.epoch(loader)) == 10


def test_with_the_rate_0_the_loss_is_compared():
    loss = Loss(nn.MLP(3, [4, 2], rng=0))
    step = TrainingStep(loss, SGD(loss.model.parameters(), 0.0))
    step(X[:4], LABELS[:4])
    loss.coefficient = 2.0
    with pytest.raises(RuntimeError, match="where its recording gives"):
        step(X[4:8], LABELS[4:8])
