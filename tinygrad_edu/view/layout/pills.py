"""Where the local derivatives stand on the lines of a picture; static/layout.js does the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_edu.view.layout.heights import spaced
from tinygrad_edu.view.layout.plan import Name

if TYPE_CHECKING:
    from tinygrad_edu.view.layout.arrange import Point
    from tinygrad_edu.view.layout.routes import Routes

PILL_HEIGHT, PILL_GAP = 22.0, 3.0
BEFORE_MODULE = 58.0
"""How far before a folded module, which has no circle, a local derivative stands."""


def place_pills(
    heads: list[Name], homes: list[int], lines: Routes, has_pill: list[bool]
) -> list[Point | None]:
    """The middles of the local derivatives: on the last curve of each edge, half way to the
    circle, moved apart where they would cover one another, and in a crowd level with the circle.
    They stay in their gap between two columns, where no card is. `heads` are the visible ends of
    the links, `homes` the containers in which they stand."""
    pills: list[Point | None] = [None] * len(heads)
    gaps: dict[tuple[int, int], list[int]] = {}
    for k, last in enumerate(lines.last):
        if not has_pill[k]:
            continue
        (x1, y1), before = lines.turns[last]
        x0, y0 = lines.turns[before][0]
        is_card = heads[k][0] == "card"
        pills[k] = ((x0 + x1) / 2, (y0 + y1) / 2) if is_card else (x1 - BEFORE_MODULE, y1)
        here = lines.placed[homes[k]]
        gaps.setdefault((homes[k], here.column_of[here.number[heads[k]]]), []).append(k)
    for (c, column), gap in gaps.items():
        here = lines.placed[c]
        row = here.rows.row_of[column]
        low = here.y + here.rows.tops[row] + PILL_HEIGHT / 2
        high = here.y + here.rows.bottoms[row] - PILL_HEIGHT / 2
        wishes = [(point[1], k) for k in gap if (point := pills[k])]
        middles = _apart(wishes, low, high)
        if any(abs(middles[k] - y) > PILL_HEIGHT / 2 for y, k in wishes):  # far from their lines
            arrivals = [(lines.turns[lines.last[k]][0][1], k) for k in gap]
            middles = _apart(arrivals, low, high)
        for k, y in middles.items():
            point = pills[k]
            assert point is not None
            pills[k] = (point[0], y)
    return pills


def _apart(wishes: list[tuple[float, int]], low: float, high: float) -> dict[int, float]:
    """The heights of pills, given as (wish, link), such that they do not overlap."""
    wishes = sorted(wishes)
    heights = [PILL_HEIGHT] * len(wishes)
    middles = spaced(heights, [y for y, _ in wishes], PILL_GAP, low, high)
    return {k: y for (_, k), y in zip(wishes, middles, strict=True)}
