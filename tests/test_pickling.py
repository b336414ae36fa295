"""Copies of nodes, graphs, models and optimizers, by deepcopy and pickle: whole and independent."""

import copy
import io
import pickle
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import (
    Tensor,
    Value,
    concatenate,
    einsum,
    nn,
    no_grad,
    optim,
    rules,
    scalar_nn,
    topological_order,
    where,
)

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


def by_pickle(protocol):
    return lambda x: pickle.loads(pickle.dumps(x, protocol))


def by_python_pickle(protocol):
    """The pickler that is written in Python: another order of calls, and a real recursion."""

    def copied(x):
        file = io.BytesIO()
        pickle._Pickler(file, protocol).dump(x)
        return pickle._Unpickler(io.BytesIO(file.getvalue())).load()

    return copied


WAYS = {
    "deepcopy": copy.deepcopy,
    **{f"pickle {p}": by_pickle(p) for p in PROTOCOLS},
    **{f"Python's pickle {p}": by_python_pickle(p) for p in PROTOCOLS},
}
every_way = pytest.mark.parametrize("copied", WAYS.values(), ids=WAYS)
quick_way = pytest.mark.parametrize("copied", [WAYS["deepcopy"], by_pickle(5)], ids=["copy", "5"])


def bits(x):
    """A number or array down to the last bit."""
    array = np.asarray(x)
    return array.dtype.str, array.shape, array.tobytes()


def described(root):
    """All that a graph holds, with operands by their place, to compare two graphs with ==."""
    nodes = topological_order(root)
    place = {id(node): i for i, node in enumerate(nodes)}
    return [
        (
            type(node),
            node.label,
            bits(node.data),
            bits(node.grad),
            None if node.rule is None else rules.name_of(node.rule),
            None if node.rule is None else repr(rules.settings_of(node.rule)),
            [place[id(x)] if id(x) in place else bits(x) for x in node.operands],
        )
        for node in nodes
    ]


def value_graph():
    a, b = Value(1.5, "a"), Value(-0.3, "b")
    c = a * b
    c.label = "c"
    return (c + a).tanh() / (2 - c) + c**2


def tensor_graph():
    """A graph whose rules have settings of every kind: axes, indices, arrays, subscripts."""
    x = Tensor(np.linspace(-1, 2, 6).reshape(2, 3), "x")
    w = Tensor(np.arange(6.0).reshape(3, 2), "w", np.float64)
    h = (x @ w).relu() + np.array([1.0, 2.0])
    picked = h[[0, 1, 1], :][..., None, 0].clip(np.array([0.5]), 9.0)
    summed = einsum("ij,ij->i", x, x).reshape(1, 2).softmax(axis=1)
    masked = where(x > 0, x, 0.0).transpose((1, 0)).mean(axis=0, keepdims=True)
    root = concatenate([picked.sum().reshape(1, 1), summed, masked], axis=1).sum()
    root.label = "root"
    return root


GRAPHS = {
    "value": value_graph,
    "tensor": tensor_graph,
    "leaf": lambda: Value(2.5, "leaf"),
    "array leaf": lambda: Tensor(np.arange(3, dtype=np.float32), "leaf"),
}


@every_way
@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("after_backward", [False, True])
def test_data_gradients_labels_rules_and_operands_are_kept(copied, make, after_backward):
    root = make()
    if after_backward:
        root.backward(np.full(np.shape(root.data), 1.25))
    before = described(root)
    twin = copied(root)
    assert described(twin) == before
    assert described(root) == before
    assert not set(topological_order(twin)) & set(topological_order(root))


@every_way
@pytest.mark.parametrize("make", [value_graph, tensor_graph])
def test_backward_on_the_copy_gives_the_same_bits_and_leaves_the_original_alone(copied, make):
    root = make()
    twin = copied(root)
    untouched = described(root)
    twin.backward()
    assert described(root) == untouched
    root.backward()
    assert described(root) == described(twin)
    assert any(np.any(node.grad != 0) for node in topological_order(root) if not node.operands)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0), st.integers(0)), max_size=12))
def test_any_graph_of_values_is_the_same_after_a_copy(steps):
    nodes = [Value(0.5, "x"), Value(-1.25, "y")]
    for operation, i, k in steps:
        x, y = nodes[i % len(nodes)], nodes[k % len(nodes)]
        nodes.append([x + y, x * 0.5, 1.5 - y, (x - y).tanh()][operation])
    root = nodes[-1]
    twins = copy.deepcopy(root), pickle.loads(pickle.dumps(root))
    root.backward()
    for twin in twins:
        twin.backward()
        assert described(twin) == described(root)


@every_way
def test_leaves_and_inner_nodes_that_two_roots_share_stay_shared(copied):
    a, b = Value(2, "a"), Value(3, "b")
    shared = a * b
    first, second = copied((shared + a, shared.tanh()))
    assert first.operands[0] is second.operands[0]
    assert first.operands[1] is first.operands[0].operands[0]
    first.backward()
    second.backward()
    (copied_a,) = (n for n in topological_order(first) if n.label == "a")
    assert copied_a.grad == 3 + 1 + 3 * (1 - np.tanh(6.0) ** 2)
    assert (a.grad, b.grad) == (0, 0)


@every_way
@pytest.mark.parametrize("order", ["root first", "inner first", "leaf first"])
def test_a_root_and_nodes_inside_its_graph_can_travel_together(copied, order):
    leaf = Tensor([1.0, 2.0], "leaf")
    inner = leaf * 3
    root = inner.sum()
    together = {
        "root first": [root, inner, leaf],
        "inner first": [inner, root, leaf],
        "leaf first": [leaf, inner, root],
    }[order]
    found = {n.label or n.symbol: n for n in copied(together)}
    assert found["Σ"].operands[0] is found["×"]
    assert found["×"].operands[0] is found["leaf"]


@every_way
def test_nodes_as_keys_and_in_containers_are_the_same_nodes_after_a_copy(copied):
    x = Value(2, "x")
    home = copied({"parts": [x, x * x], "index": {x: "first"}})
    new_x, square = home["parts"]
    assert square.operands == (new_x, new_x)
    assert home["index"][new_x] == "first"


@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
def test_a_deep_copy_shares_no_memory_with_the_original(make):
    root = make()
    root.backward(np.ones(np.shape(root.data)))
    twins = topological_order(copy.deepcopy(root))
    for old, new in zip(topological_order(root), twins, strict=True):
        if isinstance(old, Tensor):
            assert not np.shares_memory(old.data, new.data)
            assert not np.shares_memory(old.grad, new.grad)


@quick_way
def test_writing_into_a_copied_leaf_leaves_the_original_as_it_was(copied):
    x = Tensor([1.0, 2.0], "x")
    x.sum().backward()
    twin = copied(x)
    twin.data += 5
    twin.grad[0] = 7
    twin.label = "twin"
    assert (x.data.tolist(), x.grad.tolist(), x.label) == ([1, 2], [1, 1], "x")


@quick_way
@pytest.mark.parametrize("kind", [nn.MLP, scalar_nn.MLP])
def test_a_copied_model_answers_as_the_original_and_learns_apart(copied, kind):
    if kind is nn.MLP:
        model, x = nn.MLP(3, [4, 1], rng=0), np.array([[0.5, -1.0, 2.0]])
    else:
        model, x = scalar_nn.MLP(3, [4, 1], rng=random.Random(0)), [0.5, -1.0, 2.0]
    model(x).backward()
    twin = copied(model)
    assert [n for n, _ in twin.named_parameters()] == [n for n, _ in model.named_parameters()]
    for old, new in zip(model.parameters(), twin.parameters(), strict=True):
        assert described(old) == described(new)
        assert old is not new
    assert bits(twin(x).data) == bits(model(x).data)
    before = [described(p) for p in model.parameters()]
    twin(x).backward()
    optim.SGD(twin.parameters(), lr=0.1).step()
    assert [described(p) for p in model.parameters()] == before
    assert [described(p) for p in twin.parameters()] != before


OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
    "AdamW": lambda p: optim.AdamW(p, lr=0.1),
}


@quick_way
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_training_goes_on_from_a_copy_with_the_same_bits(copied, make):
    x, y = np.linspace(-1, 1, 12).reshape(4, 3), np.array([[0.0], [1.0], [0.5], [2.0]])

    def train(model, optimizer):
        for _ in range(3):
            optimizer.zero_grad()
            nn.mse_loss(model(x), y).backward()
            optimizer.step()

    model = nn.MLP(3, [4, 1], rng=1)
    optimizer = make(model.parameters())
    train(model, optimizer)
    twin, twin_optimizer = copied((model, optimizer))
    assert all(a is b for a, b in zip(twin.parameters(), twin_optimizer.parameters, strict=True))
    saved = [bits(p.data) for p in model.parameters()]
    train(twin, twin_optimizer)
    assert [bits(p.data) for p in model.parameters()] == saved
    train(model, optimizer)
    assert [bits(p.data) for p in twin.parameters()] == [bits(p.data) for p in model.parameters()]
    assert [bits(p.data) for p in model.parameters()] != saved


def chain(n):
    x = Value(1.5, "x")
    y = x
    for _ in range(n):
        y = y + x
    return y


@pytest.mark.untraced
@every_way
def test_a_chain_longer_than_the_recursion_limit_can_be_copied_in_every_way(copied):
    twin = copied(chain(1500))
    twin.backward()
    assert topological_order(twin)[0].grad == 1501


class Unpicklable(str):
    """A label that refuses to be pickled."""

    def __reduce_ex__(self, protocol):
        raise pickle.PicklingError("this label stays here")


@pytest.mark.parametrize("pickler", [pickle.Pickler, pickle._Pickler])
def test_a_pickle_that_fails_midway_does_not_spoil_the_next(pickler):
    root = value_graph()
    inner = next(node for node in topological_order(root) if node.label == "c")
    inner.label = Unpicklable("c")
    with pytest.raises(pickle.PicklingError, match="stays here"):
        pickler(io.BytesIO()).dump(root)
    assert described(pickle.loads(pickle.dumps(chain(1500))))[0][1] == "x"
    inner.label = "c"
    assert described(pickle.loads(pickle.dumps(root))) == described(root)


def test_a_pickle_whose_rule_is_not_known_says_which_and_what_to_do(monkeypatch):
    monkeypatch.setattr(rules.operations, "tripled", None, raising=False)  # both are put back
    monkeypatch.setitem(rules.RULES, "tripled", None)

    @rules.rule("3×")
    def tripled(x, /):
        return 3 * x, lambda g: (3 * g,)

    text = pickle.dumps(tripled(Value(2, "x")) + 1)
    assert pickle.loads(text).data == 7
    del rules.RULES["tripled"]
    with pytest.raises(ValueError, match=r"no rule 'tripled'; import the module that declares it"):
        pickle.loads(text)


def test_loading_a_graph_does_not_repeat_its_numpy_warnings():
    with pytest.warns(RuntimeWarning, match="invalid value"):
        root = Tensor([-1.0, 1.0], "x").log().sum()
    assert described(pickle.loads(pickle.dumps(root))) == described(root)


@quick_way
def test_a_copy_made_inside_no_grad_keeps_its_graph(copied):
    root = value_graph()
    with no_grad():
        twin = copied(root)
    assert described(twin) == described(root)


def test_a_shallow_copy_is_refused_with_the_cure():
    x = Value(2, "x")
    with pytest.raises(TypeError, match=r"copy\.deepcopy"):
        copy.copy(x * x)
