"""Graphs: order, the backward pass, gradients as nodes, no_grad, memory, threads."""

import gc

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import (
    Tensor,
    Value,
    collector_paused,
    gradients,
    no_grad,
    topological_order,
)

NAMES = ("x", "y", "z")


@st.composite
def programs(draw):
    """A random expression with shared nodes: instructions on earlier results."""
    n = draw(st.integers(1, 12))
    program = []
    for i in range(n):
        operand = st.integers(0, len(NAMES) + i - 1)
        name = draw(st.sampled_from(["+", "-", "*", "sin", "tanh", "exp-", "half", "square"]))
        program.append((name, draw(operand), draw(operand)))
    return program


def run(program, leaves, functions):
    values = list(leaves)
    for name, i, j in program:
        x, y = values[i], values[j]
        values.append(
            {
                "+": lambda x=x, y=y: x + y,
                "-": lambda x=x, y=y: x - y,
                "*": lambda x=x, y=y: x * y,
                "sin": lambda x=x: functions.sin(x),
                "tanh": lambda x=x: functions.tanh(x),
                "exp-": lambda x=x: functions.exp(-x * x),
                "half": lambda x=x: x / 2,
                "square": lambda x=x: x**2,
            }[name]()
        )
    return values[-1]


@given(programs(), st.tuples(*[st.floats(-1.5, 1.5)] * 3))
def test_gradients_of_random_graphs_are_those_of_sympy_at_high_precision(program, at):
    symbols = sympy.symbols(NAMES)
    expression = sympy.sympify(run(program, symbols, sympy))
    point = {s: sympy.Float(x, 60) for s, x in zip(symbols, at, strict=True)}
    exact = [float(expression.diff(s).evalf(40, subs=point)) for s in symbols]
    for kind in (Value, Tensor):
        leaves = [kind(x, name) for x, name in zip(at, NAMES, strict=True)]
        root = run(program, leaves, tg)
        root.backward()
        assert float(root) == pytest.approx(float(expression.evalf(40, subs=point)), abs=1e-9)
        for leaf, g in zip(leaves, exact, strict=True):
            assert float(leaf.grad) == pytest.approx(g, rel=1e-9, abs=1e-9)


@given(programs(), st.tuples(*[st.floats(-1.5, 1.5)] * 3))
def test_gradients_as_nodes_equal_the_backward_pass(program, at):
    leaves = [Value(x) for x in at]
    root = run(program, leaves, tg)
    found = gradients(root, *leaves)
    assert all(leaf.grad == 0 for leaf in leaves)
    root.backward()
    for g, leaf in zip(found, leaves, strict=True):
        assert g.data == pytest.approx(leaf.grad, rel=1e-12, abs=1e-12)


@given(programs())
def test_parents_stand_before_children_and_everything_once(program):
    root = run(program, [Value(0.3), Value(0.7), Value(-0.2)], tg)
    order = topological_order(root)
    place = {node: i for i, node in enumerate(order)}
    assert len(place) == len(order)
    assert order[-1] is root
    for node in order:
        assert all(place[parent] < place[node] for parent in node.parents)


@given(programs(), st.tuples(*[st.floats(-1.5, 1.5)] * 3))
def test_two_runs_give_the_same_bits_and_the_same_order(program, at):
    runs = []
    for _ in range(2):
        leaves = [Value(x, name) for x, name in zip(at, NAMES, strict=True)]
        root = run(program, leaves, tg)
        root.backward()
        nodes = topological_order(root)
        runs.append(([x.grad for x in leaves], [(n.symbol, n.data, n.grad) for n in nodes]))
    assert repr(runs[0]) == repr(runs[1])


def test_parents_and_operands_keep_their_order():
    a, b = Value(1.0), Value(2.0)
    y = b - a
    assert y.parents == (b, a)
    assert (3.0 - a).operands == (3.0, a)
    assert (3.0 - a).parents == (a,)
    assert (a * a).parents == (a, a)
    assert a.parents == () == a.operands


def test_a_failing_operation_leaves_nothing_behind():
    x = Value(0.0, "x")
    with pytest.raises(ZeroDivisionError, match="divide"):
        1.0 / x
    assert (x.data, x.grad, x.operands) == (0.0, 0.0, ())


def test_a_failing_pullback_changes_no_leaf():
    x, y = Value(0.0, "x"), Value(2.0, "y")
    y.grad = 7.0
    product = x.sqrt() * y
    root = product + y
    with pytest.raises(ZeroDivisionError, match=r"backward through .*sqrt\(Value\(0.0.*'x'"):
        root.backward()
    assert (x.grad, y.grad) == (0.0, 7.0)
    assert (product.grad, root.grad) == (0.0, 0.0)  # not a part of a gradient


def test_no_grad_nests_decorates_and_survives_errors():
    x = Tensor([1.0])

    @no_grad()
    def double():
        with no_grad():
            pass
        return x * 2

    assert double().operands == ()
    with pytest.raises(KeyboardInterrupt), no_grad():
        raise KeyboardInterrupt
    assert (x * 2).operands
    assert (Value(2.0) * 2).operands


def test_a_leaf_without_a_gradient_moves_inside_no_grad_too():
    p = leaf = Value(2.0)
    with no_grad():
        p -= 0.5
        p *= 3
    assert p is leaf
    assert (leaf.data, leaf.grad) == (4.5, 0.0)
    leaf.grad = 1.0  # then a step outside was most likely meant to move it
    with pytest.warns(UserWarning, match="in place outside no_grad"):
        p -= 0.5
    assert (p.data, leaf.data) == (4.0, 4.5)


def test_the_collector_is_paused_and_comes_back():
    with collector_paused():
        assert not gc.isenabled()
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
        Value(1.0).backward()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_detach_gives_a_leaf_with_data_of_its_own():
    x = Tensor([1.0, 2.0], "x")
    y = (x * 2).detach()
    assert y.operands == ()
    y.data[0] = 9.0
    np.testing.assert_array_equal((x * 2).data, [2.0, 4.0])
    assert (Value(3.0, "v") * 2).detach().data == 6.0


def test_gradients_are_nodes_that_can_be_differentiated_again():
    x, y = Value(3.0, "x"), Value(2.0, "y")
    z = x**2 * y
    (by_x,) = gradients(z, x)
    assert by_x.data == 12.0
    assert [g.data for g in gradients(by_x, x, y)] == [4.0, 6.0]
    (third,) = gradients(gradients(gradients(x**4, x)[0], x)[0], x)
    assert third.data == pytest.approx(24 * 3.0)


def test_gradients_by_inner_nodes_strangers_and_the_root():
    x, stranger = Tensor([1.0, 2.0]), Tensor([5.0])
    inner = x * 3
    root = (inner * inner).sum()
    by_inner, by_stranger, by_root = gradients(root, inner, stranger, root)
    np.testing.assert_array_equal(by_inner.data, [6.0, 12.0])
    np.testing.assert_array_equal(by_stranger.data, [0.0])
    assert by_root.item() == 1.0
    with pytest.raises(TypeError, match="expected nodes"):
        gradients(root, 2.0)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=2), st.floats(-2, 2))
def test_sum_product_and_chain_rule(at, c):
    def slope(f):
        x = Value(at[0])
        f(x).backward()
        return x.grad

    f, g = tg.sin, lambda x: x * x + at[1]
    a = Value(at[0])
    fx, gx = f(a).data, g(a).data
    close = pytest.approx
    assert slope(lambda x: f(x) + g(x)) == close(slope(f) + slope(g), abs=1e-12)
    assert slope(lambda x: f(x) * g(x)) == close(slope(f) * gx + fx * slope(g), abs=1e-12)
    inner = Value(gx)
    f(inner).backward()
    assert slope(lambda x: f(g(x))) == close(inner.grad * slope(g), abs=1e-12)
    assert slope(lambda x: c * f(x)) == close(c * slope(f), abs=1e-12)


@given(st.integers(0, 1000), st.floats(-3, 3), st.floats(-3, 3))
def test_a_pullback_is_linear_in_the_adjoint(seed, a, b):
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
    g, h = rng.normal(size=(2, 3, 2))

    def pulled(adjoint):
        leaves = Tensor(x), Tensor(w)
        (leaves[0] @ leaves[1]).softmax().backward(adjoint)
        return np.concatenate([leaf.grad.ravel() for leaf in leaves])

    np.testing.assert_allclose(
        pulled(a * g + b * h), a * pulled(g) + b * pulled(h), rtol=1e-9, atol=1e-9
    )


@given(st.permutations(range(5)))
def test_the_order_of_building_does_not_matter(order):
    def build(order):
        x = Value(1.3)
        parts = {}
        for i in order:
            parts[i] = x ** float(i) + tg.sin(x * float(i))
        total = parts[0]
        for i in range(1, 5):
            total = total + parts[i]
        total.backward()
        return total.data, x.grad

    assert build(order) == build(range(5))
