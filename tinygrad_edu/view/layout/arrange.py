"""Where everything of a picture stands, with modules open or folded.

`plan` gives each container of a picture its columns, once, in Python. `arrange` gives heights and
positions, which on the page follow folding: static/layout.js is the same algorithm with the same
numbers, and a test holds the two equal. So every sum here is a plain loop, whose rounding is the
same in both languages.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tinygrad_edu.view.layout.heights import level
from tinygrad_edu.view.layout.pills import PILL_GAP, PILL_HEIGHT, place_pills
from tinygrad_edu.view.layout.plan import Container, Name, ends, paths_of, stages

GAP_X, NARROW_GAP_X, PORT_GAP_X = 124.0, 96.0, 44.0
"""Between two columns: with local derivatives, without, and from the frame to what is inside."""
CIRCLE_EDGE, CIRCLE_SPREAD = 10.0, 24.0
"""How far before its card an edge ends, and how far the first and the last operand are apart at
most: there they meet the circle of the operation, whose radius is 16."""
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
    ways: dict[tuple[int, int], tuple[list[int], int]]
    """(tail card, head spot) to the trunk, and how many of its spots come before."""
    x: float = 0.0
    y: float = 0.0
    ports: dict[Name, float] = field(default_factory=dict)
    """How far below the middle of its frame each port is."""


def arrange(
    containers: Sequence[Container],
    sizes: Sequence[Size],
    folded: Collection[int],
    pill_widths: Sequence[float],
    outer: Sequence[int],
    module_of: Sequence[int],
    links: Sequence[Any],
    derived: Collection[int] = (),
) -> Arrangement:
    """Place the cards, of these sizes, with some modules folded.

    `pill_widths` are those of the local derivatives, one per link; 0 where there is none. `derived`
    are the modules that show a local derivative on the edges that reach them, when folded.
    """
    paths = paths_of(module_of, outer)
    is_open = [True]
    for m, around in enumerate(outer):
        is_open.append(is_open[around + 1] and m not in folded)
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
            placed[c] = _place(containers[c], c > 0, sizes, pills_at, placed)
    boxes: dict[Name, tuple[float, float, float, float]] = {}
    for c in range(len(containers)):
        if is_open[c]:
            _place_boxes(containers[c], placed[c], boxes, placed)
    tails, seen = (
        [_seen_as(ends(link)[end], paths[ends(link)[end]], is_open) for link in links]
        for end in (0, 1)
    )
    lines = Routes(placed)
    shown = _draw_lines(links, paths, tails, seen, lines)
    homes = [(module_of if kind == "card" else outer)[i] + 1 for kind, i in seen]
    has_pill = [
        shown[k] == k and pill_widths[k] > 0 and name in pills_at for k, name in enumerate(seen)
    ]
    pills = place_pills(seen, homes, lines, has_pill)
    width, height = placed[0].width, placed[0].height
    return Arrangement(boxes, lines.turns, lines.last, shown, pills, width, height)


def _place(
    container: Container,
    framed: bool,
    card_sizes: Sequence[Size],
    pills_at: dict[Name, int],
    placed: dict[int, Placed],
) -> Placed:
    """The columns and heights of one container; the modules inside it are placed already."""
    sizes = [_spot_size(name, card_sizes, placed) for name in container.spots]
    heights = [  # what a spot needs in its column; a card also needs room for its pills
        max(height, pills_at.get(name, 0) * (PILL_HEIGHT + PILL_GAP))
        for name, (_, height) in zip(container.spots, sizes, strict=True)
    ]
    middles = level(container, heights, partial(_port, placed))
    ends_at = [(y - height / 2, y + height / 2) for y, height in zip(middles, heights, strict=True)]
    top = min((y for y, _ in ends_at), default=0.0)
    bottom = max((y for _, y in ends_at), default=0.0)
    middles = [middle - top for middle in middles]
    lefts, rights = _columns(container, framed, sizes, pills_at)
    width = rights[-1] if rights else 0.0
    last = container.columns[-1][0] if container.columns else 0
    if framed and container.spots[last][0] != "out":
        width += PADDING
    column_of = [0] * len(container.spots)
    for i, column in enumerate(container.columns):
        for spot in column:
            column_of[spot] = i
    found = Placed(
        container.spots, lefts, rights, column_of, sizes, middles, width, bottom - top,
        {name: k for k, name in enumerate(container.spots) if name[0] != "bend"},
        {
            (container.trunks[t][0], head): (container.trunks[t][1], length)
            for t, length, head in container.ways
        },
    )  # fmt: skip
    frame_middle = (found.height + PADDING_TOP + PADDING) / 2
    for k, name in enumerate(container.spots):
        if name[0] in ("in", "out"):
            found.ports[name] = middles[k] + PADDING_TOP - frame_middle
    return found


def _spot_size(name: Name, card_sizes: Sequence[Size], placed: dict[int, Placed]) -> Size:
    """The size of a card, or of a module with its frame or folded; ports and bends have none."""
    kind, i = name
    if kind == "card":
        return card_sizes[i]
    if kind != "module":
        return 0.0, 0.0
    if i + 1 not in placed:
        return FOLDED_WIDTH, FOLDED_HEIGHT
    return placed[i + 1].width, placed[i + 1].height + PADDING_TOP + PADDING


def _port(placed: dict[int, Placed], name: Name, kind: str, source: int) -> float:
    """How far below the middle of a spot an edge touches it; 0 unless it is an open module."""
    if name[0] != "module" or name[1] + 1 not in placed:
        return 0.0
    return placed[name[1] + 1].ports[kind, source]


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


class Routes:
    """The lines of a picture while they are made: see Arrangement."""

    def __init__(self, placed: dict[int, Placed]) -> None:
        self.placed = placed
        self.turns: list[tuple[Point, int]] = []
        self.last: list[int] = []
        self._along: dict[tuple[int, int, int], list[int]] = {}
        """For the trunk from a spot of a container, by its source, the last turn at each spot."""
        self._ends: dict[tuple[int, int, int], int] = {}
        """(container, source, head spot) to the turn there."""

    def follow(self, c: int, source: int, goal: Name, turn: int) -> int:
        """Go on from a turn (-1: from the tail itself) through a container; the last turn."""
        here = self.placed[c]
        head = here.number[goal]
        trunk, length = here.ways[source, head]
        if (c, source, head) in self._ends:
            return self._ends[c, source, head]
        along = self._along.setdefault((c, source, trunk[0]), [])
        while len(along) < length:
            spot = trunk[len(along)]
            column = here.column_of[spot]
            x, y = here.x + here.lefts[column], here.y + here.middles[spot]
            before = along[-1] if along else turn
            if not along:  # from the end of the tail itself, or on from a port
                x += here.sizes[spot][0]
                y += _port(self.placed, here.names[spot], "out", source)
                if turn >= 0:
                    x, y = self.turns[turn][0]
            before = self._turn((x, y), before)
            along.append(self._turn((here.x + here.rights[column], y), before))  # level across
        y = here.y + here.middles[head] + _port(self.placed, goal, "in", source)
        end = self._turn((here.x + here.lefts[here.column_of[head]], y), along[length - 1])
        if goal[0] != "card":  # there every line has an end of its own
            self._ends[c, source, head] = end
        return end

    def _turn(self, point: Point, before: int) -> int:
        if before >= 0 and self.turns[before][0] == point:
            return before
        self.turns.append((point, before))
        return len(self.turns) - 1

    def move(self, turn: int, right: float, down: float) -> None:
        """Move the end of a line."""
        (x, y), before = self.turns[turn]
        self.turns[turn] = ((x + right, y + down), before)


def _draw_lines(
    links: Sequence[Any],
    paths: list[list[int]],
    tails: list[Name],
    heads: list[Name],
    lines: Routes,
) -> list[int]:
    """Make the lines of all links, of which `tails` and `heads` are the visible ends; which link
    is drawn for each."""
    shown: list[int] = []
    first: dict[tuple[Name, Name], int] = {}  # the link that is drawn into a folded module
    operands: dict[int, int] = {}
    for k, link in enumerate(links):
        tail, head, operand = ends(link)
        operands[head] = max(operands.get(head, 0), operand + 1)
        drawn = -1 if tails[k] == heads[k] else k
        if drawn >= 0 and heads[k][0] == "module":
            drawn = first.setdefault((tails[k], heads[k]), k)
        turn = -1
        for c, _, goal in stages(tail, head, paths) if drawn == k else ():
            if c in lines.placed:
                turn = lines.follow(c, tail, goal, turn)
        lines.last.append(turn)
        shown.append(drawn)
    for k, link in enumerate(links):  # at its circle the operands of a card arrive in order
        _, head, operand = ends(link)
        if shown[k] == k and heads[k][0] == "card":
            n = operands[head]
            down = (operand - (n - 1) / 2) * min(18.0, CIRCLE_SPREAD / max(n - 1, 1))
            lines.move(lines.last[k], -CIRCLE_EDGE, down)
    _meet_folded(first, lines)
    lines.last = [lines.last[s] if s >= 0 else -1 for s in shown]
    return shown


def _meet_folded(first: dict[tuple[Name, Name], int], lines: Routes) -> None:
    """End the lines into one folded module one above the other, in the order they come in."""
    into: dict[Name, list[int]] = {}
    for (_, end), k in first.items():
        into.setdefault(end, []).append(lines.last[k])
    for arriving in into.values():
        arriving.sort(key=lambda turn: lines.turns[lines.turns[turn][1]][0][1])
        n = len(arriving)
        for i, turn in enumerate(arriving):
            lines.move(turn, 0.0, (i - (n - 1) / 2) * min(12.0, 48.0 / n))
