"""NumPy's ways to call an operation, and what to write for what has no rule.

np.clip(x, a_min=0, a_max=1)        clip(x, min=0, max=1)
np.sum(x, 0, None, None, True)      sum(x, axis=0, keepdims=True)
np.sum(x, out=y)                    TypeError: every operation makes a new node
np.vdot(x, y)                       TypeError: write sum(x * y)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from tinygrad_edu.rules.tables import operations

OTHER_NAMES = {"a_min": "min", "a_max": "max", "newshape": "shape", "correction": "ddof"}
"""NumPy's second name of a setting, and ours."""

_NOT_TAKEN: dict[str, tuple[Any, str]] = {
    "out": (None, "every operation makes a new node"),
    "dtype": (None, "the result has the dtype of its operands"),
    "where": (True, "choose the elements first, with where(mask, x, 0.0) or x[mask]"),
    "initial": (None, "combine it with the result afterwards"),
    "mean": (None, "the mean is computed with the result, to have its derivative"),
    "order": ("C", "elements are read row by row"),
    "casting": ("same_kind", "the result has the dtype of its operands"),
    "copy": (None, "nobody can tell a copy of a node from its view"),
    "subok": (False, "the result is a node"),
}
"""Settings that only NumPy has: the value at which they mean nothing, and why no other is taken."""


def under_our_names(
    operation: str, settings: Mapping[str, Any], known: Collection[str]
) -> dict[str, Any]:
    """The settings of a call as the operation names them.

    TypeError, saying what to do, for one that only NumPy has. Others that nobody knows are left for
    the rule to refuse.
    """
    found: dict[str, Any] = {}
    for given, x in settings.items():
        name = given if given in known else OTHER_NAMES.get(given, given)
        if name in found:
            raise TypeError(f"{operation}: {name} is given twice")
        if name not in known and name in _NOT_TAKEN:
            default, why = _NOT_TAKEN[name]
            if type(x) is not type(default) or x != default:
                raise TypeError(f"{operation}: {name}= is not taken; {why}")
        else:
            found[name] = x
    return found


def from_list(
    name: str, given: tuple[Any, ...], setting_names: Sequence[str], settings: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Operands and settings of `stack([x, y], 1)`; a list beside other operands is one of them."""
    if any(isinstance(x, list | tuple) or hasattr(x, "__array_function__") for x in given[1:]):
        return given, settings
    (operands,), settings = by_position(name, given, 1, setting_names, settings)
    return tuple(operands), settings


def by_position(
    name: str,
    given: tuple[Any, ...],
    arity: int,
    setting_names: Sequence[str],
    settings: dict[str, Any],
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The operands, and the settings with those that stood behind them, as in `x.sum(0)`."""
    most = arity + len(setting_names)
    if len(given) > most:
        raise TypeError(f"{name} takes at most {most} arguments, not {len(given)}")
    placed = dict(zip(setting_names, given[arity:], strict=False))
    for setting in placed.keys() & settings.keys():
        raise TypeError(f"{name}: {setting} is given twice")
    return given[:arity], placed | settings


def arguments_of(
    function: Callable[..., Any], given: tuple[Any, ...], settings: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The operands, and all other arguments of a call of NumPy's function by their names."""
    names, n = _parameters(function)
    joins = names[:1] == ("arrays",)
    if not names or (len(given) == n and not joins):  # nothing that would need a name
        return given, dict(settings)
    named = {**dict(zip(names, given, strict=False)), **settings}
    operands = tuple(named.pop(name) for name in names[:n] if name in named)
    if joins and not isinstance(operands[0], list | tuple):
        operands = (list(operands[0]),)  # the rows of an array, which NumPy joins
    return operands, named


@functools.lru_cache(maxsize=256)
def _parameters(function: Callable[..., Any]) -> tuple[tuple[str, ...], int]:
    """The names of a function's parameters, and how many of them are operands; no names if there
    are as many operands as one likes."""
    import inspect  # which takes long; only NumPy's own functions are asked

    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # a function in C, of which NumPy 2.0 does not know it
        return _IN_C.get(function.__name__, ()), 1
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return (), 0
    operands = sum(p.kind is p.POSITIONAL_ONLY for p in parameters)
    return tuple(p.name for p in parameters), max(operands, 1)


_IN_C = {"concatenate": ("arrays", "axis", "out", "dtype", "casting")}

_WRITE = {
    "x @ y": "mm mv bmm", "sum(x * y)": "vdot inner vecdot",
    'einsum("ij,jk->ik", x, y)': "tensordot matvec vecmat",
    'einsum("ii->i", x)': "diagonal diag",
    "x ** y": "pow", "1 / x": "reciprocal", "2 ** x": "exp2", "x ** (1 / 3)": "cbrt",
    "log(x) / math.log(2)": "log2", "log(x) / math.log(10)": "log10", "arctan(y / x)": "arctan2",
    "log(x + sqrt(x ** 2 + 1))": "arcsinh asinh", "log(x + sqrt(x ** 2 - 1))": "arccosh acosh",
    "log((1 + x) / (1 - x)) / 2": "arctanh atanh",
    "sqrt(x ** 2 + y ** 2)": "hypot",
    "where(x > 0, 1.0, 0.0)": "heaviside",
    "maximum(x, y)": "fmax", "minimum(x, y)": "fmin", "max(x) - min(x)": "ptp",
    "sum(w * x) / sum(w)": "average", "x[1:] - x[:-1]": "diff", "cumsum(x)": "cumulative_sum",
    "exp(cumsum(log(x)))": "cumprod cumulative_prod", "where(mask, y, x)": "put place copyto fill",
    "reshape(x, shape)": "view resize atleast_1d atleast_2d",
    "transpose(x, (1, 0))": "moveaxis rollaxis permute matrix_transpose mT t",
    "expand_dims(x, axis)": "unsqueeze", "stack([x, y], axis=1)": "column_stack",
    "stack([x, y], axis=2)": "dstack", "concatenate([x, y])": "append cat row_stack block",
    "concatenate([x[-1:], x[:-1]])": "roll",
    "x[:2] and x[2:]": "array_split hsplit vsplit chunk", "x[0] and x[1]": "unstack unbind",
    "x[[0, 2]]": "take gather delete", "x[mask]": "compress extract",
    "x[::-1]": "flipud", "x[:, ::-1]": "fliplr",
}  # fmt: skip
_JUMP = (
    "argsort argwhere nonzero searchsorted unique count_nonzero round rint around "
    "floor ceil trunc fix isnan isinf isfinite isclose allclose array_equal any all"
)
INSTEAD = {name: f"write {text}" for text, names in _WRITE.items() for name in names.split()}
INSTEAD |= dict.fromkeys(
    _JUMP.split(), "its result is constant by parts, so that it has no derivative"
)
"""What to say of NumPy's operations, and a few of torch's, that have no rule of their own."""


def instead_of(name: str) -> str:
    """The end of a message about an operation that is not there: what to write."""
    if name in INSTEAD:
        return f"; {INSTEAD[name]}"
    from difflib import get_close_matches

    nearest = get_close_matches(name, vars(operations), n=1, cutoff=0.8)
    return f"; the nearest operation is {nearest[0]}" if nearest else ""
