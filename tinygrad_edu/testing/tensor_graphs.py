"""Random graphs of Tensors over all rules of the package and over functions of a user."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_edu.rules import sum as total_of
from tinygrad_edu.testing.array_steps import ARRAY_STEPS, EXACT, Array, Arrays, within
from tinygrad_edu.testing.domains import DOMAINS, Domain, Interval, R
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
from tinygrad_edu.testing.value_graphs import _GO_ON, add_cure

KNOWN: dict[str, Any] = {**DOMAINS, **ARRAY_STEPS}
"""All rules by name, the simplest first."""

_TAME = frozenset(KNOWN) - {"exp", "expm1", "sinh", "cosh", "power"}
_TAME_INTERVAL: Interval = (-30.0, 30.0)
"""Where rules that are tried from -3 to 3 may go as well, unless they grow like an exponential."""


def tensor_graphs(
    rules: Rules | None = None,
    *,
    also: Rules = (),
    smooth: bool = False,
    most: int = 8,
    dtype: npt.DTypeLike = np.float64,
    max_dims: int = 3,
    max_side: int = 3,
) -> st.SearchStrategy[Graph]:
    """Graphs of Tensors: at most `most` rules on shapes that fit; the root has shape ().

    `rules`, `also` and the errors are as for `value_graphs`, with the rules over arrays. A function
    of your own is tried on operands that broadcast; where it refuses their shapes with a
    ValueError, another step is taken. Leaves have at most `max_dims` axes of length 1 to
    `max_side`. With `smooth`, no element is near a kink or tie. Otherwise inputs are whole numbers,
    so that kinks and ties are met, and only exact results meet them: however the graph is computed,
    it takes the same branches.
    """
    if most < 1:
        raise ValueError(f"tensor_graphs: most={most}; a graph has at least one rule")
    kind = np.dtype(dtype)
    if kind not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise ValueError(f"tensor_graphs: dtype {kind}; graphs are of float64 or float32")
    extra = functions_of(also, KNOWN) if also else {}
    choice = draw_choice(functions_of(rules, KNOWN), extra)
    shapes = hnp.array_shapes(min_dims=0, max_dims=max_dims, min_side=1, max_side=max_side)

    @st.composite
    def draw_graph(draw: st.DrawFn) -> Graph:
        drawn = Drawn(smooth)
        tries = 0
        while tries < most and (not tries or draw(_GO_ON)):
            draw(_one_more(drawn, choice, kind, shapes))
            tries += 1
        ends = draw(ends_of(drawn, tries))
        total: Place | None = None
        for i in ends:
            end = draw(_summed(drawn, i, kind))
            total = end if total is None else drawn.add_step(Step(operator.add, (total, end)), True)
            if total is None:
                reject()
        if total is None:
            reject()
        return drawn.graph(total)

    return draw_graph()


@st.composite
def _summed(draw: st.DrawFn, drawn: Drawn, i: int, dtype: np.dtype[Any]) -> Place:
    """The sum of an end, its elements weighed or not."""
    x, place = drawn.data[i], Place(i)
    if not x.ndim and not draw(st.booleans()):
        return place
    if x.ndim and draw(st.booleans()):
        weights = (np.arange(x.size) % 5 - 1.0).reshape(x.shape).astype(dtype)
        place = drawn.add_step(Step(operator.mul, (place, weights)), True) or reject()
    return drawn.add_step(Step(total_of, (place,)), True) or reject()


@st.composite
def _one_more(
    draw: st.DrawFn, drawn: Drawn, choice: Any, dtype: np.dtype[Any], shapes: Any
) -> None:
    """Add one rule, and the leaves that it needs, or nothing if it does not fit."""
    function, domain = draw(choice)
    before = len(drawn.made)
    a = Arrays(draw, drawn, dtype)
    earlier = draw(st.booleans()) and before > 0
    x = a.choose(*a.fitting(lambda _: True)[:6]) if earlier else None
    exact = function in EXACT if domain is None else domain.exact
    if domain is None:
        first = a.leaf(draw(shapes), R) if x is None else x
        data = drawn.data[first.index]
        made = ARRAY_STEPS[function](a, data, first) if within(data, _TAME_INTERVAL) else None
        if made is not None:
            operands, settings = [first, *made[0]], made[1]
            if function == "einsum":
                operands.insert(0, settings.pop("subscripts"))
    else:
        wide = function in _TAME if isinstance(function, str) else False
        domain = _widened(domain) if wide else domain
        operands, settings = _elementwise(a, domain, x, shapes), draw(settings_from(domain))
        made = (operands, settings) if drawn.fits(domain, operands, settings) else None
    if made is None:
        drawn.drop(before)
        return
    try:
        result = drawn.add_step(step_of(function, operands, settings), exact)
    except (ArithmeticError, ValueError, IndexError) as error:
        if isinstance(function, str):
            raise
        if not isinstance(error, ValueError | IndexError):
            add_cure(error, function, domain or Domain((R,)))
            raise
        result = None  # it does not take these shapes
    if result is None or drawn.data[-1].size > 200 or drawn.data[-1].ndim > 4:
        drawn.drop(before)


def _widened(domain: Domain) -> Domain:
    intervals = tuple(_TAME_INTERVAL if i == R else i for i in domain.intervals)
    return Domain(intervals, domain.kinks, domain.ties, domain.settings, domain.exact)


def _elementwise(a: Arrays, domain: Domain, x: Place | None, shapes: Any) -> list[Any]:
    """Operands that broadcast; a new leaf stands in where the node x is outside of the domain."""
    shape = a.draw(shapes) if x is None else a.drawn.data[x.index].shape
    turn = a.draw(st.integers(0, len(domain.intervals) - 1))  # which of them is x
    if domain.intervals[turn] is None:
        turn = len(domain.intervals) - 1
    operands: list[Any] = []
    for i, interval in enumerate(domain.intervals):
        if interval is None:
            operands.append(a.draw(hnp.arrays(np.bool_, shape)))
        elif i == turn:
            fits = x is not None and within(a.drawn.data[x.index], interval)
            operands.append(x if fits else a.leaf(shape, _narrow(interval)))
        else:
            operands.append(_partner(a, shape, interval))
    return operands


def _partner(a: Arrays, shape: tuple[int, ...], interval: Interval) -> Any:
    """An operand that broadcasts with this shape: also a number, or with axes left out or of 1."""
    kind = a.choose("leaf", "earlier", "number", "array")
    low, high = _narrow(interval)
    if kind == "number":
        whole = st.integers(math.ceil(low), math.floor(high)).map(float)
        return a.draw(floats_between(low, high, a.dtype) if a.drawn.smooth else whole)
    fitting = a.fitting(lambda y: _broadcasts(y.shape, shape) and within(y, interval))
    if kind == "earlier" and fitting:
        return a.choose(*fitting)
    shorter = a.choose(shape, shape[1:], tuple(1 if i else n for i, n in enumerate(shape)))
    if kind == "array":
        return a.array(shorter, (low, high))
    return a.leaf(shorter, (low, high))


def _narrow(interval: Interval) -> Interval:
    return R if interval == _TAME_INTERVAL else interval


def _broadcasts(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    pairs = zip(reversed(one), reversed(other), strict=False)
    return all(n == k or 1 in (n, k) for n, k in pairs)


__all__ = ["KNOWN", "Array", "tensor_graphs"]
