"""The containers of a picture: the whole, and every module, each with its own columns.

An edge that crosses a frame passes a port on it. So every container can be laid out by itself,
and folding one moves the others without changing their order.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_edu.view.layout.ordering import IN, INNER, OUT, Edge, Fractions, Layers, layers, order

Name = tuple[str, int]
"""What a spot is, such as ("card", 3) or ("module", 0)."""


@dataclass
class Container:
    """The whole picture, or one module: what stands in it, and in which columns.

    `spots` are ("card", i), ("module", m), ("in", i), ("out", i) or ("bend", 0), where i is a
    card; "in" and "out" are where its value crosses the frame. `columns` holds numbers of spots,
    left to right, each top to bottom.

    The lines of one card have one trunk: the card and the spots that the longest of them passes,
    both ends included. `ways` holds, for each pair of a card and a spot that its line goes to, the
    trunk, how many spots of it the line passes, and that last spot. So all of it grows with what
    is drawn, and not with how often a long line is left.
    """

    spots: list[Name]
    columns: list[list[int]]
    trunks: list[tuple[int, list[int]]]
    ways: list[tuple[int, int, int]]


def ends(link: Any) -> tuple[int, int, int]:
    """The tail, head and operand of a Link, or of a plain tuple."""
    return link if isinstance(link, tuple) else (link.tail, link.head, link.operand)


def paths_of(module_of: Sequence[int], outer: Sequence[int]) -> list[list[int]]:
    """For each card the modules that it is in, the outermost first, after -1 for the whole."""
    of_module: list[list[int]] = []
    for m, around in enumerate(outer):
        of_module.append([*(of_module[around] if around >= 0 else [-1]), m])
    return [of_module[m] if m >= 0 else [-1] for m in module_of]


def stages(tail: int, head: int, paths: list[list[int]]) -> Iterator[tuple[int, Name, Name]]:
    """The containers that a link passes, from tail to head, and the spots where it comes and goes.

    Out of every module that the head is not in, across what both are in, into every module that
    the tail is not in.
    """
    a, b = paths[tail], paths[head]
    common = 0
    while common < min(len(a), len(b)) and a[common] == b[common]:
        common += 1
    for i in range(len(a) - 1, common - 1, -1):
        yield a[i] + 1, _spot_in(tail, a, i), ("out", tail)
    yield a[common - 1] + 1, _spot_in(tail, a, common - 1), _spot_in(head, b, common - 1)
    for i in range(common, len(b)):
        yield b[i] + 1, ("in", tail), _spot_in(head, b, i)


def _spot_in(card: int, path: list[int], level: int) -> Name:
    """The card itself, or the module that holds it, in the container at this level of its path."""
    return ("module", path[level + 1]) if level + 1 < len(path) else ("card", card)


def plan(
    links: Sequence[Any],
    module_of: Sequence[int],
    outer: Sequence[int],
    undrawn: Collection[int] = (),
) -> list[Container]:
    """The containers of a picture: the whole, then every module.

    `links` are Links or (tail, head, operand); `module_of` gives the innermost module of each card
    or -1, `outer` the module around each module or -1, which comes before it. Cards that are not
    drawn have no line, either.
    """
    paths = paths_of(module_of, outer)
    numbers: list[dict[Name, int]] = [{} for _ in range(len(outer) + 1)]
    edges: list[dict[tuple[int, Name], Edge]] = [{} for _ in numbers]
    for card, path in enumerate(paths):
        for level, m in enumerate(path if card not in undrawn else ()):
            numbers[m + 1].setdefault(_spot_in(card, path, level), len(numbers[m + 1]))
    for link in links:
        tail, head, _ = ends(link)
        for c, start, end in stages(tail, head, paths) if tail not in undrawn else ():
            for name in (start, end):
                numbers[c].setdefault(name, len(numbers[c]))
            edges[c].setdefault((tail, end), Edge(numbers[c][start], numbers[c][end], tail))
    drawn = []
    for own, crossing in zip(numbers, edges, strict=True):
        sides = [{"in": IN, "out": OUT}.get(kind, INNER) for kind, _ in own]
        drawn.append(layers(sides, list(crossing.values())))
    _order_all(drawn, numbers, outer)
    containers = []
    for found, own, crossing in zip(drawn, numbers, edges, strict=True):
        names: list[Name] = [*own, *[("bend", 0)] * (len(found.before) - len(own))]
        passed = list(zip(crossing.values(), found.ways, strict=True))
        longest = {t: edge for edge, (t, n) in passed if n == len(found.trunks[t])}
        trunks = [(longest[t].source, [*spots, longest[t].head])
                  for t, spots in enumerate(found.trunks)]  # fmt: skip
        ways = [(t, length, edge.head) for edge, (t, length) in passed]
        containers.append(Container(names, found.columns, trunks, ways))
    return containers


def _order_all(drawn: list[Layers], numbers: list[dict[Name, int]], outer: Sequence[int]) -> None:
    """Order the columns of every container so that what is inside a frame fits what is outside.

    First from the inside out, where a module's ports tell its neighbours where edges touch it;
    then from the outside in, where the neighbours tell the order of the ports.
    """
    arrive: list[Fractions] = [{} for _ in drawn]
    leave: list[Fractions] = [{} for _ in drawn]
    names = [list(own) for own in numbers]

    def tell_outside(m: int) -> None:
        c = outer[m] + 1
        spot = numbers[c]["module", m]
        for kind, found in (("in", arrive[c]), ("out", leave[c])):
            ports = _ports(drawn[m + 1], names[m + 1], kind)
            for rank, port in enumerate(ports):
                found[spot, names[m + 1][port][1]] = rank / len(ports)

    used = [m for m in range(len(outer)) if drawn[m + 1].columns]
    for m in reversed(used):
        order(drawn[m + 1], arrive[m + 1], leave[m + 1])
        tell_outside(m)
    order(drawn[0], arrive[0], leave[0])
    for m in used:
        c, inside = outer[m] + 1, drawn[m + 1]
        spot = numbers[c]["module", m]
        place = {s: float(i) for column in drawn[c].columns for i, s in enumerate(column)}
        fixed = []
        for kind, near, fractions in (
            ("in", drawn[c].before[spot], leave[c]),
            ("out", drawn[c].after[spot], arrive[c]),
        ):
            places: dict[int, list[float]] = {}
            for other, source in near:
                at = place[other] + fractions.get((other, source), 0.0)
                places.setdefault(source, []).append(at)
            ports = _ports(inside, names[m + 1], kind)
            wish = {p: _mean(places[names[m + 1][p][1]]) for p in ports}
            if ports:
                side = 0 if kind == "in" else len(inside.columns) - 1
                inside.columns[side] = sorted(ports, key=wish.__getitem__)
                fixed.append(side)
        order(inside, arrive[m + 1], leave[m + 1], fixed)
        tell_outside(m)


def _ports(drawn: Layers, names: list[Name], kind: str) -> list[int]:
    """The ports on one side of a container, top to bottom."""
    column = drawn.columns[0 if kind == "in" else -1]
    return [spot for spot in column if spot < len(names) and names[spot][0] == kind]


def _mean(numbers: Sequence[float]) -> float:
    return math.fsum(numbers) / len(numbers)
