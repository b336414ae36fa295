"""What can be checked: numbers, arrays, Values, Tensors, and arrays of other libraries."""

from __future__ import annotations

import contextlib
import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.engine.value import Value
from tinygrad_edu.rules.constants import as_plain

Array = npt.NDArray[Any]


def is_foreign(x: Any) -> bool:
    """Whether x is an array of another library that speaks as PyTorch's do."""
    return hasattr(x, "new_tensor") and hasattr(x, "detach")


def check_function(f: Any, what: str) -> None:
    """TypeError unless f can be called."""
    if not callable(f):
        raise TypeError(
            f"{what}: expected a function first, got a {type(f).__name__}; its inputs follow, "
            f"as in {what}(f, x)"
        )


def plain(x: Any, what: str) -> Array:
    """A copy of the numbers of x as an array; TypeError, naming `what`, if it has none."""
    if is_foreign(x):
        x = x.detach().cpu().numpy()
    return np.array(as_plain(x.data if isinstance(x, Node) else x, what))


def leaf(x: Any, data: Array, name: str) -> Any:
    """A node for an input: a Value for a number, a Tensor for an array."""
    if isinstance(x, Value) or not (data.ndim or isinstance(x, Tensor | np.ndarray)):
        return Value(data.item(), name)
    return Tensor(data, name)


def names_for(
    given: Sequence[Any], usual: Sequence[str], names: Sequence[str] | None, what: str
) -> list[str]:
    """What inputs are called: the name given, or else the label of a node, or else the usual."""
    if names is not None and len(names) != len(given):
        raise ValueError(f"{what}: {len(names)} names for {len(given)} inputs")
    labels = names or [x.label if isinstance(x, Node) else "" for x in given]
    return [label or name for label, name in zip(labels, usual, strict=True)]


def floating(x: Array) -> Array:
    """A copy in float64."""
    return np.array(x, np.float64)


def like(x: Any, data: Any) -> Any:
    """What holds `data` as x holds its own: a number, an array, a Value, a Tensor, a foreign array.

    The numbers may be complex, where x is a number or an array.
    """
    if isinstance(x, Value):
        return Value(float(np.asarray(data).item()), x.label)
    if isinstance(x, Tensor):
        return Tensor(data, x.label)
    if is_foreign(x):
        kind = x.dtype if np.asarray(data).dtype == plain(x, "").dtype else x.double().dtype
        return x.new_tensor(np.asarray(data), dtype=kind)
    if isinstance(x, np.ndarray | list | tuple):
        return np.array(data)
    if isinstance(x, np.generic):
        return np.asarray(data)[()]
    return np.asarray(data).item()


def copied(x: Any, what: str) -> Any:
    """A copy of an input as it was given, dtype and all; lists become arrays."""
    numbers = plain(x, what)
    if isinstance(x, bool | int | float | np.generic):
        return x
    return like(x, numbers) if numbers.ndim or not np.isscalar(x) else numbers.item()


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """A block, or a function, after which the global random generators stand where they stood."""
    ours, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(ours)
        np.random.set_state(numpy)


def name_of_dtype(x: Array) -> str:
    """`float32` for an array that is less exact than float64, else `float64`."""
    return str(x.dtype) if x.dtype.kind == "f" and x.dtype.itemsize < 8 else "float64"


def weights_for(shape: tuple[int, ...]) -> Array:
    """The adjoint that a result of this shape is weighed with: 1 for one number, else random
    numbers of both signs, none near 0, the same on every run."""
    if shape == () or int(np.prod(shape)) == 1:
        return np.ones(shape)
    rng = np.random.default_rng(0)
    weights = np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))
    if weights.size and abs(weights.sum()) == np.abs(weights).sum():
        weights.flat[-1] *= -1
    return weights


@contextmanager
def quietly() -> Iterator[None]:
    """A block without warnings: for a function that is called again and again, a little beside
    the inputs, after it was called once at the inputs, where its warnings were heard."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", np.exceptions.ComplexWarning)  # of the complex step
        yield
