"""Wide containers in rows, one below the other, as text is in lines; static/rows.js is the same.

A line that goes on in the next row leaves its own on the right and enters the next on the left.
Between the two rows it has a lane of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from tinygrad_edu.view.layout.plan import Container, Name

MOST_LANES = 8
"""A row ends where at most so many lines go on."""
LANE, TURN, BETWEEN = 8.0, 12.0, 18.0
"""From lane to lane, from a row to the first lane beside it, and to the first one below it."""


class Lane(NamedTuple):
    """The way of a line to the next row: right, down to `y`, left, down, and on from `base`."""

    right: float
    y: float
    left: float
    base: float


@dataclass
class Rows:
    """The rows of a container: the row of each column, and from where to where each row reaches.

    `lanes` has for (first column of a row, number of a trunk) the way of its line to that row.
    """

    row_of: list[int]
    tops: list[float]
    bottoms: list[float]
    width: float
    lanes: dict[tuple[int, int], Lane]


Crossing = list[list[tuple[int, int]]]
"""For each column the lines that come from the one before: (number of a trunk, spot there)."""


def crossing_lines(container: Container, column_of: Sequence[int]) -> Crossing:
    """The lines that go from column to column."""
    crossing: Crossing = [[] for _ in container.columns]
    for t, (_, trunk) in enumerate(container.trunks):
        for tail, head in pairwise(trunk):
            crossing[column_of[head]].append((t, tail))
    return crossing


def first_columns(
    container: Container, crossing: Crossing, rights: Sequence[float], room: float
) -> list[int]:
    """The first column of each row, such that no row is wider than `room`, and all about as wide.

    A row ends where few lines go on.
    """
    kinds = [{container.spots[s][0] for s in column} for column in container.columns]
    counts = [len(lines) for lines in crossing]
    starts = [i for i in range(1, len(rights)) if counts[i] <= MOST_LANES
              and "in" not in kinds[i - 1] and "out" not in kinds[i]]  # fmt: skip
    firsts = _fill_rows(starts, counts, rights, room)
    for part in (0.6, 0.7, 0.8, 0.9):
        narrower = _fill_rows(starts, counts, rights, part * room)
        if len(narrower) == len(firsts):
            return narrower
    return firsts


def _fill_rows(
    starts: Sequence[int], counts: Sequence[int], rights: Sequence[float], room: float
) -> list[int]:
    """The first columns of rows that are filled one after the other."""
    firsts = [0]
    while rights:
        start = firsts[-1]
        origin = rights[start - 1] - TURN - LANE * counts[start] if start else 0.0
        later = [i for i in starts if i > start]
        if rights[-1] - origin <= room or not later:
            break
        ends = [i for i in later if rights[i - 1] - origin + TURN + LANE * counts[i] <= room]
        ends = ends or later[:1]  # what stands in one column may be too wide
        late = [i for i in ends if 2 * (i - start) > ends[-1] - start]
        firsts.append(min(late, key=lambda i: (counts[i], -i)))
    return firsts


def stack_rows(
    container: Container,
    firsts: Sequence[int],
    crossing: Crossing,
    sides: tuple[list[float], list[float]],
    heights: Sequence[float],
    middles: list[float],
    port: Callable[[Name, str, int], float],
    indent: float,
) -> Rows:
    """Move columns, whose left and right sides are given, and the middles of their spots into rows;
    all but the first begin at `indent`."""
    lefts, rights = sides
    in_line = list(rights)
    rows = Rows([0] * len(rights), [], [], 0.0, {})
    for r, (first, end) in enumerate(zip(firsts, [*firsts[1:], len(rights)], strict=True)):
        start = shift = 0.0
        if r:
            n = len(crossing[first])
            base = indent + TURN + LANE * n
            start = rows.bottoms[-1] + 2 * BETWEEN + LANE * max(n - 1, 0)
            shift = base - in_line[first - 1]
            lines = [
                (-middles[spot] - port(container.spots[spot], "out", container.trunks[t][0]), t)
                for t, spot in crossing[first]
            ]
            for k, (_, t) in enumerate(sorted(lines)):  # the lowest line has the highest lane
                right, y = (
                    rights[first - 1] + TURN + LANE * k,
                    rows.bottoms[-1] + BETWEEN + LANE * k,
                )
                rows.lanes[first, t] = Lane(right, y, base - TURN - LANE * (n - 1 - k), base)
                rows.width = max(rows.width, right + TURN)
        own = [s for column in container.columns[first:end] for s in column]
        top = min((middles[s] - heights[s] / 2 for s in own), default=0.0)
        bottom = max((middles[s] + heights[s] / 2 for s in own), default=0.0)
        rows.tops.append(start)
        rows.bottoms.append(start + (bottom - top))
        for s in own:
            middles[s] = middles[s] - top + start
        for i in range(first, end):
            rows.row_of[i] = r
            lefts[i] += shift
            rights[i] += shift
        rows.width = max(rows.width, rights[end - 1] if rights else 0.0)
    return rows
