"""A graph of eight operations, where nothing counts but the cost of a node."""

from typing import Any

from scalars import expression_workload


def tiny(a: Any, b: Any, relu: Any) -> Any:
    """The example of BurTorch (https://arxiv.org/abs/2503.13795)."""
    c = a + b
    d = a * b + b**3
    e = c - d
    f = e**2
    return f / 2.0


WORKLOAD = expression_workload("a graph of eight operations, value and gradient", tiny, -41.0, 2.0)
