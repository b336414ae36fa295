"""Errors of operations name the labelled nodes that they are about: every rule, every kind."""

import math

import numpy as np
import pytest
from rule_table import ELEMENTWISE

from tinygrad_edu import Tensor, Value, nn, rules
from tinygrad_edu.rules import operations

NO_OPERANDS = ["1", 1j, None, object(), [[1.0], [1.0, 2.0]], np.array(["a"]), np.array([1j]), {}]
ERRORS = (TypeError, ValueError, IndexError, ArithmeticError)


def refused(call, *labels):
    """The message of the error that a call raises; it names every label."""
    with pytest.raises(ERRORS) as found:
        call()
    message = str(found.value)
    for label in labels:
        assert label in message, message
    return message


def operands_of(name, kind):
    row = ELEMENTWISE[name]
    return [kind(0.5, f"<{name} {i}>") for i in range(len(row.domains))]


@pytest.mark.parametrize("kind", [Value, Tensor])
@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
def test_of_an_operation_with_what_is_no_operand(name, kind):
    f, xs = getattr(operations, name), operands_of(name, kind)
    for wrong in NO_OPERANDS:
        for i in range(len(xs) if len(xs) > 1 else 0):
            others = [x.label for k, x in enumerate(xs) if k != i]
            given = [wrong if k == i else x for k, x in enumerate(xs)]
            assert name in refused(lambda given=given: f(*given), *others)
    refused(lambda: f(*xs, no_such_setting=1), *(x.label for x in xs))


OPERATORS = {
    "add": lambda x, y: x + y, "subtract": lambda x, y: x - y, "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y, "power": lambda x, y: x**y,
}  # fmt: skip


@pytest.mark.parametrize("kind", [Value, Tensor])
@pytest.mark.parametrize("name", OPERATORS)
def test_of_an_operator(name, kind):
    x, other = kind(2.0, "<x>"), (Tensor if kind is Value else Value)(3.0, "<other>")
    for wrong in (*NO_OPERANDS[:-1], other):
        if not isinstance(wrong, np.ndarray):
            assert name in refused(lambda w=wrong: OPERATORS[name](x, w), "<x>")
            assert name in refused(lambda w=wrong: OPERATORS[name](w, x))
    for compare in (lambda: x < "a", lambda: x >= "a"):
        refused(compare, "<x>")


OUTSIDE = {
    "log": -1.0, "log1p": -2.0, "sqrt": -1.0, "arcsin": 2.0, "arccos": -2.0, "exp": 1e3,
    "expm1": 1e3, "sinh": 1e3, "cosh": -1e3, "sin": math.inf, "cos": math.inf, "tan": -math.inf,
}  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_of_a_number_outside_of_the_domain(name):
    x = Value(OUTSIDE[name], "<x>")
    assert name in refused(lambda: getattr(operations, name)(x), "<x>", repr(x.data))


SHAPES = {
    "matmul": lambda x, y: x @ y,
    "affine": lambda x, y: rules.affine(x, y, Tensor([1.0])),
    "add": lambda x, y: x + y,
    "maximum": lambda x, y: x.maximum(y),
    "where": lambda x, y: operations.where(True, x, y),
    "concatenate": lambda x, y: operations.concatenate([x, y]),
    "stack": lambda x, y: operations.stack([x, y]),
    "einsum": lambda x, y: operations.einsum("ij,ij->i", x, y),
    "softmax_cross_entropy": lambda x, y: rules.softmax_cross_entropy(x, y),
}


@pytest.mark.parametrize("name", SHAPES)
def test_of_shapes_that_clash(name):
    x, y = Tensor(np.ones((2, 3)), "<x>"), Tensor(np.ones((4, 5)), "<y>")
    assert name in refused(lambda: SHAPES[name](x, y), "<x>", "<y>", "(2, 3)", "(4, 5)")


OF_ONE = {
    "truth value": bool,
    "item": lambda x: x.item(),
    "has no length": lambda x: len(Tensor(1.0, "<x>")),
    "backward": lambda x: x.backward(),
    "backward: a gradient": lambda x: x.backward(np.ones(2)),
    "grad": lambda x: setattr(x, "grad", np.ones(7)),
    "label 7": lambda x: nn.cross_entropy(x, [0, 7]),
}


@pytest.mark.parametrize("name", OF_ONE)
def test_of_one_array(name):
    x = Tensor(np.ones((2, 3)), "<x>")
    assert name in refused(lambda: OF_ONE[name](x), "<x>")


def test_a_node_without_a_label_is_described_by_its_value_or_shape():
    assert "Value(-1.0, grad=0.0)" in refused(lambda: Value(-1.0).log())
    assert "Tensor of shape (2, 3)" in refused(lambda: Tensor(np.ones((2, 3))).reshape(7))
