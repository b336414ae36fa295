"""The digits, the readers of CSV and IDX files, splits, one-hot rows and batches."""

import gzip
import hashlib
import math
import socket
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Tensor
from tinygrad_edu.data import DataLoader, load_digits, load_idx, one_hot, train_test_split

PIXELS_SHA256 = "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"
LABELS_SHA256 = "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0"

seeds = st.integers(0, 2**32 - 1)


def numbered(n):
    """Samples whose two features and label all tell which sample they are."""
    return np.column_stack([np.arange(n), -np.arange(n)]), 10 * np.arange(n)


def sha256_of_bytes(array):
    return hashlib.sha256(array.astype(np.uint8).tobytes()).hexdigest()


# --- the digits --------------------------------------------------------------------------------


def test_the_digits_are_1797_pictures_of_8_by_8_pixels_from_0_to_16():
    pixels, labels = load_digits()
    assert pixels.shape == (1797, 64)
    assert pixels.dtype == np.float64
    assert (pixels.min(), pixels.max()) == (0, 16)
    assert labels.shape == (1797,)
    assert labels.dtype.kind == "i"
    counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.bincount(labels).tolist() == counts


def test_the_digits_have_the_bytes_that_scikit_learn_1_9_gives():
    pixels, labels = load_digits()
    assert np.array_equal(pixels, np.floor(pixels))
    assert sha256_of_bytes(pixels) == PIXELS_SHA256
    assert sha256_of_bytes(labels) == LABELS_SHA256


def test_the_digits_need_no_network(monkeypatch):
    def refuse(*args):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    load_digits()


def test_every_call_gives_digits_of_its_own():
    pixels, labels = load_digits()
    pixels[:], labels[:] = -1, -1
    assert sha256_of_bytes(load_digits()[0]) == PIXELS_SHA256
    assert sha256_of_bytes(load_digits()[1]) == LABELS_SHA256


# --- train_test_split --------------------------------------------------------------------------


@given(st.integers(2, 60), st.floats(0.01, 0.5), seeds)
def test_a_split_is_disjoint_and_complete_and_keeps_pairs_together(n, test_size, seed):
    x, y = numbered(n)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size, rng=seed)
    assert sorted([*y_train, *y_test]) == y.tolist()
    assert np.array_equal(x_train[:, 0] * 10, y_train)
    assert np.array_equal(x_test[:, 0] * 10, y_test)
    assert len(x_test) == np.ceil(n * test_size)


@given(seeds)
def test_the_same_seed_gives_the_same_split(seed):
    x, y = numbered(20)
    first = train_test_split(x, y, rng=seed)
    again = train_test_split(x, y, rng=np.random.default_rng(seed))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_fifth_of_the_digits_is_360():
    x_train, x_test, y_train, y_test = train_test_split(*load_digits(), rng=42)
    assert (len(x_train), len(x_test)) == (len(y_train), len(y_test)) == (1437, 360)


# --- one_hot -----------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 6), min_size=1), st.integers(7, 9))
def test_one_hot_rows_are_rows_of_the_identity_matrix(labels, classes):
    assert np.array_equal(one_hot(labels, classes), np.eye(classes)[labels])


def test_one_hot_keeps_the_shape_of_the_labels_and_takes_a_dtype():
    rows = one_hot(np.array([[0, 2], [1, 1], [2, 0]], np.uint8), 3, dtype=np.float32)
    assert rows.dtype == np.float32
    assert rows.shape == (3, 2, 3)
    assert np.array_equal(rows.argmax(axis=-1), [[0, 2], [1, 1], [2, 0]])
    assert one_hot(1, 3).tolist() == [0, 1, 0]
    assert one_hot(np.zeros(0, int), 3).shape == (0, 3)


# --- DataLoader --------------------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 50), st.booleans(), seeds)
def test_a_pass_gives_every_sample_once_and_the_last_batch_what_is_left(n, size, shuffle, seed):
    batches = list(loader := DataLoader(*numbered(n), size, shuffle, rng=seed))
    assert len(batches) == len(loader)
    assert sorted(np.concatenate([y for _, y in batches])) == [10 * i for i in range(n)]
    assert all(np.array_equal(x[:, 0] * 10, y) for x, y in batches)
    assert [len(y) for _, y in batches[:-1]] == [size] * (n // size - (n % size == 0))
    assert len(batches[-1][1]) == (n % size or size)


def order_of(loader):
    return [int(label) for _, y in loader for label in y]


@given(seeds)
def test_the_same_seed_gives_the_same_order_on_every_pass(seed):
    one = DataLoader(*numbered(12), 5, rng=seed)
    two = DataLoader(*numbered(12), 5, rng=np.random.default_rng(seed))
    for _ in range(3):
        assert order_of(one) == order_of(two)


@pytest.mark.parametrize("shuffle", [True, False])
def test_batches_are_read_only_copies(shuffle):
    x, y = numbered(4)
    batch, labels = next(iter(DataLoader(x, y, 4, shuffle, rng=0)))
    x[:], y[:] = -1, -1
    assert sorted(labels) == [0, 10, 20, 30]
    for array in (batch, labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5


def test_a_pass_has_an_order_of_its_own_or_that_of_the_data():
    loader = DataLoader(*numbered(100), 32, rng=0)
    first, second = order_of(loader), order_of(loader)
    assert first != second
    assert first != sorted(first)
    loader = DataLoader(*numbered(7), 3, shuffle=False)
    assert order_of(loader) == order_of(loader) == [0, 10, 20, 30, 40, 50, 60]


REFUSED = [
    *((lambda t=t: train_test_split(*numbered(3), t), ValueError, f"test_size={t} .*{said}")
      for t, said in ((0, "0 for the test and 3 for training"), (1, "3 for the test and 0 "),
                      (0.9, "3 for the test and 0 "), (-0.5, "-1 for the test and 4 "))),
    *((lambda t=t: train_test_split(*numbered(3), t), ValueError, f"test_size is {t}; use a part")
      for t in (math.nan, math.inf)),
    *((lambda n=n: one_hot([0, n, 2], 3), IndexError, f"label {n} is out of range for 3 classes")
      for n in (-1, -10, 3, 10, 2**62)),
    *((lambda x=x: one_hot(x, 2), TypeError, f"one_hot: labels are of dtype {dtype}; use integers")
      for x, dtype in (([0.0, 1.0], "float64"), ([True, False], "bool"), (["1"], "<U1"))),
    *((lambda n=n: DataLoader(*numbered(3), n), ValueError, f"batch_size is {n}; it must be 1, 2")
      for n in (0, -1, 2.5, math.nan, math.inf)),
    *((lambda f=f, x=x, y=y: f(x, y), ValueError, f"{f.__name__}: {said}")
      for f in (DataLoader, train_test_split)
      for x, y, said in ((np.zeros((3, 2)), [0, 1], r"x has shape \(3, 2\) and y \(2,\)"),
                         (1, 1, "x is of type int; give an array"),
                         (np.zeros((0, 2)), [], "the data set is empty"))),
    (lambda: DataLoader(Tensor([1.0, 2.0]), [0, 1]), TypeError, r"takes x\.data"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=[m for _, _, m in REFUSED])
def test_what_makes_no_sense_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- IDX files ---------------------------------------------------------------------------------

PICTURES = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
LABELS = np.array([7, 0, 9, 7], np.uint8)


def idx(array):
    """The bytes of an IDX file, from the description of the format."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


IMAGE_FILE, LABEL_FILE = idx(PICTURES), idx(LABELS)


@pytest.fixture
def idx_files(tmp_path):
    """Write a pair of IDX files, gzipped if asked, and give their paths."""

    def write(images=IMAGE_FILE, labels=LABEL_FILE, suffix=""):
        paths = tmp_path / f"images-idx3-ubyte{suffix}", tmp_path / f"labels-idx1-ubyte{suffix}"
        for path, content in zip(paths, (images, labels), strict=True):
            path.write_bytes(gzip.compress(content) if suffix else content)
        return paths

    return write


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_plain_or_gzipped_give_rows_of_pixels_and_labels(idx_files, suffix):
    images, labels = idx_files(suffix=suffix)
    for paths in ((images, labels), (str(images), str(labels))):
        pixels, found = load_idx(*paths)
        assert pixels.dtype == np.uint8
        assert np.array_equal(pixels, PICTURES.reshape(4, 6))
        assert found.dtype.kind == "i"
        assert found.tolist() == LABELS.tolist()


def test_the_arrays_of_idx_files_may_be_written_to(idx_files):
    pixels, labels = load_idx(*idx_files())
    pixels[pixels < 10], labels[0] = 0, 1
    assert pixels.min() == 0


def test_idx_files_without_pictures_give_arrays_of_length_0(idx_files):
    pixels, labels = load_idx(*idx_files(idx(PICTURES[:0]), idx(LABELS[:0])))
    assert pixels.shape == (0, 6)
    assert labels.shape == (0,)


NOT_IDX = {
    "no IDX file": (b"<html>", LABEL_FILE, r"images-idx.*0x3c68746d; a file of pic"),
    "gzipped without the suffix": (gzip.compress(IMAGE_FILE), LABEL_FILE, r"magic number 0x1f8b"),
    "cut off": (IMAGE_FILE[:-1], LABEL_FILE, r"names lengths \(4, 2, 3\).*40 bytes, but has 39"),
    "only a header": (IMAGE_FILE[:16], LABEL_FILE, r"\(4, 2, 3\).*40 bytes, but has 16"),
    "bytes after the end": (IMAGE_FILE, LABEL_FILE + b"\0", r"labels-idx.* 12 bytes, but has 13"),
    "labels first": (LABEL_FILE, IMAGE_FILE, r"0x00000801; a file of pictures .* 0x00000803"),
    "pictures twice": (IMAGE_FILE, IMAGE_FILE, r"0x00000803; a file of labels .* 0x00000801"),
    "fewer labels": (IMAGE_FILE, idx(LABELS[:3]), r"4 pictures in .*images.* 3 labels in .*labels"),
    **{f"{size} bytes": (IMAGE_FILE[:size], LABEL_FILE, rf"\b{size} bytes") for size in (0, 3, 15)},
}


@pytest.mark.parametrize(("images", "labels", "message"), NOT_IDX.values(), ids=NOT_IDX)
def test_what_is_no_pair_of_idx_files_is_refused(idx_files, images, labels, message):
    with pytest.raises(ValueError, match=rf"^load_idx: .*{message}"):
        load_idx(*idx_files(images, labels))


def test_a_gzipped_file_that_was_cut_off_is_refused_by_name(idx_files):
    images, labels = idx_files(suffix=".gz")
    images.write_bytes(images.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"load_idx: .*images-idx3-ubyte\.gz"):
        load_idx(images, labels)


def test_labels_from_the_number_of_classes_up_are_refused(idx_files):
    with pytest.raises(IndexError, match=r"label 9 in .*labels-idx1.* not one of 9 classes"):
        load_idx(*idx_files(), classes=9)
    assert load_idx(*idx_files(labels=idx(LABELS + 90)), classes=100)[1].max() == 99
