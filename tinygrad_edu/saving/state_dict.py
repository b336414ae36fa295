"""Weights in the layout of torch's `state_dict`, and back, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.engine.names import escaped
from tinygrad_edu.module import Module
from tinygrad_edu.nn import Linear, Sequential
from tinygrad_edu.rules.operand_types import Array


def to_state_dict(model: Module) -> dict[str, Array]:
    """The parameters as torch names and lays them out: `{"0.weight": ..., "0.bias": ...}`.

    The weight of a Linear is transposed, to (outputs, inputs). The layers of a
    Sequential are named by number, as in torch.nn.Sequential(Linear, ReLU, Linear). A parameter
    with two names has both. The arrays are copies. TypeError for a model of Values.
    """
    return {
        name: np.array(leaf.data.T if transposed else leaf.data, order="C")
        for name, leaf, transposed in _names_of_torch("to_state_dict", model)
    }


def load_state_dict(model: Module, arrays: Mapping[str, Any]) -> None:
    """Give a model parameters in the layout of torch's `state_dict`; see `to_state_dict`.

    `arrays` may be arrays, torch's tensors on the CPU, or an open .npz file. ValueError for missing
    or further names, other shapes or dtypes, TypeError for anything but arrays; then nothing has
    changed. Parameters get new `data` and a gradient of 0.
    """
    from tinygrad_edu.saving.entries import changes_of, commit

    if not isinstance(arrays, Mapping):
        raise TypeError(
            f"load_state_dict: expected a dict of arrays, got {type(arrays).__name__}; "
            "use load(model, path) for what save wrote"
        )
    named = list(_names_of_torch("load_state_dict", model))
    wanted = {name for name, _, _ in named}
    missing, extra = wanted - set(arrays), set(arrays) - wanted
    if missing or extra:
        raise ValueError(
            f"load_state_dict: missing {sorted(missing)}, and not in the model {sorted(extra)}; "
            "the model must have the layers that the arrays are of"
        )
    new: dict[int, tuple[str, Any, Array]] = {}
    for key, leaf, transposed in named:
        name = escaped(key)
        array = _plain_array(name, arrays[key])
        shape = leaf.data.shape[::-1] if transposed else leaf.data.shape
        if array.shape != shape:
            turned = " (outputs, inputs)" if transposed else ""
            raise ValueError(
                f"load_state_dict: {name} has shape {array.shape}; here it is {shape}{turned}"
            )
        if array.dtype != leaf.data.dtype:
            raise ValueError(
                f"load_state_dict: {name} is {array.dtype} and the model {leaf.data.dtype}; make "
                f"the model with dtype=np.{array.dtype}, or convert the array with astype"
            )
        data = np.array(array.T if transposed else array, leaf.data.dtype, order="C")
        other = new.setdefault(id(leaf), (name, leaf, data))
        if not np.array_equal(other[2], data, equal_nan=True):
            raise ValueError(
                f"load_state_dict: {other[0]} and {name} are one parameter of the model, but "
                "differ in the arrays"
            )
    commit([change for _, leaf, data in new.values() for change in changes_of(leaf, data)])


def _plain_array(name: str, given: Any) -> Array:
    """An array, also from a torch tensor or parameter."""
    try:
        array = np.asarray(given.detach() if hasattr(given, "detach") else given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"load_state_dict: {name} is not an array: {error}") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(f"load_state_dict: {name} is of dtype {array.dtype}, not real numbers")
    return array


def _names_of_torch(operation: str, model: Any) -> Iterator[tuple[str, Any, bool]]:
    """The names that torch would give, with leaves, and whether they are transposed there."""
    if not isinstance(model, Module):
        raise TypeError(f"{operation}: expected a Module, got {type(model).__name__}")
    yield from _walk(operation, model, "", set())


def _walk(
    operation: str, part: Any, name: str, path: set[int], transposed: bool = False
) -> Iterator[tuple[str, Any, bool]]:
    if isinstance(part, Node):
        if not part.operands:
            if not isinstance(part.data, np.ndarray):
                raise TypeError(
                    f"{operation}: {escaped(name)} is a Value; torch has no layers of single "
                    "numbers, use nn.MLP or save"
                )
            yield name, part, transposed
        return
    if id(part) in path:  # a module that refers back to one around it
        return
    if isinstance(part, Sequential):
        own = {key: value for key, value in vars(part).items() if key != "layers"}
        items: Any = [*enumerate(part.layers), *own.items()]
    elif isinstance(part, Module):
        items = vars(part).items()
    elif isinstance(part, dict):
        items = part.items()
    elif isinstance(part, list | tuple):
        items = enumerate(part)
    else:
        return
    for key, value in items:
        turned = isinstance(part, Linear) and key == "weight"
        full = f"{name}.{key}" if name else str(key)
        yield from _walk(operation, value, full, path | {id(part)}, turned)
