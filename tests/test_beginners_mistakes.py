"""What people write by mistake: each message says what was meant, and none is Python's own."""

import math
import operator

import numpy as np
import pytest

from tinygrad_edu import Tensor, Value

OPERATORS = {
    "^": (operator.xor, "x ** 2"), "%": (operator.mod, "x.data"), "//": (operator.floordiv, "/ y"),
    "divmod": (divmod, "x / y"), "&": (operator.and_, "(x > 0) & (x < 1)"),
    "|": (operator.or_, "(x < 0) | (x > 1)"), "<<": (operator.lshift, "x * y"),
    ">>": (operator.rshift, "x / y"),
}  # fmt: skip


@pytest.mark.parametrize("kind", [Value, Tensor])
@pytest.mark.parametrize("sign", OPERATORS)
def test_an_operator_without_a_rule_says_what_to_write(kind, sign):
    f, cure = OPERATORS[sign]
    x = kind(2.0)
    pairs = {"int": (x, 2), kind.__name__: (x, kind(3.0)), "float": (x, 0.5)}
    for other, (left, right) in pairs.items():
        with pytest.raises(TypeError, match="no such operation on nodes") as found:
            f(left, right)
        said = str(found.value)
        assert said.startswith(f"{kind.__name__} {sign} {other}: ")
        assert cure in said
        with pytest.raises(TypeError, match="no such operation on nodes") as found:
            f(right, left)
        assert str(found.value).startswith(f"{other} {sign} {kind.__name__}: ")
    with pytest.raises(TypeError, match="tinygrad_edu"):  # NumPy's numbers come by __array_ufunc__
        f(np.float64(2.0), x)


@pytest.mark.parametrize("kind", [Value, Tensor])
@pytest.mark.parametrize("f", [int, round, math.floor, math.ceil, operator.invert])
def test_rounding_is_no_operation(kind, f):
    with pytest.raises(TypeError, match=r"no such operation on nodes; .* x\.data$"):
        f(kind(2.5))


def test_a_matrix_product_of_values():
    for x, y in ((Value(2.0), Value(3.0)), (Value(2.0), 3), (3, Value(2.0)), ([1, 2], Value(2.0))):
        with pytest.raises(TypeError, match=r"a Value is one number; multiply Values with \*"):
            x @ y
