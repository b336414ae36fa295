"""Graphs of 200 000 nodes, or 20 000 without --deep: built, differentiated, copied and freed."""

import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest
from effort import much

from tinygrad_edu import (
    Tensor,
    Value,
    collector_paused,
    gradients,
    no_grad,
    to_html,
    to_svg,
    topological_order,
)

N = much(200_000, 20_000)


def deep(kind, n=N):
    """One after the other, every second node used twice."""
    x = kind(1.0, "x")
    y = x
    for _ in range(n // 2):
        y = y * 1.0
        y = y + x
    return x, y, n // 2 + 1


def wide(kind, n=N):
    """A binary tree of sums over n / 2 uses of one leaf."""
    x = kind(1.0, "x")
    row = [x] * (n // 2)
    while len(row) > 1:
        odd = row[-1:] if len(row) % 2 else []
        row = [a + b for a, b in zip(row[::2], row[1::2], strict=False)] + odd
    return x, row[0], n // 2


def ladder(kind, n=N):
    """Every node is used twice by the next: 2 to the power of n / 2 paths."""
    x = kind(1.0, "x")
    y = x
    for _ in range(n // 2):
        y = y + y
        y = y * 0.5
    return x, y, 1.0


def nodes_alive():
    return sum(type(x) in (Value, Tensor) for x in gc.get_objects())


@pytest.fixture
def collector_off():
    gc.collect()
    with collector_paused():
        yield
    gc.collect()


@pytest.mark.untraced
@pytest.mark.parametrize("kind", [Value, Tensor])
@pytest.mark.parametrize("build", [deep, wide, ladder])
def test_a_large_graph_is_differentiated_and_freed_at_once(build, kind, collector_off):
    before = nodes_alive()
    x, root, slope = build(kind)
    root.backward()
    assert float(x.grad) == slope
    assert nodes_alive() > before + N // 2 - 10
    assert len(repr(root)) < 100
    assert len({root: hash(root)}) == 1
    del x, root
    assert nodes_alive() == before


@pytest.mark.untraced
def test_a_deep_graph_is_freed_in_a_thread_with_a_small_stack(collector_off):
    before, old = nodes_alive(), threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: deep(Value)[1].backward())
        thread.start()
    finally:
        threading.stack_size(old)
    thread.join()
    assert nodes_alive() == before


@pytest.mark.untraced
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"]
)
def test_a_large_graph_is_copied_and_its_copy_freed(copied, collector_off):
    _, root, slope = deep(Value, N // 4)
    before = nodes_alive()
    twin = copied(root)
    twin.backward()
    (x,) = (node for node in topological_order(twin) if node.label)
    assert (x.grad, root.grad) == (slope, 0.0)
    del twin, x
    assert nodes_alive() == before


@pytest.mark.untraced
def test_gradients_of_a_deep_graph_are_a_graph_that_is_freed_too(collector_off):
    before = nodes_alive()
    x, root, _ = deep(Value, 20_000)
    (slope,) = gradients(root, x)
    assert slope.data == 10_001.0
    del x, root, slope
    assert nodes_alive() == before


def test_arrays_are_freed_with_the_last_node_that_needs_them(collector_off):
    x = Tensor(np.ones(1000))
    y, arrays = x, []
    for _ in range(1000):
        y = y.tanh()
        arrays.append(weakref.ref(y.data))
    y.sum().backward()
    assert all(ref() is not None for ref in arrays)
    y = None
    assert not any(ref() is not None for ref in arrays)


@pytest.mark.untraced
def test_without_recording_a_long_loop_keeps_nothing(collector_off):
    before = nodes_alive()
    with no_grad():
        y = Value(1.0)
        for _ in range(N):
            y = y * 1.0
    assert nodes_alive() <= before + 1
    assert topological_order(y) == [y]


def with_shared_leaves(n):
    """A chain of n operations, each with one of three leaves."""
    leaves, y = [Value(1.0 + i / 10, f"w{i}") for i in range(3)], Value(1.0, "x")
    for i in range(n):
        y = y * leaves[i % 3] if i % 2 else y + leaves[i % 3]
    y.backward()
    return y


@pytest.mark.untraced
def test_a_picture_and_a_page_grow_with_the_graph_and_not_with_its_square():
    small, large = with_shared_leaves(250), with_shared_leaves(1000)
    assert len(to_svg(large)) < 1_500_000
    assert len(to_svg(large)) < 4.2 * len(to_svg(small))
    rest = len(to_html(Value(1.0, "x") * 2.0))  # the code of the page
    assert len(to_html(large)) - rest < 4.2 * (len(to_html(small)) - rest)
