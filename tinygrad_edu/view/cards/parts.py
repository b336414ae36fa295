"""Parts of a long program without modules: stretches of operations that fold into one card."""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad_edu.view.cards.folding import OUTSIDE, Foldable
from tinygrad_edu.view.cards.reading import Card, Link

MOST_LOOSE = 60
"""The most nodes outside modules that are shown without parts."""
FEW_INPUTS = 12
"""So many leaves are shown outside of the parts."""
SHORTEST, LONGEST = 12, 30
"""How many operations a part has."""


def add_parts(
    cards: Sequence[Card],
    links: Sequence[Link],
    names: Sequence[str],
    modules: list[Foldable],
    module_of: list[int],
) -> None:
    """Add modules to those that there are, if more than 60 nodes stand outside of them.

    A part is named after its first and its last operation. It is a stretch of operations that
    follow one another in the order of the program, so folding it cannot make a cycle. Each ends
    where few numbers are still to be used.
    """
    loose = [i for i, m in enumerate(module_of) if m == OUTSIDE and not cards[i].is_constant]
    if len(loose) <= MOST_LOOSE:
        return
    first = len(modules)
    last_use = [-1] * len(cards)
    for link in links:
        last_use[link.tail] = max(last_use[link.tail], link.head)
    for stretch in _stretches(cards, module_of):
        for part in _divided(stretch, last_use):
            number = len(modules)
            modules.append(Foldable(f"{names[part[0]]} … {names[part[-1]]}", OUTSIDE))
            for i in part:
                module_of[i] = number
    heads: list[set[int]] = [set() for _ in cards]
    for link in links:
        heads[link.tail].add(module_of[link.head])
    few = sum(cards[i].is_leaf for i in loose) <= FEW_INPUTS
    for i, card in enumerate(cards):  # a leaf stands in the part that alone uses it
        is_shown = few and card.is_leaf
        if not card.symbol and not is_shown and module_of[i] == OUTSIDE and len(heads[i]) == 1:
            (only,) = heads[i]
            module_of[i] = only if only >= first else OUTSIDE


def _stretches(cards: Sequence[Card], module_of: Sequence[int]) -> list[list[int]]:
    """Operations outside modules, between those of modules, where there are enough for a part."""
    stretches: list[list[int]] = [[]]
    for i, card in enumerate(cards):
        if not card.symbol:
            continue
        if module_of[i] == OUTSIDE:
            stretches[-1].append(i)
        elif stretches[-1]:
            stretches.append([])
    return [stretch for stretch in stretches if len(stretch) >= 2 * SHORTEST]


def _divided(stretch: list[int], last_use: Sequence[int]) -> list[list[int]]:
    """Parts of a stretch, each of about equally many operations."""
    parts = []
    while stretch:
        cut = len(stretch)
        if cut > LONGEST:
            longest = min(LONGEST, cut - SHORTEST)
            open_at = {
                n: sum(last_use[i] >= stretch[n] for i in stretch[:n])
                for n in range(SHORTEST, longest + 1)
            }
            cut = min(open_at, key=lambda n: (open_at[n], -n))
        parts.append(stretch[:cut])
        stretch = stretch[cut:]
    return parts
