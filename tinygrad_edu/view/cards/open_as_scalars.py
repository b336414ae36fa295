"""Open as scalars: a graph of Tensors seen as the graph of scalars that it stands for.

The rules themselves make it: run on arrays that hold a `Value` for each element, the rule of a
matrix product multiplies and adds Values, and so records every single product and sum.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_edu import rules
from tinygrad_edu.engine.graph import leaves_and_inner
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.engine.value import Value
from tinygrad_edu.programs.symbols import trace
from tinygrad_edu.rules.operand_types import Array
from tinygrad_edu.rules.rule import Rule, bind, name_of, settings_of
from tinygrad_edu.view.cards.scalar_arrays import (
    Count,
    Scalars,
    TooManyError,
    as_scalars,
    each_element,
    filled,
    objects,
    scalar,
    too_many,
)


@dataclass
class Opened:
    """The scalar graph of a Tensor, and where each of its scalars comes from."""

    root: Value
    """The scalar root; for a Tensor of several elements, their sum."""
    summed: bool
    """Whether `root` is such a sum; the additions that make it belong to no Tensor."""
    elements: list[tuple[Tensor, Array]]
    """Each Tensor in topological order with its elements: Values, or floats where constant."""
    owner: dict[int, int]
    """For the id of each Value, the index into `elements` of the Tensor whose rule made it."""


def open_as_scalars(root: Tensor, limit: int = 1500) -> Opened:
    """The scalar graph that a Tensor stands for; the Tensors and their gradients stay as they are.

    Leaves become Values labelled `W[0, 1]`; data is float64 whatever the Tensor's dtype. An extreme
    of three or more elements is a chain of maxima of two, so where such elements tie, their
    gradients are shared in another way than the Tensor's.

    TypeError for anything but a Tensor. ValueError for more than `limit` scalars, for a rule that
    cannot run on scalars, and inside `no_grad`, where nothing is recorded.
    """
    if not isinstance(root, Tensor):
        raise TypeError(f"open_as_scalars: expected a Tensor, got {type(root).__name__}")
    if not (Value(0.0) + 0.0).operands:
        raise ValueError("open_as_scalars: nothing is recorded inside no_grad; call it outside")
    leaves, inner = leaves_and_inner(root)
    _check_sizes(leaves, inner, limit)
    made = Count(limit, sum(leaf.size for leaf in leaves))
    scalars_of: dict[Tensor, Scalars] = {}
    elements: list[tuple[Tensor, Array]] = []
    owner: dict[int, int] = {}
    with np.errstate(all="ignore"):  # constants only: NumPy has warned when the Tensor was made
        for index, node in enumerate([*leaves, *inner]):
            found = _opened_rule(node, scalars_of, made) if node.operands else _leaf_values(node)
            _name_elements(found, node.label)
            _enter_new(found.flat, index, owner)
            made.check(len(owner))
            scalars_of[node] = as_scalars(found, made)
            elements.append((node, found))
        scalar_root = _sum(found.flat, made)
    return Opened(scalar_root, root.size != 1, elements, owner)


def _check_sizes(leaves: list[Tensor], inner: list[Tensor], limit: int) -> None:
    """Refuse by the shapes alone what is far too large."""
    total = sum(leaf.size for leaf in leaves)
    if total > limit:
        raise too_many(f"its {len(leaves)} leaves alone have {total} elements", limit)
    for node in inner:
        if node.size > limit:
            name = node.label or name_of(_rule_of(node))
            raise too_many(f"{name} of shape {node.shape} has {node.size} elements", limit)


def _rule_of(node: Tensor) -> Rule:
    assert node.rule is not None
    return node.rule


# --- One Tensor ----------------------------------------------------------------------------------


def _leaf_values(leaf: Tensor) -> Array:
    return filled((Value(float(x)) for x in leaf.data.flat), leaf.shape)


def _opened_rule(node: Tensor, scalars_of: dict[Tensor, Scalars], made: Count) -> Array:
    """The elements of a recorded Tensor, from running its rule on those of its operands."""
    rule = _rule_of(node)
    try:
        operands = [scalars_of[x] if isinstance(x, Tensor) else _constant_as_scalars(x, made)
                    for x in node.operands]  # fmt: skip
        if _is_elementwise(rule, len(operands)):
            found = _each_by_itself(rule, operands, made)
        else:
            found = rule(*operands)[0]
        found = objects(found)
        if found.shape != node.shape:
            raise ValueError(f"on scalars it gives shape {found.shape}, not {node.shape}")
        if found.size and not _has_value(found) and any(map(_all_values, operands)):
            raise ValueError("on scalars it gives plain numbers, and its derivative is lost")
    except TooManyError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"open_as_scalars: {name_of(rule)} of shape {node.shape} cannot be opened: {error}"
        ) from error
    return found


def _has_value(elements: Array) -> bool:
    return any(type(x) is Value for x in elements.flat)


def _all_values(operand: Any) -> bool:
    """Whether an operand has elements, all of them Values."""
    return np.size(operand) > 0 and all(type(x) is Value for x in np.ravel(operand))


def _constant_as_scalars(x: Any, made: Count) -> Any:
    if not isinstance(x, np.ndarray):
        return x
    made.check_size(x.size)
    return as_scalars(objects(x), made)


def _name_elements(found: Array, label: str) -> None:
    """Name the elements that have no name yet: `W[0, 1]`."""
    if not label:
        return
    for index, element in np.ndenumerate(found):
        if type(element) is Value and not element.label:
            element.label = f"{label}[{', '.join(map(str, index))}]" if index else label


def _enter_new(found: Iterable[Any], index: int, owner: dict[int, int]) -> None:
    """Enter the Values that are new, back to those known already, as made by Tensor `index`."""
    waiting = list(found)
    while waiting:
        element = waiting.pop()
        if type(element) is Value and id(element) not in owner:
            owner[id(element)] = index
            waiting.extend(element.operands)


def _sum(found: Iterable[Any], made: Count) -> Value:
    """The only element, or the sum of all, as a Value."""
    total: Any = None
    for element in found:
        if total is None:
            total = element
        else:
            made.one_more()
            total = rules.add(total, element)
    return total if type(total) is Value else Value(0.0 if total is None else total)


# --- Elementwise rules ---------------------------------------------------------------------------


def _is_elementwise(rule: Rule, operands: int) -> bool:
    """Whether a rule runs on single numbers, once settings that are arrays are numbers too."""
    numbers = {k: v.ravel()[0].item() for k, v in _array_settings(rule).items() if v.size}
    try:
        trace(bind(rule, numbers), operands)
    except TypeError:
        return False
    return True


def _array_settings(rule: Rule) -> dict[str, Array]:
    """The settings that have a number for each element, such as the bounds of a clip."""
    found = {}
    for name, setting in settings_of(rule).items():
        if isinstance(setting, np.ndarray | list | tuple):
            with contextlib.suppress(TypeError, ValueError):  # an index of slices and arrays
                array = np.asarray(setting)
                if array.dtype.kind in "fiub":
                    found[name] = array
    return found


def _each_by_itself(rule: Rule, operands: list[Any], made: Count) -> Array:
    """The rule applied to each element by itself, so that a ReLU opens into ReLUs."""
    settings = _array_settings(rule)

    def on_scalars(*numbers: Any) -> Any:
        xs = [scalar(x) for x in numbers[: len(operands)]]
        values = zip(settings, map(float, numbers[len(operands) :]), strict=True)
        bound = bind(rule, dict(values))
        for x in xs:
            if type(x) is Value:
                made.one_more()
                return x._record(bound, tuple(xs), {})
        return bound(*xs)[0]

    return each_element(on_scalars, *operands, *settings.values())
