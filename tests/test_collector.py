"""Python's cyclic collector: young nodes are passed over, and nothing else of it changes."""

import gc
import signal
import time
import weakref

import pytest

from tinygrad_edu import Value, topological_order
from tinygrad_edu.engine import collector


@pytest.fixture(autouse=True)
def running():
    """The collector as Python starts with it."""
    before, enabled = gc.get_threshold(), gc.isenabled()
    gc.collect()
    gc.enable()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)
    (gc.enable if enabled else gc.disable)()


class Cycle:
    def __init__(self):
        self.itself = self


def recorded(terms=3000):
    x = total = Value(0.5)
    for _ in range(terms):
        total = total + x * 0.25
    return total


def test_a_large_graph_is_old_without_having_been_looked_at():
    looks = [generation["collections"] for generation in gc.get_stats()]
    total = recorded()
    old = {id(x) for x in gc.get_objects(generation=2)}
    assert gc.get_stats()[2]["collections"] == looks[2]
    graph = topological_order(total)
    assert sum(id(node) in old for node in graph) > len(graph) - 700


def test_the_settings_of_the_collector_are_never_touched():
    gc.set_threshold(500, 7, 9)
    total = recorded()
    assert gc.get_threshold() == (500, 7, 9)
    total.backward()
    assert gc.isenabled()
    assert gc.get_threshold() == (500, 7, 9)
    gc.disable()
    recorded().backward()
    assert not gc.isenabled()


def test_cycles_made_beside_graphs_are_collected_in_the_end(monkeypatch):
    monkeypatch.setattr(collector, "PASSED_OVER", 20_000)
    cycles = []
    for _ in range(120):
        total = recorded(800)
        cycles.append(weakref.ref(Cycle()))
        assert total.data == 100.5
    assert sum(cycle() is not None for cycle in cycles) < 60


def test_what_a_program_froze_stays_frozen():
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        recorded()
        assert gc.get_freeze_count() == pytest.approx(frozen, rel=0.01)
    finally:
        gc.unfreeze()


def test_an_interrupt_inside_the_collector_is_not_lost(monkeypatch):
    def interrupted(*_):
        monkeypatch.undo()
        raise KeyboardInterrupt

    def collect_and_wait():
        gc.collect(0)
        for _ in range(1000):
            time.sleep(0.01)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # pytest-xdist ignores it
    try:
        monkeypatch.setattr(gc, "get_objects", interrupted)
        with pytest.raises(KeyboardInterrupt):
            collect_and_wait()
    finally:
        signal.signal(signal.SIGINT, before)
