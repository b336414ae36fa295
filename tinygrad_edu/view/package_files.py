"""Reading the files that come with the package."""

from __future__ import annotations

import functools
from pathlib import Path


@functools.cache
def static(name: str) -> str:
    """The text of a file in `static/`."""
    path = Path(__file__).with_name("static") / name
    return path.read_text(encoding="utf-8").strip()
