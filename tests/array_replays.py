"""What a replay of arrays is compared with: a graph that is made and swept."""

from typing import Any

import numpy as np

from tinygrad_edu import Tensor, replay


def eager(function: Any, arrays: Any) -> tuple[Any, list[Any]]:
    """Value and gradients from a graph that is made and swept; whole numbers stay plain arrays."""
    leaves = [Tensor(x) if np.asarray(x).dtype.kind == "f" else np.asarray(x) for x in arrays]
    root = function(*leaves)
    root.backward()
    return root.data, [x.grad for x in leaves if isinstance(x, Tensor)]


def assert_same(found: Any, expected: Any, tolerance: float) -> None:
    """The same values and gradients, of the same dtypes and shapes. Tolerance 0: the same bits."""
    (value, gradients), (own, own_gradients) = found, expected
    assert len(gradients) == len(own_gradients)
    for x, y in zip([np.asarray(value, own.dtype), *gradients], [own, *own_gradients], strict=True):
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        scale = max(1.0, float(np.abs(y).max(initial=0.0)))
        if tolerance:
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * scale)
        else:
            np.testing.assert_array_equal(x, y)


def assert_replays(function: Any, first: Any, *others: Any, tolerance: float = 1e-12) -> Any:
    """Replay a function, recorded with the first inputs, on all of them and on the first again.

    Inputs cannot be written to, and what was handed out is spoiled before the next call.
    """
    replayed = replay(function, first)
    for arrays in (first, *others, first, first):
        given = [np.array(x) for x in arrays]
        for x in given:
            x.flags.writeable = False
        expected = eager(function, arrays)
        found = replayed(*given)
        assert_same(found, expected, tolerance)
        for gradient in found[1]:
            gradient.fill(np.nan)
    return replayed
