"""Constants: what is an operand without being a node. NumPy is imported for arrays alone."""

from __future__ import annotations

import numbers
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any


def as_plain(x: Any, operation: str) -> Any:
    """A constant as a Python number or an array of real numbers.

    Raises TypeError for strings, complex numbers, objects and ragged lists, naming the operation.
    """
    kind = type(x)
    if kind is float or kind is int or kind is bool:
        return x
    if hasattr(x, "_record"):
        raise TypeError(f"{operation}: {short(x)} is a node where plain numbers are needed (.data)")
    if isinstance(x, list | tuple) or hasattr(x, "dtype"):
        from tinygrad_edu.rules.array_constants import plain_array

        return plain_array(x, operation)
    if isinstance(x, numbers.Real):
        return float(x)
    raise not_an_operand(x, operation, kind.__name__)


def not_an_operand(x: Any, operation: str, kind: str) -> TypeError:
    """The error for what is neither a node nor real numbers."""
    return TypeError(
        f"{operation}: {short(x)} is of type {kind}; "
        "an operand is a Value, a Tensor, or plain real numbers"
    )


def copied(setting: Any) -> Any:
    """A setting that later edits by the caller do not change: lists and arrays are copied."""
    if type(setting) is list:
        return setting.copy()
    if hasattr(setting, "flags"):
        from tinygrad_edu.rules.array_constants import unchanging

        return unchanging(setting)
    return setting


def short(x: Any) -> str:
    """The repr on one line, also of an array, and cut after 60 characters."""
    text = " ".join(repr(x).split())
    return text if len(text) <= 60 else text[:57] + "..."


def is_of_arrays(name: str) -> bool:
    """Whether a name is that of a function or a method of arrays."""
    try:
        from tinygrad_edu.rules.array_constants import has_for_arrays
    except ModuleNotFoundError:
        return False
    return has_for_arrays(name)


def quiet() -> AbstractContextManager[None]:
    """Inside, NumPy does not warn of a rule that is run again: it did the first time."""
    np = sys.modules.get("numpy")
    return np.errstate(all="ignore") if np else nullcontext()
