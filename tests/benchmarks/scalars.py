"""What the two workloads on scalar expressions share: every candidate, for any expression.

An expression is a function `f(a, b, relu)` of two numbers or nodes; the work is its value and
its derivatives by a and b, recorded again on every call except where a candidate compiles it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peers import jax_on_one_thread, mygrad_without_guard, our_replay, our_replay_with_numba
from workload import OURS, Workload

Answer = tuple[Callable[[], Any], list[Any]]


def expression_workload(title: str, f: Callable[..., Any], a: float, b: float) -> Workload:
    """The workload of one expression at one point."""

    def central_differences() -> list[float]:
        def value(a: float, b: float) -> float:
            result: float = f(a, b, lambda x: max(x, 0.0))
            return result

        h = 1e-4
        slope_a = (value(a + h, b) - value(a - h, b)) / (2 * h)
        slope_b = (value(a, b + h) - value(a, b - h)) / (2 * h)
        return [value(a, b), slope_a, slope_b]

    workload = Workload(title, reference=central_differences)

    @workload.candidate("micrograd")
    def micrograd() -> Answer:
        from micrograd.engine import Value

        return values(Value)

    @workload.candidate(OURS)
    def tinygrad_edu() -> Answer:
        from tinygrad_edu import Value

        return values(Value)

    def values(value: Any) -> Answer:
        """The same lines for micrograd and for us."""
        relu = value.relu

        def call() -> list[Any]:
            x, y = value(a), value(b)
            out = f(x, y, relu)
            out.backward()
            return [out.data, x.grad, y.grad]

        return call, call()

    @workload.candidate("torch")
    def torch() -> Answer:
        import torch

        def call() -> list[Any]:
            x = torch.tensor(a, dtype=torch.float64, requires_grad=True)
            y = torch.tensor(b, dtype=torch.float64, requires_grad=True)
            out = f(x, y, torch.relu)
            out.backward()
            return [out.detach(), x.grad, y.grad]

        return call, call()

    @workload.candidate("autograd")
    def autograd() -> Answer:
        import autograd.numpy as np
        from autograd import value_and_grad

        gradient = value_and_grad(lambda x, y: f(x, y, lambda z: np.maximum(z, 0.0)), (0, 1))

        def call() -> list[Any]:
            value, slopes = gradient(a, b)
            return [value, *slopes]

        return call, call()

    @workload.candidate("MyGrad")
    def mygrad() -> Answer:
        mygrad = mygrad_without_guard()

        def call() -> list[Any]:
            x, y = mygrad.tensor(a), mygrad.tensor(b)
            out = f(x, y, lambda z: mygrad.maximum(z, 0.0))
            out.backward()
            return [out.data, x.grad, y.grad]

        return call, call()

    @workload.candidate("jax.jit")
    def jax() -> Answer:
        jax = jax_on_one_thread()
        gradient = jax.jit(jax.value_and_grad(lambda x, y: f(x, y, jax.nn.relu), (0, 1)))
        x, y = jax.numpy.array(a), jax.numpy.array(b)

        def call() -> list[Any]:
            value, slopes = gradient(x, y)
            value.block_until_ready()
            return [value, *slopes]

        return call, call()

    def replayed(replay: Any, backend: str) -> Answer:
        from tinygrad_edu import Value

        x, y = Value(a), Value(b)
        program = replay(f(x, y, Value.relu), inputs=[x, y], wrt=[x, y], backend=backend)
        value, slopes = program(a, b)
        return lambda: program(a, b), [value, *slopes]

    @workload.candidate("replay")
    def replay_in_python() -> Answer:
        return replayed(our_replay(), "python")

    @workload.candidate("replay, numba")
    def replay_in_numba() -> Answer:
        return replayed(our_replay_with_numba(), "numba")

    return workload
