"""Which library differentiates a function, without importing any."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from tinygrad_edu.check.kinds import input_names, leaf, quietly
from tinygrad_edu.check.report import Report
from tinygrad_edu.check.steady import Steady
from tinygrad_edu.engine.graph import Node

CHECKED = ("torch", "jax", "autograd")
"""The libraries whose functions are checked through their own backward pass."""

DERIVATIVE = "a function of NumPy arrays with its derivative, as gradient=..."
HAND_IN = {
    "tensorflow": DERIVATIVE, "keras": DERIVATIVE, "tinygrad": DERIVATIVE, "mxnet": DERIVATIVE,
    "paddle": DERIVATIVE,
    "cupy": "NumPy arrays (cupy.asnumpy)", "mlx": "NumPy arrays (numpy.array)",
    "flax": "a function of JAX arrays: lambda variables, x: model.apply(variables, x)",
    "equinox": "a function of JAX arrays that puts the model together",
}  # fmt: skip
"""Libraries that are not checked, and what to hand in instead."""

GRADIENT_BY = {
    "torch": "lambda x: torch.autograd.grad(f(x), x, create_graph=True)", "jax": "jax.grad(f)",
    "autograd": "autograd.grad(f)",
}  # fmt: skip
"""How a gradient is written as a function that can be differentiated again."""

ALIASES = {"jaxlib": "jax", "functorch": "torch"}


def library_of(f: Any, inputs: Sequence[Any]) -> str:
    """The library that f belongs to, or the inputs; "" if that is none.

    TypeError for an object of a library that is not checked, and for a class of modules.
    """
    homes = [*_homes(f), *(home for x in inputs for home in _homes_within(x))]
    for home in homes:
        if home in HAND_IN:
            raise TypeError(f"objects of {home} cannot be checked; hand in {HAND_IN[home]}")
    if type(f).__name__ == "OptimizedModule":
        raise TypeError("a compiled module cannot be checked; hand in the original: f._orig_mod")
    if "tinygrad_edu" in homes[:1]:
        return ""
    library = next((home for home in homes if home in CHECKED), "")
    if library and isinstance(f, type) and not is_torch_rule(f):
        raise TypeError(f"{f.__name__} is a class; give an object of it")
    return library


def library_behind(f: Any, inputs: Sequence[Any], second_order: bool) -> str:
    """The library that differentiates f: its own, that of the inputs, or the one to which f hands
    the nodes that it gets; "" if that is none.

    TypeError as for `library_of`, and where derivatives of derivatives are asked of a library.
    """
    library = library_of(f, inputs) or _library_reached(f, inputs)
    if library and second_order:
        raise TypeError(
            f"second_order is for functions of nodes; hand in the gradient by {library} as a "
            f"function instead: gradcheck({GRADIENT_BY[library]}, x)"
        )
    return library


def check_in_library(library: str, *given: Any) -> Report:
    """The check of library_check.py, which is imported with its library."""
    from tinygrad_edu.check.libraries.library_check import report_of

    return report_of(library, *given)


def has_hand_written(layer: Any, inputs: Sequence[Any]) -> bool:
    """Whether a backward pass is handed in: a method of the layer, or a second function."""
    has_method = hasattr(layer, "backward") and not is_torch_rule(layer)
    return has_method or bool(inputs and callable(inputs[0]))


def is_torch_rule(x: Any) -> bool:
    """Whether x is a subclass of torch.autograd.Function."""
    return isinstance(x, type) and any(k.__module__ == "torch.autograd.function" for k in x.__mro__)


def takes_context(rule: Any) -> bool:
    """Whether the forward pass of a torch.autograd.Function begins with ctx."""
    base = next(k for k in rule.__mro__ if k.__module__ == "torch.autograd.function")
    return bool(rule.setup_context is base.setup_context)


def torch_rule_of(f: Any) -> Any:
    """The subclass of torch.autograd.Function that f or `f.apply` is; None if it is none."""
    rules = [x for x in (f, getattr(f, "__self__", None)) if is_torch_rule(x)]
    return rules[0] if rules else None


def _homes(x: Any) -> Iterator[str]:
    """The packages that an object, its class and what it is bound to come from."""
    while isinstance(x, functools.partial):
        x = x.func
    if hasattr(x, "_is_autograd_primitive"):
        yield "autograd"
    if inspect.isroutine(x):
        yield _package(getattr(x, "__module__", ""))
    for part in (x, getattr(x, "__self__", None)):
        for kind in (part if isinstance(part, type) else type(part)).__mro__:
            yield _package(kind.__module__)


def _package(module: Any) -> str:
    package = str(module).partition(".")[0]
    return ALIASES.get(package, package)


def _homes_within(x: Any) -> Iterator[str]:
    """The packages of the arrays that an input holds."""
    if isinstance(x, dict | list | tuple):
        for part in x.values() if isinstance(x, dict) else x:
            yield from _homes_within(part)
    elif hasattr(x, "dtype"):
        yield from _homes(x)


def _library_reached(f: Any, inputs: Sequence[Any]) -> str:
    """The library that gets a node when f is called with nodes: the derivative that counts is the
    one that this library has."""
    if not any(name in sys.modules for name in CHECKED):
        return ""
    from tinygrad_edu.check.libraries.library_function import leaves_of_input, refilled

    reached: list[str] = []

    def note(frame: Any, event: str, called: Any) -> None:
        if event == "call" and any(map(_has_node, frame.f_locals.values())):
            reached.append(_package(frame.f_globals.get("__name__")))
        elif event == "c_exception" or (
            event == "c_call" and is_torch_rule(getattr(called, "__self__", None))
        ):
            reached.extend(_homes(called))

    leaves = [x for given in inputs for _, x in leaves_of_input(given)]
    arrays = [x for x in leaves if getattr(getattr(x, "dtype", None), "kind", "") == "f"]
    moved = arrays or [x for x in leaves if isinstance(x, float)]
    nodes = [leaf(x, "") if any(x is y for y in moved) else x for x in leaves]
    before, steady = sys.getprofile(), Steady(f)
    try:
        with quietly():
            sys.setprofile(note)
            f(*refilled(list(inputs), iter(nodes)))
    except Exception:  # which the check will meet again
        pass
    finally:
        sys.setprofile(before)
        steady.put_back()
    return next((home for home in reached if home in CHECKED), "")


def _has_node(x: Any) -> bool:
    return isinstance(x, Node) or (isinstance(x, tuple) and any(isinstance(y, Node) for y in x))


def names_of_inputs(f: Any, count: int) -> list[str]:
    """What f calls its inputs, without `ctx`."""
    rule = torch_rule_of(f)
    if rule:
        has_ctx = takes_context(rule)
        return input_names(rule.forward, count + has_ctx)[has_ctx:]
    return input_names(getattr(f, "forward", getattr(f, "fun", f)), count)  # fun: of a primitive
