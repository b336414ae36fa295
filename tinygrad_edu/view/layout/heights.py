"""How high everything in one container stands; static/layout.js is the same algorithm.

Every sum here is a plain loop, whose rounding is the same in both languages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from tinygrad_edu.view.layout.plan import Container, Name

GAP_Y = 24.0
"""Between two spots of a column."""

Port = Callable[[Name, str, int], float]
"""How far below the middle of a spot an edge touches it, by its side and its source."""


def level(container: Container, heights: Sequence[float], port: Port) -> list[float]:
    """The y of the middle of every spot: near its neighbours, in order, never overlapping."""
    spots = container.spots
    before: list[list[tuple[int, float]]] = [[] for _ in heights]
    after: list[list[tuple[int, float]]] = [[] for _ in heights]

    def join(a: int, b: int, source: int) -> None:
        shift = port(spots[a], "out", source) - port(spots[b], "in", source)
        before[b].append((a, shift))
        after[a].append((b, -shift))

    for source, trunk in container.trunks:
        for a, b in pairwise(trunk[:-1]):
            join(a, b, source)
    for t, length, head in container.ways:
        source, trunk = container.trunks[t]
        join(trunk[length - 1], head, source)
    middles = [0.0] * len(heights)
    for column in container.columns:
        y = 0.0
        for s in column:
            middles[s] = y + heights[s] / 2
            y += heights[s] + GAP_Y
    column_heights = [[heights[s] for s in column] for column in container.columns]
    count = len(container.columns)
    for sweep in range(12):
        forward = sweep % 2 == 1
        for i in range(count) if forward else reversed(range(count)):
            column = container.columns[i]
            wishes = []
            for s in column:
                near = (before[s] if forward else after[s]) or before[s] or after[s]
                total = 0.0
                for n, shift in near:
                    total += middles[n] + shift
                wishes.append(total / len(near) if near else middles[s])
            for s, y in zip(column, spaced(column_heights[i], wishes, GAP_Y), strict=True):
                middles[s] = y
    _straighten(container, heights, middles)
    return middles


def _straighten(container: Container, heights: Sequence[float], middles: list[float]) -> None:
    """Bring the bends of long edges to one height, as far as their columns have room."""
    spots = container.spots
    above = [-1] * len(spots)
    below = [-1] * len(spots)
    for column in container.columns:
        for a, b in pairwise(column):
            above[b], below[a] = a, b

    def level_out(run: list[int], low: float, high: float) -> None:
        total = 0.0
        for s in run:
            total += middles[s]
        for s in run:
            middles[s] = max(low, min(high, total / len(run)))

    for _, passed in sorted(container.trunks, key=lambda trunk: -len(trunk[1])):
        run: list[int] = []
        lowest, highest = -math.inf, math.inf
        for s in passed:
            if spots[s][0] in ("card", "module"):
                continue
            low, high = -math.inf, math.inf
            if above[s] >= 0:
                low = middles[above[s]] + (heights[above[s]] + heights[s]) / 2 + GAP_Y
            if below[s] >= 0:
                high = middles[below[s]] - (heights[below[s]] + heights[s]) / 2 - GAP_Y
            if run and max(low, lowest) > min(high, highest):
                level_out(run, lowest, highest)
                run, lowest, highest = [], -math.inf, math.inf
            run.append(s)
            lowest, highest = max(low, lowest), min(high, highest)
        if run:
            level_out(run, lowest, highest)


def spaced(
    heights: Sequence[float],
    wishes: Sequence[float],
    gap: float,
    low: float = -math.inf,
    high: float = math.inf,
) -> list[float]:
    """The middles nearest to the wishes, in the sense of least squares, that keep the gaps.

    Things of these heights stand one below the other, in this order; the first not above `low`
    and the last not below `high`.

    Subtracting the space that the things above need turns the gaps into plain order; the best
    sequence in order comes from pooling neighbours that would swap and giving them their mean,
    and the best between two bounds from cutting that off at the bounds.
    """
    offsets = [0.0]
    for a, b in pairwise(heights):
        offsets.append(offsets[-1] + (a + b) / 2 + gap)
    pools: list[tuple[float, int]] = []  # (mean, how many)
    for wish, offset in zip(wishes, offsets, strict=False):
        mean, n = wish - offset, 1
        while pools and pools[-1][0] > mean:
            other, k = pools.pop()
            mean, n = (mean * n + other * k) / (n + k), n + k
        pools.append((mean, n))
    spread: list[float] = []
    for mean, n in pools:
        within = max(low, min(mean, high - offsets[-1]))
        for _ in range(n):
            spread.append(within + offsets[len(spread)])
    return spread
