"""tinygrad-edu check of several targets and of whole scripts: what is found, and what is said."""

import os
import re
from pathlib import Path

import command
import pytest

LAYERS = """\
import math

import numpy as np

print("the script runs")


class Layer:
    def forward(self, x):
        raise NotImplementedError

    def backward(self, dout):
        \"\"\"Gives the gradient.\"\"\"


class Relu(Layer):
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


class Linear(Layer):
    def __init__(self, n_in, n_out):
        self.W, self.b = np.ones((n_in, n_out)), np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(axis=0)
        return dout @ self.W.T


class Scale(Layer):
    def __init__(self, factor=3.0):
        self.factor = factor

    def __call__(self, x):
        return x * self.factor

    forward = __call__

    def backward(self, dout):
        return dout


class Config:
    pass


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def dsigmoid(x):
    return sigmoid(x) * (1 - sigmoid(x))


def logarithm(x):
    return math.log(x)


def logarithm_grad(x):
    return 1 / x


def leaky(x, slope=0.1):
    return np.where(x > 0, x, slope * x)


def d_leaky(x, slope=0.1):
    return np.where(x > 0, 1.0, slope)


def relu6(x):
    return min(max(x, 0.0), 6.0)


def grad_relu6(x):
    return 1.0 if x > 0 else 0.0


def affine_forward(x, w):
    return x @ w, (x, w)


def affine_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout


def square(x):
    return x * x


def square_prime(dout, x):
    return 2 * x * dout


def tanh(x):
    return np.tanh(x)


def dtanh(y):
    return 1 - y**2


def helper(a, b):
    return a


def _dhelper(a, b):
    return b


alias = Relu
made = Linear(3, 2)
"""
GIVEN = ["x=4x3:0.2..2", "w=3x2"]
folder, check = command.folder, command.check


@pytest.fixture
def layers(folder):
    Path("layers.py").write_text(LAYERS, encoding="utf-8")


def verdicts(out):
    """The first line of each report, by its target."""
    blocks = re.findall(r"^(\S+\.py:\w+)\n(?:.*\n)*?(\w+ of \w+: .*)$", out, re.M)
    return {target: verdict.partition(": ")[2] for target, verdict in blocks}


def test_all_of_a_script_is_found_and_what_is_not_is_said(check, layers):
    status, out, err = check(["layers.py", *GIVEN])
    assert (status, err) == (1, "")
    first, others = out.split("\n\n")[0].replace("\n  ", " ").splitlines()[1:]
    assert first == (
        "layers.py: Relu, Scale, sigmoid with dsigmoid, logarithm with logarithm_grad, leaky with "
        "d_leaky, relu6 with grad_relu6, affine_forward with affine_backward, square with "
        "square_prime, made"
    )
    assert (
        others == "not checked: tanh, dtanh, helper (no derivative by hand of its inputs beside it)"
    )
    agree = "analytic and numeric derivatives agree"
    found = verdicts(out)
    assert found.pop("layers.py:Scale").startswith("wrong for x")
    assert found == {
        f"layers.py:{name}": agree
        for name in ("Relu", "sigmoid", "logarithm", "leaky", "relu6", "affine_forward", "square",
                     "made")
    }  # fmt: skip
    assert out.endswith("\n1 of 9 failed: layers.py:Scale\n")


def test_inputs_that_are_missing_are_named_for_all_and_nothing_is_checked(check, layers):
    status, out, err = check("layers.py")
    assert (status, out.replace("the script runs\n", "")) == (2, "")
    assert "Relu needs x; Scale needs x; affine_forward needs x, w; square needs x; made" in err
    assert "give a number (x=0.5), the shape of a random array (x=3x4)" in err
    assert "or name what to check" in err


def test_functions_of_one_number_need_no_input(check, layers):
    status, out, _ = check("layers.py:sigmoid layers.py:logarithm layers.py:leaky layers.py:relu6")
    assert status == 1
    assert "x is not given: tried at 12 numbers from -8.3 to 8.3" in out
    assert "x is not given: tried at 6 numbers from 0.06 to 8.3" in out, "the logarithm"
    found = verdicts(out)
    assert [name for name, verdict in found.items() if "agree" not in verdict] == [
        "layers.py:relu6"
    ], "it is wrong above 6"
    [row] = [line for line in out.splitlines() if line.endswith("WRONG")]
    assert row.split()[:4] == ["x", "8.3", "1", "0"]


def test_an_array_for_a_function_of_numbers_is_tried_number_by_number(check, layers):
    status, out, _ = check("layers.py:relu6 x=5x4:0..9")
    assert status == 1
    assert "relu6 takes single numbers: tried at 20\n" in out
    rows = [line.split() for line in out.splitlines() if line.endswith("WRONG")]
    assert rows
    assert all(float(row[1]) > 6 for row in rows)
    assert check("layers.py:sigmoid x=5x4")[0] == 0


def test_a_class_that_needs_arguments_is_not_checked_unless_they_are_given(check, folder):
    text = LAYERS.replace("made = Linear(3, 2)\n", "")
    Path("layers.py").write_text(text, encoding="utf-8")
    _, out, _ = check(["layers.py", *GIVEN])
    assert "not checked: Linear (a class that needs n_in, n_out)" in out
    _, out, _ = check(["layers.py", *GIVEN, "n_in=3", "n_out=5"])
    assert "layers.py:Linear" in verdicts(out)
    assert "Linear (a class" not in out


def test_several_targets_of_several_scripts(check, layers):
    Path("b.py").write_text(
        "import tinygrad_edu as tg\na = tg.Value(2.0, 'a')\nprice = a * a\n\n\n"
        "def f(x, y=1.0):\n    return (x * x).sum() + y\n", encoding="utf-8",
    )  # fmt: skip
    status, out, err = check("layers.py:Relu b.py:f b.py:price layers.py:made x=4x3")
    assert (status, err) == (0, "")
    assert [*verdicts(out)] == ["layers.py:Relu", "b.py:f", "b.py:price", "layers.py:made"]
    assert out.endswith("4 checked, all agree\n")
    assert out.count("the script runs") == 1, "a script is run once"


def test_an_error_in_one_target_leaves_the_others(check, layers):
    Path("b.py").write_text("raise ValueError('no')\n", encoding="utf-8")
    call = "layers.py:Relu b.py nothing.py layers.py:relo layers.py:affine_forward x=4x3 w=5x2"
    status, out, err = check(call)
    assert status == 1
    assert verdicts(out) == {"layers.py:Relu": "analytic and numeric derivatives agree"}
    first, *_, last = err.splitlines()
    assert first == "tinygrad-edu: b.py: b.py, line 1: ValueError: no"
    assert "tinygrad-edu: nothing.py: there is no script nothing.py" in err
    assert "tinygrad-edu: layers.py:relo: layers.py has no relo; known are" in err
    line = LAYERS.splitlines().index("    return x @ w, (x, w)") + 1
    assert f"layers.py:affine_forward: layers.py, line {line}: ValueError: matmul" in err
    assert last.strip() == "return x @ w, (x, w)"
    assert "4 of 5 failed: b.py, nothing.py, layers.py:relo, layers.py:affine_forward" in out


def test_scripts_with_nothing_to_check(check, layers):
    Path("b.py").write_text("def f(x):\n    return x\n", encoding="utf-8")
    status, out, err = check("b.py")
    assert (status, out) == (2, "")
    assert "b.py: no layer with forward and backward, and no function with a derivative" in err
    assert "name what to check, as b.py:name" in err
    status, out, _ = check(["b.py", "layers.py", *GIVEN])
    assert status == 1
    assert out.splitlines()[1] == "b.py: nothing to check"
    assert "not checked: f (no derivative by hand of its inputs beside it)" in out


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("layers.py:Relu layers.py:square x=3x z=4", "z=...: nothing that is checked has such"),
        ("layers.py --gradient dsigmoid x=3x", "--gradient is for one target: give script.py:name"),
        ("layers.py:Relu layers.py:made --svg a.svg x=3x", "--svg is for one target"),
        ("layers.py:Relu layers x=3x", "layers: expected script.py:name, or script.py for all"),
        ("x=3x", "check what? Give script.py:name, or script.py for all of it"),
        ("layers.py:Relu x=3x --junit out.txt", "out.txt: the name must end in .xml"),
        ("layers.py:Relu x=3x --junit no/out.xml", "there is no folder no"),
        ("layers.py:Relu x=3x --junit kept/a.xml", "kept/a.xml cannot be written: the folder kept"),
        ("layers.py:Relu x=3x --svg kept/a.svg", "is read-only; choose another folder"),
    ],
)
def test_a_wrong_call_has_status_2(call, said, check, layers, monkeypatch):
    Path("kept").mkdir()
    access = os.access  # whoever runs this may be allowed to write anywhere
    monkeypatch.setattr(os, "access", lambda path, mode: path != "kept" and access(path, mode))
    status, _, err = check(call)
    assert status == 2
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_after_ctrl_c_the_report_so_far_is_printed_and_nothing_else_is_checked(check, layers, more):
    Path("b.py").write_text(
        "def product(x, y):\n    if y.data != 2:\n        raise KeyboardInterrupt\n"
        "    return x * y\n", encoding="utf-8",
    )  # fmt: skip
    status, out, _ = check(
        ["layers.py:sigmoid", "b.py:product", "layers.py:Relu", "x=3", "y=2", *more]
    )
    assert status == 130
    assert "not tried: stopped after 1 of 2" in out
    assert "layers.py:sigmoid" in out
    assert "layers.py:Relu" not in out


def test_an_input_that_does_not_matter_fails(check, layers):
    Path("b.py").write_text("def f(x, y):\n    return x * x\n", encoding="utf-8")
    status, out, _ = check("b.py:f x=3 y=2")
    assert status == 1
    assert "gradcheck of f: unused: y\n" in out
    assert [line.split()[-1] for line in out.splitlines()[2:4]] == ["ok", "UNUSED"]
