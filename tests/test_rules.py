"""Every rule of the registry against independent oracles, on every kind of operand."""

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from rule_table import ARRAYS, ELEMENTWISE

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, gradcheck, gradients
from tinygrad_edu.rules import RULES, operations

elementwise = pytest.mark.parametrize("name", ELEMENTWISE)
every_call = pytest.mark.parametrize(
    "call",
    [pytest.param(c, id=f"{name}-{i}") for name, calls in ARRAYS.items()
     for i, c in enumerate(calls)],
)  # fmt: skip


def test_every_rule_has_a_row():
    ours = {name for name, rule in RULES.items() if rule.__module__.startswith("tinygrad_edu.")}
    assert ours == set(ELEMENTWISE) | set(ARRAYS)


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


@pytest.mark.untraced
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


@pytest.mark.untraced
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


@pytest.mark.untraced
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


@pytest.mark.untraced
@elementwise
@given(data=st.data())
def test_central_differences_agree(name, data):
    row = ELEMENTWISE[name]
    xs = data.draw(points(row))
    gradcheck(lambda *v: getattr(operations, name)(*v, **row.settings), *map(Value, xs))


@pytest.mark.untraced
@elementwise
@given(data=st.data())
def test_run_on_nodes_a_rule_gives_second_derivatives(name, data):
    row = ELEMENTWISE[name]
    xs = data.draw(points(row))
    for kind in (Value, Tensor):
        nodes = [kind(x) for x in xs]
        y = getattr(operations, name)(*nodes, **row.settings)
        firsts = gradients(y, *nodes)
        for i, (node, first) in enumerate(zip(nodes, firsts, strict=True)):
            second = gradients(first, node)[0]
            assert_close(float(second), partial_derivative(row.oracle, xs, i, 2), 1e-11, 10.0)


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


@pytest.mark.parametrize(("name", "at"), [k for k in KINKS if k[0] != "power"])
@pytest.mark.parametrize("step", [-0.5, -1e-6, 1e-6, 0.5])
def test_two_points_on_each_side_of_a_kink_are_right(name, at, step):
    row = ELEMENTWISE[name]
    xs = (at[0] + step, *at[1:])
    for i, adjoint in enumerate(adjoints_of(RULES[name], xs, **row.settings)):
        with mpmath.workdps(60):
            h = mpmath.mpf(10) ** -20
            exact = mpmath.diff(
                lambda x, i=i, xs=xs: row.oracle(*xs[:i], x, *xs[i + 1 :]), mpmath.mpf(xs[i]), h=h
            )
        assert_close(adjoint, exact, 1e-12)


def operands_for(call, seed=0):
    rng = np.random.default_rng(seed)
    arrays = [rng.uniform(-2, 2, shape) for shape in call.shapes]
    return [np.abs(a) + 0.1 for a in arrays] if call.positive else arrays


@every_call
def test_an_array_rule_gives_what_numpy_gives(call):
    arrays = operands_for(call)
    y = call.ours(*[Tensor(a) for a in arrays])
    expected = call.numpy(*arrays)
    assert y.shape == np.shape(expected)
    np.testing.assert_allclose(y.data, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.untraced
@every_call
@pytest.mark.parametrize("seed", range(3))
def test_the_gradients_of_an_array_rule_agree_with_central_differences(call, seed):
    gradcheck(call.ours, *[Tensor(a) for a in operands_for(call, seed)])


@pytest.mark.untraced
@every_call
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
        return total + sum((tg.sum(x * 0.0) for x in nodes), start=Tensor(0.0))

    gradcheck(slope, *tensors, rtol=1e-5, atol=1e-5)


@every_call
def test_float32_stays_float32_forwards_and_backwards(call):
    tensors = [Tensor(a.astype(np.float32)) for a in operands_for(call)]
    y = call.ours(*tensors)
    assert y.dtype == np.float32
    y.backward(np.ones(y.shape))
    assert all(t.grad.dtype == np.float32 and t.grad.shape == t.shape for t in tensors)


@elementwise
def test_float32_stays_float32_for_elementwise_rules_and_numbers(name):
    row = ELEMENTWISE[name]
    tensors = [Tensor(np.full(3, (2 * a + b) / 3, np.float32)) for a, b in row.domains]
    y = getattr(operations, name)(*tensors, **row.settings)
    assert y.dtype == np.float32
    y.backward(np.ones(3))
    assert all(t.grad.dtype == np.float32 for t in tensors)
    assert (y * 2 + 1.5 - np.float64(3)).dtype == np.float32


@pytest.mark.parametrize("values", [[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
def test_the_product_is_right_where_factors_are_zero(values):
    gradcheck(lambda x: x.prod(), np.array(values))
    gradcheck(lambda x: x.prod(axis=1), np.array([values, values[::-1]]))


def test_extremes_that_tie_share_the_adjoint_evenly():
    x = Tensor([[2.0, 5.0, 5.0], [7.0, 7.0, 7.0]])
    x.max(axis=1).backward(np.ones(2))
    np.testing.assert_array_equal(x.grad, [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]])


@given(index=st.lists(st.integers(-4, 3), min_size=1, max_size=9))
def test_an_element_taken_k_times_gets_k_adjoints(index):
    x = Tensor(np.arange(4.0))
    x[np.array(index)].sum().backward()
    np.testing.assert_array_equal(x.grad, np.bincount(np.array(index) % 4, minlength=4))


@given(x=st.floats(-1e4, 1e4))
def test_sigmoid_and_softplus_are_exact_and_silent_far_out(x):
    assume(x == 0 or abs(x) > 1e-300)
    with mpmath.workdps(60):
        e = mpmath.exp(-abs(mpmath.mpf(x)))
        sigmoid = (1 if x >= 0 else e) / (1 + e)
        softplus = max(x, 0) + mpmath.log1p(e)
    for value in (Value(x), Tensor(x)):
        assert float(value.sigmoid()) == pytest.approx(float(sigmoid), rel=1e-14, abs=1e-320)
        assert float(value.softplus()) == pytest.approx(float(softplus), rel=1e-14, abs=1e-320)


@pytest.mark.parametrize("big", [1e4, 3e38])
def test_the_softmax_family_is_stable_at_the_extremes_of_float32(big):
    x = Tensor(np.array([[big, -big, 0.0], [-big, -big, -big]], np.float32))
    np.testing.assert_allclose(x.softmax().data, [[1, 0, 0], [1 / 3] * 3], rtol=1e-6)
    np.testing.assert_allclose(x.logsumexp(axis=1).data[0], np.float32(big), rtol=1e-6)
    target = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    loss = tg.rules.softmax_cross_entropy(x, target, reduction="none")
    np.testing.assert_allclose(loss.data, [0, np.log(3)], rtol=1e-6)
    loss.sum().backward()
    np.testing.assert_allclose(x.grad, [[0, 0, 0], [1 / 3, -2 / 3, 1 / 3]], rtol=1e-6, atol=1e-7)


def test_a_rule_that_users_declare_works_on_every_operand():
    @tg.rule("cube")
    def cube(x, /):
        """x³."""
        return x * x * x, lambda g, x=x: (g * 3.0 * x * x,)

    assert cube(2.0) == 8.0
    for node in (Value(2.0), Tensor([2.0])):
        y = cube(node)
        assert y.symbol == "cube"
        (first,) = gradients(y, node)
        assert float(first) == 12.0
        assert float(gradients(first, node)[0]) == 12.0
