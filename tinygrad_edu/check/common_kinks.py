"""Kinks that several inputs share, as a and b do under max(a, b) where they are equal.

Each by itself may have any slope between those of its two sides; moved together they may go a
smooth way, along which their gradients have to add up to its slope. So the inputs are joined to one
array, and its elements are judged as those of one input are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_edu.check.case import Case
from tinygrad_edu.check.elements import Element, Examination
from tinygrad_edu.check.report import Row
from tinygrad_edu.check.ties import tied_at_a_kink, wrong_ties
from tinygrad_edu.rules.operand_types import Array

MOST_OF_ONE = 6
"""So many elements at kinks are taken of each input, and their calls are about 40."""


def with_common_kinks(cases: Sequence[Case | None], rows: Sequence[Row | None]) -> list[Row | None]:
    """The rows of cases; those of inputs that share a kink, and do not fit together, are wrong."""
    told = list(rows)
    joint = JoinedInputs.of(cases, rows)
    if joint is None:
        return told
    elements = joint.elements()
    examination = Examination(joint.case)
    examination.compare(elements)
    found = wrong_ties(examination, elements)
    if found is None:
        return told
    group, total, slope = found
    tied = sorted({joint.owner_of(e) for e in group})
    names = ", ".join(joint.rows[k].parameter for k in tied)
    for k in tied:
        row = joint.rows[k]
        note = f"{names} are {tied_at_a_kink(total, slope)}"
        told[rows.index(row)] = replace(row, verdict="wrong", note=note, kind="ties")
    return told


class JoinedInputs:
    """Inputs as one array in their order, under one adjoint, and some places in each."""

    def __init__(self, rows: list[Row], cases: list[Case], places: list[list[int]]) -> None:
        self.rows, self.places = rows, places
        self.ends = np.cumsum([math.prod(case.shape) for case in cases])
        together = cases[0].together
        assert together is not None

        def result(x: Array) -> Any:
            parts = np.split(x, self.ends[:-1])
            return together({
                case.parameter: part.reshape(case.shape) if case.shape else part.item()
                for case, part in zip(cases, parts, strict=True)
            })  # fmt: skip

        x, analytic = (
            np.concatenate([np.ravel(getattr(case, name)) for case in cases])
            for name in ("x", "analytic")
        )
        self.case = Case("", x, analytic, result, cases[0].tolerance, cases[0].dtype)

    @staticmethod
    def of(cases: Sequence[Case | None], rows: Sequence[Row | None]) -> JoinedInputs | None:
        """The inputs with kinks, or with numbers equal to those at kinks of others; None where
        fewer than two can be moved at once."""
        right = [
            (case, row) for case, row in zip(cases, rows, strict=True)
            if case and row and row.verdict in ("ok", "kink") and case.together and np.size(case.x)
        ]  # fmt: skip
        at_kinks = np.concatenate([np.ravel(case.x)[np.ravel(row.kinks)] for case, row in right])
        joined = []
        for case, row in right:
            kinks = np.flatnonzero(row.kinks)
            equal = np.flatnonzero(np.isin(case.x, at_kinks))
            places = (kinks if kinks.size else equal)[:MOST_OF_ONE].tolist()
            same = case.again() if places and case.again else case
            if places and same is not None and np.shape(same.analytic) == case.shape:
                joined.append((row, same, places))
        if len(joined) < 2:
            return None
        return JoinedInputs(*map(list, zip(*joined, strict=True)))

    def elements(self) -> list[Element]:
        """The elements at the places of every input."""
        starts = [0, *self.ends[:-1].tolist()]
        return [
            Element((k,), float(self.case.x[k]), self.case.path((k,)), float(self.case.analytic[k]))
            for start, places in zip(starts, self.places, strict=True)
            for k in (start + place for place in places)
        ]

    def owner_of(self, e: Element) -> int:
        """The number of the input that an element is of."""
        return int(np.searchsorted(self.ends, e.index[0], side="right"))
