"""Local derivatives for the page: each rule run on symbols, as trees that it writes with the
reader's names and numbers.

A tree is a number, an operand by its position as text ("0"), "z" for the output, or a list of an
operation and its operands: `["divide", 1, "0"]`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tinygrad_edu.programs.readable import readable_derivatives
from tinygrad_edu.programs.symbols import Expression, Symbol
from tinygrad_edu.rules.constants import quiet
from tinygrad_edu.rules.rule import Rule
from tinygrad_edu.view.cards.reading import shape_of
from tinygrad_edu.view.cards.seen import Seen

NO_FORMULA = -1


def formula_data(seen: Seen, rules: Sequence[Any]) -> dict[str, Any]:
    """The local derivatives as trees, and for each link the number of its tree, or -1. `rules` has
    for each card what tells its rule from others."""
    formulas = _Formulas()
    constants: list[dict[int, float]] = [{} for _ in seen.cards]
    for link in seen.links:
        tail = seen.cards[link.tail]
        if tail.is_constant and not shape_of(tail.data):
            constants[link.head][link.operand] = float(tail.data)
    numbers = []
    for link in seen.links:
        head, i = seen.cards[link.head].item, link.head
        if shape_of(head.data) or shape_of(seen.cards[link.tail].data):
            numbers.append(NO_FORMULA)
        else:
            own = formulas.of(rules[i], head.rule, len(head.operands), constants[i])
            numbers.append(own[link.operand])
    return {"trees": formulas.trees, "formulaOf": numbers}


class _Formulas:
    """The trees of a page's local derivatives, each once."""

    def __init__(self) -> None:
        self.trees: list[Any] = []
        self._numbers: dict[str, int] = {}
        self._known: dict[Any, list[int]] = {}

    def of(self, key: Any, rule: Rule, n: int, constants: Mapping[int, float]) -> Sequence[int]:
        """For each of n operands the number of its tree, or -1. `key` tells the rule from others;
        `constants` are the operands, by position, that are plain numbers."""
        whole = (key, n, *map(repr, constants.items()))
        if whole not in self._known:
            self._known[whole] = self._read(rule, n, constants)
        return self._known[whole]

    def _read(self, rule: Rule, n: int, constants: Mapping[int, float]) -> list[int]:
        try:
            with quiet():
                traced, derivatives = readable_derivatives(rule, n, constants)
        except TypeError:
            return [NO_FORMULA] * n
        names = {x: str(i) for i, x in enumerate(traced.operands) if isinstance(x, Symbol)}
        if isinstance(traced.output, Symbol):
            names.setdefault(traced.output, "z")
        return [NO_FORMULA if x is None else self._number(_tree(x, names)) for x in derivatives]

    def _number(self, tree: Any) -> int:
        text = json.dumps(tree)
        if text not in self._numbers:
            self._numbers[text] = len(self.trees)
            self.trees.append(tree)
        return self._numbers[text]


def _tree(x: Expression, names: Mapping[Symbol, str]) -> Any:
    if isinstance(x, Symbol):
        return names.get(x) or [x.name, *(_tree(y, names) for y in x.operands)]
    x = float(x)
    if not math.isfinite(x):
        return repr(x)
    return int(x) if x.is_integer() and abs(x) < 1e15 else x
