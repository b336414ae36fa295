"""Modules and layers against NumPy's formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Tensor, Value, nn
from tinygrad_edu.nn import MLP, Linear, Module, ReLU, Sequential, Sigmoid, Tanh

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 6)


def close(expected):
    return pytest.approx(expected, rel=1e-12, abs=1e-12)


class Net(Module):
    def __init__(self):
        self.first = Linear(2, 3, rng=0)
        self.blocks = [{"a": Linear(3, 3, bias=False, rng=0)}, (Tensor(1.0), ReLU())]
        self.again = self.first
        self.scale = Value(2.0)
        self.constant, self.nothing, self.title = np.ones(3), None, "net"
        self.kept = self.first.weight * 2.0


def test_parameters_are_named_by_their_place_in_the_order_in_which_they_were_made():
    net = Net()
    assert dict(net.named_parameters()) == {
        "first.weight": net.first.weight,
        "first.bias": net.first.bias,
        "blocks.0.a.weight": net.blocks[0]["a"].weight,
        "blocks.1.0": net.blocks[1][0],
        "scale": net.scale,
    }
    assert net.parameters() == [leaf for _, leaf in net.named_parameters()]
    assert [name for name, _ in net.first.named_parameters("net")] == ["net.weight", "net.bias"]


def test_a_shared_parameter_has_one_name_and_the_gradients_of_all_its_uses():
    layer = Linear(3, 3, rng=0)
    twice = Sequential(layer, Tanh(), layer)
    assert [name for name, _ in twice.named_parameters()] == ["layers.0.weight", "layers.0.bias"]
    x = np.ones((1, 3))
    twice(x).sum().backward()
    w, hidden = layer.weight.data, np.tanh(x @ layer.weight.data)
    through_tanh = np.ones((1, 3)) @ w.T * (1 - hidden**2)
    assert layer.weight.grad == close(hidden.T @ np.ones((1, 3)) + x.T @ through_tanh)


def test_zero_grad_forgets_every_gradient():
    net = Net()
    (net.first(np.ones((2, 2))).sum() + net.blocks[1][0]).backward()
    assert all(net.first.bias.grad == 2)
    net.zero_grad()
    assert not any(np.any(p.grad) for p in net.parameters())


def test_a_module_that_cannot_be_called_says_what_it_lacks():
    with pytest.raises(NotImplementedError, match=r"Net needs a method __call__\(self, x\)"):
        Net()(1.0)


# --- layers --------------------------------------------------------------------------------------


def test_a_linear_layer_has_a_weight_of_inputs_by_outputs_and_a_bias_of_zeros():
    layer = Linear(4, 2)
    assert layer.weight.shape == (4, 2)
    assert layer.bias.data.tolist() == [0, 0]
    assert layer(np.ones((5, 4))).shape == (5, 2)
    assert layer(np.ones(4)).shape == (2,)
    assert len(Linear(4, 2, bias=False).parameters()) == 1


@pytest.mark.parametrize(
    ("init", "deviation"),
    [("he", (2 / 300) ** 0.5), ("glorot", (2 / 500) ** 0.5), (0.01, 0.01), (np.float32(1), 1)],
)
def test_the_weights_start_normal_with_the_deviation_of_he_glorot_or_a_number(init, deviation):
    weights = Linear(300, 200, init=init, rng=1).weight.data
    n = weights.size  # bounds of 5 deviations of each statistic
    assert abs(weights.mean()) < 5 * deviation / n**0.5
    assert weights.std() == pytest.approx(deviation, rel=5 / (2 * n) ** 0.5)


@given(seeds)
def test_a_seed_gives_the_same_bits_and_a_generator_goes_on(seed):
    layer, again = Linear(3, 4, rng=seed), Linear(3, 4, rng=seed)
    assert np.array_equal(layer.weight.data, again.weight.data)
    generator = np.random.default_rng(seed)
    assert np.array_equal(layer.weight.data, Linear(3, 4, rng=generator).weight.data)
    assert not np.array_equal(layer.weight.data, Linear(3, 4, rng=generator).weight.data)


def test_float32_layers_keep_float32_from_the_input_to_the_gradients():
    model = MLP(3, [4, 2], rng=0, dtype=np.float32)
    out = model(np.ones((5, 3), np.float32))
    nn.cross_entropy(out, np.zeros(5, int)).backward()
    arrays = [out, *model.parameters(), *(p.grad for p in model.parameters())]
    assert {a.dtype for a in arrays} == {np.dtype(np.float32)}


@given(sizes, sizes, sizes, seeds)
def test_the_gradients_of_a_linear_layer_are_the_three_formulas(n, inputs, outputs, seed):
    rng = np.random.default_rng(seed)
    layer, x = Linear(inputs, outputs, rng=rng), Tensor(rng.normal(size=(n, inputs)))
    layer.bias.data = rng.normal(size=outputs)
    out = layer(x)
    g = rng.normal(size=(n, outputs))
    out.backward(g)
    w = layer.weight.data
    assert out.data == close(x.data @ w + layer.bias.data)
    assert x.grad == close(g @ w.T)
    assert layer.weight.grad == close(x.data.T @ g)
    assert layer.weight.grad == close(sum(map(np.outer, x.data, g)))  # row L3
    assert layer.bias.grad == close(g.sum(axis=0))
    outputs_by_inputs = Tensor(w.T)  # row L2
    (x.data @ outputs_by_inputs.T).backward(g)
    assert outputs_by_inputs.grad == close(g.T @ x.data)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linear(0, -3), r"Linear: inputs is 0; the width of a layer is a whole number"),
        (lambda: Linear(2, 3, init="xavier"), r"Linear: init is 'xavier'; use .he., .glorot. or"),
        (lambda: Linear(2, 3, init=-1.0), r"Linear: init is -1\.0"),
        (lambda: Linear(2, 3, init=float("nan")), r"Linear: init is nan"),
        (lambda: Linear(2, 5)(np.ones((4, 3))), r"\(4, 3\), weight of shape \(2, 5\)"),
        (lambda: MLP(64, 10), r"MLP: outputs is 10; give the width"),
        (lambda: MLP(2, []), r"MLP: outputs is \[\]; give the width .* \[30, 10\]"),
    ],
)
def test_a_layer_names_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "value", "slope"),
    [
        (ReLU(), lambda x: np.maximum(x, 0), lambda x: x > 0),
        (Tanh(), np.tanh, lambda x: 1 / np.cosh(x) ** 2),
        (Sigmoid(), lambda x: 1 / (1 + np.exp(-x)), lambda x: 1 / (2 + 2 * np.cosh(x))),
    ],
)
def test_activations_are_elementwise_and_have_no_parameters(layer, value, slope):
    x = Tensor([[-3.0, -0.5, 0.0], [0.25, 2.0, 9.0]])
    out = layer(x)
    g = np.arange(1.0, 7.0).reshape(2, 3)
    out.backward(g)
    assert out.data == close(value(x.data))
    assert x.grad == close(g * slope(x.data))
    assert layer.parameters() == []


def test_a_network_is_its_layers_one_after_the_other():
    model, x = MLP(3, [3, 3, 1], rng=0), np.random.default_rng(1).normal(size=(5, 3))
    assert [type(layer) for layer in model.layers] == [Linear, ReLU, Linear, ReLU, Linear]
    names = [f"layers.{i}.{p}" for i in (0, 2, 4) for p in ("weight", "bias")]
    assert [name for name, _ in model.named_parameters()] == names
    first, second, last = (layer.weight.data for layer in model.layers[::2])
    assert not np.array_equal(first, second)
    hidden = np.maximum(np.maximum(x @ first, 0) @ second, 0)
    assert model(x).data == close(hidden @ last)
    assert Sequential(*model.layers)(x).data.tolist() == model(x).data.tolist()


def labels(module):
    return [p.label for p in module.parameters()]


def test_parameters_of_a_network_have_labels_that_name_their_layer():
    assert labels(Linear(2, 2)) == ["weight", "bias"]
    first, last = ([f"layers.{i}.weight", f"layers.{i}.bias"] for i in (0, 2))
    assert labels(MLP(3, [3, 1])) == first + last
    inner, linear = MLP(1, [1]), Linear(1, 1, bias=False)
    inside = ["layers.1.layers.0.weight", "layers.1.layers.0.bias"]
    assert labels(Sequential(linear, inner, Tanh(), linear)) == ["layers.0.weight", *inside]


def test_labels_of_the_users_own_are_kept():
    layer = Linear(1, 1)
    layer.weight.label = "slope"
    assert labels(Sequential(Tanh(), layer)) == ["slope", "layers.1.bias"]
    model = MLP(1, [1])
    model.layers[0].weight.label, model.layers[0].bias.label = "", "layers.7.bias"
    assert labels(Sequential(model)) == ["", "layers.7.bias"]


def test_a_network_of_layers_that_have_a_label_already_keeps_it():
    model = MLP(1, [1, 1])
    before = labels(model)
    assert labels(Sequential(*reversed(model.layers))) == before[2:] + before[:2]
    assert labels(model) == before
