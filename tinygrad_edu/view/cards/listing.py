"""The program that a graph is, as a reader sees it: forward and backward, line by line.

The lines are Python with the user's labels as names. A node whose rule has a formula of numbers
shows that formula; any other shows its rule by name.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import keyword
import math
import re
import textwrap
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.engine.names import identifier, numbered
from tinygrad_edu.programs.languages import LANGUAGES, written
from tinygrad_edu.programs.symbols import (
    Expression,
    Symbol,
    Trace,
    function_names,
    size,
    trace,
)
from tinygrad_edu.rules.rule import Rule, name_of, settings_of
from tinygrad_edu.rules.tables import scalars
from tinygrad_edu.view.cards.reading import Card, Link, shape_of, shown_text

LONGEST_FORMULA = 200
"""A rule with more names, numbers and operations in a formula than this is shown by its name."""


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
    tails = _operands(cards, links)
    forward = []
    pullbacks: list[list[Line]] = []
    for i, card in enumerate(cards):
        if card.is_constant:
            continue
        if card.is_leaf:
            forward.append(Line(f"{names[i]} = {_leaf(card.item.data)}", i, -1))
            continue
        output, adjoints = _texts(card.item, names[i], [names[k] for k in tails[i]])
        forward.append(Line(f"{names[i]} = {output}", i, -1))
        pullbacks.append([Line(text, i, k) for k, text in adjoints])
    root = len(cards) - 1
    seed = "1.0" if math.prod(shape_of(cards[root].data)) == 1 else "seed"
    backward = [Line(f"grad_{names[root]} = {seed}", root, -1)]
    reached: set[int] = set()
    for line in itertools.chain.from_iterable(reversed(pullbacks)):
        tail = tails[line.card][line.operand]
        sign = "+=" if tail in reached else "="
        reached.add(tail)
        backward.append(Line(f"grad_{names[tail]} {sign} {line.text}", line.card, line.operand))
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
    for card, name, tails in zip(cards, names, _operands(cards, links), strict=True):
        if card.is_constant and shape_of(card.item) == ():
            expressions.append(_number(card.item))
        elif card.is_constant or card.is_leaf:
            expressions.append(Symbol(name))
        else:
            try:
                expression = card.item.rule(*[expressions[k] for k in tails])[0]
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                return ""
            if not isinstance(expression, Symbol) or size(expression) > limit:
                return ""
            expressions.append(expression)
    text = written(expressions[-1], "reader")
    if root.name:
        text = f"{names[-1]} = {text}"
    return text if len(text) <= limit else ""


def rule_source(rule: Rule) -> str:
    """The Python source of a rule and of the helpers in its module, without docstrings.

    Where there is none, as for a rule typed at a prompt, its formulas: what running it says.
    """
    sources = []
    waiting = [getattr(rule, "func", rule)]
    for function in waiting:  # grows while helpers turn up
        source = _source(function)
        if source is None:
            return _formulas(rule)
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


def _formulas(rule: Rule) -> str:
    """The traced formulas of a rule that has no source: output, then adjoints."""
    parameters = inspect.signature(rule).parameters.values()
    operands = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
    try:
        traced = trace(rule, len(operands))
    except TypeError:
        return f"# the source of {name_of(rule)} is not at hand"
    lines = [f"out = {written(traced.output, 'reader', traced.names(operands))}"]
    names = traced.names(operands, "out", "out.grad")
    lines += [
        f"{operand}.grad += {written(adjoint, 'reader', names)}"
        for operand, adjoint in zip(operands, traced.adjoints, strict=True)
        if adjoint is not None
    ]
    return "\n".join(lines)


def identifiers(cards: Sequence[Card]) -> list[str]:
    """A name for each card that Python would take: from its label, unique, at most 40 characters.

    Nodes without a label are v1, v2, … A constant is its number, or its shape if it is an array.
    No name, nor its gradient's `grad_name`, is that of another node or of a function in the text.
    """
    rules = {name_of(card.item.rule) for card in cards if card.symbol}
    functions = rules - set(LANGUAGES["reader"].forms) | function_names()
    taken = {*keyword.kwlist, *functions, "inf", "nan", "pullback", "seed", "unbroadcast"}
    names = [_constant(card.item) if card.is_constant else "" for card in cards]
    for i, card in enumerate(cards):
        wish = "" if card.is_constant else identifier(card.name)
        if wish:
            names[i] = _free(itertools.chain([wish], numbered(wish)), taken)
    unlabelled = (f"v{k}" for k in itertools.count(1))
    return [name or _free(unlabelled, taken) for name in names]


def _free(candidates: Iterator[str], taken: set[str]) -> str:
    """The first of the names that is free, as is that of its gradient; both are taken then."""
    for name in candidates:
        if name not in taken and f"grad_{name}" not in taken:
            taken |= {name, f"grad_{name}"}
            return name
    raise AssertionError("there are always more candidates")


def _constant(x: Any) -> str:
    if shape_of(x) != ():
        return "array_" + "x".join(map(str, shape_of(x)))
    text = written(_number(x), "reader")
    return f"({text})" if text.startswith("-") else text


def _leaf(data: Any) -> str:
    return _constant(data) if shape_of(data) != () else written(_number(data), "python")


def _number(x: Any) -> Any:
    return x.item() if hasattr(x, "item") else x


def _operands(cards: Sequence[Card], links: Sequence[Link]) -> list[list[int]]:
    """The cards of each card's operands, in operand order."""
    tails: list[list[int]] = [[] for _ in cards]
    for link in sorted(links, key=lambda link: link.operand):
        tails[link.head].append(link.tail)
    return tails


def _texts(node: Node, name: str, operands: Sequence[str]) -> tuple[str, list[tuple[int, str]]]:
    """What stands on the right of an operation's lines: its output, and for each operand that is a
    node the operand's position and its adjoint."""
    assert node.rule is not None
    wanted = [i for i, x in enumerate(node.operands) if isinstance(x, Node)]
    traced = _short_trace(node)
    if traced is None:
        rule = name_of(node.rule)
        settings = [f"{k}={_setting(v)}" for k, v in settings_of(node.rule).items()]
        text = f"{rule}({', '.join([*operands, *settings])})"
        return text, [(i, f"pullback({rule}, grad_{name})[{i}]") for i in wanted]
    output = written(traced.output, "reader", traced.names(operands))
    names = traced.names(operands, name, f"grad_{name}")
    adjoints = []
    for i in wanted:
        text = written(traced.adjoints[i], "reader", names)
        if shape_of(node.operands[i].data) != shape_of(node.data):
            text = f"unbroadcast({text}, {operands[i]})"
        adjoints.append((i, text))
    return output, adjoints


def _short_trace(node: Node) -> Trace | None:
    """The formulas of a node, its constants as numbers; None if there are none, or none short."""
    assert node.rule is not None
    constants = {
        i: _number(x)
        for i, x in enumerate(node.operands)
        if not isinstance(x, Node) and shape_of(x) == ()
    }
    try:
        traced = trace(node.rule, len(node.operands), constants)
    except TypeError:
        return None
    longest = max(size(x) for x in (traced.output, *traced.adjoints))
    return traced if longest <= LONGEST_FORMULA else None


def _setting(value: Any) -> str:
    """A setting as it is shown: arrays by their shape, anything else cut where it is long."""
    return _constant(value) if type(value).__name__ == "ndarray" else shown_text(repr(value), 40)
