"""Two moons, told apart by a network in which every scalar is a node of its own.

python demos/moons.py            prints the loss as it falls and writes moons.png here
"""

import random

import numpy as np

from tinygrad_edu import Value, collector_paused, nn, no_grad, optim, scalar_nn

STEPS = 40


def make_moons(n: int, noise: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles that reach into each other, n / 2 points each, labels -1 and 1."""
    angle = np.linspace(0, np.pi, n // 2)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    points = np.concatenate([upper, lower]) + rng.normal(0, noise, (2 * (n // 2), 2))
    return points, np.repeat([-1, 1], n // 2)


def train(points: np.ndarray, labels: np.ndarray) -> scalar_nn.MLP:
    """Max-margin loss with a little L2, all points at once, plain gradient descent."""
    model = scalar_nn.MLP(2, [16, 16, 1], rng=random.Random(1))
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    with collector_paused():
        for step in range(STEPS):
            scores = [model(point) for point in points.tolist()]
            margin = nn.max_margin_loss(scores, labels)
            loss = margin + 1e-4 * sum(p * p for p in model.parameters())
            optimizer.lr = 0.5 * (1 - 0.9 * step / STEPS)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            accuracy = np.mean(
                [(s.data > 0) == (y > 0) for s, y in zip(scores, labels, strict=True)]
            )
            if step % 10 == 0 or step == STEPS - 1:
                print(f"step {step:2}: loss {loss.data:.4f}, accuracy {accuracy:.0%}")
    return model


def plot(model: scalar_nn.MLP, points: np.ndarray, labels: np.ndarray, path: str) -> None:
    """The points over the score of the network, whose sign is the decision."""
    import matplotlib.pyplot as plt

    xs, ys = np.linspace(-1.6, 2.6, 45), np.linspace(-1.2, 1.7, 45)
    with no_grad():
        score = np.array([[model([Value(x), Value(y)]).data for x in xs] for y in ys])
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    shown = axes.contourf(xs, ys, np.clip(score, -3, 3), levels=13, cmap="RdBu", vmin=-3, vmax=3)
    axes.contour(xs, ys, score, levels=[0], colors="black")
    for label, marker in ((-1, "o"), (1, "^")):
        chosen = points[labels == label]
        axes.scatter(chosen[:, 0], chosen[:, 1], marker=marker, edgecolors="white",
                     c="#b64500" if label < 0 else "#005fa3", label=f"label {label}")  # fmt: skip
    axes.set(title="score of the network; the line is the decision boundary")
    axes.legend()
    figure.colorbar(shown)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    points, labels = make_moons(100, 0.1, np.random.default_rng(0))
    model = train(points, labels)
    plot(model, points, labels, "moons.png")
    print("decision boundary: moons.png")
