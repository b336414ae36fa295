"""The command `tinygrad-edu train`: a page from a word, or a sentence on what does not fit."""

import numpy as np
import pytest

from tinygrad_edu.commands import main as cli


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["moons", "circles", "spirals"])
def test_points_give_a_page_that_trains(name, own_folder, capsys):
    assert cli.main(["train", name, "--hidden", "4"]) == 0
    assert "written: run.html" in capsys.readouterr().out
    assert (own_folder / "run.html").read_text("utf-8").startswith("<!doctype html>")
    assert cli.main(["train", name]) == 0  # its own page is written again


def test_digits_and_files_are_trained_here(own_folder, capsys):
    assert cli.main(["train", "digits", "--epochs", "3", "--page", "d.html"]) == 0
    out = capsys.readouterr().out
    assert float(out.splitlines()[3].split()[3]) > 0.8  # the accuracy of the last epoch
    assert (own_folder / "d.html").stat().st_size > 100_000
    x = np.random.default_rng(0).normal(size=(60, 2))
    rows = [f"{a},{b},{int(a > b)}" for a, b in x]
    (own_folder / "t.csv").write_text("\n".join(["a,b,label", *rows]), "utf-8")
    assert cli.main(["train", "t.csv", "--epochs", "20", "--hidden", "8"]) == 0
    assert float(capsys.readouterr().out.splitlines()[12].split()[3]) > 0.8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sun"], "sun is not a file, nor moons, circles, spirals or digits"),
        (["moons", "--hidden", "4,x"], "expected whole numbers from 1 up"),
        (["moons", "--page", "run.txt"], "a page ends in .html"),
        (["digits", "--epochs", "0"], "expected a whole number from 1 up"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_written(words, said, own_folder, capsys):
    assert cli.main(["train", *words]) == 2
    assert said in capsys.readouterr().err
    assert not [*own_folder.iterdir()]
