"""How a program of steps is written as a lambda that Python can read again."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tinygrad_edu
from tinygrad_edu.testing.steps import Place, Step

_INFIX = {
    operator.add: ("+", 1), operator.sub: ("-", 1), operator.mul: ("*", 2),
    operator.truediv: ("/", 2), operator.matmul: ("@", 2), operator.pow: ("**", 4),
}  # fmt: skip
"""Operators between two operands, and how tightly they bind."""
_PREFIX = {operator.neg: ("-", 3), operator.pos: ("+", 3)}
_ATOM = 9
_DEEPEST = 25
"""Python reads a few hundred parentheses within each other; a person reads fewer."""

Written = tuple[str, int]
"""Code, and how tightly its outermost operator binds; 0 for a name that is given by `:=`."""


def written(arity: int, steps: Sequence[Step]) -> str:
    """The program as `lambda x0, x1: ...`, in which a result used twice gets a name by `:=`."""
    used = Counter(i for step in steps for i in step.places)
    depth = [0] * arity
    for step in steps:
        depth.append(1 + max((depth[i] for i in step.places), default=0))
    leaves = ", ".join(f"x{i}" for i in range(arity))
    head = f"lambda {leaves}: " if leaves else "lambda: "
    names = {i: f"x{i}" for i in range(arity)}
    if max(depth, default=0) > _DEEPEST:
        lines = []
        for k, step in enumerate(steps):
            lines.append(f"y{k} := {_call(step, lambda i: (names[i], _ATOM))[0]}")
            names[arity + k] = f"y{k}"
        return f"{head}({', '.join(lines)})[-1]"

    def operand(i: int) -> Written:
        if i in names:
            return names[i], _ATOM
        code = _call(steps[i - arity], operand)
        if used[i] == 1:
            return code
        names[i] = f"y{len(names) - arity}"
        return f"{names[i]} := {code[0]}", 0

    return head + (_call(steps[-1], operand)[0] if steps else "None")


def _call(step: Step, operand: Callable[[int], Written]) -> Written:
    """One step, its operands written by `operand`, from left to right as Python evaluates them."""
    function = step.function
    xs = [operand(x.index) if type(x) is Place else _constant(x) for x in step.operands]
    if function in _INFIX:
        symbol, binds = _INFIX[function]
        power = binds == _INFIX[operator.pow][1]
        left = _inside(xs[0], binds + power)
        return f"{left} {symbol} {_inside(xs[1], _ATOM if power else binds + 1)}", binds
    if function in _PREFIX:
        symbol, binds = _PREFIX[function]
        return symbol + _inside(xs[0], binds + 1), binds
    if function is tinygrad_edu.rules.getitem:
        return f"{_inside(xs[0], _ATOM)}[{_written_index(step.settings['index'])}]", _ATOM
    settings = [f"{name}={written_constant(x)}" for name, x in step.settings.items()]
    inside = ", ".join([*(code for code, _ in xs), *settings])
    return f"{_written_function(function)}({inside})", _ATOM


def _constant(x: Any) -> Written:
    code = written_constant(x)
    return code, 3 if code.startswith("-") else _ATOM


def _inside(code: Written, binds: int) -> str:
    """The code as an operand, in parentheses unless it binds as tightly as this."""
    return code[0] if code[1] >= binds else f"({code[0]})"


def _written_function(function: Any) -> str:
    name = str(getattr(function, "__name__", type(function).__name__))
    for space, prefix in ((tinygrad_edu, "tg"), (tinygrad_edu.rules, "tg.rules")):
        if getattr(space, name, None) is function:
            return f"{prefix}.{name}"
    return name


def written_constant(x: Any) -> str:
    """A constant, an input or a setting as Python code."""
    if isinstance(x, np.ndarray):
        if not x.size:
            return f"np.zeros({x.shape}, {str(x.dtype)!r})"
        usual = x.dtype in (np.float64, np.bool_, np.int64)
        return f"np.array({x.tolist()!r}" + ("" if usual else f", {str(x.dtype)!r}") + ")"
    if isinstance(x, np.generic):
        x = x.item()
    if isinstance(x, tuple):
        inside = ", ".join(map(written_constant, x))
        return f"({inside},)" if len(x) == 1 else f"({inside})"
    if isinstance(x, float) and not np.isfinite(x):
        return {"inf": "np.inf", "-inf": "-np.inf"}.get(repr(x), "np.nan")
    return "..." if x is ... else repr(x)


def _written_index(index: Any) -> str:
    if isinstance(index, tuple) and index:
        return ", ".join(map(_written_index, index)) + ("," if len(index) == 1 else "")
    if isinstance(index, slice):
        ends = ["" if end is None else written_constant(end) for end in (index.start, index.stop)]
        return ":".join(ends if index.step is None else [*ends, written_constant(index.step)])
    if isinstance(index, np.ndarray) and index.size:
        return repr(index.tolist())
    return written_constant(index)
