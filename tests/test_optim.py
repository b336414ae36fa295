"""Optimizers against recurrences over one number, written out here from the papers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Tensor, Value
from tinygrad_edu.optim import SGD, Adam, AdamW

OPTIMIZERS = {
    "plain SGD": lambda ps, lr: SGD(ps, lr),
    "SGD with momentum": lambda ps, lr: SGD(ps, lr, momentum=0.8),
    "SGD with Nesterov's momentum": lambda ps, lr: SGD(ps, lr, momentum=0.8, nesterov=True),
    "SGD with everything": lambda ps, lr: SGD(ps, lr, 0.8, True, weight_decay=0.1),
    "Adam": lambda ps, lr: Adam(ps, lr),
    "Adam with weight decay": lambda ps, lr: Adam(ps, lr, weight_decay=0.1),
    "AdamW": lambda ps, lr: AdamW(ps, lr),
}
# Properties hold for gradients of 0 too, which the first step warns of.
pytestmark = pytest.mark.filterwarnings("ignore:.* the gradients of all:UserWarning")
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())


def sgd(p, gradients, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
    """Sutskever et al. 2013, in the form without a rescaled velocity."""
    velocity = 0.0
    for g in gradients:
        g = g + weight_decay * p
        velocity = momentum * velocity + g
        ahead = g + momentum * velocity
        p = p - lr * (ahead if nesterov else velocity)
    return p


def adam(p, gradients, lr, betas, eps, weight_decay=0.0, decoupled=False):
    """Kingma & Ba 2015, algorithm 1; decoupled as in Loshchilov & Hutter 2019, algorithm 2."""
    first = second = 0.0
    for t, g in enumerate(gradients, start=1):
        if decoupled:
            p = p - lr * weight_decay * p
        else:
            g = g + weight_decay * p
        first = betas[0] * first + (1 - betas[0]) * g
        second = betas[1] * second + (1 - betas[1]) * g**2
        mean = first / (1 - betas[0] ** t)
        square = second / (1 - betas[1] ** t)
        p = p - lr * mean / (math.sqrt(square) + eps)
    return p


def adamw(p, gradients, **settings):
    return adam(p, gradients, decoupled=True, **settings)


def steps_on_values(make, starts, gradients, **settings):
    """Where the optimizer takes Values; row t of `gradients` holds their gradients at step t."""
    parameters = [Value(start) for start in starts]
    optimizer = make(iter(parameters), **settings)
    for row in gradients:
        optimizer.zero_grad()
        for p, g in zip(parameters, row, strict=True):
            (p * g).backward()
        optimizer.step()
    return [p.data for p in parameters]


def steps_on_tensors(make, starts, gradients, **settings):
    """The same for one Tensor of all but the last number, and one of only the last."""
    parameters = [Tensor(starts[:-1]), Tensor(starts[-1])]
    optimizer = make(iter(parameters), **settings)
    for row in gradients:
        optimizer.zero_grad()
        ((parameters[0] * row[:-1]).sum() + parameters[1] * row[-1]).backward()
        optimizer.step()
    return [*parameters[0].data, parameters[1].data]


numbers = st.floats(-10, 10)
rates = st.floats(0, 1)
below_1 = st.floats(0, 0.999)
starts = st.lists(numbers, min_size=3, max_size=3)
gradient_rows = st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=6)


def assert_follows(make, recurrence, starts, rows, settings):
    expected = [
        recurrence(start, [row[i] for row in rows], **settings) for i, start in enumerate(starts)
    ]
    for steps in (steps_on_values, steps_on_tensors):
        found = steps(make, starts, rows, **settings)
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(
    starts,
    gradient_rows,
    st.fixed_dictionaries(
        {
            "lr": rates,
            "momentum": st.just(0.0) | st.floats(0.01, 1),
            "nesterov": st.booleans(),
            "weight_decay": st.just(0.0) | rates,
        }
    ),
)
def test_sgd_follows_its_recurrence(starts, rows, settings):
    settings["nesterov"] = settings["nesterov"] and settings["momentum"] > 0
    assert_follows(SGD, sgd, starts, rows, settings)


adam_settings = st.fixed_dictionaries(
    {
        "lr": rates,
        "betas": st.tuples(below_1, below_1),
        "eps": st.floats(1e-8, 1e-2),
        "weight_decay": st.just(0.0) | rates,
    }
)


@pytest.mark.parametrize(("make", "recurrence"), [(Adam, adam), (AdamW, adamw)])
@given(starts, gradient_rows, adam_settings)
def test_adam_follows_its_recurrence(make, recurrence, starts, rows, settings):
    assert_follows(make, recurrence, starts, rows, settings)


def test_the_defaults_are_those_of_the_papers():
    starts, rows = [1.0, -2.0, 0.5], [[0.3, -4.0, 1e-9], [1.0, 0.0, 2.0]]
    usual = {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8}
    assert steps_on_values(Adam, starts, rows) == steps_on_values(Adam, starts, rows, **usual)
    usual["weight_decay"] = 0.01
    assert steps_on_values(AdamW, starts, rows) == steps_on_values(AdamW, starts, rows, **usual)


# --- laws --------------------------------------------------------------------------------------


@given(numbers, numbers, st.floats(0, 0.5), st.integers(1, 10))
def test_plain_sgd_on_a_square_shrinks_the_distance_by_one_factor_a_step(start, low, lr, steps):
    p = Value(start)
    optimizer = SGD([p], lr)
    for _ in range(steps):
        optimizer.zero_grad()
        ((p - low) ** 2).backward()
        optimizer.step()
    assert p.data == pytest.approx(low + (1 - 2 * lr) ** steps * (start - low), abs=1e-12)


@given(numbers, st.floats(1e-3, 1e3), st.sampled_from([-1, 1]))
def test_the_first_step_of_adam_has_the_length_of_the_learning_rate(start, size, sign):
    (end,) = steps_on_values(Adam, [start], [[sign * size]], lr=0.1)
    assert end == pytest.approx(start - sign * 0.1, abs=1e-5)


@given(numbers, rates)
def test_adamw_without_a_gradient_only_shrinks_the_parameter(start, decay):
    (end,) = steps_on_values(AdamW, [start], [[0.0]], lr=0.1, weight_decay=decay)
    assert end == pytest.approx(start * (1 - 0.1 * decay), rel=1e-12)


@pytest.mark.parametrize("make", [SGD, Adam])
@given(numbers, numbers, rates)
def test_weight_decay_is_the_gradient_of_half_the_squared_parameter(make, start, slope, decay):
    decayed, penalised = Value(start), Value(start)
    by_setting, by_loss = make([decayed], 0.1, weight_decay=decay), make([penalised], 0.1)
    for _ in range(3):
        by_setting.zero_grad()
        by_loss.zero_grad()
        (slope * decayed).backward()
        (slope * penalised + decay / 2 * penalised**2).backward()
        by_setting.step()
        by_loss.step()
    # where both terms cancel, Adam scales what rounding leaves up to a step of its full length
    assert decayed.data == pytest.approx(penalised.data, abs=1e-12 if make is SGD else 1e-6)


@every_optimizer
def test_every_optimizer_finds_the_minimum_of_a_quadratic(make):
    """The minimum of Σ curvature (p - low)², from the linear equations that its gradient gives."""
    curvature, low = np.array([[1.0, 2.0], [0.5, 1.5]]), np.array([[1.0, -2.0], [3.0, 0.0]])
    p = Tensor(np.zeros((2, 2)))
    optimizer = make([p], 0.05)
    for _ in range(400):
        optimizer.zero_grad()
        (curvature * (p - low) ** 2).sum().backward()
        optimizer.step()
    decoupled = isinstance(optimizer, AdamW)  # its decay moves no minimum, but slows the way there
    decay = 0.0 if decoupled else optimizer.weight_decay
    minimum = 2 * curvature * low / (2 * curvature + decay)
    assert p.data == pytest.approx(minimum, abs=0.03 if decoupled else 1e-3)


# --- what a step leaves alone --------------------------------------------------------------------


@every_optimizer
def test_a_step_writes_into_no_array_that_the_user_holds(make):
    start = np.array([1.0, -2.0, 3.0])
    p = Tensor(start)
    optimizer = make([p], 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        (p * p).sum().backward()
        data, grad = p.data, p.grad
        copies = data.copy(), grad.copy()
        optimizer.step()
        assert p.data is not data
        assert np.array_equal(data, copies[0])
        assert np.array_equal(grad, copies[1])
        assert np.array_equal(p.grad, copies[1])
    assert np.array_equal(start, [1, -2, 3])


@every_optimizer
@pytest.mark.parametrize("leaf", [Value(2.0), Tensor([2.0, -3.0])], ids=["Value", "Tensor"])
def test_a_graph_recorded_before_a_step_keeps_its_numbers_and_gradients(make, leaf):
    p = leaf.detach()
    cube = p * p * p
    root = cube if isinstance(p, Value) else cube.sum()
    root.backward()
    before, of_root = np.array(p.grad), float(root)
    optimizer = make([p], 0.1)
    optimizer.step()
    assert not np.array_equal(p.data, leaf.data)
    optimizer.zero_grad()
    root.backward()
    assert np.array_equal(p.grad, before)
    assert np.array_equal(before, 3 * leaf.data * leaf.data)
    assert float(root) == of_root


@every_optimizer
def test_parameters_that_were_not_given_stay(make):
    p, other = Value(2.0), Value(3.0)
    (p * other).backward()
    make([p], 0.1).step()
    assert p.data != 2
    assert (other.data, other.grad) == (3, 2)


def two_steps(make, p, number=float):
    """Two steps on p², with learning rates of the given type, as a schedule may make them."""
    optimizer = make([p], number(0.1))
    for _ in range(2):
        optimizer.zero_grad()
        square = p * p
        square.backward(np.ones(p.shape) if isinstance(p, Tensor) else None)
        optimizer.step()
        optimizer.lr = number(0.05)


every_number = pytest.mark.parametrize("number", [float, np.float64, np.float32])


@every_optimizer
@every_number
def test_the_data_of_a_value_stays_a_float_whatever_the_learning_rate_is(make, number):
    p = Value(1.0)
    two_steps(make, p, number)
    assert type(p.data) is float


@every_optimizer
@every_number
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_tensor_keeps_its_dtype_whatever_the_learning_rate_is(make, number, dtype):
    p = Tensor(np.ones(2), dtype=dtype)
    two_steps(make, p, number)
    assert p.data.dtype == p.grad.dtype == dtype


@every_optimizer
def test_the_data_of_a_tensor_of_shape_0_stays_an_array(make):
    p = Tensor(1.0)
    two_steps(make, p)
    assert type(p.data) is np.ndarray
    assert p.shape == ()


# --- errors ------------------------------------------------------------------------------------


def test_settings_that_are_numbers_of_numpy_leave_float32_as_it_is():
    lr, rate = np.float64(0.1), np.float64(0.9)
    for make in (
        lambda ps: SGD(ps, lr, momentum=rate, weight_decay=rate),
        lambda ps: AdamW(ps, lr, betas=(rate, rate), eps=lr, weight_decay=rate),
    ):
        p = Tensor(np.ones(3, np.float32))
        optimizer = make([p])
        p.grad = np.ones(3)
        optimizer.step()
        assert {p.dtype, *(state[0].dtype for state in optimizer.states)} == {np.dtype("f4")}


def test_settings_can_be_checked_again():
    optimizer = Adam([Value(1.0)])
    optimizer.check_settings()
    for name, wrong in {"lr": -1.0, "weight_decay": -1.0, "eps": -1.0, "steps": -1}.items():
        before = getattr(optimizer, name)
        setattr(optimizer, name, wrong)
        with pytest.raises(ValueError, match=f"Adam: {name} is -1"):
            optimizer.check_settings()
        setattr(optimizer, name, before)
    optimizer.betas = (0.9,)
    with pytest.raises(ValueError, match="betas"):
        optimizer.check_settings()


X = Value(1.0, "x")
REFUSED = [
    *((lambda kind=kind, ps=ps: kind(ps, 0.1), error, f"^{kind.__name__}: {said}")
      for kind in (SGD, Adam, AdamW)
      for ps, error, said in (
          ([], ValueError, "there are no parameters; give "),
          ([X, X * X], TypeError, "parameter 1 is not a leaf, but"),
          ([X, Tensor([1.0]).sum()], TypeError, "parameter 1 is not a leaf, but"),
          ([X, 3.0], TypeError, "parameter 1 is of type float"),
          ([X, ("weight", X)], TypeError, "parameter 1 is of type tuple"),
          ([X, Value(1.0), X], ValueError, "a parameter was given twice"))),
    *((lambda kind=kind, given={"lr": 0.1, name: x}: kind([X], **given), ValueError,
       f"^{kind.__name__}: {name} is {x}; .* from 0")
      for kind, names in ((SGD, ("lr", "momentum", "weight_decay")),
                          (Adam, ("lr", "eps", "weight_decay")), (AdamW, ("weight_decay",)))
      for name in names for x in (-0.1, math.nan, math.inf)),
    (lambda: SGD([X], 0.1, nesterov=True), ValueError, "nesterov=True needs a momentum above 0"),
    *((lambda betas=betas: AdamW([X], betas=betas), ValueError, "betas are .* 0 and below 1")
      for betas in ((1.0, 0.999), (0.9, 1.0), (-0.1, 0.999), (0.9, math.nan))),
]  # fmt: skip


@pytest.mark.parametrize(("make", "error", "message"), REFUSED, ids=[m for _, _, m in REFUSED])
def test_what_makes_no_sense_is_refused_by_name(make, error, message):
    with pytest.raises(error, match=message):
        make()
