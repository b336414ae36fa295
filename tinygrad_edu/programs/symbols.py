"""Symbols: operands that print. A rule that is run on them gives its formula and its derivatives.

A rule never asks what its operands are, so it runs on symbols too:

    trace(rule, 2)       the output and the adjoints, as expressions of x, y and g

`languages.written` gives their text. Evaluation order is never changed, and only constants are
computed, so that the text gives the same bits as the rule. Only rules of numbers can be traced; for
operations on arrays see `array_symbols`.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from tinygrad_edu.rules.constants import as_plain
from tinygrad_edu.rules.operators import OPERATORS
from tinygrad_edu.rules.own_rules import is_ours
from tinygrad_edu.rules.rule import RULES, Rule, facts_of, name_of
from tinygrad_edu.rules.tables import formula_of, scalars

Expression = Any
"""A Symbol or a plain number."""


def both_sides(name: str) -> tuple[Any, Any]:
    """The methods `x op other` and `other op x` of a symbol x."""

    def operator(self: Symbol, other: Any) -> Symbol:
        return self._operation(name, self, other)

    def reflected(self: Symbol, other: Any) -> Symbol:
        return self._operation(name, other, self)

    return operator, reflected


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Symbol:
    """A name, or an operation over operands that are symbols or numbers.

    `name` is the name or that of the operation: `multiply`, `exp`, `less`. Symbols never change;
    they compare and hash by identity. TypeError where a truth value, a float, an array, or a
    comparison with `==` is asked for, because that would lose the formula.
    """

    name: str
    operands: tuple[Expression, ...] = ()

    # NumPy hands `array * symbol` to the symbol, which refuses it, instead of multiplying each
    # element.
    __array_ufunc__: ClassVar[None] = None

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The functions that fit a symbol, under NumPy's names: what `of(x)` gives."""
        return functions

    def _record(self, rule: Rule, operands: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        """A rule inside a rule, such as `exp(x)` where `of(x).exp(x)` would do, is run as well."""
        return rule(*operands, **settings)[0]

    def _operation(self, name: str, *operands: Any) -> Symbol:
        return Symbol(name, tuple([as_operand(name, x) for x in operands]))

    __add__, __radd__ = both_sides("add")
    __sub__, __rsub__ = both_sides("subtract")
    __mul__, __rmul__ = both_sides("multiply")
    __truediv__, __rtruediv__ = both_sides("divide")
    __pow__, __rpow__ = both_sides("power")
    __and__, __rand__ = both_sides("logical_and")
    __or__, __ror__ = both_sides("logical_or")
    __lt__, __gt__ = both_sides("less")[0], both_sides("greater")[0]
    __le__, __ge__ = both_sides("less_equal")[0], both_sides("greater_equal")[0]

    def __neg__(self) -> Symbol:
        return self._operation("negative", self)

    def __pos__(self) -> Symbol:
        return self

    def __abs__(self) -> Symbol:
        return self._operation("abs", self)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int | float):  # False would be a wrong answer that nobody notices
            raise TypeError(
                f"== compares nodes by identity; ask (x >= {other}) * (x <= {other}) instead"
            )
        return self is other

    def __bool__(self) -> NoReturn:
        raise TypeError("a choice (if, and, or, not, min, max) needs a number; use of(x).where")

    def __float__(self) -> NoReturn:
        raise TypeError("a function of plain numbers was called; use of(x), such as of(x).exp(x)")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise TypeError("a function of arrays was called; use of(x), such as of(x).exp(x)")

    def __repr__(self) -> str:
        return f"<symbol {self.name}{'(…)' if self.operands else ''}>"


@dataclass(frozen=True, slots=True)
class IndexSlot:
    """Where an operand stands in an index: `x[:, i]` is getitem of x and i at (:, IndexSlot(1))."""

    operand: int


def as_operand(name: str, x: Any) -> Expression:
    """A symbol, or a constant as a plain number; TypeError for arrays and anything else."""
    if isinstance(x, Symbol):
        return x
    x = as_plain(x, name)
    if getattr(x, "shape", ()) != ():
        raise TypeError(f"{name}: an array of shape {x.shape} does not fit a formula of numbers")
    return x.item() if hasattr(x, "item") else x


def is_unwritten(name: str) -> bool:
    """Whether a function is one that a user gave as `number=`: no language can call it."""
    rule = RULES.get(name)
    return rule is not None and not is_ours(rule) and facts_of(rule).number is not None


class _Functions:
    """The functions of symbols, under NumPy's names.

    Those of Python's `math` become operations. A formula that was added with `plain_function`, such
    as sigmoid, is run on the symbols, so that it is written down nowhere else.
    """

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(scalars, name, None)
        if function is None or is_unwritten(name):
            raise AttributeError(f"there is no function {name} of numbers")
        if formula_of(name):
            return function  # type: ignore[no-any-return]

        def apply(*operands: Any) -> Expression:
            if name == "where" and isinstance(operands[0], bool):  # a comparison of constants
                chosen, other = operands[1:] if operands[0] else reversed(operands[1:])
                if not may_raise(other):
                    return chosen
            if not any(isinstance(x, Symbol) for x in operands):
                return function(*operands)
            return Symbol(name, tuple([as_operand(name, x) for x in operands]))

        return apply


functions = _Functions()
"""The namespace of symbols, what `of(symbol)` gives."""


number_functions: Mapping[str, Callable[..., Any]] = ChainMap(
    vars(scalars), {name: operator.function for name, operator in OPERATORS.items()}
)  # fmt: skip
"""What every operation does to plain numbers."""

SUM_OVER_POINTS = "sum_over_points"
"""The operation by which a program of columns sums over its points."""

_NEVER_RAISE = {
    "add", "subtract", "multiply", "negative", "abs", "maximum", "minimum", "where", "tanh",
    "arctan", "less", "greater", "less_equal", "greater_equal", "equal", "not_equal",
    "logical_and", "logical_or", SUM_OVER_POINTS,
}  # fmt: skip


def raises(symbol: Symbol) -> bool:
    """Whether there are numbers for which the operation of a symbol raises an error."""
    return bool(symbol.operands) and symbol.name not in _NEVER_RAISE


def may_raise(expression: Expression, most: int = 50) -> bool:
    """Whether computing an expression may raise an error. One of more than `most` operations is
    taken to, so that the question costs the same for every expression."""
    waiting = [expression]
    for _ in range(most):
        if not waiting:
            return False
        x = waiting.pop()
        if isinstance(x, Symbol):
            if raises(x):
                return True
            waiting.extend(x.operands)
    return True


def function_names() -> set[str]:
    """The functions that stand in the text of a formula, such as exp and where."""
    return {name for name in vars(scalars) if not formula_of(name)}


@dataclass(frozen=True, eq=False)
class Trace:
    """A rule, run on symbols: its output, and the adjoint of each operand as an expression of the
    operands, of the output and of the adjoint `g` of the output. None: no derivative."""

    operands: tuple[Expression, ...]
    output: Expression
    adjoints: tuple[Expression | None, ...]
    g: Symbol

    def names(self, operands: Sequence[str], output: str = "", g: str = "") -> dict[Symbol, str]:
        """Names for the operands that are symbols and, where one is given, for the output, unless
        it is an operand, and for its adjoint."""
        pairs = zip(self.operands, operands, strict=True)
        names = {x: name for x, name in pairs if isinstance(x, Symbol)}
        if g:
            names[self.g] = g
        if output and isinstance(self.output, Symbol):
            names.setdefault(self.output, output)
        return names


@contextmanager
def refused(rule: Rule, why: str) -> Iterator[None]:
    """TypeError, naming the rule and the cure, where it does not run on symbols."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise TypeError(
            f"{name_of(rule)} {why}: {error}; write functions with of(x), such as of(x).tanh(x), "
            "and choices with of(x).where(x > 0, x, 0.0)"
        ) from error


def trace(rule: Rule, n: int, constants: Mapping[int, Any] | None = None) -> Trace:
    """Run a rule, settings bound or not, on n fresh symbols, and its pullback on the symbol g.

    `constants` gives operands, by position, that are plain numbers; they have no adjoint.
    TypeError, naming the rule and the cure, if it does not run on symbols of numbers.
    """
    constants = constants or {}
    operands = tuple(constants[i] if i in constants else Symbol(f"x{i}") for i in range(n))
    g = Symbol("g")
    with refused(rule, "has no formula of plain numbers"):
        output, pullback = rule(*operands)
        as_operand("output", output)
        arriving = tuple(pullback(g))
        if len(arriving) != n:
            raise ValueError(f"the pullback gave {len(arriving)} adjoints for {n} operands")
        adjoints = tuple(
            None
            if adjoint is None or i in constants
            else as_operand("adjoint", adjoint() if callable(adjoint) else adjoint)
            for i, adjoint in enumerate(arriving)
        )
    return Trace(operands, output, adjoints, g)


def symbols_of(symbol: Symbol) -> list[Symbol]:
    """The operands of a symbol that are symbols."""
    return [x for x in symbol.operands if isinstance(x, Symbol)]


def operations_in(
    expressions: Iterable[Expression], known: Container[Symbol] = ()
) -> Iterator[Symbol]:
    """Every symbol that expressions are made of, once each, operands first.

    It does not go into the known ones, nor yield them.
    """
    seen: set[Symbol] = set()
    waiting: list[tuple[Expression, bool]] = [(x, False) for x in reversed([*expressions])]
    while waiting:
        symbol, operands_done = waiting.pop()
        if operands_done:
            yield symbol
        elif isinstance(symbol, Symbol) and symbol not in seen and symbol not in known:
            seen.add(symbol)
            waiting.append((symbol, True))
            waiting.extend((x, False) for x in reversed(symbol.operands))


def size(expression: Expression) -> int:
    """How many names, numbers and operations stand in the text of an expression."""
    sizes: dict[Symbol, int] = {}
    for symbol in operations_in([expression]):
        sizes[symbol] = 1 + sum(sizes[x] if isinstance(x, Symbol) else 1 for x in symbol.operands)
    return sizes[expression] if isinstance(expression, Symbol) else 1
