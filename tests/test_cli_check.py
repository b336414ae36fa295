"""tinygrad-edu check: what it finds in a script, what it prints, and how it ends."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import command
import pytest
from oracles import INSTALL

from tinygrad_edu.commands import check_command as check
from tinygrad_edu.commands import main as cli
from tinygrad_edu.commands import printing
from tinygrad_edu.commands.check_plan import Asked
from tinygrad_edu.commands.input_forms import read_input

SCRIPT = """\
import numpy as np
import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value
from tinygrad_edu.rules import rule

labels = np.array([0, 2, 1])
inputs = np.linspace(-1.0, 1.0, 12).reshape(3, 4)


def loss(w, labels, x=inputs, smoothing=None):
    return tg.nn.cross_entropy(x @ w, labels)


def their_loss(w, labels, x):
    import autograd.numpy as np

    z = np.dot(x, w)
    log_p = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
    return -np.mean(log_p[np.arange(3), labels])


def product(x=2, y=3.0, *, power=1):
    return (x * y) ** power


def their_product(x, y):
    return x * y


def total(x, axis=None, scale=1.0):
    return (x * scale).sum(axis=axis)


def several(*xs):
    return xs[0] * xs[1]


def cube(x):
    return np.sum(x**3)


def dcube(x):
    return 3 * x**2


def dwrong(x):
    return 2 * x**2


@rule("wrong")
def wrong(x, /):
    return x * x, lambda g, x=x: (g * x,)


def kink(x=0.0):
    return tg.relu(x)


def fails(x):
    return x / 0


def listed(x=[[0.5], [1.5]], steps=[1, 2], empty=()):
    return x.sum()


def nothing():
    return 3


built_in = max


def a_float(x):
    return 2.0


def writes(x, dout):
    return 2 * x * dout


a, b = Value(2.0, "a"), Value(3.0, "b")
price = a * b + a
unlabelled = Value(1.0) * 2.0


def recorded():
    return a * b


class Affine:
    def __init__(self):
        self.W, self.b = np.ones((4, 2)), np.zeros(2)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(axis=0)
        return dout @ self.W.T


class Forgetful(Affine):
    def backward(self, dout):
        dx = super().backward(dout)
        self.db = dout
        return dx


class Sized(Affine):
    def __init__(self, n):
        super().__init__()


class Gate(Affine):
    def forward(self, x, mask=None, scale=1.0):
        return super().forward(x) * scale


layer = Forgetful()


def matrix():
    return np.arange(6.0).reshape(3, 2)


def curved(x, power=2):
    return (matrix() @ x) ** power


def slopes(x, power=2):
    return (power * (matrix() @ x) ** (power - 1))[:, None] * matrix()


def turned(x, power=2):
    return slopes(x).T


def curvature(x):
    return np.diag(6 * x)


def along(x, v):
    return slopes(x) @ v


def linear(x):
    return matrix() @ x


def back(y):
    return matrix().T @ y
"""
folder = command.folder


@pytest.fixture
def run(capsys, folder):
    Path("s.py").write_text(SCRIPT, encoding="utf-8")

    def run(*arguments):
        status = cli.main(["check", *arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert (status == 2) <= (out == "")
        if err:
            assert err.startswith("tinygrad-edu: ")
            assert status in (1, 2)
        return status, out, err

    return run


def verdicts(out):
    """The last word of each row, by its first."""
    words = [line.split() for line in out.splitlines() if line.startswith("  ")]
    return {row[0]: row[-1] for row in words if row[-1] in ("ok", "kink", "WRONG")}


RIGHT = [
    ("s.py:product", {"x": "ok", "y": "ok"}),
    ("s.py:product x=0.5 y=4 --second-order", {"x": "ok", "y": "ok", "second": "ok"}),
    ("s.py:product power=2", {"x": "ok", "y": "ok", "power": "ok"}),
    ("s.py:product x=2x3", {"x": "ok", "y": "ok"}),
    ("s.py:product x=inputs", {"x": "ok", "y": "ok"}),
    ("s.py:product x=5x", {"x": "ok", "y": "ok"}),
    ("s.py:product x=a y=b", {"x": "ok", "y": "ok"}),
    ("s.py:loss w=4x3 labels=labels", {"w": "ok", "x": "ok"}),
    ("s.py:total x=2x3", {"x": "ok", "scale": "ok"}),
    ("s.py:total x=2x3 axis=1", {"x": "ok", "scale": "ok"}),
    ("s.py:several u=1 v=2.5", {"u": "ok", "v": "ok"}),
    ("s.py:cube x=3x --gradient dcube", {"x": "ok"}),
    ("s.py:curved x=2x --jacobian slopes", {"x": "ok"}),
    ("s.py:curved x=2x power=3:fixed --jacobian slopes", {"x": "ok"}),
    ("s.py:cube x=3x --hessian curvature", {"x": "ok"}),
    ("s.py:curved x=2x --jvp along", {"x": "ok"}),
    ("s.py:linear x=2x --adjoint back", {"x": "ok"}),
    ("s.py:product --with sympy", {"value": "ok", "x": "ok", "y": "ok"}),
    ("s.py:product --with sympy --theirs their_product", {"value": "ok", "x": "ok", "y": "ok"}),
    ("s.py:kink", {"x": "kink"}),
    ("s.py:listed", {"x": "ok"}),
    ("s.py:price", {"a": "ok", "b": "ok"}),
    ("s.py:price --with sympy", {"value": "ok", "a": "ok", "b": "ok"}),
    ("s.py:unlabelled", {"leaf": "ok"}),
    ("s.py:recorded", {"a": "ok", "b": "ok"}),
    ("s.py:Affine x=5x4", {"x": "ok", "W": "ok", "b": "ok"}),
]


@pytest.mark.parametrize(("call", "expected"), RIGHT)
def test_what_is_right_has_status_0(call, expected, run):
    status, out, _ = run(*shlex.split(call))
    assert verdicts(out) == expected
    assert status == 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("s.py:wrong x=3", "it is half of what it should be"),
        ("s.py:wrong x=3 --with sympy", "central differences give 6, as sympy does"),
        ("s.py:cube x=3x --gradient dwrong", "gradcheck of cube: wrong for x"),
        ("s.py:curved x=2x --jacobian turned", "swap the axes"),
        ("s.py:layer x=5x4", "b: its gradient has shape (5, 2), not (2,)"),
        ("s.py:Forgetful x=5x4", "check_backward of Forgetful: wrong for b"),
    ],
)
def test_what_is_wrong_has_status_1_and_is_explained(call, said, run):
    status, out, err = run(*shlex.split(call))
    assert (status, err) == (1, "")
    assert said in out
    assert "WRONG" in out


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("s.py:los", "s.py has no los"),
        ("s.py:los", "did you mean loss?"),
        ("s.py:labels", "labels is a ndarray; check a function, a node, or a layer"),
        ("s.py:fails x=1", "s.py, line 60: ZeroDivisionError"),
        ("s.py:a_float x=1", "returned float, not a node"),
        ("s.py:nothing", "s.py: nothing() returned int, not a node"),
        ("nothing.py:f", "there is no script nothing.py"),
    ],
)
def test_what_cannot_be_checked_has_status_1(call, said, run):
    status, out, err = run(*shlex.split(call))
    assert (status, out) == (1, "")
    assert said in err


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("", "required"),
        ("price", "price: expected script.py:name"),
        ("s.py:total", "total needs x; give a number (x=0.5), the shape"),
        ("s.py:cube x=1 z=2", "z: cube has no such input; known are x"),
        ("s.py:built_in x=1", "x: built_in has no such input; no names are known"),
        ("s.py:cube x=here", "s.py has nothing by this name; known are labels, inputs, a, b"),
        ("s.py:cube x=3x-4", "x=3x-4: expected name=0.5, name=3x4, name=3x4:0..5 or a name"),
        ("s.py:cube x=nan", "x=nan: expected"),
        ("s.py:cube x=99999x99999", "more than 10000000 elements"),
        ("s.py:price a=3", "price is a node, which has its inputs already"),
        ("s.py:price --gradient dcube", "--gradient does not fit: price is a node"),
        ("s.py:layer x=5x4 --second-order", "--second-order does not fit: layer is a layer"),
        ("s.py:Sized x=5x4", "Sized is a class that needs n"),
        ("s.py:cube x=1 --gradient labels", "is not a function"),
        ("s.py:price --hessian dcube", "--hessian does not fit: price is a node"),
        ("s.py:curved x=2x --jvp along --jacobian slopes", "do not go together"),
        ("s.py:cube x=1 --gradient dcube --with sympy", "--with and --gradient do not go together"),
        ("s.py:cube x=1 --theirs dcube", "--theirs is for --with"),
        ("s.py:cube x=1 --with numpy", "invalid choice: 'numpy'"),
        ("s.py:cube x=1 --seed -1", "it must be 0 or more"),
        ("s.py:cube x=1 --rtol -1", "it must be 0 or more"),
        ("s.py:cube x=1 --svg x.png", "must end in .svg"),
        ("s.py:cube x=1 --svg s.svg/x.svg", "there is no folder"),
        ("s.py:cube x=1 --wrong", "see tinygrad-edu check --help"),
    ],
)
def test_a_wrong_call_has_status_2(call, said, run):
    status, _, err = run(*shlex.split(call))
    assert status == 2
    assert said in err
    assert err.count("\n") == 1


def test_a_pair_of_functions(run, folder):
    Path("s.py").write_text(SCRIPT + "\n\ndef square(x):\n    return x * x\n", encoding="utf-8")
    status, out, _ = run("s.py:square", "x=3x2", "--backward", "writes")
    assert (status, verdicts(out)) == (0, {"x": "ok"})


def test_labels_reach_their_function_too(run):
    pytest.importorskip("autograd", reason=INSTALL["autograd"])
    call = "s.py:loss w=4x3 labels=labels --with autograd --theirs their_loss"
    status, out, _ = run(*shlex.split(call))
    assert (status, verdicts(out)) == (0, {"value": "ok", "w": "ok", "x": "ok"})


def test_random_arrays_follow_the_seed(run):
    first = run("s.py:total", "x=2x3")[1]
    assert first.startswith("random numbers for x (2, 3); seed 0\n")
    assert run("s.py:total", "x=2x3", "--seed", "0")[1] == first
    assert run("s.py:total", "x=2x3", "--seed", "1")[1].splitlines()[2:] != first.splitlines()[2:]


def test_the_picture_is_written_and_not_overwritten(run, folder):
    status, out, _ = run("s.py:wrong", "x=3x2", "--svg", "where.svg")
    assert status == 1
    assert out.endswith("written: where.svg\n")
    picture = Path("where.svg").read_text(encoding="utf-8")
    assert picture.startswith("<svg")
    assert "where.svg exists; use --force" in run("s.py:wrong", "x=3", "--svg", "where.svg")[2]
    assert run("s.py:product", "--svg", "where.svg", "--force")[0] == 0
    assert Path("where.svg").read_text(encoding="utf-8") != picture


def test_a_library_that_is_missing_is_named_with_its_cure(run, monkeypatch):
    from tinygrad_edu.check import oracles

    monkeypatch.setattr(oracles, "_OPENED", {})
    monkeypatch.setitem(sys.modules, "torch", None)
    status, _, err = run("s.py:product", "--with", "torch")
    assert status == 1
    assert f"install it: {INSTALL['torch']}" in err
    assert "s.py" not in err


def test_colours_and_width_of_a_terminal(run, monkeypatch):
    plain = run("s.py:Forgetful", "x=5x4")[1]
    assert "\x1b" not in plain
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    colourful = run("s.py:Forgetful", "x=5x4")[1]
    assert "\x1b[31mWRONG\x1b[0m" in colourful
    assert "\x1b[32mok\x1b[0m" in colourful
    assert "\x1b[31mcheck_backward of Forgetful: wrong for b\x1b[0m" in colourful
    assert "\x1b[33mkink\x1b[0m" in run("s.py:kink")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    without = run("s.py:Forgetful", "x=5x4")[1]
    assert "\x1b" not in without
    assert max(map(len, without.splitlines())) <= 80
    assert printing.width() == 80


def test_the_examples_of_the_help_are_sound(capsys):
    examples = re.findall("^  (tinygrad-edu .*)$", check.CHECK_EXAMPLES, re.M)
    for example in examples:
        options = check.check_parser().parse_intermixed_args(shlex.split(example)[2:])
        assert Asked.of(options.words[0]).path in ("script.py", "layers.py")
    assert len(examples) == 6
    assert cli.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert "tinygrad-edu show" in out
    assert all(example in out for example in examples)


def test_the_help_fits_into_80_columns_and_shows_inputs_that_can_be_read(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["check", "--help"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    shown = re.findall(r"^  (\w+=.*?)(?:   .*)?$", out, re.M)
    for word in shlex.split(" ".join(shown)):
        assert read_input(word.partition("=")[2]) is not None
    assert len(shown) == 6


def test_as_a_process_of_its_own(folder):
    Path("s.py").write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, "-m", "tinygrad_edu.commands.main", "check", "s.py:wrong", "x=3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")
    assert "x           3         3        6         5.0e-01  WRONG" in done.stdout
