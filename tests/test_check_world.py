"""The world around a checked layer stays as it was: classes, loggers, singletons, views."""

import dataclasses
import enum
import logging
import types

import numpy as np
import pytest
from test_check_states import B, Dense, Dropout, W, X, verdicts, wrong


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
