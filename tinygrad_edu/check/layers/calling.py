"""How hand-written backward passes are called, and where they leave their gradients."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.check.kinds import is_foreign, positional_parameters
from tinygrad_edu.check.layers.parts import LayerSlot, Noted, array_of, parts_of

ON_ARRAYS = ("g", "grad_", "grad")
"""The attributes of an array in which its gradient may be found."""


class NotOneNumberError(Exception):
    """A backward pass that takes no adjoint, after a forward pass with several results."""


def call_backward(
    backward: Callable[..., Any], inputs: list[Any], output: Any, dout: Any, cache: Any
) -> Any:
    """Call backward with what its signature asks for; TypeError if that is not known."""
    required, most = _positional(backward)
    n = len(inputs)
    if cache is not None and required == 2:
        return backward(dout, cache)
    if most == 0:
        _leave_adjoint(output, dout)
        return backward()
    if required <= 1:
        return backward(dout)
    if required == n + 1:
        _leave_adjoint(dout, dout)
        return backward(*inputs, dout)
    if required == n:
        if array_of(output).size != 1:
            raise NotOneNumberError(
                "backward takes no adjoint, as that of a loss, but forward gives shape "
                f"{array_of(output).shape}; "
                "a loss is one number: take the mean or the sum over everything"
            )
        return backward(*inputs)
    raise TypeError(
        f"check_backward: backward takes {required} arguments for {n} inputs; it is called with "
        "the adjoint, with inputs and adjoint, or with the adjoint and a cache; wrap it, as in "
        "check_backward(layer.forward, lambda dout: layer.backward(...), ...)"
    )


def _leave_adjoint(array: Any, dout: Any) -> None:
    """Set the attributes in which backward may look for its adjoint."""
    if isinstance(array, Noted) or (is_foreign(array) and array is not dout):
        for name in ON_ARRAYS:
            setattr(array, name, dout)


def split_output(output: Any, backward: Callable[..., Any]) -> tuple[Any, Any]:
    """The output of a forward pass and its cache, None if it gives none.

    TypeError for several outputs: a backward pass is asked for the adjoint of one.
    """
    if not isinstance(output, tuple):
        return output, None
    several = len(output) != 2 or (
        isinstance(output[1], np.ndarray)
        and output[1].dtype.kind == "f"
        and _positional(backward)[1] <= 1
    )
    if several:
        raise TypeError(
            f"check_backward: forward gives a tuple of {len(output)}, and backward does not take a "
            "cache; check one output at a time, with a function that returns it"
        )
    return output[0], output[1]


def takes_nothing(backward: Callable[..., Any]) -> bool:
    """Whether a backward pass is called without arguments."""
    return _positional(backward)[1] == 0


def _positional(function: Callable[..., Any]) -> tuple[int, float]:
    """How many arguments a function needs, and how many it takes at most."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1, 1
    some = positional_parameters(function)
    endless = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return sum(p.default is p.empty for p in some), math.inf if endless else len(some)


def left_on(array: Any) -> tuple[Any, list[Any]]:
    """The gradient that was left in an attribute of the array, and all that it was set to."""
    for name in ON_ARRAYS:
        gradient = getattr(array, name, None) if not isinstance(array, float) else None
        if gradient is not None:
            notes = getattr(array, "assigned", {})
            return gradient, notes.get(name, []) if isinstance(notes, dict) else []
    return None, []


SHORTENED = {"weights": "w", "weight": "w", "biases": "b", "bias": "b"}
"""How people shorten the names of parameters in the names of their gradients."""


GRADIENTS = ("grads", "gradients", "grad", "gradient")
PARAMETERS = ("params", "parameters", "param", "weights")
"""The names of lists and dicts of gradients, and of the parameters that they belong to."""


def gradient_name(holder: Any, names: Sequence[str]) -> str | None:
    """The attribute of an object that holds the gradient of one of these names: dW for W."""
    wanted = []
    for name in names:
        for short in dict.fromkeys((_bare(name), SHORTENED.get(_bare(name), _bare(name)))):
            wanted += [f"d{short}", f"grad{short}", f"{short}grad", f"{short}g"]
    held = {_bare(key): key for key, _ in parts_of(holder) if isinstance(key, str)}
    for name in wanted:
        if name in held and name not in map(_bare, names):
            return str(held[name])
    return None


def gradient_beside(objects: Sequence[Any], slot: LayerSlot) -> Any:
    """What a list or dict of gradients holds in the place of a parameter in a list or dict beside
    it: `grads[0]` for `params[0]`; None if there is no such thing."""
    for owner in objects:
        held = {_bare(key): part for key, part in parts_of(owner) if isinstance(key, str)}
        for name in [name for name, part in held.items() if part is slot.holder]:
            general = GRADIENTS if name in PARAMETERS else ()  # other lists may be buffers
            for wanted in (f"d{name}", f"{name}grads", f"grad{name}", *general):
                beside = held.get(wanted)
                if isinstance(beside, dict | list | tuple) and beside is not slot.holder:
                    gradients = dict(parts_of(beside))
                    if slot.key in gradients:
                        return gradients[slot.key]
    return None


def _bare(name: str) -> str:
    return re.sub(r"[_.]", "", str(name)).lower()
