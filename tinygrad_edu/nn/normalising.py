"""Layers that keep activations in bounds: normalisation, and dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinygrad_edu import rules
from tinygrad_edu.data.data_sets import generator
from tinygrad_edu.engine.contexts import Watch
from tinygrad_edu.engine.observers import innermost
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.module import Module, check_width
from tinygrad_edu.nn.dense import as_tensor, folded

if TYPE_CHECKING:
    from tinygrad_edu.data.data_sets import Rng


def _normalized_lengths(layer: str, normalized_shape: Any) -> tuple[int, ...]:
    """The lengths of the last axes over which a layer normalises."""
    lengths = normalized_shape if isinstance(normalized_shape, list | tuple) else [normalized_shape]
    return tuple(check_width(f"{layer}: normalized_shape", n) for n in lengths)


def _last_axes(layer: str, x: Any, lengths: tuple[int, ...]) -> tuple[int, ...]:
    """The axes to normalise over. ValueError if they have other lengths."""
    n = len(lengths)
    if x.shape[-n:] != lengths:
        raise ValueError(
            f"{layer}: the input has shape {x.shape}; its last {n} axes must be {lengths}, the "
            "normalized_shape"
        )
    return tuple(range(-n, 0))


class LayerNorm(Module):
    """(x - mean) / √(var + eps) · weight + bias over the last axes (Ba et al. 2016).

    `normalized_shape` is the length of the last axis, or those of several. The weight starts at 1,
    the bias at 0, both of that shape. ValueError for an input with other lengths.
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        self.normalized_shape = _normalized_lengths("LayerNorm", normalized_shape)
        self.eps = float(eps)
        ones = Tensor(np.ones(self.normalized_shape), "weight", dtype)
        zeros = Tensor(np.zeros(self.normalized_shape), "bias", dtype)
        self.weight = ones if elementwise_affine else None
        self.bias = zeros if elementwise_affine and bias else None

    @folded
    def __call__(self, x: Any) -> Tensor:
        x = as_tensor(x)
        axes = _last_axes("LayerNorm", x, self.normalized_shape)
        spread = rules.sqrt(x.var(axis=axes, keepdims=True) + self.eps)
        return _scaled((x - x.mean(axis=axes, keepdims=True)) / spread, self.weight, self.bias)


class RMSNorm(Module):
    """x / √(mean(x²) + eps) · weight over the last axes (Zhang & Sennrich 2019).

    Without `eps` it is the distance of 1 from the next number of the dtype, as in torch.
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        self.normalized_shape = _normalized_lengths("RMSNorm", normalized_shape)
        self.eps = eps if eps is None else float(eps)
        ones = Tensor(np.ones(self.normalized_shape), "weight", dtype)
        self.weight = ones if elementwise_affine else None

    @folded
    def __call__(self, x: Any) -> Tensor:
        x = as_tensor(x)
        axes = _last_axes("RMSNorm", x, self.normalized_shape)
        eps = float(np.finfo(x.dtype).eps) if self.eps is None else self.eps
        size = rules.sqrt((x * x).mean(axis=axes, keepdims=True) + eps)
        return _scaled(x / size, self.weight, None)


def _scaled(x: Any, weight: Any, bias: Any) -> Tensor:
    y: Tensor = x if weight is None else x * weight
    return y if bias is None else y + bias


class BatchNorm1d(Module):
    """(x - mean) / √(var + eps) · weight + bias, over the batch (Ioffe & Szegedy 2015).

    Inputs are (N, num_features) or (N, num_features, L). In training the mean and the variance are
    those of the batch, and `running_mean` and `running_var` move towards them by the part
    `momentum`; without momentum they are the averages of all batches. After `eval()` the running
    ones are used. They are saved with the parameters. As in torch, the batch is divided by its
    variance over n, and the running variance is that over n - 1. ValueError for inputs of another
    shape, and for a single sample in training.
    """

    buffers = ("running_mean", "running_var", "num_batches_tracked")

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        *,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        n = check_width("BatchNorm1d: num_features", num_features)
        self.eps, self.momentum = float(eps), momentum
        self.weight = Tensor(np.ones(n), "weight", dtype) if affine else None
        self.bias = Tensor(np.zeros(n), "bias", dtype) if affine else None
        self.running_mean = np.zeros(n, dtype)
        self.running_var = np.ones(n, dtype)
        self.num_batches_tracked = 0

    @folded
    def __call__(self, x: Any) -> Tensor:
        x = as_tensor(x)
        features = len(self.running_mean)
        if x.ndim not in (2, 3) or x.shape[1] != features:
            raise ValueError(
                f"BatchNorm1d: the input has shape {x.shape}; expected (N, {features}) or "
                f"(N, {features}, L)"
            )
        axes = (0, 2) if x.ndim == 3 else (0,)
        column = (-1, 1) if x.ndim == 3 else (-1,)
        if self.training:
            mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
            self._track(mean.data.ravel(), variance.data.ravel(), x.size // features)
        else:
            mean = self.running_mean.reshape(column)
            variance = self.running_var.reshape(column)
        y = (x - mean) / rules.sqrt(variance + self.eps)
        weight, bias = (p if p is None else p.reshape(column) for p in (self.weight, self.bias))
        return _scaled(y, weight, bias)

    def _track(self, mean: Any, variance: Any, n: int) -> None:
        """Move the running statistics towards those of a batch with n numbers a feature."""
        if n < 2:
            raise ValueError(
                "BatchNorm1d: one number a feature has no variance; give a batch of at least 2, or "
                "call eval() on the model first"
            )
        refuse_replay(self, "its running statistics change at every call")
        self.num_batches_tracked += 1
        part = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean = self.running_mean * (1 - part) + mean * part
        self.running_var = self.running_var * (1 - part) + variance * (part * n / (n - 1))


class Dropout(Module):
    """In training each element is 0 with the probability p, and x / (1 - p) otherwise, so that the
    mean stays (Srivastava et al. 2014). After `eval()` it changes nothing.

    `rng`, a generator or a seed, draws the elements, and is saved with the model. ValueError unless
    p is from 0 to 1.
    """

    buffers = ("rng",)

    def __init__(self, p: float = 0.5, *, rng: Rng = None) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p is {p!r}; it is a probability, from 0 to 1")
        self.p = float(p)
        self.rng = generator("Dropout", rng)

    def __call__(self, x: Any) -> Tensor:
        x = as_tensor(x)
        if not self.training or not self.p:
            kept: Tensor = x
            return kept
        refuse_replay(self, "it draws other elements at every call")
        factor = 1 / (1 - self.p) if self.p < 1 else 0.0
        mask = np.where(self.rng.random(x.shape) < self.p, 0.0, factor)
        dropped: Tensor = x * mask.astype(x.dtype)
        return dropped


def refuse_replay(layer: Module, why: str) -> None:
    """RuntimeError while a replay records: it would do once what the layer does at every call."""
    if innermost(Watch) is not None:
        raise RuntimeError(
            f"{type(layer).__name__}: {why}, which a replay cannot do again; record every step, or "
            "call eval() on the model first"
        )
