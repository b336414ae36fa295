"""The interactive page: one file, no network, nothing to install.

The page is a template with five things put in: the words of its language, the style, the data of
the graph as JSON, the JavaScript of its rules, and the code in `static/`. Labels only ever travel
as data.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from html import escape

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.view.cards.reading import shown_text
from tinygrad_edu.view.package_files import static
from tinygrad_edu.view.page.compact import compact_code
from tinygrad_edu.view.page.html import Layout
from tinygrad_edu.view.page.lessons import Question, Stop, lesson_data
from tinygrad_edu.view.page.page_data import Ranges, page_data
from tinygrad_edu.view.page.words import Words, table_of

SCRIPTS = ("words", "text", "engine", "slopes", "samples", "steps", "layout", "rows", "routes",
           "formula", "local", "slots", "pin", "draw", "dots", "canvas", "say",
           "paths", "nudge", "why", "note", "rule", "descent", "curve", "flow",
           "predict", "mistakes", "exercises", "stops", "lens", "experiments", "panels",
           "scrubber", "link", "isolate", "keyboard", "frames", "page")  # fmt: skip
"""The order in which the page's code is read; one starts where another ends."""
LESSON, NO_LESSON = ("mistakes", "exercises", "stops"), ("no_lesson",)
"""Code of questions and stops, and what stands in its place on a page that has none."""
LESSON_WORDS = ("ask.", "pill.", "mistake.", "stop.")
"""How the keys of texts begin that only LESSON says."""
IN_PYTHON = ("html.", "data.")
"""How the keys of texts begin that stand in page.html or that Python says."""


def page_text(
    node: Node,
    title: str,
    ranges: Ranges | None = None,
    layout: Layout = "full",
    lang: str | Words = "en",
    ask: Sequence[Question] = (),
    stops: Sequence[Stop] = (),
) -> str:
    """The page as HTML; see `to_html`."""
    words = table_of(lang)
    data, rules = page_data(node, ranges)
    data.update(lesson_data(data, ask, stops))
    styles = ("palette.css", "page.css", "experiments.css", "frames.css", "lens.css")
    page_css = "\n".join(map(static, styles))
    graph_css = "\n".join(map(static, ("graph.css", "walk.css")))
    scripts: tuple[str, ...] = SCRIPTS
    unspoken: tuple[str, ...] = IN_PYTHON
    if not (ask or stops):  # what most pages do not need they do not carry
        scripts = (*NO_LESSON, *(name for name in SCRIPTS if name not in LESSON))
        unspoken += LESSON_WORDS
    if data["lens"] is None:
        scripts = ("no_lens", *(name for name in scripts if name != "lens"))
        unspoken += ("lens.",)
    spoken = {key: text for key, text in words.items() if not key.startswith(unspoken)}
    table = f"const WORDS = {json_text(spoken, ascii_only=False)};"
    script = "\n".join(['"use strict";', table, rules, *map(compact_code, scripts)])
    script = f"(() => {{\n{script}\n}})();"
    hashes = " ".join(map(content_hash, (page_css, graph_css)))
    policy = (
        f"default-src 'none'; script-src {content_hash(script)}; style-src {hashes}; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    parts = {
        **{key: escape(text) for key, text in words.items()},
        "policy": policy,
        "layout": layout,
        "title": escape(shown_text(title, 120).strip() or "Computation graph"),
        "formula": escape(data.pop("formula")),
        "page_css": page_css,
        "graph_css": graph_css,
        "data": json_text(data),
        "script": script,
    }
    return re.sub(r"\{([\w.]+)\}", lambda found: parts[found[1]], static("page.html"))


def content_hash(text: str) -> str:
    """How a content security policy names an inline script or style."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def json_text(data: object, ascii_only: bool = True) -> str:
    """JSON that no HTML parser can take for markup."""
    text = json.dumps(data, ensure_ascii=ascii_only, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
