"""What people call gradients: dW, grad_W, W_grad, delta_W, dJdW and weights_gradient for W."""

from __future__ import annotations

import re
from collections.abc import Iterable

BEFORE = ("gradientof", "gradient", "gradof", "gradwrt", "grad", "delta", "nabla", "partial",
          "dlossd", "dcostd", "doutd", "dld", "djd", "ded", "dcd", "dyd", "d")  # fmt: skip
AFTER = ("gradients", "gradient", "grads", "grad", "delta", "derivative", "deriv", "diff")
GRADIENTS = ("grads", "gradients", "grad", "gradient", "diff", "derivative", "g", "d", "dparams")
"""The names of lists, dicts and arrays that hold the gradients of what is beside them."""
PARAMETERS = ("params", "parameters", "param", "p", "weights", "theta", "value", "val", "data", "w",
              "values", "array")  # fmt: skip
"""The names of lists, dicts and arrays that have their gradients beside them."""
SHORTER = (("^weights?", "w"), ("^bias(es)?", "b"), ("^(inputs?|inp)$", "x"))
"""How people shorten the names of what has a gradient in the name of the gradient."""


def bare(name: object) -> str:
    """A name without case, dots and underscores."""
    return re.sub(r"[_.]", "", str(name)).lower()


def shortened(name: object) -> str:
    """A bare name, shortened as people do: w1 for weights_1."""
    text = bare(name)
    for long, its_short in SHORTER:
        text = re.sub(long, its_short, text)
    return text


def owners_named(name: object) -> list[str]:
    """What a gradient of this name belongs to, as shortened names, the likeliest first; empty if
    it is not the name of a gradient."""
    text = bare(name)
    owners = [text.removeprefix(word) for word in BEFORE if text.startswith(word)]
    owners += [text.removesuffix(word) for word in AFTER if text.endswith(word)]
    owners += [text[:-1]] if str(name).lower().endswith("_g") else []
    return [shortened(owner) for owner in owners if owner]


def is_gradient_name(name: object) -> bool:
    """Whether a name says that it is a gradient, of anything."""
    return bare(name) in GRADIENTS or bool(owners_named(name))


def is_gradient_of(name: object, names: Iterable[str]) -> bool:
    """Whether a name is that of the gradient of something with one of these names."""
    owners = owners_named(name)
    wanted = {shortened(n) for n in names} - {""}
    return bare(name) not in {bare(n) for n in names} and any(o in wanted for o in owners)
