"""The data of the interactive page, ready for JSON.

Where the page can compute the numbers itself, it gets the JavaScript of the rules. Elsewhere it
shows the numbers that Python recorded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tinygrad_edu.engine.graph import Node, leaves_and_inner, sweep
from tinygrad_edu.rules import name_of, settings_of, symbol_of
from tinygrad_edu.rules.constants import quiet
from tinygrad_edu.rules.rule import Rule
from tinygrad_edu.view.cards.listing import formula, program, rule_source
from tinygrad_edu.view.cards.reading import (
    Card,
    Link,
    four_digits,
    is_nonzero,
    ones_like,
    read,
    shape_of,
    shown_text,
)
from tinygrad_edu.view.cards.seen import LONGEST_LABEL, Seen, see
from tinygrad_edu.view.cards.strips import strip
from tinygrad_edu.view.layout.arrange import arrange
from tinygrad_edu.view.layout.plan import Container, paths_of, plan
from tinygrad_edu.view.page.formulas import formula_data
from tinygrad_edu.view.page.javascript import javascript_rules
from tinygrad_edu.view.page.tensor_lens import lens_data
from tinygrad_edu.view.picture.svg import LONGEST_BADGE, card_size, name_inside

MOST_DRAWN, MOST_OPEN = 1500, 300
"""The most nodes that a page draws, and the most that it shows before it folds modules."""
MOST_LISTED = 200
STAGE, SMALLEST_SCALE = (960.0, 400.0), 0.6
"""The room for the graph on a laptop's screen, and how small it may be drawn at first."""
PILL_WIDTH, MOST_PILLS = 94, 4
"""Room for a local derivative of eleven characters, as the sliders may make it; and the number of
edges into a folded module up to which each shows one."""

LIMITS = {"draw": MOST_DRAWN, "open": MOST_OPEN}
NO_RULES = "const RULES = [];"

Ranges = Mapping[str, Sequence[float]]


def page_data(node: Node, ranges: Ranges | None = None) -> tuple[dict[str, Any], str]:
    """The data of the page, and the JavaScript of the rules that it needs."""
    leaves, inner = leaves_and_inner(node)
    count = len(leaves) + len(inner)
    if count > MOST_DRAWN:
        _check_sliders(ranges, {leaf.label for leaf in leaves})
        return _too_large(node, f"{count} nodes"), NO_RULES
    seen = see(node, MOST_DRAWN)
    _check_sliders(ranges, {card.name for card in seen.cards if card.is_leaf})
    if len(seen.cards) > MOST_DRAWN:
        return _too_large(node, f"{len(seen.cards)} nodes and constants"), NO_RULES
    rules = _Rules()
    cards = [
        _card_data(seen, i, (ranges or {}).get(card.name), rules)
        for i, card in enumerate(seen.cards)
    ]
    script, still = _script(seen, rules)
    outer = [module.outer for module in seen.modules]
    undrawn = {i for i, card in enumerate(seen.cards) if card.is_on_badge}
    containers = plan(seen.links, seen.module_of, outer, undrawn)
    pills = [_pill(seen.cards[link.tail], seen.cards[link.head]) for link in seen.links]
    derived = _derived(seen, containers)
    data = {
        "root": len(cards) - 1,
        "known": is_nonzero(node.grad),
        "live": not still,
        "still": _still_text(node, still),
        "drawn": True,
        "instead": "",
        "limits": LIMITS,
        "cards": cards,
        "links": [[link.tail, link.head, link.operand] for link in seen.links],
        "modules": _modules(seen, rules),
        "moduleOf": seen.module_of,
        "containers": [asdict(container) for container in containers],
        "pills": pills,
        "derived": derived,
        "folded": _folded(seen, containers, pills, derived),
        "selected": _first_choice(seen),
        "rules": [
            {"symbol": shown_text(symbol_of(rule), 16), "source": rule_source(rule)}
            for rule, _ in rules.entries
        ],
        "formula": formula(*_written(node, seen)),
        "program": _program(node, seen),
        "lens": lens_data(node, seen),
        **formula_data(seen, [card.get("rule") for card in cards]),
    }
    if still:
        data["recorded"] = _python_numbers(seen, cards)
    return data, script


class _Rules:
    """The rules that a page needs, each once, with their numbers of operands."""

    def __init__(self) -> None:
        self.entries: list[tuple[Rule, int]] = []
        self._numbers: dict[Any, int] = {}

    def number(self, rule: Rule, n: int) -> int:
        """The number of a rule of n operands; rules that differ in a setting are two."""
        settings = repr(sorted(settings_of(rule).items()))
        key = (name_of(rule), id(getattr(rule, "func", rule)), settings, n)
        if key not in self._numbers:
            self._numbers[key] = len(self.entries)
            self.entries.append((rule, n))
        return self._numbers[key]


def _script(seen: Seen, rules: _Rules) -> tuple[str, str]:
    """The JavaScript of the rules, and why the numbers of the page cannot move; "" if they can."""
    script, still = NO_RULES, ""
    try:
        script = javascript_rules(rules.entries)
    except (TypeError, ValueError) as error:
        still = str(error)
    if any(shape_of(card.data) for card in seen.cards):
        return NO_RULES, seen.closed or still or "they are arrays"
    return script, still


def _card_data(
    seen: Seen, i: int, wanted_range: Sequence[float] | None, rules: _Rules
) -> dict[str, Any]:
    card, name, item = seen.cards[i], seen.names[i], seen.cards[i].data
    many = shape_of(item) != ()
    shown = shown_text(card.name, LONGEST_LABEL)
    data: dict[str, Any] = {
        "name": card.value if card.is_constant else shown if shown.strip() else name,
        "id": name,
        "labelled": bool(shown.strip()) and not card.is_constant,
        "kind": "constant" if card.is_constant else "leaf" if card.is_leaf else "node",
        "v": None if many else _json_number(item),
    }
    if (size := card_size(card)) is not None:
        data["w"], data["h"] = size
    if many:
        data["array"] = _array_text(item)
        gradient = [] if card.is_constant else card.item.grad
        both = (("v", item), ("g", gradient))
        data["strip"] = {key: [_json_number(x) for x in strip(array)] for key, array in both}
        data["stats"] = {key: _extremes(array) for key, array in both}
    if data["kind"] == "node":
        data["symbol"] = shown_text(card.symbol, 16)
        if card.badge != card.symbol:
            data["badge"] = shown_text(card.badge, LONGEST_BADGE)
        data["rule"] = rules.number(card.item.rule, len(card.item.operands))
    if card.is_leaf and not many:
        data["range"] = _slider(float(item), wanted_range)
    brief = name_inside(data["name"], seen.names_around(seen.module_of[i]))
    if brief != data["name"]:
        data["brief"] = brief
    return data


def _modules(seen: Seen, rules: _Rules) -> list[dict[str, Any]]:
    place = {id(card.item): i for i, card in enumerate(seen.cards)}
    modules = []
    for m, module in enumerate(seen.modules):
        entry: dict[str, Any] = {
            "name": shown_text(module.name, LONGEST_LABEL),
            "outer": module.outer,
        }
        if seen.opened is not None and seen.tensors is not None and seen.tensors[m] >= 0:
            tensor, elements = seen.opened.elements[seen.tensors[m]]
            cards_here = [place[id(x)] for x in elements.flat if id(x) in place]
            entry["elements"] = cards_here
            if tensor.shape != ():
                entry["array"] = _array_text(tensor.data)
            if tensor.rule is not None:
                entry["symbol"] = shown_text(tensor.symbol, 16)
                entry["rule"] = rules.number(tensor.rule, len(tensor.operands))
        modules.append(entry)
    return modules


def _pill(tail: Card, head: Card) -> int:
    """The room for a local derivative on an edge; 0 unless both ends are single numbers."""
    arrays = shape_of(tail.data) or shape_of(head.data)
    return 0 if tail.is_constant or arrays else PILL_WIDTH


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
        placed = arrange(
            containers, sizes, choice, pills, outer, seen.module_of, seen.links, derived
        )
        scale = min(STAGE[0] / max(placed.width, 1), STAGE[1] / max(placed.height, 1))
        if len(placed.boxes) <= MOST_OPEN and scale >= SMALLEST_SCALE:
            return sorted(choice)
    return sorted(tensors | outermost)


def _first_choice(seen: Seen) -> str:
    """What is chosen when the page opens: the first input, outside modules if there is one."""
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


def _python_numbers(seen: Seen, cards: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Gradients, local derivatives and what each link sends, from Python's own pullbacks."""
    root = seen.cards[-1].item
    recorded = {"g": [None] * len(seen.cards), "local": [None] * len(seen.links),
                "sent": [None] * len(seen.links)}  # fmt: skip
    with quiet():
        try:
            adjoints = sweep(root, ones_like(root.data), lambda x: x.pullback)  # type: ignore[arg-type, return-value]
        except (ArithmeticError, ValueError):
            return recorded
        for i, card in enumerate(seen.cards):
            if not card.is_constant and card.item in adjoints:
                g = adjoints[card.item]
                recorded["g"][i] = _single(g)
                if "array" in cards[i]:
                    cards[i]["strip"]["g"] = [_json_number(x) for x in strip(g)]
                    cards[i]["stats"]["g"] = _extremes(g)
        for k, link in enumerate(seen.links):
            head, tail = seen.cards[link.head], seen.cards[link.tail]
            if tail.is_constant or shape_of(tail.data):
                continue
            for key, g in (("local", ones_like(head.data)), ("sent", adjoints[head.item])):
                if key == "sent" or not shape_of(head.data):
                    adjoint = head.item.pullback(g)[link.operand]
                    adjoint = adjoint() if callable(adjoint) else adjoint
                    recorded[key][k] = _single(tail.item._fit(adjoint))
    return recorded


def _single(x: Any) -> Any:
    """The only element of an array, or a number; None for an array of several."""
    return _json_number(x.item() if shape_of(x) else x) if math.prod(shape_of(x)) == 1 else None


def _too_large(node: Node, count: str) -> dict[str, Any]:
    """A page that says how large the graph is, with its root and its first leaves in a table."""
    leaves, _ = leaves_and_inner(node)
    listed = [x for x in leaves[:MOST_LISTED] if x is not node]
    cards = []
    for i, x in enumerate([*listed, node]):
        many = shape_of(x.data) != ()
        name = shown_text(x.label, LONGEST_LABEL) or ("output" if x is node else f"x{i}")
        cards.append({"name": name, "id": f"x{i}", "labelled": bool(x.label), "kind": "leaf",
                      "v": None if many else _json_number(x.data), "w": 166, "h": 72})  # fmt: skip
        if many:
            cards[-1].update(array=_array_text(x.data), strip={"v": [], "g": []})
    gradients = [None if shape_of(x.grad) else _json_number(x.grad) for x in (*listed, node)]
    instead = (
        f"This graph has {count}, more than the {MOST_DRAWN} that can be drawn and read. "
        "Show a smaller example of it, such as one sample or one neuron. The table has its output "
        f"and its inputs{'' if len(listed) >= len(leaves) else f', the first {len(listed)}'}."
    )
    return {
        "root": len(listed), "known": is_nonzero(node.grad), "live": False, "drawn": False,
        "still": "These numbers are those that Python computed.", "instead": instead,
        "limits": LIMITS,
        "cards": cards, "links": [], "pills": [], "derived": [], "trees": [], "formulaOf": [],
        "modules": [], "moduleOf": [-1] * len(cards),
        "containers": [asdict(c) for c in plan([], [-1] * len(cards), [])], "folded": [],
        "selected": f"card:{len(listed)}", "rules": [], "formula": "", "lens": None,
        "program": {"forward": [], "backward": []},
        "recorded": {"g": gradients, "local": [], "sent": []},
    }  # fmt: skip


def _still_text(node: Node, still: str) -> str:
    said = f"These numbers are those that Python computed; they do not move here: {still}."
    parts = [said] if still else []
    if math.prod(shape_of(node.data)) != 1:
        parts.append("The gradients are those of the sum of all elements of the output.")
    return " ".join(parts)


def _array_text(x: Any) -> str:
    return f"{four_digits(x)} {x.dtype}"


def _json_number(x: Any) -> Any:
    """A number as JSON can hold it: those that are not finite as text."""
    value = float(x)
    return value if math.isfinite(value) else repr(value)


def _extremes(x: Any) -> list[Any]:
    """The smallest, the mean and the largest element; nothing for an empty array."""
    import numpy as np

    if not np.size(x):
        return [0.0, 0.0, 0.0]
    with quiet():
        return [_json_number(f(np.asarray(x, dtype=np.float64))) for f in (np.min, np.mean, np.max)]


def _slider(x: float, wanted: Sequence[float] | None) -> list[float]:
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


def _check_sliders(ranges: Ranges | None, labels: set[str]) -> None:
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
