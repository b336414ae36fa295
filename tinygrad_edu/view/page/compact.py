"""The page's code without what only its readers need: comments, indentation, needless spaces."""

from __future__ import annotations

import functools
import re

from tinygrad_edu.view.package_files import static

LITERAL = re.compile(
    r'"(?:\\.|[^"\\])*"'
    r"|`(?:\\.|\$\{(?:[^`{}]|`[^`]*`|\{[^{}]*\})*\}|[^`\\])*`"
    r"|/(?![ */])(?:\\.|\[(?:\\.|[^\]])*\]|[^/\\\[])+/\w*"
)
"""A text, a template or a regular expression, as they are written here: `a / b` is a quotient."""


@functools.cache
def compact_code(name: str) -> str:
    """The code of a file in `static/`, which does the same."""
    text = re.sub(r"^\s*/\*\*.*?\*/\n", "", static(f"{name}.js"), flags=re.M | re.S)
    lines = (re.sub(r"(^|\s+)// .*", "", line.strip()) for line in text.splitlines())
    joined = "\n".join(_compact_line(line) for line in lines if line)
    joined = re.sub(r"(?<=[,({\[;?:&|=>])\n", "", joined)
    return re.sub(r"\n(?=[)}\].?:&|])", "", joined)


def _compact_line(line: str) -> str:
    parts, end = [], 0
    for literal in LITERAL.finditer(line):
        parts += [_without_spaces(line[end : literal.start()]), literal[0]]
        end = literal.end()
    return "".join([*parts, _without_spaces(line[end:])])


def _without_spaces(code: str) -> str:
    code = re.sub(r" ?([=,;:?{}()<>&|*\[\]]) ?", r"\1", code)
    return re.sub(r" ([+/-]) (?![+-])", r"\1", code)  # "a + +b" stays
