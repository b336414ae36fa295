"""The .npz file: a zip archive of .npy members. Equal content gives equal bytes.

Files are untrusted: a member is read only if its header names a dtype and a shape that the reader
asked for, and then exactly as many bytes as these need. No header is evaluated, no
pickle is opened, nothing is unpacked to the disk.
"""

from __future__ import annotations

import io
import math
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from tinygrad_edu.engine.names import escaped
from tinygrad_edu.rules.operand_types import Array

DIRECTORY_LIMIT = 4 << 20
"""Bytes of the list of members at the end of a file, enough for some forty thousand of them."""

_MAGIC = b"\x93NUMPY\x01\x00"
_LONGEST_HEADER = 1024
_HEADER = re.compile(
    r"\{'descr': '([^']{1,20})', 'fortran_order': (True|False), "
    r"'shape': \(((?:\d{1,19}, ?)*(?:\d{1,19},?)?)\),? ?\} *\n"
)
_CHUNK = 1 << 20
_BROKEN = (
    zipfile.BadZipFile,
    EOFError,
    IndexError,
    OverflowError,
    NotImplementedError,  # what zipfile does not know
    RuntimeError,
    UnicodeError,
    struct.error,
    zlib.error,
)
"""What reading a broken archive may raise; all of it becomes a ValueError."""


def descr_of(dtype: np.dtype[Any]) -> str:
    """The dtype as a file names it, in little-endian order: `<f8`, `|b1`."""
    return dtype.newbyteorder("<").str


def write_archive(file: BinaryIO, arrays: Iterable[tuple[str, Array]]) -> None:
    """Write arrays under names. The same arrays give the same bytes; memory layouts are kept."""
    archive = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)
    try:
        for name, array in arrays:
            member = zipfile.ZipInfo(f"{name}.npy")  # with the date 1980-01-01
            member.create_system = 3
            member.external_attr = 0o644 << 16
            member.file_size = array.nbytes + _LONGEST_HEADER
            little = array.astype(descr_of(array.dtype), copy=False)
            with archive.open(member, "w") as stream:
                np.lib.format.write_array(stream, little, (1, 0), allow_pickle=False)
        archive.close()
    except BaseException:  # the file is thrown away; closing it would raise an error of its own
        archive.fp = None
        raise


def check_directory(names: Iterable[str]) -> None:
    """ValueError if `Archive` would refuse the list of so many members."""
    size = sum(46 + 28 + len(name.encode()) + len(".npy") for name in names)
    if size > DIRECTORY_LIMIT:
        raise ValueError(
            "save: there are too many names for one file; use Tensors in place of many Values"
        )


@dataclass(frozen=True, slots=True)
class Header:
    """What a member says that it holds; `start` is where its numbers begin."""

    descr: str
    fortran: bool
    shape: tuple[int, ...]
    start: int


class _Bounded(io.BufferedReader):
    """A file that never reads more at once than the list of members may have."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = DIRECTORY_LIMIT
        if size > DIRECTORY_LIMIT:
            raise zipfile.BadZipFile(f"its list of members would have {size} bytes")
        return super().read(size)


class Archive:
    """An .npz file that is open for reading: `names`, their headers, and their arrays."""

    def __init__(self, shown: str, archive: zipfile.ZipFile, size: int) -> None:
        self.shown, self.size = shown, size
        self.archive = archive
        self.names: dict[str, zipfile.ZipInfo] = {}
        for member in archive.infolist():
            name = member.orig_filename.removesuffix(".npy")
            if name == member.orig_filename:
                raise ValueError(f"load: {shown} holds {cut_short(name)}, which is not an array")
            if name in self.names:
                raise ValueError(f"load: {shown} holds {cut_short(name)} twice")
            if not 0 <= member.header_offset < size:
                raise ValueError(f"load: {cut_short(name)} would lie outside {shown}")
            self.names[name] = member

    def header(self, name: str) -> Header:
        """What a member says that it holds; ValueError for what NumPy would not have written."""
        member = self.names[name]
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(
                f"load: {name} in {self.shown} is packed in a way that numpy.savez never uses"
            )
        if member.flag_bits & 1:
            raise ValueError(f"load: {name} in {self.shown} is encrypted")
        with self._open(name) as stream:
            start = stream.read(len(_MAGIC) + 2)
            length = int.from_bytes(start[len(_MAGIC) :], "little")
            known = start[: len(_MAGIC)] == _MAGIC and length <= _LONGEST_HEADER
            text = stream.read(length).decode("latin-1") if known else ""
        found = _HEADER.fullmatch(text)
        if found is None:
            raise ValueError(
                f"load: {name} in {self.shown} is not an array of numbers as numpy.save writes it"
            )
        descr, fortran, shape = found.groups()
        lengths = tuple(int(n) for n in shape.split(",") if n.strip())
        return Header(descr, fortran == "True", lengths, len(start) + length)

    def check_size(self, name: str, header: Header) -> None:
        """ValueError unless a member is exactly as long as its header says."""
        need = math.prod(header.shape) * np.dtype(header.descr).itemsize
        has = self.names[name].file_size - header.start
        if has != need:
            raise ValueError(
                f"load: {name} in {self.shown} should have {need} bytes by its shape "
                f"{header.shape} and dtype {dtype_in_words(header.descr)}, but has {has}"
            )

    def array(self, name: str, header: Header) -> Array:
        """The array of a member whose size was checked, in the memory layout that it had."""
        order: Any = "F" if header.fortran else "C"
        array = np.empty(header.shape, header.descr, order)
        content = array.reshape(-1, order=order).view(np.uint8)
        with self._open(name) as stream:
            stream.read(header.start)
            for at in range(0, content.size, _CHUNK):
                chunk = stream.read(min(_CHUNK, content.size - at))
                content[at : at + len(chunk)] = np.frombuffer(chunk, np.uint8)
                if len(chunk) < min(_CHUNK, content.size - at):
                    raise ValueError(f"load: {name} in {self.shown} is cut off")
            stream.read(1)  # at its end the checksum is compared
        if array.dtype == np.bool_ and content.size and content.max() > 1:
            raise ValueError(f"load: {name} in {self.shown} has truths other than 0 and 1")
        return array.astype(array.dtype.newbyteorder("="), order="K", copy=False)

    @contextmanager
    def _open(self, name: str) -> Iterator[Any]:
        try:
            with self.archive.open(self.names[name]) as stream:
                yield stream
        except _BROKEN as error:
            raise ValueError(
                f"load: {name} in {self.shown} is broken: {error_text(error)}"
            ) from error


@contextmanager
def open_archive(path: str) -> Iterator[Archive]:
    """An .npz file for reading; ValueError if it is not one, OSError if it cannot be opened."""
    shown = escaped(path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError as error:
        raise FileNotFoundError(f"load: there is no file {shown}") from error
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"load: {shown} is a folder")
    if not stat.S_ISREG(mode):
        raise ValueError(f"load: {shown} is not a regular file")
    with _Bounded(io.FileIO(path)) as file:
        try:
            archive = zipfile.ZipFile(file)
        except (*_BROKEN, ValueError) as error:
            raise ValueError(
                f"load: {shown} is not a whole .npz file: {error_text(error)}"
            ) from error
        with archive:
            yield Archive(shown, archive, os.fstat(file.fileno()).st_size)


def check_entry_name(operation: str, name: str) -> None:
    """ValueError for a name that no file may hold, before any other message shows it."""
    if not name.isprintable() or len(name) > 1000 or set(name) & set("/\\"):
        raise ValueError(
            f"{operation}: {name[:60]!r} cannot be a name in a file; use at most 1000 letters, "
            "digits and dots"
        )


def dtype_in_words(descr: str) -> str:
    """A dtype for a message: float64, and what is unusual about it."""
    if descr.endswith("O"):
        return "Python objects, which only pickle could read"
    if not re.fullmatch(r"[<>|=][biufc]\d{1,2}", descr):
        return cut_short(descr)
    try:
        name = np.dtype(descr).name
    except TypeError:
        return cut_short(descr)
    return f"{name} in big-endian order" if descr[0] == ">" else name


def cut_short(text: str) -> str:
    """What a file calls something, safe and short enough for a message."""
    return repr(text if len(text) <= 60 else text[:60] + "…")


def error_text(error: Exception) -> str:
    """The text of an error, cut: those of zipfile may repeat the file, at any length."""
    text = str(error)
    return text if len(text) <= 80 and text.isprintable() else cut_short(text)
