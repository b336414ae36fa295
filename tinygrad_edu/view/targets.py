"""Where pictures and pages are written to: the ending of a file's name says what is in it."""

from __future__ import annotations

import os
from pathlib import Path

from tinygrad_edu.files import write_whole

Target = str | os.PathLike[str]

ENDINGS = {
    ".html": "to_html", ".svg": "to_svg", ".png": "to_png", ".pdf": "to_pdf", ".dot": "to_dot",
}  # fmt: skip
"""The endings, and the functions that write such files."""


def target(path: Target, writer: str) -> Path:
    """The path of a file, if its ending is that of the writer, or if it has none.

    ValueError for any other, before anything is written.
    """
    found = Path(os.fsdecode(path))
    ending = found.suffix.lower()
    if ending and ENDINGS.get(ending) != writer:
        (own,) = (own for own, other in ENDINGS.items() if other == writer)
        other = ENDINGS.get(ending)
        hint = f"; {other} writes {ending}" if other else ""
        raise ValueError(f"{writer}: {found} must end in {own}{hint}")
    return found


def write(path: Path, content: str | bytes) -> Path:
    """Write a file whole or not at all; its path."""
    write_whole(path, content)
    return path
