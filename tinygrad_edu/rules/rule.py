"""What a rule is: an operation and its derivative, written once, for every kind of operand.

A rule takes operands and returns `(output, pullback)`. The pullback is the local backward
closure (a vector-Jacobian product): it takes the adjoint `g` of the output, also called upstream
gradient or cotangent, and returns one adjoint per operand, in order.

    @rule("×")
    def multiply(x, y, /):
        return x * y, lambda g, x=x, y=y: (g * y, g * x)

Operands stand before the slash, settings such as `axis` after it. `@rule` keeps the rule in
`RULES` and gives back the public function of the same name: on numbers and arrays it returns the
output; on an operand that has a `_record` method (a node) it hands over to that method.

Two habits, for the whole package:

- A pullback takes what it needs as default arguments (`lambda g, y=y:`) and not as captured
  variables. Python's cyclic collector walks captured variables one by one; on the moons MLP,
  where every scalar is a node, a training step takes a third longer with them in `multiply` alone.
- A pullback holds plain data or the operands it was given, so a recorded node never points at
  itself and a dropped graph is freed at once, without the collector.

An adjoint that is expensive, or that may not exist for a constant, is `deferred`: the backward
pass calls it only if that operand is a node.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tinygrad_edu.rules.arguments import Arguments, show_as_public
from tinygrad_edu.rules.constants import as_plain, copied
from tinygrad_edu.rules.facts import Facts, stated
from tinygrad_edu.rules.own_rules import Checks, check_symbol, is_ours
from tinygrad_edu.rules.tables import P, R, number_function, operations

Pullback = Callable[[Any], tuple[Any, ...]]
Rule = Callable[..., tuple[Any, Pullback]]
Recorded = tuple[R, Pullback]

RULES: dict[str, Rule] = {}
"""Every rule by its name; those for arrays are in it once an array, or someone, asked for them."""

declared: list[Callable[[str, Callable[..., Any], Facts], None]] = []
"""Who wants to know of a rule that a user declares: each is called with its name, its public
function and its facts before it is registered. `methods.py` makes it a method of nodes."""


def rule(symbol: str, **facts: Any) -> Callable[[Callable[P, tuple[R, Pullback]]], Callable[P, R]]:
    """Register a rule under its name and return its public function; `symbol` is what is drawn.

    `facts` say what else is known of it, such as `domain=(0.1, 4.0)`; `facts.py` has them all.
    Declared outside the package, it becomes a method of nodes too, and may be declared again.
    TypeError for a function that cannot be a rule; ValueError for a name that is taken.
    """
    check_symbol(symbol)

    def decorate(function: Callable[P, tuple[R, Pullback]]) -> Callable[P, R]:
        arguments = Arguments(function)
        name = arguments.name
        ours = is_ours(function)
        known = stated(name, arguments.arity, ours, facts)
        checks = None if ours else Checks(function, name)

        @functools.wraps(function)
        def operation(*operands: Any, **settings: Any) -> Any:
            if settings or len(operands) != arguments.arity:
                operands, settings = arguments.sorted(operands, settings)
            if checks is not None:
                checks.before(operands, settings)
            for x in operands:
                record = getattr(x, "_record", None)
                if record is not None:
                    node = record(function, operands, settings)
                    if checks is not None:
                        checks.after(node)
                    return node
            return run_on_plain(function, operands, settings)

        show_as_public(operation, function)
        if not ours:
            for tell in declared:
                tell(name, operation, known)
        vars(function).update(symbol=symbol, rule_name=name, facts=known)
        RULES[name] = function
        setattr(operations, name, operation)
        if (of_numbers := known.function_of_numbers()) is not None:
            number_function(name, of_numbers)
        return operation

    return decorate


def run_on_plain(rule: Rule, operands: tuple[Any, ...], settings: dict[str, Any]) -> Any:
    """The output of a rule for plain numbers and arrays."""
    plain = [as_plain(x, name_of(rule)) for x in operands]
    try:
        return rule(*plain, **settings)[0]
    except AttributeError:  # a rule for arrays was given numbers
        import numpy as np

        return rule(*map(np.asarray, plain), **settings)[0]


def name_of(rule: Rule) -> str:
    """The name of a rule, settings or not: `sum`, `multiply`."""
    return str(vars(getattr(rule, "func", rule))["rule_name"])


def symbol_of(rule: Rule) -> str:
    """What stands in the circle of the picture: `×`, `tanh`."""
    return str(vars(getattr(rule, "func", rule))["symbol"])


def facts_of(rule: Rule) -> Facts:
    """What else is known of a rule, settings or not."""
    facts: Facts = vars(getattr(rule, "func", rule))["facts"]
    return facts


def settings_of(rule: Rule) -> dict[str, Any]:
    """The settings bound into a node's rule, such as `{"axis": 0}`."""
    return dict(getattr(rule, "keywords", {}))


def bind(rule: Rule, settings: dict[str, Any]) -> Rule:
    """The rule with copies of its settings bound, to be run again on the operands alone."""
    bound = {name: copied(x) for name, x in settings.items()}
    return functools.partial(rule, **bound) if settings else rule


class deferred(functools.partial[Any]):
    """An adjoint that is computed only when a node wants it: call it, or add it to a number."""

    __slots__ = ()

    def __radd__(self, other: Any) -> Any:
        return other + self()
