"""Pictures are the same in other programs as in Chromium."""

import importlib.util
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasters
from rasters import LIMIT, difference, on_white

from tinygrad_edu import Tensor, Value, group, nn, to_pdf, to_png, to_svg

DOCS = Path(__file__).parents[2] / "docs"
PROGRAMS = [rasters.cairosvg, rasters.librsvg, rasters.resvg]


@pytest.fixture(autouse=True, scope="module")
def programs():
    """All of them, or none of these tests; where they are asked for, they must be there."""
    missing = [
        name
        for name in ("cairosvg", "pypdfium2", "resvg_py", "typst")
        if not importlib.util.find_spec(name)
    ]
    if shutil.which("rsvg-convert") is None:
        missing.append("rsvg-convert (librsvg2-bin)")
    if missing and not os.environ.get("TINYGRAD_EDU_NEEDS_BROWSER"):
        pytest.skip(f"not installed: {', '.join(missing)}")
    assert missing == []


@pytest.fixture
def chromium(context_with, tmp_path):
    """`chromium(svg)`: the pixels of a picture in the browser."""

    def draw(svg, dark=False):
        path = tmp_path / "picture.svg"
        path.write_text(svg, encoding="utf-8")
        scheme = "dark" if dark else "light"
        page = context_with(color_scheme=scheme, device_scale_factor=2).new_page()
        size = re.search(r'width="(\S+)" height="(\S+)"', svg)
        width, height = (round(float(x)) for x in size.groups())
        page.set_viewport_size({"width": width, "height": height})
        page.goto(path.as_uri())
        pixels = on_white(page.screenshot(), 2)
        page.close()
        return pixels

    return draw


def neuron():
    a, b = Value(2.0, "a  & <b>"), Value(-3.0, "b")
    with group("neuron"):
        y = (a * 0.5 + b * 1.5 + 6.7).tanh()
    y = (y * y + a).softplus()
    y.label = "loss"
    y.backward()
    return y


def tensors():
    x = Tensor(np.linspace(-1.0, 2.0, 6).reshape(2, 3), "x")
    loss = nn.cross_entropy((x @ Tensor(np.eye(3), "W")).relu(), np.array([0, 2]))
    loss.backward()
    return loss


def shared_leaves():
    w, y = Value(0.5, "w"), Value(2.0, "x")
    for _ in range(3):
        y = y * w + 1.0
    return y


PICTURES = {
    "apples": lambda: (DOCS / "apple_tax.svg").read_text(encoding="utf-8"),
    "check": lambda: (DOCS / "check.svg").read_text(encoding="utf-8"),
    "neuron": lambda: to_svg(neuron()),
    "tensors": lambda: to_svg(tensors()),
    "shared leaves": lambda: to_svg(shared_leaves()),
}


@pytest.mark.parametrize("picture", PICTURES)
def test_every_program_draws_the_picture_that_chromium_draws(chromium, picture):
    svg = PICTURES[picture]()
    true = chromium(svg)
    assert difference(true, chromium(svg, dark=True)) == 0
    for draw in PROGRAMS:
        assert difference(true, draw(svg)) < LIMIT, draw.__name__


def test_png_and_pdf_show_the_same_picture(chromium):
    root = neuron()
    true = chromium(to_svg(root))
    assert difference(true, on_white(to_png(root, scale=2), 2)) < LIMIT
    assert difference(true, rasters.pdf(to_pdf(root))) < LIMIT


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_the_page_saves_is_the_same_in_every_program(open_page, chromium, dark):
    page = open_page(neuron(), dark=dark, fragment="select=card:8")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")  # so that a step is marked
    page.locator("#save > summary").click()
    with page.expect_download() as download:
        page.locator("#save-svg").click()
    svg = download.value.path().read_text(encoding="utf-8")
    true = chromium(svg)
    for draw in PROGRAMS:
        assert difference(true, draw(svg)) < LIMIT, draw.__name__


MISTAKES = {
    "a black ground": (r'(class="bg"[^>]*) fill="[^"]*"', r"\1"),
    "a line less": (r'<path d="[^"]*"/>', ""),
    "a name less": ("apple_price</text>", "</text>"),
    "a number less": (">100</text>", "></text>"),
    "a small word less": (">value</text>", "></text>"),
    "an operation less": (">×</text>", "></text>"),
    "a card moved": (r"translate\(0\.0 ", "translate(4.0 "),
    "blue numbers black": ('fill="#005fa3"', ""),
    "letters not bold": ('font-weight="bold"', ""),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_picture_with_a_mistake_is_another_picture(mistake):
    svg = PICTURES["apples"]()
    count = 0 if "bold" in mistake or "blue" in mistake else 1
    changed = re.sub(*MISTAKES[mistake], svg, count=count)
    assert changed != svg
    assert difference(rasters.resvg(svg), rasters.resvg(changed)) > LIMIT
