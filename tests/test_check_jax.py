"""Functions of JAX are checked by jax.vjp, and a custom_vjp with its own backward pass."""

from functools import partial

import numpy as np
import pytest
from oracles import library

from tinygrad_edu import check_backward, gradcheck
from tinygrad_edu.check import GradientError

library("jax")
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

from tinygrad_edu.check.oracles.jax_oracle import with_64_bits  # noqa: E402

rng = np.random.default_rng(0)
X, W = rng.normal(size=(4, 3)), rng.normal(size=(3, 3))
dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])


def affine(backward):
    @jax.custom_vjp
    def affine(x, w):
        return x @ w

    affine.defvjp(lambda x, w: (x @ w, (x, w)), backward)
    return affine


def right(residuals, g):
    x, w = residuals
    return g @ w.T, x.T @ g


PLANTED = {
    "the sign is wrong": lambda r, g: (-g @ r[1].T, r[0].T @ g),
    "w is not transposed": lambda r, g: (g @ r[1], r[0].T @ g),
    "5 times": lambda r, g: (5 * g @ r[1].T, r[0].T @ g),
    "does not grow with the adjoint": lambda r, g: (jnp.clip(g, -2, 2) @ r[1].T, r[0].T @ g),
    "the adjoint of the output is left out": lambda r, g: (jnp.ones_like(g) @ r[1].T, r[0].T @ g),
}


def checked(f, *inputs, dtype="float64", check=check_backward):
    """The report; JAX has 64 bits only where it is told so."""
    inputs = [x.astype(dtype) for x in inputs]
    if dtype == "float32":
        return check(f, *inputs, raises=False)
    with with_64_bits():
        return check(f, *inputs, raises=False)


@dtypes
@pytest.mark.parametrize("check", [check_backward, gradcheck])
def test_a_right_custom_vjp_agrees(check, dtype):
    for f in (affine(right), jax.jit(affine(right))):
        report = checked(f, X, W, dtype=dtype, check=check)
        assert report.ok
        assert [(row.parameter, row.dtype) for row in report.rows] == [("x", dtype), ("w", dtype)]
        assert report.called == "affine(x, w), differentiated by jax.vjp"


@dtypes
@pytest.mark.parametrize("said", PLANTED)
def test_mistakes_are_named(said, dtype):
    wrong = affine(PLANTED[said])
    report = checked(wrong, X, W, dtype=dtype)
    assert said in " ".join(str(report).split())
    assert report.rows[1].verdict == "ok"
    with pytest.raises(GradientError, match=r"wrong for x|problem"):
        gradcheck(lambda x: jnp.sin(wrong(x, W.astype("f"))), X)


def test_numbers_of_numpy_and_structures_are_differentiated_by_jax():
    def net(parameters, x):
        h = jnp.tanh(x @ parameters["w"] + parameters["b"])
        return {"h": h, "count": jnp.arange(3), "loss": jnp.mean(h**2)}

    report = gradcheck(net, {"w": W, "b": np.zeros(3)}, X)
    assert [row.parameter for row in report.rows] == ["parameters.w", "parameters.b", "x"]
    assert gradcheck(lambda x: jnp.tanh(x), 0.5).ok
    assert gradcheck(jax.grad(lambda x: jnp.sin(x).sum()), X).ok
    with with_64_bits():
        (row,) = gradcheck(lambda x: jnp.exp(x) * x, 0.5).rows
    assert row.analytic == pytest.approx(1.5 * np.exp(0.5), rel=1e-12)


def test_settings_indices_and_labels_are_left_out():
    @partial(jax.custom_vjp, nondiff_argnums=(1,))
    def scaled(x, factor):
        return x * factor

    scaled.defvjp(lambda x, factor: (x * factor, None), lambda factor, _, g: (g * factor,))
    assert [row.parameter for row in check_backward(scaled, X, 3.0).rows] == ["x"]

    @jax.custom_vjp
    def rows(w, index):
        return w[index]

    rows.defvjp(
        lambda w, index: (w[index], (w.shape, index)),
        lambda r, g: (jnp.zeros(r[0]).at[r[1]].add(g), None),
    )
    assert [row.parameter for row in check_backward(rows, X, np.array([0, 1, 1])).rows] == ["w"]

    @jax.custom_vjp
    def loss(prediction, target):
        return jnp.mean((prediction - target) ** 2)

    loss.defvjp(
        lambda p, t: (loss(p, t), (p, t)), lambda r, g: (g * 2 * (r[0] - r[1]) / r[0].size, None)
    )
    report = check_backward(loss, X, 2 * X)
    assert [row.verdict for row in report.rows] == ["ok", "not given"]


def test_what_only_runs_in_float32_is_checked_as_it_runs():
    ones = jnp.ones((4, 3), jnp.float32)
    report = gradcheck(lambda x: jax.lax.mul(x, ones), X.astype("f"), raises=False)
    assert "it does not run in float64" in report.notes[0]
    assert not any(row.verdict == "wrong" for row in report.rows)


def test_of_several_outputs_the_one_with_the_mistake_is_named():
    @jax.custom_vjp
    def sin_cos(x):
        return jnp.sin(x), jnp.cos(x)

    sin_cos.defvjp(lambda x: (sin_cos(x), x), lambda x, g: (g[0] * jnp.cos(x) + g[1] * jnp.sin(x),))
    (row,) = check_backward(sin_cos, X[0], raises=False).rows
    assert row.note.startswith("through result 1: the sign is wrong")


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(TypeError, match="none of the inputs is a floating array of jax"):
        gradcheck(lambda x: x * 2, jnp.ones(3, jnp.bfloat16))
    with pytest.raises(TypeError, match=r"gradcheck\(jax.grad\(f\), x\)"):
        gradcheck(jnp.sin, X, second_order=True)
    with pytest.raises(TypeError, match="returned float, not a floating JAX array"):
        gradcheck(lambda x: 0.5, jnp.ones(3))


def test_the_settings_of_jax_stay_as_they_are():
    before = jax.config.jax_enable_x64
    assert gradcheck(jnp.sin, X).rows[0].dtype == ("float64" if before else "float32")
    assert jax.config.jax_enable_x64 == before
