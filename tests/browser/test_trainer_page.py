"""The page that trains, in a real browser: it learns, and its points are the reader's."""

import random

import pytest
from test_accessible import axe  # noqa: F401

import tinygrad_edu as tg
from conftest import PATIENCE
from tinygrad_edu import data, scalar_nn


@pytest.fixture(scope="module")
def moons(tmp_path_factory):
    path = tmp_path_factory.mktemp("trainer") / "moons.html"
    model = scalar_nn.MLP(2, [8, 1], rng=random.Random(1))
    points, labels = data.make_moons(40, noise=0.1, rng=0)
    return tg.to_html(tg.Trainer(model, points, labels, rate=0.5), path, title="Two moons")


def loss_of(page):
    return float(page.inner_text("#loss-now"))


def wait_until(page, is_so):
    """Until a frame has drawn it; the page's policy allows no code that Chromium would wait for."""
    for _ in range(PATIENCE // 20):
        if is_so():
            return
        page.wait_for_timeout(20)
    pytest.fail("the page did not come to that")


def wait_for_step(page, at_least):
    wait_until(page, lambda: int(page.inner_text("#step-now") or -1) >= at_least)


def image_of(page, selector="#map"):
    return page.evaluate(f"document.querySelector('{selector}').toDataURL()")


def test_it_plays_steps_and_rewinds(open_file, moons):
    page = open_file(moons)
    wait_for_step(page, 0)
    start, plane, unit = loss_of(page), image_of(page), image_of(page, "#units canvas")
    page.click("#step")
    wait_for_step(page, 1)
    assert 0 < loss_of(page) < start
    page.locator("#plane").focus()
    page.keyboard.press("Space")
    wait_for_step(page, 12)
    page.keyboard.press("Space")
    assert page.inner_text("#play") == "Play"
    assert int(page.locator("#scrub").get_attribute("max")) >= 11
    assert image_of(page) != plane
    assert image_of(page, "#units canvas") != unit
    page.locator("#scrub").fill("1")
    wait_until(page, lambda: page.inner_text("#step-now") == "1")
    page.click("#rewind")
    wait_until(page, lambda: page.inner_text("#step-now") == "0")
    assert loss_of(page) == start
    page.select_option("#set", label="spirals")
    wait_until(page, lambda: loss_of(page) != start)
    assert page.inner_text("#noise-now") == "0.08"


def test_a_loss_that_is_not_a_number_ends_the_run_and_says_why(open_file, tmp_path):
    model = scalar_nn.MLP(2, [2, 1], rng=random.Random(1))
    for p in model.parameters():
        p.data *= 1e200
    trainer = tg.Trainer(model, [[0, 1], [1, 0]], [0, 1], rate=10)
    page = open_file(tg.to_html(trainer, tmp_path / "huge.html"))
    page.click("#play")
    wait_until(page, lambda: "a rate of 10 are too large" in page.inner_text("#notice"))
    assert page.inner_text("#play") == "Play"


def test_points_are_added_moved_and_deleted(open_file, moons):
    page = open_file(moons)
    wait_for_step(page, 0)
    box = page.locator("#plane").bounding_box()
    corner = box["x"] + 0.1 * box["width"], box["y"] + 0.1 * box["height"]
    page.check("input[value=one]")
    page.mouse.click(*corner)
    wait_until(page, lambda: page.inner_text("#batch-now") == "all 41")
    page.check("input[value=move]")
    before = loss_of(page)
    page.mouse.move(*corner)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.9 * box["height"])
    page.mouse.up()
    wait_until(page, lambda: loss_of(page) != before)
    page.check("input[value=delete]")
    page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 0.9 * box["height"])
    wait_until(page, lambda: page.inner_text("#batch-now") == "all 40")
    page.locator("input[value=delete]").focus()
    page.keyboard.press("Shift+Tab")  # the plane, by the keyboard
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("0")
    assert page.inner_text("#notice") == "A point of class 0 is added: 41 points."
    page.keyboard.press("Enter")
    assert page.inner_text("#notice") == "The point is taken: arrows move it."
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert page.inner_text("#notice") == "The point is dropped."
    page.keyboard.press("Delete")
    assert page.inner_text("#notice") == "The point is deleted: 40 points."


def test_a_stranger_sees_it_learn_by_itself(open_file, moons):
    page = open_file(moons, reduced_motion=False)
    wait_for_step(page, 5)
    assert page.inner_text("#play") == "Pause"


@pytest.mark.parametrize(
    ("width", "settings"),
    [(1440, {}), (360, {"dark": True}), (800, {"forced_colors": "active"})],
)
def test_training_is_for_every_reader(open_file, moons, axe, width, settings):  # noqa: F811
    page = open_file(moons, width=width, **settings)
    page.evaluate(f"{axe}; undefined")
    violations = page.evaluate("axe.run().then(({violations}) => violations.map((v) => v.id))")
    assert violations == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
