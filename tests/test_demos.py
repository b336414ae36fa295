"""The demos print what they promise and write the pictures that they name."""

import importlib.util
import os
import re
import runpy
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import sympy

from tinygrad_edu import data

DEMOS = Path(__file__).parent.parent / "demos"


def run(name, folder, *options, encoding="cp1252"):
    """Run a demo in a folder of its own, as a user would; warnings are errors. The terminal has few
    characters, and nothing that a demo prints is lost on one of Windows."""
    result = subprocess.run(
        [sys.executable, "-W", "error", str(DEMOS / name), *options],
        cwd=folder, capture_output=True, text=True, encoding=encoding, timeout=120,
        env={"MPLBACKEND": "Agg", "PATH": "/usr/bin:/bin", "PYTHONIOENCODING": encoding,
             "HOME": str(folder), "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert encoding == "ascii" or "?" not in result.stdout
    return result.stdout, result.stderr


def load(name):
    """A demo as a module."""
    if str(DEMOS) not in sys.path:
        sys.path.append(str(DEMOS))  # as Python does for a script
    spec = importlib.util.spec_from_file_location(name, DEMOS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def test_batch_norm_by_hand_names_the_one_mistake_and_what_follows_from_it(tmp_path):
    out, _ = run("batch_norm_by_hand.py", tmp_path)
    right, wrong = out.strip().split("\n\n")
    assert right.startswith("check_by_hand of loss: all gradients agree")
    assert right.count("  ok") == 25
    assert wrong.startswith(
        "check_by_hand of loss: wrong for diff; following from it: hprebn, embcat, emb, W1, C\n"
    )
    assert "diff: the path through diff2 is left out" in wrong
    assert (wrong.count("WRONG"), wrong.count("FOLLOWS"), wrong.count("  ok")) == (1, 5, 19)


def test_the_readme_shows_the_picture_that_the_demo_draws(tmp_path):
    run("apple_tax.py", tmp_path)
    shown = DEMOS.parent / "docs" / "apple_tax.svg"
    assert shown.read_bytes() == (tmp_path / "apple_tax.svg").read_bytes()


@pytest.mark.deep
def test_digits_reaches_a_true_validation_accuracy_of_97_percent(tmp_path):
    out, err = run("digits.py", tmp_path, "--page")
    rows = re.findall(r"^ +(\d+) +(\S+) +(\S+) +(\S+) +0.3 ", out, re.M)
    assert [int(row[0]) for row in rows][::11] == [1, 30]
    assert float(rows[-1][3]) >= 0.97
    assert float(rows[-1][1]) < 0.01 < float(rows[0][1])
    assert err == ""
    ways = re.findall(r"^(\w+): (\d+\.\d\d) s, accuracy at the end (\S+)$", out, re.M)
    assert [way for way, _, _ in ways] == ["recorded", "replayed"]
    assert ways[0][2] == ways[1][2]
    apart = re.findall(r"^largest difference of (\w+): (\S+)$", out, re.M)
    assert [name for name, _ in apart] == ["loss", "validation_loss", "accuracy"]
    assert max(float(x) for _, x in apart) < 1e-3
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")
    assert '"name":"layers.0"' in (tmp_path / "digits.html").read_text("utf-8")


@pytest.mark.untraced
def test_digits_can_be_trained_by_replay_alone(tmp_path):
    out, _ = run("digits.py", tmp_path, "--replay")
    assert "12 of 30 epochs" in out
    assert re.search(r"^replayed: \S+ s", out, re.M)
    assert "recorded" not in out
    assert float(re.search(r"accuracy at the end (\S+)$", out, re.M)[1]) >= 0.97


def test_digits_replayed_has_the_losses_of_its_recorded_graphs():
    digits = load("digits")
    digits.EPOCHS = 3
    recorded, replayed = (digits.train(seed=1, replay=r) for r in (False, True))
    for name in ("loss", "validation_loss", "accuracy"):
        assert replayed[name] == pytest.approx(recorded[name], rel=1e-4)


@pytest.mark.deep
def test_moons_separates_both_halves_and_draws_the_boundary(tmp_path):
    out, _ = run("moons.py", tmp_path)
    steps = re.findall(r"^step +(\d+): loss (\S+), accuracy (\d+)%$", out, re.M)
    recorded, replayed = steps[:5], steps[5:]
    assert recorded == replayed
    assert [int(step) for step, _, _ in recorded] == [0, 10, 20, 30, 39]
    assert int(recorded[-1][2]) >= 98
    assert float(recorded[-1][1]) < float(recorded[0][1]) / 5
    slow, fast = (float(x) for x in re.findall(r": (\d+\.\d\d) s$", out, re.M))
    assert fast < slow
    assert float(re.search(r"largest difference of losses: (\S+)$", out, re.M)[1]) < 1e-12
    assert (tmp_path / "moons.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.untraced
def test_moons_replayed_ends_with_the_parameters_of_its_recorded_graphs():
    moons = load("moons")
    moons.RATES = moons.RATES[:3]
    points, classes = data.make_moons(20, noise=0.1, rng=0)
    labels = 2 * classes - 1
    recorded, replayed = (moons.train(points, labels, replay=r) for r in (False, True))
    assert replayed[1] == pytest.approx(recorded[1], rel=1e-12)
    for x, y in zip(recorded[0].parameters(), replayed[0].parameters(), strict=True):
        assert y.data == pytest.approx(x.data, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("path", sorted(DEMOS.glob("*.py")), ids=lambda p: p.name)
def test_a_demo_fits_on_a_page(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 100


def test_a_terminal_of_ascii_is_enough(tmp_path):
    out, _ = run("neuron.py", tmp_path, encoding="ascii")
    assert "dy/dt ? dt/ds" in out


LIBRARY = re.compile(r"^ +(?:import|from) (matplotlib|tqdm)|\.(plot)\(\"", re.M)
NEEDED = {
    p.name: [library or "matplotlib" for library, _ in LIBRARY.findall(p.read_text("utf-8"))]
    for p in sorted(DEMOS.glob("*.py"))
}


@pytest.mark.parametrize("name", [name for name in NEEDED if NEEDED[name]])
def test_a_demo_says_what_it_needs_before_it_computes_anything(name, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(DEMOS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [name])
    for library in NEEDED[name]:
        monkeypatch.setitem(sys.modules, library, None)  # cannot be imported
    with pytest.raises(SystemExit) as end:  # Python prints the text, and exits with 1
        runpy.run_path(str(DEMOS / name), run_name="__main__")
    said = " and ".join(sorted(set(NEEDED[name])))
    assert end.value.code == f"this demo needs {said}: pip install -e '.[plot]'"
    assert capsys.readouterr() == ("", "")


def test_some_demos_need_what_others_do_not():
    assert {name for name in NEEDED if not NEEDED[name]} == {
        "apple_tax.py", "batch_norm_by_hand.py", "bug_museum.py", "data_parallel.py", "neuron.py",
        "ready.py",
    }  # fmt: skip
