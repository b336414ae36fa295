"""How `tinygrad-edu check` is given inputs: numbers, shapes with ranges, names and texts."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from tinygrad_edu.commands.expression import checked_name
from tinygrad_edu.commands.options import UsageError, number

INPUT_FORMS = "name=0.5, name=3x4, name=3x4:0..5 or a name of the script"
MOST_ELEMENTS = 10**7
"""A random array has at most so many elements."""
EXACT = 2**53
"""Whole numbers up to here are float64 numbers too."""
WORDS = {"None": None, "True": True, "False": False}


@dataclass(frozen=True)
class RandomArray:
    """An array of random numbers: normal ones, or from a range; whole numbers include its ends."""

    lengths: tuple[int, ...]
    span: tuple[float, float] | None = None
    kind: str = ""

    def drawn(self, rng: Any) -> Any:
        """The numbers, from a NumPy generator."""
        if self.kind == "int" and self.span:
            low, high = map(int, self.span)
            return rng.integers(low, high, self.lengths, endpoint=True)
        x = rng.uniform(*self.span, self.lengths) if self.span else rng.normal(size=self.lengths)
        return x.astype(self.kind) if self.kind else x

    def __str__(self) -> str:
        span = "from {:g} to {:g}".format(*self.span) if self.span else ""
        return " ".join(word for word in (str(self.lengths), self.kind, span) if word)


class NameInScript(NamedTuple):
    """Something that the script has by this name."""

    name: str


class Setting(NamedTuple):
    """What a function gets as it is, and is not differentiated for: None, a text, a number."""

    value: Any


Given = float | RandomArray | NameInScript | Setting


def read_input(text: str) -> Given:
    """What stands behind `name=`.

    A number; a shape, 3x4 or 4x for one axis, with a range 3x4:0.1..5 and a kind 8x:0..9:int or
    3x4:float32; None, True, False; a quoted text; a name. What ends in :fixed is a setting.
    ValueError for anything else, and UsageError where it is clear what was meant.
    """
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return Setting(text[1:-1])
    first, *marks = text.split(":")
    of_one_axis = first.isdecimal() and ".." in "".join(marks[:1])  # 8:0..9
    form = _form(first + "x" * of_one_axis)
    for mark in marks:
        form = _marked(form, mark, text)
    return form


def _form(text: str) -> Given:
    if text in WORDS:
        return Setting(WORDS[text])
    if re.fullmatch(r"\d+x(\d+(x\d+)*)?", text):
        lengths = tuple(int(n) for n in text.split("x") if n)
        if math.prod(lengths) > MOST_ELEMENTS:
            raise UsageError(f"{text}: an array of more than {MOST_ELEMENTS} elements is too large")
        return RandomArray(lengths)
    try:
        x = number(text)
    except ValueError:
        if text.lower() in ("nan", "+nan", "-nan"):
            raise
        return NameInScript(checked_name(text))
    return int(x) if re.fullmatch(r"[+-]?\d+", text) and abs(x) <= EXACT else x


def _marked(form: Given, mark: str, text: str) -> Given:
    """A form with one more mark: a range, a kind, or that it is fixed."""
    if mark == "fixed" or (mark == "int" and isinstance(form, int)):
        return Setting(form)
    if not isinstance(form, RandomArray):
        raise UsageError(f"{text}: {mark} is for random arrays, as in 3x4:{mark}")
    if mark in ("int", "float32"):
        if mark == "int" and not (form.span and all(x.is_integer() for x in form.span)):
            raise UsageError(f"{text}: whole numbers need a range of such, as in 8x:0..9:int")
        return replace(form, kind=mark)
    low, dots, high = mark.partition("..")
    span = (number(low), number(high)) if dots else (0.0, 0.0)
    if not span[0] < span[1] or max(map(abs, span)) > EXACT:
        raise UsageError(f"{text}: a range is two numbers, the smaller one first, as in 3x4:0.1..5")
    return replace(form, span=span)
