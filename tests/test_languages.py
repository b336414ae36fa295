"""The tables of texts: every text is used, every text that is used is there."""

import json
import re
from pathlib import Path

import pytest

import tinygrad_edu
from tinygrad_edu import Value, to_html

VIEW = Path(tinygrad_edu.__file__).parent / "view"
STATIC = VIEW / "static"
ENGLISH = json.loads((STATIC / "words_en.json").read_text(encoding="utf-8"))
GERMAN = json.loads((STATIC / "words_de.json").read_text(encoding="utf-8"))
HTML = (STATIC / "page.html").read_text(encoding="utf-8")
OTHERS = ("run_", "trainer_")
SCRIPTS = [path for path in STATIC.glob("*.js") if not path.name.startswith(OTHERS)]
CODE = "\n".join(path.read_text("utf-8") for path in [*SCRIPTS, *VIEW.rglob("*.py")])
"""All but the pages of a run and of the trainer, which have tables of their own."""
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


def holes(text):
    return set(re.findall(r"\{(\w+)\}", text))


def test_german_says_the_same_with_the_same_values():
    assert set(GERMAN) <= set(ENGLISH)
    assert len(GERMAN) >= 0.95 * len(ENGLISH)  # what is new is English until it is translated
    for key, text in GERMAN.items():
        assert holes(text) == holes(ENGLISH[key]), key
        assert text.strip() == ENGLISH[key].strip() or text != ENGLISH[key], key
    for key in ("predict.question", "formula.if", "formula.else"):  # between other parts
        for end in (0, -1):
            assert (GERMAN[key][end] == " ") == (ENGLISH[key][end] == " "), key


def product():
    return Value(2.0, "a") * Value(3.0, "b")


def test_a_page_in_german_has_german_texts():
    page = to_html(product(), lang="de")
    assert '<html lang="de">' in page
    assert "Warum dieser Gradient?" in page
    assert '"say.start":"Nur die Eingaben sind bekannt.' in page
    assert "Why this gradient?" not in page


def test_a_table_of_ones_own_stands_before_the_english_one():
    own = {"lang": "pl", "html.why": "Dlaczego <b>?", "say.results.few": "x"}
    page = to_html(product(), lang=own)
    assert '<html lang="pl">' in page
    assert "Dlaczego &lt;b&gt;?" in page
    assert '"say.results.few":"x"' in page
    assert "Only the inputs are known" in page


@pytest.mark.parametrize(
    ("lang", "error", "says"),
    [
        ("xx", ValueError, "there is no table for 'xx', only for de, en"),
        (3, TypeError, "expected a language or a table, not int"),
        ({"say.strat": "x"}, ValueError, "the page has no text 'say.strat'"),
        ({"say.start": 3}, TypeError, "must be a string, not int"),
        ({"say.value": "{nmae} = {x}"}, ValueError, "names {nmae}; it can name"),
        ({"lang": '"><script>'}, ValueError, "is not the tag of a language"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(lang, error, says):
    with pytest.raises(error, match=re.escape(says)):
        to_html(product(), lang=lang)
