"""What of the inputs is checked: the numbers in them, by name, and how the inputs hold them.

An input is a number, an array, a node, or a dict, list or tuple of arrays and nodes. What else it
is or holds, such as a string, None, or the settings beside the arrays of a dict, is handed on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

from tinygrad_edu.check.kinds import (
    Plain,
    copy_of_input,
    floating,
    leaf,
    like,
    names_for,
    plain,
    same_numbers,
)
from tinygrad_edu.check.report import Row
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.view.cards.reading import shape_of

AFFIXES = ("{}", "d{}", "grad_{}", "{}_grad", "d_{}", "delta_{}", "grad{}", "∂{}")
"""What the gradient of W may be called."""


class InputVariable:
    """Numbers in the inputs: their name, and they themselves as given, copied and in float64."""

    def __init__(self, name: str, path: str, given: Any, what: str) -> None:
        self.name, self.path, self.given = name, path, given
        self.numbers = plain(given, f"{what}: {name}")
        self.double = floating(self.numbers)

    @property
    def is_floating(self) -> bool:
        """False for an array of integers, such as labels."""
        return not hasattr(self.numbers, "dtype") or self.numbers.dtype.kind == "f"

    @property
    def own_leaf(self) -> bool:
        """Whether it is a leaf, which the function may use without being given it."""
        return isinstance(self.given, Node) and not self.given.operands

    def node(self) -> Any:
        """The given leaf itself, or else a new one with these numbers."""
        return self.given if self.own_leaf else leaf(self.numbers, self.name)


class CheckedInputs:
    """The inputs of a function, and the variables in them, in order."""

    def __init__(
        self, inputs: Sequence[Any], usual: Sequence[str], names: Sequence[str] | None, what: str
    ) -> None:
        self.given = list(inputs)
        self._wanted = [_kind_of_variables(x) for x in inputs]
        self.of_input: list[list[InputVariable]] = []
        called = names_for(inputs, usual, names, what)
        for x, name, wanted in zip(inputs, called, self._wanted, strict=True):
            self.of_input.append(
                [
                    InputVariable((path and _label_of(part)) or name + path, path, part, what)
                    for path, part in _leaves(x, "")
                    if wanted(part)
                ]
            )
        self.variables = [v for some in self.of_input for v in some]

    def filled(self, things: Iterable[Any]) -> list[Any]:
        """The inputs with these in the place of the variables, in order."""
        these = iter(things)
        return [
            _refilled(x, wanted, these) for x, wanted in zip(self.given, self._wanted, strict=True)
        ]

    def copies(self) -> list[Any]:
        """A copy of what every variable was given as."""
        return [copy_of_input(v.given, "") for v in self.variables]

    def moved(self, numbers: dict[int, Plain]) -> list[Any]:
        """The inputs as they were given, but in float64, and with other numbers for some of the
        variables."""
        return self.filled(
            like(v.given, numbers.get(i, v.double if v.is_floating else v.numbers))
            for i, v in enumerate(self.variables)
        )

    def with_unused_tried_again(
        self, rows: Sequence[Row], result: Callable[[dict[int, Plain]], Plain]
    ) -> list[Row]:
        """The rows of the variables; one that is unused only where the others have these values, as
        y in x * y at x = 0, is right."""
        return [
            replace(row, verdict="ok", note="it matters only where the other inputs are not these")
            if row.verdict == "unused" and self._matters_elsewhere(i, result)
            else row
            for i, row in enumerate(rows)
        ]

    def _matters_elsewhere(self, i: int, result: Callable[[dict[int, Plain]], Plain]) -> bool:
        for way in (0.3, -0.7):
            numbers = {
                j: v.double + way * (abs(v.double) + 1)
                for j, v in enumerate(self.variables)
                if j != i and v.is_floating
            }
            x = self.variables[i].double
            try:
                ys = [result({**numbers, i: x + step}) for step in (0.0, 0.1, 1.0, -1.0)]
            except (ArithmeticError, ValueError):
                continue
            if not all(same_numbers(ys[0], y) for y in ys):
                return True
        return False

    def others(self, i: int) -> dict[str, Plain]:
        """The other variables by name."""
        return {v.name: v.double for j, v in enumerate(self.variables) if j != i}

    def by_number(self, numbers: dict[str, Plain], prefix: str = "") -> dict[int, Plain]:
        """Numbers for some of the variables, by name, after a prefix of all, as those by place."""
        places = {prefix + v.name: i for i, v in enumerate(self.variables)}
        return {places[name]: x for name, x in numbers.items()}

    def written_into(self, things: Sequence[Any], who: str) -> list[str]:
        """What to say of the variables that have other numbers now."""
        return [
            f"{v.name}: {who} wrote into it; work on a copy"
            for x, v in zip(things, self.variables, strict=True)
            if not same_numbers(plain(x, ""), v.numbers)
        ]

    def counts(self) -> dict[str, int]:
        """Numbers that a mean may divide by, with what they count."""
        arrays = [v.numbers for v in self.variables if getattr(v.numbers, "ndim", 0)]
        if not arrays:
            return {}
        return {"the length of the batch": len(arrays[0]), "the number of elements": arrays[0].size}

    # --- results for each variable ---------------------------------------------------------------

    def parts_of(self, result: Any, what: str) -> tuple[list[Any], list[str]]:
        """What belongs to every variable in a result in the order of the inputs, or by name, None
        where there is nothing; and the names in it that belong to none.

        TypeError, naming `what`, if neither the order nor the names say what belongs to what.
        """
        if isinstance(result, dict) and not (len(self.given) == 1 and self._is_structure(0)):
            return _by_name(self.variables, result)
        if len(self.given) == 1 and (
            self._is_structure(0) or not (isinstance(result, tuple) and len(result) == 1)
        ):
            result = (result,)
        with_floats = [i for i, some in enumerate(self.of_input)
                       if any(v.is_floating for v in some)]  # fmt: skip
        if not isinstance(result, tuple | list):
            owners = [i for i in with_floats if not self._is_structure(i)
                      and shape_of(self.of_input[i][0].numbers) == shape_of(result)]  # fmt: skip
            if len(owners) == 1 or len(with_floats) == 1:  # the only one that it fits
                with_floats, result = owners or with_floats, (result,)
        chosen = {len(self.given): list(range(len(self.given))), len(with_floats): with_floats}
        length = len(result) if isinstance(result, tuple | list) else 0
        if not length or length not in chosen:
            raise TypeError(
                f"{what} gave {type(result).__name__} for {len(self.given)} inputs; it returns a "
                "tuple with one derivative for each input, in order, or a dict by name"
            )
        parts: list[list[Any]] = [[None] * len(some) for some in self.of_input]
        unknown: list[str] = []
        for i, part in zip(chosen[length], result, strict=True):
            if part is not None:
                parts[i], more = self._inside(i, part, what)
                unknown += more
        return [x for some in parts for x in some], unknown

    def _is_structure(self, i: int) -> bool:
        return any(v.path for v in self.of_input[i])

    def _inside(self, i: int, part: Any, what: str) -> tuple[list[Any], list[str]]:
        """The same for one input."""
        inside = self.of_input[i]
        if not self._is_structure(i):
            return [part] * len(inside), []
        if isinstance(part, dict):
            return _by_name(inside, part)
        parts = [x for _, x in _leaves(part, "")]
        if len(parts) != len(inside):
            raise TypeError(
                f"{what} gave {len(parts)} derivatives for {', '.join(v.name for v in inside)}; "
                "return one for each, in a dict of the same keys, or in order"
            )
        return parts, []


def _by_name(
    variables: Sequence[InputVariable], result: dict[Any, Any]
) -> tuple[list[Any], list[str]]:
    parts = {path.lstrip("."): part for path, part in _leaves(result, "")}
    found, used = [], set()
    for v in variables:
        head, _, last = (v.path.lstrip(".") or v.name).rpartition(".")
        places = [f"{head}.{affix.format(last)}".lstrip(".") for affix in AFFIXES]
        places += [affix.format(v.name) for affix in AFFIXES] + [v.name]
        place = next((p for p in places if p in parts), None)
        found.append(None if place is None else parts[place])
        used.add(place)
    return found, [name for name in parts if name not in used]


# --- dicts, lists and tuples ---------------------------------------------------------------------


def _label_of(x: Any) -> str:
    return x.label if isinstance(x, Node) else ""


def _is_array(x: Any) -> bool:
    """Whether x is an array or a node; a mask is a setting."""
    if isinstance(x, Node):
        return True
    kind = getattr(getattr(x, "dtype", None), "kind", "")
    return hasattr(x, "dtype") and not isinstance(x, type) and kind != "b"


def _is_number(x: Any) -> bool:
    return isinstance(x, Real) and not isinstance(x, bool)


def _is_table(x: Any) -> bool:
    """Whether x is numbers in lists, which stand for an array."""
    return isinstance(x, list | tuple) and all(isinstance(e, Real) or _is_table(e) for e in x)


def _is_sequence(x: Any) -> bool:
    return isinstance(x, list | tuple) and not _is_table(x)


def _kind_of_variables(x: Any) -> Callable[[Any], bool]:
    """What of an input is a variable: in dicts and lists, the arrays and nodes, or the numbers of a
    dict of nothing else."""
    if not isinstance(x, dict) and not _is_sequence(x):
        return lambda part: _is_array(part) or _is_number(part) or _is_table(part)
    parts = [part for _, part in _leaves(x, "")]
    if parts and all(map(_is_number, parts)):
        return _is_number
    return _is_array


def _leaves(x: Any, path: str) -> Iterator[tuple[str, Any]]:
    """What dicts, lists and tuples hold in the end, with its path: `.params.W1`, `[0]`."""
    if isinstance(x, dict):
        for key, item in x.items():
            yield from _leaves(item, f"{path}.{key}")
    elif _is_sequence(x):
        for i, item in enumerate(x):
            yield from _leaves(item, f"{path}[{i}]")
    else:
        yield path, x


def _refilled(x: Any, wanted: Callable[[Any], bool], things: Iterator[Any]) -> Any:
    """The same dicts, lists and tuples around other things."""
    if isinstance(x, dict):
        copied = copy.copy(x)
        copied.update({key: _refilled(item, wanted, things) for key, item in x.items()})
        return copied
    if _is_sequence(x):
        items = [_refilled(item, wanted, things) for item in x]
        return type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
    return next(things) if wanted(x) else x
