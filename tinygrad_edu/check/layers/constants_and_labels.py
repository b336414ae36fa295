"""What needs no gradient although it matters: labels, and constants such as tables and masks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tinygrad_edu.check.kinds import is_foreign
from tinygrad_edu.check.layers.gradient_names import bare
from tinygrad_edu.check.layers.layer_variables import Variable
from tinygrad_edu.check.layers.structures import leaves_in

LABELS = re.compile(r"y|t|y?(true|target|label|gt|truth|class|onehot)\w*|mask")
"""What the inputs of a loss are called that it is not differentiated by."""
CONSTANT_WORDS = {
    "cos", "sin", "cosines", "sines", "freq", "freqs", "frequencies", "table", "tables", "mask",
    "running", "moving", "position", "positions", "positional", "pe", "grid", "window", "buffer",
    "const", "constant", "constants", "fixed", "frozen",
}  # fmt: skip
"""Words in the names of arrays that are not learned."""
LISTS_OF_PARAMETERS = ("params", "parameters", "trainable_params")


def is_label(name: str) -> bool:
    """Whether the name of an input says that it is compared with, rather than differentiated by."""
    return bool(LABELS.fullmatch(bare(name)))


def is_constant(variable: Variable) -> bool:
    """Whether an array of a layer is not a parameter: its name says so, or the layer lists its
    parameters, and it is not among them."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", variable.own_name)
    if CONSTANT_WORDS & {word.lower() for word in words}:
        return True
    if any(is_foreign(x) and not x.requires_grad for x in variable.held):
        return True
    for slot in variable.slots:
        for listed in _lists_of_parameters(slot.container.target):
            if not any(x is y for x in listed for y in variable.held):
                return True
    return False


def _lists_of_parameters(owner: Any) -> list[list[Any]]:
    """What an object says its parameters are: in a list or a dict, or by a method."""
    lists = []
    for name in LISTS_OF_PARAMETERS:
        found = getattr(owner, name, None)
        if callable(found):
            try:
                found = list(found())
            except Exception:  # it needs arguments
                continue
        if isinstance(found, list | tuple | Mapping):
            lists.append([x for _, x in leaves_in(found)])
    return lists
