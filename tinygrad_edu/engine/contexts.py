"""Blocks that say something about every node made inside them: `no_grad`, `group`, `data_locked`,
`watched`.

Operations ask for them only while `open_blocks` is not 0, so outside of blocks they cost nothing.
A block holds in its thread, or in its asyncio task and those started inside, until it ends. Blocks
enter and leave so that an interrupt (Ctrl-C) on the way leaves nothing behind: what a thread sees
is set last on entering, when nothing can fail any more, and put back first on leaving.
"""

from __future__ import annotations

import inspect
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import ContextDecorator, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

import numpy as np

open_blocks = 0
"""How many blocks are open, counting those of all threads."""

F = TypeVar("F", bound=Callable[..., Any])

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

    def release(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, eq=False, slots=True)
class _Block:
    """One entry of a block; `outer` is the one of its kind around it, or None."""

    outer: _Block | None

    def release(self) -> None:
        """Nothing is held."""


class _Innermost(NamedTuple):
    """The innermost block of each kind in this thread or task."""

    no_grad: _Block | None = None
    group: Group | None = None
    lock: _Lock | None = None
    watch: Watch | None = None
    in_rules: list[str] | None = None


_NO_BLOCKS = _Innermost()
_innermost: ContextVar[_Innermost] = ContextVar("innermost blocks", default=_NO_BLOCKS)


def _set(**blocks: Any) -> None:
    _innermost.set(_innermost.get()._replace(**blocks))


def _still_open(block: Any) -> Any:
    """The block, or the first around it, that has not ended: a task may outlive the block that it
    was started in."""
    while block is not None and id(block) not in _open:
        block = block.outer
    return block


def _gives_nothing(g: Any) -> tuple[Any, ...]:
    """The pullback of a result that was not recorded: it has no operands."""
    return ()


def note(node: Any) -> None:
    """Do to a node that was just made what the open blocks of this thread ask for."""
    no_grad, group, lock, watch, _ = _innermost.get()
    if no_grad is not None and _still_open(no_grad):
        if node.operands:
            node.pullback = _gives_nothing  # so that it is known from a leaf of the user's
        node.operands = ()
        node.rule = None
    elif lock is not None and node.operands and (lock := _still_open(lock)):
        lock.take(node)
    if group is not None and (group := _still_open(group)):
        node._group = group
    if watch is not None:
        watch.made.add(node)


def in_no_grad() -> bool:
    """Whether this thread is inside a `no_grad` block."""
    return open_blocks > 0 and _still_open(_innermost.get().no_grad) is not None


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
    _, _, _, watch, in_rules = _innermost.get()
    if watch is not None:
        watch.comparisons.append((name, (x, y), result))
    if in_rules is not None:
        in_rules.append(name)
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
    before = _innermost.get().in_rules
    _set(in_rules=compared)
    try:
        yield compared
    finally:
        _set(in_rules=before)


def in_rules() -> bool:
    """Whether this thread is running rules on nodes."""
    return _innermost.get().in_rules is not None


def was_compared(node: Any) -> bool:
    """Whether this node, or one that depends on it, was compared with `<`, `>`, `<=` or `>=`."""
    return hasattr(node, "_compared")


@contextmanager
def watched() -> Iterator[Watch]:
    """Inside, nodes and comparisons of this thread are noted in the Watch that the block gives."""
    before, watch = _innermost.get().watch, Watch()
    _opened(watch)
    _set(watch=watch)
    try:
        yield watch
    finally:
        _set(watch=before)
        _closed(watch)


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


class _Context(Decorator):
    """A block of one kind: what is innermost while it is open, and what happens when it ends."""

    kind: str

    def _begin(self, outer: Any) -> Any:
        """What is open from now on, inside `outer` of the same kind, or None."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        before = _innermost.get()
        entered = self._begin(_still_open(getattr(before, self.kind)))
        inside = before._replace(**{self.kind: entered})
        try:
            _opened(entered)
            _innermost.set(inside)
        except BaseException:  # interrupted
            _innermost.set(before)
            _closed(entered)
            raise
        return entered

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        left = None
        try:
            left = getattr(_innermost.get(), self.kind)
            self._leave(left)
        except BaseException:  # interrupted: once more, from the start
            self._leave(left or getattr(_innermost.get(), self.kind))
            raise

    def _leave(self, left: Any) -> None:
        """End a block; a second time changes nothing."""
        now = _innermost.get()
        if left is not None:
            if getattr(now, self.kind) is left:
                _innermost.set(now._replace(**{self.kind: left.outer}))
            left.release()
            _closed(left)


class no_grad(_Context):
    """`with no_grad():` operations of this thread give leaves: nothing is recorded.

    Inside, `p -= lr * p.grad` on a leaf changes its data, as in torch. In asyncio it holds for the
    task that entered it, and for those started inside.
    """

    kind = "no_grad"

    def _begin(self, outer: _Block | None) -> _Block:
        return _Block(outer)


class group(_Context):
    """`with group("layer1"):` pictures show the nodes made inside as a module that folds.

    Leaves made inside belong to it too. Blocks nest, also as a decorator: each call of a function
    decorated with `@group("neuron")` is a group of its own. TypeError unless the name is a string.
    """

    kind = "group"

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f'group: expected a name, as in group("layer1"), got {name!r}')
        self.name = name

    def __repr__(self) -> str:
        return f"group({self.name!r})"

    def _begin(self, outer: Group | None) -> Group:
        return Group(self.name, outer)


class data_locked(_Context):
    """`with data_locked():` what operations use cannot be edited in place until the block ends.

    A graph reads the arrays of its nodes and does not copy them, so an edit such as `x.data[0] = 5`
    between a forward pass and its backward pass gives the gradient of no function. Inside the
    block NumPy refuses it, with a ValueError at the line that makes it. New arrays may be assigned
    (`x.data = ...`), as optimizers do. Only operations that this thread records count; what
    they use is locked for all threads. Blocks nest; the outermost unlocks.
    """

    kind = "lock"

    def _begin(self, outer: _Lock | None) -> _Lock:
        return _Lock(outer)


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
    no_grad, group, *_ = _innermost.get()
    _set(no_grad=None, group=None)
    try:
        yield
    finally:
        _set(no_grad=no_grad, group=group)
