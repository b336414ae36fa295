"""What an exhibit of the bug museum is: code that fails a check, what the check says, the cure."""

from __future__ import annotations

import inspect
import textwrap
import warnings
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Exhibit:
    """One bug: `wrong` raises what the check says, `right` passes it."""

    number: int
    title: str
    notebooks: str
    wrong: Callable[[], None]
    right: Callable[[], None] | None = None

    @property
    def story(self) -> str:
        """What happened in the notebook."""
        return _sentence(self.wrong)

    @property
    def cure(self) -> str:
        """What to do instead."""
        return _sentence(self.right)

    def said(self) -> str:
        """What the check says of the wrong code."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                self.wrong()
        except Exception as error:
            text = str(error)
            if not isinstance(error, AssertionError):
                text = f"{type(error).__name__}: {text}"
            return "\n".join([text, *getattr(error, "__notes__", [])])
        raise RuntimeError(f"bug {self.number} was not caught")


def _sentence(function: Callable[[], None] | None) -> str:
    """The docstring of a function in one line."""
    return " ".join((inspect.getdoc(function) or "").split())


EXHIBITS: dict[int, Exhibit] = {}


def bug(number: int, title: str, notebooks: str) -> Callable[[Callable[[], None]], None]:
    """Put a bug into the museum; the docstring says what happened."""

    def exhibit(wrong: Callable[[], None]) -> None:
        EXHIBITS[number] = Exhibit(number, title, notebooks, wrong)

    return exhibit


def cure(number: int) -> Callable[[Callable[[], None]], None]:
    """The cure of a bug, which passes the same check; the docstring says it in a sentence."""

    def heal(right: Callable[[], None]) -> None:
        EXHIBITS[number].right = right

    return heal


def code_of(function: Callable[[], None]) -> str:
    """The lines of a function without its head and its docstring."""
    lines = inspect.getsource(function).splitlines()
    text = "\n".join(lines)
    _, _, body = text.partition('"""')
    _, _, body = body.partition('"""')
    return textwrap.dedent(body.strip("\n")).strip("\n")
