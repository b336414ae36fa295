"""Copying and pickling of nodes, for graphs of any depth.

Python's deepcopy and pickle follow operands by recursion and give up some hundred nodes down. Here
a node hands over its whole graph in topological order, so that every operand is known before it
is met. Pullbacks are closures, which cannot be pickled: they are made again by running the rule. A
deepcopy copies them with the arrays that they hold, so that it shares nothing with the original.

Unpickle only what comes from a source that you trust: a pickle can run any code. Files of `save`
are the safe way to hand on a model; `load` runs nothing.
"""

from __future__ import annotations

import copy
import operator
import threading
import weakref
from functools import partial
from types import CellType, FunctionType
from typing import Any, Self

from tinygrad_edu.engine.errors import described
from tinygrad_edu.engine.graph import (
    Node,
    check_unchanged,
    leaves_and_inner,
    new_node,
    topological_order,
)
from tinygrad_edu.engine.observers import was_compared
from tinygrad_edu.rules.constants import quiet
from tinygrad_edu.rules.rule import RULES, bind, name_of, settings_of

_thread = threading.local()


class Portable(Node):
    """A node that survives deepcopy and pickle, with everything it was made from.

    Leaves that several graphs share stay shared. `grad` and `label` come along, and whether it
    was compared. A pickle from others can run any code: load it only if you trust its source.
    """

    __slots__ = ()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        leaves, inner = leaves_and_inner(self)
        for node in leaves:
            if id(node) not in memo:
                memo[id(node)] = _filled(node, (), _own(node._data, memo), None)
        for node in inner:
            if id(node) not in memo:
                operands = tuple([_own(x, memo) for x in node.operands])
                data, pullback = _own(node._data, memo), _own(node.pullback, memo)
                memo[id(node)] = _filled(node, operands, data, pullback)
        found: Self = memo[id(self)]
        return found

    def __copy__(self) -> Self:
        raise TypeError("a node is copied with all that it was made from: use copy.deepcopy")

    def __reduce__(self) -> tuple[Any, ...]:
        groups = () if self.group is None else self.group.chain()  # the outermost first
        state = (self._data, self._grad, self._label, was_compared(self), *groups)
        if self.rule is None:
            return _restore, (type(self), state)
        again = run_again(self.rule, self.operands)[0]
        check_unchanged(self, again, f"pickling {described(self)} = {name_of(self.rule)}(...): ")
        ancestors = None
        if not _in_order():
            ancestors = [_InOrder(True), *topological_order(self)[:-1], _InOrder(False)]
        made_by = (name_of(self.rule), settings_of(self.rule), self.operands)
        return _restore, (type(self), state, ancestors, *made_by)


class _InOrder:
    """A mark in a pickled list of ancestors: between two of them nodes bring no ancestors."""

    def __init__(self, begins: bool) -> None:
        self.begins = begins

    def __reduce__(self) -> tuple[Any, ...]:
        # known by a weak reference, which dies with a pickling that fails between the marks
        _thread.mark = weakref.ref(self) if self.begins else None
        return _InOrder, (self.begins,)


def _in_order() -> bool:
    mark = getattr(_thread, "mark", None)
    return mark is not None and mark() is not None


def run_again(rule: Any, operands: tuple[Any, ...]) -> Any:
    """Run a rule again on the data of its operands; NumPy has warned the first time."""
    with quiet():
        return rule(*(x._data if isinstance(x, Node) else x for x in operands))


def _own(held: Any, memo: dict[int, Any]) -> Any:
    """A copy of what a pullback holds: arrays, in lists and functions too; the rest is shared.

    What holds no array is given back as it is.
    """
    kind = type(held)
    if kind is float:
        return held
    found = memo.get(id(held))
    if found is not None:
        return found
    if hasattr(held, "__array_interface__"):
        return copy.deepcopy(held, memo)
    if kind is FunctionType:
        return _own_function(held, memo)
    if kind is partial:
        parts = (held.func, held.args, held.keywords)
        copies = [_own(part, memo) for part in parts]
        if any(map(operator.is_not, copies, parts)):
            return partial(copies[0], *copies[1], **copies[2])
        return held
    if kind is tuple or kind is list:
        copies = [_own(x, memo) for x in held]
        return kind(copies) if any(map(operator.is_not, copies, held)) else held
    if kind is dict:
        copies = [_own(x, memo) for x in held.values()]
        changed = any(map(operator.is_not, copies, held.values()))
        return dict(zip(held, copies, strict=True)) if changed else held
    return held


def _own_function(function: FunctionType, memo: dict[int, Any]) -> FunctionType:
    """A function with copies of the arrays among its defaults and captured variables."""
    numbers_only = {float}.issuperset(map(type, function.__defaults__ or ()))
    if numbers_only and not function.__closure__ and not function.__kwdefaults__:
        return function  # Values have many of these
    memo[id(function)] = function  # for one that refers to itself
    cells = function.__closure__ or ()
    captured = [cell.cell_contents for cell in cells]
    parts = [function.__defaults__, function.__kwdefaults__, *captured]
    defaults, keywords, *own = copies = [_own(part, memo) for part in parts]
    if not any(map(operator.is_not, copies, parts)):
        return function
    code, names, closure = function.__code__, function.__globals__, tuple(map(CellType, own))
    twin = FunctionType(code, names, function.__name__, defaults, closure or None)
    twin.__kwdefaults__ = keywords
    memo[id(function)] = twin
    return twin


def _filled(like: Any, operands: tuple[Any, ...], data: Any, pullback: Any) -> Any:
    node = new_node(type(like))
    node._data, node._grad, node._label = data, copy.copy(like._grad), like._label
    node.rule = like.rule
    node.operands, node.pullback = operands, pullback
    if was_compared(like):
        node._compared = True
    if like.group is not None:
        node._group = like.group
    return node


def _restore(
    kind: type[Any],
    state: tuple[Any, ...],
    ancestors: Any = None,
    rule_name: str | None = None,
    settings: dict[str, Any] | None = None,
    operands: tuple[Any, ...] = (),
) -> Any:
    """Make a node again; `ancestors` came first in the pickle only to be known by now."""
    node = new_node(kind)
    node._data, node._grad, node._label, compared, *groups = state
    node.operands, node.rule, node.pullback = operands, None, None
    if compared:
        node._compared = True
    if groups:
        node._group = groups[-1]
    if rule_name is not None:
        if rule_name not in RULES:
            raise ValueError(
                f"unpickling: there is no rule {rule_name!r}; import the module that declares it"
            )
        node.rule = bind(RULES[rule_name], settings or {})
        node.pullback = run_again(node.rule, operands)[1]
    return node
