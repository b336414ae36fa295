"""What the page says: tables of texts by key, one for each language in `static/words_*.json`.

`{name}` in a text stands for a value. A key that ends in `.one`, or in another plural category of
Unicode's, is the text where the number `n` is of that category.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from tinygrad_edu.view.package_files import static

Words = Mapping[str, str]
"""Texts by key."""
PLURALS = (".zero", ".one", ".two", ".few", ".many")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")


def table_of(lang: str | Words) -> dict[str, str]:
    """The texts of a language, such as "de", or those of a table over the English ones.

    ValueError for a language that has no table, for a key of the table that the page does not have,
    or for a text that names another value than the English one; TypeError for what is no text.
    """
    english: dict[str, str] = json.loads(static("words_en.json"))
    if isinstance(lang, str):
        folder = Path(__file__).parents[1] / "static"
        known = sorted(path.stem.removeprefix("words_") for path in folder.glob("words_*.json"))
        if lang not in known:
            raise ValueError(
                f"lang: there is no table for {lang!r}, only for {', '.join(known)}; give a table "
                "of your own, {key: text}"
            )
        own: dict[str, str] = json.loads(static(f"words_{lang}.json"))
        return english | own
    if not isinstance(lang, Mapping):
        raise TypeError(f"lang: expected a language or a table, not {type(lang).__name__}")
    for key, text in lang.items():
        _check_text(english, key, text)
    return english | dict(lang)


def _check_text(english: Words, key: str, text: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"lang: the text of {key!r} must be a string, not {type(text).__name__}")
    plain = key.removesuffix(next(filter(key.endswith, PLURALS), ""))
    if key not in english and plain not in english:
        raise ValueError(f"lang: the page has no text {key!r}; see words_en.json for those it has")
    if key == "lang" and not LANGUAGE.fullmatch(text):
        raise ValueError(f"lang: {text!r} is not the tag of a language, such as 'fr'")
    own = set(re.findall(r"\{(\w+)\}", english.get(key, english[plain])))
    if unknown := set(re.findall(r"\{(\w+)\}", text)) - own - {"n"}:
        raise ValueError(
            f"lang: the text of {key!r} names {{{unknown.pop()}}}; it can name {sorted(own)}"
        )


def word(words: Words, key: str, **values: object) -> str:
    """A text with its values put in, as `word` in static/words.js."""
    return re.sub(r"\{(\w+)\}", lambda found: str(values[found[1]]), words[key])
