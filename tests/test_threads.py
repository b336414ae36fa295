"""Eight threads at once give what one thread gives after the other."""

import copy
import sys
import threading

import numpy as np
import pytest

from tinygrad_edu import (
    Tensor,
    TrainingStep,
    Value,
    collector_paused,
    data,
    data_locked,
    grad,
    group,
    nn,
    no_grad,
    optim,
    replay,
    rules,
    scalar_nn,
)
from tinygrad_edu.engine import observers

THREADS = 8
X = np.random.default_rng(0).normal(size=(24, 5))
Y = np.arange(24) % 3


@pytest.fixture(autouse=True)
def threads_take_turns_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)
    assert observers.active == 0


def in_threads(work):
    """work(0), ..., work(7), all at the same time; an error in one is an error here."""
    found, errors = [None] * THREADS, []
    start = threading.Barrier(THREADS)

    def run(k):
        try:
            start.wait(10)
            found[k] = work(k)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
    return found


def training(k):
    model = nn.MLP(5, [6, 3], rng=k)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for x, y in data.DataLoader(X, Y, batch_size=10, rng=k):
        loss = nn.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [p.data.tolist() for p in model.parameters()]


def replayed_training(k):
    model = nn.MLP(5, [6, 3], rng=k)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    step = TrainingStep(lambda x, y: nn.cross_entropy(model(x), y), optimizer)
    losses = step.epoch(data.DataLoader(X, Y, batch_size=8, rng=k))
    return losses, [p.data.tolist() for p in model.parameters()]


def scalar_training(k):
    import random

    model = scalar_nn.MLP(2, [3, 1], rng=random.Random(k))
    for _ in range(3):
        model.zero_grad()
        loss = (model([0.5, -1.0]) - 1.0) ** 2
        loss.backward()
        for p in model.parameters():
            p.data -= 0.1 * p.grad
    return [p.data for p in model.parameters()]


def derivatives(k):
    return grad(grad(lambda x: (x * x * x).sum() if isinstance(x, Tensor) else x**3))(1.0 + k)


WORK = {f.__name__: f for f in (training, replayed_training, scalar_training, derivatives)}


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_independent_work_gives_the_bits_of_one_after_the_other(work):
    assert in_threads(work) == [work(k) for k in range(THREADS)]


def test_threads_share_a_replay():
    run = replay(lambda x: (x * x).sum(), [np.ones(2000)])

    def work(k):
        for _ in range(200):
            value, (slope,) = run(np.full(2000, float(k)))
            assert value == 2000.0 * k * k
            assert (slope == 2.0 * k).all()

    in_threads(work)


def test_parameters_may_be_shared_by_forward_passes():
    model = nn.MLP(5, [6, 3], rng=0)
    wanted = model(X).data.tolist()

    def work(k):
        for _ in range(20):
            assert model(X).data.tolist() == wanted
        return True

    assert all(in_threads(work))


def test_one_thread_may_go_backward_while_others_go_forward():
    model, twin = nn.MLP(5, [6, 3], rng=0), nn.MLP(5, [6, 3], rng=0)
    wanted = model(X).data.tolist()

    def work(k):
        for _ in range(20):
            y = model(X)
            assert y.data.tolist() == wanted
            if k == 0:
                nn.cross_entropy(y, Y).backward()

    in_threads(work)
    for _ in range(20):
        nn.cross_entropy(twin(X), Y).backward()
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        assert ours.grad.tolist() == theirs.grad.tolist()


@pytest.mark.parametrize("kind", [Value, Tensor])
def test_blocks_of_one_thread_are_not_those_of_another(kind):
    shared = kind(2.0, "shared")

    def work(k):
        for _ in range(50):
            if k % 4 == 0:
                with no_grad():
                    assert (shared * 3.0).operands == ()
            elif k % 4 == 1:
                with group(f"{k}"):
                    assert (shared * 3.0).group.name == f"{k}"
            elif k % 4 == 2:
                with data_locked(), collector_paused():
                    assert (shared * 3.0).operands
            else:
                y = shared * 3.0
                assert y.operands
                assert y.group is None

    in_threads(work)
    assert (shared * 3.0).operands
    if kind is Tensor:
        assert shared.data.flags.writeable


def test_a_graph_may_be_copied_and_differentiated_as_nodes_by_many():
    x = Tensor(X, "x")
    loss = nn.cross_entropy(nn.MLP(5, [3], rng=0)(x.tanh()), Y)
    twin, leaf = copy.deepcopy((loss, x))
    twin.backward()
    wanted = leaf.grad.tolist()

    def work(k):
        twin, leaf = copy.deepcopy((loss, x))
        twin.backward()
        return leaf.grad.tolist()

    assert in_threads(work) == [wanted] * THREADS
    assert not x.grad.any()


def test_an_error_in_one_thread_is_no_error_in_another():
    @rules.rule("picky")
    def picky(x, /):
        if x < 0:
            raise ValueError("too small")
        return x * 2.0, lambda g: (g * 2.0,)

    def work(k):
        x = Value(-1.0 if k % 2 else 1.0, f"x{k}")
        for _ in range(30):
            if k % 2:
                with pytest.raises(ValueError, match=f"'x{k}'.*too small"):
                    picky(x)
            else:
                picky(x).backward()
        return x.grad

    assert in_threads(work) == [0.0 if k % 2 else 60.0 for k in range(THREADS)]
