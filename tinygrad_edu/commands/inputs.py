"""Inputs for a function of a script: from the command line, from the script, or its defaults."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_edu.commands.calling import UsageError, number
from tinygrad_edu.expression import check_name, closest, shown
from tinygrad_edu.graph import Node


class Shape(NamedTuple):
    """The shape of an array of random numbers."""

    lengths: tuple[int, ...]


class Name(NamedTuple):
    """Something that the script has by this name."""

    name: str


def read_input(text: str) -> float | Shape | Name:
    """A number; a shape as 3x4, or 4x for one axis; or a name. ValueError for anything else."""
    text = text.strip()
    if re.fullmatch(r"\d+x(\d+(x\d+)*)?", text):
        return Shape(tuple(int(n) for n in text.split("x") if n))
    try:
        return number(text)
    except ValueError:
        if text.lower() in ("nan", "+nan", "-nan"):
            raise
        return Name(check_name(text))


MOST = 10**7
"""A random array has at most so many elements."""


class Inputs:
    """What a function is to be called with. `drawn` says which random arrays were made."""

    def __init__(
        self, path: str, name: str, names: dict[str, Any], given: dict[str, Any], seed: int
    ) -> None:
        self.path, self.name, self.names, self.given = path, name, names, given
        self.rng = np.random.default_rng(seed)
        self.drawn: list[str] = []
        self._chosen: list[str] = []

    def of(
        self, function: Callable[..., Any], whole: bool = False
    ) -> tuple[Callable[..., Any], list[Any], list[str]]:
        """The function of its inputs alone, the inputs, and their names.

        Numbers and arrays among the defaults are inputs; others are settings, which stay as they
        are. `whole` is for what cannot be called by keywords: settings stand last then. UsageError
        for an input that is missing, or unknown.
        """
        given = dict(self.given)
        chosen: dict[str, Any] = {}
        missing: list[str] = []
        settings: list[str] = []
        by_keyword = many = False
        for p in _parameters(function):
            many = many or p.kind is p.VAR_POSITIONAL
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                continue
            if p.name in given:
                chosen[p.name] = self._input(p.name, given.pop(p.name))
                by_keyword = by_keyword or bool(settings) or p.kind is p.KEYWORD_ONLY
            elif p.default is p.empty:
                missing.append(p.name)
            elif p.kind is not p.KEYWORD_ONLY and _is_number_or_array(p.default):
                chosen[p.name] = p.default
                by_keyword = by_keyword or bool(settings)
            else:
                settings.append(p.name)
        if missing:
            raise UsageError(
                f"{self.name} needs {', '.join(missing)}; give a number ({missing[0]}=0.5), the "
                f"shape of a random array ({missing[0]}=3x4) or a name of the script"
            )
        if given and not many:
            unknown = next(iter(given))
            raise UsageError(
                f"{shown(unknown)}: {self.name} has no such input; {closest(unknown, [*chosen])}"
            )
        chosen |= {name: self._input(name, x) for name, x in given.items()}
        self._chosen = [*chosen]
        if by_keyword:
            if whole:
                raise UsageError(
                    f"{self.name}: give {', '.join(settings)} too, because inputs stand after it"
                )
            function = self._by_keyword(function)
        return function, [*chosen.values()], [*chosen]

    def like(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A second function, to be called with the inputs of the first, in their order."""
        if not callable(function):
            raise UsageError(f"{shown(repr(function))} is not a function")
        return function

    def made(self, kind: type) -> Any:
        """An object of a class of the script, which needs no arguments."""
        required = [
            p.name for p in _parameters(kind)
            if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ]  # fmt: skip
        if required:
            raise UsageError(
                f"{self.name} is a class that needs {', '.join(required)}; make an object of it in "
                "the script, and check that"
            )
        return kind()

    def refuse(self, why: str) -> None:
        """UsageError if there are inputs."""
        if self.given:
            raise UsageError(f"{next(iter(self.given))}=...: {why}")

    def _by_keyword(self, function: Callable[..., Any]) -> Callable[..., Any]:
        names = self._chosen

        @functools.wraps(function, updated=())
        def of_inputs(*xs: Any) -> Any:
            return function(**dict(zip(names, xs, strict=True)))

        return of_inputs

    def _input(self, name: str, given: Any) -> Any:
        if isinstance(given, Shape):
            if np.prod([float(n) for n in given.lengths]) > MOST:
                raise UsageError(f"{name}: an array of more than {MOST} elements is too large")
            self.drawn.append(f"{name} {given.lengths}")
            return self.rng.normal(size=given.lengths)
        if isinstance(given, Name):
            if given.name not in self.names:
                known = [
                    x for x, found in self.names.items()
                    if not x.startswith("__") and _is_number_or_array(found)
                ]  # fmt: skip
                raise UsageError(
                    f"{name}={shown(given.name)}: it is no number and no shape such as 3x4, and "
                    f"{self.path} has nothing by this name; {closest(given.name, known)}"
                )
            return self.names[given.name]
        return given


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some built-in functions do not tell
        return []


def _is_number_or_array(x: Any) -> bool:
    if isinstance(x, Node | np.ndarray):
        return True
    if isinstance(x, list | tuple):
        return bool(x) and all(map(_is_number_or_array, x))
    return isinstance(x, int | float | np.number) and not isinstance(x, bool)
