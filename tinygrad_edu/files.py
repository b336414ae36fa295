"""Writing files whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_EXCLUSIVE = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0)


@contextmanager
def whole_file(path: str | Path, *, lasting: bool = False) -> Iterator[BinaryIO]:
    """A file to write to, under another name in the same folder; it is renamed when all is written.

    So nobody sees half a file, and any error leaves what was there before and nothing else. A
    file that is replaced keeps its permissions; a symbolic link is replaced, not followed.
    `lasting` waits until the disk has the bytes, so that this holds if the power fails, too.
    FileNotFoundError if there is no such folder; IsADirectoryError or FileExistsError for what is
    no regular file.
    """
    target = os.fsdecode(path)
    folder, name = os.path.split(target)
    if not os.path.isdir(folder or "."):
        raise FileNotFoundError(f"{target} cannot be written: there is no folder {folder or '.'}")
    mode = _mode_of_regular_file(target)
    handle, temporary = _new_file(os.path.join(folder, f".{name[:40]}."))
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    if lasting:
        _keep_name(folder or ".")


def _keep_name(folder: str) -> None:
    """Bring a new name in a folder to the disk, where that can be done; the file is there."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_whole(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all, as `whole_file` does."""
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))


def _mode_of_regular_file(target: str) -> int | None:
    """The permissions of a file that is there; None if there is none, or a link."""
    try:
        mode = os.lstat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{target} cannot be written: it is a folder")
    if not stat.S_ISREG(mode):
        raise FileExistsError(f"{target} cannot be written: it is there, and no regular file")
    return stat.S_IMODE(mode)


def _new_file(start: str) -> tuple[int, str]:
    """A file that was not there before, with the permissions that the user's umask leaves."""
    while True:
        temporary = f"{start}{os.urandom(6).hex()}.part"
        try:
            return os.open(temporary, _EXCLUSIVE, 0o666), temporary
        except FileExistsError:
            continue
