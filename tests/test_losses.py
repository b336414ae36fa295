"""Losses against NumPy's formulas and mpmath."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from test_nn import close, seeds, sizes

from tinygrad_edu import Tensor, Value, nn


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


@pytest.mark.parametrize(
    ("shape", "target", "settings", "error", "message"),
    [
        (
            (3, 3),
            [0, 1, 3],
            {},
            IndexError,
            "label 3 of sample 2 is out of range for 3 classes, 0 to 2",
        ),
        (
            (3, 3),
            [0, -1, 2],
            {},
            IndexError,
            "label -1 of sample 1 is out of range for 3 classes, 0 to 2",
        ),
        ((3, 3), [0.0, 1.0, 2.0], {}, ValueError, r"float64 target of shape \(3,\); give integer"),
        ((3, 3), [[0], [1], [2]], {}, ValueError, r"shape \(3, 1\); give integer .* \(3,\), or"),
        ((2, 3), [0, 1, 2], {}, ValueError, r"logits of shape \(2, 3\).*target of shape \(3,\)"),
        ((2, 2), [[1, 0], [1, 1]], {}, ValueError, r"row 1 of the target sums to 2"),
        ((1, 2), [[1.5, -0.5]], {}, ValueError, r"row 0 .* sums to 1, with a smallest .* -0\.5"),
        ((2,), [0.5, 0.4], {}, ValueError, r"row 0 of the target sums to 0\.9"),
        ((0, 3), [], {}, ValueError, r"shape \(0, 3\); expected .* at least one sample"),
        ((), 0, {}, ValueError, r"shape \(\); expected \(\.\.\., classes\)"),
        ((2, 2, 3), [[0, 1], [1, 4]], {}, IndexError, "label 4 of sample 3 is out of range for 3"),
        ((2, 2, 3), [0, 1], {}, ValueError, r"give integer labels of shape \(2, 2\), or .*is the"),
        ((2, 1, 2), [[[1, 0]], [[1, 1]]], {}, ValueError, r"row 1 of the target sums to 2"),
        ((2, 3), [1, 1], {"ignore_index": 1}, ValueError, "all 2 labels are the ignore_index, 1"),
        ((2, 3), [1, 5], {"ignore_index": 1}, IndexError, "label 5 of sample 1 is out of range"),
        ((1, 2), [[1.0, 0.0]], {"ignore_index": 0}, ValueError, "give integer labels of shape"),
        (
            (1, 2),
            [0],
            {"ignore_index": 1, "label_smoothing": 0.1},
            ValueError,
            "give ignore_index or label_smoothing, not both",
        ),
        ((1, 2), [0], {"label_smoothing": 1.1}, ValueError, r"label_smoothing is 1\.1; use 0 to 1"),
    ],
)
def test_cross_entropy_names_what_is_wrong(shape, target, settings, error, message):
    with pytest.raises(error, match=rf"cross_entropy.*: .*{message}"):
        nn.cross_entropy(Tensor(np.ones(shape)), target, **settings)


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
        (nn.max_margin_loss, Tensor([1.0, 2.0]), [0, 1], "labels are -1 or 1"),
        (nn.max_margin_loss, [Value(1.0)], [np.nan], "labels are -1 or 1"),
        (nn.max_margin_loss, Tensor([[1.0]]), [1], r"\(1, 1\) scores and \(1,\) labels; shapes"),
        (nn.max_margin_loss, [Value(1.0)], [1, -1], r"\(1,\) scores and \(2,\) labels; shapes"),
        (nn.max_margin_loss, [], [], "shapes must be equal and not empty"),
    ],
)
def test_a_loss_of_two_classes_names_what_is_wrong(loss, x, target, message):
    with pytest.raises(ValueError, match=rf"^{loss.__name__}: .*{message}"):
        loss(x, target)


def test_the_losses_of_sequences_have_the_shape_of_their_labels():
    logits = np.random.default_rng(0).normal(size=(2, 3, 4))
    labels = np.array([[0, 1, 2], [3, 0, 1]])
    losses = nn.cross_entropy(Tensor(logits), labels, reduction="none")
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = -np.log(np.take_along_axis(shares, labels[..., None], axis=-1)[..., 0])
    np.testing.assert_allclose(losses.data, expected, rtol=1e-13)
    total = nn.cross_entropy(Tensor(logits), labels, reduction="sum")
    assert total.data.shape == ()
