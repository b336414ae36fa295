"""Where backward passes leave gradients: each is put to the input or parameter it belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from tinygrad_edu.check.layers.returned import Agrees

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
                    if v.gradient is None and v.takes(place.value)
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
                elif place.key == index and v.takes(place.value):
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
