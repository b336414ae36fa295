"""What backward passes return to torch and JAX, and modules with a backward pass of their own."""

import time

import numpy as np
import pytest
from oracles import library

from tinygrad_edu import check_backward, gradcheck

library("torch")
import torch  # noqa: E402

X = torch.randn(5, 4, dtype=torch.float64, generator=torch.manual_seed(0))
W = torch.randn(4, 3, dtype=torch.float64, generator=torch.manual_seed(1))


def product(backward):
    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return x @ w

        @staticmethod
        def backward(ctx, g):
            return backward(*ctx.saved_tensors, g)

    return Product


RETURNED = {
    "transposed": (lambda x, w, g: (g @ w.T, g.T @ x), "not (4, 3): it is transposed"),
    "summed": (lambda x, w, g: (g.sum(), x.T @ g), "x: its gradient has shape (), not (5, 4)"),
    "too few": (lambda x, w, g: g @ w.T, "backward returns 1 of 2 gradients"),
    "too many": (lambda x, w, g: (g @ w.T, x.T @ g, g), "backward returns 3 of 2 gradients"),
    "arrays": (lambda x, w, g: ((g @ w.T).numpy(), x.T @ g), "returns ndarray for input 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", RETURNED)
def test_what_torch_refuses_gets_a_report(name):
    backward, words = RETURNED[name]
    function = product(backward)
    report = check_backward(function, X, W, raises=False)
    assert words in " ".join(str(report).split())
    assert "ok" in [row.verdict for row in report.rows], "the others are compared all the same"
    inside = gradcheck(lambda x, w: function.apply(x, w).sin(), X, W, raises=False)
    assert inside.verdict == "gradcheck of a function: 1 problem"
    assert "torch refuses what a backward pass returned" in str(inside)


def test_trailing_none_and_sums_over_what_was_repeated_are_right():
    right = product(lambda x, w, g: (g @ w.T, x.T @ g, None, None))
    assert check_backward(right, X, W).ok
    wide = product(lambda x, w, g: ((g @ w.T)[None], x.T @ g))
    assert check_backward(wide, X, W).ok


def test_an_error_of_the_backward_pass_itself_is_raised():
    def backward(x, w, g):
        raise RuntimeError("cannot be")

    with pytest.raises(RuntimeError, match="cannot be"):
        check_backward(product(backward), X, W)


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(4, 3, bias=False, dtype=torch.float64)
        self.b = torch.nn.Parameter(W[0].clone())
        self.register_buffer("scale", W[1].clone())

    def forward(self, x):
        self.x = x
        return (self.inner(x) + self.b) * self.scale

    def backward(self, g):
        g = g * self.scale
        self.inner.weight.grad, self.db = 3 * g.T @ self.x, g.sum(0)
        return g @ self.inner.weight


def test_a_module_with_a_backward_pass_of_its_own_takes_no_time():
    began = time.process_time()
    report = check_backward(Layer(), X, raises=False)
    assert time.process_time() - began < 5
    assert {row.parameter: row.verdict for row in report.rows} == {
        "x": "ok", "inner.weight": "wrong", "b": "ok", "scale": "not given",
    }  # fmt: skip


def test_generators_of_numpy_inside_a_function_of_torch_are_set_back():
    rng = np.random.default_rng(5)

    def dropout(x):
        return torch.tanh(x) * torch.tensor(rng.random(x.shape) > 0.5)

    assert gradcheck(dropout, X).ok
    assert rng.random() == np.random.default_rng(5).random()


@pytest.mark.parametrize("returned", [lambda x, w, g: (g @ w.T, g.T @ x), lambda x, w, g: (g,)])
def test_what_jax_refuses_gets_a_report(returned):
    jax = pytest.importorskip("jax", reason="JAX is not installed")

    @jax.custom_vjp
    def f(x, w):
        return x @ w

    f.defvjp(lambda x, w: (x @ w, (x, w)), lambda saved, g: returned(*saved, g))
    report = check_backward(f, X.numpy().astype("f"), W.numpy().astype("f"), raises=False)
    assert "jax refuses what a backward pass returned: Custom VJP" in str(report)
