"""What the functions of a layer can reach: the objects, arrays and random generators that they
hold, take from functions around them, from their module or from their class."""

from __future__ import annotations

import enum
import functools
import inspect
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import BuiltinMethodType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from tinygrad_edu.check.kinds import is_foreign
from tinygrad_edu.check.layers.containers import (
    Attributes,
    Cells,
    ClassAttributes,
    Draws,
    Globals,
    Holder,
    container_of,
)
from tinygrad_edu.rules.operand_types import Array

ATOMS = (str, bytes, int, bool, complex, type(None), np.dtype, ModuleType)
GENERATORS = (random.Random, np.random.Generator, np.random.RandomState, np.random.BitGenerator)
OF_MODULES = ("_parameters", "_buffers", "_modules")
"""Where modules of torch keep what they show as attributes."""
HEAP_TYPE = 1 << 9
"""The flag of classes that are made while Python runs (Py_TPFLAGS_HEAPTYPE)."""
CHECKED_LIBRARIES = {"numpy", "torch", "jax", "jaxlib", "autograd"}
"""Libraries whose own objects are not looked into, also where one is handed in."""
PLAIN_OBJECTS = {"SimpleNamespace", "Namespace", "UserDict", "UserList"}
"""Classes of the standard library whose objects hold what people put there, as modules of torch do
too."""


@dataclass(frozen=True, eq=False)
class LayerSlot:
    """A place that holds a number or an array. `path` is its dotted name, such as `params.W1`;
    `aside` says that it does not belong to the layer itself, as what a function finds by itself."""

    path: str
    container: Holder
    key: Any
    aside: bool

    def get(self) -> Any:
        return self.container.get(self.key)

    def set(self, x: Any) -> None:
        self.container.set(self.key, x)


def move_to(slots: Sequence[LayerSlot], numbers: Array) -> None:
    """Set a parameter: an array in place, for all who hold it; a number where it is held."""
    base = slots[0].get()
    if is_foreign(base):
        base.data[...] = base.new_tensor(numbers)
    elif isinstance(base, np.ndarray):
        base[...] = numbers
    else:
        for slot in slots:
            slot.set(float(numbers))


def is_real(x: Any) -> bool:
    """Whether x is a float, or an array of floats."""
    if isinstance(x, np.ndarray):
        return bool(x.dtype.kind == "f")
    return isinstance(x, float | np.floating) or (is_foreign(x) and x.dtype.is_floating_point)


def owners_of(*functions: Callable[..., Any]) -> list[Any]:
    """The objects that bound methods belong to, and objects that are called, each once."""
    owners: list[Any] = []
    for function in functions:
        owner = function if is_object(function) else getattr(function, "__self__", None)
        if is_object(owner) and not any(owner is other for other in owners):
            owners.append(owner)
    return owners


def is_object(x: Any) -> bool:
    """Whether x is an object of a class that somebody wrote, rather than a function, a class or an
    array."""
    if isinstance(x, type | ModuleType | FunctionType | MethodType | functools.partial | np.ufunc):
        return False
    if isinstance(x, np.ndarray) or is_foreign(x):
        return False
    return hasattr(x, "__dict__") or hasattr(type(x), "__slots__")


@dataclass(frozen=True)
class _Found:
    """Something that is to be looked into, and where it was found."""

    value: Any
    path: str
    aside: bool
    slot: LayerSlot | None = None


class Reached:
    """All that can be reached from some objects and functions."""

    def __init__(self, owners: Sequence[Any], functions: Sequence[Any]) -> None:
        self.containers: list[Holder] = []
        self.arrays: list[Any] = []
        self.draws: list[Draws] = [Draws(random), Draws(np.random)]
        self.draws += [Draws(torch) for torch in [sys.modules.get("torch.random")] if torch]
        self.slots: list[LayerSlot] = []
        self._seen: dict[int, Any] = {}
        given = {_root_module(type(x) if is_object(x) else x) for x in [*owners, *functions]}
        self._ours = given - CHECKED_LIBRARIES
        waiting = [_Found(x, "", False) for x in owners]
        waiting += [_Found(x, "", True) for x in functions]
        waiting.reverse()
        while waiting:
            waiting.extend(reversed(list(self._look_into(waiting.pop()))))

    def _look_into(self, found: _Found) -> Iterator[_Found]:
        x = found.value
        if is_real(x) and found.slot:
            self.slots.append(found.slot)
        if isinstance(x, (*ATOMS, float, np.generic, enum.Enum)) or id(x) in self._seen:
            return
        self._seen[id(x)] = x
        if isinstance(x, GENERATORS):
            self.draws.append(Draws(x))
        elif (isinstance(x, np.ndarray) and x.dtype.kind != "O") or is_foreign(x):
            self.arrays.append(x)
            if hasattr(x, "__dict__") and not is_foreign(x):
                yield from self._items(Attributes(x), found)
        elif isinstance(x, FunctionType):
            yield from self._of_function(x)
        elif isinstance(x, MethodType):
            yield _Found(x.__self__, found.path, found.aside)
            yield _Found(x.__func__, "", True)
        elif isinstance(x, BuiltinMethodType):
            yield _Found(x.__self__, found.path, found.aside)
        elif isinstance(x, functools.partial):
            yield _Found((x.func, x.args, x.keywords), found.path, True)
        elif isinstance(x, type):
            yield from self._of_class(x)
        else:
            yield from self._of_object(x, found)

    def _items(self, container: Holder, found: _Found) -> Iterator[_Found]:
        self.containers.append(container)
        for key, part in container.items().items():
            path = f"{found.path}.{key}" if found.path else str(key)
            if key in OF_MODULES:
                path = found.path
            slot = LayerSlot(path, container, key, found.aside)
            fixed = isinstance(container.target, tuple) and isinstance(part, float)
            yield _Found(part, path, found.aside, None if fixed else slot)

    def _of_object(self, x: Any, found: _Found) -> Iterator[_Found]:
        collection = container_of(x)
        if collection:
            yield from self._items(collection, found)
        kind = type(x)
        holds_ours = kind.__name__ in PLAIN_OBJECTS or hasattr(kind, "named_parameters")
        if self._is_library(kind) and not holds_ours:
            return
        if is_object(x):
            layer = hasattr(kind, "backward")  # a layer, wherever it was found
            yield from self._items(Attributes(x), _Found(x, found.path, found.aside and not layer))
            yield _Found(kind, found.path, True)

    def _of_class(self, kind: type) -> Iterator[_Found]:
        for base in kind.__mro__:
            if self._is_library(base) or isinstance(base, enum.EnumMeta):
                continue
            yield from self._items(ClassAttributes(base), _Found(base, "", True))
            for part in vars(base).values():
                function = getattr(part, "fget", None) or getattr(part, "__func__", part)
                if isinstance(function, FunctionType):
                    yield _Found(function, "", True)

    def _of_function(self, function: FunctionType) -> Iterator[_Found]:
        if self._is_library(function):
            return
        aside, names = _Found(None, "", True), list(_names_in(function.__code__))
        yield from self._items(Cells(function), aside)
        space = function.__globals__
        yield from self._items(Globals(space, [name for name in names if name in space]), aside)
        for module in [space[n] for n in names if isinstance(space.get(n), ModuleType)]:
            if not self._is_library(module):
                held = vars(module)
                yield from self._items(Globals(held, [n for n in names if n in held]), aside)
        yield _Found(function.__defaults__, "", True)
        yield _Found(function.__kwdefaults__, "", True)
        yield from self._items(Attributes(function), aside)
        yield _Found(inspect.unwrap(function), "", True)

    def _is_library(self, x: Any) -> bool:
        """Whether a class, function or module is of Python, of ours, or installed."""
        root = _root_module(x)
        if root == "builtins":  # also what exec defines, which is not a type of C
            return isinstance(x, type) and not x.__flags__ & HEAP_TYPE
        if root in self._ours:
            return False
        if root in sys.stdlib_module_names or root in (__name__.partition(".")[0], ""):
            return True
        file = getattr(sys.modules.get(root), "__file__", None) or ""
        return "site-packages" in file or "dist-packages" in file


def _root_module(x: Any) -> str:
    name = x.__name__ if isinstance(x, ModuleType) else getattr(x, "__module__", None)
    return str(name or "").partition(".")[0]


def _names_in(code: CodeType) -> Iterator[str]:
    """The names of globals and attributes that a function uses, and functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def parents_of(containers: Sequence[Holder]) -> dict[int, list[tuple[Holder, Any]]]:
    """Where each thing is held, by its id."""
    parents: dict[int, list[tuple[Holder, Any]]] = {}
    for container in containers:
        for key, x in container.items().items():
            parents.setdefault(id(x), []).append((container, key))
    return parents
