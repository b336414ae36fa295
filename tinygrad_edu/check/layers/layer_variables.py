"""What has a gradient: the inputs of a layer, and the parameters that it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_edu.check.layers.reached import LayerSlot
from tinygrad_edu.check.layers.structures import PartPath, is_list_of_numbers, is_numbers
from tinygrad_edu.rules.operand_types import Array


@dataclass(eq=False)
class Variable:
    """An input or a parameter: its numbers as they were given, and the gradient that was found.

    `left_before` is what stood in the place of the gradient before, and `added` says that backward
    adds to it. `change` is what a pass did to its numbers, and `held` are the arrays that stand for
    it during a pass. `aside` says that it is checked only if it has a gradient, `source` is the
    place in which that was found, if it was not returned.
    """

    name: str
    given: Array
    position: int = -1
    path: PartPath = ()
    slots: list[LayerSlot] = field(default_factory=list)
    named: bool = False
    aside: bool = False
    held: list[Any] = field(default_factory=list)
    gradient: Any = None
    source: Place | None = None
    left_before: Array | None = None
    added: bool = False
    is_step: bool = False
    """The gradient is a step that backward made itself, rounded with its parameter."""
    change: str = ""

    @property
    def is_input(self) -> bool:
        return self.position >= 0

    @property
    def floating(self) -> bool:
        """Whether it was given as floating numbers, which integers are only if somebody says so."""
        return self.given.dtype.kind == "f"

    def takes(self, gradient: Any) -> bool:
        """Whether a gradient has the shape of the variable. A number will do for shape (1,), and
        that of a parameter may lack leading axes of length 1: `b -= rate * db` works with it."""
        if not (is_numbers(gradient) or is_list_of_numbers(gradient)):
            return False
        shape, missing = np.shape(gradient), self.given.ndim - np.ndim(gradient)
        if self.is_input and self.given.shape != (1,):
            missing = 0
        return bool(self.given.shape == (1,) * missing + shape)

    @property
    def names(self) -> list[str]:
        """All names it goes by: its own, where it is held, and the last parts of those."""
        paths = [self.name, *(slot.path for slot in self.slots)]
        return list(dict.fromkeys([*paths, *(path.rpartition(".")[2] for path in paths)]))

    @property
    def own_name(self) -> str:
        """The name without what it belongs to: W1 for params.W1."""
        return self.name.rpartition(".")[2]


def labels_of(variables: Sequence[Variable], names: Sequence[str]) -> list[str]:
    """What parts of inputs are called: by their key in a dict, unless several have that."""
    keys = [v.path[-1] if v.path else "" for v in variables]
    labels = []
    for v, key in zip(variables, keys, strict=True):
        steps = (f".{k}" if isinstance(k, str) else f"[{k}]" for k in v.path)
        short = isinstance(key, str) and key and keys.count(key) == 1
        labels.append(key if short else names[v.position] + "".join(steps))
    return labels


@dataclass(eq=False)
class Place:
    """A place in which a backward pass may have left a gradient, with a copy of what is there now,
    and of what was there before it ran."""

    holder: Any
    key: Any
    path: str
    array: Any
    value: Any
    before: Any
    changed: bool
