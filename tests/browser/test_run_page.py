"""The page of a training run, in a real browser: its numbers are those of the History."""

import numpy as np
import pytest
from test_accessible import axe  # noqa: F401

import tinygrad_edu as tg
from tinygrad_edu import data, nn, optim


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A short run on digits, its page, and what was taken for what at its end."""
    path = tmp_path_factory.mktemp("run") / "digits.html"
    x, y = data.load_digits()
    x, y = (x[:300] / 16).astype(np.float32), y[:300]
    model = nn.Sequential(nn.Linear(64, 12, rng=0), nn.Tanh(), nn.Linear(12, 10, rng=1))
    loader = data.DataLoader(x[:200], y[:200], 20, rng=0)
    optimizer = optim.SGD(model.parameters(), lr=0.3)
    history = tg.fit(model, nn.cross_entropy, loader, optimizer, 6, clip=5.0, page=path,
                     validation=(x[200:], y[200:]), metrics=[nn.accuracy])  # fmt: skip
    with tg.no_grad():
        matrix = nn.confusion_matrix(model(x[200:]), y[200:], classes=10)
    return path, history, matrix


def test_the_numbers_of_a_run(open_file, digits):
    path, history, matrix = digits
    page = open_file(path)
    assert "6 epochs" in page.inner_text("#status")
    assert f"best is epoch {history.best + 1}" in page.inner_text("#status")
    titles = page.locator("#curves h3").all_inner_texts()
    assert titles == ["loss", "accuracy", "gradient norm", "lr"]
    for epoch in (6, 2):
        page.locator("#scrub").fill(str(epoch - 1))
        assert page.inner_text("#shown") == str(epoch)
        said = page.inner_text("#numbers")
        assert f"accuracy {history.accuracy[epoch - 1]:.4g}" in said
        assert f"gradient norm {history.gradient_norm[epoch - 1]:.4g}" in said
    page.locator("#scrub").fill("5")
    cells = page.locator("#matrix tbody tr").all()
    found = [[int(n.replace("·", "0")) for n in row.locator("td").all_inner_texts()]
             for row in cells]  # fmt: skip
    assert found == matrix.tolist()
    wrong = int(matrix.sum() - np.trace(matrix))
    assert page.locator("#misread figure").count() == min(wrong, 24)
    assert page.locator("#layers h3").count() == 4


def test_a_kept_step_opens_as_its_graph(open_file, digits):
    page = open_file(digits[0])
    links = page.locator("#steps a")
    assert links.all_inner_texts() == ["step after epoch 1", "step after epoch 6"]
    with page.context.expect_page() as opened:
        links.first.click()
    graph = opened.value
    graph.wait_for_selector("#picture svg")
    assert graph.locator("#scrub").get_attribute("max") != "0"
    graph.close()


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (360, True)])
def test_a_run_is_for_every_reader(open_file, digits, axe, width, dark):  # noqa: F811
    page = open_file(digits[0], width=width, dark=dark)
    page.evaluate(f"{axe}; undefined")
    violations = page.evaluate("axe.run().then(({violations}) => violations.map((v) => v.id))")
    assert violations == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_ten_thousand_epochs_are_thinned_and_the_map_moves(open_file, tmp_path):
    x, y = data.make_moons(60, noise=0.1, rng=0)
    model = nn.MLP(2, [8, 2], rng=0)
    optimizer = optim.SGD(model.parameters(), lr=0.3)
    history = tg.fit(model, nn.cross_entropy, [(x, y)], optimizer, 50, replay=True)
    history._rows *= 200  # as a run of 10 000 epochs would have them
    path = tg.to_html(history, tmp_path / "long.html")
    assert path.stat().st_size < 1_000_000
    page = open_file(path)
    assert "400 of 10000 epochs are drawn" in page.inner_text("#status")
    assert page.locator("#mapbox rect").count() == 1600
    assert page.locator("#mapbox circle, #mapbox path").count() == 60
    before = page.inner_html("#mapbox")
    page.locator("#scrub").fill("0")
    assert page.inner_html("#mapbox") != before
