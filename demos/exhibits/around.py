"""Bugs around the network: a metric, a name, a check that checks nothing, a price cut off."""

import io
import os
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np

from exhibits.frame import bug, cure
from tinygrad_edu import check_backward, gradcheck
from tinygrad_edu.check import check_inputs_matter
from tinygrad_edu.commands.main import main as tinygrad_edu

rng = np.random.default_rng(2)
SCORES = rng.normal(size=(20, 3))
LABELS = np.eye(3)[rng.integers(0, 3, 20)]


@bug(1, "Validation accuracy compares the labels with themselves", "000")
def labels_with_themselves():
    """It printed 1.0 from the first epoch on, because it never looks at the prediction."""

    def accuracy(prediction, label):
        return np.mean(np.argmax(label, axis=1) == np.argmax(label, axis=1))

    check_inputs_matter(accuracy, SCORES, LABELS)


@cure(1)
def prediction_with_labels():
    """Compare the prediction with the label."""

    def accuracy(prediction, label):
        return np.mean(np.argmax(prediction, axis=1) == np.argmax(label, axis=1))

    check_inputs_matter(accuracy, SCORES, LABELS)


def check_script(text: str) -> None:
    """Write a script and let the command check its function, in a namespace of its own."""
    before, said = os.getcwd(), io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "notebook.py").write_text(text)
        os.chdir(folder)
        try:
            with redirect_stdout(io.StringIO()), redirect_stderr(said):
                status = tinygrad_edu(["check", "notebook.py:loss", "x=3x4"])
        finally:
            os.chdir(before)
    if status:
        raise AssertionError(said.getvalue().strip())


@bug(2, "A name that only a stale kernel knows", "000")
def stale_kernel():
    """The function was renamed, but not its call. The kernel still knew the old name.
    `tinygrad-edu check notebook.py:loss` runs the script from scratch."""
    script = """
from tinygrad_edu import softmax

def softmax_cross_entropy(x):
    return -softmax(x)[:, 0].log().mean()

def loss(x):
    return softmax_cross_entorpy(x)
"""
    check_script(script)


@cure(2)
def fresh_kernel():
    """Restart the kernel and run all cells before you trust a notebook."""
    script = """
from tinygrad_edu import softmax

def softmax_cross_entropy(x):
    return -softmax(x)[:, 0].log().mean()

def loss(x):
    return softmax_cross_entropy(x)
"""
    check_script(script)


@bug(14, "Central differences on an array of integers", "002")
def integer_differences():
    """An array of integers cuts `0 + h` off to 0, so both sides are equal and every gradient is 0.
    (At other integers it is far too large.)"""

    def f(x):
        return np.sum((x - 3) ** 2)

    def numerical_gradient(x, h=1e-4):
        gradient = np.zeros_like(x)
        for i in range(len(x)):
            before = x[i]
            x[i] = before + h
            above = f(x)
            x[i] = before - h
            below = f(x)
            gradient[i] = (above - below) / (2 * h)
            x[i] = before
        return gradient

    gradcheck(f, np.zeros(3, dtype=int), gradient=numerical_gradient)


@cure(14)
def float_differences():
    """Work on a copy in float64."""

    def f(x):
        return np.sum((x - 3) ** 2)

    def numerical_gradient(x, h=1e-4):
        x = np.array(x, dtype=np.float64)
        gradient = np.zeros_like(x)
        for i in range(len(x)):
            before = x[i]
            x[i] = before + h
            above = f(x)
            x[i] = before - h
            below = f(x)
            gradient[i] = (above - below) / (2 * h)
            x[i] = before
        return gradient

    gradcheck(f, np.zeros(3, dtype=int), gradient=numerical_gradient)


@bug(20, "int() truncates a price", "004")
def truncated():
    """715 looked better than 715.0000000000001. But a price in whole numbers does not move when an
    apple gets a little dearer, and then it jumps."""

    class Price:
        def forward(self, apple, count, tax):
            self.inputs = apple, count, tax
            return int(apple * count * tax)

        def backward(self, dout=1):
            apple, count, tax = self.inputs
            return count * tax, apple * tax, apple * count

    check_backward(Price(), 100, 2, 1.1)


@cure(20)
def rounded_when_printed():
    """Round what you print, not what you compute."""

    class Price:
        def forward(self, apple, count, tax):
            self.inputs = apple, count, tax
            return apple * count * tax

        def backward(self, dout=1):
            apple, count, tax = self.inputs
            return count * tax, apple * tax, apple * count

    check_backward(Price(), 100, 2, 1.1)
