"""The arguments of a public function: operands before the slash, settings after it."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import FunctionType
from typing import Any, get_args

from tinygrad_edu.rules.constants import short
from tinygrad_edu.rules.numpy_forms import by_position, from_list, under_our_names

_ANY_NUMBER, _ANY_SETTING = 0x04, 0x08
"""What Python's code objects set for `*xs` and `**settings`."""


class Arguments:
    """What the signature of a rule says; TypeError unless it can be that of a rule.

    It is read from the code object. `inspect`, and what it imports, takes a fifth of the time in
    which a script of Values starts.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = _checked_name(function)
        while hasattr(function, "__wrapped__"):  # of a decorated rule
            function = function.__wrapped__
        code = function.__code__
        operands, arguments = code.co_posonlyargcount, code.co_argcount
        names = code.co_varnames[: arguments + code.co_kwonlyargcount]
        self.takes_any_number = bool(code.co_flags & _ANY_NUMBER)
        self.takes_any_setting = bool(code.co_flags & _ANY_SETTING)
        self.arity = -1 if self.takes_any_number else operands
        self.settings = list(names[operands:])
        first_default = arguments - len(function.__defaults__ or ())
        if not operands and not self.takes_any_number:
            no_default = {*names[:first_default], *names[arguments:]}
            meant = [x for x in names if x in no_default - {*(function.__kwdefaults__ or ())}]
            raise TypeError(
                f"rule: {self.name} has no operand; operands stand before a slash and settings "
                f"after it, as in def {self.name}({', '.join(meant or ['x'])}, /)"
            )
        if first_default < operands:
            x = names[first_default]
            raise TypeError(
                f"rule: the operand {x} of {self.name} has a default, which only settings may "
                f"have; write {x} without it, or after the slash if it is a setting"
            )

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
    annotations = dict(function.__annotations__)
    result = annotations.pop("return", None)
    if isinstance(result, str):
        output = re.fullmatch(r"Recorded\[(.+)\]", result)
        result = output and output[1]
    else:
        result = next(iter(get_args(result)), None)
    if result is not None:
        annotations["return"] = result
    shown = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__,
        function.__closure__,
    )  # fmt: skip
    shown.__kwdefaults__ = function.__kwdefaults__
    shown.__annotations__ = annotations
    operation.__wrapped__, operation.__annotations__ = shown, annotations


def _checked_name(function: Any) -> str:
    """The name of a rule: that of its function, by which it is called and found again."""
    name = getattr(function, "__name__", "").lstrip("_")
    if not isinstance(function, FunctionType) or not name.isidentifier():
        raise TypeError(
            f"rule: {short(function)} is not a function with a name; declare the rule with def"
        )
    return name
