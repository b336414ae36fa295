"""One plain real number, or an error that says why it is not one."""

from __future__ import annotations

from typing import Any

from tinygrad_edu.engine.errors import check_no_string, described
from tinygrad_edu.rules.constants import as_plain


def real_number(where: str, x: Any) -> float:
    """One plain real number; TypeError for anything else, `where` says in which operation."""
    if hasattr(x, "_record"):
        other = type(x).__name__
        cure = "a Value and a Tensor do not mix" if other == "Tensor" else "use its .data"
        raise TypeError(f"{where}: got {described(x)} where one plain number was expected; {cure}")
    if where == "Value":
        check_no_string(where, x)
    x = as_plain(x, where)
    if hasattr(x, "shape"):
        if x.shape:
            raise TypeError(
                f"{where}: got an array of shape {x.shape}; a Value is one number, use Tensor"
            )
        x = x.item()
    try:
        return float(x)
    except OverflowError as error:
        raise OverflowError(f"{where}: {str(x)[:20]}... is larger than any float") from error
