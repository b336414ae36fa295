"""What the page says: tables of texts by key, one for each language in `static/words_*.json`.

`{name}` in a text stands for a value. A key that ends in `.one`, or in another plural category of
Unicode's, is the text where the number `n` is of that category.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from tinygrad_edu.view.package_files import static

Words = Mapping[str, str]
"""Texts by key."""


def table_of(lang: str | Words) -> dict[str, str]:
    """The texts of a language, or those of a table that a user gives, over the English ones."""
    english: dict[str, str] = json.loads(static("words_en.json"))
    return english


def word(words: Words, key: str, **values: object) -> str:
    """A text with its values put in, as `word` in static/words.js."""
    return re.sub(r"\{(\w+)\}", lambda found: str(values[found[1]]), words[key])
