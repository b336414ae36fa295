"""Calculus over functions: from f, the functions that give its derivatives.

They hold no formula of their own, only the graph's reverse sweep and `gradients`; so they work for
every rule and nest to any order. A function is differentiated by its arguments and nothing else:
for each it gets a fresh node; other nodes that it uses, outer variables included, stay constant.

What goes in decides what comes out:

- f gets a Value for a number and a Tensor for an array or nested lists. The two do not mix, so a
  number becomes a Tensor of shape () where another argument is an array or a Tensor.
- Results are plain where everything is plain: arrays, and floats for what has no axes.
- Results are nodes, to be differentiated again, where an argument by which f is differentiated is
  a node, or where f used nodes that were there before, such as an outer variable or the parameters
  of a model. Inside of `no_grad` they are leaves, like those of any operation.
- In pictures, what was made on the way is a module such as `grad(f)`.
"""

from __future__ import annotations

from typing import Any

from tinygrad_edu.calculus.primals import as_answer, inner_product, name_of_function, ones, vector
from tinygrad_edu.calculus.run import (
    Argnums,
    Function,
    Run,
    derivative_of,
    derive_from_call,
    in_group,
)
from tinygrad_edu.engine.graph import Node, gradients


def grad(f: Function, argnums: Argnums = 0) -> Function:
    """The function that gives the gradient of f, of the shape of the argument.

    `argnums` is the position of that argument, or a tuple of positions for a tuple of gradients;
    keywords go to f. The result of f is a node, else TypeError, with one element, else ValueError.
    The gradient by something that f does not depend on is 0.
    """
    return derivative_of("grad", f, argnums, lambda run: run.gradient())


def value_and_grad(f: Function, argnums: Argnums = 0) -> Function:
    """The function that gives the pair of f's value and its gradient, from one call of f.

    Arguments and errors as for `grad`.
    """
    return derivative_of("value_and_grad", f, argnums, lambda run: (run.value(), run.gradient()))


def jacobian(f: Function, argnums: Argnums = 0) -> Function:
    """The function that gives every ∂f/∂x, of shape f(x).shape + x.shape.

    One reverse sweep for each element of f(x). `argnums` as for `grad`. If f returns a list or a
    tuple of nodes, the answer is one of the same form, with a Jacobian for each.
    """
    return derivative_of("jacobian", f, argnums, lambda run: run.jacobian())


def hessian(f: Function, argnums: Argnums = 0) -> Function:
    """The function that gives the second derivatives of f, of shape x.shape + x.shape.

    The Jacobian of the gradient. For a tuple of `argnums`, a tuple of rows, each a tuple: entry
    [i][j] is the derivative by argument i and then by argument j. Errors as for `grad`.
    """
    gradient = derivative_of("hessian", f, argnums, lambda run: run.gradient())
    gradient.__name__ = name_of_function(f)
    return derivative_of("hessian", gradient, argnums, lambda run: run.jacobian())


def vjp(f: Function, /, *primals: Any, **settings: Any) -> tuple[Any, Function]:
    """f(*primals), and its pullback: from g, of the shape of the value, Σ g ∂f/∂x for each primal.

    The pullback returns a tuple and can be called again and again; ValueError for a g of another
    shape. Keywords go to f.
    """

    def derive(run: Run) -> tuple[Any, Function]:
        out = run.node(run.out)

        def pullback(g: Any, /) -> Any:
            seed = vector(f"{run.where}: the adjoint", g, out, "the result")
            if run.plain and not isinstance(g, Node):
                return as_answer(run.pull(out, seed))
            return in_group("pullback", f, lambda _: gradients(out, *run.xs, gradient=seed))

        return run.value(), pullback

    value, pullback = derive_from_call("vjp", f, range(len(primals)), primals, settings, derive)
    return value, pullback


def jvp(f: Function, primals: Any, tangents: Any, **settings: Any) -> tuple[Any, Any]:
    """f(*primals), and Σ ∂f/∂x t over primals x and their tangents t, of the shape of the value.

    Both arguments are tuples; a tangent has the shape of its primal, else ValueError. Keywords go
    to f. There is no second table of formulas for the forward direction: the pullback of f is
    linear in its adjoint u, so the derivative of <pullback(u), t> by u, at any u, is what we want
    (J. Townsend, "A new trick for calculating Jacobian vector products", 2017).
    """

    def derive(run: Run) -> tuple[Any, Any]:
        out = run.node(run.out)
        u = type(out)(ones(out))
        pulled = inner_product(gradients(out, *run.xs, gradient=u), run.vectors)
        (tangent,) = gradients(pulled, u)
        return run.value(), run.result(tangent)

    value, tangent = derive_from_call("jvp", f, None, primals, settings, derive, tangents)
    return value, tangent


def hvp(f: Function, primals: Any, vectors: Any, **settings: Any) -> Any:
    """The Hessian of f times vectors, one result per primal, without making the Hessian.

    The gradient of <gradient of f, vectors>. Both arguments are tuples; a vector has the shape of
    its primal, else ValueError. Keywords go to f, whose result has one element.
    """

    def derive(run: Run) -> Any:
        slope = inner_product(gradients(run.one_element(), *run.xs), run.vectors)
        return run.result(run.pull(slope, ones(slope)))

    return derive_from_call("hvp", f, None, primals, settings, derive, vectors)
