"""What of a script is checked: a name, or all layers and derivatives by hand that are found."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tinygrad_edu.commands.expression import closest, shown
from tinygrad_edu.commands.script import RUN_NAME, ScriptError
from tinygrad_edu.engine.graph import Node

BESIDE = ("d{}", "d_{}", "{}_grad", "grad_{}", "{}_prime", "{}_derivative", "{}_backward")
"""The names of a derivative by hand beside those of its function; `f_forward` has `f_backward`."""
ADJOINT = re.compile(r"d|g|d_?[a-z]|d_?(out|output|loss)|(grad|delta|upstream)\w*|adjoint|dL_?\w*")
"""What the adjoint is called that a backward pass gets."""


@dataclass(frozen=True)
class CheckTarget:
    """Something of a script that can be checked; `partner` is the name of its derivative by hand,
    which is a `gradient` or a `backward` pass."""

    path: str
    name: str
    found: Any
    partner: str = ""
    way: Literal["", "gradient", "backward"] = ""

    @property
    def label(self) -> str:
        return f"{self.path}:{self.name}"

    @property
    def said(self) -> str:
        return self.name + (f" with {self.partner}" if self.partner else "")

    @property
    def is_layer(self) -> bool:
        return hasattr(self.found, "backward") and not isinstance(self.found, Node)


def found_in(path: str, names: dict[str, Any], name: str) -> Any:
    """What the script has by a name. ScriptError if there is nothing."""
    if name not in names:
        own = [x for x, found in names.items() if isinstance(found, Node) or _is_own(found)]
        said = closest(name, own) if own else "it has no function and no node"
        raise ScriptError(f"{path} has no {shown(name)}; {said}")
    return names[name]


def target_by_name(path: str, names: dict[str, Any], name: str) -> CheckTarget:
    """The target with this name. ScriptError if it is not there or cannot be checked."""
    found = found_in(path, names, name)
    target = CheckTarget(path, name, found)
    if not (isinstance(found, Node) or target.is_layer or callable(found)):
        raise ScriptError(
            f"{path}: {name} is a {type(found).__name__}; check a function, a node, or a "
            "layer with forward and backward"
        )
    if _is_plain(found) and not target.is_layer:
        return _with_partner(target, names)
    return target


def targets_in(path: str, names: dict[str, Any]) -> tuple[list[CheckTarget], dict[str, str]]:
    """All that a script has to be checked, and why its other functions and classes are not."""
    targets: list[CheckTarget] = []
    others: dict[str, str] = {}
    partners: set[str] = set()
    seen = [x for found in names.values() if hasattr(found, "defvjp") for x in _parts_of_vjp(found)]
    for name, found in names.items():
        if name.startswith("_") or any(found is x for x in seen):
            continue
        seen.append(found)
        target = CheckTarget(path, name, found)
        if isinstance(found, type):
            if _is_own(found) and callable(_forward_of(found)) and not _is_outline(found):
                if callable(getattr(found, "backward", None)):
                    targets.append(target)
                else:
                    others[name] = "no backward pass of its own"
        elif target.is_layer:
            targets += [target] if callable(getattr(found, "forward", found)) else []
        elif _is_own(found) and (_is_plain(found) or hasattr(found, "defvjp")):
            target = _with_partner(target, names)
            partners.add(target.partner)
            if target.partner or hasattr(found, "defvjp"):  # of jax.custom_vjp
                targets.append(target)
            else:
                others[name] = "no derivative by hand of its inputs beside it"
    made = [type(target.found) for target in targets]  # a class with an object is that object
    targets = [target for target in targets if not any(target.found is kind for kind in made)]
    return targets, {name: why for name, why in others.items() if name not in partners}


def _parts_of_vjp(found: Any) -> list[Any]:
    """The two functions that were given to a function of jax.custom_vjp."""
    return [getattr(found, part, None) for part in ("fwd", "bwd")]


def _forward_of(found: type) -> Any:
    """The forward pass of the objects of a class, if they have one."""
    return getattr(found, "forward", None) or vars(found).get("__call__")


def _with_partner(target: CheckTarget, names: dict[str, Any]) -> CheckTarget:
    """The target with its derivative by hand, if one stands beside it by name."""
    base = target.name
    forms = [form.format(base) for form in BESIDE]
    if base == "forward" or base.endswith("_forward"):
        forms.append(base.removesuffix("forward") + "backward")
    for partner in forms:
        beside = names.get(partner)
        if _is_plain(beside):
            way = _way(partner, target.found, beside)
            if way:
                return CheckTarget(target.path, base, target.found, partner, way)
    return target


def _way(name: str, function: Any, beside: Any) -> Any:
    """Whether a derivative by hand is a gradient, called as the function is, or a backward pass,
    which gets an adjoint; neither if its parameters do not tell."""
    own, own_required = _names_of_parameters(function)
    its, its_required = _names_of_parameters(beside)
    if name.endswith("backward"):
        return "backward"
    if own_required <= its and its_required <= own:
        return "gradient"
    return "backward" if any(ADJOINT.fullmatch(x) for x in its_required - own) else ""


def _names_of_parameters(function: Callable[..., Any]) -> tuple[set[str], set[str]]:
    """The names of all parameters, and of those that are required."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # some built-in functions do not tell
        return set(), set()
    return {*parameters}, {x for x, p in parameters.items() if p.default is p.empty}


def _is_own(found: Any) -> bool:
    """Whether it is a function or a class of the script itself."""
    return callable(found) and getattr(found, "__module__", RUN_NAME) == RUN_NAME


def _is_plain(found: Any) -> bool:
    """Whether it is a function of the script as it was written: one that `rule` made has another
    derivative, of its own."""
    return inspect.isfunction(found) and _is_own(found) and not hasattr(found, "__wrapped__")


def _is_outline(found: Any) -> bool:
    """Whether a class says only what its subclasses have: its forward pass has no code."""
    return inspect.isabstract(found) or _has_no_code(_forward_of(found))


def _has_no_code(function: Callable[..., Any]) -> bool:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return False
    [definition] = tree.body
    return isinstance(definition, ast.FunctionDef) and all(
        isinstance(line, ast.Pass | ast.Raise)
        or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
        for line in definition.body
    )
