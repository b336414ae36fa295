"""Where everything of a picture stands, with modules open or folded.

`plan` gives each container of a picture its columns, once, in Python. `arrange` gives heights and
positions, which on the page follow folding: static/layout.js is the same algorithm with the same
numbers, and a test holds the two equal. So every sum here is a plain loop, whose rounding is the
same in both languages.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from tinygrad_edu.view.heights import level, spaced
from tinygrad_edu.view.plan import Container, Name, ends, paths_of, plan, stages

__all__ = ["Arrangement", "Container", "arrange", "plan"]

GAP_X, NARROW_GAP_X, PORT_GAP_X = 124.0, 96.0, 44.0
"""Between two columns: with local derivatives, without, and from the frame to what is inside."""
PILL_HEIGHT, PILL_GAP = 22.0, 3.0
CIRCLE_EDGE, CIRCLE_SPREAD = 10.0, 24.0
"""How far before its card an edge ends, and how far the first and the last operand are apart at
most: there they meet the circle of the operation, whose radius is 16."""
BEFORE_MODULE = 58.0
"""How far before a folded module, which has no circle, a local derivative stands."""
PADDING, PADDING_TOP = 16.0, 34.0
FOLDED_WIDTH, FOLDED_HEIGHT = 166.0, 72.0

Point = tuple[float, float]
Size = tuple[float, float]


@dataclass
class Arrangement:
    """What is drawn where.

    `boxes` are (x, y, width, height) of visible cards and modules; that of an open module is its
    frame. `routes` holds the points of each link, None where both of its ends are inside one
    folded module; `shown` the link that is drawn for it (links between the same two boxes, where
    a folded module is the head, are one line), or -1; `pills` the middle of each local derivative.
    """

    boxes: dict[Name, tuple[float, float, float, float]]
    routes: list[list[Point] | None]
    shown: list[int]
    pills: list[Point | None]
    width: float
    height: float


@dataclass
class _Placed:
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
    chain: dict[tuple[int, int], list[int]]  # (tail card, head spot) to the spots passed
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
    placed: dict[int, _Placed] = {}
    for c in reversed(range(len(containers))):
        if is_open[c]:
            placed[c] = _place(containers[c], c > 0, sizes, pills_at, placed)
    boxes: dict[Name, tuple[float, float, float, float]] = {}
    for c in range(len(containers)):
        if is_open[c]:
            _put(containers[c], placed[c], boxes, placed)
    routes, shown = _routes(links, paths, is_open, placed)
    seen = [_seen_as(ends(link)[1], paths[ends(link)[1]], is_open) for link in links]
    homes = [(module_of if kind == "card" else outer)[i] + 1 for kind, i in seen]
    has_pill = [
        shown[k] == k and pill_widths[k] > 0 and name in pills_at for k, name in enumerate(seen)
    ]
    pills = _pills(seen, homes, routes, has_pill, placed)
    return Arrangement(boxes, routes, shown, pills, placed[0].width, placed[0].height)


def _place(
    container: Container,
    framed: bool,
    card_sizes: Sequence[Size],
    pills_at: dict[Name, int],
    placed: dict[int, _Placed],
) -> _Placed:
    """The columns and heights of one container; the modules inside it are placed already."""
    sizes: list[Size] = []
    heights = []  # what a spot needs in its column; a card also needs room for its pills
    for kind, i in container.spots:
        width, height = 0.0, 0.0
        if kind == "card":
            width, height = card_sizes[i]
        elif kind == "module" and i + 1 in placed:
            inside = placed[i + 1]
            width, height = inside.width, inside.height + PADDING_TOP + PADDING
        elif kind == "module":
            width, height = FOLDED_WIDTH, FOLDED_HEIGHT
        sizes.append((width, height))
        heights.append(max(height, pills_at.get((kind, i), 0) * (PILL_HEIGHT + PILL_GAP)))

    def port(name: Name, side: str, source: int) -> float:
        return _port(name, side, source, placed)

    middles = level(container, heights, port)
    top, bottom = 0.0, 0.0
    for k, (middle, height) in enumerate(zip(middles, heights, strict=True)):
        top = middle - height / 2 if k == 0 else min(top, middle - height / 2)
        bottom = middle + height / 2 if k == 0 else max(bottom, middle + height / 2)
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
    found = _Placed(
        container.spots, lefts, rights, column_of, sizes, middles, width, bottom - top,
        {name: k for k, name in enumerate(container.spots) if name[0] != "bend"},
        {(tail, chain[-1]): chain for tail, chain in container.chains},
    )  # fmt: skip
    frame_middle = (found.height + PADDING_TOP + PADDING) / 2
    for k, name in enumerate(container.spots):
        if name[0] in ("in", "out"):
            found.ports[name] = middles[k] + PADDING_TOP - frame_middle
    return found


def _port(name: Name, kind: str, source: int, placed: dict[int, _Placed]) -> float:
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
    for _, chain in container.chains:
        if spots[chain[0]][0] == "in":
            direct.add(chain[1])
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
        width = 0.0
        for s in column:
            width = max(width, sizes[s][0])
        lefts.append((rights[-1] if rights else 0.0) + gap)
        rights.append(lefts[-1] + width)
    return lefts, rights


def _put(
    container: Container,
    here: _Placed,
    boxes: dict[Name, tuple[float, float, float, float]],
    placed: dict[int, _Placed],
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


def _routes(
    links: Sequence[Any],
    paths: list[list[int]],
    is_open: list[bool],
    placed: dict[int, _Placed],
) -> tuple[list[list[Point] | None], list[int]]:
    """The points of every link, and which link is drawn for it."""
    routes: list[list[Point] | None] = []
    shown: list[int] = []
    first: dict[tuple[Name, Name], int] = {}  # the link that is drawn into a folded module
    operands: dict[int, int] = {}
    for k, link in enumerate(links):
        tail, head, operand = ends(link)
        operands[head] = max(operands.get(head, 0), operand + 1)
        start = _seen_as(tail, paths[tail], is_open)
        end = _seen_as(head, paths[head], is_open)
        if start == end:
            routes.append(None)
            shown.append(-1)
            continue
        points: list[Point] = []
        for c, _, goal in stages(tail, head, paths):
            if is_open[c]:
                here = placed[c]
                chain = here.chain[tail, here.number[goal]]
                _follow(chain, tail, here, placed, points)
        routes.append(points)
        shown.append(k if end[0] == "card" else first.setdefault((start, end), k))
    for k, link in enumerate(links):  # at its circle the operands of a card arrive in order
        points_k = routes[k]
        tail, head, operand = ends(link)
        if points_k is not None and _seen_as(head, paths[head], is_open)[0] == "card":
            x, y = points_k[-1]
            n = operands[head]
            y += (operand - (n - 1) / 2) * min(18.0, CIRCLE_SPREAD / max(n - 1, 1))
            points_k[-1] = (x - CIRCLE_EDGE, y)
    _meet_folded(first, routes)
    for k, s in enumerate(shown):
        if s >= 0 and s != k:
            routes[k] = list(routes[s] or [])
    return routes, shown


def _follow(
    chain: list[int], source: int, here: _Placed, placed: dict[int, _Placed], points: list[Point]
) -> None:
    """Add the points of one chain: level across each column, curved in the gaps between."""
    for i, spot in enumerate(chain):
        column = here.column_of[spot]
        left, right = here.x + here.lefts[column], here.x + here.rights[column]
        y = here.y + here.middles[spot]
        if i == 0:
            y += _port(here.names[spot], "out", source, placed)
            left += here.sizes[spot][0]
            if points:  # it goes on from a port
                left, y = points[-1]
        elif i == len(chain) - 1:
            y += _port(here.names[spot], "in", source, placed)
            right = left
        for point in ((left, y), (right, y)):
            if not points or points[-1] != point:
                points.append(point)


def _meet_folded(first: dict[tuple[Name, Name], int], routes: list[list[Point] | None]) -> None:
    """End the lines into one folded module one above the other, in the order they come in."""
    into: dict[Name, list[int]] = {}
    for (_, end), k in first.items():
        into.setdefault(end, []).append(k)
    for arriving in into.values():
        lines = [(route[-2][1], route) for k in arriving if (route := routes[k])]
        lines.sort(key=lambda line: line[0])
        n = len(lines)
        for i, (_, route) in enumerate(lines):
            x, y = route[-1]
            route[-1] = (x, y + (i - (n - 1) / 2) * min(12.0, 48.0 / n))


def _pills(
    heads: list[Name],
    homes: list[int],
    routes: list[list[Point] | None],
    has_pill: list[bool],
    placed: dict[int, _Placed],
) -> list[Point | None]:
    """The middles of the local derivatives: on the last curve of each edge, half way to the
    circle, moved apart where they would cover one another, and in a crowd level with the circle.
    They stay in their gap between two columns, where no card is. `heads` are the visible ends of
    the links, `homes` the containers in which they stand."""
    pills: list[Point | None] = [None] * len(routes)
    gaps: dict[tuple[int, int], list[int]] = {}
    for k, route in enumerate(routes):
        if route is None or not has_pill[k]:
            continue
        (x0, y0), (x1, y1) = route[-2:]
        is_card = heads[k][0] == "card"
        pills[k] = ((x0 + x1) / 2, (y0 + y1) / 2) if is_card else (x1 - BEFORE_MODULE, y1)
        here = placed[homes[k]]
        gaps.setdefault((homes[k], here.column_of[here.number[heads[k]]]), []).append(k)
    for (c, _), gap in gaps.items():
        here = placed[c]
        low, high = here.y + PILL_HEIGHT / 2, here.y + here.height - PILL_HEIGHT / 2
        wishes = [(point[1], k) for k in gap if (point := pills[k])]
        middles = _apart(wishes, low, high)
        if any(abs(middles[k] - y) > PILL_HEIGHT / 2 for y, k in wishes):  # far from their lines
            arrivals = [(route[-1][1], k) for k in gap if (route := routes[k])]
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
