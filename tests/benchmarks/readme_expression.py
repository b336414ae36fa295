"""The expression of micrograd's README: 24 operations on two numbers."""

from typing import Any

from scalars import expression_workload


def readme_expression(a: Any, b: Any, relu: Any) -> Any:
    """https://github.com/karpathy/micrograd, "Example usage"."""
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + relu(b + a)
    d += 3 * d + relu(b - a)
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return g


WORKLOAD = expression_workload(
    "micrograd's README expression, value and gradient", readme_expression, -4.0, 2.0
)
