"""The demos print what they promise and write the pictures that they name."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import sympy

DEMOS = Path(__file__).parent.parent / "demos"


def run(name, folder, *options):
    """Run a demo in a folder of its own, as a user would; warnings are errors."""
    result = subprocess.run(
        [sys.executable, "-W", "error", str(DEMOS / name), *options],
        cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=120,
        env={"MPLBACKEND": "Agg", "PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8",
             "HOME": str(folder)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout, result.stderr


APPLE_TAX = """\
apple, tax
node                          value             gradient
apple                         100.0                  2.2
apple_count                     2.0   110.00000000000001
tax                             1.1                200.0
price            220.00000000000003                  1.0

apples, oranges, tax
node                          value             gradient
apple                         100.0                  2.2
apple_count                     2.0   110.00000000000001
orange                        150.0   3.3000000000000003
orange_count                    3.0                165.0
tax                             1.1                650.0
apple_price                   200.0                  1.1
orange_price                  450.0                  1.1
subtotal                      650.0                  1.1
price             715.0000000000001                  1.0

picture: apple_tax.svg; interactive page: apple_tax.html (open them in a browser)
"""


def test_apple_tax_prints_the_exact_figures_and_draws_them(tmp_path):
    out, _ = run("apple_tax.py", tmp_path)
    assert out == APPLE_TAX
    text = (tmp_path / "apple_tax.svg").read_text(encoding="utf-8")
    shown = [e.text for e in ET.fromstring(text).iter() if e.tag.endswith("text")]
    for number in ("100", "2.2", "110", "3.3", "165", "650", "715", "×1.1", "×650", "×150"):
        assert number in shown
    page = (tmp_path / "apple_tax.html").read_text(encoding="utf-8")
    assert "<h1>Apples, oranges and tax</h1>" in page


def test_neuron_adds_up_three_paths(tmp_path):
    out, _ = run("neuron.py", tmp_path)
    gradients = dict(re.findall(r"^(\w+) +value .* gradient +(\S+)$", out, re.M))
    products = [float(x) for x in re.findall(r"^  dy\S.*? +(\S+)$", out, re.M)]
    assert len(products) == 3
    assert sum(products) == pytest.approx(float(gradients["x"]), rel=1e-14)
    x, w = sympy.symbols("x w")
    slope = sympy.diff(sympy.tanh(w * x + x) * x, x).subs({x: 0.5, w: 1.5})
    assert float(gradients["x"]) == pytest.approx(float(slope), rel=1e-14)
    assert "<h1>One input, three paths</h1>" in (tmp_path / "neuron.html").read_text("utf-8")


def test_the_readme_shows_the_picture_that_the_demo_draws(tmp_path):
    run("apple_tax.py", tmp_path)
    shown = DEMOS.parent / "docs" / "apple_tax.svg"
    assert shown.read_bytes() == (tmp_path / "apple_tax.svg").read_bytes()


def test_digits_reaches_a_true_validation_accuracy_of_97_percent(tmp_path):
    out, err = run("digits.py", tmp_path, "--page")
    lines = re.findall(
        r"epoch +(\d+): train loss (\S+), validation loss (\S+), validation accuracy (\S+)", out
    )
    assert [int(line[0]) for line in lines] == list(range(1, 31))
    assert float(lines[-1][3]) >= 0.97
    assert float(lines[-1][1]) < 0.01 < float(lines[0][1])
    assert "training: 100%" in err
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")
    assert '"name":"layers.0"' in (tmp_path / "digits.html").read_text("utf-8")


def test_moons_separates_both_halves_and_draws_the_boundary(tmp_path):
    out, _ = run("moons.py", tmp_path)
    accuracies = [int(a) for a in re.findall(r"accuracy (\d+)%", out)]
    losses = [float(x) for x in re.findall(r"loss (\S+),", out)]
    assert accuracies[-1] >= 98
    assert losses[-1] < losses[0] / 5
    assert (tmp_path / "moons.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("path", sorted(DEMOS.glob("*.py")), ids=lambda p: p.name)
def test_a_demo_fits_on_a_page(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 80
