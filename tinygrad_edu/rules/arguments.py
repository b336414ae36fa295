"""The arguments of a public function: operands before the slash, settings after it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, get_args

from tinygrad_edu.rules.constants import short
from tinygrad_edu.rules.numpy_forms import by_position, from_list, under_our_names


class Arguments:
    """What the signature of a rule says; TypeError unless it can be that of a rule."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = _checked_name(function)
        parameters = _checked_parameters(function, self.name)
        kinds = [p.kind for p in parameters]
        self.takes_any_number = inspect.Parameter.VAR_POSITIONAL in kinds
        self.arity = -1 if self.takes_any_number else kinds.count(inspect.Parameter.POSITIONAL_ONLY)
        self.settings = [
            p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        ]
        self.takes_any_setting = inspect.Parameter.VAR_KEYWORD in kinds

    def sorted(
        self, operands: tuple[Any, ...], settings: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Operands and settings of a call in one of NumPy's forms: `x.sum(0)`, `stack([x, y])`."""
        if self.takes_any_number:
            joined = isinstance(operands[0] if operands else None, list | tuple)
            if joined or (self.settings and type(operands[-1]) is int):  # stack(x, 1): rows of x
                operands, settings = from_list(self.name, operands, self.settings, settings)
        elif len(operands) > self.arity:
            operands, settings = by_position(
                self.name, operands, self.arity, self.settings, settings
            )
        if settings and not self.takes_any_setting and not set(self.settings).issuperset(settings):
            settings = under_our_names(self.name, settings, self.settings)
        return operands, settings


def show_as_public(operation: Any, function: Callable[..., Any]) -> None:
    """Have `help` and `inspect` say what the public function returns: the output alone."""
    signature = inspect.signature(function)
    result = signature.return_annotation
    if isinstance(result, str):
        output = re.fullmatch(r"Recorded\[(.+)\]", result)
        result = output[1] if output else signature.empty
    else:
        result = (*get_args(result), signature.empty)[0]
    operation.__signature__ = signature.replace(return_annotation=result)
    if result is not signature.empty:
        operation.__annotations__ = {**function.__annotations__, "return": result}


def _checked_name(function: Any) -> str:
    """The name of a rule: that of its function, by which it is called and found again."""
    name = getattr(function, "__name__", "").lstrip("_")
    if not inspect.isfunction(function) or not name.isidentifier():
        raise TypeError(
            f"rule: {short(function)} is not a function with a name; declare the rule with def"
        )
    return name


def _checked_parameters(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    """The parameters of a rule; TypeError unless operands stand before a slash, or in `*xs`."""
    parameters = list(inspect.signature(function).parameters.values())
    operands = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)]
    if not operands:
        meant = [p.name for p in parameters if p.default is p.empty]
        raise TypeError(
            f"rule: {name} has no operand; operands stand before a slash and settings after it, "
            f"as in def {name}({', '.join(meant or ['x'])}, /)"
        )
    for p in operands:
        if p.default is not p.empty:
            raise TypeError(
                f"rule: the operand {p.name} of {name} has a default, which only settings may "
                f"have; write {p.name} without it, or after the slash if it is a setting"
            )
    return parameters
