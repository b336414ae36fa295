"""A function that another library differentiates: what is moved, and both of its passes.

A pass runs on copies of the inputs. The backward pass is the library's own, in the dtypes that were
given; numerical derivatives come from forward passes in float64.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_edu.check.kinds import precision
from tinygrad_edu.check.steady import Steady
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.rules.operand_types import Array


@dataclass(frozen=True, eq=False)
class LibraryVariable:
    """An input or a parameter whose gradient is checked: its numbers, in float64, and their dtype.

    `position` is its place among all that the inputs hold, -1 for a parameter. `may_lack` says that
    no gradient for it is not a mistake, as for labels.
    """

    name: str
    numbers: Array
    dtype: str
    position: int = -1
    may_lack: bool = False


LibraryPullback = Callable[[list[Array]], list[Array | None]]


class LibraryFunction:
    """A function with its inputs, in one library.

    `faults` are what the runs found besides, such as an input that was written into.
    """

    library = ""
    how = ""
    """How the gradients are found, for the report."""
    refusal = "never"
    """A pattern of the errors with which the library refuses what a backward pass returned."""

    def __init__(self, f: Callable[..., Any], inputs: Sequence[Any], names: Sequence[str]) -> None:
        self.f, self.inputs = f, inputs
        held = [
            pair for x, name in zip(inputs, names, strict=True) for pair in leaves_of_input(x, name)
        ]
        self.names = [name for name, _ in held]
        self.leaves = [self.own(x) for _, x in held]
        if not any(map(self.is_array, self.leaves)):  # f(0.5): the numbers are what is meant
            self.leaves = [
                self.own(np.float64(x)) if isinstance(x, float) else x for x in self.leaves
            ]
        self.faults: list[str] = []
        self.steady = Steady(f)
        self._shapes: list[tuple[int, ...]] = []
        self.variables = self.variables_found()

    # --- what a library says ---------------------------------------------------------------------

    def own(self, x: Any) -> Any:
        """A number or an array of NumPy, or a node, as the library has it; anything else stays."""
        raise NotImplementedError

    def is_array(self, x: Any) -> bool:
        """Whether x is an array of the library with floating numbers, which can be moved."""
        raise NotImplementedError

    def numbers_of(self, x: Any) -> Array:
        """The numbers of an array of the library, with its dtype."""
        raise NotImplementedError

    def run_both(self, precise: bool) -> tuple[list[Array], LibraryPullback]:
        """A forward pass, its results, and the backward pass: in the dtypes that were given, or in
        float64."""
        raise NotImplementedError

    def run_forward(
        self, precise: bool, variable: LibraryVariable | None, numbers: Array | None
    ) -> list[Array]:
        """A forward pass with other numbers for a variable; a precise one is in float64."""
        raise NotImplementedError

    def look_closer(self, adjoint: Array, gradients: Sequence[Array | None]) -> None:
        """Note faults that only this library can have."""

    # --- what is the same for all ----------------------------------------------------------------

    def variables_found(self) -> list[LibraryVariable]:
        """The arrays among the inputs."""
        return [
            LibraryVariable(name, np.array(numbers, np.float64), precision(numbers), i)
            for i, (name, x) in enumerate(zip(self.names, self.leaves, strict=True))
            if self.is_array(x)
            for numbers in [self.numbers_of(x)]
        ]

    def record(self, precise: bool = False) -> tuple[Array, Callable[[Array], list[Array | None]]]:
        """A forward pass: its result, and the backward pass from an adjoint to the gradient of each
        variable. Several results are one array of all their numbers."""
        self.steady.put_back()
        results, pullback = self.run_both(precise)
        self._shapes = [y.shape for y in results]
        return _one_array(results), lambda adjoint: pullback(self._parted(adjoint))

    @functools.cached_property
    def takes_float64(self) -> bool:
        """Whether it runs in float64, and gives nearly the same there."""
        expected = self.record()[0]
        try:
            y = self._values(True, None, None)
        except Exception:  # it insists on its own dtype
            return False
        size = np.max(np.abs(expected), initial=0.0)
        return y.shape == expected.shape and bool((np.abs(y - expected) <= 1e-2 * size).all())

    def values(self, variable: LibraryVariable | None, numbers: Array | None) -> Array:
        """The result for other numbers in a variable, in float64 if the function takes that."""
        return self._values(self.takes_float64, variable, numbers)

    def _values(
        self, precise: bool, variable: LibraryVariable | None, numbers: Array | None
    ) -> Array:
        self.steady.put_back()
        return _one_array(self.run_forward(precise, variable, numbers))

    def parts(self) -> list[slice]:
        """Where each of the results is in the one array of all numbers."""
        ends = [0, *np.cumsum([math.prod(shape) for shape in self._shapes]).tolist()]
        return [slice(start, end) for start, end in itertools.pairwise(ends)]

    def _parted(self, adjoint: Array) -> list[Array]:
        if len(self._shapes) == 1:
            return [adjoint.copy()]  # torch takes no view that runs backwards
        return [
            adjoint[part].reshape(shape).copy()
            for part, shape in zip(self.parts(), self._shapes, strict=True)
        ]


def _one_array(results: Sequence[Array]) -> Array:
    if len(results) == 1:
        return results[0]
    return np.concatenate([y.ravel() for y in results]) if results else np.empty(0)


# --- inputs and results that are lists, tuples and dicts -----------------------------------------


def leaves_of_input(x: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """All that a list, tuple or dict holds, also inside others, by name: `params.W`."""
    if isinstance(x, dict):
        parts: Iterator[tuple[Any, Any]] = iter(x.items())
    elif isinstance(x, list | tuple):
        parts = enumerate(x)
    else:
        yield name, x.data if isinstance(x, Node) else x
        return
    for key, part in parts:
        yield from leaves_of_input(part, f"{name}.{key}")


def refilled(x: Any, leaves: Iterator[Any]) -> Any:
    """The same list, tuple or dict with other leaves, in order."""
    if isinstance(x, dict):
        filled = {key: refilled(part, leaves) for key, part in x.items()}
        return filled if type(x) is dict else type(x)(filled)
    if isinstance(x, list | tuple):
        items = [refilled(part, leaves) for part in x]
        return type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
    return next(leaves)
