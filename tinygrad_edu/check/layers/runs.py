"""A hand-written layer with its inputs: forward and backward are run, gradients are found."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from tinygrad_edu.check.kinds import (
    copy_of_input,
    floating,
    input_names,
    is_foreign,
    like,
    near,
    quietly,
    weights_for,
)
from tinygrad_edu.check.layers.calling import Call, Forwarded, possible_calls
from tinygrad_edu.check.layers.finding import Left, names_in, without_gradients
from tinygrad_edu.check.layers.layer_variables import Variable, labels_of
from tinygrad_edu.check.layers.looking import leave_adjoint, output_left, places_in, updates_in
from tinygrad_edu.check.layers.passes import (
    Pass,
    adjoints_for,
    are_untouched,
    is_updated,
    naming,
    note_changes,
    noting_warnings,
    numbers_in,
    reason_to_stop,
    stays_in_place,
)
from tinygrad_edu.check.layers.reached import LayerSlot, Reached, is_object, move_to, owners_of
from tinygrad_edu.check.layers.returned import names_returned, put_returned
from tinygrad_edu.check.layers.structures import array_of, is_list_of_numbers, leaves_in, rebuilt
from tinygrad_edu.check.layers.watching import Assignments, Calls
from tinygrad_edu.check.layers.world import Mode, Noted, World
from tinygrad_edu.rules.operand_types import Array


class HandWrittenLayer:
    """A forward and a backward function with their inputs and parameters, which are run again and
    again in a world that is put back. `backward` is None for a forward pass that returns its
    gradients beside a loss."""

    def __init__(
        self,
        forward: Callable[..., Any],
        backward: Callable[..., Any] | None,
        inputs: Sequence[Any],
        parameters: Mapping[str, Any] | Sequence[str] | None,
    ) -> None:
        self.forward, self.backward = forward, backward
        self.inputs = [_as_given(x, f"check_backward: input {i}") for i, x in enumerate(inputs)]
        self.extra = dict(parameters) if isinstance(parameters, Mapping) else {}
        self.names = input_names(forward, len(inputs))
        functions = [forward] if backward is None else [forward, backward]
        self.owners = owners_of(*functions)
        self.roots = self.owners, [*functions, *filter(is_object, self.inputs)]
        self.world = World(*self.roots, self.extra)
        try:
            with quietly():
                self.world.keep_what_is_built(lambda: self.forward(*self._inputs_in(Mode())))
            self.chosen = _names_chosen(self.world.slots, parameters)
        except BaseException:
            self.world.restore()
            raise
        self.call: Call | None = None
        self._noted = self._listens = False
        self._watch: AbstractContextManager[Any] = nullcontext()
        self._sizes: list[int] = []
        self._slopes: dict[tuple[str, tuple[int, ...]], tuple[Array, float]] = {}

    # --- analytic --------------------------------------------------------------------------------

    def run(
        self, adjoint_times: float = 1.0, passes: int = 1, adjoint: Array | None = None
    ) -> Pass:
        """Run both passes, and look for the gradients. The adjoint is random, if none is given."""
        if self.call is None:
            self.call = self._call_that_fits()
        try:
            return self._run_noted(self.call, adjoint_times, passes, adjoint)
        finally:
            self.world.put_back()

    def with_input_near(self, i: int) -> HandWrittenLayer:
        """The same with other numbers in one input, not far from those that it has."""
        other = copy.copy(self)
        other._slopes, numbers = {}, near(floating(array_of(self.inputs[i])))
        other.inputs = [like(x, numbers) if j == i else x for j, x in enumerate(self.inputs)]
        return other

    def _run_noted(
        self, call: Call, times: float = 1.0, passes: int = 1, adjoint: Array | None = None
    ) -> Pass:
        """Code that sets attributes of its arrays is run again with arrays that take them."""
        try:
            return self._run(call, times, passes, adjoint)
        except AttributeError as error:
            if self._noted or "ndarray' object has no attribute" not in str(error):
                raise
            self._noted = True
            return self._run(call, times, passes, adjoint)

    def _call_that_fits(self) -> Call:
        """The call of backward that names decide; else the first whose gradients are right along
        one direction, or else the likeliest."""
        if self.backward is None:
            return Call((), (0,), name="")
        self.world.put_back()
        with quietly(), naming("forward"):
            forwarded = self._forwarded(self.forward(*self._inputs_in(Mode())))
        calls = possible_calls(self.backward, self.names, forwarded)
        if len(calls) == 1:
            return calls[0]
        first: Exception | None = None
        scores = []
        for call in calls:
            try:
                with quietly():
                    right, wrong = self._rights_and_wrongs(call)
            except Exception as error:
                first = first or error
                continue
            if right and not wrong:
                return call
            scores.append((right, call))
        if not scores and first:
            raise first
        most = max(right for right, _ in scores)
        return next(call for right, call in scores if right == most)

    def _rights_and_wrongs(self, call: Call) -> tuple[int, int]:
        """How many gradients of a call are right along a direction, and how many are wrong."""
        once = self._run_noted(call)
        given = [v for v in once.variables if v.gradient is not None]
        right = sum(self._agrees(call, v, v.gradient) for v in given)
        return right, len(given) - right + len(once.problems)

    def _run(self, call: Call, times: float, passes: int, given: Array | None) -> Pass:
        mode = Mode(noted=self._noted)
        self.world.put_back(mode)
        inputs = self._inputs_in(mode)
        variables = self._variables(inputs)
        once = Pass(np.zeros(0), np.zeros(0), variables, [])
        left = None
        for i in range(passes):
            with noting_warnings("forward", once.problems):
                returned = self.forward(*inputs)
            forwarded = self._forwarded(returned)
            once.output = numbers_in(forwarded, call.weighed)
            if i == 0:
                held = [(s.container.target, s.key, s.get()) for s in Reached(*self.roots).slots]
                stay = stays_in_place(held)
                variables = [v for v in variables if v.named or v.is_input or stay(v)]
                once.variables = variables
            note_changes("forward", variables)
            weights = weights_for(once.output.shape) if given is None else given
            once.adjoint = np.asarray(weights * times)
            refused = reason_to_stop(call, once.output)
            if refused:
                once.problems.append(refused)
                once.output = np.full(1, np.nan)
                return once
            left = self._backward(call, inputs, forwarded, once, returned)
        if left is None:  # parameters were changed, and it is not known by what
            self._listens = True
            return self._run(call, times, passes, given)
        self._find(call, once, left)
        return once

    def _backward(
        self, call: Call, inputs: list[Any], forwarded: Forwarded, once: Pass, returned: Any
    ) -> Left | None:
        """Run the backward pass, and see what it leaves; None if it has to be listened to."""
        if self.backward is None:
            self._sizes = [1]
            result = returned[1] if len(returned) == 2 else list(returned[1:])
            return Left(result, [], [], self.owners, {}, set())
        douts = adjoints_for(forwarded, call, once.adjoint)
        self._sizes = [sum(array_of(x).size for _, x in leaves_in(dout)) for dout in douts]
        leave_adjoint(call, forwarded, douts, self.owners)
        before = places_in(Reached(*self.roots), once.variables)
        calls = Calls()
        listening = calls if self._listens else nullcontext()
        with noting_warnings("backward", once.problems), self._watch, listening:
            result = call.run(self.backward, inputs, forwarded, douts)
        if not self._listens and call.rate is None and any(map(is_updated, once.variables)):
            return None
        if not are_untouched(douts, once.adjoint):
            once.problems.append(
                "backward wrote into the adjoint dout, which belongs to the caller and may be used "
                "by other nodes; work on a copy, or use np.where"
            )
        reached = Reached(*self.roots)
        places = places_in(reached, once.variables, before)
        updated = updates_in(call, once.variables, places, calls)
        note_changes("backward", [v for v in once.variables if v not in updated])
        result = rebuilt(result, lambda _, x: x.copy() if isinstance(x, np.ndarray) else x)
        names = names_in(reached, self.names)
        return Left(result, places, reached.containers, self.owners, updated, names)

    def _find(self, call: Call, once: Pass, left: Left) -> None:
        """Put to each variable its gradient: one that was returned, left in a place, or a step."""

        def agrees(v: Variable, gradient: Any) -> bool:
            return self._agrees(call, v, gradient)

        names = names_returned(self.backward or self.forward)
        names = names if self.backward else names[1:]
        keys = put_returned(left.returned, names, once.variables, len(self.inputs), agrees)
        left.put_by_name(once.variables, agrees)
        for v, step in left.updated.items():
            v.gradient, v.is_step = (step, True) if v.gradient is None else (v.gradient, False)
        once.unmatched, once.known = keys + left.unmatched(once.variables), left.known
        once.variables = without_gradients(once.variables)
        once.problems = list(dict.fromkeys(once.problems))

    def assigned_to(self, variable: Variable, adjoint: Array) -> list[Array]:
        """What backward sets a gradient to, one after the other."""
        if variable.source is None:
            return []
        self._watch = watch = Assignments(variable.source)
        try:
            self.run(adjoint=adjoint)
        finally:
            self._watch = nullcontext()
        return watch.values

    def parts_of_adjoint(self, adjoint: Array) -> dict[int, Array]:
        """The adjoint of each output, with 0 for the others."""
        assert self.call is not None
        parts, start = {}, 0
        for j, size in zip(self.call.weighed, self._sizes, strict=True):
            part = np.zeros(adjoint.size)
            part[start : start + size] = adjoint.ravel()[start : start + size]
            parts[j], start = part.reshape(adjoint.shape), start + size
        return parts

    def _forwarded(self, returned: Any) -> Forwarded:
        if self.backward is None:
            if not isinstance(returned, tuple) or len(returned) < 2:
                raise TypeError(
                    "check_backward: give a layer with forward and backward, or two functions: "
                    "check_backward(forward, backward, *inputs); one function alone returns a loss "
                    "and its gradients, and gradcheck takes functions of torch, JAX and autograd"
                )
            if callable(returned[1]):
                raise TypeError(
                    "check_backward: the function returned another beside its output; if that is "
                    "the backward pass, call it: check_backward(f, lambda dout, back: back(dout), "
                    "*inputs)"
                )
            return Forwarded([returned[0]], [])
        return Forwarded.of(output_left(self.owners) if returned is None else returned)

    def _variables(self, inputs: Sequence[Any]) -> list[Variable]:
        variables = [
            Variable("", array_of(leaf), i, path, held=[leaf])
            for i, x in enumerate(inputs)
            for path, leaf in leaves_in(x)
        ]
        for v, label in zip(variables, labels_of(variables, self.names), strict=True):
            v.name = label
        by_array: dict[int, Variable] = {}
        for slot in self.world.slots:
            x = slot.get()
            if x is None:
                continue
            key = id(x) if isinstance(x, np.ndarray) or is_foreign(x) else id(slot)
            name = next((n for n, y in self.extra.items() if y is x), slot.path)
            variable = by_array.setdefault(key, Variable(name, array_of(x), aside=True))
            variable.slots.append(slot)
            variable.held.append(x)
            variable.aside = variable.aside and slot.aside
        for v in by_array.values():
            if self.chosen is None or self.chosen & set(v.names):
                v.named = self.chosen is not None
                variables.append(v)
        return variables

    def _agrees(self, call: Call, v: Variable, gradient: Any) -> bool:
        """Whether a gradient is the slope of the result along one random direction."""
        if not v.takes(gradient) or not v.given.size:
            return False
        key = v.name, call.weighed
        if key not in self._slopes:
            direction = np.random.default_rng(2).normal(size=v.given.shape)
            x, h = floating(v.given), 1e-3 * min(1.0, float(np.max(np.abs(v.given))) or 1.0)
            outputs = self.outputs_of(v, call)
            try:
                ahead, behind = outputs(x + h * direction), outputs(x - h * direction)
            except Exception:  # such as an index that is moved
                ahead, behind = np.full(1, np.nan), np.zeros(1)
            weights = weights_for(ahead.shape) if np.isfinite(ahead).all() else 1.0
            slope = float(np.sum((ahead - behind) * weights)) / (2 * h)
            self._slopes[key] = direction, slope
        direction, slope = self._slopes[key]
        mine = float(np.sum(floating(array_of(gradient)) * direction))
        return bool(abs(mine - slope) <= 1e-3 * abs(slope) + 1e-9) and (mine != 0 or slope == 0)

    # --- numerical -------------------------------------------------------------------------------

    def result_of(self, variable: Variable | None, adjoint: Array) -> Callable[[Array], Any]:
        """The weighed result of forward for other numbers in one variable, or none."""
        outputs = self.outputs_of(variable)
        return lambda moved: (outputs(moved) * adjoint).sum().item()

    def weighed_with(self, numbers: Mapping[str, Array], once: Pass) -> Any:
        """The weighed result of forward for other numbers in several variables, by name."""
        moved = {v: numbers[v.name] for v in once.variables if v.name in numbers}
        return (self._outputs_with(moved) * once.adjoint).sum().item()

    def outputs_of(
        self, variable: Variable | None, call: Call | None = None
    ) -> Callable[[Array], Array]:
        """The result of forward, in float64, for other numbers in one variable, or none."""
        return lambda moved: self._outputs_with({variable: moved} if variable else {}, call)

    def _outputs_with(self, numbers: Mapping[Variable, Array], call: Call | None = None) -> Array:
        chosen = call or self.call
        assert chosen is not None
        mode = Mode(True, self._noted)
        self.world.put_back(mode)
        inputs = self._inputs_in(mode, numbers)
        for variable, moved in numbers.items():
            if variable.slots:
                move_to(variable.slots, moved)
        with quietly():
            forwarded = self._forwarded(self.forward(*inputs))
        return numbers_in(forwarded, chosen.weighed)

    def is_overwritten(self, variable: Variable) -> bool:
        """Whether forward writes other numbers into a parameter, whatever they were."""
        mode = Mode(True, self._noted)
        self.world.put_back(mode)
        move_to(variable.slots, variable.given + 1)
        with quietly():
            self.forward(*self._inputs_in(mode))
        now = variable.slots[0].get()
        return now is not None and not np.array_equal(array_of(now), variable.given + 1)

    def _inputs_in(self, mode: Mode, numbers: Mapping[Variable, Array] | None = None) -> list[Any]:
        """Fresh copies of the inputs, with other numbers in some variables."""
        places = {(v.position, v.path): moved for v, moved in (numbers or {}).items()}

        def fresh(i: int) -> Callable[[Any, Any], Any]:
            def change(path: Any, x: Any) -> Any:
                if (i, path) in places:
                    y = like(x, places[i, path])
                elif mode.precise and array_of(x).dtype.kind == "f":
                    y = like(x, floating(array_of(x)))
                else:
                    y = copy_of_input(x, "check_backward")
                return y.view(Noted) if mode.noted and type(y) is np.ndarray else y

            return change

        return [rebuilt(x, fresh(i)) for i, x in enumerate(self.inputs)]


# --- parts of a run ------------------------------------------------------------------------------


def _as_given(x: Any, what: str) -> Any:
    """A copy of an input, in which a list of numbers is an array; settings stay what they are."""
    if is_list_of_numbers(x):
        return array_of(x, what)
    return rebuilt(x, lambda _, part: copy_of_input(part, what))


def _names_chosen(
    slots: Sequence[LayerSlot], parameters: Mapping[str, Any] | Sequence[str] | None
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
    own = [slot.path for slot in slots if not slot.aside]
    known = {*own, *(slot.path.rpartition(".")[2] for slot in slots)}
    for name in parameters:
        if name not in known:
            raise ValueError(
                f"check_backward: the layer holds no array {name!r}; it has "
                f"{', '.join(own) or 'none'}"
            )
    return set(parameters)
