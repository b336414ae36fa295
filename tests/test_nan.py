"""What nan does: values are NumPy's; a gradient says nan wherever the derivative depends on it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rule_table import ARRAYS, ELEMENTWISE

from tinygrad_edu import Tensor, Value, gradcheck, nn, optim, replay
from tinygrad_edu.rules import operations

NAN = math.nan

AT_NAN = {  # the derivatives of what chooses: a comparison with nan is false
    "relu": (1.0,), "leaky_relu": (1.0,), "clip": (1.0,), "abs": (0.0,),
    "maximum": (0.5, 0.5), "minimum": (0.5, 0.5),
}  # fmt: skip
PASSED_ON = {"add": (1.0, 1.0), "subtract": (1.0, -1.0), "negative": (-1.0,)}
NUMPY = {"sigmoid": None, "softplus": None, "relu": lambda x: np.maximum(x, 0.0),
         "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
         "clip": lambda x: np.clip(x, -1.0, 2.0)}  # fmt: skip


@pytest.mark.parametrize("kind", [Value, Tensor])
@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
def test_of_a_nan_every_elementwise_rule_makes_a_nan_without_a_warning(name, kind):
    row = ELEMENTWISE[name]
    n = len(row.domains)
    for place in range(n):
        xs = [kind(NAN if i == place else 0.75) for i in range(n)]
        y = getattr(operations, name)(*xs, **row.settings)
        assert math.isnan(float(y))
        numpy = NUMPY.get(name, getattr(np, name, None))
        if numpy is not None:
            assert math.isnan(numpy(*(float(x) for x in xs)))
        y.backward()
        slopes = [float(x.grad) for x in xs]
        if name in AT_NAN or name in PASSED_ON:
            assert tuple(slopes) == {**AT_NAN, **PASSED_ON}[name]
        elif name == "multiply":  # d(xy)/dx is y
            assert slopes[place] == 0.75
            assert math.isnan(slopes[1 - place])
        elif name == "divide":
            assert math.isnan(slopes[1])
            assert math.isnan(slopes[0]) == (place == 1)
        else:
            assert all(math.isnan(slope) for slope in slopes)


def test_nan_to_the_power_of_0_is_1_as_everywhere():
    assert (Value(NAN) ** 0).data == 1.0 == (Tensor(NAN) ** 0).item()
    assert (Value(1.0) ** NAN).data == 1.0 == (Tensor(1.0) ** NAN).item()


def calls_of_one_operand():
    for name, calls in ARRAYS.items():
        for i, call in enumerate(calls):
            if not call.positive and math.prod(call.shapes[0]) > 0:
                yield pytest.param(call, id=f"{name}-{i}", marks=pytest.mark.deep if i else ())


@pytest.mark.parametrize("call", list(calls_of_one_operand()))
def test_a_nan_in_an_array_rule_is_where_numpy_has_it_without_a_warning(call):
    rng = np.random.default_rng(0)
    xs = [rng.uniform(0.5, 2.0, shape) for shape in call.shapes]
    xs[0].flat[xs[0].size // 2] = NAN
    ours, theirs = call.ours(*map(Tensor, xs)), call.numpy(*xs)
    np.testing.assert_array_equal(np.isnan(ours.data), np.isnan(theirs))
    ours.backward(np.ones(ours.shape))


small = hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=4),
                   elements=st.sampled_from([0.0, 1.0, 2.0, -1.0, NAN, math.inf]))  # fmt: skip


@given(small, st.sampled_from(["max", "min"]), st.sampled_from([0, 1, None]))
def test_an_extreme_among_nans_gives_them_and_only_their_slice_nan(x, name, axis):
    leaf = Tensor(x)
    y = getattr(leaf, name)(axis=axis)
    np.testing.assert_array_equal(y.data, getattr(np, name)(x, axis=axis))
    y.backward(np.ones(y.shape))
    spoilt = np.broadcast_to(np.isnan(x).any(axis=axis, keepdims=True), x.shape)
    assert np.isnan(leaf.grad[spoilt]).all()
    ties = x == getattr(np, name)(x, axis=axis, keepdims=True)
    shares = ties / np.maximum(ties.sum(axis=axis, keepdims=True), 1)
    np.testing.assert_array_equal(leaf.grad[~spoilt], shares[~spoilt])


def test_a_replay_does_the_same():
    x = np.array([[1.0, NAN], [3.0, 3.0]])
    run = replay(Tensor(x).max(axis=1).sum())
    value, (slope,) = run(x)
    assert math.isnan(value)
    np.testing.assert_array_equal(slope, [[NAN, NAN], [0.5, 0.5]])


def test_where_keeps_the_branches_apart():
    x = Tensor([NAN, 2.0])
    y = operations.where(np.isnan(x.data), 0.0, x * x)
    y.sum().backward()
    assert y.data.tolist() == [0.0, 4.0]
    assert np.isnan(
        x.grad[0]
    )  # 0 · nan: the derivative of x * x at nan is asked for, with weight 0
    assert x.grad[1] == 4.0
    x.zero_grad()
    safe = operations.where(np.isnan(x.data), 0.0, x)  # the cure: choose before computing
    (safe * safe).sum().backward()
    assert x.grad.tolist() == [0.0, 4.0]


@pytest.mark.parametrize("kind", [Value, Tensor])
def test_comparisons_with_nan_are_false(kind):
    x = kind(NAN)
    for y in (x < 1.0, x > 1.0, x <= x, x >= x, x == NAN):
        assert not y
    assert x != NAN
    assert {x: 1}[x] == 1  # the same node


@pytest.mark.parametrize("kind", [Value, Tensor])
@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.AdamW])
def test_an_optimizer_takes_a_nan_as_it_comes_and_keeps_it_in_its_place(make, kind):
    """It is not refused: a step would have to look at every element. The data show it at once."""
    spoilt, sound = kind(1.0), kind(1.0)
    optimizer = make([spoilt, sound], lr=0.1)
    spoilt.grad, sound.grad = NAN, 1.0
    optimizer.step()
    assert math.isnan(float(spoilt.data))
    assert float(sound.data) < 1.0


def test_losses_refuse_nan_in_targets_and_show_it_in_predictions():
    for loss in (nn.mse_loss, nn.binary_cross_entropy_with_logits, nn.cross_entropy):
        with pytest.raises(ValueError, match="nan"):
            loss(Tensor([1.0, 2.0]), np.array([NAN, 1.0]))
    x = Tensor([[NAN, 1.0], [2.0, 3.0]])
    loss = nn.cross_entropy(x, [0, 1])
    loss.backward()
    assert math.isnan(loss.item())
    assert np.isnan(x.grad[0]).all()
    assert np.isfinite(x.grad[1]).all()  # the other sample learns


def test_a_gradient_check_at_nan_is_no_pass():
    with pytest.raises(AssertionError):
        gradcheck(lambda x: x * x, np.array([1.0, NAN]))
