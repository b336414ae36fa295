"""Writing files atomically, and never more readable than what they replace."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from tinygrad_edu.engine.names import escaped

_EXCLUSIVE = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0)

Content = str | bytes | Callable[[BinaryIO], Any]


def write_whole(
    path: str | Path, content: Content, *, lasting: bool = False, replace: bool = True
) -> None:
    """Write text, bytes, or what a function writes to the file that it is given.

    They are written under another name in the same folder, which is changed to the name asked for
    when all is there. Nobody sees half a file; an error or Ctrl-C leaves what was there before and
    nothing else. A file that is replaced keeps its permissions, and its owner and group where
    that is allowed; a symbolic link is replaced, not followed. `lasting` waits until the disk has
    the bytes: then this holds if the power fails, too. With `replace=False` nothing is ever
    overwritten. OSError, and nothing is changed, for a folder that is missing or read-only, a
    target that is read-only or not a regular file, or one that is there and must not be replaced.
    """
    target = os.fsdecode(path)
    folder, name = os.path.split(target)
    old = _status_of_target(target, folder or ".", replace)
    # The name is chosen first and the file opened inside the block: Ctrl-C may strike between the
    # two. There is no context manager for the same reason: it could be left without its exit.
    temporary = _free_name(os.path.join(folder, f".{name[:40]}."))
    try:
        with os.fdopen(_new_file(temporary, target, old), "w+b") as file:
            if old is not None:
                _give_owner_and_permissions(file.fileno(), old)
            _write(file, content)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        if replace:
            os.replace(temporary, target)
        else:
            _rename_without_replacing(temporary, target)
    except BaseException:
        _remove(temporary)
        raise
    if lasting:
        _keep_name(folder or ".")


def _write(file: BinaryIO, content: Content) -> None:
    if callable(content):
        content(file)
    else:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


def _status_of_target(target: str, folder: str, replace: bool) -> os.stat_result | None:
    """The status of a file that is to be replaced; None if there is none, or a link."""
    if not os.path.isdir(folder):
        raise _refusal(FileNotFoundError, target, f"there is no folder {escaped(folder)}")
    try:
        status = os.lstat(target)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise _refusal(IsADirectoryError, target, "it is a folder")
    if not replace:
        raise _refusal(FileExistsError, target, "it exists")
    if stat.S_ISLNK(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        raise _refusal(FileExistsError, target, "it is not a regular file")
    if not status.st_mode & 0o222:
        why = "it is read-only; make it writable, or choose another name"
        raise _refusal(PermissionError, target, why)
    return status


def _refusal(kind: type[OSError], target: str, why: str | None) -> OSError:
    return kind(f"{escaped(target)} cannot be written: {why}")


def _free_name(start: str) -> str:
    """A name that nothing has; nobody else will find it, as it is random."""
    while True:
        name = f"{start}{os.urandom(6).hex()}.part"
        if not os.path.lexists(name):
            return name


def _new_file(temporary: str, target: str, old: os.stat_result | None) -> int:
    """A new file with the permissions that the umask leaves, or, if it is to replace another, for
    its owner alone: `_give_owner_and_permissions` comes before the first byte."""
    try:
        return os.open(temporary, _EXCLUSIVE, 0o666 if old is None else old.st_mode & 0o600)
    except OSError as error:
        folder = os.path.dirname(temporary) or "."
        forbidden = isinstance(error, PermissionError)
        why = (
            f"you may not make files in the folder {escaped(folder)}"
            if forbidden
            else error.strerror
        )
        raise _refusal(type(error), target, why) from error


def _give_owner_and_permissions(handle: int, old: os.stat_result) -> None:
    """As the file that is replaced has them; who is in another group than its own gets nothing."""
    if sys.platform != "win32":
        for owner in (old.st_uid, -1):  # only the administrator may give files away
            with suppress(OSError):
                os.fchown(handle, owner, old.st_gid)
                break
        same_group = os.fstat(handle).st_gid == old.st_gid
        os.fchmod(handle, old.st_mode & (0o777 if same_group else 0o707))


def _rename_without_replacing(temporary: str, target: str) -> None:
    """FileExistsError if a file has appeared under the name in the meantime."""
    try:
        os.link(temporary, target)  # unlike a rename, it fails if there is a file, in one step
    except FileExistsError:
        raise _refusal(FileExistsError, target, "it exists") from None
    except OSError:  # this disk knows no links
        if os.path.lexists(target):
            raise _refusal(FileExistsError, target, "it exists") from None
        os.rename(temporary, target)
    else:
        os.unlink(temporary)


def _remove(temporary: str) -> None:
    """Remove what is left after an error, whose cause is what matters then."""
    with suppress(OSError):
        os.unlink(temporary)


def _keep_name(folder: str) -> None:
    """Bring a new name in a folder to the disk, where that can be done; the file is there."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
