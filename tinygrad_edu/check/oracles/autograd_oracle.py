"""autograd: every rule with functions of autograd.numpy, differentiated by `make_vjp`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from tinygrad_edu.check.oracles.foreign import Found, Oracle
from tinygrad_edu.check.oracles.numpy_names import cross_entropies, functions_of
from tinygrad_edu.rules.operand_types import Array, Axis

autograd: Any = import_module("autograd")
anp: Any = import_module("autograd.numpy")
getval: Any = import_module("autograd.tracer").getval


class AutogradOracle(Oracle):
    name = "autograd"
    modules = ("autograd.numpy", "autograd.scipy.special")

    def differentiate(
        self, f: Callable[..., Any], inputs: Sequence[Array], adjoint: Array
    ) -> Found:
        given = [self._own(x) for x in inputs]
        y = f(*given)
        if np.asarray(y).dtype.kind not in "fiub":
            raise TypeError(
                f"compare: the function for autograd returned {type(y).__name__}, not numbers"
            )
        value = np.array(y, np.float64)
        if value.shape != adjoint.shape:
            return Found(value, None)
        gradients = []
        for i, x in enumerate(inputs):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Output seems independent of input")
                pullback, _ = autograd.make_vjp(f, i)(*given)
            gradients.append(np.array(pullback(self._own(adjoint)), np.float64).reshape(x.shape))
        return Found(value, gradients)

    @staticmethod
    def _own(x: Array) -> Any:
        """A copy as autograd takes it: a NumPy number for a single one."""
        return np.array(x, np.float64) if x.ndim else np.float64(x)

    def constant(self, x: Any) -> Any:
        x = np.array(x)
        return x if x.dtype == bool else x.astype(np.float64)

    def plain(self, x: Any) -> Array:
        while x is not getval(x):  # boxes inside boxes
            x = getval(x)
        return np.array(x)


def _stable_logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    top = np.max(getval(x), axis=axis, keepdims=True)
    y = anp.log(anp.sum(anp.exp(x - top), axis=axis, keepdims=True)) + top
    return y if keepdims else anp.reshape(y, np.squeeze(top, axis).shape)


def _stable_log_softmax(x: Any, axis: Axis = -1) -> Any:
    return x - _stable_logsumexp(x, axis=axis, keepdims=True)


def autograd_oracle() -> Oracle:
    return AutogradOracle({
        **functions_of(anp), "logsumexp": _stable_logsumexp, "log_softmax": _stable_log_softmax,
        "softmax": lambda x, axis=-1: anp.exp(_stable_log_softmax(x, axis)),
        **cross_entropies(_stable_log_softmax),
    })  # fmt: skip
