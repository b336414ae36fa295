"""Where everything of a picture stands, with modules open or folded.

`plan` gives each container of a picture its columns, once, in Python. `arrange` gives heights and
positions, which on the page follow folding: static/layout.js is the same algorithm with the same
numbers, and a test holds the two equal. So every sum here is a plain loop, whose rounding is the
same in both languages.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tinygrad_edu.view.layout.heights import level
from tinygrad_edu.view.layout.pills import PILL_GAP, PILL_HEIGHT, place_pills
from tinygrad_edu.view.layout.plan import Container, Name, ends, paths_of
from tinygrad_edu.view.layout.routes import Routes, draw_lines, port_offset
from tinygrad_edu.view.layout.rows import Rows, crossing_lines, first_columns, stack_rows

GAP_X, NARROW_GAP_X, PORT_GAP_X = 124.0, 96.0, 44.0
"""Between two columns: with local derivatives, without, and from the frame to what is inside."""
PADDING, PADDING_TOP = 16.0, 34.0
FOLDED_WIDTH, FOLDED_HEIGHT = 166.0, 72.0

Point = tuple[float, float]
Size = tuple[float, float]


@dataclass
class Arrangement:
    """What is drawn where.

    `boxes` are (x, y, width, height) of visible cards and modules; that of an open module is its
    frame. `shown` tells for each link which one is drawn for it (links between the same two boxes,
    where a folded module is the head, are one line), or -1 where both of its ends are inside one
    folded module; `pills` the middle of each local derivative.

    Lines from the same card are one line until they part: `turns` are all points where lines bend
    or part, each with the number of the one before it, or -1, and `last` the number of the last
    turn of each link, or -1.
    """

    boxes: dict[Name, tuple[float, float, float, float]]
    turns: list[tuple[Point, int]]
    last: list[int]
    shown: list[int]
    pills: list[Point | None]
    width: float
    height: float

    def route(self, link: int) -> list[Point]:
        """All points of the line of a link, from its tail to its head."""
        return self._from(self.last[link], set())

    def pieces(self) -> dict[int, list[Point]]:
        """For each link that is drawn the points from where it leaves the lines of those before."""
        drawn: set[int] = set()
        return {
            k: self._from(self.last[k], drawn) for k, shown in enumerate(self.shown) if shown == k
        }

    def _from(self, turn: int, drawn: set[int]) -> list[Point]:
        """The points up to a turn, from the last one that is drawn already."""
        points = []
        while turn >= 0:
            point, before = self.turns[turn]
            points.append(point)
            if turn in drawn:
                break
            drawn.add(turn)
            turn = before
        return points[::-1]


@dataclass
class Placed:
    """A container with sizes: positions count from the top left corner of its content."""

    names: list[Name]
    lefts: list[float]
    rights: list[float]
    column_of: list[int]
    sizes: list[Size]
    middles: list[float]
    width: float
    height: float
    number: dict[Name, int]
    ways: dict[tuple[int, int], tuple[int, list[int], int]]
    """(tail card, head spot) to the trunk, its number and its spots, and how many come before."""
    rows: Rows
    x: float = 0.0
    y: float = 0.0
    ports: dict[Name, float] = field(default_factory=dict)
    """How far below the middle of its frame each port is."""


def arrange(
    containers: Sequence[Container],
    sizes: Sequence[Size | None],
    folded: Collection[int],
    pill_widths: Sequence[float],
    outer: Sequence[int],
    module_of: Sequence[int],
    links: Sequence[Any],
    derived: Collection[int] = (),
    room: float = math.inf,
) -> Arrangement:
    """Place the cards, of these sizes, with some modules folded, in rows no wider than `room`.

    A card without a size is not drawn, nor is its line. `pill_widths` are those of the local
    derivatives, one per link; 0 where there is none. `derived` are the modules that show a local
    derivative on the edges that reach them, when folded.
    """
    paths = paths_of(module_of, outer)
    is_open, rooms = [True], [room]
    for m, around in enumerate(outer):
        is_open.append(is_open[around + 1] and m not in folded)
        rooms.append(rooms[around + 1] - GAP_X - 2 * PADDING)
    pills_at: dict[Name, int] = {}  # how many local derivatives stand before a card or module
    for link, pill_width in zip(links, pill_widths, strict=True):
        if pill_width > 0:
            head: Name = ("card", ends(link)[1])
            pills_at[head] = pills_at.get(head, 0) + 1
    for m in derived:
        if not is_open[m + 1]:
            pills_at["module", m] = sum(kind == "in" for kind, _ in containers[m + 1].spots)
    placed: dict[int, Placed] = {}
    for c in reversed(range(len(containers))):
        if is_open[c]:
            placed[c] = _place(containers[c], rooms[c], c > 0, sizes, pills_at, placed)
    boxes: dict[Name, tuple[float, float, float, float]] = {}
    for c in range(len(containers)):
        if is_open[c]:
            _place_boxes(containers[c], placed[c], boxes, placed)
    tails, seen = (
        [_seen_as(ends(link)[end], paths[ends(link)[end]], is_open) for link in links]
        for end in (0, 1)
    )
    for k, link in enumerate(links):
        if sizes[ends(link)[0]] is None:
            tails[k] = seen[k]
    lines = Routes(placed)
    shown = draw_lines(links, paths, tails, seen, lines)
    homes = [(module_of if kind == "card" else outer)[i] + 1 for kind, i in seen]
    has_pill = [
        shown[k] == k and pill_widths[k] > 0 and name in pills_at for k, name in enumerate(seen)
    ]
    pills = place_pills(seen, homes, lines, has_pill)
    width, height = placed[0].width, placed[0].height
    return Arrangement(boxes, lines.turns, lines.last, shown, pills, width, height)


def _place(
    container: Container,
    room: float,
    framed: bool,
    card_sizes: Sequence[Size | None],
    pills_at: dict[Name, int],
    placed: dict[int, Placed],
) -> Placed:
    """The columns and heights of one container; the modules inside it are placed already."""
    sizes = [_spot_size(name, card_sizes, placed) for name in container.spots]
    heights = [  # what a spot needs in its column; a card also needs room for its pills
        max(height, pills_at.get(name, 0) * (PILL_HEIGHT + PILL_GAP))
        for name, (_, height) in zip(container.spots, sizes, strict=True)
    ]
    port = partial(port_offset, placed)
    middles = level(container, heights, port)
    lefts, rights = _columns(container, framed, sizes, pills_at)
    column_of = [0] * len(container.spots)
    for i, column in enumerate(container.columns):
        for spot in column:
            column_of[spot] = i
    crossing = crossing_lines(container, column_of)
    firsts = first_columns(container, crossing, rights, room)
    indent = PADDING if framed else 0.0
    rows = stack_rows(container, firsts, crossing, (lefts, rights), heights, middles, port, indent)
    width, height = rows.width, rows.bottoms[-1]
    if framed and container.spots[container.columns[-1][0]][0] != "out":
        width += PADDING
    elif framed:
        lefts[-1] = rights[-1] = width
    frame_middle = (height + PADDING_TOP + PADDING) / 2
    ports = {
        name: middles[k] + PADDING_TOP - frame_middle
        for k, name in enumerate(container.spots)
        if name[0] in ("in", "out")
    }
    numbers = {name: k for k, name in enumerate(container.spots) if name[0] != "bend"}
    ways = {
        (container.trunks[t][0], head): (t, container.trunks[t][1], length)
        for t, length, head in container.ways
    }
    return Placed(
        container.spots, lefts, rights, column_of, sizes, middles, width, height, numbers, ways,
        rows, ports=ports,
    )  # fmt: skip


def _spot_size(name: Name, card_sizes: Sequence[Size | None], placed: dict[int, Placed]) -> Size:
    """The size of a card, or of a module with its frame or folded; ports and bends have none."""
    kind, i = name
    if kind == "card":
        return card_sizes[i] or (0.0, 0.0)
    if kind != "module":
        return 0.0, 0.0
    if i + 1 not in placed:
        return FOLDED_WIDTH, FOLDED_HEIGHT
    return placed[i + 1].width, placed[i + 1].height + PADDING_TOP + PADDING


def _columns(
    container: Container, framed: bool, sizes: Sequence[Size], pills_at: dict[Name, int]
) -> tuple[list[float], list[float]]:
    """The left and the right side of each column."""
    spots, columns = container.spots, container.columns
    direct = set()  # spots that an edge reaches straight from a port
    for t, length, head in container.ways:
        if length == 1 and spots[container.trunks[t][1][0]][0] == "in":
            direct.add(head)
    lefts: list[float] = []
    rights: list[float] = []
    for i, column in enumerate(columns):
        kinds = {spots[s][0] for s in column}
        gap = NARROW_GAP_X
        if i == 0:
            gap = PADDING if framed and "in" not in kinds else 0.0
        elif any(pills_at.get(spots[s]) for s in column):
            gap = GAP_X
        elif "out" in kinds:
            gap = PORT_GAP_X
        if i == 1 and spots[columns[0][0]][0] == "in":
            to_boxes = any(s in direct and spots[s][0] in ("card", "module") for s in column)
            gap = gap if to_boxes else PORT_GAP_X
        lefts.append((rights[-1] if rights else 0.0) + gap)
        rights.append(lefts[-1] + max(sizes[s][0] for s in column))
    return lefts, rights


def _place_boxes(
    container: Container,
    here: Placed,
    boxes: dict[Name, tuple[float, float, float, float]],
    placed: dict[int, Placed],
) -> None:
    """The boxes of one container, and where the contents of its open modules begin."""
    for k, name in enumerate(container.spots):
        if name[0] in ("card", "module"):
            width, height = here.sizes[k]
            x = here.x + here.lefts[here.column_of[k]]
            y = here.y + here.middles[k] - height / 2
            boxes[name] = (x, y, width, height)
            if name[0] == "module" and name[1] + 1 in placed:
                placed[name[1] + 1].x = x
                placed[name[1] + 1].y = y + PADDING_TOP


def _seen_as(card: int, path: list[int], is_open: list[bool]) -> Name:
    """What stands for a card: the outermost folded module around it, or the card itself."""
    for m in path[1:]:
        if not is_open[m + 1]:
            return ("module", m)
    return ("card", card)
