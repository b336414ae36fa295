"""What a layer written as text is, with mistakes to be planted into it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Sizes:
    """Samples in the batch, numbers in, numbers out (or classes)."""

    n: int = 5
    d: int = 4
    k: int = 3


@dataclass(frozen=True)
class Mistake:
    name: str
    right: str
    wrong: str
    words: str


m = Mistake
"""A short name for the tables of mistakes."""


@dataclass(frozen=True)
class Written:
    """A layer as text; `needs_batch` are names of mistakes that are none in a batch of one."""

    text: str
    mistakes: tuple[Mistake, ...] = field(default_factory=tuple)

    def planted(self, mistake: Mistake | None) -> str:
        if mistake is None:
            return self.text
        assert self.text.count(mistake.right) == 1, (mistake.name, self.text.count(mistake.right))
        return self.text.replace(mistake.right, mistake.wrong)

    def made(self, sizes: Sizes, mistake: Mistake | None = None) -> tuple[tuple[Any, ...], dict]:
        """What `check_backward` is called with, and its settings."""
        space: dict[str, Any] = {"np": np}
        exec(compile(self.planted(mistake), "layer", "exec"), space)
        made = space["make"](np.random.default_rng(7), sizes.n, sizes.d, sizes.k)
        return made if isinstance(made[-1], dict) else (made, {})
