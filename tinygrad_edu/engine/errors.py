"""What errors say: the operation, its operands by name, and the cure."""

from __future__ import annotations

from typing import Any

from tinygrad_edu.engine.names import escaped
from tinygrad_edu.rules.rule import Rule, facts_of, name_of, settings_of

PULLBACK_ERRORS = (ArithmeticError, ValueError, TypeError, IndexError)
"""What a pullback may raise, to be said again with the name of its node."""


def forward_error(rule: Rule, operands: tuple[Any, ...], error: Exception) -> Exception:
    """The error of a rule, with the operation, its operands and the cure named."""
    shown = ", ".join(described(x) for x in operands)
    settings = "".join(f", {k}={described(v)}" for k, v in settings_of(rule).items())
    name = name_of(rule)
    said = str(error).removeprefix(f"{name}: ")
    cure = _cure(rule, error)
    return _same_kind(error, f"{name}({shown}{settings}): {said}" + (f"; {cure}" if cure else ""))


def _cure(rule: Rule, error: Exception) -> str:
    if "unexpected keyword argument" in str(error):
        import inspect  # which takes long, and errors are rare

        parameters = inspect.signature(getattr(rule, "func", rule)).parameters.values()
        known = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        return f"its settings are {', '.join(known)}" if known else "it has no settings"
    if isinstance(error, OverflowError):
        return "the result is larger than any float"
    if "broadcast" in str(error):
        return "axes must be equally long, or 1, counted from the right"
    about_data = isinstance(error, ArithmeticError | ValueError)
    return facts_of(rule).cure if about_data and not isinstance(error, IndexError) else ""


def constant_error(error: Exception, operands: tuple[Any, ...]) -> Exception:
    """The error of what cannot be an operand, with the labelled nodes beside it named."""
    named = [described(x) for x in operands if hasattr(x, "_record") and x.label]
    return _same_kind(error, f"{error}; it stands beside {', '.join(named)}") if named else error


def described(x: Any) -> str:
    """An operand in a message: arrays by name and shape, numbers as they are."""
    shape = getattr(x, "shape", None)
    if shape is None:
        return escaped(repr(x))
    return f"{escaped(getattr(x, 'label', '')) or type(x).__name__} of shape {shape}"


def backward_error(node: Any, error: Exception) -> Exception:
    """The error of a pullback, with the node that it happened at."""
    shown = ", ".join(described(x) for x in node.operands)
    why = "the derivative does not exist there, and " if isinstance(error, ArithmeticError) else ""
    return _same_kind(
        error,
        f"backward through {described(node)} = {name_of(node.rule)}({shown}): {error}; "
        f"{why}no gradient was changed",
    )


def _same_kind(error: Exception, message: str) -> Exception:
    """An error of the same kind with more to say; NumPy's own kinds become Python's."""
    for kind in (ZeroDivisionError, OverflowError, IndexError, ValueError, TypeError):
        if isinstance(error, kind):
            return kind(message)
    return ArithmeticError(message)


def check_label(label: Any) -> str:
    """The label if it is a string, else TypeError."""
    if not isinstance(label, str):
        raise TypeError(
            f"label: expected a string, got {described(label)}; a label is a name, and several "
            "numbers are given as a list, as in Tensor([1, 2])"
        )
    return label


def check_no_string(kind: str, data: Any) -> None:
    """TypeError for a string where a node gets its numbers: label and data were swapped."""
    if isinstance(data, str):
        raise TypeError(
            f"{kind}: the data are {escaped(repr(data))}, a string; numbers come first and a label "
            f'second, as in {kind}(2.0, "x")'
        )
