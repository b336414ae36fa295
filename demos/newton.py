"""Newton's method against gradient descent in Rosenbrock's valley.

python demos/newton.py           prints the iterates and writes newton.png here
"""

from typing import Any

import numpy as np
from ready import ready

from tinygrad_edu import grad, hessian, value_and_grad

START, MINIMUM = np.array([-1.2, 1.0]), np.array([1.0, 1.0])
NEWTON_STEPS, DESCENT_STEPS, RATE = 6, 5000, 1e-3


def rosenbrock(x: Any) -> Any:
    """(1 - a)² + 100 (b - a²)²: a curved valley, nearly flat along its floor, lowest at (1, 1)."""
    a, b = x[0], x[1]
    return (1 - a) ** 2 + 100 * (b - a**2) ** 2


def newton(x: np.ndarray) -> list[np.ndarray]:
    """Each step goes where the gradient would vanish if the Hessian were the same everywhere."""
    path = [x]
    for _ in range(NEWTON_STEPS):
        x = x - np.linalg.solve(hessian(rosenbrock)(x), grad(rosenbrock)(x))
        path.append(x)
    return path


def descend(x: np.ndarray) -> list[np.ndarray]:
    """Each step goes down the gradient, and a short way, because the walls are steep."""
    path = [x]
    for _ in range(DESCENT_STEPS):
        x = x - RATE * grad(rosenbrock)(x)
        path.append(x)
    return path


def show(name: str, path: list[np.ndarray], steps: list[int]) -> None:
    """A line for each of these steps."""
    print(f"{name}\n{'step':>5}  {'a':>10} {'b':>10} {'f(a, b)':>11} {'|gradient|':>11}")
    for step in steps:
        value, gradient = value_and_grad(rosenbrock)(path[step])
        a, b = path[step]
        print(f"{step:5}  {a:10.6f} {b:10.6f} {value:11.2e} {np.linalg.norm(gradient):11.2e}")


def plot(paths: dict[str, list[np.ndarray]], path: str) -> None:
    """Both paths over contours of f, and f as it falls."""
    import matplotlib.pyplot as plt

    a, b = np.meshgrid(np.linspace(-1.75, 1.65, 300), np.linspace(-3.6, 2.4, 300))
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    lines = left.contour(a, b, rosenbrock((a, b)), [10, 100, 1000], colors="0.6", linewidths=0.8)
    left.clabel(lines, fmt="f = %g", fontsize=8, manual=[(0.3, -0.2), (0.3, -0.9), (1.2, -1.7)])
    for (name, points), color in zip(paths.items(), ["#b64500", "#005fa3"], strict=True):
        style = "o-" if len(points) < 20 else "-"
        left.plot(*np.transpose(points), style, color=color, markersize=4, label=name)
        right.loglog(range(1, len(points)), [rosenbrock(x) for x in points[1:]], style, color=color,
                     markersize=4)  # fmt: skip
    left.plot(*START, "ks", label="start")
    left.plot(*MINIMUM, "k*", markersize=11, label="minimum")
    left.set(xlabel="a", ylabel="b", title="f(a, b) = (1 − a)² + 100 (b − a²)²")
    left.legend(loc="lower left")
    right.set(xlabel="step", ylabel="f", title="value after each step")
    right.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    ready("matplotlib")
    by_newton, by_descent = newton(START), descend(START)
    show("Newton's method", by_newton, list(range(NEWTON_STEPS + 1)))
    show(f"\ngradient descent, rate {RATE:g}", by_descent, [0, 1, 10, 100, 1000, DESCENT_STEPS])
    plot({f"Newton, {NEWTON_STEPS} steps": by_newton,
          f"gradient descent, {DESCENT_STEPS} steps": by_descent}, "newton.png")  # fmt: skip
    print("\npaths: newton.png")
