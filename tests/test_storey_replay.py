"""Program text, and replay of graphs of Values in Python, need nothing but the standard library."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_edu

SCRIPT = """
from tinygrad_edu import Value, replay

def branches(a, b):
    return a * b if a > b else (a - b).tanh()

x, y, z = Value(2.0, "x"), Value(3.0, "y"), Value(0.5, "z")
root = (x * y + z.exp()).log() / x ** 2
run = replay(root, [x, y])
for language in ("python", "numpy", "javascript", "latex", "mathml"):
    print(run.text(language))
print(run, run(1.0, 2.0), run(1, 2))
run = replay(branches, [1.0, 2.0])
print([run(float(i), 2.0) for i in range(9)], run.source)
value, (by_x, by_list) = replay(root, [x, [y, z]])(1.0, [2.0, 3])
print(value, by_x, list(map(float, by_list)))
for refused in (lambda: run(1.0), lambda: run(Value(1.0), 2.0), lambda: replay(root, [x])(-9.0)):
    try:
        refused()
    except (TypeError, ValueError) as error:
        print(error)
"""


def printed(before=""):
    paths = [str(Path(tinygrad_edu.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-c", before + SCRIPT],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_without_numpy_programs_and_results_are_the_same():
    without = printed("import sys; sys.modules['numpy'] = None")
    assert without == printed()
    assert without.count("\n") > 50


@pytest.mark.parametrize(
    "ask", ["replay(root, [x])([1.0, 2.0])", "replay(root, [x], backend='numba')"]
)
def test_what_needs_numpy_says_so(ask):
    script = f"""
import sys; sys.modules['numpy'] = None
from tinygrad_edu import Value, replay
x = Value(2.0, "x")
root = x * x
try:
    {ask}
except ImportError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "numpy" in run.stdout
