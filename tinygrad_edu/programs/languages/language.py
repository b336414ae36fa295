"""What a language is, and how an expression of symbols is written in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tinygrad_edu.programs.symbols import Expression, Symbol, operations_in
from tinygrad_edu.rules.operators import ATOM, LOWEST, OPERATORS, UNARY


@dataclass(frozen=True)
class Form:
    """How a language writes an operation: a template, how strongly it binds, and how strongly each
    operand must bind to stand in it without parentheses."""

    template: str
    precedence: int
    operands: tuple[int, ...]


@dataclass(frozen=True)
class Language:
    """How a language writes operations and numbers.

    `form` gives the form of any operation that is not among `forms`, or None; `parentheses` are put
    around an operand that binds too loosely.
    """

    name: str
    forms: Mapping[str, Form]
    number: Callable[[Any], str]
    form: Callable[[Symbol], Form | None] = lambda symbol: None
    parentheses: tuple[str, str] = ("(", ")")


def call(function: str, n: int) -> Form:
    """A function of n operands: `function(x, y)`."""
    return Form(f"{function}({', '.join(['{}'] * n)})", ATOM, (LOWEST,) * n)


def infix(name: str, template: str = "{} {sign} {}", sign: str = "") -> Form:
    """An operator of Python, with its own sign unless another is given."""
    operator = OPERATORS[name]
    template = template.replace("{sign}", sign or operator.sign)
    return Form(template, operator.precedence, operator.operands)


def text_in(
    tongue: Language, expression: Expression, names: Mapping[Symbol, str] | None = None
) -> str:
    """The text of an expression, with as few parentheses as keep the order of evaluation.

    `names` gives texts for symbols, and for whole expressions such as the output of a rule; they
    are taken as they are. ValueError for a function that the language does not have.
    """
    names = names or {}
    done: dict[Symbol, tuple[str, int]] = {}

    def part(x: Expression) -> tuple[str, int]:
        if isinstance(x, Symbol):
            return (names[x], ATOM) if x in names else done[x]
        text = tongue.number(x)
        return text, UNARY if text.startswith("-") else ATOM

    for symbol in operations_in([expression], names):
        if not symbol.operands:
            done[symbol] = symbol.name, ATOM
            continue
        form = _form_in(tongue, symbol)
        parts = [
            text if precedence >= least else text.join(tongue.parentheses)
            for (text, precedence), least in zip(
                map(part, symbol.operands), form.operands, strict=True
            )
        ]
        done[symbol] = form.template.format(*parts), form.precedence
    return part(expression)[0]


def _form_in(language: Language, symbol: Symbol) -> Form:
    form = language.forms.get(symbol.name) or language.form(symbol)
    if form is None or len(form.operands) != len(symbol.operands):
        raise ValueError(
            f"{symbol.name} cannot be written in {language.name}; write it with functions that "
            f"can: {', '.join(sorted(language.forms))}"
        )
    return form
