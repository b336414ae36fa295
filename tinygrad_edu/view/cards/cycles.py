"""Cycles of directed graphs."""

from __future__ import annotations

from collections.abc import Iterator


def cycles_of(count: int, edges: list[tuple[int, int]]) -> list[list[int]]:
    """The strongly connected sets of more than one of `count` items, in order.

    Tarjan's algorithm (1972), in linear time and without recursion.
    """
    after = _after_a_cycle(count, edges)
    number: dict[int, int] = {}  # in the order in which the items are met
    lowest: dict[int, int] = {}  # the lowest number of an open item that can be reached
    open_items: list[int] = []
    is_open: set[int] = set()
    found: list[list[int]] = []
    for start in after:
        waiting: list[tuple[int, Iterator[int]]] = []
        meet = None if start in number else start
        while waiting or meet is not None:
            if meet is not None:
                number[meet] = lowest[meet] = len(number)
                open_items.append(meet)
                is_open.add(meet)
                waiting.append((meet, iter(after[meet])))
                meet = None
            item, rest = waiting[-1]
            for other in rest:
                if other not in number:
                    meet = other
                    break
                if other in is_open:
                    lowest[item] = min(lowest[item], number[other])
            if meet is not None:
                continue
            waiting.pop()
            if waiting:
                before = waiting[-1][0]
                lowest[before] = min(lowest[before], lowest[item])
            if lowest[item] == number[item]:
                connected = [open_items.pop()]
                while connected[-1] != item:
                    connected.append(open_items.pop())
                is_open.difference_update(connected)
                if len(connected) > 1:
                    found.append(sorted(connected))
    return sorted(found)


def _after_a_cycle(count: int, edges: list[tuple[int, int]]) -> dict[int, list[int]]:
    """The items on a cycle or after one, each with those that follow it.

    In a graph without cycles there are none, which is quick to see.
    """
    after: list[list[int]] = [[] for _ in range(count)]
    before = [0] * count
    for tail, head in edges:
        after[tail].append(head)
        before[head] += 1
    free = [item for item in range(count) if not before[item]]
    for item in free:  # grows while it is read
        for head in after[item]:
            before[head] -= 1
            if not before[head]:
                free.append(head)
    return {item: after[item] for item in range(count) if before[item]}
