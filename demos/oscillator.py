"""A network that learns a damped oscillator from its equation alone: u'' + 2 d u' + w² u = 0.

python demos/oscillator.py       prints the error as it falls and writes oscillator.png here
"""

import time
from typing import Any

import numpy as np
from ready import ready

from tinygrad_edu import Tensor, grad, optim

DAMPING, FREQUENCY, END = 0.4, 2.0, 5.0  # d in 1/s, w in rad/s, s
HIDDEN, TIMES, STEPS, RATE = 48, 60, 3000, 0.02


def exact(t: np.ndarray) -> np.ndarray:
    """The solution in m that starts at 1 m and at rest; used to measure errors, not to train."""
    w = np.sqrt(FREQUENCY**2 - DAMPING**2)
    return np.asarray(np.exp(-DAMPING * t) * (np.cos(w * t) + DAMPING / w * np.sin(w * t)))


class Network:
    """u(t) = 1 + N(t) t² / (1 + t²): with any network N, it starts at 1 and at rest."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.weight = Tensor(rng.normal(0, 6, (1, HIDDEN)), "weight")
        self.bias = Tensor(rng.uniform(-6, 6, HIDDEN), "bias")
        self.out = Tensor(rng.normal(0, HIDDEN**-0.5, (HIDDEN, 1)), "out")

    def __call__(self, t: Any) -> Any:
        n = ((t * (2 / END) - 1) @ self.weight + self.bias).tanh() @ self.out
        return 1 + n * (t * t / (t * t + 1))


def residual(u: Network, t: np.ndarray) -> Any:
    """u'' + 2 d u' + w² u in m/s² at each time; u' and u'' are nodes, so a loss can use them."""
    velocity = grad(lambda t: u(t).sum())  # of the sum, as each u depends on its own t alone
    acceleration = grad(lambda t: velocity(t).sum())(t)
    return acceleration + velocity(t) * (2 * DAMPING) + u(t) * FREQUENCY**2


def train(u: Network) -> None:
    """Least squares of the residual, by Adam with a falling rate."""
    t = np.linspace(0, END, TIMES)[:, None]
    optimizer = optim.Adam([u.weight, u.bias, u.out], lr=RATE)
    for step in range(STEPS + 1):
        loss = (residual(u, t) ** 2).mean()
        if step % 500 == 0:
            error = np.abs(u(t).data - exact(t)).max()
            print(f"step {step:4}: loss {loss.item():.1e} (m/s²)², largest error {error:.1e} m")
        optimizer.lr = RATE * (1 + np.cos(np.pi * step / STEPS)) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def plot(t: np.ndarray, u: np.ndarray, path: str) -> None:
    """The network over the exact solution, and their difference."""
    import matplotlib.pyplot as plt

    figure, (top, bottom) = plt.subplots(2, 1, sharex=True, layout="constrained")
    top.plot(t, exact(t), color="0.7", linewidth=5, label="exact")
    top.plot(t, u, color="#b64500", label="network")
    top.set(ylabel="u in m", title=f"u″ + 2 · {DAMPING} u′ + {FREQUENCY:g}² u = 0, learned")
    top.legend()
    bottom.plot(t, 1000 * (u - exact(t)), color="#005fa3")
    bottom.set(xlabel="t in s", ylabel="network − exact in mm")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    ready("matplotlib")
    start, network = time.perf_counter(), Network(np.random.default_rng(0))
    train(network)
    t = np.linspace(0, END, 1001)[:, None]  # also between the times of training
    error = np.abs(network(t).data - exact(t)).max()
    print(f"largest error at any time {error:.1e} m, after {time.perf_counter() - start:.1f} s")
    plot(t, network(t).data, "oscillator.png")
    print("curves: oscillator.png")
