"""Blocks that say something about every node made inside them: `no_grad`, `group`, `data_locked`,
`watched`.

Operations ask for them only while `open_blocks` is not 0, so outside of blocks they cost nothing.
Blocks enter and leave so that an interrupt (Ctrl-C) on the way leaves nothing behind: what a thread
sees is set last on entering, when nothing can fail any more, and put back first on leaving.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import ContextDecorator, contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

open_blocks = 0
"""How many blocks are open, counting those of all threads."""

_mutex = threading.RLock()
_open: set[int] = set()


def _opened(block: object) -> None:
    """Count a block as open; undone if interrupted."""
    global open_blocks
    try:
        with _mutex:
            _open.add(id(block))
            open_blocks = len(_open)
    except BaseException:
        _closed(block)
        raise


def _closed(block: object) -> None:
    """Count a block as open no longer, even if interrupted; it may be so already."""
    global open_blocks
    try:
        with _mutex:
            _open.discard(id(block))
            open_blocks = len(_open)
    except BaseException:
        _open.discard(id(block))
        open_blocks = len(_open)
        raise


@dataclass(frozen=True, eq=False, slots=True)
class Group:
    """What one entry of a `with group(...)` block made; `outer` is the group around it, or None."""

    name: str
    outer: Group | None = field(default=None, repr=False)

    def chain(self) -> tuple[Group, ...]:
        """This group and all around it, the outermost first."""
        found = [self]
        while found[-1].outer is not None:
            found.append(found[-1].outer)
        return tuple(reversed(found))


@dataclass(frozen=True, eq=False, slots=True)
class _Block:
    """One entry of a block; `outer` is the one of its kind around it, or None."""

    outer: _Block | None


class _Thread(threading.local):
    """What is open in this thread."""

    no_grad: _Block | None = None
    group: Group | None = None
    lock: _Lock | None = None
    watch: Watch | None = None
    in_rules: list[str] | None = None


_thread = _Thread()


def note(node: Any) -> None:
    """Do to a node that was just made what the open blocks of this thread ask for."""
    if _thread.no_grad is not None:
        node.operands = ()
        node.rule = None
        node.pullback = None
    elif _thread.lock is not None and node.operands:
        _thread.lock.take(node)
    if _thread.group is not None:
        node._group = _thread.group
    if _thread.watch is not None:
        _thread.watch.made.add(node)


@dataclass
class Watch:
    """What a `watched` block saw: the nodes that were made, and every comparison of nodes, as the
    name of the comparison, its operands and what came out."""

    made: set[Any] = field(default_factory=set)
    comparisons: list[tuple[str, tuple[Any, Any], Any]] = field(default_factory=list)


def note_comparison(name: str, x: Any, y: Any, result: Any) -> None:
    """Remember that nodes were compared: what a program does next may depend on it.

    Every node that they depend on is marked, so that a replay of a graph can tell that a branch may
    have been taken. A walk ends at marked nodes: in all it takes no longer than making the graph.
    """
    if _thread.watch is not None:
        _thread.watch.comparisons.append((name, (x, y), result))
    if _thread.in_rules is not None:
        _thread.in_rules.append(name)
        return
    waiting = [node for node in (x, y) if hasattr(node, "operands")]
    while waiting:
        node = waiting.pop()
        if not was_compared(node):
            node._compared = True
            waiting.extend(x for x in node.operands if hasattr(x, "operands"))


@contextmanager
def rules_run() -> Iterator[list[str]]:
    """Inside, rules are run on nodes: what they compare is noted in the list that the block gives,
    and marks no node, since it decides about the results of the rules only."""
    compared: list[str] = []
    before, _thread.in_rules = _thread.in_rules, compared
    try:
        yield compared
    finally:
        _thread.in_rules = before


def in_rules() -> bool:
    """Whether this thread is running rules on nodes."""
    return _thread.in_rules is not None


def was_compared(node: Any) -> bool:
    """Whether this node, or one that depends on it, was compared with `<`, `>`, `<=` or `>=`."""
    return hasattr(node, "_compared")


@contextmanager
def watched() -> Iterator[Watch]:
    """Inside, nodes and comparisons of this thread are noted in the Watch that the block gives."""
    before, watch = _thread.watch, Watch()
    _opened(watch)
    _thread.watch = watch
    try:
        yield watch
    finally:
        _thread.watch = before
        _closed(watch)


class no_grad(ContextDecorator):
    """`with no_grad():` operations of this thread give leaves: nothing is recorded."""

    def __enter__(self) -> None:
        entered = _Block(_thread.no_grad)
        _opened(entered)
        _thread.no_grad = entered

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        left = _thread.no_grad
        if left is not None:
            _thread.no_grad = left.outer
            try:
                _closed(left)
            except BaseException:  # interrupted
                _closed(left)
                raise


class group(ContextDecorator):
    """`with group("layer1"):` pictures show the nodes made inside as a module that folds.

    Leaves made inside belong to it too. Blocks nest, also as a decorator: each call of a function
    decorated with `@group("neuron")` is a group of its own. TypeError unless the name is a string.
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f'group: expected a name, as in group("layer1"), got {name!r}')
        self.name = name

    def __enter__(self) -> Group:
        entered = Group(self.name, _thread.group)
        _opened(entered)
        _thread.group = entered
        return entered

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        left = _thread.group
        if left is not None:
            _thread.group = left.outer
            try:
                _closed(left)
            except BaseException:  # interrupted
                _closed(left)
                raise


class data_locked(ContextDecorator):
    """`with data_locked():` what operations use cannot be edited in place until the block ends.

    A graph reads the arrays of its nodes and does not copy them, so an edit such as `x.data[0] = 5`
    between a forward pass and its backward pass gives the gradient of no function. Inside the
    block NumPy refuses it, with a ValueError at the line that makes it. New arrays may be assigned
    (`x.data = ...`), as optimizers do. Only operations that this thread records count; what
    they use is locked for all threads. Blocks nest; the
    outermost unlocks.
    """

    def __enter__(self) -> None:
        entered = _Lock(_thread.lock)
        _opened(entered)
        _thread.lock = entered

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        left = _thread.lock
        if left is not None:
            _thread.lock = left.outer
            try:
                left.release()
                _closed(left)
            except BaseException:  # interrupted: once more, from the start
                left.release()
                _closed(left)
                raise


class _Lock:
    """One entry of a `data_locked` block, and the arrays that it locks.

    They are known weakly, so that a block around a whole training keeps no step alive.
    """

    def __init__(self, outer: _Lock | None) -> None:
        self.outer = outer
        self.arrays: WeakValueDictionary[int, Any] = WeakValueDictionary()

    def take(self, node: Any) -> None:
        """Lock the arrays of a node that was just recorded and of its operands."""
        used = [x.data for x in node.operands if hasattr(x, "operands")]
        for array in used:
            self._take(array, ())
        self._take(node.data, used)

    def _take(self, array: Any, used: Iterable[Any]) -> None:
        """Lock an array that can be written to, or could be if what it is a view of were not
        locked; others stay as they are, among them repeated rows, which are never to be written."""
        if type(array) is not np.ndarray or id(array) in self.arrays:
            return
        with _mutex:
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

    def release(self) -> None:
        """Unlock what no other block locks, in the order of locking: views come last."""
        if self.outer is not None:  # it was used inside of the outer block too
            self.outer.arrays.update(self.arrays)
        for key, array in list(self.arrays.items()):
            with _mutex:
                _, holders = _holders.get(key, (None, None))
                if holders is None:
                    continue
                if self.outer is not None:
                    holders.add(id(self.outer))
                holders.discard(id(self))
                if not holders:
                    with suppress(ValueError):  # a view of what another thread still locks
                        array.flags.writeable = True
                    _holders.pop(key, None)


_holders: dict[int, tuple[weakref.ref[Any], set[int]]] = {}
"""For the id of a locked array, the blocks that lock it, by theirs; gone when the array is."""


@contextmanager
def outside_of_blocks() -> Iterator[None]:
    """Inside, this thread is in no block: operations are recorded, and in no group."""
    before = _thread.no_grad, _thread.group
    _thread.no_grad, _thread.group = None, None
    try:
        yield
    finally:
        _thread.no_grad, _thread.group = before
