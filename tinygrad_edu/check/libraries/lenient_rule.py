"""A torch.autograd.Function whose backward pass may return what torch would refuse, so that the
report says what is wrong with it, beside the gradients of the other inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_edu.check.oracles.torch_oracle import torch

InputShape = tuple[int, ...] | None
"""The shape of an input; None for what is not a tensor."""


def lenient(
    rule: Any, shapes: Sequence[InputShape], refused: dict[int, Any], faults: list[str]
) -> Any:
    """The same Function for inputs of these shapes.

    What torch would refuse is kept in `refused`, by the place of the input, and 0 stands for it;
    what has nothing to do with the shape is added to `faults`.
    """

    def backward(ctx: Any, *adjoints: Any) -> Any:
        returned = rule.backward(ctx, *adjoints)
        gradients = list(returned) if isinstance(returned, tuple) else [returned]
        refused.clear()
        count = max([i + 1 for i, g in enumerate(gradients) if g is not None], default=0)
        if len(gradients) < len(shapes) or count > len(shapes):
            faults.append(
                f"backward returns {len(gradients)} of {len(shapes)} gradients; return one for "
                "each input, in order, and None where there is none"
            )
        gradients = (gradients + [None] * len(shapes))[: len(shapes)]
        for i, (gradient, shape) in enumerate(zip(gradients, shapes, strict=True)):
            if gradient is None or shape is None:
                continue
            if not isinstance(gradient, torch.Tensor):
                kind = type(gradient).__name__
                faults.append(f"backward returns {kind} for input {i}; return a tensor")
                gradient = torch.as_tensor(gradient, dtype=adjoints[0].dtype)
            gradients[i] = gradient
            if not _sums_to(tuple(gradient.shape), shape):
                refused[i] = gradient
                gradients[i] = gradient.new_zeros(shape)
        return tuple(gradients)

    return type(rule.__name__, (rule,), {"backward": staticmethod(backward)})


def _sums_to(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether torch sums a gradient of one shape to another."""
    try:
        return np.broadcast_shapes(shape, wanted) == shape
    except ValueError:
        return False
