"""Layers and losses against NumPy's formulas and mpmath."""

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinygrad_edu import Tensor, Value, nn
from tinygrad_edu.nn import MLP, Linear, Module, ReLU, Sequential, Sigmoid, Tanh

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 6)
BIG = float(np.finfo(np.float32).max)


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


def test_a_neuron_on_one_vector_gives_the_figures_of_the_notebook():
    w, b = Tensor([3.5, 4.5]), Tensor(0.5)
    prediction = np.array([2.0, 3.0]) @ w + b
    loss = nn.mse_loss(prediction, 5)
    loss.backward()
    assert (prediction.item(), loss.item()) == (21, 256)
    assert (w.grad.tolist(), b.grad.tolist()) == ([64, 96], 32)


@given(sizes, sizes, seeds)
def test_a_neuron_on_a_batch_has_the_gradient_of_the_mean_squared_error(k, features, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(k, features)), rng.normal(size=(k, 1))
    neuron = Linear(features, 1, rng=rng)
    prediction = neuron(x)
    nn.mse_loss(prediction, y).backward()
    assert neuron.weight.grad == close(x.T @ (2 * (prediction.data - y) / k))
    assert neuron.bias.grad == close(np.sum(2 * (prediction.data - y) / k, axis=0))


def test_a_layer_against_a_column_of_targets_gives_the_figures_once_broadcasting_is_asked_for():
    x = Tensor([[0.3367, 0.1288], [0.2345, 0.2303], [-1.1229, -0.1863]])  # torch's seed 42
    w = Tensor([[2.2082, -0.6380, 0.4617, 0.2674], [0.5349, 0.8094, 1.1103, -1.6898]])
    prediction, target = x @ w + 0.5, np.array([[0.0], [1.0], [0.0]])
    with pytest.raises(ValueError, match=r"mse_loss: .*\(3, 4\) and the target \(3, 1\)"):
        nn.mse_loss(prediction, target)
    nn.mse_loss(prediction, np.broadcast_to(target, (3, 4))).backward()
    dW = [[0.4683, -0.1957, 0.0816, -0.1077], [0.0982, -0.0425, 0.0189, -0.0397]]
    assert w.grad == pytest.approx(np.array(dW), abs=1e-4)
    dX = [[0.5196, 0.2124], [0.0538, 0.1577], [-0.8729, -0.2282]]
    assert x.grad == pytest.approx(np.array(dX), abs=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linear(0, -3), r"Linear: 0 inputs and -3 outputs; both must be 1 or more"),
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


# --- losses -----------------------------------------------------------------------


def log_softmax(x):
    x = x.astype(np.longdouble)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


LOSSES = {  # the loss of every element or sample, and its derivative
    nn.mse_loss: (lambda x, t: (x - t) ** 2, lambda x, t: 2 * (x - t)),
    nn.cross_entropy: (
        lambda x, t: -(t * log_softmax(x)).sum(axis=-1),
        lambda x, t: np.exp(log_softmax(x)) - t,
    ),
    nn.binary_cross_entropy_with_logits: (
        lambda x, t: np.log1p(np.exp(x)) - t * x,
        lambda x, t: 1 / (1 + np.exp(-x)) - t,
    ),
}
every_loss = pytest.mark.parametrize("loss", LOSSES)


@every_loss
@given(sizes, sizes, seeds)
def test_a_loss_and_its_gradient_are_their_formulas_in_every_reduction(loss, n, classes, seed):
    rng = np.random.default_rng(seed)
    logits, target = rng.normal(0, 3, (n, classes)), rng.dirichlet([1] * classes, n)
    each, slope = (formula(logits, target).astype(float) for formula in LOSSES[loss])
    for settings, expected, g, gradient in (
        ({}, each.mean(), None, slope / each.size),
        ({"reduction": "sum"}, each.sum(), None, slope),
        ({"reduction": "none"}, each, np.ones(each.shape), slope),
    ):
        x = Tensor(logits)
        found = loss(x, target, **settings)
        found.backward(g)
        assert found.data == close(expected)
        assert x.grad == close(gradient)
        assert loss(x, Tensor(target), **settings).data == close(expected)


@pytest.mark.parametrize("loss", [*LOSSES, nn.max_margin_loss])
def test_a_loss_of_float32_is_float32_whatever_the_dtype_of_the_target_and_the_settings(loss):
    x = Tensor(np.array([[0.5]], np.float32))
    smooth = {"label_smoothing": np.float64(0.1)} if loss is nn.cross_entropy else {}
    for target in ([[1.0]], np.array([[1]]), np.array([[True]])):
        result = loss(x, target, **smooth)
        result.backward()
        assert result.dtype == x.grad.dtype == np.float32


@every_loss
def test_a_loss_writes_into_no_target_and_does_not_change_with_it(loss):
    class_indices = [np.array([1])] if loss is nn.cross_entropy else []
    for target in (np.array([[0.25, 0.75]]), np.array([[0, 1]]), *class_indices):
        x, before = Tensor([[1.0, 2.0]]), target.copy()
        result = loss(x, target)
        result.backward()
        first = x.grad.copy()
        assert np.array_equal(target, before)
        target[:] = 0
        x.zero_grad()
        result.backward()
        assert np.array_equal(x.grad, first)


@every_loss
@pytest.mark.parametrize(
    ("x", "target", "settings", "error", "message"),
    [
        (np.ones((1, 2)), [[0, 1]], {}, TypeError, "expected a Tensor first, got ndarray"),
        (Tensor([1.0]), Value(1.0), {}, TypeError, "target.*Value"),
        (Tensor([[1.0, 2.0]]), [[np.nan, 1.0]], {}, ValueError, "nan"),
        (Tensor([[1.0, 2.0]]), [["0", "1"]], {}, TypeError, "<U1"),
        (Tensor([[1.0, 2.0]]), [[0, 1]], {"reduction": "max"}, ValueError, "reduction is 'max'"),
        (Tensor(np.ones((3, 1))), np.ones(3), {}, ValueError, r"\(3, 1\).*\(3,\)"),
    ],
)
def test_a_loss_names_what_is_wrong(loss, x, target, settings, error, message):
    with pytest.raises(error, match=rf"^{loss.__name__}: .*{message}"):
        loss(x, target, **settings)


@given(sizes, sizes, st.just(0.0) | st.floats(0, 1), seeds)
@example(3, 3, 0.0, 0)  # as many samples as classes: dtype and shape tell the targets apart
def test_indices_and_one_hot_rows_of_all_dtypes_agree_with_the_formula(n, classes, smoothing, seed):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(0, 3, (n, classes)), rng.integers(0, classes, n)
    log_p, rows = log_softmax(logits), np.eye(classes)[labels]
    right, uniform = -log_p[np.arange(n), labels], -log_p.mean(axis=-1)
    expected = ((1 - smoothing) * right + smoothing * uniform).mean()
    gradient = (np.exp(log_p) - (1 - smoothing) * rows - smoothing / classes) / n
    for target in (labels, list(labels), labels.astype(np.uint8), rows, rows.astype(int), rows > 0):
        x = Tensor(logits)
        loss = nn.cross_entropy(x, target, label_smoothing=smoothing)
        loss.backward()
        assert loss.data == close(float(expected))
        assert x.grad == close(gradient.astype(float))


def test_one_sample_needs_no_batch():
    x = Tensor([0.0, np.log(3), 0.0])
    loss = nn.cross_entropy(x, 1)
    loss.backward()
    assert loss.data == close(np.log(5 / 3))
    assert x.grad == close([0.2, -0.4, 0.2])
    assert nn.cross_entropy(x, [0, 1, 0]).data == loss.data


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("logits", "label", "loss", "gradient"),
    [
        ([1e4, -1e4], 0, 0, [0, 0]),
        ([1e4, -1e4], 1, 2e4, [1, -1]),
        ([1e4, 1e4], 1, np.log(2), [0.5, -0.5]),
        ([BIG, -BIG], 0, 0, [0, 0]),
        ([BIG, 0], 1, BIG, [1, -1]),
        ([BIG, BIG], 0, np.log(2), [-0.5, 0.5]),
        ([-BIG, -BIG], 0, np.log(2), [-0.5, 0.5]),
    ],
)
def test_cross_entropy_is_stable_for_the_largest_logits(dtype, logits, label, loss, gradient):
    for target in (label, np.eye(2)[label]):
        x = Tensor(np.array(logits, dtype))
        result = nn.cross_entropy(x, target)
        result.backward()
        assert result.data == pytest.approx(loss, rel=1e-6)
        assert x.grad == pytest.approx(np.array(gradient), rel=1e-6)


@pytest.mark.parametrize(
    ("shape", "target", "settings", "error", "message"),
    [
        ((3, 3), [0, 1, 3], {}, IndexError, "label 3 is out of range for 3 classes, 0 to 2"),
        ((3, 3), [0, -1, 2], {}, IndexError, "label -1 is out of range for 3 classes, 0 to 2"),
        ((3, 3), [0.0, 1.0, 2.0], {}, ValueError, r"float64 target of shape \(3,\); give integer"),
        ((3, 3), [[0], [1], [2]], {}, ValueError, r"shape \(3, 1\); give integer .* \(3,\), or"),
        ((2, 3), [0, 1, 2], {}, ValueError, r"logits of shape \(2, 3\).*target of shape \(3,\)"),
        ((2, 2), [[1, 0], [1, 1]], {}, ValueError, r"row 1 of the target sums to 2"),
        ((1, 2), [[1.5, -0.5]], {}, ValueError, r"row 0 .* sums to 1, with a smallest .* -0\.5"),
        ((2,), [0.5, 0.4], {}, ValueError, r"row 0 of the target sums to 0\.9"),
        ((0, 3), [], {}, ValueError, r"shape \(0, 3\); expected .* at least one sample"),
        ((), 0, {}, ValueError, r"shape \(\); expected \(N, classes\)"),
        ((2, 2, 2), [[0, 1], [1, 0]], {}, ValueError, r"\(2, 2, 2\); expected \(N, classes\)"),
        ((1, 2), [0], {"label_smoothing": 1.1}, ValueError, r"label_smoothing is 1\.1; use 0 to 1"),
    ],
)
def test_cross_entropy_names_what_is_wrong(shape, target, settings, error, message):
    with pytest.raises(error, match=rf"cross_entropy.*: .*{message}"):
        nn.cross_entropy(Tensor(np.ones(shape)), target, **settings)


@pytest.mark.parametrize("x", [-1000.0, -40.0, -1.5, 0.0, 1.5, 40.0, 1000.0])
@pytest.mark.parametrize("t", [0.0, 0.25, 1.0])
def test_binary_cross_entropy_is_exact_where_sigmoid_rounds_to_0_or_1(x, t):
    with mpmath.workdps(900):
        p = 1 / (1 + mpmath.exp(-mpmath.mpf(x)))
        loss, slope = float(-t * mpmath.log(p) - (1 - t) * mpmath.log(1 - p)), float(p - t)
    logits = Tensor(x)
    result = nn.binary_cross_entropy_with_logits(logits, t)
    result.backward()
    assert result.data == pytest.approx(loss, rel=1e-14, abs=0)
    assert logits.grad == pytest.approx(slope, rel=1e-14, abs=0)


@given(st.lists(st.tuples(st.floats(-5, 5), st.sampled_from([-1, 1])), min_size=1))
def test_the_max_margin_loss_of_a_tensor_and_of_a_list_of_values_is_its_formula(pairs):
    scores, labels = (np.array(column, float) for column in zip(*pairs, strict=True))
    tensor, values = Tensor(scores), [Value(score) for score in scores]
    for x, y in ((tensor, labels), (values, labels.astype(int).tolist())):
        loss = nn.max_margin_loss(x, y)
        loss.backward()
        assert loss.data == close(np.mean(np.maximum(1 - labels * scores, 0)))
    slopes = np.where(labels * scores < 1, -labels, 0) / len(labels)
    assert tensor.grad == close(slopes)
    assert [value.grad for value in values] == close(list(slopes))


@pytest.mark.parametrize(
    ("loss", "x", "target", "message"),
    [
        (nn.binary_cross_entropy_with_logits, Tensor([0.0]), [-0.1], "lie between 0 and 1"),
        (nn.binary_cross_entropy_with_logits, Tensor([0.0]), [1.1], "lie between 0 and 1"),
        (nn.max_margin_loss, Tensor([1.0, 2.0]), [0, 1], "labels must be -1 or 1"),
        (nn.max_margin_loss, [Value(1.0)], [np.nan], "labels must be -1 or 1"),
        (nn.max_margin_loss, Tensor([[1.0]]), [1], r"\(1, 1\) scores and \(1,\) labels; shapes"),
        (nn.max_margin_loss, [Value(1.0)], [1, -1], r"\(1,\) scores and \(2,\) labels; shapes"),
        (nn.max_margin_loss, [], [], "shapes must be equal and not empty"),
    ],
)
def test_a_loss_of_two_classes_names_what_is_wrong(loss, x, target, message):
    with pytest.raises(ValueError, match=rf"^{loss.__name__}: .*{message}"):
        loss(x, target)
