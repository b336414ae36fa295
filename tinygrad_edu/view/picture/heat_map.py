"""Maps of arrays as SVG: a cell for every element, coloured by what was found there."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_edu.view.cards.reading import shown_text
from tinygrad_edu.view.picture.style import look, opening

MOST_CELLS = 48
"""How many cells a map has at most along an axis; of more, the worst of some share a cell."""
CELL, SMALL_CELL, MARGIN, LEFT = 22.0, 9.0, 24.0, 34.0
WIDTH, LETTERS = 560.0, 96

KINDS = ("unknown", "right", "kink", "wrong")
"""What a cell can be, the worst last."""

LEGEND = (("right", "agrees"), ("wrong", "wrong"), ("kink", "kink"), ("unknown", "not compared"))


@dataclass(frozen=True, eq=False)
class HeatMap:
    """A title, a verdict, a sentence, and the kind of every element (one of KINDS)."""

    title: str
    verdict: str
    said: str
    kinds: npt.NDArray[Any]


def to_heat_maps(maps: Sequence[HeatMap], name: str) -> str:
    """The maps one below the other, as SVG text."""
    parts: list[str] = []
    y = MARGIN
    for drawn in maps:
        text, y = _draw(drawn, y)
        parts.append(text)
    height = y + 34
    return "\n".join([opening(WIDTH, height, escape(shown_text(name))), *parts,
                     _legend(height - 20), "</svg>\n"])  # fmt: skip


def _draw(drawn: HeatMap, y: float) -> tuple[str, float]:
    """One map from y downwards, and where the next one begins."""
    grid, per_cell = _cell_grid(drawn.kinds)
    rows, columns = grid.shape
    size = min(CELL, (WIDTH - LEFT - MARGIN) / max(columns, 1))
    size = SMALL_CELL if rows > 12 else max(size, SMALL_CELL)
    title = escape(shown_text(drawn.title, 48))
    bad = " bad" if drawn.verdict in ("wrong", "missing") else ""
    lines = [
        _label("t", MARGIN, y + 6, title),
        _label(f"t end{bad}", WIDTH - MARGIN, y + 6, drawn.verdict),
    ]
    y += 18
    for row in range(rows):
        if rows > 1 and (row in (0, rows - 1) or size > 12):
            middle = y + (row + 0.5) * size
            lines.append(_label("k end", LEFT + 6, middle + 4, str(row * per_cell[0])))
    lines += _cell_shapes(grid, LEFT + 12, y, size)
    y += rows * size + 8
    if max(per_cell) > 1:
        shared = f"a cell stands for {per_cell[0]} × {per_cell[1]} elements, the worst counts"
        lines.append(_label("k", LEFT + 12, y + 6, shared))
        y += 18
    for line in textwrap.wrap(shown_text(drawn.said), LETTERS):
        lines.append(_label("k", LEFT + 12, y + 8, escape(line)))
        y += 16
    return "\n".join(lines), y + 24


def _label(css: str, x: float, y: float, shown: str) -> str:
    return f'<text class="{css}" x="{x:g}" y="{y:g}"{_look(css)}>{shown}</text>'


def _look(css: str) -> str:
    return look(css, sheet="heat_map.css")


def _rect(x: float, y: float, size: float) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{size:g}" height="{size:g}" rx="2"/>'


def _group(kind: str, parts: Sequence[str]) -> str:
    """Parts that share their looks, which are said once."""
    return f'<g class="{kind}"{_look(kind)}>{"".join(parts)}</g>'


def _cell_shapes(grid: npt.NDArray[Any], left: float, top: float, size: float) -> list[str]:
    """The cells of each kind; on a wrong one a cross, for those who do not see the colour."""
    groups, marks = [], []
    for number, kind in enumerate(KINDS):
        places = [(left + j * size, top + i * size) for i, j in np.argwhere(grid == number)]
        if places:
            groups.append(_group(kind, [_rect(x + 1, y + 1, size - 2) for x, y in places]))
        if places and kind == "wrong":
            a, b = size * 0.3, size * 0.7
            marks = [
                f"M{x + a:g} {y + a:g}L{x + b:g} {y + b:g}M{x + b:g} {y + a:g}L{x + a:g} {y + b:g}"
                for x, y in places
            ]
    return groups + [f'<path class="mark" d="{"".join(marks)}"{_look("mark")}/>'] * bool(marks)


def _legend(y: float) -> str:
    parts = []
    x = LEFT + 12
    for kind, said in LEGEND:
        parts += [_group(kind, [_rect(x, y - 9, 11)]), _label("k", x + 17, y, said)]
        x += 36 + 6.4 * len(said)
    return "\n".join(parts)


def _cell_grid(kinds: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], tuple[int, int]]:
    """The kinds as numbers in a grid that fits, and how many elements share a cell."""
    order = {kind: i for i, kind in enumerate(KINDS)}
    numbers = np.array([order[k] for k in kinds.ravel().tolist()], int)
    width = kinds.shape[-1] if kinds.ndim else 1
    flat = numbers.reshape(numbers.size // width if width else 0, width)
    if len(flat) == 1 and width > MOST_CELLS:  # a long vector goes over several lines
        flat = np.pad(flat[0], (0, -width % MOST_CELLS)).reshape(-1, MOST_CELLS)
    rows, columns = len(flat), flat.size // len(flat) if len(flat) else 0
    high, wide = -(-rows // MOST_CELLS) or 1, -(-columns // MOST_CELLS) or 1
    flat = np.pad(flat, ((0, -rows % high), (0, -columns % wide)))
    cells = flat.reshape(-(-rows // high), high, -(-columns // wide), wide)
    return cells.max(axis=(1, 3), initial=0), (high, wide)
