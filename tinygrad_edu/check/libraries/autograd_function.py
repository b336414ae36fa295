"""autograd: functions of autograd.numpy, and primitives with `defvjp`, by `make_vjp`."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np

from tinygrad_edu.check.kinds import undisturbed
from tinygrad_edu.check.libraries.library_function import (
    LibraryFunction,
    LibraryPullback,
    LibraryVariable,
    leaves_of_input,
    refilled,
)
from tinygrad_edu.check.oracles.autograd_oracle import autograd, getval
from tinygrad_edu.rules.operand_types import Array


class AutogradFunction(LibraryFunction):
    """A function of NumPy arrays, which autograd puts in boxes."""

    library = "autograd"
    how = "autograd.make_vjp"

    def own(self, x: Any) -> Any:
        return np.array(x)[()] if isinstance(x, np.ndarray | np.number) else x

    def is_array(self, x: Any) -> bool:
        return isinstance(x, np.ndarray | np.floating) and x.dtype in (np.float32, np.float64)

    def numbers_of(self, x: Any) -> Array:
        return np.array(getval(x))

    def run_both(self, precise: bool) -> tuple[list[Array], LibraryPullback]:
        values = self._results(precise, None, None)

        def gradients(adjoints: list[Array]) -> list[Array | None]:
            return [self._gradient(precise, v, adjoints) for v in self.variables]

        return [np.array(y) for y in values], gradients

    def _gradient(
        self, precise: bool, variable: LibraryVariable, adjoints: list[Array]
    ) -> Array | None:
        """The sum over all results; None if a primitive has no vjp for the variable."""
        parts = []
        x = np.array(variable.numbers, None if precise else variable.dtype)[()]
        for i, adjoint in enumerate(adjoints):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Output seems independent of input")
                try:
                    pullback, y = autograd.make_vjp(partial(self._result, i, precise, variable))(x)
                    parts.append(np.array(pullback(np.array(adjoint, y.dtype)[()])))
                except NotImplementedError as error:
                    if "VJP of" not in str(error):
                        raise
                    return None
        return np.asarray(sum(parts))

    def run_forward(
        self, precise: bool, variable: LibraryVariable | None, numbers: Array | None
    ) -> list[Array]:
        x = None if variable is None else np.array(numbers, None if precise else variable.dtype)[()]
        return [np.array(y, np.float64) for y in self._results(precise, variable, x)]

    def _result(self, i: int, precise: bool, variable: LibraryVariable, x: Any) -> Any:
        return self._results(precise, variable, x)[i]

    def _results(self, precise: bool, variable: LibraryVariable | None, x: Any) -> list[Any]:
        """What the function gives, with an array or a box in the place of a variable."""
        leaves = [
            np.array(y, np.float64 if precise and self.is_array(y) else None)[()]
            if isinstance(y, np.ndarray)
            else y
            for y in self.leaves
        ]
        given = list(leaves)
        if variable is not None:
            given[variable.position] = x
        with undisturbed():
            y = self.f(*refilled(list(self.inputs), iter(given)))
        for name, now, before in zip(self.names, leaves, self.leaves, strict=True):
            if isinstance(before, np.ndarray) and not np.array_equal(now, before, equal_nan=True):
                self.faults.append(f"{name}: the function wrote into it; work on a copy")
        return [y for _, y in leaves_of_input(y) if np.asarray(getval(y)).dtype.kind == "f"]
