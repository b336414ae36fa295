"""The lines of a picture; static/routes.js is the same algorithm with the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tinygrad_edu.view.layout.plan import Name, ends, stages

if TYPE_CHECKING:
    from tinygrad_edu.view.layout.arrange import Placed, Point

CIRCLE_EDGE, CIRCLE_SPREAD = 10.0, 24.0
"""How far before its card an edge ends, and how far the first and the last operand are apart at
most: there they meet the circle of the operation, whose radius is 16."""


def port_offset(placed: dict[int, Placed], name: Name, kind: str, source: int) -> float:
    """How far below the middle of a spot an edge touches it; 0 unless it is an open module."""
    if name[0] != "module" or name[1] + 1 not in placed:
        return 0.0
    return placed[name[1] + 1].ports[kind, source]


class Routes:
    """The lines of a picture while they are made: see Arrangement."""

    def __init__(self, placed: dict[int, Placed]) -> None:
        self.placed = placed
        self.turns: list[tuple[Point, int]] = []
        self.last: list[int] = []
        self._along: dict[tuple[int, int], list[int]] = {}
        """For the trunk of a container, by its number, the last turn at each spot."""
        self._ends: dict[tuple[int, int, int], int] = {}
        """(container, trunk, head spot) to the turn there."""
        self._lanes: dict[tuple[int, int, int, float], int] = {}
        """(container, trunk, first column of a row, height) to the turn where the row begins."""

    def follow(self, c: int, source: int, goal: Name, turn: int) -> int:
        """Go on from a turn (-1: from the tail itself) through a container; the last turn."""
        here = self.placed[c]
        head = here.number[goal]
        t, trunk, length = here.ways[source, head]
        if (c, t, head) in self._ends:
            return self._ends[c, t, head]
        along = self._along.setdefault((c, t), [])
        while len(along) < length:
            spot = trunk[len(along)]
            column = here.column_of[spot]
            if along:
                before = self._enter(c, t, column, here.y + here.middles[spot], along[-1])
            elif turn >= 0:  # on from a port
                before = turn
            else:  # from the end of the tail itself
                x = here.x + here.lefts[column] + here.sizes[spot][0]
                y = here.y + here.middles[spot]
                y += port_offset(self.placed, here.names[spot], "out", source)
                before = self._turn((x, y), turn)
            across = here.x + here.rights[column], self.turns[before][0][1]
            along.append(self._turn(across, before))
        y = here.y + here.middles[head] + port_offset(self.placed, goal, "in", source)
        end = self._enter(c, t, here.column_of[head], y, along[length - 1])
        if goal[0] != "card":  # there every line has an end of its own
            self._ends[c, t, head] = end
        return end

    def _enter(self, c: int, t: int, column: int, y: float, before: int) -> int:
        """Go on to a height in the next column, which may begin a row; the turn there."""
        here = self.placed[c]
        lane = here.rows.lanes.get((column, t))
        if lane is not None:
            lane_y = here.y + lane.y
            if (c, t, column, lane_y) not in self._lanes:
                level = self.turns[before][0][1]
                for point in ((lane.right, level), (lane.right, lane_y), (lane.left, lane_y)):
                    before = self._turn((here.x + point[0], point[1]), before)
                self._lanes[c, t, column, lane_y] = before
            before = self._lanes[c, t, column, lane_y]
            if (c, t, column, y) not in self._lanes:
                down = self._turn((here.x + lane.left, y), before)
                self._lanes[c, t, column, y] = self._turn((here.x + lane.base, y), down)
            before = self._lanes[c, t, column, y]
        return self._turn((here.x + here.lefts[column], y), before)

    def _turn(self, point: Point, before: int) -> int:
        if before >= 0 and self.turns[before][0] == point:
            return before
        self.turns.append((point, before))
        return len(self.turns) - 1

    def move(self, turn: int, right: float, down: float) -> None:
        """Move the end of a line."""
        (x, y), before = self.turns[turn]
        self.turns[turn] = ((x + right, y + down), before)


def draw_lines(
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
    into_cards: dict[Name, list[int]] = {}
    for k, link in enumerate(links):
        tail, head, _ = ends(link)
        drawn = -1 if tails[k] == heads[k] else k
        if drawn >= 0 and heads[k][0] == "module":
            drawn = first.setdefault((tails[k], heads[k]), k)
        turn = -1
        for c, _, goal in stages(tail, head, paths) if drawn == k else ():
            if c in lines.placed:
                turn = lines.follow(c, tail, goal, turn)
        lines.last.append(turn)
        shown.append(drawn)
        if drawn == k and heads[k][0] == "card":
            into_cards.setdefault(heads[k], []).append(k)
    for arriving in into_cards.values():  # at its circle the operands of a card arrive in order
        arriving.sort(key=lambda k: ends(links[k])[2])
        n = len(arriving)
        for i, k in enumerate(arriving):
            down = (i - (n - 1) / 2) * min(18.0, CIRCLE_SPREAD / max(n - 1, 1))
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
