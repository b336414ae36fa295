"""Arrays that cannot be edited while a graph needs them: `data_locked`."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from tinygrad_edu.engine.contexts import in_no_grad
from tinygrad_edu.engine.observers import Block, Observer, mutex


class Lock(Observer):
    """One entry of a `data_locked` block, and the arrays that it locks.

    They are known weakly, so that a block around a whole training keeps no step alive.
    """

    def __init__(self) -> None:
        self.arrays: WeakValueDictionary[int, Any] = WeakValueDictionary()

    def made(self, node: Any) -> None:
        """Lock the arrays of a node that was just recorded and of its operands."""
        if not node.operands or in_no_grad():
            return
        used = [x.data for x in node.operands if hasattr(x, "operands")]
        for array in used:
            self._take(array, ())
        self._take(node.data, used)

    def _take(self, array: Any, used: Iterable[Any]) -> None:
        """Lock an array that can be written to, or could be if what it is a view of were not
        locked; others stay as they are, among them repeated rows, which are never to be written."""
        if type(array) is not np.ndarray or id(array) in self.arrays:
            return
        with mutex:
            _, holders = _holders.get(id(array), (None, None))
            if holders is None:
                views_a_lock = 0 not in array.strides and any(
                    id(x) in _holders and np.may_share_memory(x, array) for x in used
                )
                if not (array.flags.writeable or views_a_lock):
                    return
                key, holders = id(array), set()
                self.arrays[key] = array  # first, so that an interrupt leaves nothing locked
                freed = weakref.ref(array, lambda _: _holders.pop(key, None))
                _holders[key] = freed, holders
            self.arrays[id(array)] = array
            holders.add(id(self))
            array.flags.writeable = False

    def ended(self) -> None:
        """Unlock what no other block locks, in the order of locking: views come last."""
        for key, array in list(self.arrays.items()):
            with mutex:
                _, holders = _holders.get(key, (None, None))
                if holders is None:
                    continue
                holders.discard(id(self))
                if not holders:
                    with suppress(ValueError):  # a view of what another thread still locks
                        array.flags.writeable = True
                    _holders.pop(key, None)


_holders: dict[int, tuple[weakref.ref[Any], set[int]]] = {}
"""For the id of a locked array, the blocks that lock it, by theirs; gone when the array is."""


class data_locked(Block):
    """`with data_locked():` what operations use cannot be edited in place until the block ends.

    A graph reads the arrays of its nodes and does not copy them, so an edit such as `x.data[0] = 5`
    between a forward pass and its backward pass gives the gradient of no function. Inside the
    block NumPy refuses it, with a ValueError at the line that makes it. New arrays may be assigned
    (`x.data = ...`), as optimizers do. Only operations that this thread records count; what
    they use is locked for all threads. Blocks nest; the outermost unlocks.
    """

    kind = Lock
