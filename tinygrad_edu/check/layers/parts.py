"""What a hand-written layer consists of: its arrays, where they are held, and copies of it all."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from tinygrad_edu.check.kinds import is_foreign, plain
from tinygrad_edu.rules.operand_types import Array


@dataclass(frozen=True)
class LayerSlot:
    """A place in a layer that holds a number or an array: an attribute, or an item of a dict or
    list. `path` is its dotted name, such as `params.W1`."""

    path: str
    holder: Any
    key: Any

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    def get(self) -> Any:
        return self.holder[self.key] if self._is_item else getattr(self.holder, self.key)

    def set(self, x: Any) -> None:
        if self._is_item:
            self.holder[self.key] = x
        else:
            setattr(self.holder, self.key, x)

    def keep(self, x: Any) -> None:
        """Put back what was held here, if something else stands in its place."""
        if not isinstance(x, float) and self.get() is not x:
            self.set(x)

    @property
    def _is_item(self) -> bool:
        return isinstance(self.holder, dict | list | tuple)


def array_of(x: Any, what: str = "") -> Array:
    """The numbers of x as an array; TypeError, naming `what`, if it has none."""
    return np.asarray(plain(x, what))


def slots_of(owners: Sequence[Any]) -> dict[str, LayerSlot]:
    """Every place below these objects that holds real numbers, by its path."""
    slots: dict[str, LayerSlot] = {}
    seen: set[int] = set()
    for owner in owners:
        for slot in _slots(owner, "", seen):
            slots.setdefault(slot.path, slot)
    return slots


def _slots(owner: Any, prefix: str, seen: set[int]) -> Iterator[LayerSlot]:
    for key, part in parts_of(owner):
        path = f"{prefix}.{key}" if prefix else str(key)
        if is_real(part):
            if isinstance(part, float) and isinstance(owner, tuple):
                continue  # which cannot be changed
            yield LayerSlot(path, owner, key)
        elif id(part) not in seen:
            seen.add(id(part))
            yield from _slots(part, path, seen)


def parts_of(owner: Any) -> Iterator[tuple[Any, Any]]:
    """The items of a dict, list or tuple, or the attributes of an object, with their keys."""
    if isinstance(owner, dict):
        yield from owner.items()
    elif isinstance(owner, list | tuple):
        yield from enumerate(owner)
    elif not isinstance(owner, type | ModuleType | np.ndarray):
        yield from getattr(owner, "__dict__", {}).items()
        for name in _slot_names(type(owner)):
            if hasattr(owner, name):
                yield name, getattr(owner, name)


def _slot_names(kind: type) -> Iterator[str]:
    """The attributes that a class and its bases name in `__slots__`."""
    for base in kind.__mro__:
        names = vars(base).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if not name.startswith("__"):
                yield name


def objects_of(owners: Sequence[Any]) -> list[Any]:
    """The owners and every object below them that has attributes."""
    objects: list[Any] = []
    seen: set[int] = set()
    waiting = list(owners)
    while waiting:
        x = waiting.pop()
        if id(x) in seen or is_real(x):
            continue
        seen.add(id(x))
        if hasattr(x, "__dict__") and not callable(getattr(x, "__code__", None)):
            objects.append(x)
        waiting.extend(part for _, part in parts_of(x))
    return objects


def is_real(x: Any) -> bool:
    """Whether x is a float, or an array of floats."""
    if isinstance(x, np.ndarray):
        return bool(x.dtype.kind == "f")
    return isinstance(x, float) or (is_foreign(x) and array_of(x).dtype.kind == "f")


class Noted(np.ndarray[Any, Any]):
    """An array that takes attributes, such as `g`, and remembers what each was set to."""

    assigned: dict[str, list[Any]]

    def __setattr__(self, name: str, value: Any) -> None:
        notes = self.__dict__.setdefault("assigned", {})
        notes.setdefault(name, []).append(_snapshot(value))
        super().__setattr__(name, value)


def _snapshot(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def noted(x: Any) -> Any:
    """An array as a Noted one; anything else as it is."""
    return x.view(Noted) if type(x) is np.ndarray else x


def note_assignments(owner: Any) -> dict[str, list[Any]]:
    """From now on remember what each attribute of an object is set to, by name.

    Its class is replaced by one of the same name that does so; an object whose class does not
    allow that remembers nothing.
    """
    kind, notes = type(owner), dict[str, list[Any]]()

    def remember(self: Any, name: str, value: Any) -> None:
        notes.setdefault(name, []).append(_snapshot(value))
        super(owner.__class__, self).__setattr__(name, value)

    with contextlib.suppress(TypeError):
        owner.__class__ = type(kind.__name__, (kind,), {"__setattr__": remember, "__slots__": ()})
    return notes


@dataclass(frozen=True, eq=False)
class Copied:
    """A copy of a layer, whose arrays the checker may change: functions, owners and slots.

    Arrays that the functions find by themselves, in a closure or as globals, are not copies.
    """

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    owners: list[Any]
    slots: dict[str, LayerSlot]

    def value(self, path: str) -> Any:
        """What is held at a path; None if nothing is there any more."""
        try:
            return self.slots[path].get()
        except (AttributeError, LookupError):
            return None


def copy_layer(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    convert: Callable[[Any], Any],
    extra: dict[str, Any],
) -> Copied:
    """A deep copy in which every array of real numbers is what `convert` makes of it.

    Arrays that are held twice stay one. `extra` are arrays that functions find by themselves; they
    stay what they are. TypeError for a layer that cannot be copy_of_input.
    """
    owners = owners_of(forward, backward)
    slots = slots_of(owners)
    memo: dict[int, Any] = {}
    for slot in slots.values():
        x = slot.get()
        if not isinstance(x, float):
            memo.setdefault(id(x), convert(x))
    try:
        forward, backward = copy.deepcopy((forward, backward), memo)
    except Exception as error:
        raise TypeError(
            f"check_backward: the layer cannot be copied ({error}); give two functions and the "
            "arrays they use as parameters={...}"
        ) from error
    owners = owners_of(forward, backward)
    copied_slots = slots_of(owners)
    for name, array in extra.items():
        if not any(slot.get() is array for slot in slots.values()):
            copied_slots[name] = LayerSlot(name, {name: array}, name)
    return Copied(forward, backward, owners, copied_slots)


def owners_of(*functions: Callable[..., Any]) -> list[Any]:
    """The objects that bound methods belong to, each once."""
    owners: list[Any] = []
    for function in functions:
        owner = getattr(function, "__self__", None)
        if owner is None or isinstance(owner, ModuleType):
            continue
        if not any(owner is other for other in owners):
            owners.append(owner)
    return owners
