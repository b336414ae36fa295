"""What the interactive page is told about a graph: plain data, ready for JSON.

Where its numbers can be computed on the page, it gets the JavaScript of the rules; otherwise it
shows those that Python recorded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import Node, leaves_and_inner, sweep
from tinygrad_edu.rules import name_of, settings_of, symbol_of
from tinygrad_edu.rules.rule import Rule
from tinygrad_edu.view.cards.listing import formula, program, rule_source
from tinygrad_edu.view.cards.reading import Card, Link, read, short, shown_text
from tinygrad_edu.view.cards.seen import LONGEST_NAME, Seen, see
from tinygrad_edu.view.cards.strips import strip
from tinygrad_edu.view.layout.arrange import arrange
from tinygrad_edu.view.layout.plan import Container, paths_of, plan
from tinygrad_edu.view.page.javascript import javascript_rules
from tinygrad_edu.view.picture.svg import card_size, name_inside

MOST_DRAWN, MOST_OPEN = 1500, 300
"""The most nodes that a page draws, and the most that it shows before it folds modules."""
MOST_LISTED = 200
STAGE, SMALLEST_SCALE = (960.0, 400.0), 0.6
"""The room for the graph on a laptop's screen, and how small it may be drawn at first."""
PILL_WIDTH, MOST_PILLS = 94, 4
"""Room for a local derivative of eleven characters, whatever the sliders make of it; and how many
edges into a folded module show one."""

Ranges = Mapping[str, Sequence[float]]


def page_data(node: Node, ranges: Ranges | None = None) -> tuple[dict[str, Any], str]:
    """The data of the page, and the JavaScript of the rules that it needs."""
    leaves, inner = leaves_and_inner(node)
    count = len(leaves) + len(inner)
    if count > MOST_DRAWN:
        _check_ranges(ranges, {leaf.label for leaf in leaves})
        return _too_large(node, f"{count} nodes"), "const RULES = [];"
    seen = see(node, MOST_DRAWN)
    _check_ranges(ranges, {card.name for card in seen.cards if card.is_leaf})
    if len(seen.cards) > MOST_DRAWN:
        return _too_large(node, f"{len(seen.cards)} nodes and constants"), "const RULES = [];"
    rules: list[tuple[Rule, int]] = []
    numbers: dict[Any, int] = {}

    def number(rule: Rule, n: int) -> int:
        settings = settings_of(rule)
        key = (name_of(rule), id(getattr(rule, "func", rule)), repr(sorted(settings.items())), n)
        if key not in numbers:
            numbers[key] = len(rules)
            rules.append((rule, n))
        return numbers[key]

    cards = [
        _card(card, name, ranges, number) for card, name in zip(seen.cards, seen.names, strict=True)
    ]
    for card, m in zip(cards, seen.module_of, strict=True):
        brief = name_inside(card["name"], seen.names_around(m))
        if brief != card["name"]:
            card["brief"] = brief
    script, still = "const RULES = [];", ""
    try:
        script = javascript_rules(list(rules))
    except (TypeError, ValueError) as error:
        still = str(error)
    if any("array" in card for card in cards):
        script, still = "const RULES = [];", seen.closed or still or "they are arrays"
    containers = plan(seen.links, seen.module_of, [module.outer for module in seen.modules])
    pills = [_pill(seen.cards[link.tail], seen.cards[link.head]) for link in seen.links]
    derived = _derived(seen, containers)
    data = {
        "root": len(cards) - 1,
        "known": _is_known(node),
        "live": not still,
        "still": _still_text(node, seen, still),
        "drawn": True,
        "instead": "",
        "limits": {"draw": MOST_DRAWN, "open": MOST_OPEN},
        "cards": cards,
        "links": [[link.tail, link.head, link.operand] for link in seen.links],
        "modules": _modules(seen, number),
        "moduleOf": seen.module_of,
        "containers": [asdict(container) for container in containers],
        "pills": pills,
        "derived": derived,
        "folded": _folded(seen, containers, pills, derived),
        "selected": _first_choice(seen),
        "rules": [
            {"symbol": shown_text(symbol_of(rule), 16), "source": rule_source(rule)}
            for rule, _ in rules
        ],
        "formula": formula(*_written(node, seen)),
        "program": _program(node, seen),
    }
    if still:
        data["recorded"] = _recorded(seen, cards)
    return data, script


def _card(card: Card, name: str, ranges: Ranges | None, number: Any) -> dict[str, Any]:
    width, height = card_size(card)
    item = card.item.data if isinstance(card.item, Node) else card.item
    many = np.shape(item) != ()
    kind = "constant" if card.is_constant else "leaf" if card.is_leaf else "node"
    shown = shown_text(card.name, LONGEST_NAME)
    data: dict[str, Any] = {
        "name": card.value if card.is_constant else shown if shown.strip() else name,
        "id": name,
        "labelled": bool(shown.strip()) and not card.is_constant,
        "kind": kind,
        "v": None if many else _number(item),
        "w": width,
        "h": height,
    }
    if many:
        data["array"] = _array_text(item)
        gradient = card.item.grad if isinstance(card.item, Node) else []
        both = (("v", item), ("g", gradient))
        data["strip"] = {key: [_number(x) for x in strip(array)] for key, array in both}
        data["stats"] = {key: _extremes(array) for key, array in both}
    if kind == "node":
        data["symbol"] = shown_text(card.symbol, 16)
        data["rule"] = number(card.item.rule, len(card.item.operands))
    if kind == "leaf" and not many:
        data["range"] = _range(float(item), (ranges or {}).get(card.name))
    return data


def _modules(seen: Seen, number: Any) -> list[dict[str, Any]]:
    place = {id(card.item): i for i, card in enumerate(seen.cards)}
    told = []
    for m, module in enumerate(seen.modules):
        one: dict[str, Any] = {"name": shown_text(module.name, LONGEST_NAME), "outer": module.outer}
        if seen.opened is not None and seen.tensors is not None and seen.tensors[m] >= 0:
            tensor, elements = seen.opened.elements[seen.tensors[m]]
            found = [place[id(x)] for x in elements.flat if id(x) in place]
            one["elements"] = found
            if tensor.shape != ():
                one["array"] = _array_text(tensor.data)
            if tensor.rule is not None:
                one["symbol"] = shown_text(tensor.symbol, 16)
                one["rule"] = number(tensor.rule, len(tensor.operands))
        told.append(one)
    return told


def _pill(tail: Card, head: Card) -> int:
    """The room for a local derivative on an edge: 0 where it is no single number."""
    is_number = isinstance(tail.item, Node) and np.shape(tail.item.data) == ()
    return PILL_WIDTH if is_number and np.shape(head.item.data) == () else 0


def _derived(seen: Seen, containers: list[Container]) -> list[int]:
    """The modules that are, when folded, one operation of few operands, with local derivatives."""
    outputs: list[set[int]] = [set() for _ in seen.modules]
    inside = [paths[1:] for paths in paths_of(seen.module_of, [m.outer for m in seen.modules])]
    for link in seen.links:
        for m in inside[link.tail]:
            if m not in inside[link.head]:
                outputs[m].add(link.tail)
    for m in inside[-1]:
        outputs[m].add(len(seen.cards) - 1)
    operands = [sum(kind == "in" for kind, _ in c.spots) for c in containers[1:]]
    return [m for m, n in enumerate(operands) if n <= MOST_PILLS and len(outputs[m]) == 1]


def _folded(
    seen: Seen, containers: list[Container], pills: list[int], derived: list[int]
) -> list[int]:
    """Tensors start folded. Of the other modules as many are as it takes to see what is drawn."""
    tensors = {m for m, entry in enumerate(seen.tensors or []) if entry >= 0}
    others = set(range(len(seen.modules))) - tensors
    innermost = others - {seen.modules[m].outer for m in others}
    outermost = {m for m in others if seen.modules[m].outer < 0}
    sizes = [card_size(card) for card in seen.cards]
    outer = [module.outer for module in seen.modules]
    for choice in (tensors, tensors | innermost):
        found = arrange(
            containers, sizes, choice, pills, outer, seen.module_of, seen.links, derived
        )
        scale = min(STAGE[0] / max(found.width, 1), STAGE[1] / max(found.height, 1))
        if len(found.boxes) <= MOST_OPEN and scale >= SMALLEST_SCALE:
            return sorted(choice)
    return sorted(tensors | outermost)


def _first_choice(seen: Seen) -> str:
    """What is chosen when the page opens: the first input, if there is one outside of modules."""
    leaves = [i for i, card in enumerate(seen.cards) if card.is_leaf]
    free = [i for i in leaves if seen.module_of[i] < 0]
    return f"card:{[*free, *leaves, len(seen.cards) - 1][0]}"


def _written(node: Node, seen: Seen) -> tuple[list[Card], list[Link]]:
    """The cards to write a program of: those of the Tensors, if the graph was opened."""
    return read(node) if seen.opened is not None else (seen.cards, seen.links)


def _program(node: Node, seen: Seen) -> dict[str, list[tuple[str, int]]]:
    """The lines of the program, each with the card whose step lights it, or -1."""
    cards, links = _written(node, seen)
    lights = list(range(len(cards)))
    if seen.opened is not None:
        last = {seen.opened.owner.get(id(card.item)): i for i, card in enumerate(seen.cards)}
        entry = {id(tensor): e for e, (tensor, _) in enumerate(seen.opened.elements)}
        lights = [last.get(entry.get(id(card.item), -2), -1) for card in cards]
    passes = zip(("forward", "backward"), program(cards, links), strict=True)
    return {
        name: [(line.text, lights[line.card] if line.card >= 0 else -1) for line in lines]
        for name, lines in passes
    }


def _recorded(seen: Seen, cards: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Gradients, local derivatives and what each link sends, from Python's own pullbacks."""
    root = seen.cards[-1].item
    nothing = {"g": [None] * len(seen.cards), "local": [None] * len(seen.links),
               "sent": [None] * len(seen.links)}  # fmt: skip
    with np.errstate(all="ignore"):
        try:
            adjoints = sweep(root, _one(root), lambda x: x.pullback)  # type: ignore[arg-type, return-value]
        except (ArithmeticError, ValueError):
            return nothing
        for i, card in enumerate(seen.cards):
            if card.item in adjoints if isinstance(card.item, Node) else False:
                nothing["g"][i] = _single(adjoints[card.item])
                if "array" in cards[i]:
                    cards[i]["strip"]["g"] = [_number(x) for x in strip(adjoints[card.item])]
                    cards[i]["stats"]["g"] = _extremes(adjoints[card.item])
        for k, link in enumerate(seen.links):
            head, tail = seen.cards[link.head].item, seen.cards[link.tail].item
            if isinstance(tail, Node) and np.shape(tail.data) == ():
                for key, g in (("local", _one(head)), ("sent", adjoints[head])):
                    if key == "sent" or np.shape(head.data) == ():
                        adjoint = head.pullback(g)[link.operand]
                        adjoint = adjoint() if callable(adjoint) else adjoint
                        nothing[key][k] = _single(tail._fit(adjoint))
    return nothing


def _one(node: Node) -> Any:
    return 1.0 if type(node.data) is float else np.ones_like(node.data)


def _single(x: Any) -> Any:
    return _number(np.asarray(x).item()) if np.size(x) == 1 else None


def _too_large(node: Node, count: str) -> dict[str, Any]:
    """A page that says how large the graph is, with its root and its first leaves in a table."""
    leaves, _ = leaves_and_inner(node)
    listed = [x for x in leaves[:MOST_LISTED] if x is not node]
    cards = []
    for i, x in enumerate([*listed, node]):
        many = np.shape(x.data) != ()
        name = shown_text(x.label, LONGEST_NAME) or ("output" if x is node else f"x{i}")
        cards.append({"name": name, "id": f"x{i}", "labelled": bool(x.label), "kind": "leaf",
                      "v": None if many else _number(x.data), "w": 166, "h": 72})  # fmt: skip
        if many:
            cards[-1].update(array=_array_text(x.data), strip={"v": [], "g": []})
    gradients = [None if np.shape(x.grad) else _number(x.grad) for x in (*listed, node)]
    instead = (
        f"This graph has {count}, more than the {MOST_DRAWN} that can be drawn and read. "
        "Show a smaller example of it, such as one sample or one neuron. The table has its output "
        f"and its inputs{'' if len(listed) >= len(leaves) else f', the first {len(listed)}'}."
    )
    return {
        "root": len(listed), "known": _is_known(node), "live": False, "drawn": False,
        "still": "These numbers are those that Python computed.", "instead": instead,
        "limits": {"draw": MOST_DRAWN, "open": MOST_OPEN},
        "cards": cards, "links": [], "pills": [], "derived": [],
        "modules": [], "moduleOf": [-1] * len(cards),
        "containers": [asdict(c) for c in plan([], [-1] * len(cards), [])], "folded": [],
        "selected": f"card:{len(listed)}", "rules": [], "formula": "",
        "program": {"forward": [], "backward": []},
        "recorded": {"g": gradients, "local": [], "sent": []},
    }  # fmt: skip


def _still_text(node: Node, seen: Seen, still: str) -> str:
    said = f"These numbers are those that Python computed; they do not move here: {still}."
    parts = [said] if still else []
    if np.size(node.data) != 1:
        parts.append("The gradients are those of the sum of all elements of the output.")
    return " ".join(parts)


def _is_known(node: Node) -> bool:
    """Whether a backward pass started here: its seed is then the root's gradient."""
    return bool(np.any(np.asarray(node.grad) != 0))


def _array_text(x: Any) -> str:
    return (
        f"{short(x) or 'one number'} {np.asarray(x).dtype}"
        if np.shape(x)
        else str(np.asarray(x).dtype)
    )


def _number(x: Any) -> Any:
    """A number as JSON can hold it: those that are not finite as text."""
    value = float(x)
    return value if math.isfinite(value) else repr(value)


def _extremes(x: Any) -> list[Any]:
    """The smallest, the mean and the largest element; nothing for an empty array."""
    if not np.size(x):
        return [0.0, 0.0, 0.0]
    with np.errstate(all="ignore"):
        return [_number(f(np.asarray(x, dtype=np.float64))) for f in (np.min, np.mean, np.max)]


def _range(x: float, wanted: Sequence[float] | None) -> list[float]:
    """The ends and the step of a leaf's slider: as asked for, or round numbers around its value."""
    if wanted is not None:
        low, high = float(wanted[0]), float(wanted[1])
        step = float(wanted[2]) if len(wanted) == 3 else _round_up((high - low) / 200) or 1.0
        return [low, high, step]
    if not math.isfinite(x) or 0 < abs(x) < 1e-300:
        return [-1.0, 1.0, 0.01]
    if abs(x) > 1e300:
        return [min(x, 0.0), max(x, 0.0), abs(x) / 200]
    high = _round_up(2.5 * abs(x)) if x else 1.0
    low = 0.0 if x > 0 else -high
    whole = x == int(x) and high >= 10
    return [low, high, max(1.0, _round_up((high - low) / 1000)) if whole else (high - low) / 200]


def _round_up(x: float) -> float:
    """The next of 1, 2, 3, 5, 10, 20, 30, 50, ... and the same below 1."""
    if x <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(x))
    return next(digit * power for digit in (1, 2, 3, 5, 10) if digit * power >= x * (1 - 1e-12))


def _check_ranges(ranges: Ranges | None, labels: set[str]) -> None:
    """TypeError or ValueError unless every range names a leaf and gives (low, high), and maybe a
    step."""
    if ranges is not None and not isinstance(ranges, Mapping):
        raise TypeError(
            "ranges: expected labels with their ends, such as {'tax': (1, 1.5)}, "
            f"not {type(ranges).__name__}"
        )
    for label, wanted in (ranges or {}).items():
        if not label or label not in labels:
            known = sorted(labels - {""})
            raise ValueError(f"ranges: no input is labelled {label!r}; there are {known or 'none'}")
        try:
            numbers = [float(x) for x in wanted]
        except (TypeError, ValueError) as error:
            raise type(error)(f"{_range_error(label, wanted)}: {error}") from error
        if len(numbers) not in (2, 3) or not all(map(math.isfinite, numbers)):
            raise ValueError(_range_error(label, wanted))
        if numbers[0] >= numbers[1] or (len(numbers) == 3 and numbers[2] <= 0):
            raise ValueError(
                f"ranges: {label!r} goes from {numbers[0]} to {numbers[1]}; low must be below "
                "high, and the step above 0"
            )


def _range_error(label: str, wanted: Any) -> str:
    return f"ranges: {label!r} needs (low, high) or (low, high, step), not {wanted!r}"
