"""Reading CSV files as people have them: with a header or without, any delimiter, quoted, zipped.

NumPy's reader reads the numbers. What is added is what it does not do: finding out about header and
delimiter, and errors that name the line, the entry and the cure.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import math
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_edu.engine.names import escaped

Array = npt.NDArray[Any]
Shape = tuple[int, int] | None


def read_csv(
    path: str | Path, shape: Shape, header: bool | None, delimiter: str | None, label: int | str
) -> tuple[Array, Array]:
    """See `data.load_csv`."""
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise ValueError(f"load_csv: the delimiter is {delimiter!r}; use one character such as ;")
    opener: Any = gzip.open if str(path).endswith(".gz") else open
    # bytes that are not UTF-8, as in old headers, are read as characters that fit no number
    with opener(path, "rt", encoding="utf-8-sig", errors="surrogateescape") as file:
        lines = _Lines(path, file)
        try:
            table, column = _table(lines, header, delimiter, label, shape)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"load_csv: {escaped(path)} is cut off or damaged: {error}") from error
        except csv.Error as error:  # such as an entry of more than 131 072 characters
            raise lines.error(f"cannot be read: {error}") from error
    lines.check(table, np.isfinite(table), "is not finite; leave the line out, or mend it")
    labels, rest = table[:, column], np.delete(table, column, axis=1)
    whole = (np.rint(labels) == labels) & (abs(labels) < 2**53)
    if shape is not None:
        pixels = (rest >= 0) & (rest <= 255)
        lines.check(
            rest, pixels, "is not a pixel from 0 to 255; shape=None reads tables of any numbers"
        )
        lines.check(labels, whole & (labels >= 0), "is not a label such as 0, 1, 2, ...")
    return rest, labels.astype(np.int64) if whole.all() else labels


class _Lines:
    """The lines of a CSV file that are not blank; it knows their numbers, for errors."""

    def __init__(self, path: str | Path, file: Iterator[str]) -> None:
        self.path, self.file = path, enumerate(file, start=1)
        self.numbers: list[int] = []
        self.last = ""

    def __iter__(self) -> Iterator[str]:
        for number, line in self.file:
            if line.strip():
                self.numbers.append(number)
                self.last = line
                yield line

    def error(self, said: str, row: int = -1) -> ValueError:
        return ValueError(f"load_csv: line {self.numbers[row]} of {escaped(self.path)} {said}")

    def check(self, numbers: Array, right: Array, said: str) -> None:
        """ValueError for the first number that is not right."""
        if not right.all():
            place = tuple(np.argwhere(~right)[0])
            raise self.error(f"has the entry {numbers[place]:g}, which {said}", int(place[0]))


def _table(
    lines: _Lines,
    header: bool | None,
    delimiter: str | None,
    label: int | str,
    shape: tuple[int, int] | None,
) -> tuple[Array, int]:
    """All numbers of a CSV file, and the column of the labels."""
    rows = iter(lines)
    first = next(rows, "")
    if not first:
        raise ValueError(
            f"load_csv: {escaped(lines.path)} is empty; it should have a line for each sample"
        )
    outside_quotes = re.sub('"[^"]*"', "", first)
    delimiter = delimiter or next((sign for sign in ";\t" if sign in outside_quotes), ",")
    cells = _cells(first, delimiter)
    column = _column(lines, cells, label, header)
    if header is None:
        header = isinstance(label, str) or not all(map(_is_number, cells))
        if header and not isinstance(label, str) and _is_number(cells[column]):
            wrong = next(cell for cell in cells if not _is_number(cell))
            raise lines.error(
                f"has {wrong[:40]!r} among numbers; say header=True if it is a header, or mend it"
            )
    if header:
        lines.numbers.clear()
        first = next(rows, "")
        if not first:
            raise ValueError(f"load_csv: {escaped(lines.path)} has no rows below its header")
    entries = len(_cells(first, delimiter))
    if shape is not None and entries != shape[0] * shape[1] + 1:
        raise lines.error(
            f"has {entries} entries; a label and {shape[0]} × {shape[1]} pixels are "
            f"{shape[0] * shape[1] + 1}; {_other_shape(entries - 1)}"
        )
    if entries != len(cells):
        raise lines.error(f"has {entries} entries, and the header {len(cells)}")
    try:
        table = np.loadtxt(
            itertools.chain([first], rows), comments=None, delimiter=delimiter, quotechar='"',
            ndmin=2,
        )  # fmt: skip
    except ValueError as error:  # NumPy counts rows, and people lines
        raise lines.error(_fault(_cells(lines.last, delimiter), len(cells), error)) from error
    return table, column


def _column(lines: _Lines, cells: list[str], label: int | str, header: bool | None) -> int:
    """The index of the column of the labels."""
    if isinstance(label, str):
        if header is False:
            raise ValueError("load_csv: without a header, label is the index of a column")
        if cells.count(label) == 1:
            return cells.index(label)
        known = ", ".join(map(repr, cells[:10])) + (", ..." if len(cells) > 10 else "")
        said = f"has the name {label!r} twice" if label in cells else f"has no name {label!r}"
        raise lines.error(f"{said}; it has {known[:300]}")
    if not -len(cells) <= label < len(cells):
        raise lines.error(f"has {len(cells)} entries; there is no column {label}")
    return label % len(cells)


def _other_shape(pixels: int) -> str:
    side = math.isqrt(pixels)
    fits = f"shape=({side}, {side})" if side > 1 and side * side == pixels else "another shape"
    return f"give {fits}, or shape=None for a table that holds no pictures"


def _fault(cells: list[str], columns: int, error: ValueError) -> str:
    """What is wrong with a line that NumPy could not read."""
    if len(cells) != columns:
        return f"has {len(cells)} entries; the lines before have {columns}"
    for cell in cells:
        if not _is_number(cell):
            comma = re.fullmatch(r"\s*[+-]?\d*,\d+\s*", cell)
            cure = "write a decimal point" if comma else "leave the line out, or put a number there"
            return f"has {cell[:40]!r}, which is not a number; {cure}"
    return f"cannot be read: {error}"


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]


def _is_number(cell: str) -> bool:
    """Whether NumPy reads it as a number; to Python 1_000 and ١ are numbers, too."""
    try:
        float(cell)
    except ValueError:
        return False
    return cell.isascii() and "_" not in cell
