"""The norm of all gradients, and gradients that are made shorter."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from tinygrad_edu.optim import not_negative


def gradient_norm(parameters: Iterable[Any]) -> float:
    """The length of all gradients as one vector."""
    return math.sqrt(sum(float((p.grad * p.grad).sum()) if hasattr(p.grad, "sum")
                         else p.grad * p.grad for p in parameters))  # fmt: skip


def clip_gradients(parameters: Iterable[Any], max_norm: float) -> float:
    """Scale the gradients of all parameters so that their norm is at most `max_norm`.

    Returns the norm before that. Call it between `loss.backward()` and `optimizer.step()`.
    ValueError, with nothing changed, if the norm is nan or infinite, and for a negative `max_norm`.
    """
    most = not_negative("clip_gradients", max_norm=max_norm)
    parameters = list(parameters)
    norm = gradient_norm(parameters)
    if not math.isfinite(norm):
        raise ValueError(
            f"clip_gradients: the norm of the gradients is {norm}; no factor makes it {most:g}, "
            "so look for the first node that is not finite, or use a smaller learning rate"
        )
    if norm > most:
        for p in parameters:
            p.grad = p.grad * (most / norm)
    return norm
