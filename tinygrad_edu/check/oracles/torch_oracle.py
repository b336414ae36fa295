"""PyTorch: every rule with torch's own function, and torch's own backward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from tinygrad_edu.check.oracles.foreign import Found, Oracle
from tinygrad_edu.check.oracles.indices import (
    axes_of,
    brought_last,
    places,
    reduced,
    window_places,
    with_new_axes,
    without_axes,
)
from tinygrad_edu.rules.operand_types import Array, Axis

torch: Any = import_module("torch")


class TorchOracle(Oracle):
    name = "torch"
    modules = ("torch",)

    def differentiate(
        self, f: Callable[..., Any], inputs: Sequence[Array], adjoint: Array
    ) -> Found:
        with torch.inference_mode(False), torch.enable_grad():
            given = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in inputs]
            y = f(*given)
            if not isinstance(y, torch.Tensor):
                raise TypeError(
                    f"compare: the function for torch returned {type(y).__name__}, not a "
                    "torch.Tensor; a number taken out of a tensor has no derivative"
                )
            value = self.plain(y)
            if value.shape != adjoint.shape:
                return Found(value, None)
            found: Sequence[Any] = [None] * len(given)
            if y.requires_grad:
                weights = torch.tensor(adjoint).to(y)
                found = torch.autograd.grad(y, given, weights, allow_unused=True)
        zeros = [np.zeros(x.shape) for x in inputs]
        return Found(
            value,
            [z if g is None else self.plain(g) for g, z in zip(found, zeros, strict=True)],
        )

    def constant(self, x: Any) -> Any:
        x = np.array(x)
        return torch.tensor(x if x.dtype == bool else x.astype(np.float64))

    def plain(self, x: Any) -> Array:
        return np.array(x.detach().cpu().numpy())


def _torch_where(condition: Any, x: Any, y: Any) -> Any:
    return torch.where(condition.bool(), x, y)


def _clamp(x: Any, min: Any = None, max: Any = None) -> Any:
    low, high = (None if end is None else torch.as_tensor(end, dtype=x.dtype) for end in (min, max))
    return x if low is high is None else torch.clamp(x, low, high)


def _of_axes(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of torch with `dim` and `keepdim` under NumPy's names."""

    def reduce(x: Any, axis: Axis = None, keepdims: bool = False, **settings: Any) -> Any:
        if x.ndim == 0:  # for torch, no axes means all of them
            return function(x.reshape(1), dim=0, keepdim=False, **settings)
        return function(x, dim=axes_of(axis, x.ndim), keepdim=keepdims, **settings)

    return reduce


def _spread_along(function: Callable[..., Any]) -> Callable[..., Any]:
    reduce = _of_axes(lambda x, ddof, **where: function(x, correction=ddof, **where))

    def spread(x: Any, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Any:
        return reduce(x, axis, keepdims, ddof=ddof)

    return spread


def _prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    order, shape = brought_last(tuple(x.shape), axis)
    return x.permute(order).reshape(shape).prod(-1).reshape(reduced(tuple(x.shape), axis, keepdims))


def _cumsum(x: Any, axis: int | None = None) -> Any:
    return x.reshape(-1).cumsum(0) if axis is None else x.cumsum(axis)


def _softmax_along(function: Callable[..., Any]) -> Callable[..., Any]:
    """torch's function of one axis, for several."""

    def along(x: Any, axis: Axis = -1) -> Any:
        if isinstance(axis, int):
            return function(x, dim=axis)
        order, shape = brought_last(tuple(x.shape), axis)
        moved = x.permute(order)
        back = [int(i) for i in np.argsort(order)]
        return function(moved.reshape(shape), dim=-1).reshape(moved.shape).permute(back)

    return along


def _cross_entropy(logits: Any, target: Any, reduction: str = "mean") -> Any:
    classes = logits.shape[-1]
    if tuple(target.shape) == tuple(logits.shape):
        target = target.reshape(-1, classes)
    else:
        target = target.reshape(-1)
    y = torch.nn.functional.cross_entropy(logits.reshape(-1, classes), target, reduction=reduction)
    return y.reshape(logits.shape[:-1]) if reduction == "none" else y


def _cross_entropy_of_labels(logits: Any, labels: Any, reduction: str = "mean") -> Any:
    return _cross_entropy(logits, torch.as_tensor(np.array(labels, np.int64)), reduction)


def _cross_entropy_of_some_labels(
    logits: Any, labels: Any, ignore_index: int, reduction: str = "mean"
) -> Any:
    labels = torch.as_tensor(np.array(labels, np.int64))
    rows, flat = logits.reshape(-1, logits.shape[-1]), labels.reshape(-1)
    y = torch.nn.functional.cross_entropy(
        rows, flat, reduction=reduction, ignore_index=ignore_index
    )
    return y.reshape(labels.shape) if reduction == "none" else y


def _taken(x: Any, index: Any) -> Any:
    where = torch.as_tensor(places(index, tuple(x.shape)))
    return x.reshape(-1)[where]


def _added_at(x: Any, index: Any, shape: Any) -> Any:
    where = torch.as_tensor(places(index, tuple(np.empty(shape, bool).shape)).ravel())
    y = torch.zeros(int(np.prod(shape)), dtype=x.dtype)
    return y.index_add(0, where, x.broadcast_to(places(index, shape).shape).reshape(-1)).reshape(
        shape
    )


def _unfolded(x: Any, shape: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    ends = [end for end in reversed(padding) for _ in range(2)]
    x = torch.nn.functional.pad(x, ends)
    first = x.ndim - len(shape)
    for i, (size, step, apart) in enumerate(zip(shape, stride, dilation, strict=True)):
        x = x.unfold(first + i, apart * (size - 1) + 1, step)[..., ::apart]
    return x


def _window_sums(x: Any, shape: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    settings = {"shape": tuple(x.shape[-len(stride) :]), "stride": stride, "padding": padding,
                "dilation": dilation}  # fmt: skip
    where = torch.as_tensor(window_places(tuple(shape), settings).ravel())
    y = torch.zeros(int(np.prod(shape)) + 1, dtype=x.dtype)
    return y.index_add(0, where, x.reshape(-1))[:-1].reshape(shape)


def torch_oracle() -> Oracle:
    return TorchOracle({
        "power": torch.pow,
        "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
        "leaky_relu": torch.nn.functional.leaky_relu, "where": _torch_where, "clip": _clamp,
        "sum": _of_axes(torch.sum), "mean": _of_axes(torch.mean), "max": _of_axes(torch.amax),
        "min": _of_axes(torch.amin), "logsumexp": _of_axes(torch.logsumexp),
        "var": _spread_along(torch.var), "std": _spread_along(torch.std),
        "prod": _prod, "cumsum": _cumsum,
        "softmax": _softmax_along(torch.softmax), "log_softmax": _softmax_along(torch.log_softmax),
        "softmax_cross_entropy": _cross_entropy,
        "softmax_cross_entropy_of_labels": _cross_entropy_of_labels,
        "softmax_cross_entropy_of_some_labels": _cross_entropy_of_some_labels,
        "affine": lambda x, weight, bias: torch.matmul(x, weight) + bias,
        "einsum": lambda *xs, subscripts: torch.einsum(subscripts, *xs),
        "broadcast_to": lambda x, shape: x.broadcast_to(
            np.empty(shape, bool).shape
        ),
        "transpose": lambda x, axes=None: x.permute(
            [*reversed(range(x.ndim))] if axes is None else list(axes)
        ),
        "reshape": lambda x, shape: x.reshape(shape),
        "squeeze": lambda x, axis=None: x.reshape(without_axes(tuple(x.shape), axis)),
        "expand_dims": lambda x, axis: x.reshape(with_new_axes(tuple(x.shape), axis)),
        "concatenate": lambda *xs, axis=0: torch.cat(xs, dim=axis),
        "stack": lambda *xs, axis=0: torch.stack(xs, dim=axis),
        "getitem": _taken, "put": _added_at, "windows": _unfolded, "add_windows": _window_sums,
    })  # fmt: skip
