"""The pictures and tables of the seed notebooks, as the demos draw and print them."""

import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from test_demos import load, run

from tinygrad_edu import History, Value, data, to_svg

mpl.use("Agg")
PNG = b"\x89PNG"


@pytest.fixture
def plt(monkeypatch):
    """Pictures that stay open, to be looked at, until the test ends; they are not written."""
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    monkeypatch.setattr(Figure, "savefig", lambda *args, **settings: None)
    pyplot.close("all")
    yield pyplot
    pyplot.close("all")


def test_pictures_loss_and_accuracy_curves():
    columns = {"epoch": [1, 2], "loss": [0.5, 0.3], "validation_loss": [0.6, 0.4],
               "accuracy": [0.9, 0.95], "seconds": [1.0, 1.0]}  # fmt: skip
    left, right = History(columns).plot().axes
    drawn = {line.get_label(): line.get_ydata().tolist() for line in left.lines}
    assert drawn == {"loss": [0.5, 0.3], "validation loss": [0.6, 0.4]}
    (accuracy,) = right.lines
    assert accuracy.get_ydata().tolist() == [0.9, 0.95]


def test_pictures_a_graph_with_values_and_gradients():
    price = (Value(100, "apple") * 2 + Value(150, "orange") * 3) * Value(1.1, "tax")
    price.backward()
    shown = {e.text for e in ET.fromstring(to_svg(price)).iter() if e.tag.endswith("text")}
    assert {"apple", "100", "2.2", "orange", "150", "3.3", "tax", "1.1", "650", "715"} <= shown


@pytest.mark.deep
def test_pictures_what_bend_prints(tmp_path):
    out, _ = run("bend.py", tmp_path)
    rows = re.findall(r"^before step +(\d+) +(\S+) +(\S+)$", out, re.M)
    straight = {int(step): float(error) for step, error, _ in rows}
    bent = {int(step): float(error) for step, _, error in rows}
    assert {400, 500, 600, 800, 1000} < set(straight)
    of_a_line = float(re.search(r"best straight line has an error of (\S+)$", out, re.M)[1])
    assert of_a_line == pytest.approx(0.097, abs=5e-4)
    assert all(error == of_a_line for step, error in straight.items() if step >= 50)
    assert (bent[200], bent[10_000]) == pytest.approx((0.0088, 0.0033), abs=1.1e-4)
    assert (tmp_path / "bend.png").read_bytes().startswith(PNG)


def test_pictures_the_scatter_of_predictions_on_the_way(plt):
    bend = load("bend")
    bend.STEPS, bend.KEPT = 30, (10, 20, 30)
    x, y = bend.make_points()
    fits = {name: bend.fit(x, y, bends) for name, bends in (("line", False), ("bent", True))}
    bend.plot(x, y, fits, "bend.png")
    *scatters, errors = plt.gcf().axes
    for axes, (predictions, _) in zip(scatters, fits.values(), strict=True):
        assert list(predictions) == [10, 20, 30]
        for drawn, expected in zip(axes.collections, [y, *predictions.values()], strict=True):
            assert np.array_equal(drawn.get_offsets(), np.hstack([x, expected]))
        colours = {tuple(drawn.get_facecolor()[0]) for drawn in axes.collections}
        assert len(colours) == 4
    for line, (_, expected) in zip(errors.lines, fits.values(), strict=False):
        assert np.array_equal(line.get_ydata(), expected)
    for predictions, found in fits.values():
        for step, prediction in predictions.items():
            assert ((prediction - y) ** 2).mean() == pytest.approx(found[step - 1], rel=1e-9)


@pytest.mark.deep
def test_pictures_the_tables_of_accuracies(tmp_path):
    out, _ = run("weights.py", tmp_path)
    epochs = re.findall(r"^ +(\d+) +(0\.\d{3}) +(0\.\d{3})$", out, re.M)
    assert [int(epoch) for epoch, _, _ in epochs] == [0, 1, 2, 3, 5, 10, 20, 30]
    assert float(epochs[0][2]) < 0.3
    assert float(epochs[-1][1]) > 0.99
    digits = re.findall(r"^ +(\d) +(\d+) +(\d+)(?:  (.*))?$", out, re.M)
    table = np.array([[int(n) for n in row[:3]] for row in digits])
    assert table[:, 0].tolist() == list(range(10))
    assert table[:, 1].sum() == 360
    assert float(epochs[-1][2]) == pytest.approx(table[:, 2].sum() / 360, abs=5e-4)
    assert float(epochs[-1][2]) >= 0.965
    for digit, pictures, right, others in digits:
        wrong = others.split(", ") if others else []
        assert len(wrong) == int(pictures) - int(right)
        assert digit not in wrong
    assert (tmp_path / "weights.png").read_bytes().startswith(PNG)


@pytest.mark.untraced
def test_pictures_the_heat_map_of_weights_and_the_digits(plt):
    weights = load("weights")
    rng = np.random.default_rng(0)
    w = rng.normal(size=(64, 30))
    x, y = data.load_digits()
    x, y = x[:20] / 16, y[:20]
    given = rng.dirichlet(np.ones(10), size=20)
    weights.plot(w, x, given, y, "weights.png")
    images = [axes.images[0] for axes in plt.gcf().axes if axes.images]
    tiles, digits = images[:30], images[30:]
    for tile, expected in zip(tiles, w.T, strict=True):
        assert np.array_equal(tile.get_array(), expected.reshape(8, 8))
        assert tile.get_clim() == (-np.abs(w).max(), np.abs(w).max())  # white is 0
        assert tile.get_cmap().name == "RdBu_r"
    least_certain = np.argsort([row[label] for row, label in zip(given, y, strict=True)])[:12]
    assert len(digits) == 12
    for image, i in zip(digits, least_certain, strict=True):
        assert np.array_equal(image.get_array(), x[i].reshape(8, 8))
        seen = given[i].argmax()
        title = f"{y[i]} read right" if seen == y[i] else f"{y[i]} taken for {seen}"
        assert image.axes.get_title() == title


@pytest.mark.deep
def test_pictures_gradients_side_by_side(tmp_path):
    out, _ = run("by_hand.py", tmp_path)
    assert re.search(r"^element +by hand +engine +differences$", out, re.M)
    number = r" +(-?\d\.\d{15})"
    rows = re.findall(rf"^([Wb][12])\[([\d, ]+)\]{number * 3}$", out, re.M)
    assert [name for name, *_ in rows] == ["W1"] * 3 + ["b1"] * 3 + ["W2"] * 3 + ["b2"] * 3
    for _, _, hand, engine, numeric in rows:
        assert float(engine) == pytest.approx(float(hand), rel=1e-12)
        assert float(numeric) == pytest.approx(float(hand), rel=1e-6)
        assert float(hand) != float(numeric)  # it was really computed another way
    largest = re.findall(r"^([Wb][12]) +(\d+) +(\S+) +(\S+)$", out, re.M)
    assert [int(n) for _, n, _, _ in largest] == [64 * 30, 30, 30 * 10, 10]
    assert max(float(hand) for _, _, hand, _ in largest) < 1e-14
    assert max(float(numeric) for _, _, _, numeric in largest) < 1e-7
    assert (tmp_path / "by_hand.png").read_bytes().startswith(PNG)


def test_pictures_gradients_side_by_side_are_drawn_as_they_are(plt):
    by_hand = load("by_hand")
    rng = np.random.default_rng(0)
    hand, engine = rng.normal(size=(2, 30, 10))
    ways = {"by hand": {"W2": hand}, "engine": {"W2": engine}, "differences": {"W2": hand}}
    by_hand.plot(ways, "by_hand.png")
    images = [axes.images[0] for axes in plt.gcf().axes if axes.images]
    for image, expected in zip(images, (hand, engine, hand - engine), strict=True):
        assert np.array_equal(image.get_array(), expected)
        assert image.get_clim() == (-np.abs(expected).max(), np.abs(expected).max())
