"""A name for what is wrong with a derivative."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tinygrad_edu.check.case import Case

Law = Callable[[Case], Iterator[str]]
"""A relation between a wrong derivative and the right one: it yields a sentence if it holds."""

_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[-+]?\d+)?)")


@dataclass(frozen=True)
class Mistake:
    """A mistake by its kind, and one sentence for the reader: what is wrong, and the cure."""

    kind: str
    said: str

    def is_also(self, other: Mistake) -> bool:
        """Whether the other says the same, with numbers that differ by 0.2 % at most."""
        if self.kind != other.kind:
            return False
        pairs = itertools.zip_longest(_NUMBER.split(self.said), _NUMBER.split(other.said))
        return all(x == y or _nearly_equal(x, y) for x, y in pairs)


def _nearly_equal(x: str | None, y: str | None) -> bool:
    if not (x and y and _NUMBER.fullmatch(x) and _NUMBER.fullmatch(y)):
        return False
    return math.isclose(float(x), float(y), rel_tol=2e-3)
