"""What people keep in optimizers and modules of their own: save refuses it, or load restores it."""

import collections
import math
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_edu import Tensor, Value, load, nn, optim, save

Betas = collections.namedtuple("Betas", ["first", "second"])
PARAMETERS = {
    "Tensors": lambda: [Tensor(np.full((2, 3), 0.5)), Tensor([1.0, 2.0, 3.0]), Tensor([1.0])],
    "float32": lambda: [Tensor(np.ones(3, np.float32)), Tensor(np.float32(2.0))],
    "numbers": lambda: [Tensor(3.0), Tensor(4.0)],
    "Values": lambda: [Value(1.0), Value(2.0), Value(3.0), Value(4.0)],
    "both": lambda: [Value(1.0), Tensor([1.0, 2.0])],
}


class Own(optim.SGD):
    """An optimizer with momentum and one more attribute."""

    def __init__(self, parameters, own):
        super().__init__(parameters, 0.1, momentum=0.5)
        self.own = own


class OwnModule(nn.Module):
    """A layer with a list attribute that is saved."""

    buffers = ("own",)

    def __init__(self, own):
        self.weight = Tensor([1.0])
        self.own = own


numbers = st.one_of(
    st.integers(-9, 9), st.floats(), st.booleans(), st.integers(-(2**65), 2**65),
    st.sampled_from([np.float64(1.5), np.float32(0.1), np.int64(3), np.bool_(True)]),
)  # fmt: skip
arrays = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.int64, np.bool_, np.uint8]),
    st.sampled_from([(), (3,), (2, 3), (2,), (1,)]),
)
others = st.sampled_from([None, "text", 1j, b"x", {1, 2}, print])
things = st.recursive(
    st.one_of(numbers, arrays, numbers, others, st.builds(Betas, numbers, numbers)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(numbers, max_size=5),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from(["a", "b", "0", "a.0", ""]), inner, max_size=3),
    ),
    max_leaves=8,
)


def blank(thing):
    """The same as it might be in a fresh run: other numbers, and number lists of another length."""
    if isinstance(thing, np.ndarray):
        return np.zeros_like(thing)
    if isinstance(thing, bool | int | float | np.generic):
        return type(thing)(0)
    if isinstance(thing, dict):
        return {key: blank(x) for key, x in thing.items()}
    if isinstance(thing, Betas):
        return Betas(*map(blank, thing))
    if isinstance(thing, list | tuple):
        return type(thing)(map(blank, thing))
    return thing


def same(x, y):
    """Whether two things are equal; a number of NumPy may come back as one of Python's."""
    if isinstance(x, np.ndarray | np.generic) and isinstance(y, np.ndarray):
        a, b = np.asarray(x), y
        return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(x, dict):
        return x.keys() == y.keys() and all(same(x[key], y[key]) for key in x)
    if isinstance(x, list | tuple):
        alike = type(x) is type(y) and len(x) == len(y)
        return alike and all(map(same, x, y))
    if isinstance(x, float | np.floating) and math.isnan(x):
        return math.isnan(y)
    return not isinstance(y, np.ndarray) and x == y


def saved_and_loaded(path, one, other):
    """Whether save takes the first; then load must take it into the second."""
    refused = ""
    try:
        save(one, path)
    except (TypeError, ValueError) as error:
        refused = str(error)
    assert os.path.exists(path) != bool(refused)
    if refused:
        assert refused.startswith("save: ")
        return False
    load(other, path)
    os.unlink(path)
    return True


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(thing=things, kind=st.sampled_from(sorted(PARAMETERS)), steps=st.integers(0, 2))
@example(thing=[1, 2, 3, 4], kind="Values", steps=0)  # milestones
@example(thing=[1, 2, 3], kind="Tensors", steps=1)
@example(thing=[[1, 2], [3, 4], [5]], kind="Tensors", steps=1)
@example(thing=[np.int64(5), np.int64(6)], kind="float32", steps=2)
@example(thing=[np.ones((2, 3)), 0.0, np.ones(1)], kind="Tensors", steps=0)
@example(thing=[True, False], kind="numbers", steps=0)
@example(thing=Betas(0.5, 0.25), kind="both", steps=0)
@example(thing=[(1, 2), {"a": 3.0}], kind="both", steps=0)
def test_an_optimizer_of_ones_own(tmp_path, thing, kind, steps):
    first = Own(PARAMETERS[kind](), thing)
    second = Own(PARAMETERS[kind](), blank(thing))
    for i in range(steps):
        for p in first.parameters:
            p.grad = np.asarray(p.data) * 0.3 + i if isinstance(p, Tensor) else 0.3 + i
        first.step()
    if saved_and_loaded(tmp_path / "own.npz", first, second):
        assert same(first.own, second.own)
        assert same(first.velocities, second.velocities)
        assert (first.steps, first.momentum) == (second.steps, second.momentum)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(things)
@example([1, 2, 3])
@example(Betas(1.0, 2.0))
def test_a_module_of_ones_own(tmp_path, thing):
    first, second = OwnModule(thing), OwnModule(blank(thing))
    if saved_and_loaded(tmp_path / "own.npz", {"m": first}, {"m": second}):
        assert same(first.own, second.own)


NODES = {
    "averages of the parameters": lambda: [Tensor([1.0, 2.0]), Tensor([3.0])],
    "Values": lambda: [Value(1.0), Value(2.0)],
    "a Value and a Tensor": lambda: [Value(1.0), Tensor([3.0])],
    "modules": lambda: [nn.Linear(2, 1, rng=0), nn.ReLU()],
    "generators": lambda: [np.random.default_rng(1), np.random.default_rng(2)],
    "groups": lambda: [{"lr": 0.1, "of": Value(1.0)}, {"lr": 0.2, "of": Tensor([2.0])}],
}


@pytest.mark.parametrize("make", NODES.values(), ids=NODES)
def test_lists_of_nodes_modules_and_generators_beside_as_many_parameters(tmp_path, make):
    """They are themselves, and nothing that is remembered of the parameters."""
    first, second = (Own([Tensor([1.0]), Tensor([2.0])], make()) for _ in range(2))
    changed = [*first.own, *(x["of"] for x in first.own if isinstance(x, dict))]
    for x in changed:
        for leaf in [x] if isinstance(x, Value | Tensor) else getattr(x, "parameters", list)():
            leaf.data = leaf.data * 3.0
        if isinstance(x, np.random.Generator):
            x.random(5)
    save(first, tmp_path / "own.npz")
    before = (tmp_path / "own.npz").read_bytes()
    load(second, tmp_path / "own.npz")
    save(second, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == before


@pytest.mark.parametrize("start", [0.0, None])
def test_what_a_fresh_optimizer_has_none_or_0_for_is_loaded(tmp_path, start):
    """And a run that goes back to its first checkpoint has it again."""

    class Momentum(optim.Optimizer):
        def __init__(self):
            super().__init__([Tensor([1.0, 2.0]), Tensor(3.0)], 0.1)
            self.speeds = [start, start]

    fresh, stepped, other = Momentum(), Momentum(), Momentum()
    stepped.speeds = [np.array([0.5, 0.25]), np.float64(0.125)]
    save(stepped, tmp_path / "stepped.npz")
    load(other, tmp_path / "stepped.npz")
    assert same(stepped.speeds, other.speeds)
    if start is None:
        with pytest.raises(TypeError, match=r"speeds\.0 cannot be saved: it is of type NoneType"):
            save(fresh, tmp_path / "fresh.npz")
    else:
        save(fresh, tmp_path / "fresh.npz")
        load(other, tmp_path / "fresh.npz")
        assert other.speeds == [0.0, 0.0]
