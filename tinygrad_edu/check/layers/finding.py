"""Where backward passes leave gradients: each is put to the input or parameter it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from tinygrad_edu.check.layers.containers import Holder
from tinygrad_edu.check.layers.gradient_names import (
    GRADIENTS,
    PARAMETERS,
    bare,
    is_gradient_name,
    is_gradient_of,
    owners_named,
    shortened,
)
from tinygrad_edu.check.layers.layer_variables import Place, Variable
from tinygrad_edu.check.layers.reached import Reached, parents_of
from tinygrad_edu.check.layers.structures import array_of

Agrees = Callable[[Variable, Any], bool]
"""Whether an array is the gradient of a variable, as far as a difference along one direction says.
It is asked only where names and shapes leave several answers."""
AS_GOOD_AS_NONE = 9.0
OUTPUT_OWNERS = {"out", "output", "outputs", "y", "values", "loss", "z", "h", "a", "scores"}
"""What an adjoint belongs to, as its name says."""


class Left:
    """What a backward pass left behind in the objects that it can reach."""

    def __init__(
        self, returned: Any, places: Sequence[Place], containers: Sequence[Holder],
        owners: Sequence[Any], updated: dict[Variable, Any], known: set[str],
    ) -> None:  # fmt: skip
        self.returned, self.places = returned, list(places)
        self.updated, self.known = updated, known
        self._parents = {
            key: [(c.target, k) for c, k in held] for key, held in parents_of(containers).items()
        }
        self._owners = {id(owner) for owner in owners}
        self._reals: dict[int, list[Any]] = {}
        for place in places:
            if not is_gradient_name(place.key):
                self._reals.setdefault(id(place.holder), []).append(place.key)

    # --- by place and name -----------------------------------------------------------------------

    def put_by_name(self, variables: Sequence[Variable], agrees: Agrees) -> None:
        """Put to each variable the gradient whose place and name say that it is its."""
        pairs = [
            (strength, i, k)
            for i, v in enumerate(variables) if v.gradient is None
            for k, place in enumerate(self.places)
            if (strength := self._strength(v, place)) < AS_GOOD_AS_NONE
        ]  # fmt: skip
        taken: set[int] = set()
        for _, i, k in sorted(pairs, key=lambda p: (p[0] + 0.05 * variables[p[1]].aside, *p)):
            if variables[i].gradient is None and k not in taken:
                _give(variables[i], self.places[k])
                taken.add(k)
        for place in self.unmatched(variables):
            fits = [v for v in variables
                    if v.gradient is None and np.shape(place.value) == v.given.shape
                    and (v.is_input or v.slots) and agrees(v, place.value)]  # fmt: skip
            if fits:
                _give(fits[0], place)

    def _strength(self, v: Variable, place: Place) -> float:
        """How surely a place holds the gradient of a variable: the less, the surer."""
        exact = 0.0 if v.own_name and v.own_name in str(place.key) else 0.1
        of_it = is_gradient_of(place.key, v.names)
        options = [AS_GOOD_AS_NONE]
        if id(place.holder) in self._owners and of_it:
            options.append(4.0)
        if id(place.holder) in self._owners and v.position == 0 and "x" in owners_named(place.key):
            options.append(5.0)  # dinputs, whatever the input is called
        if any(place.holder is x for x in v.held) and bare(place.key) in GRADIENTS:
            options.append(0.0)
        for slot in v.slots:
            if place.holder is slot.container.target and place.key != slot.key:
                options += [1.0] if of_it else []
                alone = self._reals.get(id(place.holder), []) == [slot.key]
                if bare(place.key) in GRADIENTS and (bare(slot.key) in PARAMETERS or alone):
                    options.append(2.0)
            options += [2.6] if _same_but_for_gradient(slot.path, place.path) else []
            options += self._beside(v, slot.container.target, slot.key, place)
        return min(options) + exact

    def _beside(self, v: Variable, holder: Any, key: Any, place: Place) -> Iterator[float]:
        """Whether a place is in a list or dict of gradients beside the variable, or beside the list
        or dict that the variable is in."""
        for above, name in self._parents.get(id(place.holder), []):
            if above is holder and bare(name) in GRADIENTS:  # grads = {"W": ...} beside W
                held = self._reals.get(id(holder), [])
                index = held.index(key) if key in held else -1
                if shortened(place.key) == shortened(key) or is_gradient_of(place.key, v.names):
                    yield 3.0
                elif place.key == index and np.shape(place.value) == v.given.shape:
                    yield 3.5
            for other, its_name in self._parents.get(id(holder), []):
                general = bare(name) in GRADIENTS and bare(its_name) in PARAMETERS
                if above is other and (general or is_gradient_of(name, [str(its_name)])):
                    if place.key == key:
                        yield 2.5
                    elif is_gradient_of(place.key, [str(key)]):
                        yield 3.0

    # --- what is left over -----------------------------------------------------------------------

    def unmatched(self, variables: Sequence[Variable]) -> list[Place]:
        """The places that backward set, whose names say that they hold gradients, and that were put
        to no variable."""
        sources = [v.source for v in variables if v.source]
        given = {id(v.gradient) for v in variables}
        arrays = {id(place.array) for place in sources} | given
        return [
            p for p in self.places
            if p.changed and p not in sources and id(p.array) not in arrays
            and (is_gradient_name(p.key) or self._is_in_gradients(p))
        ]  # fmt: skip

    def _is_in_gradients(self, place: Place) -> bool:
        return any(bare(name) in GRADIENTS for _, name in self._parents.get(id(place.holder), []))


def _same_but_for_gradient(path: str, place: str) -> bool:
    """Whether two paths differ in one name alone: grads.0.W or dparams.0.W for params.0.W."""
    names, others = path.split("."), place.split(".")
    if len(names) != len(others) or len(names) < 3:
        return False
    apart = [(x, y) for x, y in zip(names, others, strict=True) if x != y]
    return len(apart) == 1 and (
        is_gradient_of(apart[0][1], apart[0][:1])
        or (bare(apart[0][0]) in PARAMETERS and bare(apart[0][1]) in GRADIENTS)
    )


def _give(v: Variable, place: Place) -> None:
    v.gradient, v.source = place.value, place
    before = None if place.before is None else np.array(place.before, np.float64)
    v.left_before = before


def is_explained(place: Place, known: set[str], batch: int) -> bool:
    """Whether a gradient belongs to something that has a name in the code, such as a variable
    inside the forward pass, or to something in between, with one row for each sample, so that no
    parameter is missing."""
    shape, owners = np.shape(place.value), owners_named(place.key)
    between = not shape or shape[0] == batch or any(owner in OUTPUT_OWNERS for owner in owners)
    return between or not owners or any(owner in known for owner in owners)


# --- what is returned ----------------------------------------------------------------------------


def put_returned(returned: Any, variables: Sequence[Variable], inputs: int, agrees: Agrees) -> None:
    """Put to each variable the gradient that backward returned for it, by name or in order.

    ValueError for more gradients than there are inputs and parameters.
    """
    if returned is None:
        return
    if not isinstance(returned, Mapping | tuple | list | np.ndarray) and vars_of(returned):
        returned = vars_of(returned)
    if isinstance(returned, Mapping):
        _put_by_key(returned, variables)
        return
    listed = isinstance(returned, tuple | list) and not _is_one(returned, variables, inputs)
    parts = list(returned) if listed else [returned]
    for part in parts:
        if isinstance(part, Mapping) and not any(v.path for v in variables):
            _put_by_key(part, variables)
    parts = [x for x in parts if not isinstance(x, Mapping) or any(v.path for v in variables)]
    _put_in_order(parts, [v for v in variables if v.gradient is None], inputs, agrees)


def vars_of(x: Any) -> dict[str, Any]:
    """The attributes of a plain object, as of one that keeps gradients; none of an array."""
    plain = hasattr(x, "shape") or isinstance(x, float | int)
    return {} if plain else dict(getattr(x, "__dict__", {}))


def _is_one(returned: Any, variables: Sequence[Variable], inputs: int) -> bool:
    """Whether a list is one gradient: of the only input, which is a list too or an array."""
    numbers = all(isinstance(x, int | float | list) for x in returned)
    structured = inputs == 1 and any(v.path for v in variables if v.is_input)
    return inputs == 1 and isinstance(returned, list) and bool(returned) and (numbers or structured)


def _put_by_key(returned: Mapping[Any, Any], variables: Sequence[Variable]) -> None:
    pairs = []
    for key, gradient in returned.items():
        if isinstance(gradient, Mapping):
            _put_by_key(gradient, variables)
        elif isinstance(gradient, tuple | list) and not _all_numbers(gradient):
            group = [v for v in variables if v.slots and _is_in(v, key)]
            for v, x in zip(group, gradient, strict=False):
                v.gradient = x
        elif gradient is not None:
            for i, v in enumerate(variables):
                if key in v.names:
                    pairs.append((0.5 * v.aside, i, key))
                elif is_gradient_of(key, v.names):
                    pairs.append((1.0 + (v.own_name not in str(key)) + 0.5 * v.aside, i, key))
    taken = set()
    for _, i, key in sorted(pairs, key=lambda pair: pair[:2]):
        if variables[i].gradient is None and key not in taken:
            variables[i].gradient = returned[key]
            taken.add(key)


def _all_numbers(x: Sequence[Any]) -> bool:
    return all(isinstance(y, int | float) for y in x)


def _is_in(v: Variable, key: Any) -> bool:
    """Whether a variable is in the list that a key names: weights.0 for dweights."""
    lists = [slot.path.rpartition(".")[0] for slot in v.slots]
    return any(name and (name == key or is_gradient_of(key, [name])) for name in lists)


Seat = list[Variable]
"""What one returned gradient is for: one variable, or all that one input consists of."""


def _put_in_order(
    parts: list[Any], variables: Sequence[Variable], inputs: int, agrees: Agrees
) -> None:
    seats: list[Seat] = [[v for v in variables if v.position == i] for i in range(inputs)]
    floating = [seat for seat in seats if any(v.floating for v in seat)]
    held = [v for v in variables if v.slots and not v.is_input]
    parameters: list[Seat] = [[v] for v in [v for v in held if not v.aside] or held]
    lists = [x for x in parts if isinstance(x, list | tuple) and not _all_numbers(x)]
    if lists and not any(v.path for v in variables):  # as of all weights, and of all biases
        flat = [y for x in parts for y in (x if any(x is z for z in lists) else [x])]
        _seat_freely(flat, parameters if len(flat) <= len(parameters) else [*floating, *parameters],
                     agrees)  # fmt: skip
        return
    if len(parts) == len(seats) and _fitting(parts, seats) == len(parts):
        _seat(parts, seats)
        return
    options = [seats, floating, [*floating, *parameters], [*seats, *parameters], parameters,
               [*parameters, *floating]]  # fmt: skip
    whole = [o for o in options[:2] if len(o) == len(parts)]
    longer = [o[: len(parts)] for o in options[2:] if len(o) >= len(parts)]
    if len(parts) < len(floating) and not any(_fitting(parts, o) == len(parts) for o in whole):
        _seat_freely(parts, [*floating, *parameters], agrees)
        return
    if not whole and not longer:
        raise ValueError(
            f"check_backward: backward returned {len(parts)} gradients for {inputs} inputs; return "
            "those of the inputs in order, or a dict by name"
        )
    best = max(_fitting(parts, o) for o in [*whole, *longer])
    if best < len(parts) and len(parts) > len(seats):
        _seat_freely(parts, [*floating, *parameters], agrees)
        return
    fitting = [o for o in [*whole, *longer] if _fitting(parts, o) == best]
    if len(fitting) > 1 and fitting[0] not in whole:
        fitting.sort(key=lambda o: -_agreeing(parts, o, agrees))
    _seat(parts, fitting[0])


def _fitting(parts: Sequence[Any], seats: Sequence[Seat]) -> int:
    """How many gradients have the shape of what they are for."""
    return sum(
        x is None or len(seat) != 1 or np.shape(x) == seat[0].given.shape
        for x, seat in zip(parts, seats, strict=True)
    )


def _agreeing(parts: Sequence[Any], seats: Sequence[Seat], agrees: Agrees) -> int:
    return sum(
        len(seat) == 1 and x is not None and agrees(seat[0], x)
        for x, seat in zip(parts, seats, strict=True)
    )


def _seat(parts: Sequence[Any], seats: Sequence[Seat]) -> None:
    for x, seat in zip(parts, seats, strict=True):
        if x is None:
            continue
        if isinstance(x, Mapping):
            _put_by_key(x, seat)
        elif isinstance(x, tuple | list) and seat and seat[0].path:
            for v, part in zip(seat, x, strict=False):
                v.gradient = part
        elif len(seat) == 1:
            seat[0].gradient = x


def _seat_freely(parts: Sequence[Any], seats: Sequence[Seat], agrees: Agrees) -> None:
    """Fewer gradients than variables: each for one that it is right for, or that has its shape."""
    free = [v for seat in seats for v in seat]
    waiting = []
    for x in [x for x in parts if x is not None]:
        alike = [v for v in free if np.shape(x) == v.given.shape]
        fits = [v for v in alike if agrees(v, x)]
        # of a - b, the gradient of b is that of a with the wrong sign
        if fits and not agrees(alike[0], -array_of(x)):
            fits[0].gradient = x
            free.remove(fits[0])
        else:
            waiting.append(x)
    for x in waiting:
        fits = [v for v in free if np.shape(x) == v.given.shape]
        fits = fits or [v for v in free if not v.aside]
        for v in fits[:1]:
            v.gradient = x
            free.remove(v)


def without_gradients(variables: list[Variable]) -> list[Variable]:
    """All but those that are the gradients of others, and views of what has a gradient."""
    sources = [v.source for v in variables if v.source]
    at = {(id(place.holder), place.key) for place in sources}
    with_gradient = [v for v in variables if v.gradient is not None and v.slots]

    def is_other(v: Variable) -> bool:
        if v.is_input or v.gradient is not None or v.named:
            return False
        if any((id(slot.container.target), slot.key) in at for slot in v.slots):
            return True
        arrays = [x for x in v.held if isinstance(x, np.ndarray)]
        return any(
            np.may_share_memory(x, y)
            for x in arrays for other in with_gradient for y in other.held
            if isinstance(y, np.ndarray)
        )  # fmt: skip

    return [v for v in variables if not is_other(v)]


def names_in(reached: Reached, inputs: Sequence[str]) -> set[str]:
    """The names of attributes, variables and inputs that occur in the code."""
    names = set(inputs)
    for container in reached.containers:
        if isinstance(container.target, FunctionType):
            names |= set(container.target.__code__.co_varnames)
        names |= set(map(str, container.items()))
    return {shortened(name) for name in names}
