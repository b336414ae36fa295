"""Calculus over functions: right derivatives of every order, however calls are nested."""

import math

import mpmath
import numpy as np
import pytest
import sympy
from effort import much
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_graphs import value_graphs
from rule_table import ELEMENTWISE, every_rule
from test_rules import assert_close, partial_derivative, points

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from tinygrad_edu.rules import operations
from tinygrad_edu.testing import DOMAINS

TWO_OPERANDS = [name for name, row in ELEMENTWISE.items() if len(row.domains) == 2]

# --- every rule ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ELEMENTWISE)
@given(data=st.data())
def test_three_derivatives_of_every_elementwise_rule_are_those_of_mpmath(name, data):
    row = ELEMENTWISE[name]
    xs = data.draw(points(row))
    i = data.draw(st.integers(0, len(xs) - 1))
    as_array = data.draw(st.booleans())
    derivative = getattr(operations, name)
    for order in (1, 2, 3):
        derivative = grad(derivative, argnums=i)
        found = derivative(*([np.array(x) for x in xs] if as_array else xs), **row.settings)
        assert type(found) is float
        exact = partial_derivative(row.oracle, xs, i, order)
        assert_close(found, exact, rel=1e-12, scale=10.0**order)


@pytest.mark.parametrize("name", TWO_OPERANDS)
@given(data=st.data())
def test_mixed_second_derivatives_are_those_of_mpmath(name, data):
    row = ELEMENTWISE[name]
    xs = data.draw(points(row))
    found = hessian(getattr(operations, name), argnums=(0, 1))(*xs)
    with mpmath.workdps(60):
        exact = mpmath.diff(row.oracle, tuple(map(mpmath.mpf, xs)), (1, 1))
    assert_close(found[0][1], exact, rel=1e-12, scale=10.0)
    assert_close(found[1][0], exact, rel=1e-12, scale=10.0)


def test_the_mixed_derivative_of_a_power_at_exponent_0():
    for x in (0.5, 2.0, 3.0):
        (a, b), (c, d) = hessian(lambda x, y: x**y, argnums=(0, 1))(x, 0.0)
        assert (a, d) == (0.0, pytest.approx(math.log(x) ** 2))
        assert b == c == pytest.approx(1 / x)


@given(st.floats(-10, 10), st.integers(1, 6))
def test_the_nth_derivative_of_sine_is_sine_shifted_by_n_quarter_turns(x, n):
    f = tg.sin
    for _ in range(n):
        f = grad(f)
    assert f(x) == pytest.approx(math.sin(x + n * math.pi / 2), abs=1e-14)


# --- nesting -------------------------------------------------------------------------------------


def like(x, number):
    """A plain number, or an array where x is a Tensor, with which no Value mixes."""
    return np.array(number) if isinstance(x, Tensor) else number


NESTED = {
    "the sum": (lambda x: x * grad(lambda y: x + y)(like(x, 1.0)), lambda x: 1),
    "the product": (lambda x: x * grad(lambda y: x * y)(like(x, 1.0)), lambda x: 2 * x),
    "the product at x": (lambda x: x * grad(lambda y: x * y)(x), lambda x: 2 * x),
    "the square at x": (lambda x: grad(lambda y: x * y * y)(x), lambda x: 4 * x),
    "one name twice": (lambda x: x * grad(lambda x: x**3)(x), lambda x: 9 * x**2),
    "inner argument twice": (lambda x: grad(lambda y, z: y * z * x)(x, x), lambda x: 2 * x),
    "three deep": (
        lambda x: grad(lambda y: grad(lambda z: x * y**2 * z**3)(x * y))(x),
        lambda x: 72 * x**5,
    ),
    "second inside first": (lambda x: grad(grad(lambda y: y**3 * x))(x), lambda x: 12 * x),
    "the pullback at the outer variable": (
        lambda x: vjp(lambda y: y * x, x)[1](x)[0],
        lambda x: 2 * x,
    ),
    "the tangent too": (lambda x: jvp(lambda y: y**3, (x,), (x,))[1], lambda x: 9 * x**2),
    "the vector too": (lambda x: hvp(lambda y: y**3, (x,), (x,))[0], lambda x: 12 * x),
    "only the tangent": (
        lambda x: jvp(lambda y: y**3, (like(x, 2.0),), (x,))[1],
        lambda x: 12,
    ),
    "only the vector": (
        lambda x: hvp(lambda y: y**3, (like(x, 2.0),), (x,))[0],
        lambda x: 12,
    ),
    "a value": (lambda x: value_and_grad(lambda y: x * y)(like(x, 2.0))[0], lambda x: 2),
}


@pytest.mark.parametrize("start", [float, np.array, Value, Tensor])
@pytest.mark.parametrize(("f", "exact"), NESTED.values(), ids=NESTED)
def test_an_inner_derivative_is_by_the_inner_argument_and_the_outer_goes_on(f, exact, start):
    found = grad(f)(start(3.0))
    assert float(found) == pytest.approx(exact(3.0), rel=1e-13)


@st.composite
def polynomials(draw):
    """A polynomial in x, y and z, as a function that takes numbers, nodes or symbols."""
    powers = st.integers(0, 2)
    coefficients = st.integers(-3, 3).filter(bool)
    terms = draw(st.lists(st.tuples(coefficients, powers, powers, powers), min_size=1, max_size=3))
    return lambda x, y, z: sum(c * x**i * y**j * z**k for c, i, j, k in terms)


@settings(max_examples=much(20, 5))
@given(polynomials(), polynomials(), polynomials(), st.floats(-2, 2))
def test_random_nested_derivatives_are_those_of_sympy(p, q, r, at):
    """d/dx q(x, u, x) with u = d/dy p(x, y, w) at y = r(x, x, x), and w = r(x, y, y)."""

    def ours(x):
        u = grad(lambda y: p(x, y, r(x, y, y)) + 0.0 * y)(r(x, x, x) + 0.0 * x)
        return q(x, u, x) + 0.0 * x

    x, y = sympy.symbols("x y")
    u = sympy.diff(p(x, y, r(x, y, y)), y).subs(y, r(x, x, x))
    exact = sympy.diff(sympy.sympify(q(x, u, x)), x).evalf(30, subs={x: sympy.Float(at, 40)})
    assert grad(ours)(at) == pytest.approx(float(exact), rel=1e-9, abs=1e-9)


def test_the_backward_pass_goes_on_through_a_gradient():
    x = Value(3.0)
    y = x * grad(lambda t: x * t * t)(1.0)  # 2 x²
    y.backward()
    assert x.grad == 12.0
    w = Tensor([1.0, 2.0])
    loss = (grad(lambda t: (w * t**3).sum())(np.array([1.0, 2.0])) ** 2).sum()
    loss.backward()
    np.testing.assert_allclose(w.grad, [2 * 9.0 * 1, 2 * 144.0 * 2])


def test_a_loss_with_a_second_derivative_in_it_has_the_right_gradient():
    """Σ (u'' + u)² for a small network u(t); its parameters' gradients by central differences."""
    rng = np.random.default_rng(0)
    t = np.linspace(0, 1, 5)[:, None]
    start = [rng.normal(size=s) for s in [(1, 4), (4,), (4, 1)]]

    def loss(weights):
        def u(t):
            return (t @ weights[0] + weights[1]).tanh() @ weights[2]

        second = grad(lambda s: grad(lambda r: u(r).sum())(s).sum())(t)
        return ((second + u(t)) ** 2).sum()

    weights = [Tensor(w) for w in start]
    loss(weights).backward()
    for i, w in enumerate(weights):

        def of_one(moved, i=i):
            return float(loss([moved if k == i else Tensor(start[k]) for k in range(3)]))

        np.testing.assert_allclose(w.grad, tg.numerical_gradient(of_one, w), rtol=1e-7, atol=1e-7)
    by_argument = grad(lambda *ws: loss(ws), argnums=(0, 1, 2))(*start)
    for w, g in zip(weights, by_argument, strict=True):
        np.testing.assert_allclose(g, w.grad, rtol=1e-12)


# --- arrays --------------------------------------------------------------------------------------


def inputs_of(call, seed):
    rng = np.random.default_rng(seed)
    low = 0.5 if call.positive else -1.5
    return tuple(rng.uniform(low, 1.5, shape) for shape in call.shapes), rng


@every_rule
def test_the_jacobian_of_every_array_rule_is_that_of_central_differences(call):
    xs, _ = inputs_of(call, 0)
    found = jacobian(call.ours, argnums=tuple(range(len(xs))))(*xs)
    y = np.asarray(call.numpy(*xs))
    for i, (x, ours) in enumerate(zip(xs, found, strict=True)):
        exact = np.empty((*y.shape, *x.shape))
        for index in np.ndindex(x.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = x.copy()
                moved[index] += step
                ends.append(np.asarray(call.numpy(*xs[:i], moved, *xs[i + 1 :])))
            exact[(..., *index)] = (ends[0] - ends[1]) / 2e-6
        assert np.shape(ours) == y.shape + x.shape
        np.testing.assert_allclose(ours, exact, rtol=1e-6, atol=1e-7)


@every_rule
def test_products_with_the_jacobian_are_products_with_the_jacobian(call):
    """J t by jvp, and g J by the pullback, for every rule of arrays, and both again on nodes."""
    xs, rng = inputs_of(call, 1)
    ts = tuple(rng.normal(size=x.shape) for x in xs)
    js = jacobian(call.ours, argnums=tuple(range(len(xs))))(*xs)
    value, pullback = vjp(call.ours, *xs)
    g = rng.normal(size=np.shape(value))
    forwards = sum(np.tensordot(j, t, axes=t.ndim) for j, t in zip(js, ts, strict=True))
    backwards = [np.tensordot(g, j, axes=g.ndim) for j in js]
    np.testing.assert_allclose(value, call.numpy(*xs), rtol=1e-12, atol=1e-14)
    for kind in (np.asarray, Tensor):
        y, tangent = jvp(call.ours, tuple(map(kind, xs)), ts)
        np.testing.assert_array_equal(numbers(y), value)
        np.testing.assert_allclose(numbers(tangent), forwards, rtol=1e-9, atol=1e-12)
        for ours, exact in zip(pullback(kind(g)), backwards, strict=True):
            np.testing.assert_allclose(numbers(ours), exact, rtol=1e-9, atol=1e-12)


def numbers(x):
    return x.data if isinstance(x, Tensor) else x


@every_rule
def test_the_hessian_of_every_array_rule_is_symmetric_and_that_of_differences_of_gradients(call):
    xs, rng = inputs_of(call, 2)
    weights = rng.uniform(0.5, 1.5, np.shape(call.numpy(*xs)))

    def f(*xs):
        return (call.ours(*xs).tanh() * weights).sum()

    everything = tuple(range(len(xs)))
    found = hessian(f, argnums=everything)(*xs)
    vs = tuple(rng.normal(size=x.shape) for x in xs)
    products = hvp(f, xs, vs)
    pairs = list(zip(xs, vs, strict=True))
    ends = [
        grad(f, argnums=everything)(*[np.asarray(x + step * v) for x, v in pairs])
        for step in (1e-6, -1e-6)
    ]
    for i, x in enumerate(xs):
        for j, y in enumerate(xs):
            assert np.shape(found[i][j]) == x.shape + y.shape
            square = np.reshape(found[i][j], (x.size, y.size))
            other = np.reshape(found[j][i], (y.size, x.size))
            np.testing.assert_allclose(square, other.T, rtol=1e-9, atol=1e-12)
        exact = sum(np.tensordot(h, v, axes=v.ndim) for h, v in zip(found[i], vs, strict=True))
        np.testing.assert_allclose(products[i], exact, rtol=1e-9, atol=1e-11)
        slopes = (np.asarray(ends[0][i]) - ends[1][i]) / 2e-6
        np.testing.assert_allclose(products[i], slopes, rtol=1e-5, atol=1e-6)


SMOOTH = [name for name, d in DOMAINS.items() if not (d.kinks or d.ties or name == "where")]


@given(value_graphs(SMOOTH, most=6), st.integers(0, 99))
def test_of_random_smooth_functions_the_hessian_is_symmetric_and_the_laws_hold(f, seed):
    at = f.inputs
    everything = tuple(range(len(at)))
    value, slope = value_and_grad(f, argnums=everything)(*at)
    h = np.array(hessian(f, argnums=everything)(*at))
    assume(np.isfinite(h).all())
    size = np.abs(h).max() + np.abs(slope).max() + 1
    np.testing.assert_allclose(h, h.T, atol=1e-12 * size)
    v = np.random.default_rng(seed).normal(size=len(at))
    np.testing.assert_allclose(hvp(f, tuple(at), tuple(v)), h @ v, atol=1e-11 * size)
    assert jvp(f, tuple(at), tuple(v))[1] == pytest.approx(v @ slope, abs=1e-11 * size)
    assert (value, slope) == (vjp(f, *at)[0], vjp(f, *at)[1](1.0))
    assert jacobian(grad(f, argnums=everything), argnums=everything)(*at) == tuple(
        tuple(row) for row in h.tolist()
    )
    assert jacobian(lambda *xs: [f(*xs), xs[0]], argnums=everything)(*at)[0] == slope


def test_closed_forms_by_sympy():
    """Rosenbrock's function and a map of the plane: gradient, Hessian, Jacobian, third order."""
    a, b = symbols = sympy.symbols("a b")
    rosenbrock = 100 * (b - a**2) ** 2 + (1 - a) ** 2
    at = np.array([-1.2, 1.0])

    def ours(x):
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    gradient = sympy.Matrix([rosenbrock]).jacobian(symbols)
    second = sympy.hessian(rosenbrock, symbols)
    third = [[[rosenbrock.diff(p, q, r) for r in symbols] for q in symbols] for p in symbols]
    for found, exact in [
        (grad(ours), list(gradient)),
        (hessian(ours), second.tolist()),
        (jacobian(hessian(ours)), third),
        (jacobian(jacobian(jacobian(ours))), third),
    ]:
        np.testing.assert_allclose(found(at), sympy.lambdify(symbols, exact)(*at), rtol=1e-12)
    polar = sympy.Matrix([a * sympy.cos(b), a * sympy.sin(b)]).jacobian(symbols)
    found = jacobian(lambda r, t: (r * t.cos(), r * t.sin()), argnums=(0, 1))(2.0, 0.5)
    np.testing.assert_allclose(found, sympy.lambdify(symbols, polar.tolist())(2.0, 0.5), rtol=1e-15)


@given(st.integers(1, 4), st.integers(0, 99))
def test_of_a_quadratic_form_the_gradient_and_the_hessian_are_its_matrix(n, seed):
    rng = np.random.default_rng(seed)
    a, x, v = rng.normal(size=(n, n)), rng.normal(size=n), rng.normal(size=n)

    def f(x):
        return x @ a @ x

    np.testing.assert_allclose(grad(f)(x), (a + a.T) @ x, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(hessian(f)(x), a + a.T, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(hvp(f, (x,), (v,))[0], (a + a.T) @ v, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(jacobian(hessian(f))(x), np.zeros((n, n, n)))


def test_a_jacobian_of_a_tensor_can_be_differentiated_and_keeps_its_dtype():
    x = Tensor(np.array([1.0, 2.0], np.float32))
    j = jacobian(lambda x: x**3)(x)
    assert (j.shape, j.dtype) == ((2, 2), np.float32)
    j.sum().backward()
    np.testing.assert_allclose(x.grad, 6 * x.data)
    for empty in (jacobian(lambda x: x[:0])(x), jacobian(lambda x: x.exp())(x[:0])):
        assert (type(empty), empty.dtype, empty.size) == (Tensor, np.float32, 0)
    assert jacobian(lambda x: x[:0])(np.ones(3)).shape == (0, 3)
