"""SymPy: every rule of numbers as a formula, differentiated symbolically, with 350 digits.

A graph used as one formula would be written out with every path in it, which grows exponentially.
So each operation is differentiated as a formula of its operands, and the chain rule is applied to
the numbers, forwards: each result carries its derivative by every input.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from tinygrad_edu.check.oracles.foreign import Found, Oracle
from tinygrad_edu.rules.operand_types import Array

sympy: Any = import_module("sympy")

DIGITS = 350
"""So many that 1 + 1e-308 keeps the digits of a float: a formula is taken as it stands."""


class Number(NamedTuple):
    """A number with its derivatives by all inputs; none for a constant."""

    value: Any
    slopes: tuple[Any, ...] = ()


class SympyOracle(Oracle):
    name = "sympy"
    modules = ("sympy",)
    only_numbers = True

    def __init__(self, functions: dict[str, Callable[..., Any]]) -> None:
        super().__init__(functions)
        self._formulas: dict[Any, tuple[Any, list[Any], list[Any]]] = {}

    def differentiate(
        self, f: Callable[..., Any], inputs: Sequence[Array], adjoint: Array
    ) -> Found:
        """The function is given symbols and gives an expression of them."""
        symbols = sympy.symbols(f"x0:{len(inputs)}", real=True)
        returned = f(*symbols)
        y = sympy.sympify(returned)
        if not isinstance(y, sympy.Expr):
            raise TypeError(
                f"compare: the function for sympy returned {type(returned).__name__}, not a formula"
            )
        at = {s: _exact(float(x)) for s, x in zip(symbols, inputs, strict=True)}
        slopes = [_evaluated(sympy.diff(y, s), at) for s in symbols]
        return _found(_evaluated(y, at), slopes, adjoint)

    def differentiate_nodes(
        self,
        f: Callable[..., Any],
        inputs: Sequence[Array],
        scalars: Sequence[bool],
        adjoint: Array,
    ) -> Found:
        n = len(inputs)
        one, zero = sympy.Integer(1), sympy.Integer(0)
        given = [
            Number(_exact(float(x)), tuple(one if i == k else zero for k in range(n)))
            for i, x in enumerate(inputs)
        ]
        y = self._of_nodes(f, scalars)(*given)
        return _found(y.value, y.slopes or (zero,) * n, adjoint)

    def run(
        self, function: Callable[..., Any], operands: Sequence[Any], settings: dict[str, Any]
    ) -> Any:
        if function is _side_of:
            return function(*operands)
        constants = tuple(None if x.slopes else x.value for x in operands)
        key = function, constants, tuple(sorted(settings.items()))
        if key not in self._formulas:
            symbols = list(sympy.symbols(f"x0:{len(operands)}", real=True))
            terms = [s if c is None else c for s, c in zip(symbols, constants, strict=True)]
            formula = sympy.sympify(function(*terms, **settings))
            slopes = [
                None if c is not None else sympy.diff(formula, s)
                for s, c in zip(symbols, constants, strict=True)
            ]
            self._formulas[key] = formula, symbols, slopes
        formula, symbols, partials = self._formulas[key]
        at = {s: x.value for s, x in zip(symbols, operands, strict=True)}
        total: tuple[Any, ...] = ()
        for x, partial in zip(operands, partials, strict=True):
            if partial is not None:
                factor = _evaluated(partial, at)
                terms = [factor * slope for slope in x.slopes]
                total = tuple(map(operator.add, total, terms)) if total else tuple(terms)
        return Number(_evaluated(formula, at), total)

    def constant(self, x: Any) -> Any:
        x = np.asarray(x)
        if x.ndim:
            raise NotImplementedError(
                f"compare: sympy takes numbers, not an array of shape {x.shape}; compare with "
                "torch, jax or autograd"
            )
        return Number(_exact(float(x)))

    def plain(self, x: Any) -> Array:
        return np.array(_as_float(x.value))


def _exact(x: float) -> Any:
    """The number itself: a whole one as an integer, so that x ** 2 has its own rules."""
    return sympy.Integer(int(x)) if x.is_integer() else sympy.Float(x, DIGITS)


def _evaluated(formula: Any, at: dict[Any, Any]) -> Any:
    used = {s: x for s, x in at.items() if s in formula.free_symbols}
    if not used:
        return formula.evalf(DIGITS)
    found = formula.evalf(DIGITS, subs=used)
    return found if found.is_number else formula.subs(used).evalf(DIGITS)


def _as_float(x: Any) -> float:
    """A float; nan for what is not a real number."""
    return float(x) if x.is_extended_real else float("nan")


def _found(value: Any, slopes: Sequence[Any], adjoint: Array) -> Found:
    weight = float(adjoint)
    return Found(
        np.array(_as_float(value)), [np.array(weight * _as_float(slope)) for slope in slopes]
    )


def _side_of(condition: Any, x: Any, y: Any) -> Any:
    return x if condition.value != 0 else y


def _clip_formula(x: Any, min: Any = None, max: Any = None) -> Any:
    x = x if max is None else sympy.Min(x, _exact(float(max)))
    return x if min is None else sympy.Max(x, _exact(float(min)))


def _leaky_formula(x: Any, negative_slope: float = 0.01) -> Any:
    return sympy.Piecewise((x, x > 0), (_exact(float(negative_slope)) * x, True))


def sympy_oracle() -> Oracle:
    return SympyOracle({
        "expm1": lambda x: sympy.exp(x) - 1, "log1p": lambda x: sympy.log(1 + x),
        "sigmoid": lambda x: 1 / (1 + sympy.exp(-x)),
        "softplus": lambda x: sympy.log(1 + sympy.exp(x)),
        "relu": lambda x: sympy.Max(x, 0), "leaky_relu": _leaky_formula, "clip": _clip_formula,
        "where": _side_of,
    })  # fmt: skip
