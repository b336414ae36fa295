"""What a layer of the corpus is: its text, how a person runs it, and mistakes to be planted.

How it is run stands beside the text and is read by the oracle of `differences.py` alone: the
checker sees only what `make` gives.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Mistake:
    """`words` is a pattern of what the report has to say. Other explanations are false, but for
    those of `also`: of what follows from the mistake in other gradients. `aside` is a mistake in
    what the code does besides, which changes no gradient."""

    name: str
    right: str
    wrong: str
    words: str
    also: str = ""
    aside: bool = False

    def __str__(self) -> str:
        return self.name


m = Mistake
"""A short name for the tables of mistakes."""


@dataclass(frozen=True)
class HandWritten:
    """A layer as text. `make(rng)` gives what `check_backward` is called with, `given` names it.

    `forward` is code that sets `out`, a tuple of them for several outputs; `backward` is code that
    uses `dout`; `gradients` gives pairs, `W: dW`, of an array and its gradient after both.
    `is_lazy` says that the first forward pass makes the parameters.
    """

    text: str
    given: str
    forward: str
    backward: str
    gradients: str
    mistakes: tuple[Mistake, ...]
    is_lazy: bool = False

    def planted(self, mistake: Mistake | None) -> str:
        if mistake is None:
            return self.text
        count = self.text.count(mistake.right)
        assert count == 1, f"{mistake.name}: {mistake.right!r} stands {count} times in the text"
        return self.text.replace(mistake.right, mistake.wrong)

    def space(self, mistake: Mistake | None = None, edit: Any = str) -> dict[str, Any]:
        """The names that the text defines, with a mistake planted, and edited."""
        names: dict[str, Any] = {"np": np, "__name__": "layer"}
        exec(compile(edit(self.planted(mistake)), "layer", "exec", dont_inherit=True), names)
        return names


class Draws:
    """A generator of random numbers that gives them in one dtype."""

    def __init__(self, seed: int, dtype: str = "float64") -> None:
        self.rng, self.dtype = np.random.default_rng(seed), dtype

    def normal(self, *shape: int) -> Any:
        return self.rng.normal(size=shape).astype(self.dtype)

    def uniform(self, low: float, high: float, *shape: int) -> Any:
        return self.rng.uniform(low, high, size=shape).astype(self.dtype)

    def integers(self, high: int, *shape: int) -> Any:
        return self.rng.integers(0, high, shape)

    def one_hot(self, n: int, classes: int) -> Any:
        return np.eye(classes, dtype=self.dtype)[self.integers(classes, n)]


def made(space: dict[str, Any], seed: int, dtype: str = "float64") -> tuple[tuple[Any, ...], dict]:
    """What `check_backward` is called with, and its settings."""
    np.random.seed(seed)
    given = space["make"](Draws(seed, dtype))
    return given if isinstance(given[-1], dict) and len(given) == 2 else (given, {})
