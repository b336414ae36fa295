"""Points in a plane that no straight line tells apart: moons, circles, spirals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.data.data_sets import NUMBER, generator
from tinygrad_edu.rules.operand_types import Array

if TYPE_CHECKING:
    from tinygrad_edu.data.data_sets import Rng


def make_moons(n_samples: int = 100, *, noise: float = 0.0, rng: Rng = None) -> tuple[Array, Array]:
    """Two half circles that reach into each other: points (n_samples, 2) and labels 0 and 1.

    `noise` is the standard deviation of what is added to each coordinate, drawn from `rng`, a
    generator or a seed. The points lie class by class; an odd one is in the first.
    """
    upper, lower = (np.linspace(0, np.pi, n) for n in _sizes("make_moons", n_samples, 2))
    points = [
        np.stack([np.cos(upper), np.sin(upper)], axis=1),
        np.stack([1 - np.cos(lower), 0.5 - np.sin(lower)], axis=1),
    ]
    return _labelled("make_moons", points, noise, rng)


def make_circles(
    n_samples: int = 100, *, factor: float = 0.5, noise: float = 0.0, rng: Rng = None
) -> tuple[Array, Array]:
    """A circle of radius 1, label 0, around one of radius `factor`, label 1; see `make_moons`.

    ValueError unless the factor is between 0 and 1.
    """
    if not 0 < factor < 1:
        raise ValueError(f"make_circles: factor is {factor!r}; it is between 0 and 1")
    angles = [
        np.linspace(0, 2 * np.pi, n, endpoint=False) for n in _sizes("make_circles", n_samples, 2)
    ]
    points = [
        radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        for radius, angle in zip((1.0, factor), angles, strict=True)
    ]
    return _labelled("make_circles", points, noise, rng)


def make_spirals(
    n_samples: int = 100,
    *,
    classes: int = 2,
    turns: float = 1.0,
    noise: float = 0.0,
    rng: Rng = None,
) -> tuple[Array, Array]:
    """The arms of a spiral, one for each class, from the middle to radius 1; see `make_moons`.

    Each arm goes around the middle `turns` times.
    """
    points = []
    for arm, n in enumerate(_sizes("make_spirals", n_samples, classes)):
        radius = np.linspace(0, 1, n + 1)[1:]  # the middle would belong to all
        angle = 2 * np.pi * (arm / classes + turns * radius)
        points.append(radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    return _labelled("make_spirals", points, noise, rng)


def _sizes(operation: str, n_samples: Any, classes: Any) -> list[int]:
    """How many points each class gets: as evenly as can be."""
    for name, x, least in (("classes", classes, 1), ("n_samples", n_samples, classes)):
        if not (isinstance(x, NUMBER) and x >= least and float(x).is_integer()):
            kind: Any = ValueError if isinstance(x, NUMBER) else TypeError
            raise kind(f"{operation}: {name} is {x!r}; give a whole number from {least} up")
    whole, rest = divmod(int(n_samples), int(classes))
    return [whole + (i < rest) for i in range(int(classes))]


def _labelled(operation: str, parts: list[Array], noise: float, rng: Rng) -> tuple[Array, Array]:
    """The points of all classes with noise, and their labels."""
    if not (isinstance(noise, NUMBER) and 0 <= noise < math.inf):
        kind: Any = ValueError if isinstance(noise, NUMBER) else TypeError
        raise kind(f"{operation}: noise is {noise!r}; give a standard deviation from 0 up")
    points = np.concatenate(parts)
    if noise:
        points = points + generator(operation, rng).normal(0, noise, points.shape)
    return points, np.repeat(np.arange(len(parts)), [len(part) for part in parts])
