"""Cycles of directed graphs."""

from __future__ import annotations


def cycles_of(count: int, edges: list[tuple[int, int]]) -> list[list[int]]:
    """The strongly connected sets of more than one of `count` items, in order.

    Kosaraju's algorithm (Sharir 1981), in linear time and without recursion: items in the order
    in which a search along the edges leaves them; the last of them reaches against the edges just
    what is in a cycle with it.
    """
    after: list[list[int]] = [[] for _ in range(count)]
    before: list[list[int]] = [[] for _ in range(count)]
    for tail, head in edges:
        after[tail].append(head)
        before[head].append(tail)
    left: list[int] = []
    seen = [False] * count
    for start in range(count):
        waiting = [start]
        while waiting:
            item = waiting.pop()
            if item < 0:  # all that follows -item - 1 is done
                left.append(-item - 1)
            elif not seen[item]:
                seen[item] = True
                waiting += [-item - 1, *after[item]]
    cycles = []
    for root in reversed(left):
        connected, waiting = [], [root]
        while waiting:
            item = waiting.pop()
            if seen[item]:
                seen[item] = False
                connected.append(item)
                waiting += before[item]
        if len(connected) > 1:
            cycles.append(sorted(connected))
    return sorted(cycles)
