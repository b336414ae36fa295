"""The modules of a picture: what folds into one card, such as a layer or a neuron.

A node made in a `with group(...)` block lies in that group. Inside of its group, or without one,
its module is read from dotted labels: the leaf `layers.0.neurons.3.w1` lies in the module
`neurons.3` inside `layers.0`, and operations follow the leaves (`_follow_leaves` says which).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from tinygrad_edu.engine.contexts import Group
from tinygrad_edu.view.cards.cycles import cycles_of
from tinygrad_edu.view.cards.reading import Card, Link

DEEPEST_MODULE = 8
"""How many modules, one inside the other, are read from a label."""

OUTSIDE = -1


@dataclass
class Foldable:
    """A set of cards that can be drawn as one; `outer` is the index of the module around it."""

    name: str
    outer: int  # -1 for none; outer modules come before inner ones


@dataclass
class _Tree:
    """Modules as they are found: each with its parent, which comes before it."""

    names: list[str] = field(default_factory=list)
    outer: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    explicit: list[bool] = field(default_factory=list)  # made by `with group(...)`
    known: dict[tuple[int, Hashable], int] = field(default_factory=dict)

    def inside(self, outer: int, key: Hashable, name: str) -> int:
        """The module of this key in `outer`, made if need be."""
        number = self.known.setdefault((outer, key), len(self.names))
        if number == len(self.names):
            self.names.append(name)
            self.outer.append(outer)
            self.explicit.append(isinstance(key, Group))
            self.depth.append(0 if outer == OUTSIDE else self.depth[outer] + 1)
        return number

    def common(self, a: int, b: int) -> int:
        """The innermost module that both lie in, each counted as lying in itself."""
        while a != b:
            if a == OUTSIDE or b == OUTSIDE:
                return OUTSIDE
            if self.depth[a] >= self.depth[b]:
                a = self.outer[a]
            else:
                b = self.outer[b]
        return a

    def contains(self, outer: int, inner: int) -> bool:
        return self.common(outer, inner) == outer


def find_modules(cards: list[Card], links: list[Link]) -> tuple[list[Foldable], list[int]]:
    """The modules of a picture, and for each card the index of its innermost module, or -1.

    Every module is convex: modules that do not overlap can be folded without making a cycle.
    Takes time in proportion to the cards and links, for modules that are nested a few deep.
    """
    tails: list[list[int]] = [[] for _ in cards]
    heads: list[list[int]] = [[] for _ in cards]
    for link in links:
        tails[link.head].append(link.tail)
        heads[link.tail].append(link.head)
    tree = _Tree()
    place = _groups(cards, heads, tree)
    labelled = _Tree()
    derived = _labelled_leaves(cards, labelled)
    if labelled.names:
        _follow_leaves(cards, tails, heads, place, labelled, derived)
        _combine(cards, heads, tree, place, labelled, derived)
    for i, card in enumerate(cards):
        if card.is_constant and heads[i]:
            place[i] = place[heads[i][0]]
    _drop_small(cards, tree, place)
    _dissolve_cycles(links, tree, place)
    return _numbered(cards, tree, place)


def _is_operation(card: Card) -> bool:
    return not (card.is_leaf or card.is_constant)


def _groups(cards: list[Card], heads: list[list[int]], tree: _Tree) -> list[int]:
    """The `with group(...)` block of each card."""
    numbers: dict[Group, int] = {}
    place = [OUTSIDE] * len(cards)
    for i, card in enumerate(cards):
        innermost = None if card.is_constant else card.item.group
        if innermost is None:
            continue
        if innermost not in numbers:
            for group in innermost.chain():
                outer = OUTSIDE if group.outer is None else numbers[group.outer]
                numbers[group] = tree.inside(outer, group, group.name)
        place[i] = numbers[innermost]
    return place


def path_of(label: str) -> list[str]:
    """The modules that a dotted label names: `layers.0.neurons.3.w1` → `layers.0`, `neurons.3`.

    The last name, with the numbers after it, is the leaf's own. A label with anything but names
    and numbers between the dots, as in a sentence, names no modules.
    """
    parts = label.split(".")
    if not all(part.isidentifier() or part.isdecimal() for part in parts):
        return []
    path: list[str] = []
    for part in parts:
        if path and part.isdecimal():
            path[-1] += "." + part
        else:
            path.append(part)
    return path[:-1][:DEEPEST_MODULE]


def _labelled_leaves(cards: list[Card], tree: _Tree) -> list[int]:
    """The module in the label of each leaf.

    Two leaves with the same label come from two models: the second is of another module.
    """
    seen: dict[str, int] = {}
    module_of = [OUTSIDE] * len(cards)
    for i, card in enumerate(cards):
        path = path_of(card.name) if card.is_leaf and "." in card.name else []
        if not path:
            continue
        which = seen[card.name] = seen.get(card.name, -1) + 1
        for name in path:
            module_of[i] = tree.inside(module_of[i], (name, which), name)
    return module_of


def _follow_leaves(
    cards: list[Card],
    tails: list[list[int]],
    heads: list[list[int]],
    place: list[int],
    tree: _Tree,
    derived: list[int],
) -> None:
    """Find the module of each operation from the modules of the leaves; fills in `derived`.

    An operation that takes a leaf of a module belongs to it. One that combines results of a
    single module belongs to it. One that has a single result to work on, such as the ReLU after
    a layer, belongs to the module of that only if more leaves of modules follow: after the last
    layer comes the loss, which is nobody's. So does one that combines results of several
    modules, to what lies around them.
    """
    takes_leaf = [False] * len(cards)
    for i, module in enumerate(derived):  # so far those of leaves only
        if module != OUTSIDE:
            for head in heads[i]:
                takes_leaf[head] = True
    leads = [False] * len(cards)  # to an operation that takes a leaf of a module
    for i in reversed(range(len(cards))):
        if takes_leaf[i] or leads[i]:
            for tail in tails[i]:
                leads[tail] = True
    for i, card in enumerate(cards):
        if not _is_operation(card):
            continue
        leaves = [derived[t] for t in tails[i] if cards[t].is_leaf and derived[t] >= 0]
        results = {t for t in tails[i] if _is_operation(cards[t])}
        sources = [derived[t] if place[t] == place[i] else OUTSIDE for t in results]
        found = leaves or sources
        common = found[0] if found else OUTSIDE
        for other in found[1:]:
            common = tree.common(common, other)
        several = len(sources) > 1 and len(set(sources)) == 1
        if leaves or several or leads[i]:
            derived[i] = common


def _combine(
    cards: list[Card],
    heads: list[list[int]],
    tree: _Tree,
    place: list[int],
    labelled: _Tree,
    derived: list[int],
) -> None:
    """Put the derived modules inside the groups: afterwards `place` holds both."""
    groups = list(place)
    with_operations = {OUTSIDE}
    for i, card in enumerate(cards):
        number = groups[i]
        while _is_operation(card) and number not in with_operations:
            with_operations.add(number)
            number = tree.outer[number]
    inside: dict[tuple[int, int], int] = {}

    def combined(group: int, module: int) -> int:
        if module == OUTSIDE:
            return group
        if (group, module) not in inside:
            outer = combined(group, labelled.outer[module])
            name = labelled.names[module]
            inside[group, module] = tree.inside(outer, (group, module), name)
        return inside[group, module]

    for i, card in enumerate(cards):
        group = groups[i]
        if card.is_leaf and derived[i] >= 0 and heads[i]:
            # a parameter stands where it is used, unless that is outside its own group
            while group not in with_operations:
                group = tree.outer[group]
            used = groups[heads[i][0]]
            for head in heads[i][1:]:
                used = tree.common(used, groups[head])
            if tree.contains(group, used):
                group = used
        place[i] = combined(group, derived[i])


def _drop_small(cards: list[Card], tree: _Tree, place: list[int]) -> None:
    """Drop modules without an operation, and those read from labels with a single card."""
    operations, others = [0] * len(tree.names), [0] * len(tree.names)
    for i, card in enumerate(cards):
        if place[i] >= 0 and not card.is_constant:
            (operations if _is_operation(card) else others)[place[i]] += 1
    kept = [True] * len(tree.names)
    for m in reversed(range(len(tree.names))):
        both = operations[m] + others[m]
        kept[m] = operations[m] > 0 and (both > 1 or tree.explicit[m])
        if tree.outer[m] >= 0:
            operations[tree.outer[m]] += operations[m]
            others[tree.outer[m]] += others[m]
    _keep(kept, tree, place)


def _keep(kept: list[bool], tree: _Tree, place: list[int]) -> None:
    """Give the cards and inner modules of the modules that are not kept to the outer ones."""
    nearest: list[int] = []
    for m, outer in enumerate(tree.outer):
        outside = OUTSIDE if outer == OUTSIDE else nearest[outer]
        nearest.append(m if kept[m] else outside)
        tree.outer[m] = outside
        tree.depth[m] = 0 if outside == OUTSIDE else tree.depth[outside] + 1
    place[:] = [OUTSIDE if m == OUTSIDE else nearest[m] for m in place]


def _dissolve_cycles(links: list[Link], tree: _Tree, place: list[int]) -> None:
    """Dissolve modules until folding cannot make a cycle, those read from labels first.

    Cycles come of parameters used at several depths, or of a group that waits while another
    thread goes on with its nodes.
    """
    count = len(tree.names)
    while True:
        edges = [_edge_between(tree, place, count, link) for link in links]
        cycles = cycles_of(count + len(place), edges)
        if not cycles:
            return
        kept = [True] * count
        for cycle in cycles:
            modules = [item for item in cycle if item < count]
            for m in [m for m in modules if not tree.explicit[m]] or modules:
                kept[m] = False
        _keep(kept, tree, place)


def _edge_between(tree: _Tree, place: list[int], count: int, link: Link) -> tuple[int, int]:
    """The two items that a link joins where it is whole: modules, or cards (from `count` on)."""
    tail, head = count + link.tail, count + link.head
    a, b = place[link.tail], place[link.head]
    while a != b:  # go out of the deeper one
        if b == OUTSIDE or (a != OUTSIDE and tree.depth[a] >= tree.depth[b]):
            tail, a = a, tree.outer[a]
        else:
            head, b = b, tree.outer[b]
    return tail, head


def _numbered(cards: list[Card], tree: _Tree, place: list[int]) -> tuple[list[Foldable], list[int]]:
    """The modules that have cards, each after its outer one, in the order of their operations."""
    number: dict[int, int] = {OUTSIDE: OUTSIDE}
    modules: list[Foldable] = []
    taken: dict[tuple[int, str], int] = {}
    for i, card in enumerate(cards):
        if not _is_operation(card):
            continue
        new = []
        m = place[i]
        while m not in number:
            new.append(m)
            m = tree.outer[m]
        for m in reversed(new):
            outer = number[tree.outer[m]]
            number[m] = len(modules)
            modules.append(Foldable(_unique_name(taken, outer, tree.names[m]), outer))
    return modules, [number[m] for m in place]


def _unique_name(taken: dict[tuple[int, str], int], outer: int, name: str) -> str:
    """The name, or `name (2)` and so on where it is taken in the same outer module."""
    n = taken.get((outer, name), 0) + 1  # how often the name has been asked for
    free = name if n == 1 else f"{name} ({n})"
    while (outer, free) in taken:
        n += 1
        free = f"{name} ({n})"
    taken[outer, name] = n
    taken.setdefault((outer, free), 1)
    return free
