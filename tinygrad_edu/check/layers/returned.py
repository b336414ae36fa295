"""The gradients that a backward pass returns: each is put to the input or parameter that it belongs
to, by name or in order."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tinygrad_edu.check.layers.gradient_names import is_gradient_name, is_gradient_of
from tinygrad_edu.check.layers.layer_variables import Place, Variable
from tinygrad_edu.check.layers.structures import PartPath, array_of, is_numbers

Agrees = Callable[[Variable, Any], bool]
"""Whether an array is the gradient of a variable, as far as a difference along one direction says.
It is asked only where names and shapes leave several answers."""
Seat = list[Variable]
"""What one returned gradient is for: one variable, or all that one input consists of."""


def put_returned(
    returned: Any, names: Sequence[str], variables: Sequence[Variable], inputs: int, agrees: Agrees
) -> list[Place]:
    """Put to each variable the gradient that backward returned for it; what is left over of dicts.

    `names` is what the code calls the parts that it returns. ValueError for more gradients than
    there are inputs and parameters.
    """
    returned = vars_of(returned) or returned
    if isinstance(returned, Mapping):
        return _put_by_key(returned, variables)
    listed = isinstance(returned, tuple | list) and not _is_one(returned, variables, inputs)
    parts = list(returned) if listed else [] if returned is None else [returned]
    if len(names) == len(parts) > inputs:
        parts = _without_named(parts, names, variables, agrees)
    left = []
    if not any(v.path for v in variables):
        for part in [x for x in parts if isinstance(x, Mapping)]:
            left += _put_by_key(part, variables)
        parts = [x for x in parts if not isinstance(x, Mapping)]
    if parts:
        _put_in_order(parts, [v for v in variables if v.gradient is None], inputs, agrees)
    return left


def names_returned(function: Any) -> list[str]:
    """What a function calls the parts that it returns in its last line; "" for an expression, and
    nothing where its source is not known."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return []
    last = getattr(tree.body[0], "body", [None])[-1]
    value = last.value if isinstance(last, ast.Return) else None
    return [_name_in_source(part) for part in value.elts] if isinstance(value, ast.Tuple) else []


def _name_in_source(part: ast.expr) -> str:
    while isinstance(part, ast.Subscript):
        part = part.value
    return getattr(part, "id", getattr(part, "attr", ""))


def _without_named(
    parts: Sequence[Any], names: Sequence[str], variables: Sequence[Variable], agrees: Agrees
) -> list[Any]:
    """The parts but those that are called the gradient of a variable, which gets them, and those
    that are not gradients, such as the last state of a recurrent net: they are called otherwise
    than the gradients beside them, and are right for nothing."""
    rest = []
    for x, name in zip(parts, names, strict=True):
        owners = [v for v in variables if is_gradient_of(name, v.names) and v.takes(x)]
        if len(owners) == 1 and owners[0].gradient is None:
            owners[0].gradient = x
        elif not name or is_gradient_name(name) or any(agrees(v, x) for v in variables):
            rest.append(x)
    return rest if len(rest) < len(parts) and any(map(is_gradient_name, names)) else list(parts)


def vars_of(x: Any) -> dict[str, Any]:
    """The attributes of a plain object, as of one that keeps gradients; none of an array."""
    plain = hasattr(x, "shape") or isinstance(x, float | int | dict | list | tuple)
    return {} if plain else dict(getattr(x, "__dict__", {}))


def _is_one(returned: Any, variables: Sequence[Variable], inputs: int) -> bool:
    """Whether a list is one gradient: of the only input, which is a list too or an array."""
    numbers = all(isinstance(x, int | float | list) for x in returned)
    structured = inputs == 1 and any(v.path for v in variables if v.is_input)
    return inputs == 1 and isinstance(returned, list) and bool(returned) and (numbers or structured)


# --- by name -------------------------------------------------------------------------------------


def _put_by_key(returned: Mapping[Any, Any], variables: Sequence[Variable]) -> list[Place]:
    left: dict[Any, Any] = {}
    pairs, in_place = [], []
    for key, gradient in returned.items():
        if isinstance(gradient, Mapping):
            in_place += _put_by_key(gradient, variables)
        elif isinstance(gradient, tuple | list) and not _all_numbers(gradient):
            group = [v for v in variables if v.slots and _is_in(v, key)]
            for v, x in zip(group, gradient, strict=False):
                v.gradient = x
        elif is_numbers(gradient) or isinstance(gradient, tuple | list):
            left[key] = gradient
            for i, v in enumerate(variables):
                if key in v.names:
                    pairs.append((0.5 * v.aside, i, key))
                elif is_gradient_of(key, v.names):
                    pairs.append((1.0 + (v.own_name not in str(key)) + 0.5 * v.aside, i, key))
    for _, i, key in sorted(pairs, key=lambda pair: pair[:2]):
        if variables[i].gradient is None and key in left:
            variables[i].gradient = left.pop(key)
    return in_place + [
        Place(returned, key, repr(key), x, array_of(x), None, True)
        for key, x in left.items() if is_numbers(x)
    ]  # fmt: skip


def _all_numbers(x: Sequence[Any]) -> bool:
    return all(isinstance(y, int | float) for y in x)


def _is_in(v: Variable, key: Any) -> bool:
    """Whether a variable is in the list that a key names: weights.0 for dweights."""
    lists = [slot.path.rpartition(".")[0] for slot in v.slots]
    return any(name and (name == key or is_gradient_of(key, [name])) for name in lists)


# --- in order ------------------------------------------------------------------------------------


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
        few = len(flat) <= len(parameters)
        _seat_freely(flat, parameters if few else [*floating, *parameters], agrees)
        return
    whole = [o for o in (seats, floating) if len(o) == len(parts)]
    longer = [[*floating, *parameters], [*seats, *parameters], parameters, [*parameters, *floating]]
    options = whole + [o[: len(parts)] for o in longer if len(o) >= len(parts)]
    if not options:
        raise ValueError(
            f"check_backward: backward returned {len(parts)} gradients for {inputs} inputs; return "
            "those of the inputs in order, or a dict by name"
        )
    fitting = [sum(map(_has_its_shape, parts, o)) for o in options]
    best = [o for o, n in zip(options, fitting, strict=True) if n == max(fitting)]
    if len(parts) < len(floating) or (len(parts) > inputs and max(fitting) < len(parts)):
        _seat_freely(parts, [*floating, *parameters], agrees)
        return
    if len(best) > 1 and best[0] not in whole:
        best.sort(key=lambda o: -sum(_is_right(x, o[i], agrees) for i, x in enumerate(parts)))
    for x, seat in zip(parts, best[0], strict=True):
        _seat(x, seat)


def _has_its_shape(x: Any, seat: Seat) -> bool:
    """Whether a gradient has the shape of what it is for."""
    return x is None or len(seat) != 1 or seat[0].takes(x)


def _is_right(x: Any, seat: Seat, agrees: Agrees) -> bool:
    return len(seat) == 1 and x is not None and agrees(seat[0], x)


def _seat(x: Any, seat: Seat) -> None:
    """Put a gradient to a variable, or its parts to all that an input consists of: by the same keys
    and places, by the keys of gradients (`dW` for `W`), or in order."""
    if len(seat) == 1 and not seat[0].path:
        seat[0].gradient = x
        return
    parts = [_in_same_place(x, v.path) for v in seat]
    if any(part is not None for part in parts):
        for v, part in zip(seat, parts, strict=True):
            v.gradient = part
    elif isinstance(x, Mapping):
        _put_by_key(x, seat)
    elif isinstance(x, tuple | list):
        for v, part in zip(seat, x, strict=False):
            v.gradient = part


def _in_same_place(x: Any, path: PartPath) -> Any:
    """What is in the same place of a structure of gradients; None if there is nothing."""
    for key in path:
        if isinstance(x, Mapping):
            names = [k for k in x if k == key or is_gradient_of(k, [str(key)])]
            x = x[names[0]] if names else None
        elif isinstance(x, tuple | list) and isinstance(key, int) and key < len(x):
            x = x[key]
        else:
            return None
    return None if isinstance(x, Mapping | tuple | list) else x


def _seat_freely(parts: Sequence[Any], seats: Sequence[Seat], agrees: Agrees) -> None:
    """Fewer gradients than variables: each for one that it is right for, or that has its shape."""
    free = [v for seat in seats for v in seat]
    waiting = []
    for x in [x for x in parts if x is not None]:
        alike = [v for v in free if v.takes(x)]
        fits = [v for v in alike if agrees(v, x)]
        # of a - b, the gradient of b is that of a with the wrong sign
        if fits and not agrees(alike[0], -array_of(x)):
            fits[0].gradient = x
            free.remove(fits[0])
        else:
            waiting.append(x)
    for x in waiting:
        fits = [v for v in free if v.takes(x)] or [v for v in free if not v.aside]
        for v in fits[:1]:
            v.gradient = x
            free.remove(v)
