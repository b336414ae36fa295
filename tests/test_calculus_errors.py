"""Calculus over functions: bad calls are refused before anything is computed, with the cure."""

import math

import numpy as np
import pytest

from tinygrad_edu import (
    Tensor,
    Value,
    grad,
    gradients,
    group,
    hessian,
    hvp,
    jacobian,
    jvp,
    no_grad,
    value_and_grad,
    vjp,
)
from tinygrad_edu.engine import observers

DIRECTIONS = [grad, value_and_grad, jacobian, hessian]
X = np.array([1.0, 2.0, 3.0])


def never(*xs, **settings):
    raise AssertionError("the function was called")


BAD_ARGUMENTS = {
    # argnums, and the arguments themselves
    "no such argument": (lambda: grad(never, 1)(2.0), ValueError, "of never: .*argument 1, as"),
    "none from the back": (lambda: grad(never, -2)(2.0), ValueError, "no argument -2, as 1"),
    "one of two": (lambda: jacobian(never, (0, 2))(1.0, 2.0), ValueError, "no argument 2, as 2"),
    "by keyword": (lambda: grad(never)(x=2.0), ValueError, "no argument 0, as 0 .* keywords"),
    "twice": (lambda: grad(never, (0, 0))(2.0), ValueError, r"argnums \(0, 0\) names .* twice"),
    "twice, once from the back": (lambda: grad(never, (0, -1))(2.0), ValueError, "twice"),
    "a string": (lambda: grad(never)("2"), TypeError, "grad of never: argument 0: '2'.*real"),
    "a complex": (lambda: hessian(never)(2j), TypeError, "hessian of never: .* 0: 2j.*complex"),
    "None": (lambda: grad(never, 1)(2.0, None), TypeError, "argument 1: None.*real numbers"),
    "ragged": (lambda: jacobian(never)([[1], [1, 2]]), ValueError, "0: .*different lengths"),
    "objects": (lambda: grad(never)(np.array([None])), TypeError, "argument 0: .*object"),
    "Values in a list": (
        lambda: grad(never)([Value(1), Value(2)]),
        TypeError,
        r"argument 0 is a list of nodes; .*lambda \*xs: f\(xs\)",
    ),
    "Tensors in a tuple": (lambda: vjp(never, (Tensor(X),)), TypeError, "0 is a tuple of nodes"),
    "vjp of nothing": (lambda: vjp(never), ValueError, "vjp of never: there is no argument"),
    "jvp of nothing": (lambda: jvp(never, (), ()), ValueError, "no argument 0"),
    # tangents and vectors
    "a bare primal": (lambda: jvp(never, X, (X,)), TypeError, r"jvp .*\(x, y\).*not ndarray"),
    "a bare tangent": (lambda: jvp(never, (X,), X), TypeError, "two tuples.*tuple and ndarray"),
    "lists": (lambda: hvp(never, [2.0], [1.0]), TypeError, "hvp of never: .*not list and list"),
    "no tangents": (lambda: jvp(never, (X,), ()), ValueError, "0 vectors for 1 primals"),
    "too many tangents": (lambda: hvp(never, (X,), (X, X)), ValueError, "2 vectors for 1 primals"),
    "the shape of a tangent": (
        lambda: jvp(never, (2.0, X), (1.0, X[:2])),
        ValueError,
        r"jvp of never: .* primal 1 has shape \(2,\).*\(3,\)",
    ),
    "a number for an array": (lambda: hvp(never, (X,), (1.0,)), ValueError, r"shape \(\).*\(3,\)"),
    "an array for a number": (lambda: jvp(never, (1.0,), (X,)), ValueError, r"shape \(3,\).*\(\)"),
    "the shape of a node": (lambda: hvp(never, (X,), (Tensor(2.0),)), ValueError, r"shape \(\)"),
    "no number": (lambda: jvp(never, (X,), ("a",)), TypeError, "primal 0: 'a'.*real numbers"),
    "a Value for a Tensor": (
        lambda: jvp(never, (X,), (Value(1.0),)),
        TypeError,
        "primal 0 is a Value and the primal a Tensor; the two do not mix",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "says"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_wrong_arguments_are_refused_before_the_function_is_called(call, error, says):
    with pytest.raises(error, match=says):
        call()
    assert observers.active == 0


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("argnums", ["x", 1.0, None, True, (), [], (0, "y"), ((0,),)], ids=repr)
def test_argnums_are_positions(direction, argnums):
    with pytest.raises(
        TypeError, match=f"{direction.__name__}: argnums is .*such as 0.* in a second call, as in "
    ):
        direction(never, argnums)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("f", [None, 3.0, "f", Value(1.0)], ids=repr)
def test_only_a_function_can_be_differentiated(direction, f):
    said = f"{direction.__name__}: expected a function first, got a {type(f).__name__}"
    with pytest.raises(TypeError, match=said):
        direction(f)
    for call in (
        lambda: vjp(f, 1.0),
        lambda: jvp(f, (1.0,), (1.0,)),
        lambda: hvp(f, (1.0,), (1.0,)),
    ):
        with pytest.raises(TypeError, match="expected a function"):
            call()


EVERY_WAY = [
    *((d.__name__, lambda f, x, d=d: d(f)(x)) for d in DIRECTIONS),
    ("vjp", lambda f, x: vjp(f, x)),
    ("jvp", lambda f, x: jvp(f, (x,), (x,))),
    ("hvp", lambda f, x: hvp(f, (x,), (x,))),
]
every_way = pytest.mark.parametrize(("name", "way"), EVERY_WAY, ids=[name for name, _ in EVERY_WAY])
LOST = {
    "data": lambda x: x.data * 2,
    "float": lambda x: float(x.sum() if isinstance(x, Tensor) else x),
    "math": lambda x: math.sin(x),
    "nothing": lambda x: None,
    "a number": lambda x: 3,
    "a string": lambda x: "3",
}


@pytest.mark.filterwarnings("ignore:sin took the plain number")  # said at its line, too
@every_way
@pytest.mark.parametrize("f", LOST.values(), ids=LOST)
@pytest.mark.parametrize("x", [2.0, Value(2.0), np.array(2.0), Tensor(2.0)], ids=repr)
def test_a_function_that_loses_its_argument_is_named_with_the_cure(name, way, f, x):
    def lossy(x):
        return f(x)

    with pytest.raises(TypeError, match=rf"{name} of lossy: .*returned \w+, not one node.*\.data"):
        way(lossy, x)
    assert observers.active == 0


@pytest.mark.parametrize(
    ("name", "way"), [w for w in EVERY_WAY if w[0] not in ("jacobian", "hessian")]
)
def test_several_results_are_for_jacobian(name, way):
    with pytest.raises(TypeError, match="returned list, not one node"):
        way(lambda x: [x, x], 2.0)
    assert jacobian(lambda x: [x, [x * x]])(3.0) == [1.0, [6.0]]


@pytest.mark.parametrize(
    ("name", "way"), [w for w in EVERY_WAY if w[0] not in ("jacobian", "vjp", "jvp")]
)
def test_a_gradient_of_several_numbers_is_refused_with_the_shape_and_the_cure(name, way):
    says = rf"{name} of <lambda>: .*shape \(3,\).*\.sum\(\), or use jacobian"
    with pytest.raises(ValueError, match=says):
        way(lambda x: x * 2, X)
    assert np.shape(grad(lambda x: x[:1] * 2)(X)) == (3,)  # one element is one number


def test_a_result_of_the_other_kind_is_refused():
    says = r"grad of <lambda>: .*got a Value and returned a Tensor, which do not mix.*np\.array"
    with pytest.raises(TypeError, match=says):
        grad(lambda x: Tensor(2.0))(1.0)
    with pytest.raises(TypeError, match="got a Tensor and returned a Value"):
        jacobian(lambda x: Value(2.0))(X)


def test_a_number_among_tensors_that_f_knows_is_refused_with_the_cure():
    w = Tensor(X)
    with pytest.raises(TypeError, match="do not mix") as found:
        grad(lambda x: (x * w).sum())(2.0)
    assert "it got a Value for a number; for a Tensor, give an array" in found.value.__notes__[0]
    assert float(grad(lambda x: (x * w).sum())(np.array(2.0))) == 6.0
    with pytest.raises(TypeError) as found:
        grad(lambda x: x + "a")(2.0)
    assert not hasattr(found.value, "__notes__")


def test_a_wrong_adjoint_for_a_pullback_is_refused():
    _, pullback = vjp(lambda x: x * 2, X)
    with pytest.raises(ValueError, match=r"vjp of <lambda>: the adjoint has shape \(2,\).*\(3,\)"):
        pullback([1.0, 2.0])
    with pytest.raises(TypeError, match="the adjoint is a Value and the result a Tensor"):
        pullback(Value(1.0))
    with pytest.raises(TypeError, match=r"the adjoint: 'a'.*real numbers"):
        pullback("a")


class BrokenError(Exception):
    pass


@every_way
@pytest.mark.parametrize("block", [no_grad, lambda: group("g")], ids=["no_grad", "group"])
def test_an_error_in_the_function_comes_out_as_it_is_and_leaves_no_block_open(name, way, block):
    x = Value(2.0)

    def broken(t):
        t * x
        raise BrokenError

    with block():
        with pytest.raises(BrokenError):
            way(broken, x)
        inside = x * 1.0
    assert (x * 1.0).group is None
    assert bool(inside.operands) is (inside.group is not None)
    assert (x.data, x.grad, observers.active) == (2.0, 0.0, 0)


def test_where_no_derivative_exists_the_error_names_the_operation():
    with pytest.raises(ZeroDivisionError, match="sqrt"):
        grad(lambda x: x.sqrt())(0.0)
    with pytest.raises(ValueError, match=r"log.*Value\(-1"):
        grad(lambda x: x.log())(-1.0)
    x = Value(0.0)
    with pytest.raises(ZeroDivisionError):
        grad(lambda t: t.sqrt())(x)
    assert gradients(x * x, x)[0].data == 0.0
