"""Layers with a state, and the world around them: put back before every call, and at the end."""

import dataclasses
import enum
import logging
import random
import types

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


# --- the world -----------------------------------------------------------------------------------


class Act(enum.Enum):
    RELU = 1
    TANH = 2


class Drop(Dropout):
    pass


class Net:
    """Asks for the class of its layers, and holds what cannot be copied."""

    factor = 1

    def __init__(self):
        self.layers = [Dense(), Drop(np.random.default_rng(0).random)]
        self.log, self.xp, self.act = logging.getLogger("model"), np, Act.TANH
        self.kind, self.me = Dense, self
        self.settings = types.SimpleNamespace(train=True)

    def forward(self, x):
        for layer in self.layers:
            if type(layer) is Drop and not self.settings.train:
                continue
            assert type(layer) in (self.kind, Drop)
            x = layer.forward(x)
        self.log.debug("forward")
        self.y = self.xp.tanh(x) if self.act is Act.TANH else x
        return self.y

    def backward(self, dout):
        dout = dout * (1 - self.y**2)
        for layer in self.layers[::-1]:
            dout = layer.backward(dout)
        return dout


def test_classes_loggers_modules_and_enums_stay_what_they_are():
    net = Net()
    logger, root = type(net.log), type(logging.getLogger())
    assert verdicts(net, X) == ["ok"] * 3
    net.layers[0].factor = 3
    assert verdicts(net, X) == ["ok", "wrong", "ok"]
    assert [type(layer) for layer in net.layers] == [Dense, Drop]
    assert (type(net.log), type(logging.getLogger())) == (logger, root)
    logging.getLogger("model.child").info("still works")
    assert net.act is Act.TANH
    assert net.xp is np


@dataclasses.dataclass(frozen=True)
class Frozen:
    W: np.ndarray
    cache: dict = dataclasses.field(default_factory=dict)

    def forward(self, x):
        self.cache["x"] = x
        return x @ self.W

    def backward(self, dout):
        return dout @ self.W.T, self.cache["x"].T @ dout


class Registry:
    """A singleton that counts, and keeps an array for all layers."""

    instance = None

    def __new__(cls):
        if cls.instance is None:
            cls.instance = super().__new__(cls)
            cls.instance.count, cls.instance.scale = 0, 2.0
        return cls.instance

    def __deepcopy__(self, memo):
        return self


class Registered:
    def __init__(self):
        self.registry = Registry()

    def forward(self, x):
        self.registry.count += 1
        return x * self.registry.scale * self.registry.count

    def backward(self, dout):
        return dout * Registry().scale * Registry().count


def test_frozen_dataclasses_and_singletons():
    layer = Frozen(W.copy())
    assert verdicts(layer, X) == ["ok", "ok"]
    assert layer.cache == {}
    assert verdicts(Registered(), X) == ["ok"]
    assert Registry().count == 0


class Flat:
    """W and b are views of one array."""

    factor = 1

    def __init__(self, dtype=float):
        self.flat = np.concatenate([W.ravel(), B]).astype(dtype)
        self.W, self.b = self.flat[:12].reshape(4, 3), self.flat[12:]

    def forward(self, x):
        self.x = x
        return x @ self.flat[:12].reshape(4, 3) + self.flat[12:]

    def backward(self, dout):
        self.dW, self.db = self.factor * (self.x.T @ dout), dout.sum(axis=0)
        return dout @ self.W.T


@pytest.mark.parametrize("dtype", [float, np.float32])
def test_parameters_that_are_views_of_one_array(dtype):
    layer = Flat(dtype)
    assert verdicts(layer, X.astype(dtype)) == ["ok"] * 3
    assert layer.W.base is not None
    assert np.shares_memory(layer.W, layer.flat)
    assert verdicts(wrong(layer), X.astype(dtype)) == ["ok", "wrong", "ok"]


def test_arrays_that_cannot_be_written_are_moved_too():
    layer = Dense()
    layer.W.flags.writeable = False
    assert verdicts(layer, X) == ["ok"] * 3
    assert not layer.W.flags.writeable
    assert verdicts(wrong(layer), X) == ["ok", "wrong", "ok"]
