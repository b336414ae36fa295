"""Every operation with its derivative, once.

Start with `rule.py` (what a rule is), then `elementwise.py`. `reductions.py` and `arrays.py` have
the rules for Tensors; they need NumPy, and are imported when somebody asks for one of them, or for
all `RULES`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinygrad_edu.rules.elementwise import abs as abs
from tinygrad_edu.rules.elementwise import (
    add,
    arccos,
    arcsin,
    arctan,
    clip,
    cos,
    cosh,
    divide,
    exp,
    expm1,
    leaky_relu,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    relu,
    sigmoid,
    sin,
    sinh,
    softplus,
    sqrt,
    subtract,
    tan,
    tanh,
    where,
)
from tinygrad_edu.rules.rule import name_of, rule, settings_of, symbol_of
from tinygrad_edu.rules.tables import of, operations

if TYPE_CHECKING:
    from tinygrad_edu.rules.arrays import (
        affine,
        broadcast_to,
        concatenate,
        einsum,
        expand_dims,
        getitem,
        matmul,
        put,
        reshape,
        squeeze,
        stack,
        transpose,
    )
    from tinygrad_edu.rules.reductions import (
        cumsum,
        log_softmax,
        logsumexp,
        mean,
        prod,
        softmax,
        softmax_cross_entropy,
        softmax_cross_entropy_of_labels,
        std,
        var,
    )
    from tinygrad_edu.rules.reductions import max as max
    from tinygrad_edu.rules.reductions import min as min
    from tinygrad_edu.rules.reductions import sum as sum
    from tinygrad_edu.rules.rule import RULES

__all__ = [
    "RULES", "add", "affine", "arccos", "arcsin", "arctan", "broadcast_to", "clip", "concatenate",
    "cos", "cosh", "cumsum", "divide", "einsum", "exp", "expand_dims", "expm1", "getitem",
    "leaky_relu", "log", "log1p", "log_softmax", "logsumexp", "matmul", "maximum", "mean",
    "minimum", "multiply", "name_of", "negative", "of", "operations", "power", "prod", "put",
    "relu", "reshape", "rule", "settings_of", "sigmoid", "sin", "sinh", "softmax",
    "softmax_cross_entropy", "softmax_cross_entropy_of_labels", "softplus", "sqrt", "squeeze",
    "stack", "std", "subtract", "symbol_of", "tan", "tanh", "transpose", "var", "where",
]  # fmt: skip

_ALL = {*__all__, "max", "min", "sum"}


def __getattr__(name: str) -> Any:
    """The rules for arrays, and RULES with them in it if NumPy is there."""
    if name not in _ALL:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        upper = [import_module(f"{__name__}.{module}") for module in ("reductions", "arrays")]
    except ModuleNotFoundError:
        if name == "RULES":
            return import_module(f"{__name__}.rule").RULES
        raise
    for module in (*upper, import_module(f"{__name__}.rule")):
        globals().update((x, y) for x, y in vars(module).items() if x in _ALL)
    return globals()[name]
