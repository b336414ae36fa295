"""Where each elementwise rule may be tried: what strategies draw from, and tests read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

Interval = tuple[float, float]


@dataclass(frozen=True)
class Domain:
    """Where a function of numbers, or of arrays element by element, may be tried.

    `intervals` has (low, high) for each operand, well inside of where the function is defined;
    None stands for a truth value, which has no derivative. `kinks` are the places of its one
    operand where it is not smooth; a string names the setting that is such a place. `ties` says
    that two equal operands are a kink. `settings` has a strategy for each setting. `exact` says
    that whole numbers give results without rounding.
    """

    intervals: tuple[Interval | None, ...]
    kinks: tuple[float | str, ...] = ()
    ties: bool = False
    settings: Mapping[str, st.SearchStrategy[Any]] = field(default_factory=dict)
    exact: bool = False

    def kinks_at(self, settings: Mapping[str, Any]) -> Iterator[float]:
        """The kinks as numbers, with these settings."""
        for kink in self.kinks:
            at = settings.get(kink) if isinstance(kink, str) else kink
            if at is not None:
                yield float(at)


R: Interval = (-3.0, 3.0)
POSITIVE: Interval = (0.1, 4.0)
NOT_ZERO: Interval = (0.3, 3.0)

DOMAINS: dict[str, Domain] = {
    "add": Domain((R, R), exact=True),
    "multiply": Domain((R, R), exact=True),
    "subtract": Domain((R, R), exact=True),
    "negative": Domain((R,), exact=True),
    "divide": Domain((R, NOT_ZERO)),
    "power": Domain((POSITIVE, R)),
    "exp": Domain((R,)),
    "expm1": Domain((R,)),
    "log": Domain((POSITIVE,)),
    "log1p": Domain(((-0.8, 4.0),)),
    "sqrt": Domain((POSITIVE,)),
    "sin": Domain((R,)),
    "cos": Domain((R,)),
    "tan": Domain(((-1.3, 1.3),)),
    "sinh": Domain((R,)),
    "cosh": Domain((R,)),
    "tanh": Domain((R,)),
    "arcsin": Domain(((-0.95, 0.95),)),
    "arccos": Domain(((-0.95, 0.95),)),
    "arctan": Domain((R,)),
    "sigmoid": Domain((R,)),
    "softplus": Domain((R,)),
    "abs": Domain((R,), kinks=(0.0,), exact=True),
    "relu": Domain((R,), kinks=(0.0,), exact=True),
    "leaky_relu": Domain((R,), kinks=(0.0,), settings={"negative_slope": st.floats(0.0, 0.5)}),
    "clip": Domain(
        (R,),
        kinks=("min", "max"),
        settings={"min": st.none() | st.floats(-2.0, -0.1), "max": st.none() | st.floats(0.1, 2.0)},
        exact=True,
    ),
    "maximum": Domain((R, R), ties=True, exact=True),
    "minimum": Domain((R, R), ties=True, exact=True),
    "where": Domain((None, R, R), exact=True),
}
"""Every elementwise rule of the package, the simplest first."""
