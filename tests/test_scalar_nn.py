"""The network of Values: micrograd's names, numbers and programs, run on this package."""

import contextlib
import importlib.metadata
import io
import random
import re

import micrograd.engine
import micrograd.nn
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Value, scalar_nn
from tinygrad_edu.scalar_nn import MLP, Layer, Neuron

numbers = st.floats(-10, 10)


def approx(expected):
    return pytest.approx(expected, rel=1e-12)


# --- neurons, layers, networks -------------------------------------------------------------------


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5), numbers, st.booleans())
def test_a_neuron_is_the_relu_of_its_weighted_sum(pairs, bias, nonlin):
    neuron = Neuron(len(pairs), nonlin=nonlin)
    for p, number in zip(neuron.parameters(), [*(w for w, _ in pairs), bias], strict=True):
        p.data = number
    total = bias + sum(w * x for w, x in pairs)
    expected = max(total, 0) if nonlin else total
    assert neuron([x for _, x in pairs]).data == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_gradient_of_a_neuron_is_its_input_where_it_is_on_and_0_where_it_is_off():
    neuron = Neuron(2)
    for p, number in zip(neuron.parameters(), [2.0, -1.0, 0.5], strict=True):
        p.data = number
    x = [Value(3.0), Value(4.0)]
    neuron(x).backward()
    assert [p.grad for p in neuron.parameters()] == [3, 4, 1]
    assert [xi.grad for xi in x] == [2, -1]
    neuron.zero_grad()
    neuron([-3.0, 4.0]).backward()
    assert [p.grad for p in neuron.parameters()] == [0, 0, 0]


def test_a_neuron_starts_with_weights_from_minus_1_to_1_and_bias_0():
    neuron = Neuron(200, rng=random.Random(0))
    weights = [w.data for w in neuron.w]
    assert all(-1 <= w <= 1 for w in weights)
    assert min(weights) < -0.9
    assert max(weights) > 0.9
    assert neuron.b.data == 0
    assert neuron.parameters() == [*neuron.w, neuron.b]


def test_a_generator_fixes_the_weights_and_leaves_the_module_random_alone():
    state = random.getstate()
    one, two = (MLP(2, [3, 1], rng=random.Random(5)) for _ in range(2))
    assert [p.data for p in one.parameters()] == [p.data for p in two.parameters()]
    assert random.getstate() == state


def test_a_layer_of_one_neuron_gives_a_value_and_a_wider_one_a_list():
    assert isinstance(Layer(2, 1)([1.0, 2.0]), Value)
    wide = Layer(2, 3)([1.0, 2.0])
    assert [type(out) for out in wide] == [Value, Value, Value]


def test_only_the_last_layer_of_a_network_is_linear():
    model = MLP(2, [3, 2, 1])
    assert [[n.nonlin for n in layer.neurons] for layer in model.layers] == [
        [True, True, True],
        [True, True],
        [False],
    ]


def test_parameters_are_named_by_layer_and_neuron():
    names = [name for name, _ in MLP(2, [2, 1]).named_parameters()]
    assert names[:4] == [f"layers.0.neurons.0.{p}" for p in ("w.0", "w.1", "b")] + [
        "layers.0.neurons.1.w.0"
    ]
    assert names[-1] == "layers.1.neurons.0.b"
    assert len(names) == 2 * 3 + 3


def test_labels_of_parameters_name_their_neuron_and_layer():
    def labels(module):
        return [p.label for p in module.parameters()]

    assert labels(Neuron(2)) == ["w0", "w1", "b"]
    assert labels(Layer(1, 2)) == [f"neurons.{i}.{p}" for i in range(2) for p in ("w0", "b")]
    model = MLP(12, [1, 1])
    first = [f"layers.0.neurons.0.{p}" for p in [*(f"w{i}" for i in range(12)), "b"]]
    assert labels(model) == [*first, "layers.1.neurons.0.w0", "layers.1.neurons.0.b"]


def test_a_wrong_number_of_inputs_is_refused_with_both_counts():
    with pytest.raises(ValueError, match=r"Neuron: it has 2 inputs but got 3 numbers"):
        MLP(2, [3, 1])([1.0, 2.0, 3.0])


def test_a_network_without_layers_is_refused():
    with pytest.raises(ValueError, match=r"MLP: nouts is \[\]; give the width"):
        MLP(2, [])


# --- the same numbers as micrograd ---------------------------------------------------------------


def moons(n, rng):
    """Two half circles that reach into each other, with labels -1 and 1 as NumPy integers."""
    angle = np.linspace(0, np.pi, n // 2)
    upper = np.column_stack([np.cos(angle), np.sin(angle)])
    points = np.concatenate([upper, [1, 0.5] - upper]) + rng.normal(0, 0.1, (n, 2))
    return points, np.repeat([-1, 1], n // 2)


def regularised_loss(Value, model, X, y, alpha=1e-4):
    """In the manner of micrograd's demo notebook: max-margin, L2, and the accuracy."""
    inputs = [list(map(Value, xrow)) for xrow in X]
    scores = list(map(model, inputs))
    losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(y, scores, strict=True)]
    data_loss = sum(losses) * (1.0 / len(losses))
    reg_loss = alpha * sum(p * p for p in model.parameters())
    accuracy = [(yi > 0) == (scorei.data > 0) for yi, scorei in zip(y, scores, strict=True)]
    return data_loss + reg_loss, sum(accuracy) / len(accuracy), scores


def test_parameters_outputs_and_gradients_equal_those_of_micrograd():
    X, y = moons(10, np.random.default_rng(0))
    results = []
    for kind, make in ((Value, MLP), (micrograd.engine.Value, micrograd.nn.MLP)):
        random.seed(1337)
        model = make(2, [16, 16, 1])
        start = [p.data for p in model.parameters()]
        loss, accuracy, scores = regularised_loss(kind, model, X, y)
        loss.backward()
        grads = [p.grad for p in model.parameters()]
        results.append((start, [s.data for s in scores], loss.data, accuracy, grads, repr(model)))
    (start, scores, loss, accuracy, grads, text), theirs = results
    assert len(start) == 337
    assert start == theirs[0]
    assert scores == approx(theirs[1])
    assert loss == approx(theirs[2])
    assert accuracy == theirs[3]
    assert grads == approx(theirs[4])
    assert text == theirs[5]


# --- micrograd's programs ------------------------------------------------------------------------


def test_the_readme_of_micrograd_runs_and_prints_its_numbers():
    described = importlib.metadata.metadata("micrograd")
    readme = described.get_payload() or described["Description"]
    program = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[0]
    ours = program.replace("from micrograd.engine import", "from tinygrad_edu import")
    assert ours != program
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(ours, {})
    assert printed.getvalue().split() == ["24.7041", "138.8338", "645.5773"]


def test_the_training_loop_of_the_demo_notebook_learns_the_moons():
    X, y = moons(30, np.random.default_rng(0))
    random.seed(1337)
    model = MLP(2, [8, 1])
    history = []
    for k in range(25):
        total_loss, accuracy, _ = regularised_loss(Value, model, X, y)
        model.zero_grad()
        total_loss.backward()
        learning_rate = 1.0 - 0.9 * k / 25
        for p in model.parameters():
            p.data -= learning_rate * p.grad
        history.append((total_loss.data, accuracy))
    assert history[-1][0] < 0.35 < history[0][0]
    assert history[-1][1] > 0.8 > history[0][1]


def test_the_decision_boundary_of_the_demo_notebook_is_an_array_of_booleans():
    model = MLP(2, [4, 1], rng=random.Random(0))
    xx, yy = np.meshgrid(np.arange(-1, 1, 0.5), np.arange(-1, 1, 0.5))
    scores = list(map(model, [list(map(Value, xrow)) for xrow in np.c_[xx.ravel(), yy.ravel()]]))
    Z = np.array([s.data > 0 for s in scores]).reshape(xx.shape)
    assert Z.shape == (4, 4)
    assert Z.dtype == bool


def trace(root):
    """All nodes below a root, and all edges, as the tracing notebook of micrograd finds them."""
    nodes, edges = set(), set()

    def visit(v):
        if v in nodes:
            return
        nodes.add(v)
        for operand in v._prev:
            edges.add((operand, v))
            visit(operand)

    visit(root)
    return nodes, edges


def test_tracing_sees_an_operand_used_twice_once_and_a_constant_as_a_leaf():
    a = Value(3.0)
    square = a * a
    assert trace(square) == ({a, square}, {(a, square)})
    nodes, edges = trace(a + 1)
    assert sorted(n.data for n in nodes) == [1, 3, 4]
    assert [n._op for n in nodes if n.data == 4] == ["+"]
    assert [n._op for n in nodes if n.data != 4] == ["", ""]
    assert len(edges) == 2


def test_softmax_of_a_list_of_values_is_that_of_the_tensor():
    for numbers in ([0.5, -1.0, 2.0], [1000.0, 1001.0], [3.0]):
        values, tensor = [Value(x) for x in numbers], tg.Tensor(numbers)
        probabilities = scalar_nn.softmax(values)
        (-probabilities[0].log()).backward()
        whole = tg.softmax(tensor)
        (-tg.log(whole[0])).backward()
        np.testing.assert_allclose([p.data for p in probabilities], whole.data, rtol=1e-14)
        np.testing.assert_allclose([v.grad for v in values], tensor.grad, rtol=1e-12, atol=1e-15)
    assert scalar_nn.softmax([0.0, Value(0.0)])[0].data == 0.5
    with pytest.raises(ValueError, match="softmax: got no value; give a list of at least one"):
        scalar_nn.softmax([])
    with pytest.raises(TypeError, match=r"for a list of Values there is scalar_nn\.softmax"):
        tg.softmax([Value(1.0), Value(2.0)])
