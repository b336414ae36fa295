"""PNG and PDF, and where pictures are written: the ending of a name says what is in a file."""

import struct
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from picture_reader import apple_and_tax

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, gradcheck, group
from tinygrad_edu.view.picture.figures import LONGEST_SIDE
from tinygrad_edu.view.targets import ENDINGS

WRITERS = {ending: getattr(tg, name) for ending, name in ENDINGS.items()}
STARTS = {".html": b"<!doctype html>", ".svg": b"<svg ", ".png": b"\x89PNG\r\n\x1a\n",
          ".pdf": b"%PDF-", ".dot": b"digraph {"}  # fmt: skip
endings = pytest.mark.parametrize("ending", WRITERS)


def size(png):
    """The width and the height that a PNG file names in its first chunk."""
    assert png[12:16] == b"IHDR"
    return struct.unpack(">II", png[16:24])


@endings
@pytest.mark.parametrize("kind", [str, Path], ids=["str", "Path"])
def test_with_a_path_a_file_is_written_and_its_path_returned(tmp_path, ending, kind):
    price, path = apple_and_tax(), tmp_path / f"price{ending}"
    found = WRITERS[ending](price, kind(path))
    assert found == path
    assert len(repr(found)) < 200
    content = WRITERS[ending](price)
    assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert path.read_bytes().startswith(STARTS[ending])
    assert [x.name for x in tmp_path.iterdir()] == [path.name]


@endings
@pytest.mark.parametrize("wrong", [*WRITERS, ".SVG", ".jpg", ".txt"])
def test_a_wrong_ending_is_refused_before_anything_is_written(tmp_path, ending, wrong):
    path = tmp_path / f"price{wrong}"
    if wrong.lower() == ending:
        WRITERS[ending](Value(1.0), path)
        return
    with pytest.raises(ValueError, match=rf"price\{wrong} must end in \{ending}") as found:
        WRITERS[ending](Value(1.0), path)
    other = ENDINGS.get(wrong.lower())
    assert str(found.value).endswith(f"; {other} writes {wrong.lower()}" if other else ending)
    assert list(tmp_path.iterdir()) == []


def test_a_report_too_has_its_picture_in_every_kind_of_file(tmp_path):
    report = gradcheck(lambda x: x * 2.0, Tensor([1.0, 2.0], "x"))
    for ending, write in (
        (".svg", report.to_svg),
        (".png", lambda path: tg.to_png(report, path)),
        (".pdf", lambda path: tg.to_pdf(report, path)),
    ):
        path = tmp_path / f"report{ending}"
        assert write(path) == path
        assert path.read_bytes().startswith(STARTS[ending])
        with pytest.raises(ValueError, match=rf"must end in \{ending}"):
            write(tmp_path / "report.html")


@pytest.mark.parametrize("scale", [None, 1, 0.5, 3.0])
def test_a_png_has_as_many_pixels_as_its_scale_says(scale):
    svg = ET.fromstring(tg.to_svg(apple_and_tax()))
    wanted = [float(svg.get(side)) * (scale or 2) for side in ("width", "height")]
    assert size(tg.to_png(apple_and_tax(), scale=scale)) == pytest.approx(wanted, abs=1)


def test_a_long_png_is_scaled_down_and_a_scale_that_is_too_large_refused(tmp_path):
    x = Value(1.0)
    for _ in range(450):
        x = x.tanh()
    width, height = size(tg.to_png(x))
    assert LONGEST_SIDE - 2 <= height <= LONGEST_SIDE
    assert width > 100
    with pytest.raises(ValueError, match=r"scale=2 makes \d+ pixels .* than 16384; leave it out"):
        tg.to_png(x, tmp_path / "x.png", scale=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scale", [0, -1.0, float("nan"), float("inf"), True, "2"])
def test_a_scale_is_a_positive_number(scale):
    with pytest.raises((ValueError, TypeError), match="to_png: scale"):
        tg.to_png(Value(1.0), scale=scale)


@pytest.mark.parametrize("draw", [tg.to_png, tg.to_pdf])
def test_the_same_picture_is_the_same_bytes_every_time(draw):
    assert draw(apple_and_tax()) == draw(apple_and_tax())


@pytest.mark.parametrize("draw", [tg.to_png, tg.to_pdf])
@pytest.mark.parametrize(
    "thing",
    [3.0, None, "x", [Value(1)], Value, gradcheck],
    ids=["number", "None", "text", "list", "class", "function"],
)
def test_only_what_has_a_picture_is_drawn(draw, thing):
    with pytest.raises(TypeError, match=rf"{draw.__name__}: expected a node or the report"):
        draw(thing)


HOSTILE = "\x00\x07\x1b[2J\ud800\udfff\u2028\u202e\ufffe]]><!-- </svg>&lt;&\"'\\ #{x} 漢 😀"


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_any_label_can_be_written_in_every_kind_of_file(tmp_path, writer):
    with group(HOSTILE):
        root = Value(2.0, HOSTILE) * 3.0
    root.label = HOSTILE
    path = writer(root * 2.0, tmp_path / f"x{next(e for e in WRITERS if WRITERS[e] is writer)}")
    data = path.read_bytes()
    if path.suffix not in (".png", ".pdf"):
        assert not [c for c in data.decode("utf-8") if ord(c) < 32 and c not in "\t\n"]


def test_without_typst_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "typst", None)
    for ending in (".png", ".pdf"):
        with pytest.raises(ImportError, match=r"pip install 'tinygrad_edu\[figures\]'"):
            WRITERS[ending](Value(1.0), tmp_path / f"x{ending}")
    assert list(tmp_path.iterdir()) == []
