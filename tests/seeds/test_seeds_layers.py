"""The layers and losses of the seed notebooks, rows L1 to L6, C1 and C2."""

import by_hand
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Tensor, Value, broadcast_to, data, nn

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 6)


def close(expected):
    return pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(sizes, sizes, sizes, seeds)
def test_l1_an_affine_layer_has_the_three_gradients(n, inputs, outputs, seed):
    rng = np.random.default_rng(seed)
    x, w, b = (rng.normal(size=s) for s in ((n, inputs), (inputs, outputs), (outputs,)))
    g = rng.normal(size=(n, outputs))
    layer = by_hand.Affine(w, b)
    out, dx = layer.forward(x), layer.backward(g)

    module, leaf = nn.Linear(inputs, outputs), Tensor(x)
    module.weight.data, module.bias.data = w, b
    of_module = module(leaf)
    of_module.backward(g)
    assert of_module.data == close(out)
    assert leaf.grad == close(dx)
    assert module.weight.grad == close(layer.dweight)
    assert module.bias.grad == close(layer.dbias)

    leaves = Tensor(x), Tensor(w), Tensor(b)
    (leaves[0] @ leaves[1] + leaves[2]).backward(g)  # as two operations
    expected = dx, layer.dweight, layer.dbias
    for leaf, gradient in zip(leaves, expected, strict=True):
        assert leaf.grad == close(gradient)


@given(sizes, sizes, sizes, seeds)
def test_l2_a_weight_of_outputs_by_inputs_is_used_transposed(n, inputs, outputs, seed):
    rng = np.random.default_rng(seed)
    x, w, b = (rng.normal(size=s) for s in ((n, inputs), (outputs, inputs), (1, outputs)))
    g = rng.normal(size=(n, outputs))
    layer = by_hand.LinearOutIn(w, b)
    out, dx = layer.forward(x), layer.backward(g)
    leaves = Tensor(x), Tensor(w), Tensor(b)
    root = leaves[0] @ leaves[1].T + leaves[2]
    root.backward(g)
    assert root.data == close(out)
    assert leaves[0].grad == close(dx)
    assert leaves[1].grad == close(layer.dweight)
    assert leaves[2].grad == close(layer.dbias[None, :])  # (1, out), as the bias


@given(sizes, sizes, sizes, seeds)
def test_l3_the_weight_gradient_is_a_sum_of_outer_products(n, inputs, outputs, seed):
    rng = np.random.default_rng(seed)
    x, g = rng.normal(size=(n, inputs)), rng.normal(size=(n, outputs))
    w = Tensor(rng.normal(size=(inputs, outputs)))
    (x @ w).backward(g)
    outer = (x[:, :, None] * g[:, None, :]).sum(axis=0)
    assert w.grad == close(x.T @ g)
    assert w.grad == close(outer)

    each = [Tensor(w.data) for _ in x]  # one sample at a time
    for sample, row, leaf in zip(x, g, each, strict=True):
        (sample @ leaf).backward(row)
        assert leaf.grad == close(np.outer(sample, row))
    assert sum(leaf.grad for leaf in each) == close(outer)


def test_l4_one_neuron_on_one_vector():
    w, b = Tensor([3.5, 4.5], "w"), Tensor(0.5, "b")
    prediction = np.array([2.0, 3.0]) @ w + b
    loss = (prediction - 5.0) ** 2
    loss.backward()
    assert (prediction.item(), loss.item()) == (21, 256)
    assert w.grad.tolist() == [64, 96]
    assert b.grad == 32


def test_l4_the_same_neuron_of_scalars():
    w, b = [Value(3.5, "w0"), Value(4.5, "w1")], Value(0.5, "b")
    prediction = w[0] * 2.0 + w[1] * 3.0 + b
    loss = (prediction - 5.0) ** 2
    loss.backward()
    assert (prediction.data, loss.data) == (21, 256)
    assert [w[0].grad, w[1].grad, b.grad] == [64, 96, 32]


@given(sizes, sizes, seeds)
def test_l5_a_neuron_on_a_batch(k, features, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(k, features)), rng.normal(size=(k, 1))
    w, b = Tensor(rng.normal(size=(features, 1))), Tensor(0.5)
    prediction = x @ w + b
    loss = nn.mse_loss(prediction, y)
    loss.backward()
    dprediction = 2 * (prediction.data - y) / k
    assert prediction.grad == close(dprediction)
    assert w.grad == close(x.T @ dprediction)
    assert b.grad == close(dprediction.sum())  # one number: summed over the batch
    assert loss.item() == close(((x @ w.data + 0.5 - y) ** 2).mean())


L6_X = [[0.33669036626815796, 0.12880940735340118], [0.23446236550807953, 0.23033303022384644],
        [-1.1228563785552979, -0.18632829189300537]]  # fmt: skip
L6_WEIGHT = [
    [2.2082014083862305, -0.637997031211853, 0.46165722608566284, 0.2673508822917938],
    [0.5349046587944031, 0.809357225894928, 1.110290288925171, -1.6897989511489868],
]
"""What torch.randn(3, 2) and torch.randn(2, 4) give after torch.manual_seed(42)."""
L6_TARGET = np.array([[0.0], [1.0], [0.0]])
L6_DWEIGHT = [[0.4683, -0.1957, 0.0816, -0.1077], [0.0982, -0.0425, 0.0189, -0.0397]]
L6_DX = [[0.5196, 0.2124], [0.0538, 0.1577], [-0.8729, -0.2282]]


def l6_layer(dtype=np.float64):
    x, w = Tensor(L6_X, "x", dtype), Tensor(L6_WEIGHT, "W", dtype)
    return x, w, x @ w + 0.5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_l6_a_layer_against_a_column_of_targets_once_broadcasting_is_asked_for(dtype):
    x, w, prediction = l6_layer(dtype)
    nn.mse_loss(prediction, broadcast_to(L6_TARGET, prediction.shape)).backward()
    assert w.grad == pytest.approx(np.array(L6_DWEIGHT), abs=6e-5)
    assert x.grad == pytest.approx(np.array(L6_DX), abs=6e-5)
    difference = prediction.data - L6_TARGET  # NumPy repeats the column without a word
    assert w.grad == pytest.approx(x.data.T @ (2 * difference / 12), abs=1e-6)
    assert x.grad == pytest.approx((2 * difference / 12) @ w.data.T, abs=1e-6)


def test_l6_without_asking_it_is_refused_with_both_shapes():
    _, _, prediction = l6_layer()
    with pytest.raises(ValueError, match=r"mse_loss.*\(3, 4\).*\(3, 1\).*must be equal"):
        nn.mse_loss(prediction, L6_TARGET)


# --- softmax and cross-entropy -------------------------------------------------------------------


@given(sizes, st.integers(2, 6), seeds)
def test_c1_cross_entropy_with_class_indices_and_with_one_hot_rows(n, classes, seed):
    rng = np.random.default_rng(seed)
    x, labels = rng.normal(0, 3, (n, classes)), rng.integers(classes, size=n)
    rows = data.one_hot(labels, classes)
    layer = by_hand.SoftmaxCrossEntropy()
    for given_labels in (labels, rows):
        loss, dx = layer.forward(x, given_labels), layer.backward()
        logits = Tensor(x)
        root = nn.cross_entropy(logits, given_labels)
        root.backward()
        assert root.item() == close(loss)
        assert logits.grad == close(dx)
        assert logits.grad == close((by_hand.softmax(x) - rows) / n)  # (s - y) / N


@given(sizes, seeds)
def test_c2_the_mean_squared_error_of_a_digit(n, seed):
    rng = np.random.default_rng(seed)
    x, digit = rng.normal(size=(n, 1)), rng.integers(10, size=n)
    for column in (True, False):  # bring either to the shape of the other
        output = Tensor(x)
        prediction = output if column else output[:, 0]
        loss = nn.mse_loss(prediction, digit[:, None] if column else digit)
        loss.backward()
        assert loss.item() == close(((x[:, 0] - digit) ** 2).mean())
        assert output.grad == close(2 * (x - digit[:, None]) / n)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_c2_a_column_against_a_row_is_refused(n):
    """(N, 1) − (N,) would be a table of N × N."""
    output, digit = Tensor(np.zeros((n, 1))), np.arange(n)
    message = rf"mse_loss.*\({n}, 1\).*\({n},\).*reshape"
    with pytest.raises(ValueError, match=message):
        nn.mse_loss(output, digit)
    with pytest.raises(ValueError, match=rf"mse_loss.*\({n},\).*\({n}, 1\)"):
        nn.mse_loss(output[:, 0], digit[:, None])
