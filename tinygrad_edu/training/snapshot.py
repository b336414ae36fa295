"""A model and its optimizer as they were after some epoch."""

from __future__ import annotations

import copy
from typing import Any

from tinygrad_edu.module import every_module


class Snapshot:
    """Parameters and buffers of a model, the optimizer's states, and the generator of a loader.

    Steps give parameters new arrays, so these need no copy; buffers are copied.
    """

    def __init__(self, model: Any, optimizer: Any, loader: Any = None) -> None:
        self.optimizer, self.rng = optimizer, getattr(loader, "rng", None)
        self.data = [p.data for p in optimizer.parameters]
        self.buffers = [
            (module, name, copy.deepcopy(getattr(module, name)))
            for module in every_module(model, set())
            for name in module.buffers
        ]
        self.states, self.steps = [list(state) for state in optimizer.states], optimizer.steps
        if self.rng is not None:
            self.random = copy.deepcopy(self.rng.bit_generator.state)

    def restore_model(self) -> None:
        """Put back parameters and buffers."""
        for p, data in zip(self.optimizer.parameters, self.data, strict=True):
            p.data = data
        for module, name, value in self.buffers:
            setattr(module, name, copy.deepcopy(value))

    def restore(self) -> None:
        """Put back all of it."""
        self.restore_model()
        for state, old in zip(self.optimizer.states, self.states, strict=True):
            state[:] = old
        self.optimizer.steps = self.steps
        if self.rng is not None:
            self.rng.bit_generator.state = self.random

    def contents(self) -> dict[str, Any]:
        """Parameters and buffers under their numbers, as a checkpoint holds them."""
        values = [*self.data, *(value for _, _, value in self.buffers)]
        return {str(i): value for i, value in enumerate(values)}

    def take(self, contents: dict[str, Any]) -> None:
        """Take what `contents` gave, from a checkpoint."""
        values = [contents[str(i)] for i in range(len(contents))]
        count = len(self.data)
        self.data = values[:count]
        self.buffers = [
            (module, name, value)
            for (module, name, _), value in zip(self.buffers, values[count:], strict=True)
        ]
