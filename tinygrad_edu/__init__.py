"""tinygrad_edu: see, check and train with backpropagation.

from tinygrad_edu import Value
apple, tax = Value(100, label="apple"), Value(1.1, label="tax")
price = apple * 2 * tax
price.backward()
apple.grad  # 2.2
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from tinygrad_edu.engine.collector import collector_paused
from tinygrad_edu.engine.contexts import group, no_grad
from tinygrad_edu.engine.graph import Node, gradients, topological_order
from tinygrad_edu.engine.notebooks import representations
from tinygrad_edu.engine.value import Value
from tinygrad_edu.replay import replay
from tinygrad_edu.rules import listed as _listed
from tinygrad_edu.rules import ours as _ours
from tinygrad_edu.rules import rule
from tinygrad_edu.rules import with_arrays as _with_arrays

__version__ = "0.1.0"

_AT_ONCE = (
    "Node", "Value", "collector_paused", "gradients", "group", "no_grad", "replay", "rule",
    "topological_order",
)  # fmt: skip
_LATER = {
    "calculus": ("grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"),
    "check": ("check_backward", "check_by_hand", "compare", "gradcheck", "numerical_gradient"),
    "engine.locking": ("data_locked",),
    "engine.tensor": ("Tensor",),
    "replay.replays": ("Replay",),
    "replay.training": ("TrainingStep",),
    "training": ("Epoch", "History", "Trainer", "clip_gradients", "epochs", "fit", "layer_health"),
    "saving": ("load", "load_state_dict", "save", "to_state_dict"),
    "view": ("Stop", "show", "to_dot", "to_graphviz", "to_html", "to_pdf", "to_png", "to_svg"),
}
_MODULE_OF = {name: module for module, names in _LATER.items() for name in names}
_PUBLIC_MODULES = ("data", "nn", "optim", "scalar_nn")
_OTHER_MODULES = ("check", "testing")

globals().update(_ours(public=True))


def __getattr__(name: str) -> Any:
    """What a script of Values does not need is loaded when it is first asked for. Editors read the
    names in the stub beside this file, which `tests/stubs.py` writes."""
    if name == "__all__":
        return _listed(*_AT_ONCE, *_MODULE_OF, *_PUBLIC_MODULES, public=True)
    if name in (*_PUBLIC_MODULES, *_OTHER_MODULES):
        return import_module(f"{__name__}.{name}")
    if name in _MODULE_OF:
        globals()[name] = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    elif not name.startswith("_"):
        globals().update(_with_arrays(public=True))
    if name in globals():
        return globals()[name]
    from tinygrad_edu.rules.numpy_forms import instead_of

    hint = instead_of(name) if sys.modules.get("numpy") else "; operations on arrays need NumPy"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__getattr__("__all__")})


def _notebook(kind: str) -> Callable[[Node], str]:
    """What shows a node in a notebook: imported when the first node is shown."""

    def represent(node: Node) -> str:
        from tinygrad_edu.view.show import notebook

        return notebook[kind](node)

    return represent


representations.update((kind, _notebook(kind)) for kind in ("image/svg+xml", "text/html"))
