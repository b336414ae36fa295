"""Open as scalars: the scalar graph of a Tensor has the Tensor's values and gradients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_table import ELEMENTWISE, every_rule, operands_for

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value
from tinygrad_edu.engine.graph import topological_order
from tinygrad_edu.nn import cross_entropy
from tinygrad_edu.rules import name_of, operations
from tinygrad_edu.view.cards.open_as_scalars import open_as_scalars


def values_of(array):
    return [x for x in array.flat if type(x) is Value]


def data_of(array):
    return np.array([float(x) for x in array.flat]).reshape(array.shape)


def grads_of(array):
    return np.array([x.grad for x in array.flat]).reshape(array.shape)


def names(opened, index):
    """The rules of the Values that belong to a Tensor, counted."""
    return sorted(
        name_of(v.rule)
        for v in topological_order(opened.root)
        if opened.owner.get(id(v)) == index and v.rule is not None
    )


def assert_opens(root, rel=1e-9):
    """Values agree for every Tensor, gradients for every leaf; and each Value has its owner."""
    opened = open_as_scalars(root)
    assert [t for t, _ in opened.elements] == topological_order(root)
    opened.root.backward()
    root.backward(np.ones(root.shape))
    for tensor, array in opened.elements:
        assert type(array) is np.ndarray
        assert array.shape == tensor.shape
        np.testing.assert_allclose(data_of(array), tensor.data, rtol=rel, atol=rel)
        if not tensor.operands:
            np.testing.assert_allclose(grads_of(array), tensor.grad, rtol=rel, atol=rel)
    assert opened.summed == (root.size != 1)
    assert_owners(opened)
    return opened


def assert_owners(opened):
    """A Value's parents belong to the same Tensor or to one of those before it."""
    sums = 0
    for v in topological_order(opened.root):
        index = opened.owner.get(id(v))
        if index is None:
            sums += 1
            continue
        assert bool(v.operands) == bool(opened.elements[index][0].operands)
        assert all(opened.owner[id(parent)] <= index for parent in v.parents)
    assert sums <= max(opened.elements[-1][0].size, 1)


@every_rule
@pytest.mark.parametrize("seed", range(2))
def test_every_array_rule_opens(call, seed):
    assert_opens(call.ours(*[Tensor(a, f"x{i}") for i, a in enumerate(operands_for(call, seed))]))


@every_rule
def test_an_array_rule_opens_in_float32_and_from_inner_nodes(call):
    leaves = [Tensor(a.astype(np.float32)) for a in operands_for(call)]
    assert_opens(call.ours(*[x * 1.5 for x in leaves]), rel=2e-5)


@every_rule
def test_an_array_rule_opens_with_a_constant_operand(call):
    arrays = operands_for(call)
    if len(arrays) > 1:
        assert_opens(call.ours(Tensor(arrays[0]), *arrays[1:]))


def elementwise_operands(row, shapes, seed):
    rng = np.random.default_rng(seed)
    return [rng.uniform(*d, s) for d, s in zip(row.domains, shapes, strict=False)]


@pytest.mark.parametrize("name", ELEMENTWISE)
@given(
    shapes=st.sampled_from([((), ()), ((3,), (2, 1)), ((2, 3), ()), ((1, 3), (2, 3)), ((0,), ())]),
    seed=st.integers(0, 1000),
)
def test_an_elementwise_rule_opens_into_itself(name, shapes, seed):
    row = ELEMENTWISE[name]
    tensors = [Tensor(a) for a in elementwise_operands(row, shapes, seed)]
    y = getattr(operations, name)(*tensors, **row.settings)
    opened = assert_opens(y)
    assert names(opened, len(tensors)) == [name] * y.size
    for v in values_of(opened.elements[-1][1]):
        assert v.rule == y.rule or v.rule.keywords == y.rule.keywords


def network(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, 3)).astype(dtype)
    shapes = {"W1": (3, 4), "b1": (4,), "W2": (4, 3), "b2": (3,)}
    leaves = {k: Tensor(rng.normal(size=s).astype(dtype), k) for k, s in shapes.items()}
    hidden = (x @ leaves["W1"] + leaves["b1"]).relu()
    hidden.label = "h"
    logits = hidden @ leaves["W2"] + leaves["b2"]
    return cross_entropy(logits, np.array([2, 0])), leaves


@given(seed=st.integers(0, 10_000))
def test_the_gradients_of_a_network_are_those_of_its_tensors(seed):
    assert_opens(network(seed)[0], rel=1e-12)


def test_the_values_of_a_network_have_names_and_the_rules_that_one_expects():
    loss, leaves = network()
    loss.label = "loss"
    opened = open_as_scalars(loss)
    array_of = {t.label: a for t, a in opened.elements if t.label}
    assert [x.label for x in array_of["W1"].flat] == [
        f"W1[{i}, {j}]" for i in range(3) for j in range(4)
    ]
    assert [x.label for x in array_of["b2"]] == ["b2[0]", "b2[1]", "b2[2]"]
    assert array_of["h"][1, 2].label == "h[1, 2]"
    assert opened.root.label == "loss"
    assert opened.root is array_of["loss"][()]
    order = [t for t, _ in opened.elements]
    (product,) = [i for i, t in enumerate(order) if t.parents and t.parents[0] is leaves["W1"]]
    assert names(opened, product) == ["add"] * 16 + ["multiply"] * 24
    assert names(opened, order.index(next(t for t in order if t.label == "h"))) == ["relu"] * 8


def test_float32_opens_in_float64():
    opened = assert_opens(network(dtype=np.float32)[0], rel=1e-5)
    assert type(opened.root.data) is float


def test_a_constant_array_stays_plain_numbers_and_a_scalar_constant_too():
    y = np.array([2.0, 3.0]) * Tensor([1.0, 5.0]) + 4
    opened = assert_opens(y)
    first, second = opened.elements[1][1]
    assert first.operands == (2.0, opened.elements[0][1][0])
    assert second.operands[0] == 3.0
    assert [v.operands[1] for v in opened.elements[2][1]] == [4.0, 4.0]


def test_an_element_that_no_tensor_reaches_is_a_plain_number():
    opened = assert_opens(tg.rules.put(Tensor(3.0), 1, (3,)))
    zero, value, other = opened.elements[-1][1]
    assert (zero, other) == (0.0, 0.0)
    assert value.operands == ()


def test_put_adds_only_where_elements_meet():
    opened = assert_opens(tg.rules.put(Tensor([1.0, 2.0, 3.0]), np.array([0, 2, 2]), (4,)))
    assert names(opened, 1) == ["add"]


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (2, 0), (0, 1, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_an_extreme_is_recorded_as_a_chain_of_extremes_of_two(name, axis, keepdims):
    x = Tensor(np.random.default_rng(3).permutation(24).reshape(2, 3, 4) * 1.0)
    y = getattr(tg, name)(x, axis=axis, keepdims=keepdims)
    opened = assert_opens(y)
    assert names(opened, 1) == [{"max": "maximum", "min": "minimum"}[name]] * (24 - y.size)


def test_reshape_transpose_indexing_and_joining_hand_on_the_same_values():
    x = Tensor(np.arange(6.0).reshape(2, 3), "x")
    y = tg.concatenate([x.T.reshape(6)[1:], x[0]])
    y.label = "y"
    opened = assert_opens(y)
    leaf = opened.elements[0][1]
    assert [id(v) for v in opened.elements[-1][1]] == [
        id(v) for v in [*leaf.T.ravel()[1:], *leaf[0]]
    ]
    assert len(opened.owner) == 6
    assert leaf[0, 0].label == "x[0, 0]"


def test_a_shared_tensor_opens_once():
    x = Tensor([1.0, 2.0], "x")
    y = x.exp()
    opened = assert_opens((y * y + y).sum())
    assert len(opened.owner) == 2 + 2 + 2 + 2 + 1


@pytest.mark.parametrize(
    "bounds",
    [
        {"min": np.array([[-1.0, 0.0, 1.0]]), "max": 2.0},
        {"min": [[-1.0], [0.0]], "max": np.full((2, 3), 1.5)},
        {"min": [0.0, -1, 0.5]},
        {"max": (0, 1, 1)},
        {},
    ],
)
def test_bounds_that_are_arrays_are_shared_out_to_the_elements(bounds):
    x = Tensor(np.random.default_rng(5).uniform(-3, 3, (2, 3)))
    opened = assert_opens(x.clip(**bounds))
    assert names(opened, 1) == ["clip"] * 6
    for (i, j), v in np.ndenumerate(opened.elements[-1][1]):
        for bound, setting in bounds.items():
            assert v.rule.keywords[bound] == np.broadcast_to(setting, (2, 3))[i, j]


def test_where_opens_into_where():
    x = Tensor([1.0, -2.0])
    opened = assert_opens(tg.where(x > 0, x, x * 0.1))
    assert names(opened, 2) == ["where"] * 2


def test_where_all_elements_are_equal_std_opens_and_has_no_derivative():
    opened = open_as_scalars(Tensor([2.0, 2.0]).std())
    assert opened.root.data == 0.0
    with pytest.raises(ZeroDivisionError):
        opened.root.backward()


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (2,), (2, 2), (0,)])
def test_the_root_is_the_only_element_or_the_sum_of_all(shape):
    x = Tensor(np.arange(1.0, 1 + np.prod(shape, dtype=int)).reshape(shape), "x")
    opened = assert_opens(x)
    assert opened.root.data == x.data.sum()
    assert opened.root.label == {0: "x", 1: "x[0]", 2: "x[0, 0]"}[len(shape)] * (x.size == 1)


def test_a_tensor_made_of_constants_only_has_a_root_too():
    opened = open_as_scalars(Tensor(np.zeros((0, 3))).sum(axis=0))
    assert type(opened.root) is Value
    assert list(opened.elements[-1][1]) == [0.0, 0.0, 0.0]


def test_the_tensors_stay_as_they_are():
    loss, leaves = network()
    loss.backward()
    before = {k: (t.data.copy(), t.grad.copy()) for k, t in leaves.items()}
    labels = [t.label for t in topological_order(loss)]
    open_as_scalars(loss).root.backward()
    for k, (data, grad) in before.items():
        np.testing.assert_array_equal(leaves[k].data, data)
        np.testing.assert_array_equal(leaves[k].grad, grad)
    assert [t.label for t in topological_order(loss)] == labels


def test_opening_twice_gives_the_same_graph():
    def described(opened):
        order = topological_order(opened.root)
        place = {id(v): i for i, v in enumerate(order)}
        return [
            (v.data, v.label, opened.owner.get(id(v)), v.symbol,
             [place.get(id(x), x) for x in v.operands])
            for v in order
        ]  # fmt: skip

    loss, _ = network()
    assert described(open_as_scalars(loss)) == described(open_as_scalars(loss))


def test_a_deep_graph_opens_without_recursion():
    x = y = Tensor(1.0, "x")
    for _ in range(3000):
        y = y + 0.001
    opened = open_as_scalars(y, limit=4000)
    assert len(opened.owner) == 3001
    assert opened.root.data == pytest.approx(4.0)
    assert opened.elements[0][0] is x


def test_rules_that_users_declare_open():
    @tg.rule("cube")
    def cube(x, /):
        """x³."""
        return x * x * x, lambda g, x=x: (g * 3.0 * x * x,)

    @tg.rule("tanh by NumPy")
    def tanh_by_numpy(x, /):
        """tanh, for arrays."""
        y = np.tanh(x)
        return y, lambda g, y=y: (g * (1.0 - y * y),)

    @tg.rule("dot")
    def product(x, y, /):
        """A product by np.dot."""
        return np.dot(x, y), lambda g, x=x, y=y: (g * y, g * x)

    assert names(assert_opens(cube(Tensor([1.0, 2.0]))), 1) == ["cube"] * 2
    assert names(assert_opens(tanh_by_numpy(Tensor([1.0, 2.0]))), 1) == ["tanh"] * 2
    opened = assert_opens(product(Tensor([1.0, 2.0]), Tensor([4.0, 3.0])))
    assert names(opened, 2) == ["add", "multiply", "multiply"]
