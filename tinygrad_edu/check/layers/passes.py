"""A forward and a backward pass: outputs and their adjoints, what was changed, what was warned."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_edu.check.kinds import floating, is_foreign, like
from tinygrad_edu.check.layers.calling import Call, Forwarded
from tinygrad_edu.check.layers.layer_variables import Place, Variable
from tinygrad_edu.check.layers.structures import array_of, leaves_in, rebuilt
from tinygrad_edu.check.layers.world import Noted
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.rules.operand_types import Array


@dataclass(eq=False)
class Pass:
    """What came out of a forward and a backward pass. `unmatched` are places that backward set and
    that belong to no variable, `known` the names that occur in the code."""

    output: Array
    adjoint: Array
    variables: list[Variable]
    problems: list[str]
    unmatched: list[Place] = field(default_factory=list)
    known: set[str] = field(default_factory=set)

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.output).all())

    def gradient_of(self, name: str) -> Array | None:
        """The gradient of a variable in float64; None if there is none."""
        found = self.named(name)
        return None if found is None else np.asarray(floating(array_of(found.gradient)))

    def named(self, name: str) -> Variable | None:
        """The variable of this name that has a gradient; None if there is none."""
        return next((v for v in self.variables if v.name == name and v.gradient is not None), None)


def numbers_in(forwarded: Forwarded, weighed: Sequence[int]) -> Array:
    """The numbers of the outputs that have adjoints, as they are, or of several in one array."""
    leaves = [x for j in weighed for _, x in leaves_in(forwarded.outputs[j])]
    if not leaves:
        return array_of(forwarded.outputs[0], "check_backward: the output of forward")
    numbers = [
        np.asarray(x.detach() if is_foreign(x) else x.data if isinstance(x, Node) else x)
        for x in leaves
    ]
    return numbers[0] if len(numbers) == 1 else np.concatenate([x.ravel() for x in numbers])


def adjoints_for(forwarded: Forwarded, call: Call, adjoint: Array) -> list[Any]:
    """An adjoint for each output that has one, built as that output is."""
    rest = adjoint.ravel()

    def part_of(_: Any, x: Any) -> Any:
        nonlocal rest
        numbers = array_of(x)
        part, rest = rest[: numbers.size].reshape(numbers.shape), rest[numbers.size :]
        y = like(x, part.astype(numbers.dtype if numbers.dtype.kind == "f" else np.float64))
        return y.view(type(x)) if isinstance(x, Noted) else y

    return [rebuilt(forwarded.outputs[j], part_of) for j in call.weighed]


def are_untouched(douts: Sequence[Any], adjoint: Array) -> bool:
    """Whether the adjoints are what backward was given."""
    parts = [array_of(x).ravel() for dout in douts for _, x in leaves_in(dout)]
    now = np.concatenate(parts) if parts else adjoint.ravel()
    return bool(np.array_equal(now, adjoint.ravel().astype(now.dtype), equal_nan=True))


def reason_to_stop(call: Call, numbers: Array) -> str:
    """Why there is nothing to compare; empty if there is."""
    if not np.isfinite(numbers).all():
        return "forward gives nan or infinity here, so there is nothing to compare"
    if not call.has_adjoint and numbers.size != 1:
        return (
            f"backward takes no adjoint, as that of a loss, but forward gives shape "
            f"{numbers.shape}; a loss is one number: take the mean or the sum over everything"
        )
    return ""


def stays_in_place(held: Sequence[tuple[Any, Any, Any]]) -> Callable[[Variable], bool]:
    """Whether a parameter is still where it was, after a forward pass that left this in holders,
    by key; what forward sets itself is not a parameter."""
    now = {(id(holder), key): x for holder, key, x in held}

    def stays(v: Variable) -> bool:
        for slot, x in zip(v.slots, v.held, strict=True):
            y = now.get((id(slot.container.target), slot.key))
            if y is x or (isinstance(x, float) and y == x):
                return True
        return not v.slots

    return stays


def is_updated(v: Variable) -> bool:
    """Whether a parameter has other numbers after the backward pass."""
    now = None if v.is_input or not v.slots else v.slots[0].get()
    return now is not None and not np.array_equal(array_of(now), v.given, equal_nan=True)


def note_changes(who: str, variables: Sequence[Variable]) -> None:
    """Note inputs and parameters that a pass wrote into."""
    for v in variables:
        cure = "work on a copy" if v.is_input else "update parameters after the backward pass"
        now = v.held[0] if v.is_input else v.slots[0].get()
        if now is None or v.change or np.array_equal(array_of(now), v.given, equal_nan=True):
            continue
        v.change = f"{v.name}: {who} changed it; {cure}"


@contextmanager
def naming(who: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(f"(in {who}, called by check_backward)")
        raise


@contextmanager
def noting_warnings(who: str, problems: list[str]) -> Iterator[None]:
    """A block that turns warnings of the checked code into problems, and names who raised."""
    with warnings.catch_warnings(record=True) as caught, naming(who):
        warnings.simplefilter("always")
        try:
            yield
        finally:
            problems += [f"{who} warned: {warning.message}" for warning in caught]
