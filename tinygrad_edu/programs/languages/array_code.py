"""Python with NumPy: operations on arrays, with their settings."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_edu.programs.array_symbols import ArraySymbol, Place
from tinygrad_edu.programs.languages.code import INFIX
from tinygrad_edu.programs.languages.language import (
    ATOM,
    LOWEST,
    POWER,
    PRODUCT,
    SUM,
    UNARY,
    Form,
    Language,
    call,
)
from tinygrad_edu.programs.symbols import Symbol

_FORMS = {
    **INFIX,
    "power": Form("{} ** {}", POWER, (ATOM, UNARY)),
    "logical_not": Form("~{}", UNARY, (UNARY,)),
    "matmul": Form("{} @ {}", PRODUCT, (PRODUCT, UNARY)),
    "sum_over_points": call("np.sum", 1),
}


def _form(symbol: Symbol) -> Form:
    settings = dict(getattr(symbol, "settings", {}))
    n = len(symbol.operands)
    match symbol.name:
        case "transpose" if settings["axes"] is None:
            return Form("{}.T", ATOM, (ATOM,))
        case "transpose":
            return _method(f"transpose{_tuple(settings['axes'])}")
        case "reshape":
            return _method(f"reshape{_tuple(settings['shape'])}")
        case "astype":
            return _method(f"astype(np.{settings['dtype'].name})")
        case "broadcast_to":
            return Form(f"np.broadcast_to({{}}, {settings['shape']})", ATOM, (LOWEST,))
        case "getitem":
            return Form(f"{{0}}[{_index(settings['index'])}]", ATOM, (ATOM,) + (LOWEST,) * (n - 1))
        case "put":
            index = _index(settings["index"], in_tuple=True)
            return Form(f"put({{0}}, {index}, {settings['shape']})", ATOM, (LOWEST,) * n)
        case "flat_places":
            classes = settings["classes"]
            rows = symbol.size if isinstance(symbol, ArraySymbol) else 0
            flat = "" if getattr(symbol.operands[0], "ndim", 1) == 1 else ".ravel()"
            return Form(f"np.arange({rows}) * {classes} + {{}}{flat}", SUM, (ATOM,))
        case "one_hot":
            like = f"{settings['shape'][-1]}, dtype=np.{settings['dtype'].name}"
            return Form(f"np.eye({like})[{{0}}]", ATOM, (LOWEST, LOWEST))
        case "pick":
            rows = symbol.operands[0].shape[0]
            return Form(f"{{}}[np.arange({rows}), {{}}]", ATOM, (ATOM, LOWEST))
        case "minus_one_hot":
            assert isinstance(symbol, ArraySymbol)
            eye = f"np.eye({symbol.shape[-1]}, dtype=np.{symbol.dtype.name})"
            return Form(f"{{}} - {eye}[{{}}]", SUM, (SUM, LOWEST))
        case "concatenate" | "stack":
            joined = ", ".join(["{}"] * n)
            return Form(
                f"np.{symbol.name}([{joined}], axis={settings['axis']})", ATOM, (LOWEST,) * n
            )
        case "einsum":
            operands = ", ".join(["{}"] * n) + (", optimize=True" if n > 2 else "")
            return Form(f"np.einsum({settings['subscripts']!r}, {operands})", ATOM, (LOWEST,) * n)
    axis = settings.get("axis")
    if isinstance(axis, tuple) and len(axis) == 1:
        settings["axis"] = axis[0]
    shown = "".join(
        f", {name}={value}"
        for name, value in settings.items()
        if value is not None and value is not False
    )
    return Form(f"np.{symbol.name}({', '.join(['{}'] * n)}{shown})", ATOM, (LOWEST,) * n)


def _method(text: str) -> Form:
    return Form("{}." + text, ATOM, (ATOM,))


def _tuple(lengths: Any) -> str:
    parts = lengths if isinstance(lengths, tuple | list) else (lengths,)
    return f"({', '.join(map(str, parts)) or '()'})"


def _index(index: Any, in_tuple: bool = False) -> str:
    """An index as it is written: `1:3, {1}` where {1} is the place of an operand."""
    if isinstance(index, tuple):
        parts = ", ".join(_index(part, in_tuple) for part in index)
        return f"({parts},)" if in_tuple and parts else parts or "()"
    if isinstance(index, Place):
        return "{" + str(index.operand) + "}"
    if isinstance(index, slice):
        if in_tuple:
            return str(index)
        ends = ["" if end is None else str(end) for end in (index.start, index.stop, index.step)]
        return ":".join(ends if index.step is not None else ends[:2])
    return "..." if index is Ellipsis else str(index)


def _number(x: Any) -> str:
    if isinstance(x, np.ndarray) and x.ndim:
        return _array(x)
    x = x.item() if isinstance(x, np.ndarray | np.generic) else x
    return {"inf": "np.inf", "-inf": "-np.inf", "nan": "np.nan"}.get(repr(x), repr(x))


def _array(x: Any) -> str:
    """A constant array: one number repeated, a diagonal of ones, or all of its elements."""
    dtype = f"dtype=np.{x.dtype.name}"
    first = x.flat[0] if x.size else x.dtype.type(0)
    if np.array_equal(x, np.full_like(x, first), equal_nan=True):
        return f"np.full({x.shape}, {_number(first)}, {dtype})"
    if x.ndim == 2 and np.array_equal(x, np.eye(*x.shape)):
        return f"np.eye({x.shape[0]}, {x.shape[1]}, {dtype})"
    rows = np.array2string(
        x, separator=", ", threshold=x.size, max_line_width=10**9, formatter={"all": _number}
    )
    return f"np.array({' '.join(rows.split())}, {dtype})"


NUMPY = Language("NumPy", _FORMS, _number, _form)
