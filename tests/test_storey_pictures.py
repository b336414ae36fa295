"""Pictures, the page, models of single numbers and the command, where NumPy cannot be imported."""

import subprocess
import sys

import pytest

README = """
from tinygrad_edu import Value

apple, orange = Value(100, label="apple"), Value(150, label="orange")
tax = Value(1.1, label="tax")
price = (apple * 2 + orange * 3) * tax
price.backward()
"""

PROGRAMS = {
    "a picture": """
        from tinygrad_edu import to_svg
        assert to_svg(price).startswith("<svg")
    """,
    "a page": """
        from tinygrad_edu import to_html
        page = to_html(price, ranges={"tax": (1, 1.5)})
        assert page.startswith("<!doctype html>") and "f: (x, y) => x * y" in page
    """,
    "DOT": """
        from tinygrad_edu import to_dot
        assert "value 715" in to_dot(price)
    """,
    "show": """
        import os
        from tinygrad_edu import show
        os.environ["TINYGRAD_EDU_NO_BROWSER"] = "1"
        assert os.path.exists(show(price))
    """,
    "a notebook": """
        assert {"image/svg+xml", "text/html"} <= price._repr_mimebundle_().keys()
    """,
    "training": """
        import random
        from tinygrad_edu import optim, scalar_nn
        model = scalar_nn.MLP(2, [3, 1], rng=random.Random(0))
        optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
        losses = []
        for _ in range(20):
            loss = sum((model([x, x * x]) - x) ** 2 for x in (-1.0, 0.5, 1.0))
            losses.append(loss.data)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert losses[-1] < losses[0] / 10, losses
        assert "13 parameters, 13 numbers" in repr(model) + repr(optimizer)
    """,
    "the command": """
        from tinygrad_edu.commands.main import main
        for file in ("y.html", "y.svg", "y.dot"):
            words = ["a = x * w; y = tanh(a + b)", "x=2", "w=-3", "b=6.7", "-o", file]
            assert main(["show", *words]) == 0
    """,
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_works_without_numpy(name, tmp_path):
    lines = [line.removeprefix("        ") for line in PROGRAMS[name].splitlines()]
    program = "\n".join(["import sys", "sys.modules['numpy'] = None", README, *lines])
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
