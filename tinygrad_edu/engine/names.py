"""Names: as Python takes them, made from labels, and as messages show them."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Iterator

LONGEST_NAME = 40
LONGEST_SHOWN = 200


def escaped(name: object) -> str:
    """A user's name as a message shows it, on one line.

    What cannot be seen is escaped as Python does it in a string: control characters, which a
    terminal would obey; marks that turn the direction of writing; halves of surrogate pairs. A
    name of more than 200 characters is cut in the middle, since its end tells it from others.
    """
    text = str(name)
    if len(text) > LONGEST_SHOWN:
        text = f"{text[: LONGEST_SHOWN // 3]}…{text[-LONGEST_SHOWN // 2 :]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def identifier(label: str) -> str:
    """The Python name nearest to a label, of at most 40 characters; empty if nothing is left."""
    text = unicodedata.normalize("NFKC", label[: 10 * LONGEST_NAME])
    kept = [c if ("a" + c).isidentifier() else "_" for c in text if unicodedata.category(c) != "Cf"]
    # dropping a character can bring two together that have one character as their normal form
    name = unicodedata.normalize("NFKC", "_".join("".join(kept).replace("_", " ").split()))
    if name and not name.isidentifier():  # it begins with a digit
        name = "_" + name
    return name[:LONGEST_NAME] if name.isidentifier() else ""


def numbered(wish: str, start: int = 2) -> Iterator[str]:
    """wish_2, wish_3, … of at most 40 characters."""
    return (f"{wish[: LONGEST_NAME - 1 - len(str(k))]}_{k}" for k in itertools.count(start))


class FreeNames:
    """Gives names that are free: the wish, or the wish with a number; none of those `taken`."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = set(taken)
        self.more: dict[str, Iterator[str]] = {}  # where the numbers of each wish have come to
        self.plain = (f"v{k}" for k in itertools.count(1))

    def __call__(self, wish: str) -> str:
        """A name for a wish; without one v1, v2, …"""
        if wish and self._take(wish):
            return wish
        candidates = self.more.setdefault(wish, numbered(wish)) if wish else self.plain
        return next(name for name in candidates if self._take(name))

    def _take(self, name: str) -> bool:
        is_free = name not in self.taken
        self.taken.add(name)
        return is_free
