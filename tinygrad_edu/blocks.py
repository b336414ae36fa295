"""Blocks that say something about every node made inside them: `no_grad`, `group`, `watched`.

Operations ask for them only while `open_blocks` is not 0, so outside of blocks they cost nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ContextDecorator, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

open_blocks = 0
"""How many blocks are open, counting those of all threads."""

_lock = threading.Lock()


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


class _Thread(threading.local):
    """What is open in this thread."""

    no_grad_blocks = 0
    group: Group | None = None
    watch: Watch | None = None
    in_rules: list[str] | None = None


_thread = _Thread()


def note(node: Any) -> None:
    """Do to a node that was just made what the open blocks of this thread ask for."""
    if _thread.no_grad_blocks:
        node.operands = ()
        node.rule = None
        node.pullback = None
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
    global open_blocks
    before, watch = _thread.watch, Watch()
    with _lock:
        open_blocks += 1
    _thread.watch = watch
    try:
        yield watch
    finally:
        with _lock:
            open_blocks -= 1
        _thread.watch = before


class no_grad(ContextDecorator):
    """`with no_grad():` operations of this thread give leaves: nothing is recorded."""

    def __enter__(self) -> None:
        self._change(1)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._change(-1)

    def _change(self, by: int) -> None:
        global open_blocks
        with _lock:
            open_blocks += by
            _thread.no_grad_blocks += by


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
        self._change(1, entered)
        return entered

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        left = _thread.group
        self._change(-1, None if left is None else left.outer)

    def _change(self, by: int, innermost: Group | None) -> None:
        global open_blocks
        with _lock:
            open_blocks += by
            _thread.group = innermost


@contextmanager
def outside_of_blocks() -> Iterator[None]:
    """Inside, this thread is in no block: operations are recorded, and in no group."""
    before = _thread.no_grad_blocks, _thread.group
    _thread.no_grad_blocks, _thread.group = 0, None
    try:
        yield
    finally:
        _thread.no_grad_blocks, _thread.group = before
