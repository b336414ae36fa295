"""Inputs for a function of a script: from the command line, from the script, or its defaults."""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any, NamedTuple

from tinygrad_edu.commands.expression import checked_name, closest, shown
from tinygrad_edu.commands.options import UsageError, number
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.view.cards.reading import shape_of


class RandomShape(NamedTuple):
    """The shape of an array of random numbers."""

    lengths: tuple[int, ...]


class NameInScript(NamedTuple):
    """Something that the script has by this name."""

    name: str


def read_input(text: str) -> float | RandomShape | NameInScript:
    """A number; a shape as 3x4, or 4x for one axis; or a name. ValueError for anything else."""
    text = text.strip()
    if re.fullmatch(r"\d+x(\d+(x\d+)*)?", text):
        return RandomShape(tuple(int(n) for n in text.split("x") if n))
    try:
        return number(text)
    except ValueError:
        if text.lower() in ("nan", "+nan", "-nan"):
            raise
        return NameInScript(checked_name(text))


MOST_ELEMENTS = 10**7
"""A random array has at most so many elements."""


class Inputs:
    """What a function is to be called with. `drawn` says which random arrays were made."""

    def __init__(
        self, path: str, name: str, names: dict[str, Any], given: dict[str, Any], seed: int
    ) -> None:
        self.path, self.name, self.names, self.given = path, name, names, given
        self.seed = seed
        self.drawn: list[str] = []
        self._order: list[tuple[str, bool]] = []
        self._fixed: dict[str, Any] = {}
        self._settings: set[str] = set()

    def of(self, function: Callable[..., Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
        """The function of its inputs alone, and the inputs by name.

        Inputs are numbers, floating arrays and nodes, given or by default; anything else that is
        given, such as an array of labels, stays as it is at every call, and so do other defaults.
        Beside arrays, numbers are arrays of shape (). UsageError for an input that is missing, or
        unknown.
        """
        chosen, by_keyword = self._chosen(function)
        inputs = {
            name: x for name, x in chosen.items() if _is_input(x) and name not in self._settings
        }
        self._fixed = {name: x for name, x in chosen.items() if name not in inputs}
        self._order = [(name, name in inputs) for name in chosen]
        if any(map(_has_axes, inputs.values())):
            import numpy as np

            inputs = {k: np.array(x) if isinstance(x, float) else x for k, x in inputs.items()}
        if not (by_keyword or self._fixed):
            return function, inputs

        return self._of_inputs(function, by_keyword), inputs

    def of_layer(self, forward: Callable[..., Any]) -> list[Any]:
        """All that is given to a forward pass, in order. UsageError as for a function."""
        chosen, by_keyword = self._chosen(forward)
        if by_keyword:
            raise UsageError(
                f"{self.name}: a layer is called with its inputs in order; give those before "
                f"{list(chosen)[-1]} too"
            )
        return [*chosen.values()]

    def like(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A second function, to be called with what the first one gets, in that order."""
        if not callable(function):
            raise UsageError(f"{shown(repr(function))} is not a function")
        return self._of_inputs(function, by_keyword=False) if self._fixed else function

    def _of_inputs(self, function: Callable[..., Any], by_keyword: bool) -> Callable[..., Any]:
        """The function of its inputs alone: all else that it gets is fixed."""

        @functools.wraps(function, updated=())
        def of_inputs(*inputs: Any) -> Any:
            xs = iter(inputs)
            given = {name: next(xs) if moves else self._fixed[name] for name, moves in self._order}
            return function(**given) if by_keyword else function(*given.values())

        return of_inputs

    def _chosen(self, function: Callable[..., Any]) -> tuple[dict[str, Any], bool]:
        """What the function is called with, by name, and whether names are needed for it."""
        given, parameters = dict(self.given), _parameters_of(function)
        chosen: dict[str, Any] = {}
        missing = []
        by_keyword = many = some_left_out = False
        for p in parameters:
            many = many or p.kind is p.VAR_POSITIONAL
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                continue
            if p.name in given:
                x = self._input(p.name, given.pop(p.name))
                if p.default is not p.empty and not _is_input(p.default):
                    self._settings.add(p.name)  # axis=1, where the default is None
                    x = int(x) if isinstance(x, float) and x.is_integer() else x
                chosen[p.name] = x
            elif p.default is p.empty:
                missing.append(p.name)
            elif p.kind is not p.KEYWORD_ONLY and _is_input(p.default):
                chosen[p.name] = float(p.default) if type(p.default) is int else p.default
            else:
                some_left_out = True
            if p.name in chosen:
                by_keyword = by_keyword or some_left_out or p.kind is p.KEYWORD_ONLY
        if missing:
            raise UsageError(
                f"{self.name} needs {', '.join(missing)}; give a number ({missing[0]}=0.5), the "
                f"shape of a random array ({missing[0]}=3x4) or a name of the script"
            )
        if given and not many:
            unknown = next(iter(given))
            known = [p.name for p in parameters]
            raise UsageError(
                f"{shown(unknown)}: {self.name} has no such input; {closest(unknown, known)}"
            )
        return chosen | {name: self._input(name, x) for name, x in given.items()}, by_keyword

    @functools.cached_property
    def _rng(self) -> Any:
        """Loaded when the first array is drawn: functions of numbers need no NumPy."""
        import numpy as np

        return np.random.default_rng(self.seed)

    def made(self, kind: type) -> Any:
        """An object of a class of the script, which needs no arguments."""
        required = [
            p.name for p in _parameters_of(kind)
            if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ]  # fmt: skip
        if required:
            raise UsageError(
                f"{self.name} is a class that needs {', '.join(required)}; make an object of it in "
                "the script and check that"
            )
        return kind()

    def refuse(self, why: str) -> None:
        """UsageError if there are inputs."""
        if self.given:
            raise UsageError(f"{next(iter(self.given))}=...: {why}")

    def _input(self, name: str, given: Any) -> Any:
        if isinstance(given, RandomShape):
            if math.prod(given.lengths) > MOST_ELEMENTS:
                raise UsageError(
                    f"{name}: an array of more than {MOST_ELEMENTS} elements is too large"
                )
            self.drawn.append(f"{name} {given.lengths}")
            return self._rng.normal(size=given.lengths)
        if isinstance(given, NameInScript):
            if given.name not in self.names:
                known = [
                    x for x, found in self.names.items()
                    if _has_shape(found) or (_is_input(found) and x[:2] != "__")
                ]  # fmt: skip
                raise UsageError(
                    f"{name}={shown(given.name)}: not a number, not a shape such as 3x4, and "
                    f"{self.path} has nothing by this name; {closest(given.name, known)}"
                )
            return self.names[given.name]
        return given


def _parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some built-in functions do not tell
        return []


def _is_input(x: Any) -> bool:
    """Whether something can be moved a little: a number, a floating array or list, a node."""
    if isinstance(x, Node):
        return True
    if _has_shape(x):
        return bool(x.dtype.kind == "f")
    if isinstance(x, list | tuple):
        return bool(x) and all(map(_is_real, _flat(x))) and any(
            isinstance(y, float) for y in _flat(x)
        )  # fmt: skip
    return _is_real(x)


def _is_real(x: Any) -> bool:
    return isinstance(x, Real) and not isinstance(x, bool)


def _has_shape(x: Any) -> bool:
    return isinstance(getattr(x, "shape", None), tuple) and not isinstance(x, Real)


def _has_axes(x: Any) -> bool:
    """Whether an input is an array or a list, or a node of one, and not a single number."""
    return isinstance(x, list | tuple) or bool(shape_of(x.data if isinstance(x, Node) else x))


def _flat(x: Any) -> Iterator[Any]:
    for y in x:
        yield from _flat(y) if isinstance(y, list | tuple) else (y,)
