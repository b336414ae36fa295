"""The scalar graphs of the seed notebooks, rows G1 to G7."""

import by_hand
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Tensor, Value, relu, replay, topological_order

numbers = st.floats(-100, 100)
x_symbol = sympy.Symbol("x")


def apple_and_tax():
    leaves = Value(100, "apple"), Value(2, "count"), Value(1.1, "tax")
    apple, count, tax = leaves
    return apple * count * tax, leaves


def basket():
    leaves = [
        Value(x, name)
        for x, name in [
            (100, "apple"), (2, "apple_count"), (150, "orange"), (3, "orange_count"), (1.1, "tax"),
        ]
    ]  # fmt: skip
    apple, apple_count, orange, orange_count, tax = leaves
    return (apple * apple_count + orange * orange_count) * tax, leaves


@given(numbers, numbers, numbers)
def test_g1_a_product_swaps_its_inputs_and_a_sum_passes_the_adjoint_on(x, y, dout):
    for rule, layer in (("multiply", by_hand.Multiply()), ("add", by_hand.Add())):
        expected = layer.forward(x, y), layer.backward(dout)
        a, b = Value(x), Value(y)
        out = a * b if rule == "multiply" else a + b
        assert out.pullback(dout) == expected[1]  # the local backward, as the layer has it
        out.backward(dout)
        assert (out.data, (a.grad, b.grad)) == expected


def test_g2_two_apples_and_tax():
    price, leaves = apple_and_tax()
    price.backward()
    assert price.data == 220.00000000000003
    assert [leaf.grad for leaf in leaves] == [2.2, 110.00000000000001, 200]


def test_g3_apples_oranges_and_tax():
    price, leaves = basket()
    price.backward()
    assert price.data == 715.0000000000001
    expected = [2.2, 110.00000000000001, 3.3000000000000003, 165, 650]
    assert [leaf.grad for leaf in leaves] == expected


@given(numbers, numbers)
def test_g4_the_square_of_a_sum_by_the_chain_rule(x, y):
    a, b = Value(x, "x"), Value(y, "y")
    t = a + b
    z = t**2
    z.backward()
    assert t.grad == 2 * t.data  # ∂z/∂t
    assert a.grad == b.grad == 2 * (x + y)  # ∂z/∂t · ∂t/∂x with ∂t/∂x = 1


def test_g4_as_a_formula():
    x, y = Value(1, "x"), Value(2, "y")
    _, slopes = program(replay((x + y) ** 2))(*sympy.symbols("x y"))
    for slope in slopes:
        assert sympy.expand(slope - 2 * (x_symbol + sympy.Symbol("y"))) == 0


def program(run):
    """The generated program of a replay as a function, which also runs on SymPy's symbols."""
    names = {}
    exec(run.source.replace("from math import", "from sympy import"), names)
    return names["program"]


FORMULAS = {
    "x²": (lambda x: x**2, 2 * x_symbol),
    "3x² + 9": (lambda x: 3 * x**2 + 9, 6 * x_symbol),
    "3u + 9, u = x²": (lambda x: (lambda u: 3 * u + 9)(x**2), 6 * x_symbol),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_g5_the_derivative_is_found_as_a_formula(name):
    f, expected = FORMULAS[name]
    value, (slope,) = program(replay(f(Value(0.3, "x"))))(x_symbol)
    assert sympy.simplify(value - f(x_symbol)) == 0
    assert sympy.simplify(slope - sympy.diff(f(x_symbol), x_symbol)) == 0
    assert sympy.simplify(slope - expected) == 0


def sigmoid_of_four_nodes(x):
    return 1 / (1 + (-x).exp())


@given(st.floats(-30, 30), numbers)
def test_g6_sigmoid_as_four_nodes_and_as_one_agree(number, dout):
    layer = by_hand.Sigmoid()
    y = layer.forward(number)
    expected = layer.backward(dout)
    for f, nodes in ((sigmoid_of_four_nodes, 4), (Value.sigmoid, 1)):
        x = Value(number)
        out = f(x)
        out.backward(dout)
        assert len(topological_order(out)) == nodes + 1  # and the leaf
        assert out.data == pytest.approx(y, rel=1e-14)
        # 1 - y is only as exact as y, so that y (1 - y) is exact to the last bits of 1
        assert x.grad == pytest.approx(expected, rel=1e-12, abs=1e-15 * abs(dout) + 1e-320)


def test_g6_both_programs_are_y_times_1_minus_y():
    four, one = sigmoid_of_four_nodes(Value(0.3, "x")), Value(0.3, "x").sigmoid()
    x = sympy.Symbol("x", real=True)
    sigmoid = 1 / (1 + sympy.exp(-x))
    y, (slope,) = program(replay(four))(x)
    assert sympy.simplify(y - sigmoid) == 0
    assert sympy.simplify(slope - y * (1 - y)) == 0
    assert replay(one).source.count("v2 * (1.0 - v2)") == 1


def test_g7_relu_lets_through_what_belongs_to_a_positive_input():
    given_x = np.array([[1.0, -0.5], [-2.0, 3.0]])
    layer = by_hand.ReLU()
    expected = layer.forward(given_x), layer.backward(np.full((2, 2), 7.0))
    assert layer.off.tolist() == [[False, True], [True, False]]
    x = Tensor(given_x, "x")
    y = relu(x)
    y.backward(np.full((2, 2), 7.0))
    assert np.array_equal(y.data, expected[0])
    assert np.array_equal(x.grad, expected[1])
    assert ((x.grad == 0) == layer.off).all()
    assert given_x.tolist() == [[1.0, -0.5], [-2.0, 3.0]]  # the input was not written to
