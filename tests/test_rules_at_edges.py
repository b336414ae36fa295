"""Rules at the ends of their domains, on kinks, with open settings, and with constants."""

import math

import numpy as np
import pytest
from rule_table import ELEMENTWISE
from test_rules import KINKS

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value
from tinygrad_edu.engine.tensor import unbroadcast
from tinygrad_edu.rules import RULES, of, operations
from tinygrad_edu.rules.rule import deferred
from tinygrad_edu.rules.tables import arrays, scalars


@pytest.mark.parametrize(("name", "at"), KINKS)
@pytest.mark.parametrize("g", [3.0, -0.25])
def test_on_a_kink_the_adjoint_is_a_multiple_of_the_one_that_arrives(name, at, g):
    row = ELEMENTWISE[name]
    for kind in (Value, lambda x: Tensor([x])):
        nodes = [kind(x) for x in at]
        getattr(operations, name)(*nodes, **row.settings).backward(g if kind is Value else [g])
        assert tuple(np.asarray(node.grad).item() for node in nodes) == tuple(
            g * d for d in row.kinks[at]
        )


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("g", [3.0, -0.25])
def test_every_adjoint_is_a_multiple_of_the_one_that_arrives(name, g):
    row = ELEMENTWISE[name]
    xs = [a + 0.7 * (b - a) for a, b in row.domains]
    if row.apart:
        xs[1] += 0.1
    _, pullback = RULES[name](*xs, **row.settings)
    once = [x() if type(x) is deferred else x for x in pullback(1.0)]
    times = [x() if type(x) is deferred else x for x in pullback(g)]
    assert any(once)
    assert times == pytest.approx([g * x for x in once], rel=1e-14)
    arrays = [Tensor([x, x]) for x in xs]
    getattr(operations, name)(*arrays, **row.settings).backward([g, 1.0])
    for x, d in zip(arrays, once, strict=True):
        assert x.grad == pytest.approx([g * d, d], rel=1e-13)


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [("arcsin", 1.0, math.pi / 2), ("arcsin", -1.0, -math.pi / 2), ("arccos", 1.0, 0.0),
     ("arccos", -1.0, math.pi), ("sqrt", 0.0, 0.0), ("log", 5e-324, math.log(5e-324)),
     ("log1p", math.nextafter(-1, 0), math.log1p(math.nextafter(-1, 0)))],
)  # fmt: skip
def test_the_last_number_of_a_domain_belongs_to_it(name, x, y):
    assert getattr(operations, name)(Value(x)).data == y
    assert getattr(operations, name)(x) == y
    assert getattr(operations, name)(Tensor([x])).data[0] == pytest.approx(y, rel=1e-15)


@pytest.mark.parametrize(
    ("name", "x", "message"),
    [("arcsin", math.nextafter(1, 2), "must lie between -1 and 1"),
     ("arccos", math.nextafter(-1, -2), "must lie between -1 and 1"),
     ("arcsin", -1.5, "must lie between -1 and 1"),
     ("sqrt", -5e-324, "a negative number has no real square root"),
     ("log", 0.0, "the logarithm needs a positive number"),
     ("log", -5e-324, "the logarithm needs a positive number"),
     ("log1p", -1.0, "log1p needs a number above -1"),
     ("log1p", -1.5, "log1p needs a number above -1")],
)  # fmt: skip
def test_the_first_number_beyond_it_is_refused_in_words(name, x, message):
    with pytest.raises(ValueError, match=message):
        getattr(operations, name)(Value(x))


@pytest.mark.parametrize(("settings", "expected", "slopes"), [
    ({}, [-3.0, -1.0, 0.5, 2.0, 9.0], [1, 1, 1, 1, 1]),
    ({"min": -1.0}, [-1.0, -1.0, 0.5, 2.0, 9.0], [0, 1, 1, 1, 1]),
    ({"max": 2.0}, [-3.0, -1.0, 0.5, 2.0, 2.0], [1, 1, 1, 1, 0]),
    ({"min": -1.0, "max": 2.0}, [-1.0, -1.0, 0.5, 2.0, 2.0], [0, 1, 1, 1, 0]),
    ({"min": 2.0, "max": 2.0}, [2.0] * 5, [0, 0, 0, 1, 0]),
])  # fmt: skip
def test_either_side_of_clip_may_stay_open(settings, expected, slopes):
    x = Tensor([-3.0, -1.0, 0.5, 2.0, 9.0])
    y = x.clip(**settings)
    assert y.data.tolist() == expected
    y.backward(np.full(5, 7.0))
    assert x.grad.tolist() == [7.0 * s for s in slopes]
    values = [Value(x) for x in (-3.0, -1.0, 0.5, 2.0, 9.0)]
    assert [tg.clip(value, **settings).data for value in values] == expected


M, V = np.arange(6.0).reshape(2, 3), np.arange(3.0)
DEFERRED = {
    "power": ((2.0, 3.0), {}, (0, 1)),
    "matmul": ((M, M.T), {}, (0, 1)),
    "affine": ((M, M.T, np.ones(2)), {}, (0, 1)),
    "einsum": ((M, V), {"subscripts": "ij,j->i"}, (0, 1)),
    "softmax_cross_entropy": ((M, np.eye(3)[:2]), {}, (1,)),
}


@pytest.mark.parametrize("name", DEFERRED)
def test_an_adjoint_that_costs_much_waits_until_it_is_asked_for(name):
    operands, settings, places = DEFERRED[name]
    y, pullback = RULES[name](*operands, **settings)
    adjoints = pullback(np.ones(np.shape(y)) if np.ndim(y) else 1.0)
    assert tuple(i for i, x in enumerate(adjoints) if type(x) is deferred) == places


def test_a_choice_between_two_numbers_needs_no_array():
    mask = np.array([True, False])
    assert tg.where(mask, 1.0, 0.0).tolist() == [1.0, 0.0]
    assert of(mask, 1.0, 0.0).where(mask, 1.0, 0.0).tolist() == [1.0, 0.0]
    assert tg.where(True, 1.0, 0.0) == 1.0
    assert tg.where(False, 1.0, 0.0) == 0.0


def test_each_of_two_dtypes_gets_a_gradient_of_its_own():
    x, y = Tensor(np.ones(3, np.float32)), Tensor(np.full(3, 0.1))
    (x * y).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)
    np.testing.assert_array_equal(x.grad, np.full(3, 0.1, np.float32))


@pytest.mark.parametrize(
    ("adjoint", "operand"), [((3,), (2, 3)), ((2, 3), (2, 2)), ((2, 3), (3, 1)), ((), (1,))]
)
def test_an_adjoint_of_a_shape_that_broadcasting_cannot_give_is_refused(adjoint, operand):
    with pytest.raises(ValueError, match="a pullback gave an adjoint of shape"):
        unbroadcast(np.ones(adjoint), operand)


@pytest.mark.parametrize(
    ("adjoint", "operand"),
    [((2, 3), ()), ((2, 3), (3,)), ((2, 3), (1,)), ((2, 3), (2, 1)), ((4, 2, 3), (2, 1)),
     ((4, 2, 3), (3,)), ((2, 0), (2, 1)), ((0, 3), (3,)), ((2, 1), (1,)), ((2, 1), (2, 1))],
)  # fmt: skip
def test_what_was_repeated_gets_the_sum_of_what_its_copies_get(adjoint, operand):
    g = np.arange(1.0, 1 + math.prod(adjoint)).reshape(adjoint)
    total = np.zeros(operand)
    for place in np.ndindex(adjoint):
        own = place[len(adjoint) - len(operand) :]
        total[tuple(0 if n == 1 else i for i, n in zip(own, operand, strict=True))] += g[place]
    found = unbroadcast(g, operand)
    np.testing.assert_array_equal(found, total, strict=True)
    np.testing.assert_array_equal(unbroadcast(Tensor(g), operand).data, total, strict=True)


@pytest.mark.parametrize("subscripts", ["ij->j", "ij->", "ii->i", "ii"])
def test_adjoints_of_einsum_are_never_wider_than_its_operands(subscripts):
    x = np.ones((3, 3), np.float32)
    y, pullback = RULES["einsum"](x, subscripts=subscripts)
    (adjoint,) = pullback(np.ones(y.shape, np.float32))
    assert adjoint().dtype == np.float32


def test_how_a_constant_lies_in_memory_is_forgotten():
    columns_first = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    columns_first.flags.writeable = False
    y = Tensor(1.0) * columns_first
    assert y.operands[1].flags.c_contiguous
    np.testing.assert_array_equal(y.operands[1], columns_first)
    rows_first = np.arange(6.0)
    rows_first.flags.writeable = False
    assert (Tensor(1.0) * rows_first).operands[1] is rows_first  # taken at its word


@pytest.mark.parametrize("x", [0.3, 5.0, 2e-37])
def test_the_slope_of_a_power_by_its_base_starts_to_grow_with_an_exponent_of_0(x):
    """∂z/∂x = y x ** (y - 1), whose derivative by y is 1 / x where y is 0."""
    for kind in (Value, lambda x: Tensor([x])):
        base, exponent = kind(x), kind(0.0)
        (slope,) = tg.gradients(base**exponent, base)
        assert np.asarray(slope.data).item() == 0.0
        (growth,) = tg.gradients(slope, exponent)
        assert np.asarray(growth.data).item() == pytest.approx(1 / x, rel=1e-14)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_log_of_a_sum_of_nothing_but_vanished_exponentials_warns_of_nothing(kind):
    x = Tensor(np.full(3, -np.inf), dtype=kind)
    assert x.logsumexp().item() == -np.inf


def test_gradients_ask_for_no_adjoint_that_they_do_not_need():
    def costly(g):
        raise AssertionError("nobody asked for this adjoint")

    @tg.rule("costly")
    def costly_by_y(x, y, /):
        return x * y, lambda g, y=y: (g * y, deferred(costly, g))

    for kind in (Value, Tensor):
        x, y = kind(2.0), kind(3.0)
        (slope,) = tg.gradients(costly_by_y(x, y), x)
        assert slope.data == 3.0
        with pytest.raises(AssertionError, match="nobody asked"):
            tg.gradients(costly_by_y(x, y), y)


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 3, 4)])
def test_what_is_left_open_is_as_the_signature_says(shape):
    assert tg.leaky_relu(-2.0) == -0.02
    x = Tensor(np.random.default_rng(0).normal(size=shape))
    shares = np.exp(x.data) / np.exp(x.data).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(x.softmax().data, shares, rtol=1e-14)
    np.testing.assert_allclose(x.log_softmax().data, np.log(shares), rtol=1e-13)


def test_an_empty_list_picks_nothing():
    x = Tensor([1.0, 2.0])
    assert x[[]].shape == (0,)
    assert x[[], np.newaxis].shape == (0, 1)


@pytest.mark.parametrize("constant", [0.0, 1.0, -2.5])
def test_a_constant_stands_in_a_large_table_where_the_condition_holds(constant):
    y = np.random.default_rng(0).normal(size=2500)
    expected = np.where(y > 0, constant, y)
    assert tg.where(y > 0, constant, Tensor(y)).data.tolist() == expected.tolist()


def test_each_of_many_operands_gets_the_adjoint_in_its_place():
    @tg.rule("weighed")
    def weighed(a, b, c, d, /):
        return a + 2.0 * b + 3.0 * c + 4.0 * d, lambda g: (g, 2.0 * g, 3.0 * g, 4.0 * g)

    for kind in (Value, Tensor):
        nodes = [kind(1.0) for _ in range(4)]
        weighed(*nodes).backward()
        assert [float(x.grad) for x in nodes] == [1.0, 2.0, 3.0, 4.0]
        weighed(5.0, *nodes[:2], 5.0).backward()  # among constants
        assert [float(x.grad) for x in nodes] == [3.0, 5.0, 3.0, 4.0]


@pytest.mark.parametrize("kind", [Value, lambda x: Tensor([x])])
def test_the_slope_of_a_negative_power_near_0_is_not_flattened(kind):
    """Only an exponent of 0 is: the slope of x ** -2 is -2 x ** -3, however small x is."""
    x, y = kind(1e-40), kind(-2.0)
    (x**y).backward(None if kind is Value else [1.0])
    assert np.asarray(x.grad).item() == pytest.approx(-2e120, rel=1e-12)


def test_where_keeps_the_wider_dtype_of_its_two_tables():
    y = tg.where([True, False], Tensor([1.0, 2.0], dtype=np.float32), Tensor([1 / 3, 1 / 3]))
    assert y.data.tolist() == [1.0, 1 / 3]


def test_a_gradient_is_0_before_anything_arrives_and_adds_up_at_a_root_that_is_a_leaf():
    x, y = Value(2.0), Value(3.0)
    nodes = (x + y, x * 2.0, 2.0 - x, -x, x.exp(), 2.0**y, tg.maximum(x, y))
    assert {node.grad for node in nodes} == {0.0}
    x.backward()
    x.backward()
    assert x.grad == 2.0
    t = Tensor([2.0])
    t.backward()
    t.backward()
    assert t.grad.tolist() == [2.0]


def test_the_namespace_is_that_of_the_operand_that_needs_most():
    one, array, nodes = 1.0, np.ones(2), vars(operations)
    assert of(one) is of(one, 2) is of(one, one, one) is scalars
    assert of(array) is of(one, array) is of(array, one) is of(one, one, array) is arrays
    assert of(np.float64(1.0)) is of(one, np.float64(1.0)) is arrays
    x, table = Value(1), Tensor(array)
    for operands in [(x,), (one, x), (one, one, x), (array, table), (array, one, table)]:
        assert vars(of(*operands)) is nodes


def test_a_gradient_that_is_a_node_keeps_its_graph_between_two_dtypes():
    x, w = Tensor([2.0], dtype=np.float32), Tensor([3.0])
    (slope,) = tg.gradients((x * x * w).sum(), x)
    (mixed,) = tg.gradients(slope.sum(), w)
    assert (slope.data.tolist(), mixed.data.tolist()) == ([12.0], [4.0])


def test_a_constant_of_another_byte_order_lies_row_by_row_too():
    columns_first = np.asfortranarray(np.ones((2, 3)).astype(">f8"))
    (_, constant) = (Tensor(np.ones((2, 3))) * columns_first).operands
    assert constant.dtype.isnative
    assert constant.flags.c_contiguous


def test_a_read_only_view_of_what_others_may_write_to_is_copied():
    writeable = np.ones(3)
    view = writeable[:]
    view.flags.writeable = False
    x = Tensor(np.zeros(3))
    y = (x * view).sum()
    writeable[:] = 5.0
    y.backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]
