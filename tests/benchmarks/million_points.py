"""The gradient of x·sin x + exp(-x²)·tanh y at a million points, in float64.

Eight operations on arrays of 8 MB: what counts is how often they go through memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peers import jax_on_one_thread, mygrad_without_guard, our_replay, our_replay_with_numba
from workload import OURS, Workload

Answer = tuple[Callable[[], Any], list[Any]]


def points(n: int) -> Any:
    """x and y, normal."""
    import numpy as np

    return np.random.default_rng(0).normal(size=(2, n))


def central_differences(n: int) -> list[Any]:
    """What the gradient should be, at some of the points."""
    import numpy as np

    def f(x: Any, y: Any) -> Any:
        return x * np.sin(x) + np.exp(-x * x) * np.tanh(y)

    x, y = some(points(n))
    h = 1e-5
    return [(f(x + h, y) - f(x - h, y)) / (2 * h), (f(x, y + h) - f(x, y - h)) / (2 * h)]


def some(gradients: Any) -> list[Any]:
    """Every 97th entry."""
    import numpy as np

    return [np.asarray(part)[::97] for part in gradients]


WORKLOAD = Workload(
    "gradient of x·sin x + exp(-x²)·tanh y, float64",
    reference=central_differences,
    sizes={"a million points": 1_000_000},
    quick={"ten thousand points": 10_000},
)


@WORKLOAD.candidate("NumPy by hand")
def numpy(n: int) -> Answer:
    import numpy as np

    x, y = points(n)

    def call() -> tuple[Any, Any]:
        bell, t = np.exp(-x * x), np.tanh(y)
        return np.sin(x) + x * np.cos(x) - 2.0 * x * bell * t, bell * (1.0 - t * t)

    return call, some(call())


@WORKLOAD.candidate(OURS)
def tinygrad_edu(n: int) -> Answer:
    from tinygrad_edu import Tensor, exp, sin, tanh

    x, y = map(Tensor, points(n))

    def call() -> tuple[Any, Any]:
        x.zero_grad()
        y.zero_grad()
        (x * sin(x) + exp(-x * x) * tanh(y)).sum().backward()
        return x.grad, y.grad

    return call, some(call())


@WORKLOAD.candidate("torch")
def torch(n: int) -> Answer:
    import torch

    x, y = (torch.from_numpy(part).requires_grad_() for part in points(n))

    def call() -> tuple[Any, Any]:
        f = x * torch.sin(x) + torch.exp(-x * x) * torch.tanh(y)
        slopes: tuple[Any, Any] = torch.autograd.grad(f.sum(), (x, y))
        return slopes

    return call, some(call())


@WORKLOAD.candidate("torch, compiled", slow=True)
def torch_compiled(n: int) -> Answer:
    import torch

    x, y = (torch.from_numpy(part).requires_grad_() for part in points(n))

    @torch.compile
    def f(x: Any, y: Any) -> Any:
        return (x * torch.sin(x) + torch.exp(-x * x) * torch.tanh(y)).sum()

    def call() -> tuple[Any, Any]:
        slopes: tuple[Any, Any] = torch.autograd.grad(f(x, y), (x, y))
        return slopes

    return call, some(call())


@WORKLOAD.candidate("jax.jit")
def jax(n: int) -> Answer:
    jax = jax_on_one_thread()
    np = jax.numpy
    x, y = map(np.asarray, points(n))
    gradient = jax.jit(
        jax.grad(lambda x, y: (x * np.sin(x) + np.exp(-x * x) * np.tanh(y)).sum(), (0, 1))
    )

    def call() -> Any:
        return jax.block_until_ready(gradient(x, y))

    return call, some(call())


@WORKLOAD.candidate("autograd")
def autograd(n: int) -> Answer:
    import autograd.numpy as np
    from autograd import grad

    x, y = points(n)
    gradient = grad(lambda x, y: np.sum(x * np.sin(x) + np.exp(-x * x) * np.tanh(y)), argnum=(0, 1))

    def call() -> Any:
        return gradient(x, y)

    return call, some(call())


@WORKLOAD.candidate("MyGrad")
def mygrad(n: int) -> Answer:
    mygrad = mygrad_without_guard()
    x, y = map(mygrad.tensor, points(n))

    def call() -> tuple[Any, Any]:
        (x * mygrad.sin(x) + mygrad.exp(-x * x) * mygrad.tanh(y)).sum().backward()
        return x.grad, y.grad

    return call, some(call())


def replayed(n: int, replay: Any, backend: str) -> Answer:
    """The graph of one point, replayed over columns."""
    from tinygrad_edu import Value, exp, sin, tanh

    xs, ys = points(n)
    x, y = Value(0.5), Value(0.5)
    root = x * sin(x) + exp(-x * x) * tanh(y)
    program = replay(root, inputs=[x, y], wrt=[x, y], backend=backend)
    return lambda: program(xs, ys), some(program(xs, ys)[1])


@WORKLOAD.candidate("replay")
def replay_in_numpy(n: int) -> Answer:
    return replayed(n, our_replay(), "numpy")


@WORKLOAD.candidate("replay, numba")
def replay_in_numba(n: int) -> Answer:
    return replayed(n, our_replay_with_numba(), "numba")
