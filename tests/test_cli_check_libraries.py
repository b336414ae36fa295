"""tinygrad-edu check of what torch, JAX and autograd differentiate: handed on as it is."""

from pathlib import Path

import command
import pytest
from oracles import INSTALL

SCRIPTS = {
    "torch": """\
import torch


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, power=3):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, dout):
        (x,) = ctx.saved_tensors
        return 2 * x * x * dout, None


class Product(torch.autograd.Function):
    @staticmethod
    def forward(x, w):
        return x @ w

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, dout):
        x, w = ctx.saved_tensors
        return dout @ w.T, x.T @ dout


class Net(torch.nn.Module):
    def __init__(self, n=3):
        super().__init__()
        self.linear = torch.nn.Linear(n, 2)

    def forward(self, x):
        return torch.tanh(self.linear(x))


cube, net, product = Cube.apply, Net(), Product.apply
given = torch.linspace(0, 1, 12).reshape(4, 3)


def f(x):
    return torch.sin(x).sum()
""",
    "jax": """\
import jax
import jax.numpy as jnp


@jax.custom_vjp
def sine(x):
    return jnp.sin(x)


def forward(x):
    return sine(x), x


def backward(x, g):
    return (2 * jnp.cos(x) * g,)


sine.defvjp(forward, backward)


def f(x):
    return jnp.sum(x**2)
""",
    "autograd": """\
import autograd.numpy as np
from autograd.extend import defvjp, primitive


@primitive
def sine(x):
    return np.sin(x)


defvjp(sine, lambda out, x: lambda g: 2 * np.cos(x) * g)


def f(x):
    return np.sum(np.sin(x))
""",
}
folder, check = command.folder, command.check


@pytest.fixture
def script(folder):
    def script(library):
        pytest.importorskip(library, reason=INSTALL[library])
        Path("s.py").write_text(SCRIPTS[library], encoding="utf-8")

    return script


@pytest.mark.parametrize(
    ("library", "call", "verdict"),
    [
        ("torch", "Cube x=4x3", "check_backward of Cube: wrong for x"),
        ("torch", "cube x=4x3", "gradcheck of Cube: wrong for x"),
        ("torch", "Product x=4x3 w=3x2", "check_backward of Product: analytic and numeric"),
        ("torch", "product x=4x3 w=3x2", "gradcheck of Product: analytic and numeric"),
        ("torch", "net x=4x3", "gradcheck of Net: analytic and numeric derivatives agree"),
        ("torch", "net x=4x3:float32", "gradcheck of Net: analytic and numeric"),
        ("torch", "net x=given", "gradcheck of Net: analytic and numeric derivatives agree"),
        ("torch", "Net x=4x5 n=5", "gradcheck of Net: analytic and numeric derivatives agree"),
        ("torch", "f x=4x3:0..1", "gradcheck of f: analytic and numeric derivatives agree"),
        ("jax", "sine x=4x3", "gradcheck of sine: wrong for x"),
        ("jax", "f x=4x3", "gradcheck of f: analytic and numeric derivatives agree"),
        ("autograd", "sine x=4x3", "gradcheck of sine: wrong for x"),
        ("autograd", "f x=4x3", "gradcheck of f: analytic and numeric derivatives agree"),
    ],
)
def test_functions_of_libraries_are_targets(library, call, verdict, check, script):
    script(library)
    status, out, err = check("s.py:" + call)
    assert (status, err) == ("wrong" in verdict, "")
    assert verdict in out
    assert ", differentiated by " in out


@pytest.mark.parametrize(
    ("library", "found", "wrong"),
    [("torch w=3x2", "Cube, Product", "s.py:Cube"), ("jax", "sine", "s.py:sine")],
)
def test_derivatives_of_a_whole_script_that_are_written_by_hand(
    library, found, wrong, check, script
):
    library, *more = library.split()
    script(library)
    status, out, err = check(["s.py", "x=4x3", *more])
    assert (status, err) == (1, "")
    assert out.startswith(f"s.py: {found}\n")
    assert f"failed: {wrong}\n" in out
