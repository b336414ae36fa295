"""Weights in the layout of torch's `state_dict`, and back, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.engine.names import escaped
from tinygrad_edu.module import Module
from tinygrad_edu.nn import Sequential
from tinygrad_edu.rules.operand_types import Array
from tinygrad_edu.saving.entries import Attribute, Change, changes_of, commit


@dataclass(frozen=True)
class _Held:
    """One array of a state dict: a leaf, or a buffer of a module, under its name in torch."""

    name: str
    leaf: Any = None
    owner: Any = None
    key: str = ""
    transposed: bool = False

    @property
    def data(self) -> Array:
        """What is there now, as it lies in torch."""
        here: Any = getattr(self.owner, self.key) if self.leaf is None else self.leaf.data
        return np.asarray(here.T if self.transposed else here)

    def changes(self, new: Array) -> list[Change]:
        """What to set for another array, which lies as in torch."""
        data = np.array(new.T if self.transposed else new, self.data.dtype, order="C")
        if self.leaf is not None:
            return changes_of(self.leaf, data)
        old = getattr(self.owner, self.key)
        setter = Attribute(self.owner, self.key)
        return [(setter, data if isinstance(old, np.ndarray) else data.item(), old)]


def to_state_dict(model: Module) -> dict[str, Array]:
    """The parameters as torch names and lays them out: `{"0.weight": ..., "0.bias": ...}`.

    Buffers, such as the running statistics of BatchNorm1d, are among them. The weights of Linear,
    of attention and of recurrent cells are transposed, to (outputs, inputs). The layers of a
    Sequential are named by number, as in torch.nn.Sequential(Linear, ReLU, Linear). A parameter
    with two names has both. The arrays are copies. TypeError for a model of Values.
    """
    return {x.name: np.array(x.data, order="C") for x in _names_of_torch("to_state_dict", model)}


def load_state_dict(model: Module, arrays: Mapping[str, Any]) -> None:
    """Give a model parameters and buffers in the layout of torch's `state_dict`; see
    `to_state_dict`.

    `arrays` may be arrays, torch's tensors on the CPU, or an open .npz file. ValueError for missing
    or further names, other shapes or dtypes, TypeError for anything but arrays; then nothing has
    changed. Parameters get new `data` and a gradient of 0.
    """
    if not isinstance(arrays, Mapping):
        raise TypeError(
            f"load_state_dict: expected a dict of arrays, got {type(arrays).__name__}; "
            "use load(model, path) for what save wrote"
        )
    held = list(_names_of_torch("load_state_dict", model))
    wanted = {x.name for x in held}
    missing, extra = wanted - set(arrays), set(arrays) - wanted
    if missing or extra:
        raise ValueError(
            f"load_state_dict: missing {sorted(missing)}, and not in the model {sorted(extra)}; "
            "the model must have the layers that the arrays are of"
        )
    new: dict[Any, tuple[str, Array]] = {}
    changes: list[Change] = []
    for x in held:
        name = escaped(x.name)
        array = _plain_array(name, arrays[x.name])
        _check_fits(name, array, x)
        place = id(x.leaf) if x.leaf is not None else (id(x.owner), x.key)
        other = new.setdefault(place, (name, array.T if x.transposed else array))
        if not np.array_equal(other[1], array.T if x.transposed else array, equal_nan=True):
            raise ValueError(
                f"load_state_dict: {other[0]} and {name} are one parameter of the model, but "
                "differ in the arrays"
            )
        changes += x.changes(array)
    commit(changes)


def _check_fits(name: str, array: Array, x: _Held) -> None:
    """ValueError for another shape or dtype than in the model."""
    if array.shape != x.data.shape:
        turned = " (outputs, inputs)" if x.transposed else ""
        raise ValueError(
            f"load_state_dict: {name} has shape {array.shape}; here it is {x.data.shape}{turned}"
        )
    if array.dtype != x.data.dtype:
        raise ValueError(
            f"load_state_dict: {name} is {array.dtype} and the model {x.data.dtype}; make "
            f"the model with dtype=np.{array.dtype}, or convert the array with astype"
        )


def _plain_array(name: str, given: Any) -> Array:
    """An array, also from a torch tensor or parameter."""
    try:
        array = np.asarray(given.detach() if hasattr(given, "detach") else given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"load_state_dict: {name} is not an array: {error}") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(f"load_state_dict: {name} is of dtype {array.dtype}, not real numbers")
    return array


def _names_of_torch(operation: str, model: Any) -> Iterator[_Held]:
    """The leaves and buffers, with the names that torch would give."""
    if not isinstance(model, Module):
        raise TypeError(f"{operation}: expected a Module, got {type(model).__name__}")
    yield from _walk(operation, model, "", set())


def _walk(
    operation: str, part: Any, name: str, path: set[int], transposed: bool = False
) -> Iterator[_Held]:
    if isinstance(part, Node):
        if not part.operands:
            if not isinstance(part.data, np.ndarray):
                raise TypeError(
                    f"{operation}: {escaped(name)} is a Value; torch has no layers of single "
                    "numbers, use nn.MLP or save"
                )
            yield _Held(name, part, transposed=transposed)
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
    buffers = part.buffers if isinstance(part, Module) else ()
    for key, value in items:
        full = f"{name}.{key}" if name else str(key)
        if key in buffers:
            if isinstance(value, np.ndarray | int | float):  # a generator of torch is elsewhere
                yield _Held(full, owner=part, key=key)
            continue
        turned = isinstance(part, Module) and key in part.transposed
        yield from _walk(operation, value, full, path | {id(part)}, turned)
