"""Steps: what a graph calls, on which of its leaves and earlier results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tinygrad_edu.testing.domains import Function


@dataclass(frozen=True)
class Place:
    """The leaf or result at this index of a graph; any other operand is a constant."""

    index: int


@dataclass(frozen=True)
class Step:
    """One call: a function of operands, which are places and constants, with settings."""

    function: Function
    operands: tuple[Any, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def places(self) -> list[int]:
        """The indices of what it is a function of."""
        return [x.index for x in self.operands if type(x) is Place]

    def run(self, nodes: list[Any]) -> Any:
        """The result, on nodes, numbers or arrays."""
        operands = [nodes[x.index] if type(x) is Place else x for x in self.operands]
        return self.function(*operands, **self.settings)
