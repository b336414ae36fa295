"""The tables of texts: every text is used, every text that is used is there."""

import json
import re
from pathlib import Path

import tinygrad_edu

VIEW = Path(tinygrad_edu.__file__).parent / "view"
STATIC = VIEW / "static"
ENGLISH = json.loads((STATIC / "words_en.json").read_text(encoding="utf-8"))
HTML = (STATIC / "page.html").read_text(encoding="utf-8")
CODE = "\n".join(path.read_text("utf-8") for path in [*STATIC.glob("*.js"), *VIEW.rglob("*.py")])
PLURALS = (".zero", ".one", ".two", ".few", ".many")


def test_every_text_that_is_used_is_in_the_table():
    keys = re.findall(r"\b(?:word|phrase)\((?:words, )?\"([\w.]+)\"", CODE)
    assert len(keys) > 20
    assert {*keys, *re.findall(r"\{(html\.\w+)\}", HTML)} <= set(ENGLISH)
    for start in re.findall(r"\b(?:word|phrase)\(`([\w.]+)\$\{", CODE):
        assert [key for key in ENGLISH if key.startswith(start)], start


def test_every_text_of_the_table_is_used():
    starts = tuple(re.findall(r"`([\w.]+)\$\{", CODE))
    for key in ENGLISH:
        plain = key.removesuffix(next(filter(key.endswith, PLURALS), ""))
        used = f'"{plain}"' in CODE or f"{{{plain}}}" in HTML or plain.startswith(starts)
        assert used, key
