"""Languages in which expressions of symbols are written.

`language.py` has the mechanism: forms, precedence, parentheses. The others are tables.
"""

from __future__ import annotations

from collections.abc import Mapping

from tinygrad_edu.programs.languages.array_code import NUMPY
from tinygrad_edu.programs.languages.code import JAVASCRIPT, MACHINE, PROGRAM, PYTHON, READER
from tinygrad_edu.programs.languages.language import Language, text_in
from tinygrad_edu.programs.languages.mathematics import LATEX, MATHML, latex_name, mathml_name
from tinygrad_edu.programs.symbols import Expression, Symbol

LANGUAGES = {
    "python": PYTHON, "reader": READER, "program": PROGRAM, "machine": MACHINE, "numpy": NUMPY,
    "javascript": JAVASCRIPT, "latex": LATEX, "mathml": MATHML,
}  # fmt: skip
"""Every language by its name."""


def written(
    expression: Expression, language: str, names: Mapping[Symbol, str] | None = None
) -> str:
    """The text of an expression in a language; `language.text_in` says more."""
    return text_in(LANGUAGES[language], expression, names)


__all__ = [
    "LANGUAGES", "Language", "latex_name", "mathml_name", "written",
]  # fmt: skip
