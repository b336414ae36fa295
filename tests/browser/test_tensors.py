"""Graphs of Tensors: opened as scalars where they are small, else the numbers of Python."""

import numpy as np
import pytest
from graphs import named
from page_reader import look_along, number, set_field, show_table

from tinygrad_edu import Tensor, Value, data, nn, rules, topological_order

PIXELS = np.random.default_rng(0).normal(size=(2, 3))


def classifier(**changed):
    """The loss of a 3-4-3 network on two samples, after a backward pass."""
    rng = np.random.default_rng(1)
    W1 = Tensor(rng.normal(size=(3, 4)), "W1")
    b1 = Tensor(rng.normal(size=4), "b1")
    W2 = Tensor(rng.normal(size=(4, 3)), "W2")
    for tensor in (W1, b1, W2):
        for index, x in changed.get(tensor.label, {}).items():
            tensor.data[index] = x
    z = named(rules.affine(PIXELS, W1, b1), "z")
    scores = named(named(z.relu(), "h") @ W2, "scores")
    loss = named(nn.cross_entropy(scores, np.array([0, 2])), "loss")
    loss.backward()
    return loss


def elements(loss, what):
    """Every element of every Tensor under the name that the page gives it."""
    return {
        node.label + (f"[{', '.join(map(str, index))}]" if index else ""): float(x)
        for node in topological_order(loss)
        for index, x in np.ndenumerate(np.asarray(getattr(node, what)))
    }


def assert_equal_to_python(page, loss):
    """The table, which has every element of a folded Tensor, against Tensor.backward."""
    show_table(page)
    page.keyboard.press("End")
    [seen] = look_along(page, "next")
    page.keyboard.press("t")
    for shown, what in ((seen.values, "data"), (seen.gradients, "grad")):
        right = elements(loss, what)
        assert {name: shown[name] for name in right} == pytest.approx(right, rel=1e-9, abs=1e-9)


def test_it_opens_folded_with_shapes(open_page):
    page = open_page(classifier())
    keys = page.locator("#picture .unit").evaluate_all("(all) => all.map((x) => x.dataset.key)")
    assert all(key.startswith("module:") for key in keys)
    assert len(keys) == 7
    texts = page.locator("#picture .unit").all_text_contents()
    for name, shape in (("W1", "3 × 4 float64"), ("b1", "4 float64"), ("z", "2 × 4 float64"),
                        ("scores", "2 × 3 float64")):  # fmt: skip
        assert any(name in text and shape in text for text in texts), name
    strips = page.locator('#picture .unit path[class^="bar"]').evaluate_all(
        "(all) => all.filter((path) => path.getAttribute('d')).length"
    )
    assert strips == 2 * 6  # of values and of gradients; the loss is one number
    assert_equal_to_python(page, classifier())


def test_opening_a_tensor_shows_its_scalars(open_page):
    page = open_page(classifier())
    for name in ("W2", "h"):
        button = page.locator(f'.fold[aria-label="Unfold {name}"]')
        button.focus()
        page.keyboard.press("Enter")
        assert page.locator(f'.fold[aria-label="Fold {name}"]').count() == 1
    tips = page.locator("#picture .unit title").all_text_contents()
    lines = [tip.split("\n") for tip in tips if "[" in tip]
    shown = {name: number(gradient.removeprefix("gradient ")) for name, _, gradient, *_ in lines}
    right = elements(classifier(), "grad")
    expected = {name: x for name, x in right.items() if name.startswith(("W2[", "h["))}
    assert len(expected) == 20
    assert shown == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert_equal_to_python(page, classifier())


def test_one_element_moves_everything(open_page):
    page = open_page(classifier())
    for summary in page.locator("#inputs summary").all():
        summary.click()
    set_field(page, "W1[1, 2]", 0.75)
    set_field(page, "b1[0]", -1.5)
    assert_equal_to_python(page, classifier(W1={(1, 2): 0.75}, b1={0: -1.5}))


def test_the_walk_goes_tensor_by_tensor(open_page):
    page = show_table(open_page(classifier(), fragment="step=0"))
    states = look_along(page, "next")
    assert len(states) == 2 * 4 + 3
    order = [state.say[1].split(" ")[0] for state in states[1:5]]
    assert order == ["z", "h", "scores", "loss"]
    assert look_along(page, "back") == states[::-1]


def digits_loss():
    pixels, labels = data.load_digits()
    model = nn.MLP(64, [30, 10], rng=0)
    loss = named(nn.cross_entropy(model(pixels[:30]), labels[:30]), "loss")
    loss.backward()
    return loss


def test_a_network_for_digits_shows_recorded_numbers_and_says_why(open_page):
    loss = digits_loss()
    page = open_page(loss)
    said = page.locator("#inputs").inner_text()
    assert "These numbers are those that Python computed" in said
    assert "too large" in said
    assert page.locator("#inputs input").count() == 0
    tip = page.locator('#picture .unit[aria-label^="loss, "] title').text_content()
    assert number(tip.split("\n")[1].removeprefix("value ")) == loss.data
    assert number(tip.split("\n")[2].removeprefix("gradient ")) == 1


def test_recorded_arrays_show_their_extremes(open_page):
    loss = digits_loss()
    page = open_page(loss, fragment="folded=&step=9999")
    [weight] = [x for x in topological_order(loss) if x.label == "layers.2.weight"]
    unit = page.locator('#picture .unit[aria-label^="layers.2.weight, "]')
    unit.focus()
    page.keyboard.press("Enter")
    rows = page.locator("#why table tbody tr")
    for row, f in zip(rows.all(), (np.min, np.mean, np.max), strict=True):
        value, gradient = (number(x) for x in row.locator("td").all_inner_texts())
        assert value == pytest.approx(f(weight.data), rel=1e-6)
        assert gradient == pytest.approx(f(weight.grad), rel=1e-6)
    assert "30 × 10 float64" in page.locator("#why").inner_text()
    said = unit.get_attribute("aria-label")  # for those who cannot see the strip
    assert f"value from {weight.data.min():.4g}".replace("-", "−") in said


def test_the_walk_over_recorded_numbers(open_page):
    page = show_table(open_page(digits_loss(), fragment="folded=&step=0"))
    states = look_along(page, "next")
    assert len(states) == 2 * 4 + 3
    assert states[0].values["loss"] is None
    assert states[4].values["loss"] == digits_loss().data
    assert states[0].gradients["layers.2.weight"] is None
    assert states[-1].gradients["layers.2.weight"] == "known"
    assert look_along(page, "back") == states[::-1]


@pytest.fixture
def chain_page(open_page):
    y = Value(1.0, "x")
    for _ in range(5000):
        y = y + 1.0
    y.backward()
    return open_page(named(y, "far"))


def test_a_chain_of_5000_says_so_instead_of_drawing(chain_page):
    said = chain_page.locator("#instead").inner_text()
    assert "5001 nodes" in said
    assert "1500" in said
    assert chain_page.locator("#picture").is_hidden()
    rows = chain_page.locator("#tablebody tr").all_inner_texts()
    assert [row.split("\t")[0] for row in rows] == ["x", "far"]
    assert "5001" in rows[1]


def test_every_key_is_harmless_where_nothing_is_drawn(chain_page):
    for key in "+-0ftpf?":
        chain_page.keyboard.press(key)
    chain_page.keyboard.press("Escape")
    for key in ("Home", "ArrowRight", "End", "ArrowLeft", "Space", "Space", "t"):
        chain_page.keyboard.press(key)
    chain_page.locator("#find").fill("x")
    chain_page.locator("#find").press("Enter")
    assert chain_page.locator("#tablebody tr.selected th").inner_text() == "x"
    assert chain_page.locator("#tablebox").is_visible()
