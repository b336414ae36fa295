"""The part of the layout that needs no sizes: which column a spot stands in, and in what order.

The first two of the classic three steps (Sugiyama, Tagawa & Toda 1981): give every spot a layer,
then order the spots of a layer so that few edges cross. An edge that spans several layers bends
at a spot in each, so that it passes between the others and not over them; edges from the same
node share their bends and fork where they part. The third step, heights, is in arrange.py.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field

IN, INNER, OUT = 0, 1, 2
"""The side of a spot: in the first column of its own, in between, or in the last."""


@dataclass(frozen=True)
class Edge:
    """From one spot to another. `source` tells whose value it carries; bends are shared by it."""

    tail: int
    head: int
    source: int


@dataclass
class Layers:
    """Spots in columns, left to right, each top to bottom.

    Spots are numbered; the bends follow those that were given. Edges with the same tail and
    source have one trunk: the tail and its bends, as far as the furthest of them needs. `ways`
    tells for every edge its trunk, and how many spots of it come before the head.
    """

    columns: list[list[int]]
    trunks: list[list[int]]
    ways: list[tuple[int, int]]
    before: list[dict[tuple[int, int], None]] = field(default_factory=list)
    after: list[dict[tuple[int, int], None]] = field(default_factory=list)
    """For every spot its neighbours in the next column, each with the source of the edge."""


def layers(sides: Sequence[int], edges: Sequence[Edge]) -> Layers:
    """Columns for spots and their bends, not yet in a good order.

    Edges stand in the order of the operands of their heads. ValueError if they form a cycle.
    """
    layer = _layer_of(sides, edges)
    columns: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
    numbers: dict[tuple[int, int], int] = {}  # of the trunks, by tail and source
    found = Layers(columns, [], [], [{} for _ in sides], [{} for _ in sides])
    for edge in edges:
        number = numbers.setdefault((edge.tail, edge.source), len(numbers))
        if number == len(found.trunks):
            found.trunks.append([edge.tail])
        trunk, length = found.trunks[number], layer[edge.head] - layer[edge.tail]
        while len(trunk) < length:
            bend = len(found.before)
            columns[layer[edge.tail] + len(trunk)].append(bend)
            found.before.append({(trunk[-1], edge.source): None})
            found.after.append({})
            found.after[trunk[-1]][bend, edge.source] = None
            trunk.append(bend)
        found.ways.append((number, length))
        found.after[trunk[length - 1]][edge.head, edge.source] = None
        found.before[edge.head][trunk[length - 1], edge.source] = None
    for spot, i in enumerate(layer):
        columns[i].append(spot)
    return found


def _layer_of(sides: Sequence[int], edges: Sequence[Edge]) -> list[int]:
    """One past the furthest tail; but a spot without tails stands right before its first head, and
    so does one whose tails have none: an input sits where it is used, and a product of inputs too.
    """
    first = 1 if IN in sides else 0
    layer = [0 if side == IN else first for side in sides]
    arriving = [0] * len(sides)
    heads: list[list[int]] = [[] for _ in sides]
    for edge in edges:
        arriving[edge.head] += 1
        heads[edge.tail].append(edge.head)
    tails = list(arriving)
    ready = [i for i, n in enumerate(arriving) if not n]
    done: list[int] = []
    while ready:
        spot = heapq.heappop(ready)
        done.append(spot)
        for head in heads[spot]:
            layer[head] = max(layer[head], layer[spot] + 1)
            arriving[head] -= 1
            if not arriving[head]:
                heapq.heappush(ready, head)
    if len(done) < len(sides):
        raise ValueError(
            f"layout: {len(sides) - len(done)} of {len(sides)} spots form a cycle; contracting a "
            "module must leave an acyclic graph"
        )
    is_late = [sides[i] == INNER for i in range(len(sides))]
    for edge in edges:
        if tails[edge.tail]:
            is_late[edge.head] = False
    for spot in reversed(done):
        inner = [layer[head] for head in heads[spot] if sides[head] == INNER]
        if is_late[spot] and inner:
            layer[spot] = min(inner) - 1
    if OUT in sides:
        last = max((x for x, side in zip(layer, sides, strict=True) if side != OUT), default=0)
        layer = [last + 1 if side == OUT else x for x, side in zip(layer, sides, strict=True)]
    return layer


Fractions = dict[tuple[int, int], float]
"""(spot, source) to where along the height of the spot that edge touches it, from 0 to below 1."""


def order(layers: Layers, arrive: Fractions, leave: Fractions, fixed: Sequence[int] = ()) -> None:
    """Sort each column by the mean place of its neighbours, sweeping back and forth.

    `arrive` and `leave` tell of spots that stand for a whole module. The columns named by `fixed`
    keep their order.
    """
    place = [0.0] * len(layers.before)
    ahead: list[list[tuple[int, float]]] = [[] for _ in layers.before]
    behind: list[list[tuple[int, float]]] = [[] for _ in layers.before]
    for spot, tails in enumerate(layers.before):
        for i, (tail, source) in enumerate(tails):
            arriving = arrive.get((spot, source), i / len(tails))
            behind[spot].append((tail, leave.get((tail, source), 0.0)))
            ahead[tail].append((spot, arriving))
    for column in layers.columns:
        for i, spot in enumerate(column):
            place[spot] = i

    def wish(spot: int, near: list[tuple[int, float]]) -> float:
        if not near:
            return place[spot]
        return math.fsum(place[n] + fraction for n, fraction in near) / len(near)

    best = [list(column) for column in layers.columns]
    fewest = None
    for sweep in range(8):
        near = ahead if sweep % 2 else behind  # the last is backwards: it puts operands in order
        for i in reversed(range(len(best))) if sweep % 2 else range(len(best)):
            column = layers.columns[i]
            if i not in fixed:
                wishes = {spot: wish(spot, near[spot]) for spot in column}
                column.sort(key=wishes.__getitem__)
            for k, spot in enumerate(column):
                place[spot] = k
        if sweep % 2:
            crossing = _crossings(layers.columns, ahead, place)
            if fewest is None or crossing <= fewest:
                fewest, best = crossing, [list(column) for column in layers.columns]
    layers.columns[:] = best


def _crossings(
    columns: list[list[int]], ahead: list[list[tuple[int, float]]], place: list[float]
) -> int:
    """How many pairs of edges between neighbouring columns cross."""
    crossing = 0
    for column in columns:
        ends: list[float] = []  # of the edges above, sorted
        for spot in column:
            own = [place[head] + fraction for head, fraction in ahead[spot]]
            for end in own:
                crossing += len(ends) - bisect_right(ends, end)
            for end in own:
                insort(ends, end)
    return crossing
