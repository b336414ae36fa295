"""Where each elementwise rule may be tried: what strategies draw from, and tests read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tinygrad_edu.rules.facts import Facts, Interval
from tinygrad_edu.rules.own_rules import is_ours
from tinygrad_edu.rules.rule import RULES, facts_of


@dataclass(frozen=True)
class Domain:
    """Where a function of numbers, or of arrays element by element, may be tried.

    `intervals` has (low, high) for each operand, well inside the domain of the function;
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


def _strategy(values: Any) -> st.SearchStrategy[Any]:
    """Values of a setting, as the facts of a rule say them: of an interval, or of a list."""
    if isinstance(values, tuple):
        return st.floats(*values)
    return st.one_of([_strategy(x) if isinstance(x, tuple) else st.just(x) for x in values])


def _domain(facts: Facts) -> Domain:
    settings = {name: _strategy(values) for name, values in facts.settings.items()}
    return Domain(facts.domain, facts.kinks, facts.ties, settings, facts.exact)


DOMAINS: dict[str, Domain] = {
    name: _domain(facts_of(rule))
    for name, rule in RULES.items()
    if is_ours(rule) and not facts_of(rule).arrays
}
"""Every elementwise rule of the package, the simplest first."""
