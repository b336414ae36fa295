"""gradcheck with jacobian=, hessian=, jvp= and adjoint=: right ones pass, wrong ones are named."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from effort import much

from tinygrad_edu import gradcheck
from tinygrad_edu.check import GradientError

RNG = np.random.default_rng(0)
A, SQUARE, X = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 3)), RNG.normal(size=3)
GRID = RNG.normal(size=(2, 2))


def only(report):
    (row,) = report.rows
    return row


# --- Jacobians -----------------------------------------------------------------------------------

FUNCTIONS = {
    "fewer results": (lambda x: anp.tanh(anp.dot(A, x)), X),
    "a square": (lambda x: anp.sin(anp.dot(SQUARE, x)), X),
    "softmax": (lambda x: anp.exp(x) / anp.sum(anp.exp(x)), X),
    "one number": (lambda x: anp.sum(x**3), X),
    "by a number": (lambda t: anp.array([anp.cos(t), anp.sin(t), t * t]), 0.7),
    "of several axes": (lambda x: anp.dot(x, x) * x, GRID),
}


@pytest.mark.parametrize(("f", "x"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_right_jacobian_passes_also_flattened_and_a_wrong_one_does_not(f, x):
    jacobian = autograd.jacobian(f)
    row = only(gradcheck(f, x, jacobian=jacobian))
    assert row.verdict == "ok"
    assert row.shape == np.shape(f(x)) + np.shape(x)
    flat = np.size(f(x)), np.size(x)
    assert gradcheck(f, x, jacobian=lambda x: jacobian(x).reshape(flat)).ok
    row = only(gradcheck(f, x, jacobian=lambda x: -jacobian(x), raises=False))
    assert "the sign is wrong" in row.note

    def one_off(x):
        wrong = np.array(jacobian(x))
        wrong.flat[-1] += 1e-3
        return wrong

    row = only(gradcheck(f, x, jacobian=one_off, raises=False))
    assert row.verdict == "wrong"
    assert row.index == tuple(n - 1 for n in row.shape)
    assert row.numeric == pytest.approx(jacobian(x)[row.index])


@pytest.mark.parametrize("name", ["fewer results", "a square", "of several axes"])
@pytest.mark.parametrize("flattened", [False, True])
def test_a_transposed_jacobian_is_named(name, flattened):
    f, x = FUNCTIONS[name]
    matrix = autograd.jacobian(f)(x)
    results = np.size(f(x))
    transposed = matrix.reshape(results, -1).T
    if not flattened:
        transposed = transposed.reshape(np.shape(x) + np.shape(f(x)))
    row = only(gradcheck(f, x, jacobian=lambda x: transposed, raises=False))
    assert row.verdict == "wrong"
    assert row.note.startswith("it is the transpose")


def test_a_symmetric_jacobian_is_not_called_transposed():
    assert gradcheck(lambda x: x / np.sum(x**2) ** 0.5, X, jacobian=lambda x: (
        np.eye(3) / np.linalg.norm(x) - np.outer(x, x) / np.linalg.norm(x) ** 3
    )).ok  # fmt: skip


def test_the_diagonal_of_softmax_alone_is_wrong():
    f, x = FUNCTIONS["softmax"]
    row = only(gradcheck(f, x, jacobian=lambda x: np.diag(f(x) * (1 - f(x))), raises=False))
    assert "everywhere but on the diagonal: it is 0 there" in row.note


def test_a_jacobian_of_another_shape_is_told_the_right_ones():
    row = only(gradcheck(lambda x: A @ x, X, jacobian=lambda x: A[0], raises=False))
    assert "its shape is (3,)" in row.note
    assert "(2, 3)" in row.note


def test_jacobians_by_several_inputs():
    def f(x, y):
        return x * np.sum(y)

    def jacobian(x, y):
        return np.eye(3) * np.sum(y), np.outer(x, np.ones(3))

    assert gradcheck(f, X, X + 1, jacobian=jacobian).ok
    swapped = gradcheck(f, X, X + 1, jacobian=lambda x, y: jacobian(x, y)[::-1], raises=False)
    assert [row.verdict for row in swapped.rows] == ["wrong", "wrong"]


# --- Hessians ------------------------------------------------------------------------------------

SCALARS = {
    "a polynomial": (lambda x: anp.sum(x**4) + x[0] * x[1] * x[2], X),
    "log-sum-exp": (lambda x: anp.log(anp.sum(anp.exp(x))), X),
    "Rosenbrock": (lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2, X[:2]),
    "a quadratic form": (lambda x: anp.dot(x, anp.dot(SQUARE, x)), X),
    "of two axes": (lambda x: anp.sum(anp.tanh(anp.dot(x, x))), GRID),
}


def real_only(f):
    """The function without the complex step: casting to float refuses complex numbers."""
    return lambda x: float(f(np.asarray(x, float)))


@pytest.mark.parametrize("way", ["differences", "the complex step", "the gradient"])
@pytest.mark.parametrize(("f", "x"), SCALARS.values(), ids=SCALARS)
def test_hessians(f, x, way):
    hessian = autograd.hessian(f)
    plain = real_only(f) if way == "differences" else f
    gradient = {"gradient": autograd.grad(f)} if way == "the gradient" else {}
    report = gradcheck(plain, x, hessian=hessian, **gradient)
    assert report.ok
    assert report.rows[-1].shape == x.shape * 2
    flat = (x.size, x.size)
    assert gradcheck(plain, x, hessian=lambda x: hessian(x).reshape(flat), **gradient).ok
    for factor in (2, -1, 1.001):
        wrong = gradcheck(plain, x, hessian=lambda x, k=factor: k * hessian(x), raises=False)
        assert wrong.rows[-1].verdict == "wrong"


@pytest.mark.parametrize(("half", "where"), [(np.triu, "below"), (np.tril, "above")])
def test_a_hessian_of_which_one_half_is_filled_in(half, where):
    f, x = SCALARS["a polynomial"]
    hessian = autograd.hessian(f)
    row = only(gradcheck(f, x, hessian=lambda x: half(hessian(x)), raises=False))
    assert "it is not symmetric" in row.note
    assert f"what is {where} the diagonal was not filled in" in row.note


def test_hessians_of_several_numbers_as_rows_of_numbers():
    def f(x, y):
        return x**2 * y

    report = gradcheck(f, 2.0, 3.0, hessian=lambda x, y: ((2 * y, 2 * x), (2 * x, 0.0)))
    assert [row.parameter for row in report.rows] == ["x, x", "x, y", "y, x", "y, y"]
    with pytest.raises(GradientError, match="wrong for y, x"):
        gradcheck(f, 2.0, 3.0, hessian=lambda x, y: ((2 * y, 2 * x), (x, 0.0)))


def test_hessians_of_several_arrays_are_blocks():
    def f(x, m):
        return x @ m @ x

    def hessian(x, m):
        by_m = np.einsum("ik,j->kij", np.eye(3), x) + np.einsum("jk,i->kij", np.eye(3), x)
        return (m + m.T, by_m), (np.moveaxis(by_m, 0, -1), np.zeros((3, 3, 3, 3)))

    assert gradcheck(f, X, SQUARE, hessian=hessian).ok


def test_a_hessian_is_of_one_number():
    with pytest.raises(ValueError, match=r"hessian= is for a function with one number .* \(3,\)"):
        gradcheck(np.sin, X, hessian=lambda x: np.diag(-np.sin(x)))


# --- products with a vector ----------------------------------------------------------------------


def product(x, y):
    return x * y + np.sin(x)


WAYS = {
    "x, y, v, w": lambda x, y, v, w: v * y + x * w + np.cos(x) * v,
    "two tuples": lambda primals, tangents: WAYS["x, y, v, w"](*primals, *tangents),
    "with the result": lambda primals, tangents: (
        product(*primals), WAYS["x, y, v, w"](*primals, *tangents)
    ),
}  # fmt: skip


@pytest.mark.parametrize("jvp", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("xs", [(X, X + 1), (2.0, 3.0), (GRID, GRID)], ids=["3", "()", "2, 2"])
def test_a_jvp_is_called_as_it_takes_its_arguments(jvp, xs):
    report = gradcheck(product, *xs, jvp=jvp)
    assert [(row.parameter, row.verdict) for row in report.rows] == [("x", "ok"), ("y", "ok")]


def test_a_wrong_jvp_is_wrong_for_the_input_whose_tangent_is_misused():
    def jvp(x, y, v, w):
        return v * y + 2 * x * w + np.cos(x) * v

    report = gradcheck(product, X, X + 1, jvp=jvp, raises=False)
    assert [row.verdict for row in report.rows] == ["ok", "wrong"]
    assert "twice what it should be" in report.rows[1].note


def test_a_jvp_of_one_input_alone_or_in_tuples():
    def jvp(x, v):
        return SQUARE @ v * np.cos(SQUARE @ x)

    def f(x):
        return np.sin(SQUARE @ x)

    for way in (jvp, lambda primals, tangents: (f(*primals), jvp(*primals, *tangents))):
        assert gradcheck(f, X, jvp=way).ok
        assert gradcheck(f, X[:3].reshape(3, 1), jvp=way).ok
    row = only(gradcheck(f, X, jvp=lambda x, v: SQUARE.T @ v * np.cos(SQUARE @ x), raises=False))
    assert row.verdict == "wrong"


def test_a_jvp_that_is_not_linear_in_the_tangent():
    report = gradcheck(np.sin, X, jvp=lambda x, v: np.cos(x) * np.clip(v, -2, 2), raises=False)
    assert not report.ok
    assert "not linear in the tangent" in report.problems[0]


def test_the_error_of_a_jvp_is_its_own():
    def jvp(x, v):
        raise KeyError("of the jvp")

    with pytest.raises(KeyError, match="of the jvp"):
        gradcheck(np.sin, X, jvp=jvp)


# --- adjoints ------------------------------------------------------------------------------------

OPERATORS = {
    "a matrix": (lambda x: A @ x, lambda y: A.T @ y, X),
    "a running sum": (np.cumsum, lambda y: np.cumsum(y[::-1])[::-1], RNG.normal(size=50)),
    "a shift": (lambda x: np.roll(x, 2), lambda y: np.roll(y, -2), X),
    "a convolution": (
        lambda x: np.convolve(x, A[0], "valid"), lambda y: np.convolve(y, A[0][::-1]),
        RNG.normal(size=20),
    ),
    "Fourier": (np.fft.fft, lambda y: 16 * np.fft.ifft(y), RNG.normal(size=16)),
    "the first of several": (lambda x: x[0], lambda y: y * np.eye(3)[0], X),
    "of two axes": (lambda x: SQUARE[:2, :2] @ x, lambda y: SQUARE[:2, :2].T @ y, GRID),
    "in float32": (
        lambda x: (A @ x).astype(np.float32), lambda y: (A.T @ y).astype(np.float32), X,
    ),
    "many elements": (lambda x: np.diff(x), lambda y: -np.diff(y, prepend=0, append=0),
                      RNG.normal(size=3000)),
}  # fmt: skip


@pytest.mark.parametrize(("f", "adjoint", "x"), OPERATORS.values(), ids=OPERATORS)
def test_a_right_adjoint_passes_and_a_wrong_one_does_not(f, adjoint, x):
    assert gradcheck(f, x, adjoint=adjoint).ok
    assert not gradcheck(f, x, adjoint=lambda y: -adjoint(y), raises=False).ok
    assert not gradcheck(f, x, adjoint=lambda y: 1.00001 * adjoint(y), raises=False).ok


def test_an_adjoint_is_checked_to_rounding():
    def nearly(y):
        x = np.cumsum(y[::-1])[::-1].copy()
        x[1234] *= 1 + 1e-9
        return x

    row = only(gradcheck(np.cumsum, RNG.normal(size=5000), adjoint=nearly, raises=False))
    assert row.verdict == "wrong"
    assert row.index == (1234,)


def test_the_matrix_instead_of_its_transpose():
    row = only(gradcheck(lambda x: SQUARE @ x, X, adjoint=lambda y: SQUARE @ y, raises=False))
    assert row.verdict == "wrong"
    row = only(gradcheck(lambda x: A @ x, X, adjoint=lambda y: (A.T @ y)[None], raises=False))
    assert "shape (1, 3), not (3,)" in row.note


def test_what_is_not_linear_is_not_a_linear_operator():
    report = gradcheck(lambda x: A @ x + 1, X, adjoint=lambda y: A.T @ y, raises=False)
    assert not report.ok
    assert "x: the function is not linear" in report.problems[0]
    report = gradcheck(lambda x: A @ x, X, adjoint=lambda y: A.T @ np.clip(y, -1, 1), raises=False)
    assert "x: the adjoint is not linear" in report.problems[0]


def test_the_adjoint_of_several_inputs():
    def f(x, y):
        return A @ x - y

    report = gradcheck(f, X, X[:2], adjoint=lambda g: (A.T @ g, -g))
    assert [row.verdict for row in report.rows] == ["ok", "ok"]
    report = gradcheck(f, X, X[:2], adjoint=lambda g: {"x": A.T @ g, "y": g}, raises=False)
    assert [row.verdict for row in report.rows] == ["ok", "wrong"]


# --- several at once -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gradient", "jacobian", "hessian", "jvp", "adjoint"])
def test_second_order_is_of_nodes(kind):
    with pytest.raises(ValueError, match=f"second_order needs a function of nodes, not {kind}="):
        gradcheck(np.sum, X, second_order=True, **{kind: np.ones_like})


def test_an_adjoint_stands_alone():
    with pytest.raises(ValueError, match="adjoint= is for linear functions, and stands alone"):
        gradcheck(np.sum, X, adjoint=lambda y: y * np.ones(3), gradient=np.ones_like)


# --- many functions ------------------------------------------------------------------------------

SMOOTH = (anp.sin, anp.tanh, anp.exp, lambda x: x**3, lambda x: anp.log(x * x + 1))


def ways_to_make(rng):
    """A random function to several results and one to one number, at a random scale, and x."""
    n, m = rng.integers(1, 6, 2)
    matrix, square = rng.normal(size=(m, n)), rng.normal(size=(n, n))
    scale, size = 10.0 ** rng.integers(-8, 8), 10.0 ** rng.integers(-2, 1)
    g = SMOOTH[rng.integers(len(SMOOTH))]
    many = [
        lambda x: scale * g(anp.dot(matrix, x)),
        lambda x: scale * g(x) * anp.sum(x**2),
        lambda x: scale * g(anp.dot(square, x)) / (1 + anp.sum(x * x)),
    ][rng.integers(3)]
    one = [
        lambda x: scale * anp.sum(g(anp.dot(matrix, x)) ** 2),
        lambda x: scale * anp.log(anp.sum(anp.exp(x / size)) + anp.sum(x * x)) + anp.prod(x),
        lambda x: scale * anp.sum(g(x) * x),
    ][rng.integers(3)]
    return many, one, rng.normal(size=n) * size


def with_one_off(matrix, rng):
    """The matrix with one element off by a hundredth of the largest, at least."""
    wrong = np.array(matrix)
    i = int(rng.integers(wrong.size))
    wrong.flat[i] += 0.01 * max(abs(wrong.flat[i]), np.abs(wrong).max())
    return lambda x: wrong


def test_no_right_matrix_is_accused_and_no_wrong_one_passes():
    for seed in (*range(much(24, 2)), 157):  # there, the slope hides how the curvature changes
        rng = np.random.default_rng(seed)
        many, one, x = ways_to_make(rng)
        jacobian, hessian = autograd.jacobian(many), autograd.hessian(one)
        for f, kind, right in (
            (many, "jacobian", jacobian), (one, "hessian", hessian),
            (real_only(one), "hessian", hessian),
        ):  # fmt: skip
            assert gradcheck(f, x, **{kind: right}).ok, seed
            wrong = with_one_off(right(x), rng)
            assert not gradcheck(f, x, raises=False, **{kind: wrong}).ok, seed
        assert gradcheck(many, x, jvp=lambda x, v, j=jacobian: np.tensordot(j(x), v, 1)).ok, seed
