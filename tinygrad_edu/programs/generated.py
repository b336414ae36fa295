"""Generated functions: the lines of a program as code, and code as a function."""

from __future__ import annotations

import builtins
import keyword
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tinygrad_edu.programs.languages import written
from tinygrad_edu.programs.lines import NamedLine
from tinygrad_edu.programs.symbols import Expression, Symbol, function_names
from tinygrad_edu.rules.facts import Facts
from tinygrad_edu.rules.rule import RULES, declared, facts_of

Parameters = Sequence[Symbol | list[Symbol]]
"""The inputs as a function takes them: one by one, or several as a list."""

MATH_FUNCTIONS: dict[str, Callable[..., Any]] = {"pow": math.pow}
"""What a Python program may call."""

MATH: dict[str, Any] = {**MATH_FUNCTIONS, "inf": math.inf, "nan": math.nan}
"""What the text of a Python program may name."""

_JAVASCRIPT_WORDS = """
    await break case catch class const continue debugger default delete do else enum eval export
    extends false finally for function if implements import in instanceof interface let new null
    package private protected public return static super switch this throw true try typeof var
    void while with yield arguments Infinity NaN undefined Math
"""
TAKEN = {
    *keyword.kwlist, *keyword.softkwlist, *vars(builtins), *MATH_FUNCTIONS, *function_names(),
    *_JAVASCRIPT_WORDS.split(), "np", "math", "put", "windows", "add_windows", "inf", "nan",
    "known",
}  # fmt: skip
"""Names that a variable of a program cannot have."""


def _know(name: str, operation: Any, facts: Facts) -> None:
    """Let programs call the function of `math` that a rule is, under the name of the rule."""
    if facts.math and name != "power":
        MATH_FUNCTIONS[name] = MATH[name] = getattr(math, facts.math)
        TAKEN.add(name)


for _name, _rule in RULES.items():
    _know(_name, _rule, facts_of(_rule))
declared.append(_know)


class Code:
    """Lines of code in a language; `names` is what expressions are called in them so far."""

    def __init__(self, language: str, names: Mapping[Symbol, str]) -> None:
        self.language, self.lines = language, list[str]()
        self.names = dict(names)

    def text(self, x: Expression) -> str:
        return written(x, self.language, self.names)

    def add(self, lines: Iterable[NamedLine], template: str = "{} = {}") -> None:
        """Compute expressions, which have their names from then on."""
        for name, symbol in lines:
            self.lines.append(template.format(name, self.text(symbol)))
            self.names[symbol] = name

    def unpack(self, symbols: Iterable[Symbol], name: str) -> None:
        """Take symbols out of a list that is called `name`."""
        names = "".join(f"{self.names[x]}, " for x in symbols)
        if names:
            self.lines.append(f"{names}= {name}")

    def changed(self, guards: Iterable[tuple[Expression, Any]]) -> list[str]:
        """The conditions under which another graph is needed."""
        return [f"{'not ' if truth else ''}{self.text(guard)}" for guard, truth in guards]


def leaf_names(names: Mapping[Symbol, str]) -> dict[Symbol, str]:
    """The names of what is there before any line has run."""
    return {x: name for x, name in names.items() if not x.operands}


def as_tuple(texts: Iterable[str]) -> str:
    return f"({''.join(f'{text}, ' for text in texts)})"


def definition(name: str, parameters: Iterable[str], body: Iterable[str]) -> str:
    """The text of a Python function."""
    lines = (f"    {line}".rstrip() for line in body)
    return "\n".join([f"def {name}({', '.join(parameters)}):", *lines])


def compiled(
    parameters: Iterable[str], body: Iterable[str], namespace: dict[str, Any]
) -> Callable[..., Any]:
    """A function of lines that may name what is in the namespace."""
    exec(compile(definition("replay", parameters, body), "<replay>", "exec"), namespace)
    return namespace["replay"]  # type: ignore[no-any-return]
