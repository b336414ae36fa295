"""Where pictures and pages are written to: the ending of a file's name says what is in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.files import write_whole

Target = str | os.PathLike[str]
PictureContent = TypeVar("PictureContent", str, bytes)

ENDINGS = {
    ".html": "to_html", ".svg": "to_svg", ".png": "to_png", ".pdf": "to_pdf", ".dot": "to_dot",
}  # fmt: skip
"""The endings, and the functions that write such files."""


def check_node(node: Any, writer: str) -> None:
    """TypeError unless it is a node."""
    if not isinstance(node, Node):
        raise TypeError(f"{writer}: expected a node, got {type(node).__name__}")


def checked_path(path: Target | None, writer: str) -> Path | None:
    """The path of a file, if there is one; ValueError unless its ending is that of the writer.

    A name without an ending is taken, too.
    """
    if path is None:
        return None
    file = Path(os.fsdecode(path))
    ending = file.suffix.lower()
    if ending and ENDINGS.get(ending) != writer:
        (own,) = (own for own, other in ENDINGS.items() if other == writer)
        other = ENDINGS.get(ending)
        hint = f"; {other} writes {ending}" if other else ""
        raise ValueError(f"{writer}: {file} must end in {own}{hint}")
    return file


def deliver(content: PictureContent, path: Path | None) -> PictureContent | Path:
    """The content; with a path, write it there atomically, and give the path."""
    if path is None:
        return content
    write_whole(path, content)
    return path
