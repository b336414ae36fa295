"""The page that trains: one file, no network. Its gradients are a program that replay generates."""

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

TRAINER_SCRIPTS = ("words", "text", "trainer_net", "trainer_draw", "trainer_points",
                   "trainer_page")  # fmt: skip
"""The order in which the page's code is read."""


def trainer_page_text(data: Mapping[str, Any], program: str, title: str) -> str:
    """The page as HTML. `program` is a JavaScript function of one point and all weights, which
    returns the loss of the point and its gradients."""
    words: dict[str, str] = json.loads(static("trainer_words_en.json"))
    spoken = {key: text for key, text in words.items() if not key.startswith("html.")}
    style = "\n".join(map(static, ("palette.css", "trainer.css")))
    table = f"const WORDS = {json_text(spoken)};"
    script = "\n".join(['"use strict";', table, program, *map(compact_code, TRAINER_SCRIPTS)])
    script = f"(() => {{\n{script}\n}})();"
    policy = (
        f"default-src 'none'; script-src {content_hash(script)}; "
        f"style-src {content_hash(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    )
    parts = {
        **{key: escape(text) for key, text in words.items()},
        "policy": policy,
        "title": escape(shown_text(title, 120).strip() or "Training"),
        "style": style,
        "data": json_text(data),
        "script": script,
    }
    return re.sub(r"\{([\w.]+)\}", lambda found: parts[found[1]], static("trainer.html"))
