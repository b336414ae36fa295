"""The page of a training run: one file, no network. Its data is JSON, which `History` gives."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from typing import Any

from tinygrad_edu.view.cards.reading import shown_text
from tinygrad_edu.view.package_files import static
from tinygrad_edu.view.page.compact import compact_code
from tinygrad_edu.view.page.page import content_hash, json_text

RUN_SCRIPTS = ("words", "text", "run_charts", "run_panels", "run_page")
"""The order in which the page's code is read."""
PLACE = "%DATA%"
"""Where the data of a kept graph belong in the page that all of them share."""
RELOADED = '<meta http-equiv="refresh" content="2">'
"""While the run goes on; a browser keeps the address, in which the page keeps its state."""


def run_page_text(data: Mapping[str, Any], graph_pages: list[tuple[str, str]], title: str) -> str:
    """The page of a run. `graph_pages` are pairs of a name and a whole page of a graph; what these
    share is written once, and their scripts and styles are allowed by hashes in the policy."""
    words: dict[str, str] = json.loads(static("run_words_en.json"))
    spoken = {key: text for key, text in words.items() if not key.startswith("html.")}
    template, graphs = _shared(graph_pages)
    style = "\n".join(map(static, ("palette.css", "run.css")))
    script = "\n".join(
        ['"use strict";', f"const WORDS = {json_text(spoken)};", *map(compact_code, RUN_SCRIPTS)]
    )
    script = f"(() => {{\n{script}\n}})();"
    allowed = {kind: _hashes(template, kind) for kind in ("script", "style")}
    policy = (
        f"default-src 'none'; script-src {content_hash(script)} {allowed['script']}; "
        f"style-src {content_hash(style)} {allowed['style']}; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {
        **{key: escape(text) for key, text in words.items()},
        "policy": " ".join(policy.split()),
        "reload": RELOADED if data["running"] else "",
        "title": escape(shown_text(title, 120).strip() or "Training run"),
        "style": style,
        "data": json_text({**data, "template": template, "graphs": graphs}),
        "script": script,
    }
    return re.sub(r"\{([\w.]+)\}", lambda found: parts[found[1]], static("run.html"))


DATA = re.compile(r'(?<=<script type="application/json" id="graph">).*?(?=</script>)', re.S)


def _shared(pages: list[tuple[str, str]]) -> tuple[str, list[dict[str, str]]]:
    """What the pages of graphs have in common, and the names and data of those that fit in."""
    template, graphs = "", []
    for name, page in pages:
        data = DATA.search(page)
        around = DATA.sub(PLACE, page)
        template = template or around
        if data is not None and around == template:
            graphs.append({"name": name, "data": data[0]})
    return template, graphs


def _hashes(page: str, kind: str) -> str:
    """The hashes of a page's policy for its scripts or styles."""
    found = re.search(rf"{kind}-src ([^;]*);", page)
    return found[1] if found else ""
