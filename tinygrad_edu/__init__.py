"""tinygrad_edu: see, check and train with backpropagation.

from tinygrad_edu import Value
apple, tax = Value(100, label="apple"), Value(1.1, label="tax")
price = apple * 2 * tax
price.backward()
apple.grad  # 2.2
"""

from typing import TYPE_CHECKING, Any

from tinygrad_edu import data, nn, optim, scalar_nn
from tinygrad_edu.calculus import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from tinygrad_edu.check import check_backward, compare, gradcheck, numerical_gradient
from tinygrad_edu.engine.contexts import collector_paused, group, no_grad
from tinygrad_edu.engine.graph import Node, gradients, topological_order
from tinygrad_edu.engine.locking import data_locked
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.engine.value import Value
from tinygrad_edu.replay import replay
from tinygrad_edu.rules import abs as abs
from tinygrad_edu.rules import (
    arccos,
    arcsin,
    arctan,
    broadcast_to,
    clip,
    concatenate,
    cos,
    cosh,
    cumsum,
    einsum,
    exp,
    expand_dims,
    expm1,
    leaky_relu,
    log,
    log1p,
    log_softmax,
    logsumexp,
    matmul,
    maximum,
    mean,
    minimum,
    prod,
    relu,
    reshape,
    rule,
    sigmoid,
    sin,
    sinh,
    softmax,
    softplus,
    sqrt,
    squeeze,
    stack,
    std,
    tan,
    tanh,
    transpose,
    var,
    where,
)
from tinygrad_edu.rules import max as max
from tinygrad_edu.rules import min as min
from tinygrad_edu.rules import sum as sum
from tinygrad_edu.saving import load, load_state_dict, save, to_state_dict
from tinygrad_edu.view import show, to_dot, to_graphviz, to_html, to_pdf, to_png, to_svg

if TYPE_CHECKING:
    from tinygrad_edu.replay import Replay, TrainingStep

__version__ = "0.1.0"

__all__ = [
    "Node", "Replay", "Tensor", "TrainingStep", "Value", "arccos", "arcsin", "arctan",
    "broadcast_to", "check_backward", "clip", "collector_paused", "compare", "concatenate", "cos",
    "cosh", "cumsum", "data", "data_locked", "einsum", "exp", "expand_dims", "expm1", "grad",
    "gradcheck", "gradients", "group", "hessian", "hvp", "jacobian", "jvp", "leaky_relu", "load",
    "load_state_dict", "log", "log1p", "log_softmax", "logsumexp", "matmul", "maximum", "mean",
    "minimum", "nn", "no_grad", "numerical_gradient", "optim", "prod", "relu", "replay", "reshape",
    "rule", "save", "scalar_nn", "show", "sigmoid", "sin", "sinh", "softmax", "softplus", "sqrt",
    "squeeze", "stack", "std", "tan", "tanh", "to_dot", "to_graphviz", "to_html", "to_pdf",
    "to_png", "to_state_dict", "to_svg", "topological_order", "transpose", "value_and_grad", "var",
    "vjp", "where",
]  # fmt: skip
"""What `from tinygrad_edu import *` brings: not abs, max, min and sum, which Python has too."""


def __getattr__(name: str) -> Any:
    """Replay and TrainingStep are loaded when they are first asked for."""
    if name in ("Replay", "TrainingStep"):
        from importlib import import_module

        return getattr(import_module("tinygrad_edu.replay"), name)
    from tinygrad_edu.rules.numpy_forms import instead_of

    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{instead_of(name)}")
