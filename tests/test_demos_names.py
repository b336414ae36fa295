"""The demos that read letters and pictures learn, and write the files that they name."""

from collections import Counter

import numpy as np
import pytest
from test_demos import load

from tinygrad_edu import Value, data, optim, topological_order
from tinygrad_edu.view.cards.folding import find_modules
from tinygrad_edu.view.cards.reading import read


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def is_png(path):
    return path.read_bytes().startswith(b"\x89PNG")


def test_bigrams_learned_come_near_to_those_counted(folder, capsys):
    counted, learned = load("bigram").main(steps=6)
    names = data.load_names()
    pairs = [pair for name in names for pair in zip(f".{name}", f"{name}.", strict=True)]
    both, first = Counter(pairs), Counter(a for a, _ in pairs)
    expected = -np.mean([np.log(both[pair] / first[pair[0]]) for pair in pairs])
    assert counted == pytest.approx(expected, rel=1e-12)
    assert counted < learned < 2.7 < np.log(27)
    out = capsys.readouterr().out
    assert f"{len(names)} names, {len(pairs)} pairs of 27 letters" in out
    assert len(out.split("new names: ")[1].splitlines()[0].split()) >= 6
    assert is_png(folder / "bigram.png")


def test_the_network_on_three_letters_learns(folder, capsys):
    assert load("names_mlp").main(steps=400) < 2.75
    out = capsys.readouterr().out
    assert "weight (30, 200)" in out
    assert "new names: " in out
    assert is_png(folder / "names_mlp.png")


def test_the_gpt_learns_and_shows_what_looks_at_what(folder, capsys):
    losses = load("gpt").main(steps=30, page=True)
    assert losses[0] == pytest.approx(np.log(27), abs=0.1)
    assert np.mean(losses[-5:]) < 2.75
    assert len(capsys.readouterr().out.split("new names: ")[1].splitlines()[0].split()) >= 8
    assert is_png(folder / "gpt.png")
    page = (folder / "gpt.html").read_text("utf-8")
    assert '"name":"MultiHeadAttention"' in page
    assert "attention" in page


@pytest.mark.deep
def test_the_gpt_goes_below_2_2(folder):
    assert np.mean(load("gpt").main(steps=300)[-100:]) < 2.2


def test_the_convolutional_network_learns(folder, capsys):
    assert load("digits_cnn").main(epochs=2, page=True) > 0.9
    assert "Conv2d(" in capsys.readouterr().out
    assert is_png(folder / "digits_cnn.png")
    assert '"name":"Conv2d"' in (folder / "digits_cnn.html").read_text("utf-8")


@pytest.mark.deep
def test_the_convolutional_network_reads_more_than_98_percent(folder):
    assert load("digits_cnn").main() > 0.98


def tensor_loss(model, text):
    """The same network in NumPy, matrix by matrix."""
    t = {name: np.array([[v.data for v in row] for row in table])
         for name, table in model.tables.items()}  # fmt: skip

    def norm(x):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5)

    def softmax(x):
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    n, heads = len(text) - 1, []
    x = t["letters"][text[:-1]] + t["places"][:n]
    q, k, v = (norm(x) @ t[name].T for name in ("query", "key", "value"))
    for i in range(0, x.shape[1], model.part):
        part = slice(i, i + model.part)
        scores = q[:, part] @ k[:, part].T / np.sqrt(model.part)
        heads.append(softmax(np.where(np.tri(n) > 0, scores, -np.inf)) @ v[:, part])
    x = x + np.concatenate(heads, 1) @ t["out"].T
    x = x + np.maximum(norm(x) @ t["up"].T, 0) @ t["down"].T
    return -np.log(softmax(norm(x) @ t["head"].T)[range(n), text[1:]]).mean()


def test_the_gpt_of_values_is_that_of_matrices_and_its_page_is_folded(folder):
    micro = load("microgpt")
    model = micro.MicroGPT(classes=5, width=4, heads=2)
    text = [0, 3, 1, 4, 0]
    loss = model.loss(text)
    assert loss.data == pytest.approx(tensor_loss(model, text), rel=1e-12)
    assert {type(node) for node in topological_order(loss)} == {Value}
    loss.backward()
    parameter = model.tables["key"][1][2]
    h, here = 1e-6, parameter.data
    sides = []
    for x in (here + h, here - h):
        parameter.data = x
        sides.append(tensor_loss(model, text))
    assert parameter.grad == pytest.approx((sides[0] - sides[1]) / (2 * h), rel=1e-6)
    names = {module.name for module in find_modules(*read(loss))[0]}
    assert names >= {"letter 1", "letter 4", "attention", "head 2", "hidden layer", "norm", "query"}


def test_the_gpt_of_values_learns_and_writes_the_page_of_a_step(folder, capsys):
    micro = load("microgpt")
    micro.LENGTH = 3
    model, text = micro.MicroGPT(classes=5, width=4, heads=2), [0, 3, 1, 4]
    optimizer, before = optim.Adam(model.parameters, micro.RATE), model.loss(text).data
    for _ in range(5):
        optimizer.zero_grad()
        model.loss(text).backward()
        optimizer.step()
    assert model.loss(text).data < before - 0.3
    assert len(micro.main(steps=2)) == 2
    assert "loss of ten names" in capsys.readouterr().out
    page = (folder / "microgpt.html").read_text("utf-8")
    assert "<h1>One step of a GPT of numbers</h1>" in page
    assert '"drawn":true' in page
