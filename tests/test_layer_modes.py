"""Training and evaluation, buffers that are saved, losses over sequences, and how good they are."""

import numpy as np
import pytest
from array_replays import assert_replays

import tinygrad_edu as tg
from tinygrad_edu import Tensor, nn

RNG = np.random.default_rng(0)


def net(seed=0):
    return nn.Sequential(
        nn.Linear(3, 4, rng=seed), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.5, rng=seed)
    )


def test_train_and_eval_reach_every_module_inside():
    class Net(nn.Module):
        def __init__(self):
            self.blocks = [net(), {"drop": nn.Dropout()}]
            self.me = self

    model = Net()
    assert model.eval() is model
    layers = [*model.blocks[0].layers, model.blocks[1]["drop"]]
    assert not any(layer.training for layer in (model, *layers))
    x = RNG.normal(size=(4, 3))
    assert (layers[-1](x).data == x).all()
    assert model.train() is model
    assert all(layer.training for layer in (model, *layers))
    assert "training=False" in repr(nn.Dropout().eval())


def test_dropout_keeps_the_mean_and_drops_the_share_it_says():
    layer, x = nn.Dropout(0.25, rng=0), Tensor(np.ones((200, 100)))
    y = layer(x)
    assert set(np.unique(y.data)) == {0.0, 1 / 0.75}
    assert (y.data == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert not (layer(x).data == y.data).all()
    y.sum().backward()
    assert (x.grad == y.data).all()
    assert not nn.Dropout(1.0)(x).data.any()
    assert (nn.Dropout(0.0)(x).data == 1).all()


def test_running_statistics_are_those_of_the_batches_seen():
    batches = [RNG.normal(size=(5, 2)) * 3 + 1 for _ in range(4)]
    moving, averaged = nn.BatchNorm1d(2), nn.BatchNorm1d(2, momentum=None)
    mean, variance = np.zeros(2), np.ones(2)
    for x in batches:
        moving(x), averaged(x)
        mean, variance = 0.9 * mean + 0.1 * x.mean(0), 0.9 * variance + 0.1 * x.var(0, ddof=1)
    np.testing.assert_allclose(moving.running_mean, mean, rtol=1e-13)
    np.testing.assert_allclose(moving.running_var, variance, rtol=1e-13)
    np.testing.assert_allclose(averaged.running_mean, np.mean(batches, (0, 1)), rtol=1e-13)
    np.testing.assert_allclose(
        averaged.running_var, np.mean([x.var(0, ddof=1) for x in batches], 0)
    )
    before = moving.running_mean.copy()
    y = moving.eval()(batches[0])
    assert (moving.running_mean == before).all()
    np.testing.assert_allclose(y.data, (batches[0] - mean) / np.sqrt(variance + 1e-5))


def test_a_saved_model_goes_on_bit_for_bit(tmp_path):
    one, other = net(), net(seed=1)
    x = RNG.normal(size=(6, 3))
    one(x)
    tg.save(one, tmp_path / "model.npz")
    tg.load(other, tmp_path / "model.npz")
    for _ in range(2):  # the same elements are dropped
        assert (one(x).data == other(x).data).all()
    assert other.layers[1].num_batches_tracked == 3
    assert type(other.layers[1].num_batches_tracked) is int
    assert (one.eval()(x).data == other.eval()(x).data).all()
    state = tg.to_state_dict(one)
    assert list(state) == ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean",
                           "1.running_var", "1.num_batches_tracked"]  # fmt: skip
    fresh = net(seed=2)
    tg.load_state_dict(fresh, state)
    assert (fresh.eval()(x).data == one(x).data).all()
    state["1.running_mean"][0] += 1.0
    assert fresh.layers[1].running_mean[0] == one.layers[1].running_mean[0]


LOGITS, LABELS = RNG.normal(size=(2, 3, 4)), np.array([[0, 3, 1], [2, 2, 0]])
MASKED = np.array([[0, -100, 1], [-100, 2, 0]])


def losses_of(logits, labels):
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return -np.log(np.take_along_axis(p, np.maximum(labels, 0)[..., None], -1)[..., 0])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("masked", [False, True])
def test_cross_entropy_of_sequences_recorded_and_replayed(reduction, masked):
    labels = MASKED if masked else LABELS
    settings = {"reduction": reduction, **({"ignore_index": -100} if masked else {})}
    kept = labels >= 0
    expected = losses_of(LOGITS, labels) * kept
    if reduction != "none":
        expected = expected.sum() / (kept.sum() if reduction == "mean" else 1)
    x = Tensor(LOGITS)
    y = nn.cross_entropy(x, labels, **settings)
    np.testing.assert_allclose(y.data, expected, rtol=1e-12)
    y.sum().backward()
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
    by_hand = (p - np.eye(4)[np.maximum(labels, 0)]) * kept[..., None]
    by_hand /= kept.sum() if reduction == "mean" else 1
    np.testing.assert_allclose(x.grad, by_hand, rtol=1e-12, atol=1e-15)
    other = np.roll(labels, 1)
    assert_replays(
        lambda x, t: nn.cross_entropy(x, t, **settings).sum(), [LOGITS, labels], [LOGITS, other]
    )


def test_rows_of_probabilities_may_have_any_axes_before_the_classes():
    x, rows = Tensor(LOGITS), np.eye(4)[LABELS]
    by_labels = nn.cross_entropy(x, LABELS, label_smoothing=0.1)
    smooth = nn.cross_entropy(x, rows * 0.9 + 0.1 / 4)
    assert by_labels.data == pytest.approx(smooth.data, rel=1e-12)
    assert nn.cross_entropy(x, rows).data == pytest.approx(losses_of(LOGITS, LABELS).mean())


def test_accuracy_and_confusion_matrix_count():
    scores = np.array([[0.1, 0.9, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 5.0, 1.0]])
    labels = np.array([1, 0, 1, 1])
    for prediction in (scores, Tensor(scores), scores.argmax(1)):
        assert nn.accuracy(prediction, labels) == 0.75
        assert nn.accuracy(prediction, labels, ignore_index=0) == pytest.approx(2 / 3)
        table = nn.confusion_matrix(prediction, labels, classes=3)
        assert table.tolist() == [[1, 0, 0], [0, 2, 1], [0, 0, 0]]
    assert nn.confusion_matrix(scores, labels).shape == (3, 3)
    assert nn.confusion_matrix([0, 1], [0, 0]).tolist() == [[1, 1], [0, 0]]
    assert nn.accuracy(LOGITS, LOGITS.argmax(-1)) == 1.0


@pytest.mark.parametrize(("call", "kind", "says"), [
    (lambda: nn.accuracy(LOGITS, [0, 1]), ValueError, r"give scores of shape \(2, 'classes'\) or"),
    (lambda: nn.accuracy([0.5], [1]), ValueError, r"predictions of shape \(1,\), float64"),
    (lambda: nn.accuracy([1], [1.0]), TypeError, "labels are of dtype float64; use integers"),
    (lambda: nn.accuracy([1], [1], ignore_index=1), ValueError, "none of the 1 samples counts"),
    (lambda: nn.confusion_matrix([3], [1], classes=3), IndexError, "prediction 3 is out of range"),
    (lambda: nn.confusion_matrix([1], [-1]), IndexError, "label -1 is out of range for 2 classes"),
    (lambda: nn.Dropout(1.5), ValueError, "Dropout: p is 1.5; it is a probability"),
    (lambda: nn.LayerNorm(4)(np.ones((2, 3))), ValueError, r"last 1 axes must be \(4,\)"),
    (lambda: nn.LayerNorm((2, 0)), ValueError, "LayerNorm: normalized_shape is 0"),
    (lambda: nn.BatchNorm1d(3)(np.ones((2, 4))), ValueError, r"expected \(N, 3\) or \(N, 3, L\)"),
    (lambda: nn.BatchNorm1d(3)(np.ones((1, 3))), ValueError, "one number a feature has no varian"),
    (lambda: nn.Conv2d(2, 3, 2)(np.ones((1, 3, 4, 4))), ValueError, r"expected \(N, 2, H, W\)"),
    (lambda: nn.Conv2d(2, 3, (2, 2, 2)), ValueError, "two for height and width"),
    (lambda: nn.Conv2d(2, 3, 2, init="uniform"), ValueError, "Conv2d: init is 'uniform'"),
    (lambda: nn.Conv2d(2, 3, 5)(np.ones((2, 4, 4))), ValueError, "window shape cannot be larger"),
    (lambda: nn.MaxPool2d(2, padding=2), ValueError, "padding is 2 for a kernel_size of"),
    (lambda: nn.Flatten(2, 1)(np.ones((2, 3, 4))), ValueError, "axis 1 of shape .* is before axis"),
    (lambda: nn.Embedding(3, 2)(np.array([0, 3])), IndexError, "index 3 is out of range for 3 row"),
    (lambda: nn.Embedding(3, 2)(np.array([-1])), IndexError, "index -1 is out of range"),
    (lambda: nn.Embedding(3, 2)([0.5]), TypeError, "dtype float64; give a plain array of integers"),
    (lambda: nn.Embedding(3, 2)(Tensor([1.0])), TypeError, "give a plain array of integers"),
    (lambda: nn.MultiHeadAttention(4, 3), ValueError, "embed_dim 4 cannot be split evenly among 3"),
    (lambda: nn.MultiHeadAttention(4, 2)(np.ones((3, 5))), ValueError, r"expected \(.*, T, 4\)"),
    (lambda: nn.RNNCell(2, 3, nonlinearity="sin"), ValueError, 'use "tanh" or "relu"'),
    (lambda: nn.GELU("none of them"), ValueError, 'GELU: approximate is .*; use "none" or "tanh"'),
])  # fmt: skip
def test_what_cannot_be_is_named(call, kind, says):
    with pytest.raises(kind, match=says):
        call()


def test_attention_to_another_sequence_and_single_ones():
    layer, rng = nn.MultiHeadAttention(4, 2, rng=0), np.random.default_rng(1)
    x, context = rng.normal(size=(3, 4)), rng.normal(size=(5, 4))
    np.testing.assert_allclose(layer(x).data, layer(x, x).data, rtol=1e-12)
    np.testing.assert_allclose(layer(x[None]).data[0], layer(x, x, x).data, rtol=1e-12)
    assert layer(x, context).shape == (3, 4)
    order = rng.permutation(5)  # where what is attended to stands makes no difference
    np.testing.assert_allclose(
        layer(x, context[order], context[order] * 2).data, layer(x, context, context * 2).data
    )
    shown = [n for n in tg.topological_order(layer(x, context)) if n.label == "attention"]
    assert shown[0].shape == (2, 3, 5)
    np.testing.assert_allclose(shown[0].data.sum(-1), 1.0)


def test_cells_begin_with_zeros_and_sequences_go_through_them():
    x = np.random.default_rng(2).normal(size=(4, 2, 3))
    rnn, lstm = nn.RNNCell(3, 5, rng=0, bias=False, nonlinearity="relu"), nn.LSTMCell(3, 5, rng=0)
    h = c = np.zeros((2, 5))
    hidden = state = None
    for step in x:
        hidden, state = rnn(step, hidden), lstm(step, state)
        h = np.maximum(step @ rnn.weight_ih.data + h @ rnn.weight_hh.data, 0)
    np.testing.assert_allclose(hidden.data, h, rtol=1e-12)
    assert (state[0].shape, state[1].shape, c.shape) == ((2, 5), (2, 5), (2, 5))
    state[0].sum().backward()
    assert all(p.grad.any() for p in lstm.parameters())
