"""Reading the files that come with the package, and writing files whole or not at all."""

from __future__ import annotations

import functools
import os
from pathlib import Path


@functools.cache
def static(name: str) -> str:
    """The text of a file in `static/`."""
    path = Path(__file__).with_name("static") / name
    return path.read_text(encoding="utf-8").strip()


def write_whole(path: str | Path, text: str) -> None:
    """Write a text file under another name first, then rename it, so that no half file is seen.

    FileNotFoundError if there is no such folder.
    """
    import tempfile  # here, because it costs 3 ms that most programs never need

    target = os.fspath(path)
    folder = os.path.dirname(target) or "."
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{target} cannot be written: there is no folder {folder}")
    handle, temporary = tempfile.mkstemp(
        dir=folder, prefix=os.path.basename(target), suffix=".part"
    )
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
