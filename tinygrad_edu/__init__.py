"""tinygrad_edu: see, check and train with backpropagation.

from tinygrad_edu import Value
apple, tax = Value(100, label="apple"), Value(1.1, label="tax")
price = apple * 2 * tax
price.backward()
apple.grad  # 2.2
"""

from typing import Any

from tinygrad_edu import data, nn, optim, scalar_nn
from tinygrad_edu.calculus import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from tinygrad_edu.check import check_backward, compare, gradcheck, numerical_gradient
from tinygrad_edu.engine.contexts import collector_paused, group, no_grad
from tinygrad_edu.engine.graph import Node, gradients, topological_order
from tinygrad_edu.engine.locking import data_locked
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.engine.value import Value
from tinygrad_edu.replay import replay
from tinygrad_edu.rules import listed as _listed
from tinygrad_edu.rules import ours as _ours
from tinygrad_edu.rules import rule
from tinygrad_edu.rules import with_arrays as _with_arrays
from tinygrad_edu.saving import load, load_state_dict, save, to_state_dict
from tinygrad_edu.view import show, to_dot, to_graphviz, to_html, to_pdf, to_png, to_svg

__version__ = "0.1.0"

_NAMES = (
    "Node", "Replay", "Tensor", "TrainingStep", "Value", "check_backward", "collector_paused",
    "compare", "data", "data_locked", "grad", "gradcheck", "gradients", "group", "hessian", "hvp",
    "jacobian", "jvp", "load", "load_state_dict", "nn", "no_grad", "numerical_gradient", "optim",
    "replay", "rule", "save", "scalar_nn", "show", "to_dot", "to_graphviz", "to_html", "to_pdf",
    "to_png", "to_state_dict", "to_svg", "topological_order", "value_and_grad", "vjp",
)  # fmt: skip

globals().update(_ours(public=True))


def __getattr__(name: str) -> Any:
    """What is loaded when it is first asked for: Replay and TrainingStep, and the operations on
    arrays. Editors read the names in the stub beside this file, which `tests/stubs.py` writes."""
    if name == "__all__":
        return _listed(*_NAMES, public=True)
    if name in ("Replay", "TrainingStep"):
        from importlib import import_module

        return getattr(import_module("tinygrad_edu.replay"), name)
    if not name.startswith("_"):
        globals().update(_with_arrays(public=True))
    if name in globals():
        return globals()[name]
    from tinygrad_edu.rules.numpy_forms import instead_of

    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{instead_of(name)}")
