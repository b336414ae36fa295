"""What a backward pass finds before it runs, and what there is to see after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_edu.check.kinds import is_foreign
from tinygrad_edu.check.layers.calling import RATES, Call, Forwarded
from tinygrad_edu.check.layers.gradient_names import bare
from tinygrad_edu.check.layers.layer_variables import Place, Variable
from tinygrad_edu.check.layers.reached import Reached
from tinygrad_edu.check.layers.structures import array_of, is_numbers
from tinygrad_edu.check.layers.watching import Calls
from tinygrad_edu.check.layers.world import Noted

ON_ARRAYS = ("g", "grad_", "grad")
"""The attributes of an array in which its gradient may be found."""
ON_LAYERS = ("dout", "grad_output", "upstream", "doutput", "grad_out", "grad", "g")
"""The attributes of a layer in which backward may look for the adjoint of its output."""
LEFT_OUTPUTS = ("loss", "output", "out", "outputs", "y", "a", "A", "h", "result", "activation",
           "activations", "y_hat", "yhat", "y_pred", "prediction", "z", "Z", "value")  # fmt: skip
"""The attributes in which a forward pass that returns nothing leaves its output."""


def output_left(owners: Sequence[Any]) -> Any:
    """The output of a forward pass that returned nothing; TypeError if it is not found."""
    for owner in owners:
        for name in LEFT_OUTPUTS:
            x = getattr(owner, name, None)
            if is_numbers(x):
                return x
    raise TypeError(
        "check_backward: forward returned None, and there is no array in self.output; return the "
        "output"
    )


def leave_adjoint(
    call: Call, forwarded: Forwarded, douts: Sequence[Any], owners: Sequence[Any]
) -> None:
    """Leave the adjoint where backward may look for it, if it does not get it."""
    if not call.arguments:
        for output, dout in zip([forwarded.outputs[j] for j in call.weighed], douts, strict=True):
            _set_on(output, dout)
        for owner in owners:
            held = getattr(owner, "__dict__", {})
            name = next((n for n in ON_LAYERS if n in held), None)
            if name and not callable(held[name]):
                setattr(owner, name, douts[0])
    elif any(a.role.kind == "input" for a in call.arguments):
        for dout in douts:
            if isinstance(dout, Noted):
                _set_on(dout, dout)


def _set_on(array: Any, dout: Any) -> None:
    if is_foreign(array) or hasattr(array, "__dict__"):  # of a subclass of ndarray
        for name in ON_ARRAYS:
            setattr(array, name, dout)


def places_in(
    reached: Reached, variables: Sequence[Variable], before: Sequence[Place] | None = None
) -> list[Place]:
    """Every place that holds real numbers, with what was there before."""
    earlier = {(id(p.holder), p.key): p for p in before or ()}
    places = []

    def add(holder: Any, key: Any, path: str, x: Any) -> None:
        value = array_of(x) if hasattr(x, "shape") else x
        was = earlier.get((id(holder), key))
        same = (
            was is not None and was.array is x and np.array_equal(was.value, value, equal_nan=True)
        )
        changed = before is not None and not same
        places.append(Place(holder, key, path, x, value, was.value if was else None, changed))

    for slot in reached.slots:
        x = slot.get()
        if x is not None:
            add(slot.container.target, slot.key, slot.path, x)
    for v in variables:
        for held in v.held:
            for name in ON_ARRAYS if hasattr(held, "shape") else ():
                x = getattr(held, name, None)
                if is_numbers(x):
                    add(held, name, f"{v.name}.{name}", x)
    return places


def updates_in(
    call: Call, variables: Sequence[Variable], places: Sequence[Place], calls: Calls
) -> dict[Variable, Any]:
    """The gradients of parameters that backward updates itself: what an optimizer was given beside
    them, or else their step divided by the learning rate."""
    rates = (p.value for p in places if bare(p.key) in RATES and np.ndim(p.value) == 0)
    rate = call.rate or float(next(rates, 0.0))
    at = {(id(s.container.target), s.key): v for v in variables for s in v.slots}
    updated = {}
    for place in places:
        v = at.get((id(place.holder), place.key))
        if v is None or not place.changed or np.shape(place.value) != v.given.shape:
            continue
        gradient = calls.gradient_beside(v)
        if gradient is None and rate:
            gradient = (v.given - np.asarray(place.value)) / rate
        if gradient is not None:
            updated[v] = gradient
    return updated
