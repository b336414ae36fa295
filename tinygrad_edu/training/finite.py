"""A loss that is nan or infinite, and the first node that was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import topological_order
from tinygrad_edu.engine.names import escaped


class NotFiniteError(ArithmeticError):
    """The loss of a step is nan or infinite."""


def check_finite(losses: Sequence[float], root: Any = None) -> None:
    """NotFiniteError for the first loss that is nan or infinite, with the node that was first."""
    for i, loss in enumerate(losses, 1):
        if not math.isfinite(loss):
            where = "" if len(losses) == 1 else f" at step {i}"
            raise NotFiniteError(f"the loss is {loss}{where}{first_not_finite(root)}")


def first_not_finite(root: Any) -> str:
    """In words: the first node, in topological order, whose data are not all finite."""
    for node in topological_order(root) if root is not None else ():
        data = np.asarray(node.data)
        if not np.isfinite(data).all():
            bad = data.flat[int(np.argmin(np.isfinite(data)))]
            name = f" {escaped(node.label)}" if node.label else ""
            what = f"the result{name} of {node.symbol}" if node.operands else f"the leaf{name}"
            return f"; the first node that is not finite is {what}, with a {bad}"
    return ""
