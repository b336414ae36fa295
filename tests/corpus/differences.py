"""The oracle of the corpus: central differences of a layer's text, of NumPy alone.

Nothing of the package is used here. Each value of the forward pass comes from a layer that was made
again from the same numbers, in float64: buffers that a text makes of dtype "f" are made wide.
"""

from typing import Any

import numpy as np
from hand_written import HandWritten, Mistake, made

STEP = 1e-5


def analytic(layer: HandWritten, mistake: Mistake | None, seed: int) -> dict[str, Any]:
    """What backward gives, by the name of what it belongs to."""
    names = _started(layer, _wide(layer, mistake), seed)
    _forward(layer, names, seed)
    names["dout"] = _each(_adjoint, names["out"], seed)
    exec(layer.backward, names)
    return {name: _gradient(names, text) for name, text in _pairs(layer)}


def numeric(layer: HandWritten, mistake: Mistake | None, seed: int) -> dict[str, Any]:
    """Central differences, by the name of what is moved."""
    space = _wide(layer, mistake)
    shapes = {name: np.shape(_place(layer, space, seed, name)[1]) for name, _ in _pairs(layer)}
    return {
        name: np.array([
            _slope(layer, space, seed, name, index) for index in np.ndindex(*shape)
        ]).reshape(shape)
        for name, shape in shapes.items()
    }  # fmt: skip


def error(a: Any, n: Any) -> float:
    """The largest difference, over the largest of both; infinite where shapes differ."""
    if np.shape(a) != np.shape(n):
        return np.inf
    size = max(np.abs(n).max(initial=0), np.abs(a).max(initial=0))
    return float(np.abs(a - n).max(initial=0) / size) if size else 0.0


def _wide(layer: HandWritten, mistake: Mistake | None) -> dict[str, Any]:
    return layer.space(mistake, lambda text: text.replace('dtype="f"', 'dtype="d"'))


def _pairs(layer: HandWritten) -> list[tuple[str, str]]:
    pairs = [pair.split(":", 1) for pair in layer.gradients.split(";")]
    return [(name.strip(), text.strip()) for name, text in pairs]


def _gradient(names: dict[str, Any], text: str) -> Any:
    try:
        return np.array(eval(text, names), dtype=float)
    except (AttributeError, KeyError, NameError, IndexError, TypeError, ValueError):
        return np.array(np.nan)  # a mistake may be that there is none


def _started(layer: HandWritten, space: dict[str, Any], seed: int) -> dict[str, Any]:
    names = dict(space)
    given, _ = made(names, seed)
    names.update(zip(layer.given.replace(" ", "").split(","), given, strict=True))
    return names


def _forward(layer: HandWritten, names: dict[str, Any], seed: int) -> None:
    np.random.seed(seed + 1)
    exec(layer.forward, names)


def _place(layer: HandWritten, space: dict[str, Any], seed: int, name: str) -> tuple[dict, Any]:
    """A layer made again, and the array that goes by a name."""
    names = _started(layer, space, seed)
    if layer.is_lazy:
        _forward(layer, names, seed)
    return names, eval(name, names)


def _slope(layer: HandWritten, space: dict, seed: int, name: str, index: tuple) -> float:
    results = []
    for step in (STEP, -STEP):
        names, array = _place(layer, space, seed, name)
        array[index] += step
        _forward(layer, names, seed)
        weighed = _each(lambda out, i: np.sum(out * _adjoint(out, i)), names["out"], seed)
        results.append(np.sum(weighed))
    return (results[0] - results[1]) / (2 * STEP)


def _each(function: Any, out: Any, seed: int) -> Any:
    if isinstance(out, tuple):
        return tuple(function(o, seed + i) for i, o in enumerate(out))
    return function(out, seed)


def _adjoint(out: Any, seed: int) -> Any:
    if np.ndim(out) == 0:
        return 1.0
    return np.random.default_rng(1000 + seed).normal(size=np.shape(out))
