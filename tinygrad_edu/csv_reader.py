"""Reading CSV files as people have them: with a header or without, any delimiter, quoted, zipped.

`np.loadtxt` reads the numbers. Around it stands what it does not do: it finds the header, the
delimiter and the column of the labels, and its errors name the line, the entry and the cure.
"""

from __future__ import annotations

import csv
import gzip
import math
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_edu.engine.names import escaped

CsvTable = npt.NDArray[Any]


def read_csv(
    path: str | Path,
    shape: tuple[int, int] | None,
    header: bool | None,
    delimiter: str | None,
    label: int | str,
) -> tuple[CsvTable, CsvTable]:
    """See `data.load_csv`."""
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise ValueError(f"load_csv: the delimiter is {delimiter!r}; use one character such as ;")
    file = _CsvFile(path, delimiter)
    names = file.cells(0)
    column = _label_column(file, names, label, header)
    if _has_header(file, names, column, label) if header is None else header:
        del file.lines[0]
        if not file.lines:
            raise ValueError(f"load_csv: {escaped(path)} has no rows below its header")
    entries = len(file.cells(0))
    if shape is not None and entries != shape[0] * shape[1] + 1:
        raise file.error(
            0,
            f"has {entries} entries; a label and {shape[0]} × {shape[1]} pixels are "
            f"{shape[0] * shape[1] + 1}; {_other_shape(entries - 1)}",
        )
    if entries != len(names):
        raise file.error(0, f"has {entries} entries, and the header {len(names)}")
    table = file.numbers()
    file.check(table, np.isfinite(table), "is not finite; leave the line out, or correct it")
    labels, rest = table[:, column], np.delete(table, column, axis=1)
    whole = (np.rint(labels) == labels) & (abs(labels) < 2**53)
    if shape is not None:
        pixels = (rest >= 0) & (rest <= 255)
        file.check(
            rest, pixels, "is not a pixel from 0 to 255; shape=None reads tables of any numbers"
        )
        file.check(labels, whole & (labels >= 0), "is not a label such as 0, 1, 2, ...")
    return rest, labels.astype(np.int64) if whole.all() else labels


class _CsvFile:
    """The lines of a file that are not blank, with their numbers for errors."""

    def __init__(self, path: str | Path, delimiter: str | None) -> None:
        self.path = path
        opener: Any = gzip.open if str(path).endswith(".gz") else open
        try:
            # bytes that are not UTF-8, as in old headers, become characters that no number has
            with opener(path, "rt", encoding="utf-8-sig", errors="surrogateescape") as stream:
                self.lines = [(i, line) for i, line in enumerate(stream, 1) if line.strip()]
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"load_csv: {escaped(path)} is cut off or damaged: {error}") from error
        if not self.lines:
            raise ValueError(
                f"load_csv: {escaped(path)} is empty; it should have a line for each sample"
            )
        outside_quotes = re.sub('"[^"]*"', "", self.lines[0][1])
        likely = next((sign for sign in ";\t" if sign in outside_quotes), ",")
        self.delimiter = delimiter or likely

    def cells(self, row: int) -> list[str]:
        """The entries of a line, as text."""
        try:
            (entries,) = csv.reader([self.lines[row][1]], delimiter=self.delimiter)
        except csv.Error as error:  # such as an entry of more than 131 072 characters
            raise self.error(row, f"cannot be read: {error}") from error
        return [cell.strip() for cell in entries]

    def numbers(self) -> CsvTable:
        """All entries as numbers; ValueError for the first line that has anything else."""
        try:
            return np.loadtxt(
                (line for _, line in self.lines), comments=None, delimiter=self.delimiter,
                quotechar='"', ndmin=2,
            )  # fmt: skip
        except ValueError as error:  # NumPy does not count blank lines, and shows no entry
            columns = len(self.cells(0))
            for row in range(len(self.lines)):
                if said := _fault(self.cells(row), columns):
                    raise self.error(row, said) from error
            raise ValueError(f"load_csv: {escaped(self.path)} cannot be read: {error}") from error

    def error(self, row: int, said: str) -> ValueError:
        return ValueError(f"load_csv: line {self.lines[row][0]} of {escaped(self.path)} {said}")

    def check(self, numbers: CsvTable, right: CsvTable, said: str) -> None:
        """ValueError for the first number that is not right."""
        if not right.all():
            place = tuple(np.argwhere(~right)[0])
            raise self.error(int(place[0]), f"has the entry {numbers[place]:g}, which {said}")


def _has_header(file: _CsvFile, cells: list[str], column: int, label: int | str) -> bool:
    """Whether the first line is a header: its label is not a number."""
    if isinstance(label, str) or not _reads_as_number(cells[column]):
        return True
    wrong = next((cell for cell in cells if not _reads_as_number(cell)), None)
    if wrong is not None:
        raise file.error(
            0,
            f"has {wrong[:40]!r} among numbers; say header=True if it is a header, or correct it",
        )
    return False


def _label_column(file: _CsvFile, cells: list[str], label: int | str, header: bool | None) -> int:
    """The index of the column of the labels."""
    if isinstance(label, str):
        if header is False:
            raise ValueError("load_csv: without a header, label is the index of a column")
        if cells.count(label) == 1:
            return cells.index(label)
        known = ", ".join(map(repr, cells[:10])) + (", ..." if len(cells) > 10 else "")
        said = f"has the name {label!r} twice" if label in cells else f"has no name {label!r}"
        raise file.error(0, f"{said}; it has {known[:300]}")
    if not -len(cells) <= label < len(cells):
        raise file.error(0, f"has {len(cells)} entries; there is no column {label}")
    return label % len(cells)


def _other_shape(pixels: int) -> str:
    side = math.isqrt(pixels)
    fits = f"shape=({side}, {side})" if side > 1 and side * side == pixels else "another shape"
    return f"give {fits}, or shape=None for a table that holds no pictures"


def _fault(cells: list[str], columns: int) -> str:
    """What is wrong with a line; nothing for one of so many numbers."""
    if len(cells) != columns:
        return f"has {len(cells)} entries; the lines before have {columns}"
    for cell in cells:
        if not _reads_as_number(cell):
            comma = re.fullmatch(r"\s*[+-]?\d*,\d+\s*", cell)
            cure = "write a decimal point" if comma else "leave the line out, or put a number there"
            return f"has {cell[:40]!r}, which is not a number; {cure}"
    return ""


def _reads_as_number(cell: str) -> bool:
    """Whether NumPy reads it as a number; to Python 1_000 and ١ are numbers, too."""
    try:
        float(cell)
    except ValueError:
        return False
    return cell.isascii() and "_" not in cell
