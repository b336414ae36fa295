"""What someone sees whose test fails in a check: the test and the table, and nothing between."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu
from tinygrad_edu import check_backward

TESTS = """\
import numpy as np
from hypothesis import strategies as st
from tinygrad_edu import check_backward, gradcheck
from tinygrad_edu.check import check_inputs_matter
from tinygrad_edu.testing import assert_gradients

X = np.arange(6.0).reshape(2, 3) + 0.5


class Affine:
    def __init__(self):
        self.W, self.b = np.ones((3, 2)), np.zeros(2)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, 2 * dout.sum(axis=0)
        return -dout @ self.W.T


def cut(x):
    return x.detach() * x


def refuses(x):
    assert x.data < 0, "this is mine"


def test_affine():
    check_backward(Affine(), X)


def test_function():
    gradcheck(cut, X)


def test_asserted():
    assert_gradients(cut, X)


def test_drawn():
    assert_gradients(cut, st.floats(0.5, 2.0), max_examples=3)


def test_inputs():
    check_inputs_matter(lambda x, y: np.mean(x), X, X)


def test_report():
    report = check_backward(Affine(), X, raises=False)
    assert report.ok, str(report)


def test_own_assertion():
    gradcheck(refuses, 2.0)
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What pytest prints for these tests, in 80 columns."""
    folder = tmp_path_factory.mktemp("tests")
    (folder / "test_x.py").write_text(TESTS, encoding="utf-8")
    root = str(Path(tinygrad_edu.__file__).parent.parent)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
               "test_x.py"]  # fmt: skip
    run = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": root, "COLUMNS": "80", "CI": "", "PYTEST_ADDOPTS": ""},
    )  # fmt: skip
    assert "7 failed" in run.stdout, run.stdout + run.stderr
    return run.stdout


def failure(printed, test):
    """The lines of one failed test, without the frame around them."""
    return re.search(rf"_ {test} _+\n\n(.*?)\n(?:___|===)", printed, re.S)[1].splitlines()


@pytest.mark.parametrize(
    ("test", "verdict"),
    [
        ("test_affine", "GradientError: check_backward of Affine: wrong for x, b"),
        ("test_function", "GradientError: gradcheck of cut: wrong for x"),
        ("test_asserted", "GradientError: gradcheck of cut: wrong for x"),
        ("test_drawn", "GradientError: gradcheck of cut: wrong for x"),
        ("test_inputs", "AssertionError: the result does not depend on y"),
    ],
)
def test_the_table_comes_first_and_no_frame_of_ours(test, verdict, printed):
    lines = failure(printed, test)
    table = [line[1:].strip() for line in lines if line.startswith("E")]
    assert table[0].startswith(verdict)
    assert all(line.startswith("E") for line in lines[3:-2]), "after the test and the call"
    assert lines[-1].startswith("test_x.py:")
    assert "tinygrad_edu" not in "\n".join(lines)
    assert f"FAILED test_x.py::{test} - {verdict}"[:77] in printed


def test_the_table_is_whole(printed):
    class Affine:
        def __init__(self):
            self.W, self.b = np.ones((3, 2)), np.zeros(2)

        def forward(self, x):
            self.x = x
            return x @ self.W + self.b

        def backward(self, dout):
            self.dW, self.db = self.x.T @ dout, 2 * dout.sum(axis=0)
            return -dout @ self.W.T

    report = check_backward(Affine(), np.arange(6.0).reshape(2, 3) + 0.5, raises=False)
    for test in ("test_affine", "test_report"):
        shown = [line[1:].split() for line in failure(printed, test) if line.startswith("E")]
        for line in str(report).splitlines()[1:]:
            assert line.split() in shown


def test_an_assertion_of_the_checked_function_keeps_its_frames(printed):
    lines = failure(printed, "test_own_assertion")
    assert any('assert x.data < 0, "this is mine"' in line for line in lines)
