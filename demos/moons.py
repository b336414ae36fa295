"""Two moons, told apart by a network in which every scalar is a node of its own.

python demos/moons.py            trains it twice, recorded and replayed, and writes moons.png here
"""

import random
import time
from collections.abc import Iterator

import numpy as np
from ready import ready

from tinygrad_edu import Value, collector_paused, data, nn, no_grad, optim, replay, scalar_nn

RATES, L2 = 0.5 * np.linspace(1, 0.1, 40, endpoint=False), 1e-4  # the rates of each step
Steps = Iterator[tuple[float, float]]  # loss and accuracy before each step
Trained = tuple[scalar_nn.MLP, list[float]]  # and the losses


def by_recording(model: scalar_nn.MLP, points: np.ndarray, labels: np.ndarray) -> Steps:
    """Every step records the graph of all points, 65 000 nodes, and goes back through it."""
    optimizer = optim.SGD(model.parameters(), lr=RATES[0])
    for rate in RATES:
        optimizer.lr = rate
        scores = [model(point) for point in points.tolist()]
        loss = nn.max_margin_loss(scores, labels) + L2 * sum(p * p for p in model.parameters())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.data, np.mean([s.data * y > 0 for s, y in zip(scores, labels, strict=True)])


def by_replay(model: scalar_nn.MLP, points: np.ndarray, labels: np.ndarray) -> Steps:
    """The graph of one point is recorded once; a step is one call of its program, over columns."""
    x0, x1, label = Value(0, "x0"), Value(0, "x1"), Value(1, "label")
    margin = (1 - label * model([x0, x1])).relu()
    run = replay(margin, [x0, x1, label, model.parameters()], wrt=[model.parameters()])
    weights = np.array([p.data for p in model.parameters()])
    for rate in RATES:
        margins, (gradient,) = run(*points.T, labels, weights)
        yield margins.mean() + L2 * weights @ weights, np.mean(margins < 1)
        weights = weights - rate * (gradient / len(labels) + 2 * L2 * weights)
    for p, weight in zip(model.parameters(), weights.tolist(), strict=True):
        p.data = weight


def train(points: np.ndarray, labels: np.ndarray, replay: bool = False) -> Trained:
    """Max-margin loss with a little L2, all points at once, plain gradient descent."""
    model, losses = scalar_nn.MLP(2, [16, 16, 1], rng=random.Random(1)), []
    with collector_paused():
        steps = (by_replay if replay else by_recording)(model, points, labels)
        for step, (loss, accuracy) in enumerate(steps):
            losses.append(loss)
            if step % 10 == 0 or step == len(RATES) - 1:
                print(f"step {step:2}: loss {loss:.4f}, accuracy {accuracy:.0%}")
    return model, losses


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
    ready("matplotlib")
    points, classes = data.make_moons(100, noise=0.1, rng=0)
    labels = 2 * classes - 1  # -1 and 1
    start = time.perf_counter()
    model, recorded = train(points, labels)
    middle = time.perf_counter()
    model, replayed = train(points, labels, replay=True)
    print(f"the graph of each step recorded: {middle - start:.2f} s")
    print(f"that of one point replayed over all points: {time.perf_counter() - middle:.2f} s")
    print(f"largest difference of losses: {np.abs(np.subtract(recorded, replayed)).max():.0e}")
    plot(model, points, labels, "moons.png")
    print("decision boundary: moons.png")
