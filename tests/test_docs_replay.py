"""The guide to replay and README.md print what they say."""

import re
from pathlib import Path

import numpy as np
import pytest

from tinygrad_edu import Value, nn, replay

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


def test_a_replay_of_numbers_has_the_bits_of_the_graph_as_the_guide_says():
    rng = np.random.default_rng(0)
    x, y, z = (Value(v, name) for v, name in zip(rng.normal(size=3), "xyz", strict=True))
    root = (x * y + z).tanh() * (x - 2.0 * z).exp() + y.sin() * y / 3.0
    root.backward()
    value, gradients = replay(root)(x.data, y.data, z.data)
    assert value == root.data
    assert gradients == (x.grad, y.grad, z.grad)


def test_all_ways_to_compute_agree_to_a_relative_1e_12_as_the_guide_says():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(2, 50))
    x, y = Value(0.5, "x"), Value(0.25, "y")
    root = (x / (y * y + 1.0)) ** 3 + (x * y).sigmoid().log()
    losses, gradients = replay(root)(*columns)
    for i, point in enumerate(columns.T.tolist()):
        x, y = map(Value, point)
        root = (x / (y * y + 1.0)) ** 3 + (x * y).sigmoid().log()
        root.backward()
        assert losses[i] == pytest.approx(root.data, rel=1e-12)
        for found, node in zip(gradients, (x, y), strict=True):
            assert found[i] == pytest.approx(node.grad, rel=1e-12, abs=1e-14)


def test_a_network_replayed_is_that_of_the_graph_to_a_relative_1e_12():
    rng = np.random.default_rng(0)
    model = nn.MLP(5, [4, 3], rng=rng)
    x, labels = rng.normal(size=(6, 5)), rng.integers(0, 3, 6)
    loss = nn.cross_entropy(model(x), labels)
    loss.backward()
    run = replay(loss, model.parameters())
    value, gradients = run(*(p.data for p in model.parameters()))
    assert value == pytest.approx(loss.item(), rel=1e-12)
    for found, p in zip(gradients, model.parameters(), strict=True):
        np.testing.assert_allclose(found, p.grad, rtol=1e-12, atol=1e-15)


def test_machine_code_as_in_the_guide():
    pytest.importorskip("numba")
    guide = (ROOT / "docs" / "replay.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^    (run = .*numba.*)$", guide, re.M)
    w, b, x, y = (Value(v, name) for v, name in zip((2.0, 0.0, 1.0, 3.0), "wbxy", strict=True))
    names = {"replay": replay, "loss": (w * x + b - y) ** 2, "w": w, "b": b, "x": x, "y": y}
    exec(line, names)
    assert names["run"](1.0, 3.0, 2.0, 0.0) == (1.0, (-2.0, -2.0))
