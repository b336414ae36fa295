"""What editors and mypy know of nodes: mypy --strict reads this file, nothing runs it."""

from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

from tinygrad_edu import Node, Tensor, Value, exp, gradients, matmul, maximum, nn, sum, where

v, t = Value(1.0), Tensor([1.0, 2.0])

assert_type(v + 1, Value)
assert_type(2 * v - np.float64(3.0), Value)
assert_type(-(v**2), Value)
assert_type(v.exp().tanh().relu(), Value)
assert_type(v.clip(0.0, max=1.0), Value)
assert_type(exp(v), Value)
assert_type(maximum(v, 0.0), Value)
assert_type(v.data, float)
assert_type(v.grad, float)
assert_type(v.label, str)

assert_type(t * 2, Tensor)
assert_type(t @ t, Tensor)
assert_type(t.T[0], Tensor)
assert_type(t.sum(axis=0, keepdims=True), Tensor)
assert_type(t.reshape(2, 1).softmax(axis=0).log(), Tensor)
assert_type(sum(t), Tensor)
assert_type(matmul(t, t), Tensor)
assert_type(where(t > 0, t, 0.0), Tensor)
assert_type(t.grad, npt.NDArray[Any])
assert_type(t.shape, tuple[int, ...])
assert_type(gradients(t.sum(), t), tuple[Node, ...])
assert_type(nn.Linear(2, 3)(t), Tensor)
assert_type(nn.cross_entropy(t, np.array(0)), Tensor)

# What does not exist must be an error; each line would be reported as unused otherwise.
t.sum(axes=0)  # type: ignore[call-arg]
v.expp()  # type: ignore[attr-defined]
Value(1.0, name="x")  # type: ignore[call-arg]
