"""A smooth curve through noisy points, and its slope and curvature by differentiating the fit.

python demos/curvature.py        prints the largest errors and writes curvature.png here
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from ready import ready

from tinygrad_edu import grad, hessian

NOISE, HARMONICS, SMOOTHING = 0.03, 8, 1e-6
Curve = Callable[[Any], Any]


def truth(x: Any) -> Any:
    """A wave that grows and shrinks: sin(2x) with the height 1 / (1 + x² / 4)."""
    return np.sin(x * 2) / (x * x / 4 + 1)


def fit(x: np.ndarray, y: np.ndarray) -> Curve:
    """Sines and cosines over [-3, 3] with the least squared error, and a price on roughness.

    The loss is quadratic in the weights: one step of Newton's method finds its minimum.
    """
    frequencies = np.pi / 4 * np.arange(1, HARMONICS + 1)
    price = SMOOTHING * np.concatenate([[0, 0], frequencies, frequencies]) ** 4

    def curve(weights: Any, x: Any) -> Any:
        angles = x.reshape((-1, 1)) * frequencies
        n = HARMONICS + 2
        waves = np.sin(angles) @ weights[2:n] + np.cos(angles) @ weights[n:]
        return weights[0] + weights[1] * x + waves

    def loss(weights: Any) -> Any:
        return ((curve(weights, x) - y) ** 2).mean() + (weights * weights * price).sum()

    start = np.zeros(2 + 2 * HARMONICS)
    weights = start - np.linalg.solve(hessian(loss)(start), grad(loss)(start))
    return lambda x: curve(weights, x)


def shape_of(curve: Curve, x: np.ndarray) -> dict[str, np.ndarray]:
    """The height of the curve at each x, its slope y', and k = y'' / (1 + y'²)^(3/2)."""
    slope = grad(lambda x: curve(x).sum())  # of the sum, as each y depends on its own x alone
    first, second = slope(x), grad(lambda x: slope(x).sum())(x)
    return {"height y": curve(x), "slope y'": first, "curvature k": second / (1 + first**2) ** 1.5}


def plot(points: tuple[np.ndarray, np.ndarray], x: np.ndarray, fitted: dict[str, np.ndarray],
         true: dict[str, np.ndarray], path: str) -> None:  # fmt: skip
    """Height, slope and curvature, one below the other, each with the truth."""
    import matplotlib.pyplot as plt

    figure, rows = plt.subplots(3, 1, figsize=(7, 7), sharex=True, layout="constrained")
    rows[0].plot(*points, ".", color="0.6", markersize=4, label="points")
    for axes, (name, y) in zip(rows, fitted.items(), strict=True):
        axes.plot(x, true[name], "k--", linewidth=1, label="truth")
        axes.plot(x, y, color="#b64500", label="fit")
        axes.set(ylabel=name)
        axes.grid(alpha=0.3)
    rows[0].set(title=f"a fit to points with noise {NOISE}, and its derivatives")
    rows[0].legend(ncols=3, loc="upper left")
    rows[-1].set(xlabel="x")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    ready("matplotlib")
    rng = np.random.default_rng(0)
    x_points = np.sort(rng.uniform(-3, 3, 200))
    y_points = truth(x_points) + rng.normal(0, NOISE, x_points.size)
    x = np.linspace(-2.5, 2.5, 501)  # at the ends of the points, a fit has fewer neighbours
    fitted, true = shape_of(fit(x_points, y_points), x), shape_of(truth, x)
    for name, y in fitted.items():
        error = np.abs(y - true[name]).max()
        print(f"{name:12} largest error {error:.3f}, largest value {np.abs(true[name]).max():.3f}")
    plot((x_points, y_points), x, fitted, true, "curvature.png")
    print("curves: curvature.png")
