"""The gradients of a network three times: by hand, by the engine, and by central differences.

python demos/by_hand.py          prints them side by side and writes by_hand.png here
"""

from typing import Any

import numpy as np
from ready import ready

from tinygrad_edu import data, nn

H = 1e-4
Arrays = dict[str, Any]  # of the parameters W1, b1, W2, b2, or of their gradients


def start(rng: np.random.Generator) -> Arrays:
    """The parameters of a 64-30-10 network."""
    first, second = (rng.normal(0, (2 / n) ** 0.5, (n, m)) for n, m in ((64, 30), (30, 10)))
    return {"W1": first, "b1": np.zeros(30), "W2": second, "b2": np.zeros(10)}


def loss_by_hand(p: Arrays, x: np.ndarray, y: np.ndarray) -> tuple[float, Arrays]:
    """The mean cross-entropy of a batch in NumPy, and what the backward pass needs."""
    z1 = x @ p["W1"] + p["b1"]
    a1 = np.maximum(z1, 0)
    z2 = a1 @ p["W2"] + p["b2"]
    e = np.exp(z2 - z2.max(axis=1, keepdims=True))
    s = e / e.sum(axis=1, keepdims=True)
    return -float(np.log(s[np.arange(len(y)), y]).mean()), {"z1": z1, "a1": a1, "s": s}


def by_hand(p: Arrays, x: np.ndarray, y: np.ndarray) -> Arrays:
    """The backward pass, derived on paper."""
    _, kept = loss_by_hand(p, x, y)
    dz2 = (kept["s"] - np.eye(10)[y]) / len(y)
    dz1 = (dz2 @ p["W2"].T) * (kept["z1"] > 0)
    return {"W1": x.T @ dz1, "b1": dz1.sum(axis=0), "W2": kept["a1"].T @ dz2, "b2": dz2.sum(axis=0)}


def by_engine(p: Arrays, x: np.ndarray, y: np.ndarray) -> Arrays:
    """The forward pass alone; the engine goes back through it."""
    model = nn.MLP(64, [30, 10])
    for parameter, value in zip(model.parameters(), p.values(), strict=True):
        parameter.data = value
    nn.cross_entropy(model(x), y).backward()
    return dict(zip(p, (parameter.grad for parameter in model.parameters()), strict=True))


def by_differences(p: Arrays, x: np.ndarray, y: np.ndarray) -> Arrays:
    """(L(w + h) - L(w - h)) / 2h for every element w of every parameter."""
    found = {name: np.empty_like(array) for name, array in p.items()}
    for name, array in p.items():
        for index in np.ndindex(array.shape):
            above, below = array.copy(), array.copy()
            above[index] += H
            below[index] -= H
            high, low = (loss_by_hand({**p, name: q}, x, y)[0] for q in (above, below))
            found[name][index] = (high - low) / (2 * H)
    return found


def plot(ways: dict[str, Arrays], path: str) -> None:
    """The gradient of W2 by hand and by the engine, and how far apart they are."""
    import matplotlib.pyplot as plt

    hand, engine, _ = (gradients["W2"] for gradients in ways.values())
    pictures = {"by hand": hand, "by the engine": engine, "difference": hand - engine}
    figure, panels = plt.subplots(1, 3, figsize=(9, 5), layout="constrained")
    for panel, (title, values) in zip(panels, pictures.items(), strict=True):
        most = float(np.abs(values).max()) or 1.0  # the same for both signs: white is 0
        image = panel.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto")
        panel.set(title=title, xlabel="class", xticks=range(10))
        figure.colorbar(image, ax=panel, format="%.0e" if title == "difference" else None)
    panels[0].set(ylabel="hidden unit")
    figure.suptitle("gradient of the loss by the weights of the second layer")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    ready("matplotlib")
    x, y = data.load_digits()
    x, y = (x[:30] - x.mean()) / x.std(), y[:30]
    parameters = start(np.random.default_rng(0))
    ways = {"by hand": by_hand, "engine": by_engine, "differences": by_differences}
    found = {name: way(parameters, x, y) for name, way in ways.items()}
    hand, engine, differences = found.values()
    print(f"{'element':12}" + "".join(f"{name:>22}" for name in ways))
    for name, gradient in hand.items():
        for flat in np.argsort(-np.abs(gradient), axis=None)[:3]:  # the three largest
            index = tuple(map(int, np.unravel_index(flat, gradient.shape)))
            figures = "".join(f"{way[name][index]:22.15f}" for way in found.values())
            print(f"{name + str(list(index)):12}{figures}")
    print(f"\n{'parameter':12}{'numbers':>9}{'engine - by hand':>20}{'engine - differences':>24}")
    for name, gradient in engine.items():
        apart = (np.abs(gradient - other[name]).max() for other in (hand, differences))
        print("{:12}{:9}{:20.1e}{:24.1e}".format(name, gradient.size, *apart))
    plot(found, "by_hand.png")
    print("\nside by side: by_hand.png")
