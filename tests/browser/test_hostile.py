"""Names and numbers that try to break the page, or to run."""

import base64
import hashlib
import json
import math
import re
import unicodedata
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu
from tinygrad_edu import Tensor, Value, group, to_html, to_svg

STATIC = Path(tinygrad_edu.__file__).parent / "view" / "static"

HOSTILE = {
    "script": "</script><script>window.hacked=1</script>",
    "comment": "<!--<script>window.hacked=1//-->",
    "image": '"><img src=x onerror=window.hacked=1>',
    "title": "</title></style></textarea><svg onload=window.hacked=1>",
    "quotes": "\"a\" 'b' `c` ${window.hacked=1}",
    "backslashes": "\\ \\u003cscript\\u003e \\\\n \\",
    "cdata": "]]><![CDATA[ ]]>",
    "newlines": "one\ntwo\r\nthree\u2028four\u2029five",
    "turned": "right\u202etfel\u202c \u200frtl \u2066x\u2069",
    "controls": "nul\x00bell\x07escape\x1b[31m",
    "surrogates": "\ud800lone\udfff",
    "no characters": "a\ufffe\uffffb",
    "long": "long " * 2_000,
    "one long word": "<" * 10_000,
    "__proto__": "__proto__",
    "constructor": "constructor",
    "toString": "toString",
    "emoji": "🍎🍏👩‍🌾",
    "template": "{data}{script}{{title}}{0}%s%(x)s",
    "replacement": "$& $1 $` $' \\1 \\g<0>",
    "entity": "&amp;&lt;b&gt;&#65;AT&T",
    "address": "a&b=c#d?e%20f+g",
    "markup": "<b>bold</b>",
    "spaces": "   ",
}


TAGS = """() => {
  const count = {};
  for (const x of document.querySelectorAll("*")) count[x.tagName] = (count[x.tagName] ?? 0) + 1;
  return count;
}"""

NUMBERS = """() => [...document.querySelectorAll("#picture .unit > title")]
  .map((tip) => tip.textContent.split("\\n").slice(-2))"""

# Everywhere that a name of the graph is shown, read or put into a list.
NAMES = """() => {
  const texts = (selector) => [...document.querySelectorAll(selector)].map((x) => x.textContent);
  const labels = (selector, name) =>
    [...document.querySelectorAll(selector)].map((x) => x.getAttribute(name));
  return {
    heading: texts("h1"), cards: texts("#picture .name"), frames: texts("#picture .title"),
    fold: labels("#picture .fold", "aria-label").map((x) => x.replace(/^Fold /, "")),
    tips: texts(".unit:not(.constant) > title").map((x) => x.replace(/\\nvalue[^]*/, "")),
    inputs: texts("#inputs .label"),
    hints: labels("#inputs .label", "title"),
    math: texts("math mi"), question: texts("#why .question b"), rows: texts("#tablebody th"),
    list: labels("#names option", "value"),
  };
}"""


# Signs that turn the direction of writing, that cannot be seen, or that are not characters.
UNSEEN = """() => document.documentElement.outerHTML.match(
  /[\\u0000-\\u0008\\u000b-\\u001f\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u2069\\ud800-\\udfff\\ufffe\\uffff]/u)"""


def graph_of(name):
    """(2 x + 3) x, with the name on everything that takes one."""
    x = Value(2.0, name)
    with group(name):
        inner = x * 2.0
        inner.label = name
        root = (inner + 3.0) * x
    root.label = name
    root.backward()
    return root


def letters(text):
    """What of a text can be seen: no blanks, no controls, no signs that stand for those."""
    return "".join(c for c in text if unicodedata.category(c)[0] not in "ZC" and c != "\ufffd")


def shows(shown, name):
    """Whether a text is a name, or its beginning and an ellipsis."""
    if shown.endswith("…"):
        return letters(name).startswith(letters(shown[:-1]))
    return letters(shown) == letters(name)


@pytest.fixture(scope="module")
def plain(browser, tmp_path_factory):
    """The tags and numbers of the page whose names are harmless, at its last step."""
    path = tmp_path_factory.mktemp("plain") / "page.html"
    to_html(graph_of("name"), path, title="name", ranges={"name": (0, 5, 1)})
    page = browser.new_page()
    page.goto(path.as_uri())
    page.keyboard.press("t")
    found = page.evaluate(TAGS), page.evaluate(NUMBERS)
    page.close()
    return found


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_name_is_shown_as_text_everywhere_and_changes_nothing(open_page, plain, name):
    page = open_page(graph_of(name), title=name, ranges={name: (0, 5, 1)})
    page.keyboard.press("t")
    tags, numbers = page.evaluate(TAGS), page.evaluate(NUMBERS)
    for found in (tags, plain[0]):  # a name that reads as a sum stands in parentheses
        found.pop("mo", None)
        found.pop("mrow", None)
    if not name.strip():  # not a name: the list of names stays empty
        tags["OPTION"] = plain[0]["OPTION"]
    assert (tags, numbers) == plain
    assert len(numbers) == 4
    assert page.evaluate(UNSEEN) is None
    if name.strip():
        for place, shown in page.evaluate(NAMES).items():
            own = [text for text in shown if text and not re.fullmatch(r"v\d+", text)]
            assert own, place
            assert [text for text in own if not shows(text, name)] == [], place
    page.keyboard.press("t")
    for key in ["f", "Home", *["ArrowRight"] * 4]:
        page.keyboard.press(key)
    page.locator("#find").fill(letters(name) + "?")
    page.locator("#find").press("Enter")
    assert "No node is called" in page.locator("#notice").inner_text()
    page.locator("#last").click()
    check_saved_picture(page, name)
    assert page.evaluate("typeof window.hacked") == "undefined"


def check_saved_picture(page, name):
    page.locator("#save > summary").click()
    with page.expect_download() as download:
        page.locator("#save-svg").click()
    assert re.fullmatch(r"[\w-]+\.svg", download.value.suggested_filename, re.ASCII)
    root = ET.parse(download.value.path()).getroot()
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "style", "g", "rect", "path", "circle", "text", "tspan", "title"}
    texts = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"2", "11", "14"} <= set(texts)
    if name.strip():
        assert sum(text != "" and shows(text, name) for text in texts) >= 2


def test_pictures_with_such_names_inside_a_page_run_nothing(open_file, tmp_path):
    path = tmp_path / "notebook.html"
    pictures = [to_svg(graph_of(name)) for name in HOSTILE.values()]
    path.write_text(
        f"<!doctype html><meta charset=utf-8><link rel=icon href=data:,>{''.join(pictures)}",
        encoding="utf-8",
    )
    page = open_file(path)
    assert page.locator("svg").count() == len(HOSTILE)
    assert page.locator("body > :not(svg)").count() == 0
    assert page.locator("script, img, foreignObject").count() == 0
    assert page.evaluate("typeof window.hacked") == "undefined"


class Scripts(HTMLParser):
    """The scripts and styles of a page, the attributes of its tags, and its policy."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.policy = [], {"script": [], "style": []}, ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append((tag, found))
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"]
        if tag in self.texts:
            self.texts[tag].append("")

    def handle_data(self, data):
        if self.cdata_elem:
            self.texts[self.cdata_elem][-1] += data


def digest(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_the_policy_names_the_scripts_and_styles_of_the_page_and_nothing_else(name):
    page = Scripts(to_html(graph_of(name), title=name))
    data, code = page.texts["script"]
    json.loads(data)
    policy = dict(part.split(maxsplit=1) for part in page.policy.split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"].split() == [digest(code)]
    assert policy["style-src"].split() == [digest(style) for style in page.texts["style"]]
    assert policy["img-src"].split() == ["data:", "blob:"]
    allowed = {"default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"}
    assert set(policy) <= allowed
    assert "unsafe" not in page.policy
    assert "http" not in policy["default-src"] + policy["img-src"]  # hashes may hold any letters


def test_a_page_asks_for_nothing_and_no_attribute_holds_code(two_fruits):
    page = Scripts(to_html(two_fruits()))
    for tag, attributes in page.tags:
        assert not [key for key in attributes if key.startswith("on") or key == "style"], tag
        for key in ("src", "href", "action", "srcset"):
            assert attributes.get(key, "data:,") == "data:,", tag
    assert not {"base", "object", "embed", "iframe", "img"} & {tag for tag, _ in page.tags}


INTRUDERS = {
    "script": """() => {
      const script = document.createElement("script");
      script.textContent = "window.hacked = 1";
      document.body.append(script);
    }""",
    "handler": """() => {
      const button = document.createElement("button");
      button.setAttribute("onclick", "window.hacked = 1");
      document.body.append(button);
      button.click();
    }""",
    "style": """() => {
      const style = document.createElement("style");
      style.textContent = "body {outline: 7px solid red}";
      document.body.append(style);
      if (getComputedStyle(document.body).outlineWidth === "7px") window.hacked = 1;
    }""",
    "text as code": "() => { setTimeout('window.hacked = 1'); }",
    "image": """() => {
      const image = new Image();
      image.onload = () => { window.hacked = 1; };
      image.src = "http://localhost/x.png";
      document.body.append(image);
    }""",
    "request": "() => fetch('http://localhost/').then(() => { window.hacked = 1; }, () => {})",
    "frame": """() => {
      const frame = document.createElement("iframe");
      frame.src = "http://localhost/";
      document.body.append(frame);
    }""",
}


@pytest.mark.parametrize("intruder", INTRUDERS.values(), ids=INTRUDERS)
def test_the_policy_stops_what_got_in_anyway(browser, tmp_path, two_fruits, intruder):
    to_html(two_fruits(), tmp_path / "page.html")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    stopped = page.evaluate(
        f"""async () => {{
          const stopped = new Promise((done) => {{
            addEventListener("securitypolicyviolation", (event) => done(event.disposition));
            setTimeout(() => done("nothing was stopped"), 1000);
          }});
          await ({intruder})();
          return stopped;
        }}"""
    )
    assert stopped == "enforce"
    assert page.evaluate("typeof window.hacked") == "undefined"
    page.close()


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.js")), ids=lambda path: path.name)
def test_the_code_makes_no_markup_and_no_code_from_text(path):
    makers = r"innerHTML|outerHTML *=[^=]|insertAdjacentHTML|setHTML|document\.write|\beval\b"
    makers += (
        r"|\bFunction\("
        r"|createContextualFragment|DOMParser|srcdoc|setTimeout\([\"'`]|\bimport\b|javascript:"
    )
    assert re.findall(makers, path.read_text(encoding="utf-8")) == []


def test_there_is_code_to_look_at():
    assert len(list(STATIC.glob("*.js"))) > 5


def table(page):
    """Name, value and gradient of each row."""
    return page.evaluate(
        """() => [...document.querySelectorAll("#tablebody tr")].map((row) =>
        [0, 2, 3].map((n) => row.children[n].textContent))"""
    )


@pytest.mark.parametrize(
    ("number", "word"), [(math.inf, "inf"), (-math.inf, "−inf"), (math.nan, "nan")], ids=str
)
@pytest.mark.parametrize("kind", [Value, Tensor])
def test_numbers_that_are_not_finite_are_shown_as_words(open_page, kind, number, word):
    x = kind(number, "x")
    y = x * 2.0 + kind(1.0, "one")
    y.label = "y"
    y.backward()
    page = open_page(y)
    page.keyboard.press("t")
    rows = {row[0]: row[1:] for row in table(page)}
    assert rows["x"] == [word, "2"]
    assert rows["y"] == [word, "1"]
    assert rows["one"] == ["1", "1"]
    tip = page.locator("#picture .unit.root > title").text_content()
    assert tip == f"y\nvalue {word}\ngradient 1"


@pytest.mark.parametrize(
    ("typed", "y", "gradient"), [("-1", "nan", "−1"), ("0", "−inf", "inf"), ("2", "0.6931", "0.5")]
)
def test_leaving_the_domain_of_a_function_gives_words_and_coming_back_gives_numbers(
    open_page, typed, y, gradient
):
    x = Value(1.0, "x")
    root = x.log()
    root.label = "y"
    root.backward()
    page = open_page(root)
    field = page.get_by_role("textbox", name="value of x")
    field.fill(typed)
    field.press("Enter")
    assert page.locator("#picture .unit.root text.v").text_content() == y
    assert page.locator("#picture .unit.leaf text.g").text_content() == gradient
    if y == "nan":
        page.locator("#first").click()
        page.locator("#next").click()
        assert "log is not defined here" in page.locator("#say").inner_text()


def test_a_check_without_a_number_does_not_claim_to_disagree(open_page):
    """Where the function is not defined there is nothing to compare."""
    x = Value(1.0, "x")
    y = x.log() * 2.0
    y.backward()
    page = open_page(y, fragment="in.x=-1&step=6&select=card%3A0")
    assert "does not agree" not in page.locator("#why").inner_text()


def test_arrays_with_numbers_that_are_not_finite_are_drawn(open_page):
    x = Tensor(np.array([math.inf, math.nan, 1.0, -math.inf] * 500), "x")
    y = (x * x).sum()
    y.backward()
    page = open_page(y)
    page.keyboard.press("t")
    assert table(page)[-1][1] == "nan"
