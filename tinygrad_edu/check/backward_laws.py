"""What every backward pass has to be: the same at every run, and linear in the adjoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping

from tinygrad_edu.check.exact import errors_of
from tinygrad_edu.check.kinds import Plain, elements_of, floating, largest, quietly

FACTORS = (-1000.0, 0.001)
FACTORS_OF_FLOAT16 = (-8.0, 0.125)
"""So many times the adjoint gives so many times the gradient."""
ROUNDING = {"float64": 1e-7, "float32": 3e-4}
ROUNDING_BELOW = 1e-2
"""What rounding may do to an element of a gradient, as a part of it, by dtype; below float32."""


def broken_laws(
    once: Mapping[str, Plain],
    gradients: Callable[[float], Mapping[str, Plain]],
    adjoint: Plain,
    dtype: str,
    linear: Collection[str],
) -> list[str]:
    """What is to be said of gradients, by name, that another run does not give again, and of those
    in `linear` that do not grow with the adjoint. `gradients(c)` runs backward with c times the
    adjoint that gave `once`."""
    once, relative = _floating(once), ROUNDING.get(dtype, ROUNDING_BELOW)
    floor = 1e-2 * max(map(largest, once.values()), default=0.0) + 1e-6 * largest(adjoint)

    def worst(one: Plain, other: Plain, factor: float) -> tuple[float, float] | None:
        """The element that is furthest from being so many times as large, before and now."""
        with quietly():  # infinities
            slack = abs(factor) * relative * (abs(one) + 0.1 * largest(one) + floor)
            errors = elements_of(errors_of(other, factor * one, slack))
        place = max(range(len(errors)), key=lambda k: errors[k] if errors[k] > 1 else 0, default=0)
        if not errors or not errors[place] > 1:
            return None
        return elements_of(one)[place], elements_of(other)[place]

    now = _floating(gradients(1.0))
    two = [name for name, x in once.items() if name in now and worst(x, now[name], 1.0)]
    if two:
        return [
            f"{', '.join(two)}: the same adjoint gives two gradients; does backward draw random "
            "numbers, change what it reads, or read what was never set (np.empty)?"
        ]
    said: dict[str, str] = {}
    for factor in FACTORS_OF_FLOAT16 if dtype == "float16" else FACTORS:
        try:
            now = _floating(gradients(factor)) if linear else {}
        except Exception:  # backward refuses adjoints of such a size, and says so
            continue
        for name in [name for name in once if name in linear and name in now]:
            both = worst(once[name], now[name], factor)
            if both:
                said.setdefault(name, f"{name}: {_not_linear(factor, *both)}")
    return [*said.values()]


def _floating(gradients: Mapping[str, Plain]) -> Mapping[str, Plain]:
    return {name: floating(x) for name, x in gradients.items()}


def _not_linear(factor: float, once: float, now: float) -> str:
    if math.isclose(once, now, rel_tol=1e-4):
        return (
            f"{factor:g} times the adjoint gives the same gradient again: multiply by the adjoint"
        )
    return (
        f"the gradient does not grow with the adjoint: {factor:g} times the adjoint gives "
        f"{now:.6g} instead of {factor * once:.6g}; is the adjoint clipped, rounded or compared "
        "with a number? Clip gradients after the backward pass"
    )
