"""What is saved of a model, an optimizer, a loader, and of dicts and lists of them.

Each array of a file is an Entry: its dotted name, what is there now, what a file may hold in its
place, and what to change when it is loaded. Saving and loading walk the same way: there is one list
of names.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tinygrad_edu.data import DataLoader
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.module import Module
from tinygrad_edu.optim import Optimizer
from tinygrad_edu.rules.operand_types import Array
from tinygrad_edu.saving.archive import check_entry_name, descr_of
from tinygrad_edu.saving.generators import set_words, words_of

Setter = Callable[[Any], Any]
Change = tuple[Setter, Any, Any]  # how to set something, its new value, and its old

INTEGER, FLOAT = "<i8", "<f8"


@dataclass(slots=True)
class Entry:
    """One array of a file. `array` is what is there now; one with a dtype among `dtypes` and the
    same shape may take its place, or of another length with `any_length`, or of shape () with
    `or_number`."""

    name: str
    array: Array
    dtypes: tuple[str, ...]
    changes: Callable[[Array], list[Change]]
    any_length: bool = False
    or_number: bool = False


@dataclass(frozen=True, slots=True)
class Attribute:
    """Sets an attribute."""

    owner: Any
    name: str

    def __call__(self, value: Any) -> None:
        setattr(self.owner, self.name, value)


def changes_of(leaf: Any, data: Any) -> list[Change]:
    """A leaf gets new data and a gradient of 0."""
    zero = None if isinstance(leaf.data, np.ndarray) else 0.0
    return [
        (Attribute(leaf, "_data"), data, leaf._data),
        (Attribute(leaf, "_grad"), zero, leaf._grad),
    ]


def commit(changes: Sequence[Change]) -> None:
    """Make all changes, or, if one of them fails or is interrupted, none."""
    try:
        for setter, new, _ in changes:
            setter(new)
    except BaseException:
        for setter, _, old in changes:
            setter(old)
        raise


class Walk:
    """The entries of what is given to `save` or `load`, and the optimizers among it.

    `names` are those of the file that is loaded; an optimizer's memory is looked for under them,
    because one that has made no step keeps numbers where later there are arrays. TypeError for
    what cannot be saved, ValueError for names that cannot be told apart.
    """

    def __init__(self, operation: str, what: Any, names: Collection[str] | None = None) -> None:
        self.operation, self.names = operation, names
        self.entries: dict[str, Entry] = {}
        self.optimizers: list[Optimizer] = []
        self._seen: set[int] = set()  # nodes, modules and the like, each of which is saved once
        self._path: list[int] = []  # the dicts and lists around what is looked at
        kinds = (Module, Optimizer, DataLoader, dict, list, tuple)
        if not isinstance(what, kinds) and not _is_generator(what):
            raise TypeError(
                f"{operation}: expected a Module, an Optimizer or a dict of them, as in "
                f'{{"model": model, "optimizer": optimizer}}, got {type(what).__name__}'
            )
        self._part("", what, None)
        if not self.entries:
            raise ValueError(f"{operation}: there are no numbers in this {type(what).__name__}")

    def _part(self, name: str, part: Any, setter: Setter | None) -> None:
        """What the user named; `setter`, if there can be one, puts something in its place."""
        check_entry_name(self.operation, name)
        if isinstance(part, Node | Module | Optimizer | DataLoader) or _is_generator(part):
            if id(part) not in self._seen:
                self._object(name, part)
        elif isinstance(part, dict | list | tuple):
            if id(part) in self._path:
                raise ValueError(f"{self.operation}: {name} contains itself")
            self._path.append(id(part))
            self._container(name, part, setter)
            self._path.pop()
        elif _is_one_number(part):
            self._number(name, part, setter)
        elif _is_plain_array(part):
            setter = self._needed(name, setter)
            self._add(Entry(name, part, (descr_of(part.dtype),), lambda a: [(setter, a, part)]))
        else:
            own = isinstance(setter, Attribute) and isinstance(setter.owner, Optimizer)
            raise TypeError(
                f"{self.operation}: {name} cannot be saved: it is of type {_type_in_words(part)}; "
                "give Modules, Optimizers, DataLoaders, numpy.random.Generators, leaves, arrays of "
                "real numbers, numbers, or dicts and lists of these"
                + ("; attributes whose names begin with _ are left out" if own else "")
            )

    def _object(self, name: str, part: Any) -> None:
        if isinstance(part, Module):
            self._module(name, part)
            return
        self._seen.add(id(part))
        if isinstance(part, Node):
            if part.operands:
                raise TypeError(
                    f"{self.operation}: {name} is the recorded node {part.label or part.symbol!r}; "
                    "give its .data, or detach() it"
                )
            self._leaves(name, [part], ())
        elif isinstance(part, Optimizer):
            self._optimizer(join(name, type(part).__name__), part)
        elif isinstance(part, DataLoader):
            self._part(join(name, "rng"), part.rng, None)
        else:
            words = words_of(part)
            name = join(name, type(part.bit_generator).__name__)
            old = part.bit_generator.state

            def changes(array: Array) -> list[Change]:
                new = set_words(part, array)
                return [(Attribute(part.bit_generator, "state"), new, old)]

            self._add(Entry(name, words, (descr_of(words.dtype),), changes))

    def _container(self, name: str, part: Any, setter: Setter | None) -> None:
        if isinstance(part, dict):
            for key, value in part.items():
                if not isinstance(key, str):
                    raise TypeError(f"{self.operation}: the key {key!r} of a dict is not a string")
                self._part(join(name, key), value, partial(operator.setitem, part, key))
        elif all(map(_is_one_number, part)):
            if isinstance(part, list):
                entry = Entry(name, _exact_array(name, part), (), lambda a: [], any_length=True)
                entry.changes = lambda a: [(partial(_refill, part), a.tolist(), list(part))]
            else:
                setter = self._needed(name, setter)
                entry = Entry(name, _exact_array(name, part), (), lambda a: [])
                remake = getattr(part, "_make", type(part))  # a tuple with names stays one
                entry.changes = lambda a: [(setter, remake(a.tolist()), part)]
            entry.dtypes = _dtypes_like(entry.array)
            self._add(entry)
        elif self._are_values(part):
            self._values(name, part)
        else:
            for i, value in enumerate(part):
                place = partial(operator.setitem, part, i) if isinstance(part, list) else None
                self._part(join(name, i), value, place)

    # --- models --------------------------------------------------------------------------------

    def _module(self, name: str, part: Any) -> None:
        """The leaves of a Module, under the names of `named_parameters`, and its buffers.

        A list of Values, such as the weights of a neuron, is one array: a file of single numbers
        would be some hundred times as large as they are.
        """
        if id(part) in self._seen:
            return
        if isinstance(part, Module):
            self._seen.add(id(part))
            buffers = type(part).buffers
            for key in buffers:
                check_entry_name(self.operation, join(name, key))
                if not hasattr(part, key):
                    raise TypeError(
                        f"{self.operation}: {join(name, key)} is among the buffers of "
                        f"{type(part).__name__}, but is not an attribute"
                    )
                self._part(join(name, key), getattr(part, key), Attribute(part, key))
            for key, value in vars(part).items():
                if key not in buffers:
                    self._module(join(name, key), value)
        elif isinstance(part, Node):
            if not part.operands:
                self._seen.add(id(part))
                self._leaves(name, [part], ())
        elif isinstance(part, list | tuple) and self._are_values(part):
            self._values(name, part)
        elif isinstance(part, dict | list | tuple):
            self._seen.add(id(part))
            items: Any = part.items() if isinstance(part, dict) else enumerate(part)
            for key, value in items:
                self._module(join(name, key), value)

    def _are_values(self, part: Sequence[Any]) -> bool:
        """Whether these are leaves with one number each, none of which has been met before."""
        return (
            len(part) > 0
            and all(isinstance(x, Node) and isinstance(x.data, float) for x in part)
            and not any(x.operands or id(x) in self._seen for x in part)
            and len(set(map(id, part))) == len(part)
        )

    def _values(self, name: str, values: Sequence[Any]) -> None:
        self._seen.update(map(id, values))
        self._leaves(name, values, (len(values),))

    def _leaves(self, name: str, leaves: Sequence[Any], shape: tuple[int, ...]) -> None:
        """Leaves that are one array: a single one, or Values. Their gradients are set to 0."""
        single = leaves[0].data if len(leaves) == 1 and not shape else None
        if isinstance(single, np.ndarray):
            array = single
        else:
            array = np.array([x.data for x in leaves], np.float64).reshape(shape)

        def changes(new: Array) -> list[Change]:
            data = [new] if isinstance(single, np.ndarray) else new.ravel().tolist()
            return [c for leaf, x in zip(leaves, data, strict=True) for c in changes_of(leaf, x)]

        self._add(Entry(name, array, (descr_of(array.dtype),), changes))

    # --- optimizers ----------------------------------------------------------------------------

    def _optimizer(self, name: str, optimizer: Any) -> None:
        """Its settings, and what it remembers: lists with an item for each parameter."""
        if self.operation == "save":
            optimizer.check_settings()
        self.optimizers.append(optimizer)
        for key, value in vars(optimizer).items():
            if key == "parameters" or key.startswith("_"):
                continue
            if type(value) is list and len(value) == len(optimizer.parameters):
                self._item_for_each(join(name, key), value, optimizer)
            else:
                self._part(join(name, key), value, Attribute(optimizer, key))

    def _item_for_each(self, name: str, items: list[Any], optimizer: Any) -> None:
        """A list as long as that of the parameters: what is remembered of them, or anything else.

        Before the first step there may be numbers or None where later there are arrays. So the file
        decides what is loaded: one array of numbers, or one for each parameter.
        """
        pairs = list(zip(items, optimizer.parameters, strict=True))
        plain = all(x is None or _is_one_number(x) or _is_plain_array(x) for x in items)
        if self.names is None:
            by_item = any(_is_state(x, p) for x, p in pairs)
        else:
            by_item = plain and name not in self.names and join(name, 0) in self.names
            declared = any(items is states for states in optimizer.states)
            free = all(map(_is_one_number, items)) and not declared
            if plain and name in self.names and not free:
                self._numbers_for_each(name, items, optimizer.parameters)
                return
        if not by_item:
            self._part(name, items, None)
            return
        for i, (x, p) in enumerate(pairs):
            self._state(join(name, i), x, p, partial(operator.setitem, items, i))

    def _numbers_for_each(self, name: str, items: list[Any], parameters: list[Any]) -> None:
        """Numbers of a file for what is remembered: of Values, or before the first step."""

        def changes(array: Array) -> list[Change]:
            if array.any() and any(np.shape(p.data) for p in parameters):
                raise ValueError(f"load: {name} is of Values, but here are Tensors")
            return [(partial(_refill, items), array.tolist(), list(items))]

        self._add(Entry(name, np.zeros(len(items)), (INTEGER, FLOAT, "|b1"), changes))

    def _state(self, name: str, state: Any, parameter: Any, setter: Setter) -> None:
        """What is remembered of one parameter: an array of its shape, or a number."""
        empty = state is None and self.names is not None
        if not (empty or _is_one_number(state) or _is_plain_array(state)):
            self._part(name, state, setter)
            return
        here, shape = np.asarray(0.0 if empty else state), np.shape(parameter.data)
        if here.shape not in ((), shape):
            raise TypeError(
                f"{self.operation}: {name} has shape {here.shape} and its parameter {shape}; make "
                "them equal, or the list longer or shorter than that of the parameters"
            )
        dtype = np.asarray(parameter.data).dtype
        dtypes = descr_of(dtype), descr_of(here.dtype), FLOAT, INTEGER
        single = isinstance(parameter.data, float) or shape != ()  # of shape (): a number, then

        def changes(new: Array) -> list[Change]:
            return [(setter, new.item() if single and new.shape == () else new, state)]

        if self.names is not None:
            here = np.broadcast_to(here.astype(dtype), shape)
        self._add(Entry(name, here, dtypes, changes, or_number=True))

    # --- numbers -------------------------------------------------------------------------------

    def _number(self, name: str, number: Any, setter: Setter | None) -> None:
        setter = self._needed(name, setter)
        array = _exact_array(name, [number]).reshape(())
        self._add(Entry(name, array, _dtypes_like(array), lambda a: [(setter, a.item(), number)]))

    def _needed(self, name: str, setter: Setter | None) -> Setter:
        if setter is None:
            raise TypeError(
                f"{self.operation}: {name} is in a tuple, which cannot change; use a list or a dict"
            )
        return setter

    def _add(self, entry: Entry) -> None:
        name = entry.name
        if not name:
            raise TypeError(f"{self.operation}: give the numbers a name, as in " + '{"x": x}')
        check_entry_name(self.operation, name)
        if name in self.entries:
            raise ValueError(f"{self.operation}: two things have the name {name}; rename one")
        self.entries[name] = entry


def join(prefix: str, name: Any) -> str:
    """A dotted name."""
    return f"{prefix}.{name}" if prefix else str(name)


def _is_one_number(x: Any) -> bool:
    return isinstance(x, bool | int | float | np.bool_ | np.integer | np.floating)


def _is_plain_array(x: Any) -> bool:
    return type(x) is np.ndarray and x.dtype.kind in "biuf"


def _is_state(x: Any, parameter: Any) -> bool:
    """Whether something is an array that is remembered of a parameter; of one of shape (), NumPy
    makes numbers of its own."""
    data = parameter.data
    is_0d = isinstance(data, np.ndarray) and data.shape == ()
    return type(x) is np.ndarray or (is_0d and isinstance(x, np.generic))


def _is_generator(x: Any) -> bool:
    return isinstance(x, np.random.Generator)


def _type_in_words(x: Any) -> str:
    """What something is, for a message."""
    if isinstance(x, np.ndarray):
        return f"{type(x).__name__} of dtype {x.dtype}"
    return type(x).__name__


def _exact_array(name: str, numbers: Iterable[Any]) -> Array:
    """Numbers as an array of truths, integers or floats; ValueError if it would change one."""
    plain = [x.item() if isinstance(x, np.generic) else x for x in numbers]
    kinds = set(map(type, plain))
    whole = bool(plain) and all(issubclass(kind, int) for kind in kinds)
    dtype = np.bool_ if kinds == {bool} else np.int64 if whole else np.float64
    try:
        array = np.array(plain, dtype)
    except OverflowError:
        array = np.empty(0)
    same = len(array) == len(plain) and all(
        a == x or (math.isnan(a) and x != x) for a, x in zip(array.tolist(), plain, strict=True)
    )
    if not same:
        raise ValueError(f"save: {name} does not fit into 64 bits; save it as an array or as text")
    return array


def _dtypes_like(array: Array) -> tuple[str, ...]:
    """A truth stays a truth; other numbers may be whole or not. An empty list may become any."""
    if not array.size:
        return (INTEGER, FLOAT, "|b1")
    return ("|b1",) if array.dtype == np.bool_ else (INTEGER, FLOAT)


def _refill(numbers: list[Any], new: list[Any]) -> None:
    numbers[:] = new
