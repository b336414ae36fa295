"""Calculus over functions: what goes in, what comes out, and that nothing else changes."""

import gc
import inspect
import math

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp

# --- kinds, shapes and dtypes -------------------------------------------------------------

EVERY_WAY = {
    "grad": lambda f, x, v: grad(f)(x),
    "value_and_grad": lambda f, x, v: value_and_grad(f)(x),
    "jacobian": lambda f, x, v: jacobian(f)(x),
    "hessian": lambda f, x, v: hessian(f)(x),
    "vjp": lambda f, x, v: (vjp(f, x)[0], *vjp(f, x)[1](1.0)),
    "jvp": lambda f, x, v: jvp(f, (x,), (v,)),
    "hvp": lambda f, x, v: hvp(f, (x,), (v,)),
}
every_way = pytest.mark.parametrize("way", EVERY_WAY.values(), ids=EVERY_WAY)


def parts(x):
    return [part for entry in x for part in parts(entry)] if isinstance(x, list | tuple) else [x]


def cube(x):
    y = x * x * x
    return y.sum() if isinstance(y, Tensor) else y


def test_the_answers_of_every_way_for_a_cube():
    assert [way(cube, 2.0, 5.0) for way in EVERY_WAY.values()] == [
        12.0, (8.0, 12.0), 12.0, 12.0, (8.0, 12.0), (8.0, 60.0), (60.0,),
    ]  # fmt: skip


KINDS = {
    "number": (2.0, float),
    "integer": (2, float),
    "NumPy number": (np.float32(2), float),
    "array without axes": (np.array(2.0), float),
    "Value": (Value(2.0), Value),
    "Tensor": (Tensor(2.0), Tensor),
}


@every_way
@pytest.mark.parametrize(("x", "kind"), KINDS.values(), ids=KINDS)
def test_plain_in_plain_out_and_node_in_node_out(way, x, kind):
    found = parts(way(cube, x, 5.0))
    assert [type(part) for part in found] == [kind] * len(found)
    assert [float(part) for part in found] == parts(way(cube, 2.0, 5.0))


@every_way
@pytest.mark.parametrize(
    "x", [np.array([1, 2]), [1, 2], np.array([1.0, 2.0], np.float32)], ids=repr
)
def test_arrays_come_out_for_arrays_of_their_own_dtype(way, x):
    dtype = np.float32 if getattr(x, "dtype", None) == np.float32 else np.float64
    seen = []

    def f(t):
        seen.append(t.dtype)
        return cube(t)

    exact = way(cube, Tensor([1.0, 2.0]), [3.0, 4.0])
    found = way(f, x, [3, 4])
    assert set(seen) == {np.dtype(dtype)}
    for ours, node in zip(parts(found), parts(exact), strict=True):
        np.testing.assert_allclose(ours, node.data, rtol=1e-6)
        if node.ndim:
            assert type(ours) is np.ndarray
            assert ours.dtype == dtype
            ours[...] = 7  # an array of its own


def test_two_gradients_are_two_arrays():
    x = np.ones(3)
    a, b = grad(lambda x, y: (x + y).sum(), argnums=(0, 1))(x, x)
    a[0] = 5.0
    np.testing.assert_array_equal(b, np.ones(3))
    value = vjp(lambda x: x, x)[0]
    value[0] = 5.0
    np.testing.assert_array_equal(x, np.ones(3))


def test_a_number_among_arrays_is_a_tensor_and_does_not_upcast():
    def f(scale, x, shift=0.0):
        assert (scale.shape, scale.dtype) == ((), np.float32)
        return (scale * x + shift).sum()

    x = np.array([1.0, 2.0], np.float32)
    assert grad(f)(3.0, x) == 3.0
    assert grad(f)(3, 1.5, shift=x) == 3.0
    by_scale, by_x = grad(f, argnums=(0, 1))(3.0, Tensor(x))
    assert (by_scale.shape, by_scale.dtype, float(by_scale)) == ((), np.float32, 3.0)
    np.testing.assert_array_equal(by_x.data, np.float32([3, 3]))
    seen = []
    grad(lambda w, c, labels: seen.append(w) or w * c)(2, Value(3), np.array([1]))
    assert type(seen[0]) is Value  # beside a Value, arrays are the function's own business


def test_results_are_nodes_if_the_function_used_nodes_from_before_and_only_then():
    w = Tensor([1.0, 2.0])
    x = np.array([3.0, 4.0])
    assert type(grad(lambda x: (x * w).sum())(x)) is Tensor
    assert type(value_and_grad(lambda x: x.sum() + w.sum())(x)[0]) is Tensor
    for constant in (lambda x: Tensor([1.0, 2.0]), lambda x: x.detach(), lambda x: w.data):
        assert type(grad(lambda x, c=constant: (x * c(x)).sum())(x)) is np.ndarray
    assert grad(lambda x: x * x.detach())(3.0) == 3.0


def test_arguments_are_chosen_by_position_and_the_others_stay_as_they_are():
    seen = []

    def f(x, y, name, *, factor):
        seen.append((type(y), name))
        return x * x * y * factor

    assert grad(f)(2.0, 3.0, "n", factor=5.0) == 60.0
    assert grad(f, argnums=-2)(2.0, 3, "n", factor=5.0) == 20.0
    assert grad(f, argnums=(1, 0))(2.0, 3.0, "n", factor=5.0) == (20.0, 60.0)
    assert grad(f, argnums=[0])(2.0, 3.0, "n", factor=5.0) == (60.0,)
    assert value_and_grad(f, np.int64(1))(2.0, 3.0, "n", factor=5.0) == (60.0, 20.0)
    assert {name for _, name in seen} == {"n"}
    assert [kind for kind, _ in seen] == [float, Value, Value, float, Value]
    assert jvp(lambda x, k: x**k, (2.0, 3.0), (1.0, 0.0)) == (8.0, pytest.approx(12.0))
    assert vjp(lambda x, k=1: x * k, 2.0, k=3)[1](1.0) == (3.0,)
    assert hvp(lambda x, k=1: x * x * k, (2.0,), (1.0,), k=3) == (6.0,)
    assert jvp(lambda x, k=1: x * k, (2.0,), (1.0,), k=3) == (6.0, 3.0)


def test_a_derivative_by_something_without_influence_is_zero():
    assert grad(lambda x, y: x * x, argnums=(0, 1))(2.0, 3.0) == (4.0, 0.0)
    found = grad(lambda x, y: x.sum(), 1)(Tensor(np.ones(2)), np.ones((2, 3), np.float32)).data
    assert (found.shape, found.dtype, found.any()) == ((2, 3), np.float32, False)
    _, found = grad(lambda x, y: x.sum(), (0, 1))(np.ones(2), np.ones(3, np.float32))
    assert (type(found), found.shape, found.dtype, found.any()) == (np.ndarray, (3,), np.float32, 0)
    assert jvp(lambda x: Value(4.0), (2.0,), (1.0,)) == (4.0, 0.0)
    assert grad(grad(lambda x: 3.0 * x))(2.0) == 0.0
    assert hessian(lambda x, y: 2.0 * x + y, (0, 1))(1.0, 1.0) == ((0.0, 0.0), (0.0, 0.0))
    np.testing.assert_array_equal(hessian(lambda x: x.sum())(np.ones(2)), np.zeros((2, 2)))


@every_way
def test_the_function_is_called_once(way):
    calls = []
    way(lambda x: calls.append(1) or x * x, 2.0, 1.0)
    assert len(calls) == (2 if way is EVERY_WAY["vjp"] else 1)


@every_way
@pytest.mark.parametrize("x", [-0.0, math.inf, -math.inf, math.nan, 5e-324], ids=repr)
@pytest.mark.parametrize("kind", [Value, Tensor])
def test_the_fresh_node_has_the_same_bits(way, x, kind):
    seen = []
    node = kind(x, "x")
    way(lambda y: seen.append((y is node, y.label, np.float64(y.data).tobytes())) or y, node, 1.0)
    assert set(seen) == {(False, "x", np.float64(x).tobytes())}


@every_way
def test_no_node_of_the_user_changes(way):
    x, w = Value(2.0, "x"), Value(3.0, "w")
    (x * w).backward()
    way(lambda t: t * t * w * x, x, w)
    assert [(n.data, n.grad, n.label, n.operands, n.group) for n in (x, w)] == [
        (2.0, 3.0, "x", (), None), (3.0, 2.0, "w", (), None),
    ]  # fmt: skip


def test_the_pullback_can_be_called_again_with_numbers_and_nodes():
    value, pullback = vjp(lambda x, y: x * y, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    np.testing.assert_array_equal(value, [3.0, 8.0])
    for g in ([1, 0], np.array([0.0, 2.0])):
        by_x, by_y = pullback(g)
        np.testing.assert_array_equal(by_x, np.multiply(g, [3.0, 4.0]))
        np.testing.assert_array_equal(by_y, np.multiply(g, [1.0, 2.0]))
    g = Tensor([1.0, 1.0])
    (pullback(g)[0] * [5.0, 6.0]).sum().backward()  # linear in g
    np.testing.assert_array_equal(g.grad, [15.0, 24.0])


def test_a_derived_function_has_a_name_and_the_signature_of_its_own_function():
    def loss(weights, *, rate=0.1):
        return weights

    assert grad(grad(loss)).__name__ == "grad(grad(loss))"
    assert str(inspect.signature(hessian(loss))) == "(weights, *, rate=0.1)"


# --- blocks and memory ---------------------------------------------------------------------------


@every_way
def test_inside_of_no_grad_derivatives_are_right_and_results_are_leaves(way):
    x = Value(2.0)
    with tg.no_grad():
        found = parts(way(lambda t: grad(cube)(t) * t, x, 1.0))
        plain = parts(way(lambda t: grad(cube)(t) * t, 2.0, 1.0))
        kept = vjp(cube, x)[1]
        later = kept(x)[0]
        assert not (x * 1.0).operands
    assert [part.data for part in found] == plain == parts(way(lambda t: 3.0 * cube(t), 2.0, 1.0))
    assert all(part.operands == () for part in [*found, later])
    assert later.data == 24.0


def test_a_no_grad_block_inside_of_the_function_makes_constants():
    def f(x):
        with tg.no_grad():
            slope = grad(cube)(x)
        return slope * x

    assert grad(f)(2.0) == 12.0


def test_everything_made_on_the_way_lies_in_one_group_inside_that_of_the_user():
    x = Value(2.0)
    with tg.group("mine") as mine:
        before = x * 2.0
        slope = grad(lambda t: inner(t) * t)(before)
        after = slope + before
    nodes = [n for n in tg.topological_order(slope) if n not in (x, before)]
    assert {n.group.chain()[0] for n in nodes} == {mine} == {before.group, after.group}
    names = {tuple(g.name for g in n.group.chain()) for n in nodes}
    assert ("mine", "grad(<lambda>)") in names
    assert ("mine", "grad(<lambda>)", "inner") in names
    assert grad(cube)(x).group.name == "grad(cube)"
    assert (x * 1.0).group is None


@tg.group("inner")
def inner(t):
    return t.sin()


FREED = {
    "grad of a number": lambda: grad(cube)(2.0),
    "grad of a node": lambda: grad(grad(cube))(Value(2.0)),
    "hessian": lambda: hessian(cube)(np.ones(3)),
    "hessian of a Tensor": lambda: hessian(cube)(Tensor(np.ones(3))),
    "vjp": lambda: vjp(cube, Tensor(np.ones(3))),
    "jvp and hvp": lambda: (jvp(cube, (1.0,), (1.0,)), hvp(cube, (Value(1.0),), (1.0,))),
    "the function that is given": lambda: grad(lambda x: cube(x)),
    "in no_grad": tg.no_grad()(lambda: grad(cube)(Value(2.0))),
}


@pytest.mark.untraced
@pytest.mark.parametrize("build", FREED.values(), ids=FREED)
def test_what_is_dropped_is_freed_without_the_collector(build):
    build()
    gc.collect()
    gc.disable()
    try:
        before = sum(issubclass(type(x), tg.Node) for x in gc.get_objects())
        made = build()
        del made
        assert sum(issubclass(type(x), tg.Node) for x in gc.get_objects()) == before
        assert gc.collect() == 0
    finally:
        gc.enable()
