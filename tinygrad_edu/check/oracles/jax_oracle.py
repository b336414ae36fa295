"""JAX: every rule with a function of jax.numpy or jax.nn, differentiated by `jax.vjp`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from tinygrad_edu.check.oracles.foreign import Found, Oracle
from tinygrad_edu.check.oracles.numpy_names import cross_entropies, functions_of
from tinygrad_edu.rules.operand_types import Array

jax: Any = import_module("jax")
jnp: Any = import_module("jax.numpy")


def with_64_bits() -> Any:
    """A block in which jax has 64 bits, whatever the user has set."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    return import_module("jax.experimental").enable_x64()  # before jax 0.8


class JaxOracle(Oracle):
    name = "jax"
    modules = ("jax.numpy", "jax.scipy.special")

    def differentiate(
        self, f: Callable[..., Any], inputs: Sequence[Array], adjoint: Array
    ) -> Found:
        with with_64_bits():
            y, pullback = jax.vjp(f, *(jnp.asarray(x, jnp.float64) for x in inputs))
            value = np.array(y)
            if value.shape != adjoint.shape:
                return Found(value, None)
            found = pullback(jnp.asarray(adjoint, y.dtype))
            return Found(value, [np.array(g) for g in found])

    def constant(self, x: Any) -> Any:
        x = np.asarray(x)
        return jnp.asarray(x if x.dtype == bool else x.astype(np.float64))

    def plain(self, x: Any) -> Array:
        return np.array(jax.lax.stop_gradient(x))


def jax_oracle() -> Oracle:
    nn = import_module("jax.nn")
    return JaxOracle({
        **functions_of(jnp), "relu": nn.relu, "leaky_relu": nn.leaky_relu, "sigmoid": nn.sigmoid,
        "softplus": nn.softplus, "softmax": nn.softmax, "log_softmax": nn.log_softmax,
        "logsumexp": nn.logsumexp, "prod": jnp.prod, **cross_entropies(nn.log_softmax),
    })  # fmt: skip
