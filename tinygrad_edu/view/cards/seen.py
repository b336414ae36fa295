"""A graph as the page sees it: of numbers, in modules.

A graph of Values comes as it is. A Tensor graph is opened as scalars, where it is small enough, and
each Tensor becomes a module that folds its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinygrad_edu.engine.contexts import outside_of_blocks
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.view.cards.folding import Foldable, find_modules
from tinygrad_edu.view.cards.listing import identifiers
from tinygrad_edu.view.cards.parts import add_parts
from tinygrad_edu.view.cards.reading import Card, Link, read, shown_text

if TYPE_CHECKING:
    from tinygrad_edu.view.cards.open_as_scalars import Opened

LONGEST_LABEL = 120


@dataclass
class Seen:
    """A graph as the page sees it: cards, links and modules, and what they were read from."""

    cards: list[Card]
    links: list[Link]
    modules: list[Foldable]
    module_of: list[int]
    names: list[str]
    opened: Opened | None = None
    tensors: list[int] | None = None  # for each module the entry of `opened`, or -1
    closed: str = ""  # why a Tensor graph was not opened

    def names_around(self, m: int) -> list[str]:
        """The names of a module and of those around it, the outermost first."""
        names = []
        while m >= 0:
            names.append(self.modules[m].name)
            m = self.modules[m].outer
        return names[::-1]


def see(node: Node, limit: int) -> Seen:
    """Read a graph; a Tensor graph is opened as scalars if it has at most `limit` of them."""
    cards, links = read(node)
    modules, module_of = find_modules(cards, links)
    names = identifiers(cards)
    add_parts(cards, links, names, modules, module_of)
    seen = Seen(cards, links, modules, module_of, names)
    if isinstance(node.data, float):
        return seen
    from tinygrad_edu.engine.tensor import Tensor
    from tinygrad_edu.view.cards.open_as_scalars import open_as_scalars
    from tinygrad_edu.view.cards.scalar_arrays import TooManyError

    assert isinstance(node, Tensor)
    try:
        with outside_of_blocks():
            opened = open_as_scalars(node, limit)
    except TooManyError:
        seen.closed = "opened as scalars, this graph would be too large to change here"
        return seen
    except ValueError as error:
        seen.closed = str(error)
        return seen
    if not opened.root.operands and id(opened.root) not in opened.owner:
        seen.closed = "the output has no elements to change"
        return seen
    found = _see_opened(seen, opened)
    if len(found.cards) > limit:  # constants count too
        seen.closed = "opened as scalars, this graph would be too large to change here"
        return seen
    return found


def _see_opened(closed: Seen, opened: Opened) -> Seen:
    """The scalar graph of a Tensor graph, with a module for every Tensor that owns scalars."""
    cards, links = read(opened.root)
    place = {id(card.item): i for i, card in enumerate(closed.cards)}
    modules, tensors = list(closed.modules), [-1] * len(closed.modules)
    module_of_tensor: dict[int, int] = {}
    owned = Counter(opened.owner.get(id(card.item), -1) for card in cards)
    for entry, (tensor, _) in enumerate(opened.elements):
        if owned[entry] > 1 or (owned[entry] == 1 and tensor.shape != ()):  # else it is that card
            card = place[id(tensor)]
            module_of_tensor[entry] = len(modules)
            name = closed.cards[card].name or closed.names[card]
            modules.append(Foldable(name, closed.module_of[card]))
            tensors.append(entry)
    module_of = []
    for one in cards:
        entry = opened.owner.get(id(one.item), -1)
        around = closed.module_of[place[id(opened.elements[entry][0])]] if entry >= 0 else -1
        module_of.append(module_of_tensor.get(entry, around))
    for link in links:  # a constant stands with the node that uses it
        if cards[link.tail].is_constant:
            module_of[link.tail] = module_of[link.head]
    names = identifiers(cards)
    tensor_names = [closed.cards[place[id(t)]].name or closed.names[place[id(t)]]
                    for t, _ in opened.elements]  # fmt: skip
    _name_scalars(cards, names, opened, tensor_names)
    return Seen(cards, links, modules, module_of, names, opened, tensors)


def _name_scalars(
    cards: list[Card],
    names: list[str],
    opened: Opened,
    tensor_names: list[str],
) -> None:
    """Name scalars without a label after their Tensor: its elements `v1[0, 2]`, others `v1.3`."""
    import numpy as np

    elements = {
        id(x): f"[{', '.join(map(str, index))}]" if index else ""
        for _, array in opened.elements
        for index, x in np.ndenumerate(array)
    }
    made: dict[int, int] = {}
    for i, card in enumerate(cards):
        entry = opened.owner.get(id(card.item))
        if entry is not None and not card.name and not card.is_constant:
            made[entry] = made.get(entry, 0) + 1
            suffix = elements.get(id(card.item), f".{made[entry]}")
            names[i] = f"{shown_text(tensor_names[entry], LONGEST_LABEL)}{suffix}"
