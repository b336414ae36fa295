"""Random graphs of Values over the elementwise rules and over functions of a user."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

from tinygrad_edu.testing.domains import DOMAINS, Domain, Interval
from tinygrad_edu.testing.drawing import (
    Drawn,
    Rules,
    draw_choice,
    ends_of,
    functions_of,
    settings_from,
    step_of,
)
from tinygrad_edu.testing.graph import Graph
from tinygrad_edu.testing.leaves import floats_between
from tinygrad_edu.testing.steps import Place, Step


def value_graphs(
    rules: Rules | None = None, *, also: Rules = (), smooth: bool = False, most: int = 8
) -> st.SearchStrategy[Graph]:
    """Graphs of Values: at most `most` rules, each inside of its domain, all leading to the root.

    `rules` are names of elementwise rules and functions of Values, all elementwise rules unless
    given; those in `also` come up as often as all others together. Both may be lists, or say where
    a function may be tried: `{f: Domain([(0.1, 4.0)])}`; else its operands are from -3 to 3. With
    `smooth`, no leaf is near a kink or tie, and nothing is 30 times as steep as a leaf. Results
    that are infinite or nan are left out. ValueError for an unknown name, TypeError for what is no
    function.
    """
    if most < 1:
        raise ValueError(f"value_graphs: most={most}; a graph has at least one rule")
    extra = functions_of(also, DOMAINS) if also else {}
    choice = draw_choice(functions_of(rules, DOMAINS), extra)

    @st.composite
    def draw_graph(draw: st.DrawFn) -> Graph:
        drawn = Drawn(smooth)
        tries = 0
        while tries < most and (not tries or draw(_GO_ON)):
            draw(_one_more(drawn, choice))
            tries += 1
        ends = draw(ends_of(drawn, tries))
        if not ends:
            reject()  # no rule found a place where it is smooth, or finite
        total = Place(ends[0])
        for i in ends[1:]:
            added = drawn.add_step(Step(operator.add, (total, Place(i))), True)
            if added is None:
                reject()
            total = added
        return drawn.graph(total)

    return draw_graph()


_GO_ON = st.integers(0, 9).map(bool)
"""Nine times in ten; shrinks to no."""


@st.composite
def _one_more(draw: st.DrawFn, drawn: Drawn, choice: Any) -> None:
    """Add one rule, and the leaves that it needs, or nothing if it does not fit."""
    function, domain = draw(choice)
    settings = draw(settings_from(domain))
    before = len(drawn.made)
    operands: list[Any] = []
    for i, interval in enumerate(domain.intervals):
        must_be_a_node = i == len(domain.intervals) - 1 and not any(
            type(x) is Place for x in operands
        )
        operands.append(draw(_operand(drawn, interval, before, must_be_a_node)))
    if drawn.fits(domain, operands, settings):
        try:
            if drawn.add_step(step_of(function, operands, settings), domain.exact) is not None:
                return
        except (ArithmeticError, ValueError) as error:
            if not isinstance(function, str):
                add_cure(error, function, domain)
            raise
    drawn.drop(before)


@st.composite
def _operand(
    draw: st.DrawFn, drawn: Drawn, interval: Interval | None, before: int, must_be_a_node: bool
) -> Any:
    """A leaf, an earlier result or leaf, or a constant, in the interval; shrinks to a leaf."""
    if interval is None:
        return draw(st.booleans())
    low, high = interval
    numbers = floats_between(low, high, np.float64) if drawn.smooth else st.floats(low, high)
    # all are drawn whatever the kind, so that a simpler kind leaves what follows as it is
    kind, x, back = draw(_KINDS), draw(numbers), draw(st.integers(0, 4))
    if kind == "constant" and not must_be_a_node:
        return x
    fitting = [i for i in range(before) if low <= drawn.data[i] <= high]
    if kind == "earlier" and fitting:
        return Place(fitting[-1 - min(back, len(fitting) - 1)])
    return drawn.add_leaf(x)


_KINDS = st.sampled_from(["leaf", "constant", "earlier", "earlier", "earlier"])


def add_cure(error: Exception, function: Any, domain: Domain) -> None:
    """Say where the function was tried, and how to have it tried elsewhere."""
    name = getattr(function, "__name__", repr(function))
    error.add_note(
        f"{name} was tried with operands in {', '.join(map(str, domain.intervals))}; if it is not "
        f"defined there, say where it is, as in also={{{name}: Domain([(0.1, 4.0)])}}"
    )
