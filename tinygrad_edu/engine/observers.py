"""Observers: who is told of every new node and of every comparison, while a block is open.

Operations tell them only while `active` is not 0, so outside blocks this costs nothing. An observer
is told of what happens in its thread, or in its asyncio task and those started inside, until its
block ends. Blocks enter and leave so that an interrupt (Ctrl-C) on the way leaves nothing behind:
what a thread sees is set last on entering, when nothing can fail any more, and put back first on
leaving.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
K = TypeVar("K", bound="Observer")

active = 0
"""How many observers there are, in all threads."""

mutex = threading.RLock()
_open: set[int] = set()


class Observer:
    """One entry of a block."""

    __slots__ = ()

    def made(self, node: Any) -> None:
        """A node was made."""

    def compared(self, name: str, x: Any, y: Any, result: Any) -> bool:
        """Nodes were compared; True if nothing outside the block depends on what came out."""
        return False

    def ended(self) -> None:
        """The block is over; called once more if that was interrupted."""


_observers: ContextVar[tuple[Observer, ...]] = ContextVar("observers", default=())


def note(node: Any) -> None:
    """Tell of a node that was just made: the innermost block first."""
    for observer in open_observers():
        observer.made(node)


def open_observers() -> tuple[Observer, ...]:
    """The observers of this thread, the innermost first. A task may outlive the block that it was
    started in, which then counts no more."""
    return tuple([x for x in _observers.get() if id(x) in _open])


def innermost(kind: type[K]) -> K | None:
    """The innermost observer of a kind in this thread."""
    if not active:
        return None
    found = [x for x in open_observers() if isinstance(x, kind)]
    return found[0] if found else None


def note_comparison(name: str, x: Any, y: Any, result: Any) -> None:
    """Tell of a comparison of nodes: what a program does next may depend on it.

    Every node that they depend on is marked, so that a replay of a graph can tell that a branch may
    have been taken. A walk ends at marked nodes: in all it takes no longer than making the graph.
    """
    if active:
        told = [observer.compared(name, x, y, result) for observer in open_observers()]
        if any(told):
            return
    waiting = [node for node in (x, y) if hasattr(node, "operands")]
    while waiting:
        node = waiting.pop()
        if not was_compared(node):
            node._compared = True
            waiting.extend(x for x in node.operands if hasattr(x, "operands"))


def was_compared(node: Any) -> bool:
    """Whether this node, or one that depends on it, was compared with `<`, `>`, `<=` or `>=`."""
    return hasattr(node, "_compared")


class Decorator(ContextDecorator):
    """A block that also decorates functions: those that run from their call to their return."""

    def __init__(self, *arguments: Any) -> None:
        if arguments:
            name = type(self).__name__
            raise TypeError(f"{name}: it takes no arguments; write @{name}() or with {name}():")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __call__(self, function: F) -> F:
        """TypeError for a generator or an async function, which runs after its call is over."""
        import inspect  # which takes longer than all of the ground storey

        kinds = (inspect.isgeneratorfunction, inspect.iscoroutinefunction,
                 inspect.isasyncgenfunction)  # fmt: skip
        if any(kind(function) for kind in kinds):
            name = type(self).__name__
            raise TypeError(
                f"{name}: {getattr(function, '__name__', function)} is a generator or an async "
                f"function, which runs after its call is over; write with {name}(...): around the "
                "lines between two yields or awaits"
            )
        return super().__call__(function)


class Block(Decorator):
    """A block with an observer, which `with` gives."""

    kind: type[Observer]

    def _observer(self) -> Observer:
        """Who is told from now on."""
        return self.kind()

    def __enter__(self) -> Any:
        before, entered = _observers.get(), self._observer()
        try:
            _change(_open.add, entered)
            _observers.set((entered, *before))
        except BaseException:  # interrupted
            _observers.set(before)
            _change(_open.discard, entered)
            raise
        return entered

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        left: list[Observer] = []
        try:
            left = self._own()
            self._leave(left)
        except BaseException:  # interrupted: once more, from the start
            self._leave(left or self._own())
            raise

    def _own(self) -> list[Observer]:
        """The innermost observer of the kind, if there is one. No generator: it would keep an
        interrupt to itself."""
        return [x for x in _observers.get() if isinstance(x, self.kind)][:1]

    def _leave(self, left: list[Observer]) -> None:
        """End a block; a second time changes nothing."""
        for observer in left:
            _observers.set(tuple([x for x in _observers.get() if x is not observer]))
            observer.ended()
            _change(_open.discard, observer)


def _change(change: Callable[[int], None], observer: Observer) -> None:
    """Open or close an observer; it may be so already."""
    global active
    with mutex:
        change(id(observer))
        active = len(_open)


class outside_of(Decorator):
    """Inside, the observers of these kinds are not told, as if their blocks were not there."""

    def __init__(self, *kinds: type[Observer]) -> None:
        self.kinds = kinds
        self._before: list[tuple[Observer, ...]] = []

    def __enter__(self) -> None:
        self._before.append(_observers.get())
        _observers.set(tuple(x for x in self._before[-1] if not isinstance(x, self.kinds)))

    def __exit__(self, *error: object) -> None:
        _observers.set(self._before.pop())
