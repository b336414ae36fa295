"""JAX: functions of arrays, `jax.custom_vjp` among them, by `jax.vjp`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_edu.check.kinds import undisturbed
from tinygrad_edu.check.libraries.library_function import (
    LibraryFunction,
    LibraryPullback,
    LibraryVariable,
    refilled,
)
from tinygrad_edu.check.oracles.jax_oracle import jax, jnp, with_64_bits
from tinygrad_edu.rules.operand_types import Array


class JaxFunction(LibraryFunction):
    """A function of JAX arrays."""

    library = "jax"
    how = "jax.vjp"
    refusal = "Custom VJP bwd rule must produce"

    def own(self, x: Any) -> Any:
        return jnp.asarray(x) if isinstance(x, np.ndarray | np.number) else x

    def is_array(self, x: Any) -> bool:
        return isinstance(x, jax.Array) and x.dtype in (np.float32, np.float64)

    def numbers_of(self, x: Any) -> Array:
        return np.array(x)

    def run_both(self, precise: bool) -> tuple[list[Array], LibraryPullback]:
        with undisturbed(), self._bits(precise):
            dtype = jnp.float64 if precise else None
            arrays = [jnp.asarray(v.numbers, dtype or v.dtype) for v in self.variables]
            results, pullback = jax.vjp(lambda *xs: self._results(xs, dtype), *arrays)

        def gradients(adjoints: list[Array]) -> list[Array | None]:
            with undisturbed(), self._bits(precise):
                given = [jnp.asarray(a, y.dtype) for a, y in zip(adjoints, results, strict=True)]
                none = self._declared_none(given)
                return [
                    None if v.position in none else np.array(g)
                    for v, g in zip(self.variables, pullback(given), strict=True)
                ]

        return [np.array(y) for y in results], gradients

    def variables_found(self) -> list[LibraryVariable]:
        """The arrays among the inputs; the backward pass of a custom_vjp may give None for them."""
        may_lack = isinstance(self.f, jax.custom_vjp)
        return [replace(v, may_lack=may_lack) for v in super().variables_found()]

    def _declared_none(self, adjoints: list[Any]) -> set[int]:
        """The inputs for which a custom_vjp gives None, which JAX takes for 0."""
        f = self.f
        if not isinstance(f, jax.custom_vjp) or f.nondiff_argnums:
            return set()
        y, residuals = f.fwd(*refilled(list(self.inputs), iter(self.leaves)))
        form = jax.tree_util.tree_structure(y)
        if form.num_leaves != len(adjoints) or len(self.leaves) != len(self.inputs):
            return set()
        gradients = f.bwd(residuals, jax.tree_util.tree_unflatten(form, adjoints))
        return {i for i, g in enumerate(gradients) if g is None}

    def run_forward(
        self, precise: bool, variable: LibraryVariable | None, numbers: Array | None
    ) -> list[Array]:
        with undisturbed(), self._bits(precise):
            dtype = jnp.float64 if precise else None
            arrays = [
                jnp.asarray(numbers if v is variable else v.numbers, dtype or v.dtype)
                for v in self.variables
            ]
            return [np.array(y, np.float64) for y in self._results(arrays, dtype)]

    @staticmethod
    def _bits(precise: bool) -> AbstractContextManager[Any]:
        """A block with the settings of the user, or one in which JAX has 64 bits."""
        return with_64_bits() if precise else nullcontext()

    def _results(self, arrays: Sequence[Any], dtype: Any) -> list[Any]:
        """The floating arrays that the function gives."""
        leaves = [
            jnp.asarray(np.asarray(x), dtype) if dtype and self.is_array(x) else x
            for x in self.leaves
        ]
        for v, x in zip(self.variables, arrays, strict=True):
            leaves[v.position] = x
        y = self.f(*refilled(list(self.inputs), iter(leaves)))
        parts = jax.tree_util.tree_leaves(y)
        floats = [
            x for x in parts if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jnp.floating)
        ]
        if not floats:
            raise TypeError(f"the function returned {type(y).__name__}, not a floating JAX array")
        return floats
