"""Inputs of tinygrad-edu check: numbers, shapes, ranges, kinds, names, settings and texts."""

import shlex
from pathlib import Path

import command
import numpy as np
import pytest

from tinygrad_edu.commands.input_forms import NameInScript, RandomArray, Setting, read_input
from tinygrad_edu.commands.options import UsageError

SCRIPT = """\
import numpy as np
import tinygrad_edu as tg

n = 3
relu = 4.0


def relu6(x):
    return np.minimum(np.maximum(x, 0.0), 6.0).sum()


def drelu6(x):
    return 1.0 * (x > 0)  # wrong above 6


def root(x):
    return tg.sqrt(x)


def picked(x, labels):
    assert labels.min() >= 0 and labels.max() <= 2
    return x[np.arange(len(labels)), labels].sum()


def powers(x, n):
    return sum(x**k for k in range(n))


def leaky(x, slope=0.1):
    return np.where(x > 0, x, slope * x).sum()


def dleaky(x, slope=0.1):
    return np.where(x > 0, 1.0, slope)


def weighed(x, t):
    return ((x - t) ** 2).sum()


def svm_loss(x, labels):
    rows = np.arange(len(x))
    margins = np.maximum(0, x - x[rows, labels][:, None] + 1.0)
    margins[rows, labels] = 0
    dx = (margins > 0) * 1.0
    dx[rows, labels] -= dx.sum(axis=1)
    return margins.sum() / len(x), dx / len(x)


class Activation:
    def __init__(self, mode="tanh", scale=None):
        self.mode, self.scale = mode, scale or 1.0

    def forward(self, x, training=True, h0=0):
        assert h0 in (0, None)
        assert isinstance(self.mode, str), self.mode
        assert isinstance(training, bool)
        self.training = training
        self.y = self.scale * (np.tanh(x) if self.mode == "tanh" else np.maximum(x, 0))
        return self.y if training else 0.5 * self.y

    def backward(self, dout):
        if self.mode == "tanh":
            dx = dout * (self.scale - self.y**2 / self.scale)
        else:
            dx = dout * self.scale * (self.y > 0)
        return dx if self.training else 0.5 * dx


class Linear:
    def __init__(self, n_in, n_out, *, bias=True):
        self.W = np.ones((n_in, n_out))

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T


class Typed:
    def forward(self, x, *, gain=1.0):
        return x * gain

    def backward(self, dout):
        return dout
"""
folder, check = command.folder, command.check


@pytest.fixture
def script(folder):
    Path("s.py").write_text(SCRIPT, encoding="utf-8")


FORMS = {
    "0.5": 0.5, "-3": -3, "1e3": 1000.0, "inf": float("inf"),
    "3x4": RandomArray((3, 4)), "4x": RandomArray((4,)), "0x3": RandomArray((0, 3)),
    "4x3:0.1..5": RandomArray((4, 3), (0.1, 5.0)), "4x3:-1..1": RandomArray((4, 3), (-1.0, 1.0)),
    "8:0..9:int": RandomArray((8,), (0.0, 9.0), "int"),
    "8x:0..9:int": RandomArray((8,), (0.0, 9.0), "int"),
    "2x3:float32": RandomArray((2, 3), None, "float32"),
    "2x3:0..1:float32": RandomArray((2, 3), (0.0, 1.0), "float32"),
    "None": Setting(None), "True": Setting(True), "False": Setting(False),
    "'relu'": Setting("relu"), '"a b:c"': Setting("a b:c"),
    "3:int": Setting(3), "0.1:fixed": Setting(0.1),
    "3x4:fixed": Setting(RandomArray((3, 4))), "w": NameInScript("w"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), FORMS.items(), ids=FORMS)
def test_what_is_given_is_read(text, expected):
    assert read_input(f" {text} ") == expected
    assert type(read_input(text)) is type(expected)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3x4:5..1", "a range is two numbers, the smaller one first, as in 3x4:0.1..5"),
        ("3x4:1..1", "a range is two numbers"),
        ("3x4:0..inf", "a range is two numbers"),
        ("3x4:5", "a range is two numbers"),
        ("3x:int", "whole numbers need a range of such, as in 8x:0..9:int"),
        ("3x:0.5..2:int", "whole numbers need a range of such"),
        ("0.5:0..1", "0..1 is for random arrays, as in 3x4:0..1"),
        ("w:int", "int is for random arrays"),
        ("99999x99999", "more than 10000000 elements"),
    ],
)
def test_what_cannot_be_meant_is_said(text, said):
    with pytest.raises(UsageError, match=f"{text.replace('.', '[.]')}: .*") as found:
        read_input(text)
    assert said in str(found.value)


@pytest.mark.parametrize("text", ["nan", "3x-4", "3 x 4", "", "a b", "leaky-relu", "class", "3x4x"])
def test_what_is_not_an_input_is_refused(text):
    if text == "3x4x":
        assert read_input("3x4") == RandomArray((3, 4))
    with pytest.raises((ValueError, UsageError)):
        read_input(text)


def test_random_numbers_lie_in_their_range_and_whole_ones_reach_both_ends():
    rng = np.random.default_rng(0)
    x = RandomArray((1000,), (0.1, 5.0)).drawn(rng)
    assert (x.min() >= 0.1, x.max() < 5.0, x.min() < 0.2, x.max() > 4.9) == (True,) * 4
    labels = RandomArray((1000,), (0.0, 9.0), "int").drawn(rng)
    assert labels.dtype.kind == "i"
    assert sorted(set(labels.tolist())) == [*range(10)]
    assert RandomArray((2,), None, "float32").drawn(rng).dtype == np.float32


RIGHT = [
    ("root x=4x3:0.1..5", "random numbers for x (4, 3) from 0.1 to 5; seed 0"),
    ("relu6 x=40x:-1..6", "agree"),  # the mistake is above 6
    ("picked x=8x3 labels=8:0..2:int", "labels (8,) int from 0 to 2"),
    ("powers x=2.0 n=3:int", "agree"),
    ("powers x=2.0 n=n:fixed", "agree"),
    ("svm_loss x=4x6 labels=4:0..5:int --gradient svm_loss", "gradcheck of svm_loss: analytic"),
    ("leaky x=6x", "the derivative by hand: dleaky"),
    ("leaky x=6x slope=0.3", "agree"),
    ("Activation x=3x4", "agree"),
    ("Activation x=3x4 mode=relu", "agree"),  # the text, although the script has such a name
    ("Activation x=3x4 \"mode='relu'\" scale=2", "agree"),
    ("Activation x=3x4 training=False", "agree"),
    ("Activation x=3x4 h0=None", "agree"),
    ("Linear x=5x4 n_in=4 n_out=2", "W          (4, 2)"),
    ("Linear x=5x4 n_in=4 n_out=2 bias=False", "agree"),
    ("Typed x=3x4:float32", "judged as float32"),
]


@pytest.mark.parametrize(("call", "said"), RIGHT)
def test_inputs_reach_what_is_checked(call, said, check, script):
    status, out, err = check("s.py:" + call)
    assert (status, err) == (0, "")
    assert said in out


def test_a_range_finds_what_normal_numbers_do_not(check, script):
    assert check("s.py:relu6 x=40x")[0] == 0
    status, out, _ = check("s.py:relu6 x=40x:0..9")
    assert status == 1
    assert "wrong for x" in out


def test_what_is_fixed_is_not_differentiated(check, script):
    def names(out):
        return [line.split()[0] for line in out.splitlines() if line.startswith("  ")][1:]

    assert names(check("s.py:weighed x=3x4 t=3x4")[1]) == ["x", "t"]
    assert names(check("s.py:weighed x=3x4 t=3x4:fixed")[1]) == ["x"]
    assert names(check("s.py:weighed x=3x4 t=0.5:fixed")[1]) == ["x"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("s.py:powers x=2.0 n=m", "s.py has nothing by this name"),
        ("s.py:powers x=2.0 n=m", "for a text write \"n='m'\""),
        ("s.py:Linear x=5x4 n_in=4", "Linear is a class that needs n_out; give n_out=..., or make"),
        ("s.py:Typed x=3x4:float32 gain=2", "gain=...: Typed takes it by its name alone"),
        ("s.py:root x=3x4:2..1", "3x4:2..1: a range is two numbers"),
    ],
)
def test_a_wrong_input_has_status_2(call, said, check, script):
    status, _, err = check(shlex.split(call))
    assert status == 2
    assert said in err
    assert err.count("\n") == 1
