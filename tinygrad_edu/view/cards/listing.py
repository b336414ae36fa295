"""The program that a graph is, as a reader sees it: forward and backward, line by line.

The lines are Python with the user's labels as names.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import textwrap
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_edu.engine.names import identifier
from tinygrad_edu.programs.languages import written
from tinygrad_edu.programs.node_lines import (
    composed,
    constant_text,
    free_names,
    leaf_text,
    node_texts,
    plain_number,
    rule_formulas,
)
from tinygrad_edu.programs.symbols import Expression, Symbol
from tinygrad_edu.rules.rule import Rule
from tinygrad_edu.rules.tables import scalars
from tinygrad_edu.view.cards.reading import Card, Link


@dataclass
class Line:
    """One line of the program: the card whose operation it belongs to, and in the backward pass
    the operand whose gradient it adds to; -1 where it belongs to the card as a whole."""

    text: str
    card: int
    operand: int


def program(cards: Sequence[Card], links: Sequence[Link]) -> tuple[list[Line], list[Line]]:
    """The lines of the forward pass and of the backward pass, in the order in which they run.

    A gradient is set by the first line that reaches its node and added to by the others.
    """
    names = identifiers(cards)
    tails = _tails(cards, links)
    forward = []
    pullbacks: list[list[Line]] = []
    for i, card in enumerate(cards):
        if card.is_constant:
            continue
        if card.is_leaf:
            forward.append(Line(f"{names[i]} = {leaf_text(card.item.data)}", i, -1))
            continue
        output, adjoints = node_texts(card.item, names[i], [names[k] for k in tails[i]])
        forward.append(Line(f"{names[i]} = {output}", i, -1))
        pullbacks.append([Line(text, i, k) for k, text in adjoints])
    root = len(cards) - 1
    seed = "1.0" if getattr(cards[root].item.data, "size", 1) == 1 else "seed"
    backward = [Line(f"{names[root]}.grad = {seed}", root, -1)]
    reached: set[int] = set()
    for line in itertools.chain.from_iterable(reversed(pullbacks)):
        tail = tails[line.card][line.operand]
        sign = "+=" if tail in reached else "="
        reached.add(tail)
        backward.append(Line(f"{names[tail]}.grad {sign} {line.text}", line.card, line.operand))
    return forward, backward


def formula(cards: Sequence[Card], links: Sequence[Link], limit: int = 90) -> str:
    """The root as one expression of the leaves: `price = (apple * 2 + orange * 3) * tax`.

    Empty where that cannot be read at a glance: longer than `limit`, a result used twice, or a rule
    without a formula of numbers; and for a leaf, which has none.
    """
    root = cards[-1]
    uses = Counter(link.tail for link in links)
    repeats = any(uses[i] > 1 and card.symbol for i, card in enumerate(cards))
    if root.is_leaf or repeats or len(cards) > limit:
        return ""
    names = identifiers(cards)
    expressions: list[Expression] = []
    for card, name, tails in zip(cards, names, _tails(cards, links), strict=True):
        if card.is_constant and not getattr(card.item, "ndim", 0):
            expressions.append(plain_number(card.item))
        elif card.is_constant or card.is_leaf:
            expressions.append(Symbol(name))
        else:
            expressions.append(composed(card.item.rule, [expressions[k] for k in tails], limit))
            if expressions[-1] is None:
                return ""
    text = written(expressions[-1], "reader")
    if root.name:
        text = f"{names[-1]} = {text}"
    return text if len(text) <= limit else ""


def rule_source(rule: Rule) -> str:
    """The Python source of a rule and of the helpers in its module, without docstrings and facts.

    Where there is none, as for a rule typed at a prompt, its formulas: what running it says.
    """
    sources = []
    waiting = [getattr(rule, "func", rule)]
    for function in waiting:  # grows while helpers turn up
        source = _source(function)
        if source is None:
            return rule_formulas(rule)
        sources.append(source)
        waiting += [f for f in _helpers(function, source) if f not in waiting]
    return "\n\n".join(sources)


_parser = threading.Lock()
"""Python 3.11 counts how deep it is in a tree once for all threads: two that parse raise errors."""


def _source(function: Any) -> str | None:
    try:
        source = textwrap.dedent(inspect.getsource(function))
        with _parser:
            definition = ast.parse(source).body[0]
    except (OSError, TypeError, SyntaxError):
        return None
    lines = source.rstrip().split("\n")
    if isinstance(definition, ast.FunctionDef) and ast.get_docstring(definition) is not None:
        docstring = definition.body[0]
        if docstring.lineno > definition.lineno and len(definition.body) > 1:
            del lines[docstring.lineno - 1 : docstring.end_lineno]
            if not lines[docstring.lineno - 1].strip():
                del lines[docstring.lineno - 1]
    for decorator in getattr(definition, "decorator_list", ()):
        if isinstance(decorator, ast.Call) and decorator.keywords and decorator.args:
            parts = [ast.get_source_segment(source, x) for x in (decorator.func, decorator.args[0])]
            lines[decorator.lineno - 1 : decorator.end_lineno] = ["@{}({})".format(*parts)]
    return "\n".join(lines)


def _helpers(function: Any, source: str) -> list[Any]:
    """The private functions of the same module that a source names, itself or as `of(x).name`."""
    found = []
    for name in re.findall(r"\b_\w+|(?<=\)\.)\w+", source):
        home = function.__globals__ if name.startswith("_") else vars(scalars)
        helper = home.get(name)
        if inspect.isfunction(helper) and helper.__module__ == function.__module__:
            found.append(helper)
    return found


def identifiers(cards: Sequence[Card]) -> list[str]:
    """A name for each card that Python would take: from its label, unique, at most 40 characters.

    Nodes without a label are v1, v2, … A constant is its number, or its shape if it is an array.
    """
    free = free_names({card.item.rule for card in cards if card.symbol})
    labels = [identifier(card.name) for card in cards]
    names = [
        constant_text(card.item) if card.is_constant else free(label) if label else ""
        for card, label in zip(cards, labels, strict=True)
    ]
    return [name or free("") for name in names]


def _tails(cards: Sequence[Card], links: Sequence[Link]) -> list[list[int]]:
    """The cards of each card's operands, in operand order."""
    tails: list[list[int]] = [[] for _ in cards]
    for link in sorted(links, key=lambda link: link.operand):
        tails[link.head].append(link.tail)
    return tails
