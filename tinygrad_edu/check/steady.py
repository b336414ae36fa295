"""Functions that draw random numbers: they draw the same ones at every call."""

from __future__ import annotations

import functools
import random
import sys
from collections.abc import Callable
from typing import Any

from tinygrad_edu.check.kinds import undisturbed


class Steady:
    """A function for which random generators stand at every call where they stood at first: the
    global ones, and those that it holds or finds around it."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = f
        self._moves: bool | None = None  # whether it draws from the global ones
        self._own = _generators_of(f)

    def function(self) -> Callable[..., Any]:
        """The function with its name and signature."""

        @functools.wraps(self.f, updated=())
        def call(*args: Any) -> Any:
            return self(*args)

        return call

    def __call__(self, *args: Any) -> Any:
        self.put_back()
        if self._moves is False:  # putting them back costs more than many a function does
            return self.f(*args)
        before = _global_states()
        with undisturbed():
            y = self.f(*args)
            self._moves = _global_states() != before
        return y

    def put_back(self) -> None:
        """Set the generators of its own back."""
        for draws, state in self._own:
            draws.put(state)


def _generators_of(f: Callable[..., Any]) -> list[tuple[Any, Any]]:
    if not sys.modules.get("numpy"):
        return []
    import numpy as np

    from tinygrad_edu.check.layers.reached import Reached

    every = [draws for draws in Reached([], [f]).draws
             if draws.generator not in (random, np.random)]  # fmt: skip
    return [(draws, draws.state()) for draws in every]


def _global_states() -> tuple[Any, ...]:
    numpy = sys.modules.get("numpy")
    if not numpy:
        return (random.getstate(),)
    name, key, *rest = numpy.random.get_state()
    return random.getstate(), name, key.tobytes(), *rest
