"""Comparisons of nodes leave a mark on what they depend on, and a watch sees them."""

import copy
import gc
import operator
import pickle
import threading
import time

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, no_grad, replay
from tinygrad_edu.data import DataLoader
from tinygrad_edu.engine import observers
from tinygrad_edu.engine.contexts import watched
from tinygrad_edu.engine.observers import was_compared

COMPARISONS = {
    "less": operator.lt, "greater": operator.gt,
    "less_equal": operator.le, "greater_equal": operator.ge,
}  # fmt: skip
every_comparison = pytest.mark.parametrize("name", COMPARISONS)
kinds = pytest.mark.parametrize("kind", [Value, Tensor])


@every_comparison
@kinds
def test_all_nodes_that_a_comparison_depends_on_are_marked(name, kind):
    x, y, other = kind(1.0), kind(2.0), kind(3.0)
    inner = x * y
    late = inner + other
    nodes = (x, y, inner, other, late)
    assert not any(map(was_compared, nodes))
    COMPARISONS[name](inner, 0.5)
    assert list(map(was_compared, nodes)) == [True, True, True, False, False]
    COMPARISONS[name](0.5, late)
    assert all(map(was_compared, nodes))


@every_comparison
@kinds
@pytest.mark.parametrize("other", [0.5, 1.0, 2, np.float64(1.5), np.array(1.0)])
def test_a_comparison_gives_what_its_data_give(name, kind, other):
    compare, x = COMPARISONS[name], kind(1.0)
    assert bool(compare(x, other)) == bool(compare(1.0, other))
    assert bool(compare(other, x)) == bool(compare(other, 1.0))
    assert bool(compare(x, kind(float(other)))) == bool(compare(1.0, float(other)))
    assert not isinstance(compare(x, other), tg.Node)
    assert was_compared(x)


def test_both_sides_are_marked_and_numpy_on_the_left_marks_too():
    x, y = Tensor([1.0, 2.0]), Tensor([2.0, 1.0])
    assert (x < y).tolist() == [True, False]
    assert was_compared(x)
    assert was_compared(y)
    z = Tensor([1.0, 2.0])
    assert (np.array([1.5, 1.5]) > z).tolist() == [True, False]
    assert np.less(z, [0.0, 3.0]).tolist() == [False, True]
    assert was_compared(z)


@pytest.mark.parametrize(
    "use",
    [lambda x: {x: 0}[x], lambda x: x is None, hash, repr, lambda x: x.maximum(0.0),
     lambda x: x.relu(), lambda x: x.clip(0.0, 1.0), lambda x: x.abs().sqrt(),
     lambda x: (x * x).backward(), float, lambda x: x.detach(), copy.deepcopy],
)  # fmt: skip
@kinds
def test_nothing_else_is_a_comparison(use, kind):
    x = kind(0.5)
    use(x)
    assert not was_compared(x)


def test_detached_data_and_plain_data_are_not_marked():
    x = Tensor([1.0])
    assert x.data > 0
    assert x.detach() > 0
    assert not was_compared(x)


@pytest.mark.no_cover
@kinds
def test_marking_a_chain_at_every_node_is_linear_in_all(kind):
    n = 100_000 if kind is Value else 20_000
    x = kind(1.0)
    start = time.process_time()
    y = x
    for _ in range(n):
        y = y + 1e-9
        assert y > 0.5
    assert time.process_time() - start < 2.0
    assert was_compared(x)


@pytest.mark.untraced
def test_marking_a_long_chain_from_its_end_does_not_recurse():
    x = Value(1.0)
    y = x
    for _ in range(100_000):
        y = y * 1.0
    assert y > 0.5
    assert was_compared(x)


@pytest.mark.untraced
@kinds
def test_compared_graphs_are_freed_without_the_collector(kind):
    def count():
        return sum(issubclass(type(x), tg.Node) for x in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = count()
        with watched() as watch:
            x = kind(1.0)
            y = x * x + 1.0
            assert y > x
        assert count() > before
        assert len(watch.comparisons) == 1
        del x, y, watch
        assert count() == before
    finally:
        gc.enable()


# --- copies --------------------------------------------------------------------------------------


def round_trip(node):
    return pickle.loads(pickle.dumps(node))


@kinds
@pytest.mark.parametrize("carry", [copy.deepcopy, round_trip])
def test_copies_of_a_compared_graph_keep_its_marks(kind, carry):
    x, y = kind(1.0, "x"), kind(2.0, "y")
    inner = x * 2.0
    assert inner > 1.0
    root = inner + y
    carried = carry(root)
    marks = {n.label or n.symbol: was_compared(n) for n in tg.topological_order(root)}
    assert marks == {"x": True, "y": False, "×": True, "+": False}
    again = {n.label or n.symbol: was_compared(n) for n in tg.topological_order(carried)}
    assert again == marks
    with pytest.raises(TypeError, match="was compared"):
        replay(carried)


@pytest.mark.parametrize("carry", [copy.deepcopy, round_trip])
@pytest.mark.parametrize("marked", [True, False])
def test_copies_of_a_leaf_and_of_a_long_chain(carry, marked):
    x = Value(1.0)
    y = x
    for _ in range(2_000):
        y = y + 1.0
    if marked:
        assert y > 1.0
    for node in (x, y):
        nodes = tg.topological_order(carry(node))
        assert [was_compared(n) for n in nodes] == [marked] * len(nodes)


@pytest.mark.parametrize("carry", [copy.deepcopy, round_trip])
def test_marks_and_groups_travel_together(carry):
    with tg.group("outer"), tg.group("inner"):
        y = Value(1.0) * 2.0
    z = y + 1.0
    assert z > 0.0
    carried = carry(z)
    assert was_compared(carried)
    assert carried.group is None
    product = carried.parents[0]
    assert [g.name for g in product.group.chain()] == ["outer", "inner"]
    assert was_compared(product)


# --- watches -------------------------------------------------------------------------------------


def test_a_watch_notes_nodes_and_comparisons_of_its_block():
    x = Value(1.0)
    assert x < 2.0
    with watched() as watch:
        y = x * 2.0
        results = [y > 1.0, y < 3.0, y >= x, x.data > 0.0]
    assert y <= 2.0
    assert results == [True, True, True, True]
    assert watch.nodes == {y}
    assert watch.comparisons == [
        ("greater", (y, 1.0), True), ("less", (y, 3.0), True), ("greater_equal", (y, x), True)
    ]  # fmt: skip


def test_watches_nest_and_survive_errors():
    x = Value(1.0)
    seen = []

    def interrupted():
        with watched() as inner:
            seen.append(inner)
            assert x > 0.0
            raise KeyboardInterrupt

    with watched() as outer:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert x < 3.0
    assert x > -1.0
    assert [name for name, _, _ in seen[0].comparisons] == ["greater"]
    assert [name for name, _, _ in outer.comparisons] == ["less"]
    assert observers.active == 0


def test_threads_do_not_see_each_others_watch():
    barrier = threading.Barrier(4, timeout=20)
    found = {}

    def work(k):
        x = Value(float(k))
        with watched() as watch:
            for i in range(100):
                if i % 20 == 0:
                    barrier.wait()
                y = x + i
                assert y >= k
        found[k] = watch

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    with watched() as ours:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (ours.nodes, ours.comparisons) == (set(), [])
    assert observers.active == 0
    for k, watch in found.items():
        assert len(watch.nodes) == 101 - 1
        assert [(name, xs[0].data, xs[1]) for name, xs, _ in watch.comparisons] == [
            ("greater_equal", float(k + i), k) for i in range(100)
        ]


def test_recording_inside_of_no_grad_records_and_marks():
    with no_grad():
        f = replay(lambda x: tg.where(x > 0, x * 2.0, x).sum(), [np.ones(2)])
    assert f(np.array([3.0, -1.0]))[0] == 5.0


# --- batches -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("n", "size"), [(1, 1), (7, 3), (6, 3), (5, 8), (9, 1)])
def test_batches_are_those_of_iterating(shuffle, n, size):
    x, y = np.arange(2.0 * n).reshape(n, 2), np.arange(n)
    by_index, by_batch = (DataLoader(x, y, size, shuffle, rng=5) for _ in range(2))
    for _ in range(3):
        batches = list(by_index.batches())
        assert len(batches) == len(by_index)
        for batch, (a, b) in zip(batches, by_batch, strict=True):
            assert batch.dtype.kind == "i"
            np.testing.assert_array_equal(x[batch], a)
            np.testing.assert_array_equal(y[batch], b)
        assert sorted(np.concatenate(batches).tolist()) == list(range(n))
    assert by_index.rng.random() == by_batch.rng.random()
