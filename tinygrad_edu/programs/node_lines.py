"""The program of a graph node by node, as readers see it: what stands on the right of each line.

A node whose rule has a formula of numbers shows that formula; any other shows its rule by name.
"""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.engine.names import FreeNames, escaped
from tinygrad_edu.programs.languages import LANGUAGES, written
from tinygrad_edu.programs.simplify import Simplifier
from tinygrad_edu.programs.symbols import (
    Expression,
    Symbol,
    Trace,
    function_names,
    operations_in,
    size,
    trace,
)
from tinygrad_edu.rules.rule import Rule, name_of, settings_of

LONGEST_FORMULA = 200
"""A rule with more names, numbers and operations in a formula than this is shown by its name."""


def free_names(rules: Iterable[Rule]) -> FreeNames:
    """Names for nodes of these rules, none of which is that of a function in the text."""
    functions = set(map(name_of, rules)) - set(LANGUAGES["reader"].forms) | function_names()
    taken = {*keyword.kwlist, *functions, "inf", "nan", "pullback", "seed", "unbroadcast"}
    return FreeNames(taken)


def node_texts(node: Node, name: str, operands: Sequence[str]) -> tuple[str, list[tuple[int, str]]]:
    """The output of an operation, and for each operand that is a node its position and its
    adjoint."""
    assert node.rule is not None
    wanted = [i for i, x in enumerate(node.operands) if isinstance(x, Node)]
    traced = _short_trace(node)
    if traced is None:
        rule = name_of(node.rule)
        settings = [f"{k}={_setting_text(v)}" for k, v in settings_of(node.rule).items()]
        text = f"{rule}({', '.join([*operands, *settings])})"
        return text, [(i, f"pullback({rule}, {name}.grad)[{i}]") for i in wanted]
    simpler = _simpler(traced, wanted)
    names = {simpler(x): text for x, text in traced.names(operands, name, f"{name}.grad").items()}
    adjoints = []
    for i in wanted:
        text = written(simpler(traced.adjoints[i]), "reader", names)
        if _shape(node.operands[i].data) != _shape(node.data):
            text = f"unbroadcast({text}, {operands[i]})"
        adjoints.append((i, text))
    return written(traced.output, "reader", traced.names(operands)), adjoints


def _simpler(traced: Trace, wanted: Sequence[int]) -> Callable[[Expression], Expression]:
    """What gives for each expression of the adjoints a simpler one of the same bits."""
    simplifier = Simplifier(set())
    for symbol in operations_in([traced.output, *(traced.adjoints[i] for i in wanted)]):
        simplifier.add(symbol)
    return simplifier.new


def _short_trace(node: Node) -> Trace | None:
    """The formulas of a node, its constants as numbers; None if there are none, or none short."""
    assert node.rule is not None
    constants = {
        i: plain_number(x)
        for i, x in enumerate(node.operands)
        if not isinstance(x, Node) and _shape(x) == ()
    }
    try:
        traced = trace(node.rule, len(node.operands), constants)
    except TypeError:
        return None
    longest = max(map(size, (traced.output, *traced.adjoints)))
    return traced if longest <= LONGEST_FORMULA else None


def composed(rule: Rule, operands: Sequence[Expression], limit: int) -> Symbol | None:
    """The output of a rule on expressions; None if it has no formula of numbers that is short."""
    try:
        output = rule(*operands)[0]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return None
    return output if isinstance(output, Symbol) and size(output) <= limit else None


def rule_formulas(rule: Rule) -> str:
    """A rule as the formulas that running it gives: output, then adjoints."""
    parameters = inspect.signature(rule).parameters.values()
    operands = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
    try:
        traced = trace(rule, len(operands))
    except TypeError:
        return f"# the source of {name_of(rule)} is not at hand"
    names = traced.names(operands, "out", "out.grad")
    adjoints = [
        f"{operand}.grad += {written(adjoint, 'reader', names)}"
        for operand, adjoint in zip(operands, traced.adjoints, strict=True)
        if adjoint is not None
    ]
    output = written(traced.output, "reader", traced.names(operands))
    return "\n".join([f"out = {output}", *adjoints])


def constant_text(x: Any) -> str:
    """A constant among operands: a number, or an array by its shape."""
    if _shape(x) != ():
        return "array_" + "x".join(map(str, x.shape))
    text = written(plain_number(x), "reader")
    return f"({text})" if text.startswith("-") else text


def leaf_text(data: Any) -> str:
    """The data of a leaf: a number with all its digits, or an array by its shape."""
    return constant_text(data) if _shape(data) != () else written(plain_number(data), "python")


def plain_number(x: Any) -> Any:
    return x.item() if hasattr(x, "item") else x


def _setting_text(value: Any) -> str:
    """A setting as it is shown: an array by its shape, anything else cut where it is long."""
    if hasattr(value, "dtype"):
        return constant_text(value)
    text = escaped(" ".join(repr(value).split()))
    return text if len(text) <= 40 else f"{text[:39]}…"


def _shape(x: Any) -> tuple[int, ...]:
    return getattr(x, "shape", ())
