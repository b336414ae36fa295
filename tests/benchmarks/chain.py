"""A chain of a million nodes, y = y + 1.0 or y = y * 0.9999: time and memory per node.

Build, then backward, with Python's cyclic collector on, as it is by default. Wall-clock time;
memory of the graph once it is built, and at most while backward runs over it. Every measurement
has a fresh process, because the memory of an earlier chain would be used again.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

from peers import mygrad_without_guard
from workload import OURS, Workload

OPERATIONS = {"y + 1.0": lambda y: y + 1.0, "y * 0.9999": lambda y: y * 0.9999}
SHORT = 100
"""Nodes of the chain whose answer is checked."""


def gradient(size: tuple[str, int]) -> list[float]:
    """The derivative of a short chain."""
    return [1.0 if size[0] == "y + 1.0" else 0.9999**SHORT]


WORKLOAD = Workload(
    "a chain of nodes, build and backward",
    reference=gradient,
    sizes={f"a million of y = {text}": (text, 1_000_000) for text in OPERATIONS},
    quick={f"ten thousand of y = {text}": (text, 10_000) for text in OPERATIONS},
    measures_itself=True,
    per="node",
    most_rounds=3,
)


def measured(size: tuple[str, int], chain: Callable[[Any, int, Any], Any]) -> Any:
    """A call that measures the function, which differentiates a chain of so many nodes.

    It calls its last argument between building and backward.
    """
    operation, nodes = OPERATIONS[size[0]], size[1]

    def call() -> dict[str, float | None]:
        gc.collect()
        before = memory("VmRSS")
        reset_peak()
        graph: list[int | None] = []
        start = time.perf_counter()
        slope = chain(operation, nodes, lambda: graph.append(memory("VmRSS")))
        seconds = time.perf_counter() - start
        peak = memory("VmHWM")
        assert 0 < slope <= 1
        used = {"bytes": graph[0], "most_bytes": peak}
        return {"seconds": seconds / nodes} | {
            name: None if before is None or after is None else (after - before) / nodes
            for name, after in used.items()
        }

    return call, [chain(operation, SHORT, int)]


def memory(name: str) -> int | None:
    """Bytes of memory that the process has (VmRSS) or had at most (VmHWM), where Linux tells."""
    try:
        with open("/proc/self/status") as file:
            for line in file:
                if line.startswith(name + ":"):
                    return 1024 * int(line.split()[1])
    except OSError:
        pass
    return None


def reset_peak() -> None:
    """Forget what imports took."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def values(value: Any) -> Callable[[Any, int, Any], Any]:
    """The same lines for micrograd and for us."""

    def chain(operation: Any, nodes: int, built: Any) -> Any:
        x = y = value(1.0)
        for _ in range(nodes):
            y = operation(y)
        built()
        y.backward()
        return x.grad

    return chain


@WORKLOAD.candidate("micrograd")
def micrograd(size: tuple[str, int]) -> Any:
    from micrograd.engine import Value

    chain = values(Value)

    def longest(operation: Any, nodes: int, built: Any) -> Any:
        try:
            return chain(operation, nodes, built)
        except RecursionError:
            fewer = nodes
            while fewer > SHORT:
                fewer //= 10
                try:
                    chain(operation, fewer, built)
                except RecursionError:
                    continue
                break
            raise RecursionError(f"at {10 * fewer:,} nodes, though not at {fewer:,}") from None

    return measured(size, longest)


@WORKLOAD.candidate(OURS)
def tinygrad_edu(size: tuple[str, int]) -> Any:
    from tinygrad_edu import Value

    return measured(size, values(Value))


@WORKLOAD.candidate(f"{OURS}, collector paused")
def tinygrad_edu_paused(size: tuple[str, int]) -> Any:
    from tinygrad_edu import Value, collector_paused

    return measured(size, collector_paused()(values(Value)))


@WORKLOAD.candidate("torch")
def torch(size: tuple[str, int]) -> Any:
    import torch

    def chain(operation: Any, nodes: int, built: Any) -> Any:
        x = y = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        for _ in range(nodes):
            y = operation(y)
        built()
        y.backward()
        return x.grad.item()

    return measured(size, chain)


@WORKLOAD.candidate("autograd")
def autograd(size: tuple[str, int]) -> Any:
    from autograd import grad

    def chain(operation: Any, nodes: int, built: Any) -> Any:
        def f(y: Any) -> Any:
            for _ in range(nodes):
                y = operation(y)
            built()
            return y

        return grad(f)(1.0)

    return measured(size, chain)


@WORKLOAD.candidate("MyGrad")
def mygrad(size: tuple[str, int]) -> Any:
    mygrad = mygrad_without_guard()

    def chain(operation: Any, nodes: int, built: Any) -> Any:
        x = y = mygrad.tensor(1.0)
        for _ in range(nodes):
            y = operation(y)
        built()
        y.backward()
        return x.grad.item()

    return measured(size, chain)
