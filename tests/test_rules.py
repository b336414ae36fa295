"""Every rule of the registry against independent oracles, on every kind of operand."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from rule_table import ARRAYS, ELEMENTWISE, elementwise, every_call, every_rule, operands_for

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, gradcheck, gradients
from tinygrad_edu.rules import RULES, facts_of, operations


def test_every_rule_has_a_row():
    ours = {name for name, rule in RULES.items() if rule.__module__.startswith("tinygrad_edu.")}
    for name in sorted(ours - {*ELEMENTWISE, *ARRAYS}):
        table = "ARRAYS" if facts_of(RULES[name]).arrays else "ELEMENTWISE"
        pytest.fail(
            f"the rule {name} is tried nowhere: add a row for it to {table} in rule_table.py"
        )
    assert ours == {*ELEMENTWISE, *ARRAYS}


def test_every_rule_has_a_symbol_a_docstring_and_a_public_function():
    for name, rule in RULES.items():
        assert tg.rules.symbol_of(rule)
        assert rule.__doc__
        assert callable(getattr(operations, name))


def points(row):
    """Operands inside the row's domains, off its kinks."""
    numbers = st.tuples(*[st.floats(a, b) for a, b in row.domains])
    near = [k for kink in row.kinks for k in kink] if len(row.domains) == 1 else []
    numbers = numbers.filter(lambda xs: all(abs(xs[0] - k) > 1e-3 for k in near))
    return numbers.filter(lambda xs: not row.apart or abs(xs[0] - xs[1]) > 1e-3)


def partial_derivative(oracle, xs, i, order=1):
    """By mpmath with 60 digits: exact for our purposes, and no formula of ours."""
    with mpmath.workdps(60):
        xs = [mpmath.mpf(x) for x in xs]
        return mpmath.diff(lambda x: oracle(*xs[:i], x, *xs[i + 1 :]), xs[i], order)


def assert_close(ours, exact, rel=1e-13, scale=1.0):
    assert abs(ours - float(exact)) <= rel * max(abs(float(exact)), scale), (ours, exact)


def adjoints_of(rule, xs, g=1.0, **settings):
    return [a() if callable(a) else a for a in rule(*xs, **settings)[1](g)]


@elementwise
@given(data=st.data())
def test_on_floats_value_and_local_derivatives_are_those_of_mpmath(name, data):
    row = ELEMENTWISE[name]
    xs = data.draw(points(row))
    y, _ = RULES[name](*xs, **row.settings)
    with mpmath.workdps(60):
        assert_close(y, row.oracle(*map(mpmath.mpf, xs)))
    for i, adjoint in enumerate(adjoints_of(RULES[name], xs, **row.settings)):
        assert_close(adjoint, partial_derivative(row.oracle, xs, i), scale=2.0)


@elementwise
@given(data=st.data())
def test_a_value_gives_the_same_bits_as_floats(name, data):
    row = ELEMENTWISE[name]
    xs = data.draw(points(row))
    values = [Value(x) for x in xs]
    y = getattr(operations, name)(*values, **row.settings)
    y.backward()
    assert y.data == RULES[name](*xs, **row.settings)[0]
    assert [v.grad for v in values] == adjoints_of(RULES[name], xs, **row.settings)


@elementwise
@given(data=st.data())
def test_a_tensor_of_any_shape_gives_what_floats_give_element_by_element(name, data):
    row = ELEMENTWISE[name]
    shapes = data.draw(
        mutually_broadcastable_shapes(num_shapes=len(row.domains), max_dims=3, max_side=3)
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    arrays = [rng.uniform(*d, s) for d, s in zip(row.domains, shapes.input_shapes, strict=True)]
    tensors = [Tensor(a) for a in arrays]
    y = getattr(operations, name)(*tensors, **row.settings)
    y.backward(np.ones(y.shape))
    assert y.shape == shapes.result_shape
    spread = [np.broadcast_to(a, y.shape) for a in arrays]
    sums = [np.zeros(a.shape) for a in arrays]
    for index in np.ndindex(y.shape):
        xs = [float(a[index]) for a in spread]
        assert y.data[index] == pytest.approx(
            RULES[name](*xs, **row.settings)[0], rel=1e-13, abs=1e-15
        )
        for total, adjoint in zip(sums, adjoints_of(RULES[name], xs, **row.settings), strict=True):
            lead = len(y.shape) - total.ndim
            place = tuple(0 if n == 1 else k
                          for n, k in zip(total.shape, index[lead:], strict=True))  # fmt: skip
            total[place] += adjoint
    for tensor, total in zip(tensors, sums, strict=True):
        assert tensor.grad.shape == tensor.data.shape
        np.testing.assert_allclose(tensor.grad, total, rtol=1e-11, atol=1e-12)


KINKS = [(name, at) for name, row in ELEMENTWISE.items() for at in row.kinks]


@pytest.mark.parametrize(("name", "at"), KINKS)
def test_at_a_kink_the_derivative_is_the_one_agreed_on(name, at):
    row = ELEMENTWISE[name]
    values = [Value(x) for x in at]
    getattr(operations, name)(*values, **row.settings).backward()
    assert tuple(v.grad for v in values) == row.kinks[at]
    tensors = [Tensor([x]) for x in at]
    getattr(operations, name)(*tensors, **row.settings).backward()
    assert tuple(t.grad.item() for t in tensors) == row.kinks[at]


@every_call
def test_an_array_rule_gives_what_numpy_gives(call):
    arrays = operands_for(call)
    y = call.ours(*[Tensor(a) for a in arrays])
    expected = call.numpy(*arrays)
    assert y.shape == np.shape(expected)
    np.testing.assert_allclose(y.data, expected, rtol=1e-12, atol=1e-14)


@every_call
@pytest.mark.parametrize("seed", range(3))
def test_the_gradients_of_an_array_rule_agree_with_central_differences(call, seed):
    report = gradcheck(call.ours, *[Tensor(a) for a in operands_for(call, seed)], raises=False)
    assert not report.problems
    assert {row.verdict for row in report.rows} <= {"ok", "kink", "unused"}  # a single one's var


@every_rule
def test_run_on_nodes_an_array_rule_gives_the_same_gradient_and_a_right_second_one(call):
    tensors = [Tensor(a) for a in operands_for(call)]
    y = call.ours(*tensors)
    seed = np.random.default_rng(1).uniform(0.5, 1.5, y.shape)
    y.backward(seed)
    for tensor, again in zip(tensors, gradients(y, *tensors, gradient=seed), strict=True):
        assert again.shape == tensor.shape
        np.testing.assert_allclose(again.data, tensor.grad, rtol=1e-12, atol=1e-13)

    def slope(*nodes):
        out = call.ours(*nodes)
        first = gradients(out, *nodes, gradient=np.ones(out.shape))
        total = sum((tg.sum(tg.sin(g)) for g in first), start=Tensor(0.0))
        return total + sum((tg.sum(x * 1.0) for x in nodes), start=Tensor(0.0))  # each matters

    gradcheck(slope, *tensors, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("values", [[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
def test_the_product_is_right_where_factors_are_zero(values):
    gradcheck(lambda x: x.prod(), np.array(values))
    gradcheck(lambda x: x.prod(axis=1), np.array([values, values[::-1]]))


def test_extremes_that_tie_share_the_adjoint_evenly():
    x = Tensor([[2.0, 5.0, 5.0], [7.0, 7.0, 7.0]])
    x.max(axis=1).backward(np.ones(2))
    np.testing.assert_array_equal(x.grad, [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]])
