"""What a replayed epoch changes, so that it can be gone through again."""

from __future__ import annotations

import copy
from typing import Any


class Snapshot:
    """Parameters, the optimizer's states and the generator of a loader, as they are now."""

    def __init__(self, optimizer: Any, loader: Any) -> None:
        self.optimizer, self.rng = optimizer, getattr(loader, "rng", None)
        self.data = [p.data for p in optimizer.parameters]
        self.states, self.steps = [list(state) for state in optimizer.states], optimizer.steps
        if self.rng is not None:
            self.random = copy.deepcopy(self.rng.bit_generator.state)

    def restore(self) -> None:
        """Put all of it back."""
        for p, data in zip(self.optimizer.parameters, self.data, strict=True):
            p.data = data
        for state, old in zip(self.optimizer.states, self.states, strict=True):
            state[:] = old
        self.optimizer.steps = self.steps
        if self.rng is not None:
            self.rng.bit_generator.state = self.random
