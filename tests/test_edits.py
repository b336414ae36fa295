"""Edits of data between a forward pass and its backward pass: what is safe, and what is refused."""

import contextlib
import copy
import functools
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_table import ARRAYS, every_rule

import tinygrad_edu as tg
from tinygrad_edu import (
    Tensor,
    TrainingStep,
    Value,
    data,
    data_locked,
    nn,
    no_grad,
    optim,
    topological_order,
)
from tinygrad_edu.engine import locking

READ_ONLY = "read-only"


def gradient_of_square(change):
    x = Tensor([1.0, 2.0], "x")
    root = (x * x).sum()
    change(x)
    root.backward()
    return x.grad.tolist()


def edit(x):
    x.data[0] = 5.0


# --- what is promised without a block -----------------------------------------------------------


@pytest.mark.parametrize("kind", [Value, Tensor])
def test_new_data_between_forward_and_backward_do_not_reach_the_graph(kind):
    x = kind(3.0)
    root = x * x
    x.data = x.data * 10.0
    root.backward()
    assert float(x.grad) == 6.0


def test_an_edit_in_place_between_forward_and_backward_reaches_the_graph():
    """A graph reads the arrays of its leaves. So the edit, and not the forward pass, is seen."""
    assert gradient_of_square(lambda x: None) == [2.0, 4.0]
    assert gradient_of_square(edit) == [10.0, 4.0]


def test_an_edit_in_place_after_backward_is_fine():
    x = Tensor([1.0, 2.0])
    root = (x * x).sum()
    root.backward()
    x.data -= 0.5 * x.grad
    assert x.data.tolist() == [0.0, 0.0]
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]  # the new point adds 0


# --- data_locked ----------------------------------------------------------------------------------

EDITS = {
    "an element": edit,
    "all": lambda x: x.data.__setitem__(..., 0.0),
    "-=": lambda x: x.data.__isub__(1.0),
    "out=": lambda x: np.exp(x.data, out=x.data),
    "fill": lambda x: x.data.fill(1.0),
    "sort": lambda x: x.data.sort(),
    "a view": lambda x: x.data[1:].__setitem__(0, 7.0),
}


@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS)
def test_in_a_locked_block_an_edit_is_refused_where_it_is_made(change):
    with data_locked():
        with pytest.raises(ValueError, match=READ_ONLY):
            gradient_of_square(change)
        assert gradient_of_square(lambda x: setattr(x, "data", x.data * 9.0)) == [2.0, 4.0]
        assert gradient_of_square(lambda x: edit(Tensor([1.0]))) == [2.0, 4.0]  # not used by it


CALLS = [call for calls in ARRAYS.values() for call in calls]


@given(st.sampled_from(CALLS), st.integers(0, 99))
def test_after_the_block_exactly_what_was_writeable_is_so_again(call, seed):
    rng = np.random.default_rng(seed)
    xs = [Tensor(rng.uniform(0.5, 2.0, shape), "x") for shape in call.shapes]
    for x in xs:
        x.data.flags.writeable = bool(rng.integers(2))
    flags = [x.data.flags.writeable for x in xs]
    nodes = topological_order(call.ours(*xs))
    free = [x.data.flags.writeable for x in nodes]
    with data_locked():
        root = call.ours(*xs)
        locked = topological_order(root)
        assert not any(x.data.flags.writeable for x in locked)
        root.backward(np.ones(root.shape))
    assert [x.data.flags.writeable for x in xs] == flags
    if all(flags):  # else views of what is read-only are so too, in the block and without it
        assert [x.data.flags.writeable for x in locked] == free
    assert not locking._holders


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_unlocks(error):
    x = Tensor([1.0])

    @data_locked()
    def fail():
        x.exp()
        assert not x.data.flags.writeable
        raise error

    with pytest.raises(error):
        fail()
    assert x.data.flags.writeable


def test_blocks_nest_and_the_outermost_unlocks():
    x, y = Tensor([1.0]), Tensor([2.0])
    with data_locked():
        x * 2.0
        with data_locked():
            x * y
        assert not x.data.flags.writeable
        assert not y.data.flags.writeable
    assert x.data.flags.writeable
    assert y.data.flags.writeable


def test_as_a_decorator():
    x = Tensor([1.0])

    @data_locked()
    def step():
        (x * x).sum()
        edit(x)

    with pytest.raises(ValueError, match=READ_ONLY):
        step()
    edit(x)


def test_what_is_not_recorded_is_not_locked():
    x = Tensor([1.0])
    with data_locked():
        with no_grad():
            x * x
        edit(x)
        leaf = Tensor([3.0])
        edit(leaf)
    assert x.data.tolist() == [5.0]


def test_views_of_views_and_repeated_rows_come_out_as_they_went_in():
    base = np.arange(6.0)
    x = Tensor([0.0])
    x.data = base[1:5]  # a view of an array of the user's, which stays free to be written to
    with data_locked():
        y = x.reshape(2, 2).T
        rows = x.broadcast_to((3, 4))
        for node in (x, y, rows):
            assert not node.data.flags.writeable
        assert base.flags.writeable
    assert x.data.flags.writeable
    assert y.data.flags.writeable
    assert not rows.data.flags.writeable  # NumPy's own rule for repeated rows


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.AdamW])
def test_optimizers_step_inside_and_nothing_is_kept_alive(make):
    def train(block):
        model = nn.MLP(3, [4, 2], rng=0)
        optimizer = make(model.parameters(), lr=0.1)
        steps = []
        with block:
            for _ in range(3):
                loss = nn.cross_entropy(model(np.eye(3)), [0, 1, 1])
                steps.append(weakref.ref(loss.operands[0].data))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            del loss
            assert [step() for step in steps] == [None] * 3
        assert all(p.data.flags.writeable for p in model.parameters())
        return [p.data.tolist() for p in model.parameters()]

    assert train(data_locked()) == train(contextlib.nullcontext())


def test_a_replayed_training_is_the_same_inside():
    x, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2

    def train(block):
        model = nn.MLP(3, [4, 2], rng=0)
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        step = TrainingStep(lambda x, y: nn.cross_entropy(model(x), y), optimizer)
        with block:
            for _ in range(2):
                step.epoch(data.DataLoader(x, y, batch_size=8, rng=0))
        assert all(p.data.flags.writeable for p in model.parameters())
        return [p.data.tolist() for p in model.parameters()]

    assert train(data_locked()) == train(contextlib.nullcontext())


def test_a_parameter_that_two_threads_share_is_locked_until_both_are_out():
    shared, seen = Tensor([1.0, 2.0], "shared"), []
    used, leave = threading.Event(), threading.Event()

    def work():
        with data_locked():
            shared * 2.0
            used.set()
            leave.wait(10)

    thread = threading.Thread(target=work)
    with data_locked():
        thread.start()
        used.wait(10)
        shared * 3.0
    try:
        seen.append(shared.data.flags.writeable)  # this thread is out, the other is not
    finally:
        leave.set()
        thread.join()
    assert seen == [False]
    assert shared.data.flags.writeable
    assert not locking._holders


def test_values_have_nothing_to_lock_and_calculus_works_inside():
    x = Value(3.0)
    with data_locked():
        (x * x).backward()
        assert tg.grad(lambda t: (t * t).sum())(np.array([1.0, 2.0])).tolist() == [2.0, 4.0]
    assert x.grad == 6.0
    x.data = 4.0


# --- copies ---------------------------------------------------------------------------------------


@every_rule
def test_a_copy_computes_what_it_did_whatever_happens_to_the_original(call):
    rng = np.random.default_rng(0)
    xs = [Tensor(rng.uniform(0.5, 2.0, shape), str(i)) for i, shape in enumerate(call.shapes)]
    root = call.ours(*xs)
    twin, second = copy.deepcopy((root, xs)), copy.deepcopy((root, xs))
    root.backward(np.ones(root.shape))
    wanted = [x.grad.tolist() for x in xs]
    for node in topological_order(root):
        with contextlib.suppress(ValueError):  # repeated rows
            node.data[...] = 77.0
        for constant in node.operands:
            if isinstance(constant, np.ndarray):
                constant.flags.writeable = True
                constant[...] = 1
    for copied_root, leaves in (twin, second, copy.deepcopy(twin)):
        for x in leaves:
            x.zero_grad()
        copied_root.backward(np.ones(copied_root.shape))
        assert [x.grad.tolist() for x in leaves] == wanted


def test_a_copy_of_a_graph_whose_leaf_has_new_data_is_of_its_own_time_too():
    x = Tensor([3.0], "x")
    root = (x * x).sum()
    x.data = np.array([100.0])
    twin, copied = copy.deepcopy((root, x))
    twin.backward()
    assert copied.data.tolist() == [100.0]
    assert copied.grad.tolist() == [6.0]


def test_arrays_that_pullbacks_hold_in_any_way_are_copied():
    @tg.rule("masked")
    def masked(x, /, deep=None):
        """x times what is held in captured variables, lists, dicts and functions within."""
        held, table = [np.full(2, 2.0)], {"three": np.full(2, 3.0)}
        fives, sevens = np.full(2, 5.0), np.full(2, 7.0)

        def five(factor=fives):
            return factor

        seven = functools.partial(np.multiply, sevens)
        one = functools.partial(np.divide, 1.0)  # it holds no array
        everything.extend([held[0], table["three"], fives, sevens])

        def pullback(g):
            return (seven(g) * held[0] * table["three"] * five() * one(1.0),)

        return x * 210.0, pullback

    everything = []
    x = Tensor([1.0, 1.0])
    root = masked(x)
    twin, copied = copy.deepcopy((root, x))
    for array in everything:
        array[...] = 0.0
    twin.backward(np.ones(2))
    assert copied.grad.tolist() == [210.0, 210.0]
