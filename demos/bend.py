"""A line that cannot bend, and one that can: what an activation is for.

python demos/bend.py             fits x² with and without ReLU, and writes bend.png here
"""

import numpy as np
from ready import ready

from tinygrad_edu import epochs, nn, no_grad, optim

HIDDEN, LEARNING_RATE, STEPS = 10, 0.03, 10_000
KEPT = 10, 50, 400, 500, 600, 800, 1000, STEPS  # the steps whose predictions are drawn
Fit = tuple[dict[int, np.ndarray], list[float]]  # predictions kept, and the error before each step


def make_points(n: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """x from -1 to 1 and x² with noise between 0 and 0.2, as columns."""
    x = np.linspace(-1, 1, n).reshape(-1, 1)
    return x, x**2 + 0.2 * np.random.default_rng(42).random((n, 1))


def fit(x: np.ndarray, y: np.ndarray, bends: bool) -> Fit:
    """Gradient descent on all points, 1-10-1 or 1-10-ReLU-1, every step replayed."""
    rng = np.random.default_rng(0)
    first, second = (nn.Linear(*shape, init=1.0, rng=rng) for shape in ((1, HIDDEN), (HIDDEN, 1)))
    model = nn.Sequential(first, nn.ReLU(), second) if bends else nn.Sequential(first, second)
    for layer in (first, second):
        assert layer.bias is not None
        layer.bias.data = np.full(layer.bias.shape, 0.5)

    def predict(step: int) -> None:
        if step in KEPT:
            with no_grad():
                predictions[step] = model(x).data

    predictions: dict[int, np.ndarray] = {}
    errors = []
    optimizer = optim.SGD(model.parameters(), lr=LEARNING_RATE)
    for epoch in epochs(model, nn.mse_loss, [(x, y)], optimizer, STEPS, replay=True):
        errors.append(epoch.loss)
        predict(len(errors) + 1)
    return predictions, errors


def error_of_a_line(x: np.ndarray, y: np.ndarray) -> float:
    """The least mean squared error that any straight line through the points can have."""
    line = np.polyfit(x[:, 0], y[:, 0], deg=1)
    return float(((np.polyval(line, x) - y) ** 2).mean())


def plot(x: np.ndarray, y: np.ndarray, fits: dict[str, Fit], path: str) -> None:
    """The predictions on the way and at the end for each network; both errors on the right."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
    shades = plt.get_cmap("viridis_r")(np.linspace(0.1, 0.75, len(KEPT) - 1))
    colours = dict(zip(KEPT, [*shades, "#d43d00"], strict=True))
    for panel, (name, (predictions, errors)) in zip(panels, fits.items(), strict=False):
        panel.scatter(x, y, s=9, color="0.65", label="points")
        for step, prediction in predictions.items():
            size, order = (14, 3) if step == STEPS else (5, 2)
            panel.scatter(x, prediction, s=size, color=colours[step], zorder=order,
                          label=f"step {step}")  # fmt: skip
        panel.set(title=f"{name}: error {errors[-1]:.4f} at the end", xlabel="x", ylim=(-0.1, 1.25))
    panels[1].sharey(panels[0])
    panels[0].legend(fontsize=8, ncols=2, loc="upper center")
    for (name, (_, errors)), style in zip(fits.items(), ("--", "-"), strict=True):
        panels[2].loglog(range(1, STEPS + 1), errors, style, label=name)
    panels[2].axhline(error_of_a_line(x, y), color="0.5", linewidth=1, linestyle=":",
                      label="best straight line")  # fmt: skip
    panels[2].set(title="mean squared error", xlabel="step")
    panels[2].legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    ready("matplotlib")
    x, y = make_points()
    fits = {"1-10-1": fit(x, y, bends=False), "1-10-ReLU-1": fit(x, y, bends=True)}
    print("mean squared error       " + "".join(f"{name:>14}" for name in fits))
    for step in sorted({1, 200, *KEPT}):
        figures = "".join(f"{errors[step - 1]:14.4f}" for _, errors in fits.values())
        print(f"before step {step:6}       {figures}")
    print(f"the best straight line has an error of {error_of_a_line(x, y):.4f}")
    plot(x, y, fits, "bend.png")
    print("predictions on the way: bend.png")
