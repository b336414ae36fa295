"""Rules as JavaScript, with which the page recomputes values and gradients.

Each rule is run on symbols and written out: there is no second table of derivatives.
Nothing that a user wrote can occur in it: only operations, names made here, numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tinygrad_edu.programs.languages import written
from tinygrad_edu.programs.symbols import Expression, Symbol, operations_in, trace
from tinygrad_edu.rules.rule import Rule


def javascript_rules(rules: Iterable[tuple[Rule, int]]) -> str:
    """`const RULES = [...]`, one entry for each rule and its number of operands, in this order.

    TypeError or ValueError, naming the rule, for one that has no formula of numbers.
    """
    entries = "".join(f"\n  {javascript_rule(rule, n)}," for rule, n in rules)
    return f"const RULES = [{entries}\n];"


def javascript_rule(rule: Rule, n: int) -> str:
    """A rule of n operands as `{f: (x, y) => x * y, b: [(g, x, y, z) => g * y, ...]}`.

    `f` gives the output. `b` has a function for each operand that gives its adjoint from the
    adjoint `g` of the output, the operands and the output `z`; null where there is none.
    """
    traced = trace(rule, n)
    parameters = ["x", "y"][:n] if n <= 2 else [f"x{i}" for i in range(n)]
    forward = _arrow_function(parameters, traced.output, traced.names(parameters))
    names = traced.names(parameters, "z", "g")
    backward = ", ".join(
        "null" if adjoint is None else _arrow_function(["g", *parameters, "z"], adjoint, names)
        for adjoint in traced.adjoints
    )
    return f"{{f: {forward}, b: [{backward}]}}"


def _arrow_function(parameters: Sequence[str], result: Expression, names: dict[Symbol, str]) -> str:
    """An arrow function; an operation that occurs more than once is computed once, as t0, t1 …"""
    uses = Counter(
        x for s in operations_in([result], names) for x in s.operands if isinstance(x, Symbol)
    )
    names = dict(names)
    steps: list[str] = []
    for symbol in list(operations_in([result], names)):
        if uses[symbol] > 1:
            name = f"t{len(steps)}"
            steps.append(f"const {name} = {written(symbol, 'javascript', names)}; ")
            names[symbol] = name
    text = written(result, "javascript", names)
    head = f"({', '.join(parameters)}) => "
    return f"{head}{{ {''.join(steps)}return {text}; }}" if steps else head + text
