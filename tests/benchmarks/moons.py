"""A step of the network of micrograd's demo: 2-16-16-1, max-margin loss, L2, all points at once.

Forward, backward and gradient descent, in float64. Either every scalar is a node, by the lines of
the demo, or a layer is a matrix, by hand. The parameters are one flat list in micrograd's order:
for each neuron its weights, then its bias.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from peers import jax_on_one_thread, mygrad_without_guard, our_replay, our_replay_with_numba
from workload import OURS, Workload

Answer = tuple[Callable[[], Any], list[Any]]

WIDTHS = [2, 16, 16, 1]
L2, LR = 1e-4, 0.05


def problem(n: int) -> tuple[list[list[float]], list[int], list[float]]:
    """Points around two centres, labels -1 and 1, and where the parameters start."""
    rng = random.Random(0)
    labels = [rng.choice((-1, 1)) for _ in range(n)]
    points = [[rng.gauss(0.6 * label, 1.0), rng.gauss(0.0, 1.0)] for label in labels]
    weights = [
        rng.uniform(-1, 1) if j < inputs else 0.0
        for inputs, outputs in pairwise(WIDTHS)
        for _ in range(outputs)
        for j in range(inputs + 1)
    ]
    return points, labels, weights


def layers(flat: Any) -> Iterator[tuple[Any, Any]]:
    """The weight (inputs, outputs) and the bias of each layer, as views of a flat array."""
    start = 0
    for inputs, outputs in pairwise(WIDTHS):
        end = start + outputs * (inputs + 1)
        table = flat[start:end].reshape(outputs, inputs + 1)
        yield table[:, :-1].T, table[:, -1]
        start = end


def two_steps(n: int) -> list[Any]:
    """The losses and, afterwards, the parameters, from central differences."""
    import numpy as np

    points, labels, flat = map(np.array, problem(n))

    def loss(flat: Any) -> Any:
        a = points
        for weight, bias in layers(flat):
            z = a @ weight + bias
            a = np.maximum(z, 0)
        return np.maximum(1 - labels * z[:, 0], 0).mean() + L2 * flat @ flat

    losses, h = [], 1e-6
    for _ in range(2):
        losses.append(loss(flat))
        nudges = h * np.eye(len(flat))
        flat = flat - LR * np.array([loss(flat + d) - loss(flat - d) for d in nudges]) / (2 * h)
    return [losses, flat]


WORKLOAD = Workload(
    "a step of a 2-16-16-1 max-margin network",
    reference=two_steps,
    sizes={"100 points": 100},
    quick={"10 points": 10},
)


def scalar_step(model: Any, value: Any, points: Any, labels: Any, weights: Any) -> Answer:
    """The lines of micrograd's demo, for micrograd and for us."""
    parameters = model.parameters()
    for p, start in zip(parameters, weights, strict=True):
        p.data = start

    def call() -> Any:
        inputs = [list(map(value, point)) for point in points]
        scores = list(map(model, inputs))
        losses = [(1 + -label * score).relu() for label, score in zip(labels, scores, strict=True)]
        total = sum(losses) * (1.0 / len(losses)) + L2 * sum(p * p for p in parameters)
        model.zero_grad()
        total.backward()
        for p in parameters:
            p.data -= LR * p.grad
        return total.data

    losses = [call(), call()]
    return call, [losses, [p.data for p in parameters]]


@WORKLOAD.candidate("micrograd")
def micrograd(n: int) -> Answer:
    from micrograd.engine import Value
    from micrograd.nn import MLP

    return scalar_step(MLP(WIDTHS[0], WIDTHS[1:]), Value, *problem(n))


@WORKLOAD.candidate(OURS)
def tinygrad_edu(n: int) -> Answer:
    from tinygrad_edu import Value
    from tinygrad_edu.scalar_nn import MLP

    return scalar_step(MLP(WIDTHS[0], WIDTHS[1:]), Value, *problem(n))


@WORKLOAD.candidate(f"{OURS}, collector paused")
def tinygrad_edu_paused(n: int) -> Answer:
    from tinygrad_edu import collector_paused

    call, answer = tinygrad_edu(n)
    return collector_paused()(call), answer


@WORKLOAD.candidate("NumPy by hand, vectorised")
def numpy(n: int) -> Answer:
    import numpy as np

    points, labels, flat = map(np.array, problem(n))
    gradient = np.empty_like(flat)
    pairs = list(zip(layers(flat), layers(gradient), strict=True))

    def call() -> Any:
        inputs, a = [], points
        for (weight, bias), _ in pairs:
            inputs.append(a)
            z = a @ weight + bias
            a = np.maximum(z, 0)
        margins = np.maximum(1 - labels * z[:, 0], 0)
        loss = margins.sum() / n + L2 * (flat @ flat)
        g = ((margins > 0) * labels * (-1 / n))[:, None]
        for i in range(len(pairs) - 1, -1, -1):
            (weight, _), (by_weight, by_bias) = pairs[i]
            by_weight[:], by_bias[:] = inputs[i].T @ g, g.sum(axis=0)
            if i:
                g = (g @ weight.T) * (inputs[i] > 0)
        flat[:] -= LR * (gradient + 2 * L2 * flat)
        return loss

    losses = [call(), call()]
    return call, [losses, flat.copy()]


def matrices(n: int) -> tuple[Any, Any, list[Any]]:
    """The points, the labels, and weights and biases as one list of contiguous arrays."""
    import numpy as np

    points, labels, flat = map(np.array, problem(n))
    parameters = [np.ascontiguousarray(part) for layer in layers(flat) for part in layer]
    return points, labels.astype(float), parameters


def flat(parameters: Any) -> Any:
    """The reverse: a list of weights and biases in micrograd's order."""
    import numpy as np

    parts = [np.asarray(p) for p in parameters]
    tables = [np.vstack([w, b]).T for w, b in zip(parts[::2], parts[1::2], strict=True)]
    return np.concatenate([table.ravel() for table in tables])


def margin_loss(points: Any, labels: Any, parameters: Any, maximum: Any) -> Any:
    """The loss, in operations that all libraries of arrays have."""
    a = points
    for i in range(0, len(parameters), 2):
        z = a @ parameters[i] + parameters[i + 1]
        a = maximum(z, 0.0)
    squares = sum((p * p).sum() for p in parameters)
    return maximum(1 - labels * z[:, 0], 0.0).mean() + L2 * squares


@WORKLOAD.candidate("torch, vectorised")
def torch(n: int) -> Answer:
    import torch

    points, labels, start = matrices(n)
    x, y = torch.from_numpy(points), torch.from_numpy(labels)
    parameters = [torch.from_numpy(p).requires_grad_() for p in start]

    def call() -> Any:
        loss = margin_loss(x, y, parameters, lambda z, _: torch.relu(z))
        slopes = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for p, slope in zip(parameters, slopes, strict=True):
                p.sub_(slope, alpha=LR)
        return loss.detach()

    losses = [call(), call()]
    return call, [losses, flat(p.detach() for p in parameters)]


@WORKLOAD.candidate("autograd, vectorised")
def autograd(n: int) -> Answer:
    import autograd.numpy as np
    from autograd import value_and_grad

    points, labels, parameters = matrices(n)
    gradient = value_and_grad(lambda ps: margin_loss(points, labels, ps, np.maximum))

    def call() -> Any:
        loss, slopes = gradient(parameters)
        for p, slope in zip(parameters, slopes, strict=True):
            p -= LR * slope
        return loss

    losses = [call(), call()]
    return call, [losses, flat(parameters)]


@WORKLOAD.candidate("MyGrad, vectorised")
def mygrad(n: int) -> Answer:
    mygrad = mygrad_without_guard()
    points, labels, start = matrices(n)
    parameters = [mygrad.tensor(p) for p in start]

    def call() -> Any:
        loss = margin_loss(points, labels, parameters, mygrad.maximum)
        loss.backward()
        for p in parameters:
            p.data -= LR * p.grad
        return loss.data

    losses = [call(), call()]
    return call, [losses, flat(p.data for p in parameters)]


@WORKLOAD.candidate("jax.jit, vectorised")
def jax(n: int) -> Answer:
    jax = jax_on_one_thread()
    np = jax.numpy
    points, labels, start = matrices(n)
    x, y = np.asarray(points), np.asarray(labels)
    gradient = jax.value_and_grad(lambda ps: margin_loss(x, y, ps, np.maximum))

    def step(parameters: Any) -> Any:
        loss, slopes = gradient(parameters)
        return loss, [p - LR * slope for p, slope in zip(parameters, slopes, strict=True)]

    compiled = jax.jit(step, donate_argnums=0)
    parameters = [np.array(p) for p in start]

    def call() -> Any:
        nonlocal parameters
        loss, parameters = compiled(parameters)
        return loss.block_until_ready()

    losses = [call(), call()]
    return call, [losses, flat(parameters)]


@WORKLOAD.candidate(f"{OURS}, vectorised")
def tinygrad_edu_tensors(n: int) -> Answer:
    from tinygrad_edu import Tensor, maximum

    points, labels, start = matrices(n)
    parameters = [Tensor(p) for p in start]

    def call() -> Any:
        loss = margin_loss(points, labels, parameters, maximum)
        for p in parameters:
            p.zero_grad()
        loss.backward()
        for p in parameters:
            p.data = p.data - LR * p.grad
        return loss.data

    losses = [call(), call()]
    return call, [losses, flat(p.data for p in parameters)]


def replayed(n: int, replay: Any, backend: str) -> Answer:
    """The graph of one point is recorded once; its columns are all points at once.

    A point's part of the loss holds its part of the L2 term, so that the sum over points is the
    loss. Gradients of parameters, which are numbers, come summed over the points.
    """
    import numpy as np

    from tinygrad_edu import Value
    from tinygrad_edu.scalar_nn import MLP

    points, labels, flat = map(np.array, problem(n))
    columns = [*np.ascontiguousarray(points.T), labels.astype(float)]
    model = MLP(WIDTHS[0], WIDTHS[1:])
    leaves = model.parameters()
    x, y, label = Value(0.5), Value(0.5), Value(1.0)
    squares = sum(p * p for p in leaves)
    part = ((1 - label * model([x, y])).relu() + L2 * squares) * (1 / n)
    program = replay(part, inputs=[x, y, label, leaves], wrt=[leaves], backend=backend)
    parameters = flat.copy()

    def call() -> Any:
        nonlocal parameters
        losses, (slopes,) = program(*columns, parameters)
        parameters = parameters - LR * slopes
        return losses.sum()

    losses = [call(), call()]
    return call, [losses, parameters]


@WORKLOAD.candidate("replay")
def replay_in_python(n: int) -> Answer:
    """The whole graph of all points, every scalar a variable of one Python program."""
    from tinygrad_edu import Value
    from tinygrad_edu.scalar_nn import MLP

    points, labels, parameters = problem(n)
    model = MLP(WIDTHS[0], WIDTHS[1:])
    leaves = model.parameters()
    scores = [model(list(map(Value, point))) for point in points]
    losses = [(1 + -label * score).relu() for label, score in zip(labels, scores, strict=True)]
    total = sum(losses) * (1.0 / n) + L2 * sum(p * p for p in leaves)
    program = our_replay()(total, inputs=[leaves], wrt=[leaves], backend="python")

    def call() -> Any:
        nonlocal parameters
        loss, (slopes,) = program(parameters)
        parameters = [p - LR * slope for p, slope in zip(parameters, slopes, strict=True)]
        return loss

    losses = [call(), call()]
    return call, [losses, parameters]


@WORKLOAD.candidate("replay, NumPy columns")
def replay_in_numpy(n: int) -> Answer:
    return replayed(n, our_replay(), "numpy")


@WORKLOAD.candidate("replay, numba")
def replay_in_numba(n: int) -> Answer:
    return replayed(n, our_replay_with_numba(), "numba")
