"""A left-to-right layered layout for small graphs, in pure Python.

The classic three steps (Sugiyama, Tagawa & Toda 1981): give every box a layer, order the boxes of
a layer so that few edges cross, then give them heights close to their neighbours. An edge that
spans several layers bends at a point in each, so that it passes between boxes and not over them.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass
class Box:
    """Something to place: its size, and after `place` the position of its top left corner."""

    key: Hashable
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0


@dataclass
class Edge:
    """From one box to another; `points` lists the bends from the first box's right to the left
    side of the second."""

    tail: Box
    head: Box
    points: list[tuple[float, float]] = field(default_factory=list)


@dataclass(eq=False)
class _Spot:
    """A place in a layer: a box, or a bend of a long edge."""

    height: float
    before: list[_Spot] = field(default_factory=list)  # in operand order
    after: list[_Spot] = field(default_factory=list)
    middle: float = 0.0  # y of its centre line

    def port(self, tail: _Spot) -> float:
        """Where among the edges that arrive here that of `tail` does, from 0 to below 1."""
        return self.before.index(tail) / len(self.before)


def place(
    boxes: Sequence[Box], edges: Sequence[Edge], gap_x: float = 110.0, gap_y: float = 24.0
) -> tuple[float, float]:
    """Set x and y of every box and the points of every edge; return the width and height.

    `boxes` come in topological order, tails before heads. The same input gives the same output.
    """
    layer = _layers(boxes, edges)
    columns: list[list[_Spot]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    spot = {id(box): _Spot(box.height) for box in boxes}
    bends: list[list[_Spot]] = []
    for edge in edges:
        chain = [spot[id(edge.tail)]]
        for i in range(layer[id(edge.tail)] + 1, layer[id(edge.head)]):
            chain.append(_Spot(0.0))
            columns[i].append(chain[-1])
        chain.append(spot[id(edge.head)])
        for a, b in pairwise(chain):
            a.after.append(b)
            b.before.append(a)
        bends.append(chain[1:-1])
    for box in boxes:
        columns[layer[id(box)]].append(spot[id(box)])
    _order(columns)
    _level(columns, gap_y)
    lefts, width = _lefts(boxes, layer, gap_x)
    top = min((s.middle - s.height / 2 for column in columns for s in column), default=0.0)
    for box in boxes:
        box.x = lefts[layer[id(box)]]
        box.y = spot[id(box)].middle - box.height / 2 - top
    for edge, chain in zip(edges, bends, strict=True):
        edge.points = [(edge.tail.x + edge.tail.width, edge.tail.y + edge.tail.height / 2)]
        column_end = lefts[layer[id(edge.tail)] + 1] - gap_x
        if column_end > edge.points[0][0]:  # straight out of a column of wider boxes
            edge.points.append((column_end, edge.points[0][1]))
        for i, bend in enumerate(chain, start=layer[id(edge.tail)] + 1):
            edge.points.append((lefts[i], bend.middle - top))
            edge.points.append((lefts[i + 1] - gap_x, bend.middle - top))
        edge.points.append((edge.head.x, edge.head.y + edge.head.height / 2))
    bottom = max((s.middle + s.height / 2 for column in columns for s in column), default=0.0)
    return width, bottom - top


def _layers(boxes: Sequence[Box], edges: Sequence[Edge]) -> dict[int, int]:
    """The layer of each box: one past its furthest tail; a box without tails stands right before
    its first head, so that an input sits where it is used."""
    layer = {id(box): 0 for box in boxes}
    arriving: dict[int, list[Edge]] = {}
    leaving: dict[int, list[Edge]] = {}
    for edge in edges:
        arriving.setdefault(id(edge.head), []).append(edge)
        leaving.setdefault(id(edge.tail), []).append(edge)
    for box in boxes:
        tails = [layer[id(edge.tail)] + 1 for edge in arriving.get(id(box), [])]
        layer[id(box)] = max(tails, default=0)
    for box in boxes:
        if id(box) not in arriving and id(box) in leaving:
            layer[id(box)] = min(layer[id(edge.head)] for edge in leaving[id(box)]) - 1
    return layer


def _order(columns: list[list[_Spot]]) -> None:
    """Sort each layer by the mean place of its neighbours, sweeping back and forth."""
    place = {id(s): i for column in columns for i, s in enumerate(column)}

    def wish_forward(s: _Spot) -> float:
        if not s.before:
            return place[id(s)]
        return sum(place[id(n)] for n in s.before) / len(s.before)

    def wish_backward(s: _Spot) -> float:
        if not s.after:
            return place[id(s)]
        return sum(place[id(n)] + n.port(s) for n in s.after) / len(s.after)

    for sweep in range(8):
        forward = sweep % 2 == 0  # the last sweep is backwards: it puts operands in order
        for column in columns if forward else reversed(columns):
            column.sort(key=wish_forward if forward else wish_backward)
            place.update((id(s), i) for i, s in enumerate(column))


def _level(columns: list[list[_Spot]], gap: float) -> None:
    """Give every spot a height: near the mean of its neighbours, in order, never overlapping."""
    for column in columns:
        y = 0.0
        for s in column:
            s.middle = y + s.height / 2
            y += s.height + gap
    for sweep in range(12):
        for column in columns if sweep % 2 else reversed(columns):
            wishes = []
            for s in column:
                near = (s.before if sweep % 2 else s.after) or s.before + s.after
                wishes.append(sum(n.middle for n in near) / len(near) if near else s.middle)
            heights = [s.height for s in column]
            for s, y in zip(column, spaced(heights, wishes, gap), strict=True):
                s.middle = y


def spaced(heights: Sequence[float], wishes: Sequence[float], gap: float) -> list[float]:
    """The middles nearest to the wishes, in the sense of least squares, that keep the gaps.

    Things of these heights stand one below the other, in this order.

    Subtracting the space that the spots above need turns the gaps into plain order; the best
    sequence in order comes from pooling neighbours that would swap and giving them their mean.
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
    flat = [mean for mean, n in pools for _ in range(n)]
    return [mean + offset for mean, offset in zip(flat, offsets, strict=False)]


def _lefts(boxes: Sequence[Box], layer: dict[int, int], gap: float) -> tuple[list[float], float]:
    """The left side of each layer, and the width of all."""
    widths = [0.0] * (max(layer.values(), default=-1) + 1)
    for box in boxes:
        widths[layer[id(box)]] = max(widths[layer[id(box)]], box.width)
    lefts, x = [], 0.0
    for width in widths:
        lefts.append(x)
        x += width + gap
    return lefts, max(x - gap, 0.0)
