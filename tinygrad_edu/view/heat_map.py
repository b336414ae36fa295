"""Maps of arrays as SVG: a cell for every element, coloured by what was found there."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_edu.files import write_whole
from tinygrad_edu.view.files import static
from tinygrad_edu.view.reading import shown_text

MOST = 48
"""How many cells a map has at most along an axis; of more, the worst of some share a cell."""
CELL, SMALL_CELL, MARGIN, LEFT = 22.0, 9.0, 24.0, 34.0
WIDTH, LETTERS = 560.0, 96

KINDS = ("unknown", "right", "kink", "wrong")
"""What a cell can be, the worst last."""

STYLE = """
.unknown{fill:var(--soft);stroke:var(--line)} .right{fill:var(--okbg);stroke:var(--ok)}
.kink{fill:var(--gradbg);stroke:var(--grad)} .wrong{fill:var(--no);stroke:var(--no)}
rect{stroke-width:.6} .mark{stroke:var(--panel);stroke-width:1.6} .bg{fill:var(--bg)}
text{fill:var(--ink);font-size:12.5px} .k{fill:var(--mute);font-size:11px} .t{font-weight:650}
.end{text-anchor:end} .bad{fill:var(--no)}
"""

LEGEND = (("right", "agrees"), ("wrong", "wrong"), ("kink", "kink"), ("unknown", "not compared"))


@dataclass(frozen=True, eq=False)
class HeatMap:
    """A title, a verdict, a sentence, and the kind of every element (one of KINDS)."""

    title: str
    verdict: str
    said: str
    kinds: npt.NDArray[Any]


def to_heat_maps(maps: Sequence[HeatMap], name: str, path: Any = None) -> str:
    """The maps one below the other, as SVG text; written to `path` if one is given."""
    parts: list[str] = []
    y = MARGIN
    for drawn in maps:
        text, y = _draw(drawn, y)
        parts.append(text)
    height = y + 34
    title = escape(shown_text(name))
    style = static("palette.css").replace(":root", "svg") + STYLE
    font = 'svg{font-family:Inter,"Segoe UI",Roboto,Helvetica,Arial,sans-serif}'
    svg = "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" '
        f'width="{WIDTH:g}" height="{height:g}" role="img" aria-label="{title}">',
        f"<title>{title}</title><style>{style}{font}</style>",
        f'<rect class="bg" width="{WIDTH:g}" height="{height:g}" rx="14"/>',
        *parts, _legend(height - 20), "</svg>\n",
    ])  # fmt: skip
    if path is not None:
        write_whole(path, svg)
    return svg


def _draw(drawn: HeatMap, y: float) -> tuple[str, float]:
    """One map from y downwards, and where the next one begins."""
    grid, per_cell = _grid(drawn.kinds)
    rows, columns = grid.shape
    size = min(CELL, (WIDTH - LEFT - MARGIN) / max(columns, 1))
    size = SMALL_CELL if rows > 12 else max(size, SMALL_CELL)
    title = escape(shown_text(drawn.title, 48))
    bad = " bad" if drawn.verdict in ("wrong", "missing") else ""
    lines = [
        f'<text class="t" x="{MARGIN:g}" y="{y + 6:g}">{title}</text>',
        f'<text class="t end{bad}" x="{WIDTH - MARGIN:g}" y="{y + 6:g}">{drawn.verdict}</text>',
    ]
    y += 18
    for row in range(rows):
        if rows > 1 and (row in (0, rows - 1) or size > 12):
            lines.append(
                f'<text class="k end" x="{LEFT + 6:g}" y="{y + (row + 0.5) * size + 4:g}">'
                f"{row * per_cell[0]}</text>"
            )
        for column in range(columns):
            lines.append(_cell(KINDS[grid[row, column]], column, y + row * size, size))
    y += rows * size + 8
    if max(per_cell) > 1:
        shared = f"a cell stands for {per_cell[0]} × {per_cell[1]} elements, the worst counts"
        lines.append(f'<text class="k" x="{LEFT + 12:g}" y="{y + 6:g}">{shared}</text>')
        y += 18
    for line in textwrap.wrap(shown_text(drawn.said), LETTERS):
        lines.append(f'<text class="k" x="{LEFT + 12:g}" y="{y + 8:g}">{escape(line)}</text>')
        y += 16
    return "\n".join(lines), y + 24


def _cell(kind: str, column: int, top: float, size: float) -> str:
    left = LEFT + 12 + column * size
    rect = (
        f'<rect class="{kind}" x="{left + 1:g}" y="{top + 1:g}" width="{size - 2:g}" '
        f'height="{size - 2:g}" rx="2"/>'
    )
    if kind != "wrong":
        return rect
    a, b = size * 0.3, size * 0.7  # a cross, for those who do not see the colour
    return rect + (
        f'<path class="mark" d="M{left + a:g} {top + a:g}L{left + b:g} {top + b:g}'
        f'M{left + b:g} {top + a:g}L{left + a:g} {top + b:g}"/>'
    )


def _legend(y: float) -> str:
    parts = []
    x = LEFT + 12
    for kind, said in LEGEND:
        parts.append(
            f'<rect class="{kind}" x="{x:g}" y="{y - 9:g}" width="11" height="11" rx="2"/>'
        )
        parts.append(f'<text class="k" x="{x + 17:g}" y="{y:g}">{said}</text>')
        x += 36 + 6.4 * len(said)
    return "\n".join(parts)


def _grid(kinds: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], tuple[int, int]]:
    """The kinds as numbers in a grid that fits, and how many elements share a cell."""
    order = {kind: i for i, kind in enumerate(KINDS)}
    numbers = np.array([order[k] for k in kinds.ravel().tolist()], int)
    width = kinds.shape[-1] if kinds.ndim else 1
    flat = numbers.reshape(numbers.size // width if width else 0, width)
    if len(flat) == 1 and width > MOST:  # a long vector goes over several lines
        flat = np.pad(flat[0], (0, -width % MOST)).reshape(-1, MOST)
    rows, columns = len(flat), flat.size // len(flat) if len(flat) else 0
    high, wide = -(-rows // MOST) or 1, -(-columns // MOST) or 1
    flat = np.pad(flat, ((0, -rows % high), (0, -columns % wide)))
    cells = flat.reshape(-(-rows // high), high, -(-columns // wide), wide)
    return cells.max(axis=(1, 3), initial=0), (high, wide)
