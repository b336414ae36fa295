"""The bundled digits, readers of CSV and IDX files, splitting, one-hot, batches.

Everything here is plain arrays; a plain array is a constant in a graph and costs no gradient.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinygrad_edu.engine.names import escaped
from tinygrad_edu.rules.operand_types import Array

NUMBER = (int, float, np.number)
DATASETS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "datasets")
if TYPE_CHECKING:  # numpy.random is loaded only when somebody draws from it
    from pathlib import Path

    Rng = np.random.Generator | int | None


def load_digits() -> tuple[Array, Array]:
    """The 1797 handwritten digits of the UCI repository: pixels (1797, 64) and labels (1797,).

    Each row is an 8 × 8 picture, brightness 0 to 16 as float64; labels are integers 0 to 9. They
    are the test set of "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak,
    1998, https://doi.org/10.24432/C50P49), under the licence CC BY 4.0. Nothing is downloaded.
    """
    path = os.path.join(DATASETS, "digits.npz")
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["pixels"].astype(np.float64), arrays["labels"].astype(np.int64)


def generator(operation: str, rng: Rng) -> np.random.Generator:
    """The generator that is given, or one from a seed; TypeError or ValueError for others."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"{operation}: rng is {rng!r}; give a seed from 0 up or a numpy.random.Generator"
        ) from error


def train_test_split(
    x: Any, y: Any, test_size: float = 0.2, rng: Rng = None
) -> tuple[Array, Array, Array, Array]:
    """Shuffle samples and labels together: x_train, x_test, y_train, y_test.

    `test_size` is the part that goes to the test set, rounded up to whole samples. `rng`, a
    generator or a seed, draws one permutation; its first entries are the test set. ValueError for
    different lengths, or if one of the two sets would be empty.
    """
    x, y = _same_length("train_test_split", x, y)
    if not isinstance(test_size, NUMBER) or not np.isfinite(test_size):
        kind: Any = ValueError if isinstance(test_size, NUMBER) else TypeError
        raise kind(f"train_test_split: test_size is {test_size!r}; use a part such as 0.2")
    n_test = int(np.ceil(len(x) * test_size))
    if not 0 < n_test < len(x):
        raise ValueError(
            f"train_test_split: test_size={test_size} of {len(x)} samples leaves {n_test} for the "
            f"test and {len(x) - n_test} for training; both need at least 1"
        )
    order = generator("train_test_split", rng).permutation(len(x))
    test, train = order[:n_test], order[n_test:]
    return x[train], x[test], y[train], y[test]


def one_hot(labels: Any, classes: int, dtype: npt.DTypeLike = np.float64) -> Array:
    """Rows of zeros with a 1 at each label: shape (..., classes) for labels of shape (...).

    TypeError unless labels are integers; IndexError for a label below 0 or from `classes` up.
    """
    labels = np.asarray(labels)
    if not hasattr(classes, "__index__") or np.ndim(classes):
        raise TypeError(
            f"one_hot: classes is of type {type(classes).__name__}; give the labels first and the "
            "number of classes second, as in one_hot([0, 2], 3)"
        )
    if labels.dtype.kind not in "iu":
        raise TypeError(f"one_hot: labels are of dtype {labels.dtype}; use integers")
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        wrong = labels.max() if labels.max() >= classes else labels.min()
        raise IndexError(
            f"one_hot: label {wrong} is out of range for {classes} classes, 0 to {classes - 1}"
        )
    rows = np.zeros((labels.size, classes), dtype)
    rows[np.arange(labels.size), labels.ravel()] = 1
    return rows.reshape(*labels.shape, classes)


class DataLoader:
    """Batches (x, y) of a data set, in order or in a new random order on every pass.

    Batches are read-only arrays; the last holds what is left. `rng`, a generator or a seed, makes
    the order repeatable. ValueError for different lengths, an empty set or a batch size below 1.
    """

    def __init__(
        self, x: Any, y: Any, batch_size: int = 32, shuffle: bool = True, rng: Rng = None
    ) -> None:
        self.x, self.y = _same_length("DataLoader", x, y)
        if not (isinstance(batch_size, NUMBER) and batch_size >= 1 and batch_size % 1 == 0):
            kind: Any = ValueError if isinstance(batch_size, NUMBER) else TypeError
            raise kind(f"DataLoader: batch_size is {batch_size!r}; it must be 1, 2, 3, ...")
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        self.rng = generator("DataLoader", rng)

    def __repr__(self) -> str:
        arrays = ", ".join(f"{k} {v.shape} {v.dtype}" for k, v in (("x", self.x), ("y", self.y)))
        order = "in a new order" if self.shuffle else "in order"
        return f"DataLoader({arrays}, {len(self)} batches of {self.batch_size}, {order})"

    def __len__(self) -> int:
        """The number of batches in one pass."""
        return -(-len(self.x) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        for batch in self.batches():
            x, y = self.x[batch], self.y[batch]
            x.flags.writeable = y.flags.writeable = False  # then a graph need not copy them
            yield x, y

    def batches(self) -> Iterator[Array]:
        """The samples of each batch of one pass, as indices."""
        n = len(self.x)
        order = self.rng.permutation(n) if self.shuffle else np.arange(n)
        return (order[start : start + self.batch_size] for start in range(0, n, self.batch_size))


def _same_length(operation: str, x: Any, y: Any) -> tuple[Array, Array]:
    for name, array in (("x", x), ("y", y)):
        if np.ndim(array) == 0:
            raise ValueError(
                f"{operation}: {name} is of type {type(array).__name__}; give an array or a list "
                "with an entry for each sample"
            )
    x, y = np.asarray(x), np.asarray(y)
    if len(x) != len(y):
        raise ValueError(
            f"{operation}: x has shape {x.shape} and y {y.shape}; lengths must be equal"
        )
    if not len(x):
        raise ValueError(f"{operation}: the data set is empty")
    return x, y


def load_csv(
    path: str | Path,
    shape: tuple[int, int] | None = (16, 16),
    *,
    header: bool | None = None,
    delimiter: str | None = None,
    label: int | str = 0,
) -> tuple[Array, Array]:
    """Labelled pictures, or any table of numbers with a label, from a CSV file, plain or gzipped.

        x, y = load_csv("digits.csv")  # a label and 16 × 16 pixels in every line
        x, y = load_csv("mnist_train.csv.gz", shape=(28, 28))
        x, y = load_csv("wine.csv", shape=None, label="quality", delimiter=";")

    Returns the other columns (N, columns) as float64, and the labels (N,): integers, or float64 for
    a table with labels that are not whole. `shape` is that of the pictures, None for a table.
    `label` is the column of the labels: its name in the header, or its index, from the end if
    negative. The first line is a header if its label is not a number; `header=True` or `False` says
    which. Without `delimiter` it is a semicolon, a tab or a comma, whichever the first line has.
    Numbers may be in quotes; blank lines are skipped. ValueError, with the number of the line, for
    anything but numbers, another number of columns, a pixel outside 0 to 255, or a label of a
    picture that is not 0, 1, 2, ...
    """
    from tinygrad_edu.csv_reader import read_csv  # here, with the few programs that need it

    return read_csv(path, shape, header, delimiter, label)


def load_idx(images: str | Path, labels: str | Path, classes: int = 10) -> tuple[Array, Array]:
    """Pictures and labels from a pair of IDX files, such as MNIST's, plain or gzipped (.gz).

    Returns pixels (N, height · width) as uint8 and labels (N,) as integers. The format is that of
    http://yann.lecun.com/exdb/mnist: a magic number, big-endian lengths, then bytes. ValueError for
    a wrong magic number, a wrong size, different lengths; IndexError for labels from `classes` up.
    """
    pixels, indices = _read_idx(images, 3), _read_idx(labels, 1)
    if len(pixels) != len(indices):
        raise ValueError(
            f"load_idx: {len(pixels)} pictures in {escaped(images)}, but {len(indices)} labels in "
            f"{escaped(labels)}"
        )
    if len(indices) and indices.max() >= classes:
        raise IndexError(
            f"load_idx: label {indices.max()} in {escaped(labels)} is not one of {classes} classes"
        )
    return pixels.reshape(len(pixels), math.prod(pixels.shape[1:])), indices.astype(np.int64)


BEST_RATIO = 1032
"""How many bytes one byte of a gzip file can stand for at most."""


def _read_idx(path: str | Path, ndim: int) -> Array:
    import gzip  # here, with the few programs that need them
    import zlib

    zipped = str(path).endswith(".gz")
    opener: Any = gzip.open if zipped else open
    size = os.path.getsize(path)
    header = 4 + 4 * ndim
    with opener(path, "rb") as file:
        try:
            start: bytes = file.read(header)
            shape = _idx_shape(path, start, ndim)
            named = header + math.prod(shape)
            possible = size * BEST_RATIO if zipped else size
            # no more is read than the file can hold and its header names, and one byte to tell
            content: bytes = file.read(named - header + 1) if named <= possible else b""
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"load_idx: {escaped(path)} is cut off or damaged: {error}") from error
    if header + len(content) != named:
        has = f"{size}" if not zipped else f"at most {possible}"
        if zipped and named <= possible:
            has = f"{header + len(content)}" + (" or more" if len(content) > named - header else "")
        raise ValueError(
            f"load_idx: {escaped(path)} names lengths {shape}, so it should have {named} bytes, "
            f"but has {has}"
        )
    return np.frombuffer(content, np.uint8).reshape(shape).copy()


def _idx_shape(path: str | Path, start: bytes, ndim: int) -> tuple[int, ...]:
    """The lengths that the header of an IDX file names; ValueError for any other."""
    expected = 0x0800 + ndim  # unsigned bytes in so many dimensions
    magic = int.from_bytes(start[:4], "big")
    if len(start) >= 4 and magic != expected:
        raise ValueError(
            f"load_idx: {escaped(path)} starts with the magic number {magic:#010x}; a file of "
            f"{'pictures' if ndim == 3 else 'labels'} starts with {expected:#010x}"
        )
    header = 4 + 4 * ndim
    if len(start) < header:
        raise ValueError(
            f"load_idx: {escaped(path)} has {len(start)} bytes, fewer than the {header} of a header"
        )
    return struct.unpack(f">{ndim}I", start[4:])
