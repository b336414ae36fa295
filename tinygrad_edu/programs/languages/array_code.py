"""Python with NumPy: operations on arrays, with their settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_edu.programs.languages.code import INFIX
from tinygrad_edu.programs.languages.language import Form, Language, call, infix
from tinygrad_edu.programs.symbols import SUM_OVER_POINTS, IndexSlot, Symbol
from tinygrad_edu.rules.operators import ATOM, LOWEST, SUM
from tinygrad_edu.rules.own_rules import is_ours
from tinygrad_edu.rules.rule import RULES, facts_of

_ARRAY_FORMS = {
    **INFIX,
    "power": infix("power"),
    "logical_not": infix("logical_not", "~{}"),
    "matmul": infix("matmul"),
    SUM_OVER_POINTS: call("np.sum", 1),
}


_NUMPY_LACKS = {"erf", "erfc", "gamma", "lgamma"}
"""Functions of Python's `math` that NumPy does not have."""


def _array_form(symbol: Any) -> Form:
    if symbol.name in _SPECIAL:
        return _SPECIAL[symbol.name](symbol)
    settings = dict(getattr(symbol, "settings", {}))
    axis = settings.get("axis")
    if isinstance(axis, tuple) and len(axis) == 1:
        settings["axis"] = axis[0]
    shown = [
        f"{name}={value}"
        for name, value in settings.items()
        if value is not None and value is not False
    ]
    operands = ", ".join([*_operands(symbol), *shown])
    return _call(symbol, f"{_numpy_function(symbol)}({operands})")


def _numpy_function(symbol: Any) -> str:
    """NumPy's function; where it has none, such as erf, Python's for each number."""
    rule = RULES.get(symbol.name)
    in_math = facts_of(rule).math if rule else ""
    if rule and in_math and (in_math in _NUMPY_LACKS or not is_ours(rule)):
        dtype = getattr(getattr(symbol, "dtype", None), "name", "float64")
        return f"np.vectorize(math.{in_math}, otypes=[np.{dtype}])"
    return f"np.{symbol.name}"


def _operands(symbol: Symbol) -> list[str]:
    return ["{}"] * len(symbol.operands)


def _call(symbol: Symbol, template: str) -> Form:
    return Form(template, ATOM, (LOWEST,) * len(symbol.operands))


def _transpose(symbol: Any) -> Form:
    axes = symbol.settings["axes"]
    return _method("T" if axes is None else f"transpose{_tuple(axes)}")


def _getitem_form(symbol: Any) -> Form:
    rest = (LOWEST,) * (len(symbol.operands) - 1)
    return Form(f"{{0}}[{_index(symbol.settings['index'])}]", ATOM, (ATOM, *rest))


def _put_form(symbol: Any) -> Form:
    index = _index(symbol.settings["index"], in_tuple=True)
    return _call(symbol, f"put({{0}}, {index}, {symbol.settings['shape']})")


def _windows_form(symbol: Any) -> Form:
    settings = ", ".join(f"{name}={x}" for name, x in symbol.settings.items())
    return _call(symbol, f"{symbol.name}({{}}, {settings})")


def _flat_places_form(symbol: Any) -> Form:
    flat = "" if symbol.operands[0].ndim == 1 else ".ravel()"
    rows = f"np.arange({symbol.size}) * {symbol.settings['classes']}"
    return Form(f"{rows} + {{}}{flat}", SUM, (ATOM,))


def _one_hot_form(symbol: Any) -> Form:
    shape, dtype = symbol.settings["shape"], symbol.settings["dtype"]
    return _call(symbol, f"np.eye({shape[-1]}, dtype=np.{dtype.name})[{{0}}]")


def _minus_one_hot(symbol: Any) -> Form:
    eye = f"np.eye({symbol.shape[-1]}, dtype=np.{symbol.dtype.name})"
    return Form(f"{{}} - {eye}[{{}}]", SUM, (SUM, LOWEST))


def _joined(symbol: Any) -> Form:
    operands = ", ".join(_operands(symbol))
    return _call(symbol, f"np.{symbol.name}([{operands}], axis={symbol.settings['axis']})")


def _einsum_form(symbol: Any) -> Form:
    operands = [repr(symbol.settings["subscripts"]), *_operands(symbol)]
    pairwise = ["optimize=True"] if len(symbol.operands) > 2 else []
    return _call(symbol, f"np.einsum({', '.join([*operands, *pairwise])})")


_SPECIAL: dict[str, Callable[[Any], Form]] = {
    "transpose": _transpose,
    "reshape": lambda symbol: _method(f"reshape{_tuple(symbol.settings['shape'])}"),
    "astype": lambda symbol: _method(f"astype(np.{symbol.settings['dtype'].name})"),
    "broadcast_to": lambda symbol: _call(
        symbol, f"np.broadcast_to({{}}, {symbol.settings['shape']})"
    ),
    "getitem": _getitem_form,
    "put": _put_form,
    "windows": _windows_form,
    "add_windows": _windows_form,
    "flat_places": _flat_places_form,
    "one_hot": _one_hot_form,
    "pick": lambda symbol: Form(
        f"{{}}[np.arange({symbol.operands[0].shape[0]}), {{}}]", ATOM, (ATOM, LOWEST)
    ),
    "minus_one_hot": _minus_one_hot,
    "concatenate": _joined,
    "stack": _joined,
    "einsum": _einsum_form,
}
"""What is not written as `np.name(operands, settings)`."""


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
    if isinstance(index, IndexSlot):
        return "{" + str(index.operand) + "}"
    if isinstance(index, slice):
        if in_tuple:
            return str(index)
        ends = ["" if end is None else str(end) for end in (index.start, index.stop, index.step)]
        return ":".join(ends if index.step is not None else ends[:2])
    return "..." if index is Ellipsis else str(index)


def _number_text(x: Any) -> str:
    if getattr(x, "ndim", 0):
        return _constant_array(x)
    x = x.item() if hasattr(x, "item") else x
    return {"inf": "np.inf", "-inf": "-np.inf", "nan": "np.nan"}.get(repr(x), repr(x))


def _constant_array(x: Any) -> str:
    """A constant array: one number repeated, a diagonal of ones, or all of its elements."""
    import numpy as np

    dtype = f"dtype=np.{x.dtype.name}"
    first = x.flat[0] if x.size else x.dtype.type(0)
    if np.array_equal(x, np.full_like(x, first), equal_nan=True):
        return f"np.full({x.shape}, {_number_text(first)}, {dtype})"
    if x.ndim == 2 and np.array_equal(x, np.eye(*x.shape)):
        return f"np.eye({x.shape[0]}, {x.shape[1]}, {dtype})"
    rows = np.array2string(
        x, separator=", ", threshold=x.size, max_line_width=10**9, formatter={"all": _number_text}
    )
    return f"np.array({' '.join(rows.split())}, {dtype})"


NUMPY = Language("NumPy", _ARRAY_FORMS, _number_text, _array_form)
