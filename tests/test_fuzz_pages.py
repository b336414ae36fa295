"""Pages and pictures with any text as label, group and title: text stays text, and all of it."""

import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinygrad_edu import Tensor, Value, group, to_dot, to_html, to_svg

PIECES = [
    "</script>", "<script>alert(1)</script>", "<!--", "-->", "<!DOCTYPE", "]]>", "<![CDATA[",
    "<?xml", '"', "'", "`", "&lt;", "&#60;", "&", "<", ">", "\\", "\\u003c", "\\N", "${x}", "{{x}}",
    "$&", "onload=alert(1)", "javascript:", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>",
    "</title>", "</style>", "</text>", "\u202e", "\u2066", "\u200b", "\u2028", "\u2029", "\ufeff",
    "\0", "\x0b", "\x1b[2J", "\x7f", "\x85", "\ufffe", "\ud800", "\udfff", "\U0001f4a5", "e\u0301",
    "\n", "\r", "\t", " ", ".", "/", "#", "%", "constructor", "__proto__", "0", "x", "größe", "数",
]  # fmt: skip

hostile = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
any_text = st.one_of(hostile, st.text(st.characters(exclude_categories=()), max_size=40))


def graph(leaf, inner, root, module, kind=Value):
    """A graph with a text wherever a user may put one."""
    x = kind(0.5, leaf)
    with group(module):
        h = (x * 2.0).tanh()
        h.label = inner
    y = h * h + x
    y.label = root
    y.backward()
    return y


PLAIN = ("leaf", "inner", "root", "module")


class Elements(HTMLParser):
    """Every element with its attributes' names, every comment and declaration, and texts."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.found, self.texts = [], {}
        self.last = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.last = tag
        self.found.append((tag, tuple(name for name, _ in attributes)))

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        self.last = ""

    def handle_data(self, text):
        self.texts.setdefault(self.last, []).append(text)

    def handle_comment(self, text):
        self.found.append(("comment", text))

    def handle_decl(self, text):
        self.found.append(("declaration", text))

    def handle_pi(self, text):
        self.found.append(("instruction", text))

    def unknown_decl(self, text):
        self.found.append(("unknown", text))


def as_shown(text):
    """What the docs promise of a text: one line, no marks that turn the direction of writing, and a
    sign for what is not a character."""
    shown = ""
    for c in text:
        kind = unicodedata.category(c)
        if c in "\n\r\t" or kind in ("Zl", "Zp"):
            shown += " "
        elif kind in ("Cc", "Cs", "Cn", "Co"):
            shown += "\ufffd"
        elif kind != "Cf":
            shown += c
    return shown


def data_of(html):
    [text] = re.findall(r'<script type="application/json" id="graph">(.*?)</script>', html, re.S)
    return json.loads(text)


plain_page = Elements(to_html(graph(*PLAIN), title="title"))


def check_page(html):
    html.encode("utf-8")
    page = Elements(html)
    assert page.found == plain_page.found  # no element, attribute or comment more, or less
    assert page.texts["style"] == plain_page.texts["style"]
    return page


@given(st.tuples(*[any_text] * 4), any_text)
@example(("<!--<script>",) * 4, "<!--<script>")
@example(("\ud800\0\u2028",) * 4, "</title><script>")
def test_a_page_has_the_elements_that_it_has_with_any_other_text(texts, title):
    html = to_html(graph(*texts), title=title)
    page = check_page(html)
    assert "".join(page.texts["title"]) == (as_shown(title).strip()[:120] or "Computation graph")
    names = [card["name"] for card in data_of(html)["cards"]]
    for text in (texts[0], texts[1], texts[2]):
        shown = as_shown(text)
        if shown.strip() and len(shown) <= 60:
            assert shown in names or shown.strip() in names


@given(st.lists(st.text("<>&'\"\\/!-[]{}$`%#=;:,.éλ数💥 ab", min_size=1, max_size=30), min_size=3,
                max_size=3))  # fmt: skip
def test_a_text_that_can_be_shown_survives_exactly(texts):
    texts = [text.strip() or "x" for text in texts]
    root = graph(*texts, "module")
    found = [card["name"] for card in data_of(to_html(root))["cards"]]
    assert set(texts) <= set(found)
    svg = ET.fromstring(to_svg(root))
    tips = [e.text.splitlines()[0] for e in svg.iter("{http://www.w3.org/2000/svg}title")]
    assert set(texts) <= set(tips)
    assert svg.get("aria-label") == f"computation graph of {texts[2]}"


def shape_of(svg):
    """Every element with its attributes' names; frames and cards may grow with their texts."""
    return [(e.tag, sorted(e.attrib)) for e in ET.fromstring(svg.encode()).iter()]


plain_picture = shape_of(to_svg(graph(*PLAIN)))


@given(st.tuples(*[any_text] * 4))
@example(("]]>", "<!--", "&#0;", "\0"))
def test_a_picture_is_xml_with_the_elements_that_it_has_with_any_other_text(texts):
    svg = to_svg(graph(*texts))
    root = ET.fromstring(svg.encode("utf-8"))
    found = shape_of(svg)
    allowed = {tag for tag, _ in plain_picture}
    assert {tag for tag, _ in found} <= allowed
    names = {name for _, attributes in found for name in attributes}
    assert names <= {name for _, attributes in plain_picture for name in attributes}
    for e in root.iter():
        if e.text:
            assert not re.search("[\0-\x08\x0b\x0c\x0e-\x1f\u202a-\u202e\u2066-\u2069]", e.text)


DOT_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"|<|->|--|[{}\[\];,=]|[A-Za-z_][\w]*|-?(?:\d+\.?\d*|\.\d+)|\s+', re.S
)


def dot_tokens(source):
    """The tokens of a source in the DOT language, without the contents of its strings."""
    tokens, at = [], 0
    while at < len(source):
        match = DOT_TOKEN.match(source, at)
        assert match, source[at : at + 60]
        token, at = match[0], match.end()
        if not token.isspace():
            tokens.append('""' if token.startswith('"') else token)
    return tokens


@given(st.tuples(*[any_text] * 4))
@example(('"];x[label="', "\\", '\\"', 'a" -> "b'))
def test_a_source_for_graphviz_has_the_tokens_that_it_has_with_any_other_text(texts):
    source = to_dot(graph(*texts))
    source.encode("utf-8")
    assert dot_tokens(source) == dot_tokens(to_dot(graph(*PLAIN)))


@pytest.mark.parametrize("kind", [Value, lambda x, label: Tensor([[x, 2.0 * x]], label)])
@given(any_text)
def test_tensors_and_rows_of_constants_too(kind, text):
    x = kind(0.5, text)
    y = (x * np.array([[2.0, 3.0]])).sum() if isinstance(x, Tensor) else x * 2.0
    y.label = text
    twin = kind(0.5, "a")
    z = (twin * np.array([[2.0, 3.0]])).sum() if isinstance(twin, Tensor) else twin * 2.0
    z.label = "b"
    assert Elements(to_html(y)).found == Elements(to_html(z)).found
    ET.fromstring(to_svg(y).encode("utf-8"))
    assert dot_tokens(to_dot(y)) == dot_tokens(to_dot(z))
