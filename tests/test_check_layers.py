"""Layers in all the ways in which people write them, and what else they hold."""

import dataclasses
import random
import threading

import numpy as np
import pytest

from tinygrad_edu import check_backward

RNG = np.random.default_rng(4)
X, W, B = RNG.normal(size=(5, 4)), RNG.normal(size=(4, 3)), RNG.normal(size=3)


class Affine:
    def __init__(self, W=W, b=B):
        self.W, self.b = W.copy(), b.copy()

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(axis=0)
        return dout @ self.W.T


def said(*args, **options):
    return " ".join(str(check_backward(*args, **options, raises=False)).split())


# --- kinds of layers -----------------------------------------------------------------------------


def test_float32_lists_integers_and_batches_of_any_length():
    single = Affine(W.astype(np.float32), B.astype(np.float32))
    assert "judged as float32" in said(single, X.astype(np.float32))
    for x in (X[:1], X.tolist(), np.arange(20).reshape(5, 4), np.asfortranarray(X), X[::-1]):
        assert check_backward(Affine(), x).ok
    assert not check_backward(Affine(), X[:0], raises=False).ok, "nothing was compared"


def test_inputs_of_one_and_three_axes():
    class Vector(Affine):
        def backward(self, dout):
            self.dW, self.db = np.outer(self.x, dout), dout
            return self.W @ dout

    class Sequences(Affine):
        def backward(self, dout):
            self.dW, self.db = np.einsum("bij,bik->jk", self.x, dout), dout.sum((0, 1))
            return dout @ self.W.T

    assert check_backward(Vector(), X[0]).ok
    assert check_backward(Sequences(), RNG.normal(size=(2, 5, 4))).ok


class Slots:
    __slots__ = ("W", "dW", "x")

    def __init__(self, sign=1):
        self.W = W.copy()

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T


class WrongSlots(Slots):
    __slots__ = ()

    def backward(self, dout):
        self.dW = -self.x.T @ dout
        return dout @ self.W.T


@dataclasses.dataclass
class Data:
    W: np.ndarray
    b: float = 0.5

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum()
        return dout @ self.W.T


class Property(Slots):
    @property
    def weights(self):
        return self.W


class WithLambda(Affine):
    def __init__(self):
        super().__init__()
        self.function, self.rng = (lambda z: z), np.random.default_rng(0)


class Nested:
    def __init__(self):
        self.layers = [Affine(), [Affine(np.eye(3), np.zeros(3))]]

    def forward(self, x):
        return self.layers[1][0].forward(self.layers[0].forward(x))

    def backward(self, dout):
        return self.layers[0].backward(self.layers[1][0].backward(dout))


class Tied:
    def __init__(self):
        self.first = Affine(np.tri(4), np.zeros(4))
        self.last = Affine(np.tri(4), np.zeros(4))
        self.last.W = self.first.W

    def forward(self, x):
        return self.last.forward(np.tanh(self.first.forward(x)))

    def backward(self, dout):
        through = 1 - np.tanh(self.first.x @ self.first.W + self.first.b) ** 2
        dx = self.first.backward(self.last.backward(dout) * through)
        self.first.dW = self.first.dW + self.last.dW
        return dx


@pytest.mark.parametrize(
    "make", [Slots, lambda: Data(W.copy()), Property, WithLambda, Nested, Tied]
)
def test_where_a_layer_holds_its_arrays_does_not_matter(make):
    assert check_backward(make(), X).ok


def test_a_mistake_in_a_class_with_slots_is_named():
    assert "W: the sign is wrong" in said(WrongSlots(), X)


@pytest.mark.parametrize(
    "held", [threading.Lock(), (i for i in range(3))], ids=["lock", "generator"]
)
def test_a_layer_may_hold_what_cannot_be_copied(held):
    layer = Affine()
    layer.held = held
    assert check_backward(layer, X).ok


# --- random numbers and buffers ------------------------------------------------------------------


class Dropout:
    def __init__(self, draw):
        self.draw = draw

    def forward(self, x):
        self.mask = self.draw(x.shape) > 0.5
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


def test_random_numbers_are_drawn_again_at_every_call():
    held, old = np.random.default_rng(0), np.random.RandomState(1)
    for draw in (
        np.random.random, held.random, old.random_sample,
        lambda shape: held.random(shape),
        lambda shape: np.array([[random.random() for _ in range(4)] for _ in range(5)]),
        lambda shape: np.random.default_rng(0).random(shape),
    ):  # fmt: skip
        assert check_backward(Dropout(draw), X).ok
        layer = Dropout(draw)
        layer.backward = lambda dout: 0.5 * dout
        assert not check_backward(layer.forward, layer.backward, X, raises=False).ok


def test_what_cannot_be_drawn_again_is_said_and_not_blamed_on_backward():
    with pytest.raises(ValueError, match=r"gave two results.*keep the mask"):
        check_backward(Dropout(lambda shape: np.random.default_rng().random(shape)), X)


class BatchNorm:
    in_place = False

    def __init__(self):
        self.gamma, self.beta = np.linspace(0.5, 2, 4), np.arange(4.0)
        self.running_mean, self.running_var = np.zeros(4), np.ones(4)
        self.momentum, self.eps = 0.9, 1e-5

    def forward(self, x):
        mean, var = x.mean(axis=0), x.var(axis=0)
        if self.in_place:
            self.running_mean += 0.1 * (mean - self.running_mean)
            self.running_var += 0.1 * (var - self.running_var)
        else:
            self.running_mean = self.momentum * self.running_mean + 0.1 * mean
            self.running_var = self.momentum * self.running_var + 0.1 * var
        self.scale = 1 / np.sqrt(var + self.eps)
        self.normed = (x - mean) * self.scale
        return self.gamma * self.normed + self.beta

    def backward(self, dout):
        self.dgamma, self.dbeta = (dout * self.normed).sum(axis=0), dout.sum(axis=0)
        g = dout * self.gamma
        return self.scale * (g - g.mean(axis=0) - self.normed * (g * self.normed).mean(axis=0))


@pytest.mark.parametrize("in_place", [False, True])
def test_running_statistics_of_batch_norm_are_no_false_alarm(in_place):
    layer = BatchNorm()
    layer.in_place = in_place
    report = check_backward(layer, X)
    assert [row.parameter for row in report.rows] == ["x", "gamma", "beta"]


def test_batch_norm_with_a_term_dropped_is_wrong_for_x_alone():
    class Dropped(BatchNorm):
        def backward(self, dout):
            super().backward(dout)
            return self.scale * dout * self.gamma

    assert "wrong for x " in said(Dropped(), X)


class Adding(Affine):
    def __init__(self):
        super().__init__()
        self.dW, self.db = np.zeros_like(W), np.zeros_like(B)

    def backward(self, dout):
        self.dW += self.x.T @ dout
        self.db += dout.sum(axis=0)
        return dout @ self.W.T


def test_gradients_that_are_added_up_may_hold_those_of_before():
    layer = Adding()
    assert check_backward(layer, X, accumulate=True).ok
    layer.forward(X)
    layer.backward(np.ones((5, 3)))
    assert "added to a gradient that was there before" in said(layer, X)
    assert check_backward(layer, X, accumulate=True).ok
    assert "W: assigned instead of accumulated" in said(Affine(), X, accumulate=True)


# --- whole layers of courses ---------------------------------------------------------------------


class Convolution:
    assigns = False

    def __init__(self):
        self.W, self.b = RNG.normal(size=(2, 3, 3)), RNG.normal(size=2)

    def forward(self, x):
        self.x = x
        n, h, w = x.shape
        out = np.empty((n, 2, h - 2, w - 2))
        for c, i, j in np.ndindex(2, h - 2, w - 2):
            patch = x[:, i : i + 3, j : j + 3]
            out[:, c, i, j] = (patch * self.W[c]).sum(axis=(1, 2)) + self.b[c]
        return out

    def backward(self, dout):
        self.dW, self.db, dx = np.zeros_like(self.W), dout.sum((0, 2, 3)), np.zeros_like(self.x)
        for c, i, j in np.ndindex(dout.shape[1:]):
            g = dout[:, c, i, j, None, None]
            self.dW[c] += (self.x[:, i : i + 3, j : j + 3] * g).sum(axis=0)
            dx[:, i : i + 3, j : j + 3] = g * self.W[c] + (
                0 if self.assigns else dx[:, i : i + 3, j : j + 3]
            )
        return dx


class Embedding:
    adds = True

    def __init__(self):
        self.W = RNG.normal(size=(6, 3))

    def forward(self, i):
        self.i = i
        return self.W[i]

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        if self.adds:
            np.add.at(self.dW, self.i, dout)
        else:
            self.dW[self.i] += dout


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class Attention:
    def forward(self, q, k, v):
        self.q, self.k, self.v = q, k, v
        self.a = softmax(q @ k.T / 2)
        return self.a @ v

    def backward(self, dout):
        da = dout @ self.v.T
        dz = self.a * (da - (da * self.a).sum(axis=1, keepdims=True)) / 2
        return dz @ self.k, dz.T @ self.q, self.a.T @ dout


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class LSTM:
    def __init__(self):
        self.Wx, self.Wh = RNG.normal(size=(4, 12)), RNG.normal(size=(3, 12))
        self.b = RNG.normal(size=12)

    def forward(self, x, h, c):
        f, g, i, o = np.hsplit(x @ self.Wx + h @ self.Wh + self.b, 4)
        f, g, i, o = sigmoid(f), np.tanh(g), sigmoid(i), sigmoid(o)
        self.held = x, h, c, f, g, i, o, f * c + g * i
        return o * np.tanh(self.held[-1])

    def backward(self, dh):
        x, h, c, f, g, i, o, new = self.held
        t = np.tanh(new)
        ds = dh * o * (1 - t * t)
        da = np.hstack([
            ds * c * f * (1 - f), ds * i * (1 - g * g), ds * g * i * (1 - i), dh * t * o * (1 - o),
        ])  # fmt: skip
        self.dWx, self.dWh, self.db = x.T @ da, h.T @ da, da.sum(axis=0)
        return da @ self.Wx.T, da @ self.Wh.T, ds * f


COURSES = {
    "convolution": (Convolution, RNG.normal(size=(2, 5, 5))),
    "embedding": (Embedding, np.array([1, 1, 3, 0])),
    "attention": (Attention, X, 2 * X[:3], W.T[:3]),
    "LSTM": (LSTM, X, RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3))),
}


@pytest.mark.parametrize(("make", "inputs"), [(m, x) for m, *x in COURSES.values()], ids=COURSES)
def test_layers_of_courses_pass(make, inputs):
    assert check_backward(make(), *inputs).ok


def test_an_assignment_where_windows_or_rows_meet_is_found():
    layer, words = Convolution(), Embedding()
    layer.assigns, words.adds = True, False
    assert "wrong for x " in said(layer, RNG.normal(size=(2, 5, 5)))
    assert "where i takes a row more than once" in said(words, np.array([1, 1, 3, 0]))


def test_torch_tensors_are_checked_too():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    weight = torch.tensor(W)

    def backward(x, dout):
        return {"x": dout @ weight.T}

    assert check_backward(lambda x: x @ weight, backward, torch.tensor(X)).ok
    wrong = said(lambda x: x @ weight, lambda x, dout: {"x": -dout @ weight.T}, torch.tensor(X))
    assert "the sign is wrong" in wrong
