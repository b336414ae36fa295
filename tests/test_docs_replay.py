"""The guide to replay and README.md print what they say."""

import re
from pathlib import Path

import pytest

from tinygrad_edu import Value, replay

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["docs/replay.md", "README.md"])
def test_a_page_prints_what_it_says(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text, names = (ROOT / name).read_text(encoding="utf-8"), {}
    compared = 0
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.S | re.M):
        if language == "python":
            exec(block, names)
        else:
            assert language == "text"
            assert capsys.readouterr().out.rstrip("\n") == block.rstrip("\n")
            compared += 1
    assert compared >= 2
    assert capsys.readouterr().out == ""


def test_machine_code_as_in_the_guide():
    pytest.importorskip("numba")
    guide = (ROOT / "docs" / "replay.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^    (run = .*numba.*)$", guide, re.M)
    w, b, x, y = (Value(v, name) for v, name in zip((2.0, 0.0, 1.0, 3.0), "wbxy", strict=True))
    names = {"replay": replay, "loss": (w * x + b - y) ** 2, "w": w, "b": b, "x": x, "y": y}
    exec(line, names)
    assert names["run"](1.0, 3.0, 2.0, 0.0) == (1.0, (-2.0, -2.0))
