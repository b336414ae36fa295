"""Layers with a state, which is put back before every call: random numbers, counters, caches."""

import random

import numpy as np
import pytest

from tinygrad_edu import check_backward

RNG = np.random.default_rng(10)
X, W, B = RNG.normal(size=(5, 4)), RNG.normal(size=(4, 3)), RNG.normal(size=3)
GENERATOR = np.random.default_rng(3)
COUNTS = {"calls": 0}
SCALE = np.array([1.0, 2.0, -1.0])
DEFAULT, PYTHON = np.random.default_rng(2), random.Random(1)


def verdicts(*args, **options):
    return [row.verdict for row in check_backward(*args, **options, raises=False).rows]


class Dense:
    factor = 1

    def __init__(self):
        self.W, self.b = W.copy(), B.copy()

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.factor * (self.x.T @ dout), dout.sum(axis=0)
        return dout @ self.W.T


def wrong(layer):
    layer.factor = 3
    return layer


# --- built by the first forward pass -------------------------------------------------------------


class Lazy(Dense):
    def __init__(self):
        self.W = self.b = self.mask = None

    def forward(self, x):
        if self.W is None:
            self.W, self.b = np.random.randn(x.shape[1], 3), np.zeros(3)
        return super().forward(x)


class LazyWithFlag(Dense):
    def __init__(self):
        self.built, self.params, self.rng = False, {}, np.random.default_rng()

    def forward(self, x):
        if not self.built:
            self.params["W"], self.params["b"] = self.rng.normal(size=(x.shape[1], 3)), B.copy()
            self.built = True
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dout):
        self.grads = {"W": self.factor * (self.x.T @ dout), "b": dout.sum(axis=0)}
        return dout @ self.params["W"].T


class LazyInside(Dense):
    """A layer that makes another one when it first sees its input."""

    def __init__(self):
        self.inner = None

    def forward(self, x):
        if self.inner is None:
            self.inner = Lazy()
            self.inner.factor = self.factor
        return self.inner.forward(x)

    def backward(self, dout):
        return self.inner.backward(dout)


@pytest.mark.parametrize("kind", [Lazy, LazyWithFlag, LazyInside])
def test_weights_that_the_first_forward_pass_makes_are_checked(kind):
    layer = kind()
    before = dict(vars(layer))
    assert verdicts(layer, X) == ["ok"] * 3
    assert vars(layer) == before
    assert not before.get("params")
    assert verdicts(wrong(kind()), X) == ["ok", "wrong", "ok"]
    layer.forward(X)
    assert verdicts(layer, X) == ["ok"] * 3


def test_a_mask_that_is_drawn_once_is_kept():
    class Locked:
        def __init__(self):
            self.mask = None

        def forward(self, x):
            if self.mask is None:
                self.mask = np.random.random(x.shape) > 0.5
            return x * self.mask

        def backward(self, dout):
            return dout * self.mask

    assert check_backward(Locked(), X).ok


# --- random numbers, counters, states ------------------------------------------------------------


class Dropout:
    factor = 1

    def __init__(self, draw):
        self.draw = draw

    def forward(self, x):
        self.mask = self.draw(x.shape) > 0.5
        return x * self.mask * 2

    def backward(self, dout):
        return dout * self.mask * 2 * self.factor


def draw_of_closure():
    rng = np.random.default_rng(5)
    return lambda shape: rng.random(shape)


DRAWS = {
    "numpy": lambda: np.random.random,
    "numpy, through a name": lambda: lambda shape: np.random.rand(*shape),
    "random": lambda: lambda shape: np.array([random.random() for _ in range(20)]).reshape(shape),
    "a closure": draw_of_closure,
    "a global": lambda: lambda shape: GENERATOR.random(shape),
    "a default": lambda: lambda shape, rng=DEFAULT: rng.random(shape),
    "a method": lambda: np.random.default_rng(1).random,
    "random.Random": lambda: (
        lambda shape, r=PYTHON: np.array([r.random() for _ in range(20)]).reshape(shape)
    ),
}


@pytest.mark.parametrize("where", DRAWS)
def test_dropout_is_checked_wherever_its_generator_is(where):
    state, theirs = GENERATOR.bit_generator.state, np.random.get_state()[1].copy()
    ours = random.getstate()
    assert check_backward(Dropout(DRAWS[where]()), X).ok
    assert verdicts(wrong(Dropout(DRAWS[where]())), X) == ["wrong"]
    assert GENERATOR.bit_generator.state == state
    assert (np.random.get_state()[1] == theirs).all()
    assert random.getstate() == ours


def test_counters_and_recurrent_states_start_the_same_way_at_every_call():
    class Recurrent:
        factor = 1

        def __init__(self):
            self.h, self.calls, self.W = np.ones((5, 3)), 0, W.copy()

        def forward(self, x):
            self.calls += 1
            COUNTS["calls"] += 1
            self.before, self.x = self.h * self.calls * COUNTS["calls"], x
            self.h = np.tanh(x @ self.W + self.before)
            return self.h

        def backward(self, dh):
            dz = dh * (1 - self.h**2)
            self.dW, self.dh = self.factor * (self.x.T @ dz), dz
            return dz @ self.W.T

    layer = Recurrent()
    before = dict(vars(layer))
    assert verdicts(layer, X) == ["ok", "ok"]
    assert (vars(layer), COUNTS) == (before, {"calls": 0})
    assert verdicts(wrong(layer), X) == ["ok", "wrong"]


def test_functions_keep_their_closures_globals_and_attributes():
    w, seen, count = W.copy(), [], 0

    def forward(x):
        nonlocal count
        count += 1
        seen.append(x)
        forward.x = x * count
        return forward.x @ w * SCALE

    def backward(dout):
        return {"x": count * (dout * SCALE) @ w.T, "w": forward.x.T @ (dout * SCALE) * factor}

    factor = 1
    assert verdicts(forward, backward, X) == ["ok", "ok"]
    assert (count, seen, vars(forward)) == (0, [], {})
    np.testing.assert_array_equal(w, W)
    factor = 2
    assert verdicts(forward, backward, X) == ["ok", "wrong"]


def test_a_cache_that_grows_is_fresh_at_every_call():
    class Stack:
        def __init__(self):
            self.W, self.inputs = W.copy(), []

        def forward(self, xs):
            for x in xs:
                self.inputs.append(x)
            return xs @ self.W

        def backward(self, dout):
            self.dW = sum(np.outer(x, d) for x, d in zip(self.inputs, dout, strict=True))
            return dout @ self.W.T

    layer = Stack()
    assert verdicts(layer, X) == ["ok", "ok"]
    assert layer.inputs == []


# --- an object that was run before ---------------------------------------------------------------


class Keeping(Dense):
    """Keeps its intermediates and their gradients, some of them in buffers."""

    in_buffers = False

    def forward(self, x):
        self.x = x
        z = x @ self.W + self.b
        if self.in_buffers and hasattr(self, "z"):
            self.z[...] = z
        else:
            self.z = z
        self.h = np.tanh(self.z)
        return self.h

    def backward(self, dh):
        self.dh = dh
        self.dz = dh * (1 - self.h**2)
        self.dW, self.db = self.factor * (self.x.T @ self.dz), self.dz.sum(axis=0)
        self.dx = self.dz @ self.W.T
        return self.dx


@pytest.mark.parametrize("in_buffers", [False, True])
@pytest.mark.parametrize("runs", [0, 1, 2])
def test_an_object_that_was_run_before(runs, in_buffers):
    layer = Keeping()
    layer.in_buffers = in_buffers
    for _ in range(runs):
        layer.forward(X)
        layer.backward(np.ones((5, 3)))
    assert verdicts(layer, X) == ["ok"] * 3
    assert verdicts(wrong(layer), X) == ["ok", "wrong", "ok"]


class TextbookRNN:
    """Over time, with a state that may stay from call to call, and the gradient of the first."""

    stateful, factor = True, 1

    def __init__(self):
        rng = np.random.default_rng(1)
        self.params = [W.copy(), rng.normal(size=(3, 3)), B.copy()]
        self.grads = [np.zeros_like(p) for p in self.params]
        self.h = self.dh = None

    def forward(self, xs):
        Wx, Wh, b = self.params
        hs, self.cache = np.empty((*xs.shape[:2], 3)), []
        if not self.stateful or self.h is None:
            self.h = np.zeros((len(xs), 3))
        for t in range(xs.shape[1]):
            h = np.tanh(self.h @ Wh + xs[:, t] @ Wx + b)
            self.cache.append((xs[:, t], self.h, h))
            self.h = hs[:, t] = h
        return hs

    def backward(self, dhs):
        Wx, Wh, _ = self.params
        dxs, dh, grads = np.empty((*dhs.shape[:2], 4)), 0, [0, 0, 0]
        for t in reversed(range(dhs.shape[1])):
            x, before, h = self.cache[t]
            d = (dhs[:, t] + dh) * (1 - h**2)
            dh, dxs[:, t] = d @ Wh.T, d @ Wx.T
            for i, g in enumerate((x.T @ d, self.factor * (before.T @ d), d.sum(axis=0))):
                grads[i] = grads[i] + g
        for i, g in enumerate(grads):
            self.grads[i][...] = g
        self.dh = dh
        return dxs


@pytest.mark.parametrize("runs", [0, 1, 2])
def test_a_recurrent_net_with_a_state(runs):
    xs, layer = RNG.normal(size=(2, 3, 4)), TextbookRNN()
    for _ in range(runs):
        layer.forward(xs)
        layer.backward(np.ones((2, 3, 3)))
    assert verdicts(layer, xs) == ["ok"] * 4
    assert verdicts(wrong(layer), xs) == ["ok", "ok", "wrong", "ok"]
