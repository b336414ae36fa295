"""A training step: gather a shuffled batch, softmax cross-entropy, backward, gradient descent.

In float32, and the loss is there after every step. The data set is larger than a batch,
and all candidates but the bare matrix products gather the rows of a batch inside the timed call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from peers import jax_on_one_thread, mygrad_without_guard, our_replay
from workload import OURS, Workload

Answer = tuple[Callable[[], Any], list[Any]]

LR = 0.05
CHECKED = 3
"""Steps before the answer is taken."""


@dataclass(frozen=True)
class Network:
    widths: tuple[int, ...]
    batch: int
    rows: int  # of the data set, a multiple of the batch

    def data(self, kind: str = "float32") -> tuple[Any, Any, list[Any]]:
        """Inputs, labels, and where the parameters start: weight, bias, weight, bias."""
        import numpy as np

        rng = np.random.default_rng(0)
        x = rng.normal(size=(self.rows, self.widths[0])).astype(np.float32)
        labels = np.argmax(x @ rng.normal(size=(self.widths[0], self.widths[-1])), axis=1)
        start: list[Any] = []
        for inputs, outputs in pairwise(self.widths):
            start.append(rng.normal(0, (2 / inputs) ** 0.5, (inputs, outputs)).astype(np.float32))
            start.append(np.zeros(outputs, np.float32))
        return x.astype(kind), labels, [p.astype(kind) for p in start]

    def batches(self) -> Iterator[Any]:
        """Indices of the rows of each batch, in a new random order every epoch, for ever."""
        import numpy as np

        rng = np.random.default_rng(1)
        while True:
            yield from rng.permutation(self.rows).reshape(-1, self.batch)


def reference(network: Network) -> list[Any]:
    """The losses of the first steps, and where the parameters went, in float64."""
    from by_hand import NotebookNetwork

    x, labels, start = network.data("float64")
    model = NotebookNetwork([p.copy() for p in start])

    def step(index: Any) -> Any:
        return model.step(x[index], labels[index], LR)

    def parameters() -> list[Any]:
        return [p for layer in model.affine for p in (layer.weight, layer.bias)]

    return trained(network, step, parameters)[1]


def trained(network: Network, step: Callable[[Any], Any], parameters: Any) -> Answer:
    """A call that trains on one batch after the other, and the answer of the first steps."""
    import numpy as np

    batches = network.batches()
    start = network.data("float64")[2]
    losses = [float(step(next(batches))) for _ in range(CHECKED)]
    after = [np.asarray(p, np.float64) for p in parameters()]
    moved = [before - p for before, p in zip(start, after, strict=True)]
    return lambda: step(next(batches)), [losses, *moved]


WORKLOAD = Workload(
    "a training step",
    reference=reference,
    sizes={
        "64-30-10, batch 30": Network((64, 30, 10), 30, 1500),
        "784-50-10, batch 100": Network((784, 50, 10), 100, 1500),
        "784-512-256-10, batch 256": Network((784, 512, 256, 10), 256, 1536),
    },
    quick={"64-30-10, batch 30": Network((64, 30, 10), 30, 1500)},
    tolerance=1e-3,  # of how far parameters went, in float32
)


def linear_reference(network: Network) -> list[Any]:
    """The derivatives by the weights of a network without biases and activations."""
    import numpy as np

    x, _, start = network.data("float64")
    weights, inputs = start[::2], [x[: network.batch]]
    for weight in weights:
        inputs.append(np.einsum("ni,io->no", inputs[-1], weight))
    delta, slopes = inputs.pop(), []
    for weight, a in zip(reversed(weights), reversed(inputs), strict=True):
        slopes.append(np.einsum("ni,no->io", a, delta))
        delta = np.einsum("no,io->ni", delta, weight)
    return slopes


@WORKLOAD.candidate("NumPy by hand, matrix products alone", reference=linear_reference)
def products(network: Network) -> Answer:
    """No step can do without these; it is what everything else comes on top of."""
    import numpy as np

    x, _, start = network.data()
    x, weights = x[: network.batch].copy(), start[::2]
    outputs = [np.empty((network.batch, w.shape[1]), w.dtype) for w in weights]
    deltas = [np.empty_like(z) for z in outputs]
    slopes = [np.empty_like(w) for w in weights]
    inputs = [x, *outputs]
    forward = list(zip(inputs, weights, outputs, strict=False))
    backward = [
        (inputs[i].T, deltas[i] if i + 1 < len(weights) else outputs[i], slopes[i], weights[i].T)
        for i in range(len(weights))
    ]

    def call() -> list[Any]:
        for a, weight, z in forward:
            np.dot(a, weight, out=z)
        for i in range(len(weights) - 1, -1, -1):
            a, delta, slope, weight = backward[i]
            np.dot(a, delta, out=slope)
            if i:
                np.dot(delta, weight, out=deltas[i - 1])
        return slopes

    return call, [slope.copy() for slope in reversed(call())]


@WORKLOAD.candidate("NumPy by hand, `out=` everywhere")
def buffers(network: Network) -> Answer:
    from by_hand import Buffers

    x, labels, start = network.data()
    model = Buffers(x, labels, start, network.batch, LR)
    return trained(network, model.step, lambda: model.parameters)


def notebook(network: Network, first: Any) -> Answer:
    from by_hand import NotebookNetwork

    x, labels, start = network.data()
    model = NotebookNetwork(start, first)

    def step(index: Any) -> Any:
        return model.step(x[index], labels[index], LR)

    return trained(network, step, lambda: start)


@WORKLOAD.candidate("NumPy by hand, layers of a notebook")
def notebook_layers(network: Network) -> Answer:
    from by_hand import Affine

    return notebook(network, Affine)


@WORKLOAD.candidate("NumPy by hand, without the derivative by x")
def notebook_without_dx(network: Network) -> Answer:
    from by_hand import FirstAffine

    return notebook(network, FirstAffine)


@WORKLOAD.candidate("torch")
def torch(network: Network) -> Answer:
    return torch_step(network, compiled=False)


@WORKLOAD.candidate("torch, compiled", slow=True)
def torch_compiled(network: Network) -> Answer:
    return torch_step(network, compiled=True)


def torch_step(network: Network, compiled: bool) -> Answer:
    import torch
    from torch import nn

    x, labels, start = network.data()
    xs, ys = torch.from_numpy(x), torch.from_numpy(labels)
    layers: list[Any] = []
    for inputs, outputs in pairwise(network.widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for p, value in zip(model.parameters(), start, strict=True):
            p.copy_(torch.from_numpy(value.T.copy()))  # torch keeps weights as (outputs, inputs)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)

    def loss_of(x: Any, y: Any) -> Any:
        return nn.functional.cross_entropy(model(x), y)

    if compiled:
        loss_of = torch.compile(loss_of)

    def step(index: Any) -> Any:
        rows = torch.from_numpy(index)
        loss = loss_of(xs.index_select(0, rows), ys.index_select(0, rows))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.data

    return trained(network, step, lambda: [p.detach().T for p in model.parameters()])


@WORKLOAD.candidate("jax.jit")
def jax(network: Network) -> Answer:
    jax = jax_on_one_thread(x64=False)
    np = jax.numpy
    x, labels, start = network.data()
    xs, ys = np.asarray(x), np.asarray(labels)

    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        for i in range(0, len(parameters), 2):
            z = x @ parameters[i] + parameters[i + 1]
            x = jax.nn.relu(z)
        chosen = np.take_along_axis(z, y[:, None], axis=1)[:, 0]
        return (jax.nn.logsumexp(z, axis=1) - chosen).mean()

    def update(parameters: Any, xs: Any, ys: Any, index: Any) -> Any:
        loss, slopes = jax.value_and_grad(loss_of)(parameters, xs[index], ys[index])
        return loss, [p - LR * slope for p, slope in zip(parameters, slopes, strict=True)]

    compiled = jax.jit(update, donate_argnums=0)
    parameters = [np.array(p) for p in start]

    def step(index: Any) -> Any:
        nonlocal parameters
        loss, parameters = compiled(parameters, xs, ys, index.astype("int32"))
        return loss.block_until_ready()

    return trained(network, step, lambda: parameters)


@WORKLOAD.candidate("autograd")
def autograd(network: Network) -> Answer:
    import autograd.numpy as np
    from autograd import value_and_grad

    x, labels, parameters = network.data()
    one_hot = np.eye(network.widths[-1], dtype=np.float32)[labels]

    def loss_of(parameters: Any, x: Any, targets: Any) -> Any:
        for i in range(0, len(parameters), 2):
            z = np.dot(x, parameters[i]) + parameters[i + 1]
            x = np.maximum(z, 0)
        z = z - np.max(z, axis=1, keepdims=True)
        logs = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
        return -np.sum(logs * targets) / len(targets)

    gradient = value_and_grad(loss_of)

    def step(index: Any) -> Any:
        loss, slopes = gradient(parameters, x[index], one_hot[index])
        for p, slope in zip(parameters, slopes, strict=True):
            p -= LR * slope
        return loss

    return trained(network, step, lambda: parameters)


@WORKLOAD.candidate("MyGrad")
def mygrad(network: Network) -> Answer:
    mygrad = mygrad_without_guard()
    from mygrad.nnet.activations import relu
    from mygrad.nnet.losses import softmax_crossentropy

    xs, labels, start = network.data()
    parameters = [mygrad.tensor(p) for p in start]

    def step(index: Any) -> Any:
        a = xs[index]
        for i in range(0, len(parameters), 2):
            z = mygrad.matmul(a, parameters[i]) + parameters[i + 1]
            if i + 2 < len(parameters):
                a = relu(z)
        loss = softmax_crossentropy(z, labels[index])
        loss.backward()
        for p in parameters:
            p.data -= LR * p.grad
        return loss.data

    return trained(network, step, lambda: [p.data for p in parameters])


def our_model(network: Network) -> tuple[Any, Any, Any, Any]:
    """Inputs, labels, the model with the parameters where they start, and its optimizer."""
    import numpy as np

    from tinygrad_edu import nn, optim

    x, labels, start = network.data()
    inputs, *outputs = network.widths
    model = nn.MLP(inputs, outputs, rng=0, dtype=np.float32)
    for p, value in zip(model.parameters(), start, strict=True):
        p.data = value
    return x, labels, model, optim.SGD(model.parameters(), lr=LR)


def for_ever(epoch: Callable[[], Any]) -> Callable[[], Any]:
    """A call that gives the next item, epoch after epoch."""

    def items() -> Iterator[Any]:
        while True:
            yield from epoch()

    return items().__next__


@WORKLOAD.candidate(OURS)
def tinygrad_edu(network: Network) -> Answer:
    from tinygrad_edu import data, nn

    x, labels, model, optimizer = our_model(network)

    def train(x: Any, y: Any) -> Any:
        loss = nn.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.data

    def step(index: Any) -> Any:
        return train(x[index], labels[index])

    _, answer = trained(network, step, lambda: [p.data for p in model.parameters()])
    loader = data.DataLoader(x, labels, batch_size=network.batch, rng=0)
    batch = for_ever(lambda: loader)
    return lambda: train(*batch()), answer


@WORKLOAD.candidate("replay")
def training_step(network: Network) -> Answer:
    from tinygrad_edu import data, nn

    x, labels, model, optimizer = our_model(network)
    training = our_replay("TrainingStep")(lambda x, y: nn.cross_entropy(model(x), y), optimizer)

    def step(index: Any) -> Any:
        return training(x[index], labels[index])

    _, answer = trained(network, step, lambda: [p.data for p in model.parameters()])
    loader = data.DataLoader(x, labels, batch_size=network.batch, rng=0)

    def epoch() -> Any:
        return training.epoch(loader)

    vars(epoch)["steps"] = len(loader)
    return epoch, answer
