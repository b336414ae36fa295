"""What holds things by key: objects, dicts, lists, cells, globals and classes, which can be filled
again with what they held before, and generators of random numbers."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np

Items = dict[Any, Any]


class Holder:
    """Something that holds things by key, and can be filled again."""

    def __init__(self, target: Any) -> None:
        self.target = target

    def items(self) -> Items:
        """What it holds, by key."""
        raise NotImplementedError

    def put(self, items: Items) -> None:
        """Hold this and nothing else."""
        raise NotImplementedError

    def get(self, key: Any) -> Any:
        """What it holds at a key; None if there is nothing."""
        return self.items().get(key)

    def set(self, key: Any, x: Any) -> None:
        """Hold x at a key."""
        self.put({**self.items(), key: x})


class Attributes(Holder):
    """The attributes of an object, also of one with `__slots__`, and of a frozen one."""

    def __init__(self, target: Any) -> None:
        super().__init__(target)
        self.slots = tuple(_slot_names(type(target)))

    def items(self) -> Items:
        held = dict(getattr(self.target, "__dict__", {}))
        for name in self.slots:
            if hasattr(self.target, name):
                held[name] = getattr(self.target, name)
        return held

    def put(self, items: Items) -> None:
        held = getattr(self.target, "__dict__", None)
        if held is not None:
            _fill_dict(held, {key: x for key, x in items.items() if key not in self.slots})
        for name in self.slots:
            if name in items:
                object.__setattr__(self.target, name, items[name])
            elif hasattr(self.target, name):
                object.__delattr__(self.target, name)


def _slot_names(kind: type) -> Iterator[str]:
    """The attributes that a class and its bases name in `__slots__`."""
    for base in kind.__mro__:
        names = vars(base).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if not name.startswith("__"):
                yield name


def _fill_dict(held: Items, items: Items) -> None:
    """Make a dict hold these items, in this order; it is left alone if it does."""
    same = len(held) == len(items) and all(
        key in held and held[key] is x for key, x in items.items()
    )
    if not same:
        held.clear()
        held.update(items)


class DictItems(Holder):
    def items(self) -> Items:
        return dict(self.target)

    def put(self, items: Items) -> None:
        _fill_dict(self.target, items)


class ListItems(Holder):
    """The items of a list or a deque, by index."""

    def items(self) -> Items:
        return dict(enumerate(self.target))

    def put(self, items: Items) -> None:
        now = list(items.values())
        if len(now) != len(self.target) or any(
            x is not y for x, y in zip(now, self.target, strict=True)
        ):
            self.target.clear()
            self.target.extend(now)


class SetItems(Holder):
    def items(self) -> Items:
        return {x: x for x in self.target}

    def put(self, items: Items) -> None:
        self.target.clear()
        self.target.update(items)


class TupleItems(Holder):
    """The items of a tuple, by index; who holds it is given another one instead."""

    def items(self) -> Items:
        return dict(enumerate(self.target))

    def put(self, items: Items) -> None:
        """Nothing: it cannot have changed."""


class ObjectArrayItems(Holder):
    """The items of an array of objects, by their place in the flat array."""

    def items(self) -> Items:
        return dict(enumerate(self.target.flat))

    def put(self, items: Items) -> None:
        for i, x in items.items():
            self.target.flat[i] = x


class Cells(Holder):
    """The variables that a function takes from the function around it, by name."""

    def items(self) -> Items:
        held: Items = {}
        for name, cell in self._cells():
            try:
                held[name] = cell.cell_contents
            except ValueError:
                continue  # nothing is in it yet
        return held

    def put(self, items: Items) -> None:
        for name, cell in self._cells():
            if name in items:
                cell.cell_contents = items[name]

    def _cells(self) -> Iterator[tuple[str, Any]]:
        return zip(self.target.__code__.co_freevars, self.target.__closure__ or (), strict=True)


class Globals(Holder):
    """Some variables of a module, by name."""

    def __init__(self, target: Items, names: Sequence[str]) -> None:
        super().__init__(target)
        self.names = names

    def items(self) -> Items:
        return {name: self.target[name] for name in self.names if name in self.target}

    def put(self, items: Items) -> None:
        for name in self.names:
            if name in items:
                self.target[name] = items[name]
            else:
                self.target.pop(name, None)


class ClassAttributes(Holder):
    """What a class holds for all its objects: its data, not its methods."""

    def items(self) -> Items:
        return {name: x for name, x in vars(self.target).items() if _is_data(name, x)}

    def put(self, items: Items) -> None:
        now = self.items()
        for name in {**now, **items}:
            if name not in items:
                delattr(self.target, name)
            elif now.get(name) is not items[name]:
                setattr(self.target, name, items[name])


def _is_data(name: str, x: Any) -> bool:
    kind = type(x)
    described = hasattr(kind, "__get__") or hasattr(kind, "__set__")
    return not (name.startswith("__") or described or isinstance(x, type | ModuleType | enum.Enum))


class Draws:
    """A generator of random numbers, which can be set back."""

    def __init__(self, generator: Any) -> None:
        numpy = isinstance(generator, np.random.Generator)
        self.generator = generator.bit_generator if numpy else generator

    def state(self) -> Any:
        for name in ("getstate", "get_state", "get_rng_state"):
            if hasattr(self.generator, name):
                return getattr(self.generator, name)()
        return self.generator.state

    def put(self, state: Any) -> None:
        for name in ("setstate", "set_state", "set_rng_state"):
            if hasattr(self.generator, name):
                getattr(self.generator, name)(state)
                return
        self.generator.state = state


def container_of(x: Any) -> Holder | None:
    """The container for the items of a collection; None if it is none."""
    kinds: tuple[tuple[Any, type[Holder]], ...] = (
        (dict, DictItems), (list | deque, ListItems), (set, SetItems), (tuple, TupleItems),
    )  # fmt: skip
    for kind, container in kinds:
        if isinstance(x, kind):
            return container(x)
    if isinstance(x, np.ndarray) and x.dtype.kind == "O":
        return ObjectArrayItems(x)
    return None
