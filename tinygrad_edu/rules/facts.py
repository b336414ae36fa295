"""Facts of a rule: what is known of an operation beside its formula.

They are given where the rule is declared, and listed nowhere else:

    @rule("arcsin", domain=(-0.95, 0.95), math="asin")
    def arcsin(x, /): ...

Methods, exports, editors' stubs, the functions that a program calls, what other libraries call the
operation and where tests try it all follow from them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

Interval = tuple[float, float]

ANY: Interval = (-3.0, 3.0)
POSITIVE: Interval = (0.1, 4.0)
NOT_ZERO: Interval = (0.3, 3.0)


class Facts(NamedTuple):
    """What a declaration may say. The defaults are right for a smooth function of all numbers."""

    domain: tuple[Interval | None, ...] = (ANY,)
    """Where to try the rule: (low, high) for every operand, or one of them for each. Stay well
    inside where the rule is defined. None stands for a truth value, which has no derivative."""

    kinks: tuple[float | str, ...] = ()
    """Where a rule of one operand is not smooth; a string names the setting that is the place."""

    ties: bool = False
    """Whether two equal operands are a kink."""

    exact: bool = False
    """Whether whole numbers give results without rounding."""

    settings: Mapping[str, Any] = MappingProxyType({})
    """What to try for each setting: an interval of numbers, or a list of values and intervals."""

    math: str = ""
    """The name of the function in Python's `math`, which numbers then use. A rule of the package
    is taken to have its own name there, if `math` has it."""

    outside: str = ""
    """What the ValueError says of a number for which the function in `math` is not defined."""

    cure: str = ""
    """What an error of the operation says beside what is wrong."""

    number: Callable[..., Any] | None = None
    """The function of numbers, if `math` does not have it."""

    oracles: Mapping[str, str] = MappingProxyType({})
    """What other libraries call the operation, where not by its own name: {"sympy": "Abs"}."""

    arrays: bool = False
    """Whether the rule is for arrays only, and not element by element."""

    method: bool = True
    """Whether nodes have it as a method."""

    public: bool = True
    """Whether `tinygrad_edu` exports it, if it is a rule of the package."""

    def function_of_numbers(self) -> Callable[..., Any] | None:
        """What `of(x)` gives for a number, under the name of the rule."""
        if self.number or not self.math:
            return self.number
        function: Callable[..., Any] = getattr(math, self.math)
        return _refusing(function, self.outside) if self.outside else function


def stated(name: str, operands: int, ours: bool, given: dict[str, Any]) -> Facts:
    """The facts that a declaration gives. TypeError for what is not a fact, ValueError for a domain
    that does not fit the operands and for a function that `math` does not have."""
    if unknown := sorted(given.keys() - set(Facts._fields)):
        raise TypeError(
            f"rule: {name} has no fact {unknown[0]!r}; a rule has {', '.join(Facts._fields)}"
        )
    facts = Facts(**given)
    domain: Any = tuple(facts.domain)
    if domain and isinstance(domain[0], int | float):
        domain = (domain,)
    if len(domain) == 1:
        domain *= max(operands, 1)
    if not _fits(domain, operands):
        raise ValueError(
            f"rule: the domain of {name} is {facts.domain}; give (low, high), or a tuple with one "
            "interval for each operand"
        )
    in_math = facts.math
    if ours and not (in_math or facts.number or facts.arrays) and hasattr(math, name):
        in_math = name
    if in_math and not hasattr(math, in_math):
        raise ValueError(f"rule: math has no function {in_math!r}; give number=, a function")
    method = facts.method and facts.public
    return facts._replace(domain=domain, math=in_math, method=method)


def _fits(domain: Any, operands: int) -> bool:
    right = all(x is None or (len(x) == 2 and x[0] <= x[1]) for x in domain)
    return right and (operands < 0 or len(domain) == operands)


def _refusing(function: Callable[..., Any], outside: str) -> Callable[..., Any]:
    """A function of `math` whose error says what is wrong with the number."""

    def within(*xs: float) -> Any:
        try:
            return function(*xs)
        except ValueError:
            raise ValueError(outside) from None

    return within
