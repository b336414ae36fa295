"""A step of a GPT whose every number is a node: one block of four heads, 4 192 parameters.

Embeddings of letters and of places, root-mean-square norm, attention to what came before, a hidden
layer with relu, cross-entropy of the next letter; forward, backward and gradient descent on a word
of nine places: 74 000 nodes. The plain class is what such a program is usually written with: a
number, its children and the local derivatives, which the forward pass computes.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from workload import OURS, Workload

Answer = tuple[Callable[[], Any], list[Any]]
Matrix = list[list[Any]]

LETTERS, WIDTH, HEADS = 27, 16, 4
LR = 0.05
SHAPES = {
    "letters": (LETTERS, WIDTH), "places": (16, WIDTH), "scores": (LETTERS, WIDTH),
    "query": (WIDTH, WIDTH), "key": (WIDTH, WIDTH), "value": (WIDTH, WIDTH),
    "mix": (WIDTH, WIDTH), "up": (4 * WIDTH, WIDTH), "down": (WIDTH, 4 * WIDTH),
}  # fmt: skip
CHECKED = (7, 500, 1000, 1800, 2900, 4100)
"""The parameters whose derivatives are compared with central differences."""


def start() -> list[float]:
    """Where the parameters start, matrix after matrix."""
    rng = random.Random(0)
    return [rng.gauss(0.0, 0.2) for rows, columns in SHAPES.values() for _ in range(rows * columns)]


def word(places: int) -> list[int]:
    """The letters of a word, and a letter after it."""
    rng = random.Random(1)
    return [rng.randrange(LETTERS) for _ in range(places + 1)]


def matrices(flat: list[Any]) -> dict[str, Matrix]:
    """The rows of each matrix."""
    numbers = iter(flat)
    return {
        name: [[next(numbers) for _ in range(columns)] for _ in range(rows)]
        for name, (rows, columns) in SHAPES.items()
    }


def linear(x: list[Any], weight: Matrix) -> list[Any]:
    return [sum(w * z for w, z in zip(row, x, strict=True)) for row in weight]


def softmax(scores: list[Any], exp: Any) -> list[Any]:
    largest = max(getattr(x, "data", x) for x in scores)
    exps = [exp(x - largest) for x in scores]
    total = sum(exps)
    return [e / total for e in exps]


def normed(x: list[Any]) -> list[Any]:
    scale = (sum(z * z for z in x) / len(x) + 1e-5) ** -0.5
    return [z * scale for z in x]


def attention(q: list[Any], keys: Matrix, values: Matrix, exp: Any) -> list[Any]:
    """What each head takes from the places up to this one, side by side."""
    size, out = WIDTH // HEADS, []
    for first in range(0, WIDTH, size):
        part = range(first, first + size)
        weights = softmax([sum(q[i] * k[i] for i in part) / size**0.5 for k in keys], exp)
        out += [sum(w * v[i] for w, v in zip(weights, values, strict=True)) for i in part]
    return out


def loss_of(m: dict[str, Matrix], letters: list[int], exp: Any, log: Any, relu: Any) -> Any:
    """The mean cross-entropy of the next letter; the same lines for floats and for nodes."""
    keys: Matrix = []
    values: Matrix = []
    losses = []
    for place, letter in enumerate(letters[:-1]):
        x = [a + b for a, b in zip(m["letters"][letter], m["places"][place], strict=True)]
        x = normed(x)
        before, y = x, normed(x)
        keys.append(linear(y, m["key"]))
        values.append(linear(y, m["value"]))
        y = linear(attention(linear(y, m["query"]), keys, values, exp), m["mix"])
        x = [a + b for a, b in zip(y, before, strict=True)]
        hidden = [relu(z) for z in linear(normed(x), m["up"])]
        x = [a + b for a, b in zip(linear(hidden, m["down"]), x, strict=True)]
        chances = softmax(linear(x, m["scores"]), exp)
        losses.append(-log(chances[letters[place + 1]]))
    return sum(losses) * (1.0 / len(losses))


def central_differences(places: int) -> list[Any]:
    """The loss, and the derivatives by some parameters, of the lines above on floats."""
    flat, letters, h = start(), word(places), 1e-6

    def loss(i: int = 0, step: float = 0.0) -> float:
        moved = [*flat[:i], flat[i] + step, *flat[i + 1 :]]
        relu = lambda x: max(x, 0.0)  # noqa: E731
        result: float = loss_of(matrices(moved), letters, math.exp, math.log, relu)
        return result

    return [loss(), [(loss(i, h) - loss(i, -h)) / (2 * h) for i in CHECKED]]


WORKLOAD = Workload(
    "a step of a GPT of scalars",
    reference=central_differences,
    sizes={"74 000 nodes": 9},
    quick={"11 000 nodes": 1},
)


class Plain:
    """A number, its children and the local derivatives."""

    __slots__ = ("children", "data", "grad", "local_grads")

    def __init__(self, data: Any, children: Any = (), local_grads: Any = ()) -> None:
        self.data = data
        self.grad = 0.0
        self.children = children
        self.local_grads = local_grads

    def __add__(self, other: Any) -> Plain:
        other = other if isinstance(other, Plain) else Plain(other)
        return Plain(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other: Any) -> Plain:
        other = other if isinstance(other, Plain) else Plain(other)
        return Plain(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, other: float) -> Plain:
        return Plain(self.data**other, (self,), (other * self.data ** (other - 1),))

    def log(self) -> Plain:
        return Plain(math.log(self.data), (self,), (1 / self.data,))

    def exp(self) -> Plain:
        y = math.exp(self.data)
        return Plain(y, (self,), (y,))

    def relu(self) -> Plain:
        return Plain(max(0.0, self.data), (self,), (float(self.data > 0),))

    def __neg__(self) -> Plain:
        return self * -1

    def __radd__(self, other: float) -> Plain:
        return self + other

    def __sub__(self, other: Any) -> Plain:
        return self + (-other)

    def __truediv__(self, other: Any) -> Plain:
        return self * other**-1

    def backward(self) -> None:
        order = []
        visited = set()

        def visit(v: Plain) -> None:
            if v not in visited:
                visited.add(v)
                for child in v.children:
                    visit(child)
                order.append(v)

        visit(self)
        self.grad = 1.0
        for v in reversed(order):
            for child, local_grad in zip(v.children, v.local_grads):  # noqa: B905
                child.grad += local_grad * v.grad


def steps(value: Any, places: int) -> Answer:
    """A call that trains, and what it computes at first; the same lines for every class."""
    parameters = [value(x) for x in start()]
    model, letters = matrices(parameters), word(places)

    def call() -> float:
        loss = loss_of(model, letters, value.exp, value.log, value.relu)
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        for p in parameters:
            p.data -= LR * p.grad
        result: float = loss.data
        return result

    first = call()
    return call, [first, [parameters[i].grad for i in CHECKED]]


@WORKLOAD.candidate("a plain class")
def plain(places: int) -> Answer:
    return steps(Plain, places)


@WORKLOAD.candidate(OURS)
def tinygrad_edu(places: int) -> Answer:
    from tinygrad_edu import Value

    return steps(Value, places)


@WORKLOAD.candidate(f"{OURS}, collector paused")
def tinygrad_edu_paused(places: int) -> Answer:
    from tinygrad_edu import collector_paused

    call, answer = tinygrad_edu(places)
    return collector_paused()(call), answer
