"""Python's cyclic collector, which has nothing to find in a graph: graphs are freed by counting.

It looks at young objects each time that 700 more were made than freed. It walks a graph of numbers,
with up to four objects a node, while the graph is recorded, and then all of it again: half of the
time of a training step. So young nodes are passed over here. Nothing of the collector's settings
changes, before, during or after.
"""

from __future__ import annotations

import _thread
import gc
import sysconfig
from itertools import chain, islice
from types import TracebackType
from typing import Any

from tinygrad_edu.engine.observers import Decorator
from tinygrad_edu.engine.value import Value

PASSED_OVER = 10_000_000
"""After so many objects the collector is let through, until it has looked at everything once."""

FROZEN = 1000
"""Python 3.12 starts with a few hundred objects frozen; whoever calls `gc.freeze` has thousands."""

EVERY = 13
"""One young object of so many is looked at."""

_passed_over = 0


def _pass_over_nodes(phase: str, info: dict[str, int]) -> None:
    """Called by the collector at its start and end. Where a good part of what is young is nodes,
    all of it counts as old from now on: frozen and thawed, which looks at none of it."""
    global _passed_over
    try:
        if info["generation"] == 2:
            _passed_over = 0
        elif phase == "start" and _passed_over < PASSED_OVER:
            # all in one call that runs no bytecode: no other thread gets its turn while young
            # objects, such as its tuple that is still being filled, are referred to from here
            young = chain.from_iterable(map(gc.get_objects, (0,)))
            some = list(map(type, islice(young, 0, None, EVERY)))
            if 5 * some.count(Value) <= len(some):
                return
            if gc.get_freeze_count() > FROZEN:  # somebody's, who would not have them thawed
                _passed_over = PASSED_OVER
                return
            gc.freeze()
            gc.unfreeze()
            _passed_over += EVERY * len(some)
    except KeyboardInterrupt:  # Python drops what is raised here, and Ctrl-C would do nothing
        _thread.start_new_thread(_thread.interrupt_main, ())


if not sysconfig.get_config_var("Py_GIL_DISABLED"):  # there, the collector has no young objects
    gc.callbacks.append(_pass_over_nodes)


class collector_paused(Decorator):
    """`with collector_paused():` Python's cyclic collector rests.

    Safe around training loops, because graphs have no cycles and are freed by reference counts;
    on the moons MLP, where every scalar is a node, a step takes half the time.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._before: list[bool] = []  # for each entry: a decorated function may call itself

    def __enter__(self) -> None:
        self._before.append(gc.isenabled())
        try:
            gc.disable()
        except BaseException:  # an interrupt
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        before = self._before[-1]
        try:
            if before:
                gc.enable()
        finally:
            self._before.pop()
