"""Layers and losses against NumPy's formulas and mpmath."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Tensor, Value
from tinygrad_edu.nn import (
    MLP,
    Linear,
    Module,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    binary_cross_entropy_with_logits,
    cross_entropy,
    mse_loss,
)

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 6)


def close(expected):
    return pytest.approx(expected, rel=1e-12, abs=1e-12)


# --- Module --------------------------------------------------------------------------------------


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
    assert Module().parameters() == []


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


# --- Linear --------------------------------------------------------------------------------------


def test_a_linear_layer_has_a_weight_of_inputs_by_outputs_and_a_bias_of_zeros():
    layer = Linear(4, 2)
    assert layer.weight.shape == (4, 2)
    assert layer.bias.data.tolist() == [0, 0]
    assert (layer.weight.label, layer.bias.label) == ("weight", "bias")
    assert layer(np.ones((5, 4))).shape == (5, 2)
    assert layer(np.ones(4)).shape == (2,)
    bare = Linear(4, 2, bias=False)
    assert bare.bias is None
    assert bare.parameters() == [bare.weight]


@pytest.mark.parametrize(
    ("init", "deviation"),
    [("he", (2 / 300) ** 0.5), ("glorot", (2 / 500) ** 0.5), (0.01, 0.01), (np.float32(1), 1)],
)
def test_the_weights_start_normal_with_the_deviation_of_he_glorot_or_a_number(init, deviation):
    weights = Linear(300, 200, init=init, rng=1).weight.data
    n = weights.size  # bounds of 5 deviations of each statistic
    assert abs(weights.mean()) < 5 * deviation / n**0.5
    assert weights.std() == pytest.approx(deviation, rel=5 / (2 * n) ** 0.5)
    kurtosis = np.mean((weights / deviation) ** 4)
    assert kurtosis == pytest.approx(3, abs=5 * (96 / n) ** 0.5)


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
    cross_entropy(out, np.zeros(5, int)).backward()
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


@given(sizes, sizes, sizes, seeds)
def test_a_weight_of_outputs_by_inputs_gets_the_transposed_gradient(n, inputs, outputs, seed):
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(n, inputs)), Tensor(rng.normal(size=(outputs, inputs)))
    g = rng.normal(size=(n, outputs))
    (x @ w.T).backward(g)
    assert w.grad == close(g.T @ x)


def test_a_neuron_on_one_vector_gives_the_figures_of_the_notebook():
    w, b = Tensor([3.5, 4.5]), Tensor(0.5)
    prediction = np.array([2.0, 3.0]) @ w + b
    loss = mse_loss(prediction, 5)
    loss.backward()
    assert (prediction.item(), loss.item()) == (21, 256)
    assert (w.grad.tolist(), b.grad.tolist()) == ([64, 96], 32)


@given(sizes, sizes, seeds)
def test_a_neuron_on_a_batch_has_the_gradient_of_the_mean_squared_error(k, features, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(k, features)), rng.normal(size=(k, 1))
    neuron = Linear(features, 1, rng=rng)
    prediction = neuron(x)
    mse_loss(prediction, y).backward()
    assert neuron.weight.grad == close(x.T @ (2 * (prediction.data - y) / k))
    assert neuron.bias.grad == close(np.sum(2 * (prediction.data - y) / k, axis=0))


def test_a_layer_against_a_column_of_targets_gives_the_figures_once_broadcasting_is_asked_for():
    x = Tensor([[0.3367, 0.1288], [0.2345, 0.2303], [-1.1229, -0.1863]])  # torch's seed 42
    w = Tensor([[2.2082, -0.6380, 0.4617, 0.2674], [0.5349, 0.8094, 1.1103, -1.6898]])
    prediction, target = x @ w + 0.5, np.array([[0.0], [1.0], [0.0]])
    with pytest.raises(ValueError, match=r"mse_loss: .*\(3, 4\) and the target \(3, 1\)"):
        mse_loss(prediction, target)
    mse_loss(prediction, np.broadcast_to(target, (3, 4))).backward()
    dW = [[0.4683, -0.1957, 0.0816, -0.1077], [0.0982, -0.0425, 0.0189, -0.0397]]
    assert w.grad == pytest.approx(np.array(dW), abs=1e-4)
    dX = [[0.5196, 0.2124], [0.0538, 0.1577], [-0.8729, -0.2282]]
    assert x.grad == pytest.approx(np.array(dX), abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inputs": 0}, r"Linear: 0 inputs and 3 outputs; both must be 1 or more"),
        ({"outputs": -1}, r"Linear: 2 inputs and -1 outputs; both"),
        ({"init": "xavier"}, r'Linear: init is \'xavier\'; use "he", "glorot" or a deviation'),
        ({"init": -1.0}, r"Linear: init is -1\.0"),
        ({"init": float("nan")}, r"Linear: init is nan"),
    ],
)
def test_a_linear_layer_refuses_settings_without_a_sense(settings, message):
    with pytest.raises(ValueError, match=message):
        Linear(**{"inputs": 2, "outputs": 3, **settings})


def test_an_input_of_the_wrong_width_is_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"matmul\(.*\(4, 3\), weight of shape \(2, 5\)"):
        Linear(2, 5)(np.ones((4, 3)))


# --- activations and networks --------------------------------------------------------------------


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
    model, x = MLP(4, [3, 2, 1], rng=0), np.random.default_rng(1).normal(size=(5, 4))
    assert [type(layer) for layer in model.layers] == [Linear, ReLU, Linear, ReLU, Linear]
    names = [f"layers.{i}.{p}" for i in (0, 2, 4) for p in ("weight", "bias")]
    assert [name for name, _ in model.named_parameters()] == names
    hidden = x
    for w in (model.layers[0].weight.data, model.layers[2].weight.data):
        hidden = np.maximum(hidden @ w, 0)
    assert model(x).data == close(hidden @ model.layers[4].weight.data)
    assert Sequential(*model.layers)(x).data.tolist() == model(x).data.tolist()


def test_the_layers_of_a_network_do_not_start_equal():
    first, second = (layer.weight.data for layer in MLP(3, [3, 3], rng=0).layers[::2])
    assert not np.array_equal(first, second)


def test_a_network_without_layers_is_refused():
    with pytest.raises(ValueError, match=r"MLP: outputs is empty; give the width .* \[30, 10\]"):
        MLP(2, [])


# --- what all losses share -----------------------------------------------------------------------

LOSSES = {
    mse_loss: lambda x, t: (x - t) ** 2,
    cross_entropy: lambda x, t: -(t * log_softmax(x)).sum(axis=-1),
    binary_cross_entropy_with_logits: lambda x, t: np.log1p(np.exp(x)) - t * x,
}
every_loss = pytest.mark.parametrize("loss", LOSSES)


def log_softmax(x):
    x = x.astype(np.longdouble)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


@every_loss
@given(sizes, sizes, seeds)
def test_a_loss_is_its_formula_in_every_reduction(loss, n, classes, seed):
    rng = np.random.default_rng(seed)
    logits, target = rng.normal(0, 3, (n, classes)), rng.dirichlet([1] * classes, n)
    each = LOSSES[loss](logits, target).astype(float)
    for reduction, expected in (("none", each), ("sum", each.sum()), ("mean", each.mean())):
        found = loss(Tensor(logits), target, reduction=reduction)
        assert found.data == close(expected)
    assert loss(Tensor(logits), target).data == close(each.mean())
    assert loss(Tensor(logits), Tensor(target)).data == close(each.mean())


@every_loss
def test_a_loss_of_float32_is_float32_whatever_the_dtype_of_the_target_and_the_settings(loss):
    x = Tensor(np.array([[1.0, 2.0]], np.float32))
    smooth = {"label_smoothing": np.float64(0.1)} if loss is cross_entropy else {}
    for target in ([[0.0, 1.0]], np.array([[0, 1]]), np.array([[False, True]])):
        result = loss(x, target, **smooth)
        result.backward()
        assert result.dtype == x.grad.dtype == np.float32


@every_loss
def test_a_loss_writes_into_no_target_and_does_not_change_with_it(loss):
    x, target = Tensor([[1.0, 2.0]]), np.array([[0.25, 0.75]])
    result = loss(x, target)
    result.backward()
    first = x.grad.copy()
    assert target.tolist() == [[0.25, 0.75]]
    target[:] = 0
    x.zero_grad()
    result.backward()
    assert np.array_equal(x.grad, first)


@every_loss
@pytest.mark.parametrize(
    ("x", "target", "settings", "error", "message"),
    [
        (np.ones((1, 2)), [[0, 1]], {}, TypeError, "expected a Tensor first, got ndarray"),
        (Value(1.0), 1, {}, TypeError, "expected a Tensor first, got Value"),
        (Tensor([1.0]), Value(1.0), {}, TypeError, "target.*Value"),
        (Tensor([[1.0, 2.0]]), [[np.nan, 1.0]], {}, ValueError, "nan"),
        (Tensor([[1.0, 2.0]]), [["0", "1"]], {}, TypeError, "target.*dtype <U1"),
        (Tensor([[1.0, 2.0]]), [[0, 1]], {"reduction": "max"}, ValueError, "reduction is 'max'"),
        (Tensor(np.ones((3, 1))), np.ones(3), {}, ValueError, r"\(3, 1\).*\(3,\)"),
    ],
)
def test_a_loss_names_what_is_wrong(loss, x, target, settings, error, message):
    with pytest.raises(error, match=rf"^{loss.__name__}: .*{message}"):
        loss(x, target, **settings)
