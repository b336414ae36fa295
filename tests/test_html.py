"""The page as a file: one script, one block of data, nothing from elsewhere, never half a file."""

import base64
import hashlib
import re
import runpy
from html.parser import HTMLParser
from pathlib import Path

import pytest
from page_in_node import STATIC
from test_page_data import in_page, several

from tinygrad_edu import Tensor, Value, to_html
from tinygrad_edu.view.page.compact import compact_code
from tinygrad_edu.view.page.page import NO_LESSON, SCRIPTS
from tinygrad_edu.view.picture.style import FONTS

DEMOS = Path(__file__).parents[1] / "demos"
NAMESPACES = {"http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML"}


class Reader(HTMLParser):
    """The elements of a page, each with its attributes and the text directly in it."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(set(names)) == len(names), (tag, names)
        self.elements.append((tag, dict(attributes), []))
        self.open.append(self.elements[-1])

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if self.open:
            self.open[-1][2].append(data)

    def all(self, tag):
        return [
            (attributes, "".join(text)) for name, attributes, text in self.elements if name == tag
        ]


def apples():
    root = runpy.run_path(str(DEMOS / "apple_tax.py"))["two_fruits"]()
    root.backward()
    return root


def hash_of(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def check_page(html):
    """What holds for every page, whatever its graph and its labels."""
    page = Reader(html)
    assert html.startswith("<!doctype html>")
    data, script = page.all("script")
    assert data[0] == {"type": "application/json", "id": "graph"}
    assert script[0] == {}
    in_page(html)
    [policy] = [
        attributes["content"] for attributes, _ in page.all("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]  # fmt: skip
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == hash_of(script[1])
    styles = {hash_of(text) for _, text in page.all("style")}
    assert set(directives["style-src"].split()) == styles
    assert directives["base-uri"] == directives["form-action"] == "'none'"
    assert set(directives["img-src"].split()) <= {"data:", "blob:"}
    assert set(directives) <= {
        "default-src", "script-src", "style-src", "img-src", "base-uri", "form-action",
    }  # fmt: skip
    for tag, attributes, _ in page.elements:
        assert not {"src", "action", "data", "srcset", "background"} & set(attributes), tag
        assert attributes.get("href", "data:").startswith(("data:", "#"))
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
    assert set(re.findall(r"https?://[^\s\"'`)<]*", html)) <= NAMESPACES
    for word in ("@import", "url(", "fetch(", "XMLHttpRequest", "WebSocket", "sendBeacon",
                 "EventSource", "innerHTML", "outerHTML=", "insertAdjacentHTML", "document.write",
                 "eval(", "new Function", "import("):  # fmt: skip
        assert word not in html, word
    [(_, title)] = page.all("title")
    return page, title


def test_every_kind_of_page_is_one_file_that_asks_for_nothing():
    for root in several():
        check_page(to_html(root))


def test_the_page_of_apples_oranges_and_tax_is_small():
    html = to_html(apples(), title="Apples, oranges and tax", ranges={"tax": (1, 1.5, 0.01)})
    assert len(html.encode()) < 180_000
    _, title = check_page(html)
    assert title == "Apples, oranges and tax"
    data = in_page(html)
    assert [card["v"] for card in data["cards"]][-1] == pytest.approx(715)
    assert data["known"]


def test_the_title_is_the_roots_label_unless_given():
    node = Value(1.0, "price & <tax>")
    for html, wanted in (
        (to_html(node), "price & <tax>"),
        (to_html(node, title="T</title>"), "T</title>"),
        (to_html(node, title=" "), "Computation graph"),
        (to_html(node, title=""), "Computation graph"),
        (to_html(Value(1.0)), "Computation graph"),
    ):
        page, title = check_page(html)
        assert title == wanted
        assert page.all("h1") == [({}, wanted)]


def test_the_script_holds_no_comment_lines_of_the_source_and_no_tag():
    _, (_, script) = Reader(to_html(apples())).all("script")
    assert "</" not in script
    assert "<!--" not in script
    assert not re.search(r"^\s*//", script, re.M)


def test_a_picture_that_the_page_saves_asks_for_the_fonts_that_others_ask_for():
    assert f'const FONTS="{FONTS}";' in to_html(apples())


# --- the file ------------------------------------------------------------------------------------


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [3, b"t", ["t"], Value(1.0)])
def test_a_title_is_text(tmp_path, wrong):
    with pytest.raises(TypeError, match="to_html: the title must be a string, not "):
        to_html(Tensor([1.0]), tmp_path / "page.html", title=wrong)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [*SCRIPTS, *NO_LESSON])
def test_the_compact_code_has_every_sign_of_the_code(name):
    """Only spaces, ends of lines and comments are gone, and none that a text holds."""
    lines = (STATIC / f"{name}.js").read_text(encoding="utf-8")
    plain = re.sub(r"(?m)(?:(?<=\s)|^)// .*", "", lines)
    plain = re.sub(r"(?ms)^\s*/\*\*.*?\*/\n", "", plain)
    compact = compact_code(name)
    assert re.sub(r"\s", "", compact) == re.sub(r"\s", "", plain)
    for text in re.findall(r'"[^"\\\n`]*"', plain):
        assert text in compact
