"""One run of a hand-written layer: forward, backward, and where its gradients are found."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_edu.check.kinds import (
    copy_of_input,
    floating,
    input_names,
    is_foreign,
    like,
    quietly,
    weights_for,
)
from tinygrad_edu.check.layers.calling import (
    NotOneNumberError,
    call_backward,
    gradient_beside,
    gradient_name,
    left_on,
    split_output,
)
from tinygrad_edu.check.layers.parts import (
    Copied,
    LayerSlot,
    array_of,
    copy_layer,
    note_assignments,
    noted,
    objects_of,
    owners_of,
    slots_of,
)
from tinygrad_edu.rules.operand_types import Array


@dataclass(eq=False)
class Variable:
    """An input or a parameter: its numbers as they were given, and the gradient that was found.

    `left_before` is what stood in the place of the gradient before, `change` what a pass did to its
    numbers, and `replaced` says that another object stands in its place after both.
    """

    name: str
    given: Array
    is_input: bool
    position: int = -1
    paths: list[str] = field(default_factory=list)
    named: bool = False
    gradient: Any = None
    returned: bool = False
    assigned: list[Any] = field(default_factory=list)
    left_before: Array | None = None
    change: str = ""
    replaced: bool = False

    @property
    def names(self) -> list[str]:
        """All names it goes by: its own, where it is held, and the last parts of those."""
        paths = [self.name, *self.paths]
        return list(dict.fromkeys([*paths, *(path.rpartition(".")[2] for path in paths)]))

    @property
    def own_name(self) -> str:
        """The name without what it belongs to: W1 for params.W1."""
        return self.name.rpartition(".")[2]


@dataclass(eq=False)
class Pass:
    """What came out of a forward and a backward pass."""

    output: Array
    adjoint: Array
    variables: list[Variable]
    problems: list[str]

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.output).all())


class HandWrittenLayer:
    """A forward and a backward function with their inputs and parameters, to be run on copies."""

    def __init__(
        self,
        forward: Callable[..., Any],
        backward: Callable[..., Any],
        inputs: Sequence[Any],
        parameters: Mapping[str, Any] | Sequence[str] | None,
    ) -> None:
        self.forward, self.backward = forward, backward
        self.inputs = [copy_of_input(x, f"check_backward: input {i}") for i, x in enumerate(inputs)]
        self.extra = dict(parameters) if isinstance(parameters, Mapping) else {}
        self.names = input_names(forward, len(inputs))
        self.slots = slots_of(owners_of(forward, backward))
        self.chosen = _names_chosen(self.slots, parameters)
        # arrays that functions find by themselves, which cannot be copied
        held = [slot.get() for slot in self.slots.values()]
        self.live = {name: x for name, x in self.extra.items() if not any(y is x for y in held)}
        self._moving: Copied | None = None
        self._noted = False

    # --- analytic --------------------------------------------------------------------------------

    def run(
        self, adjoint_times: float = 1.0, passes: int = 1, adjoint: Array | None = None
    ) -> Pass:
        """Run both passes on a copy, and look for the gradients. The adjoint is random, if none is
        given.

        Code that sets attributes of its arrays is run again with arrays that take them.
        """
        try:
            return self._run(adjoint_times, passes, adjoint)
        except AttributeError as error:
            if self._noted or "ndarray' object has no attribute" not in str(error):
                raise
            self._noted = True
            return self._run(adjoint_times, passes, adjoint)

    def _run(self, adjoint_times: float, passes: int, given: Array | None) -> Pass:
        layer = copy_layer(self.forward, self.backward, self._copied, self.extra)
        notes = {id(o): (o, note_assignments(o)) for o in objects_of(layer.owners)}
        inputs = [self._copied(x) for x in self.inputs]
        variables = self._variables()
        before = [layer.value(v.paths[0]) if v.paths else None for v in variables]
        kept = {name: array_of(x, name).copy() for name, x in self.live.items()}
        problems: list[str] = []
        for _ in range(passes):
            with _noting_warnings("forward", problems):
                output = layer.forward(*inputs)
            output, cache = split_output(output, self.backward)
            numbers = array_of(output, "check_backward: the output of forward")
            self._note_changes("forward", inputs, layer, variables)
            weights = weights_for(numbers.shape) if given is None else given
            adjoint = np.asarray(weights * adjoint_times)
            if not np.isfinite(numbers).all():
                problems.append(
                    "forward gives nan or infinity here, so there is nothing to compare"
                )
                return Pass(numbers, adjoint, variables, problems)
            dout = self._copied(like(output, adjoint.astype(_floating_dtype(numbers))))
            for _, made in notes.values():
                made.clear()
            try:
                with _noting_warnings("backward", problems):
                    returned = call_backward(layer.backward, inputs, output, dout, cache)
            except NotOneNumberError as error:
                problems.append(str(error))
                return Pass(np.full(1, np.nan), adjoint, variables, problems)
        self._note_changes("backward", inputs, layer, variables)
        if not np.array_equal(array_of(dout), adjoint.astype(array_of(dout).dtype)):
            problems.append(
                "backward wrote into the adjoint dout, which belongs to the caller and may be used "
                "by other nodes; work on a copy, or use np.where"
            )
        self._find(variables, inputs, returned, layer, notes)
        for v, x in zip(variables, before, strict=True):
            v.replaced = bool(v.paths) and layer.value(v.paths[0]) is not x
        variables = _without_gradients(variables, layer)
        for name, numbers_before in kept.items():
            self.extra[name][...] = numbers_before
        return Pass(numbers, adjoint, variables, list(dict.fromkeys(problems)))

    def _copied(self, x: Any) -> Any:
        x = copy_of_input(x, "check_backward")
        return noted(x) if self._noted else x

    def _variables(self) -> list[Variable]:
        variables = [
            Variable(name, array_of(x), True, i)
            for i, (name, x) in enumerate(zip(self.names, self.inputs, strict=True))
        ]
        by_array: dict[int, Variable] = {}
        for slot in self.slots.values():
            x = slot.get()
            key = id(x) if not isinstance(x, float) else id(slot)
            name = next((n for n, y in self.extra.items() if y is x), slot.path)
            variable = by_array.setdefault(key, Variable(name, array_of(x), False))
            variable.paths.append(slot.path)
        for name, x in self.live.items():
            by_array[id(x)] = Variable(name, array_of(x), False, paths=[name])
        for variable in by_array.values():
            if self.chosen is None or self.chosen & set(variable.names):
                variable.named = self.chosen is not None
                variables.append(variable)
        return variables

    def _note_changes(
        self, who: str, inputs: list[Any], layer: Copied, variables: list[Variable]
    ) -> None:
        """Note inputs and parameters that a pass wrote into."""
        for v in variables:
            if v.is_input:
                now, cure = inputs[v.position], "work on a copy"
            else:
                now, cure = layer.value(v.paths[0]), "update parameters after the backward pass"
            if now is None or v.change or np.array_equal(array_of(now), v.given, equal_nan=True):
                continue
            v.change = f"{v.name}: {who} changed it; {cure}"

    def _find(
        self,
        variables: list[Variable],
        inputs: list[Any],
        returned: Any,
        layer: Copied,
        notes: dict[int, tuple[Any, dict[str, list[Any]]]],
    ) -> None:
        """Put to each variable the gradient that was returned, or left behind."""
        by_name = returned if isinstance(returned, Mapping) else {}
        in_order = returned if isinstance(returned, tuple | list) else [returned]
        if isinstance(returned, Mapping) or returned is None:
            in_order = []
        if len(in_order) > len(inputs):
            raise ValueError(
                f"check_backward: backward returned {len(in_order)} gradients for {len(inputs)} "
                "inputs; return those of the inputs in order, or a dict by name"
            )
        by_position = dict(enumerate(in_order))
        for v in variables:
            options = [by_position.get(v.position), *(by_name.get(name) for name in v.names)]
            v.gradient = next((x for x in options if x is not None), None)
            v.returned = v.gradient is not None
            if not v.returned:
                array = inputs[v.position] if v.is_input else layer.value(v.paths[0])
                v.gradient, v.assigned = left_on(array)
            if v.gradient is None:
                self._find_beside(v, layer, notes)

    def _find_beside(
        self, v: Variable, layer: Copied, notes: dict[int, tuple[Any, dict[str, list[Any]]]]
    ) -> None:
        """Look for a gradient in the objects that hold a parameter, and in those that hold them."""
        for holder in [*(layer.slots[path].holder for path in v.paths), *layer.owners]:
            attribute = gradient_name(holder, v.names)
            if attribute is not None:
                v.gradient = getattr(holder, attribute)
                v.assigned = notes.get(id(holder), (None, {}))[1].get(attribute, [])
                return
        objects = [o for o, _ in notes.values()]
        beside = (gradient_beside(objects, layer.slots[path]) for path in v.paths)
        v.gradient = next((x for x in beside if x is not None), None)

    # --- numerical -------------------------------------------------------------------------------

    def result_of(self, variable: Variable | None, adjoint: Array) -> Callable[[Array], Any]:
        """The weighed result of forward for other numbers in one variable, or none."""
        outputs = self.outputs_of(variable)
        return lambda moved: (outputs(moved) * adjoint).sum().item()

    def outputs_of(self, variable: Variable | None) -> Callable[[Array], Array]:
        """The result of forward, in float64, for other numbers in one variable, or none."""
        if self._moving is None:
            self._moving = copy_layer(self.forward, self.backward, self._in_float64, self.extra)
        layer = self._moving
        slots = [layer.slots[path] for path in variable.paths] if variable else []
        base = slots[0].get() if slots else None
        held = [(s, s.get(), array_of(s.get())) for s in layer.slots.values()]

        def outputs(moved: Array) -> Array:
            inputs = [self._moved(i, variable, moved) for i in range(len(self.inputs))]
            if slots:
                _set_numbers(slots, base, moved)
            try:
                with quietly():
                    output = layer.forward(*inputs)
            finally:  # also what forward writes into, such as running means
                for slot, x, numbers in held:
                    _set_numbers([slot], x, numbers)
                    slot.keep(x)
            output, _ = split_output(output, self.backward)
            return np.asarray(output.detach() if is_foreign(output) else output)

        return outputs

    def _in_float64(self, x: Any) -> Any:
        x = like(x, floating(array_of(x)))
        return noted(x) if self._noted else x

    def _moved(self, i: int, variable: Variable | None, moved: Array) -> Any:
        x = self.inputs[i]
        if variable is not None and i == variable.position:
            y = like(x, moved)
            return noted(y) if self._noted else y
        return self._in_float64(x) if array_of(x).dtype.kind == "f" else self._copied(x)


def _set_numbers(slots: list[LayerSlot], base: Any, numbers: Array) -> None:
    """Set a parameter: an array in place, for all who hold it; a number where it is held."""
    if isinstance(base, float):
        for slot in slots:
            slot.set(float(numbers))
    elif is_foreign(base):
        base[...] = base.new_tensor(numbers)
    else:
        base[...] = numbers


def _names_chosen(
    slots: dict[str, LayerSlot], parameters: Mapping[str, Any] | Sequence[str] | None
) -> set[str] | None:
    """The names of the parameters to be checked, None for all."""
    if parameters is None:
        return None
    if isinstance(parameters, Mapping):
        for name, x in parameters.items():
            if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
                raise TypeError(
                    f"check_backward: the parameter {name} is of type {type(x).__name__}; "
                    "parameters={...} gives floating arrays by name"
                )
        return set(parameters)
    known = {*slots, *(slot.name for slot in slots.values())}
    for name in parameters:
        if name not in known:
            raise ValueError(
                f"check_backward: the layer holds no array {name!r}; it has "
                f"{', '.join(slots) or 'none'}"
            )
    return set(parameters)


def _floating_dtype(numbers: Array) -> Any:
    return numbers.dtype if numbers.dtype.kind == "f" else np.float64


@contextmanager
def _noting_warnings(who: str, problems: list[str]) -> Iterator[None]:
    """A block that turns warnings of the checked code into problems, and names who raised."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except BaseException as error:
            error.add_note(f"(in {who}, called by check_backward)")
            raise
        finally:
            problems += [f"{who} warned: {warning.message}" for warning in caught]


def _without_gradients(variables: list[Variable], layer: Copied) -> list[Variable]:
    """All but those that are the gradients of others, which keep the numbers of before."""
    gradients = {id(v.gradient): v for v in variables if v.gradient is not None and not v.returned}
    rest = []
    for v in variables:
        owner = gradients.get(id(layer.value(v.paths[0]))) if v.paths else None
        if owner is None or v.is_input or v.gradient is not None:
            rest.append(v)
        else:
            owner.left_before = v.given
    return rest
