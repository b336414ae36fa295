"""Readers on damaged and invented files: the right data or a ValueError, in bounded memory."""

import gzip
import re
import struct
import tracemalloc
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tinygrad_edu.data import load_csv, load_idx

same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


PICTURES = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
LABELS = np.array([7, 0, 9, 7], np.uint8)
CSV = b"label,a,b\n1,2,3\n4, 5,6\n\n7,8,9\r\n"


@st.composite
def damaged(draw, whole):
    """A file with some bytes changed, cut out, put in or repeated."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 4)))
        pieces = st.sampled_from(
            [b"\xff" * 4, b"\0" * 4, b"-1", b"9" * 30, b",", b"\n", b'"', b";"]
        )
        again = st.just(bytes(content[start:end]) * 2)
        new = draw(st.one_of(st.binary(max_size=4), again, pieces))
        content[start:end] = new
    return bytes(content)


def read_idx(content, ndim):
    """The array of an IDX file as its description says, or None."""
    if content[:4] != bytes([0, 0, 8, ndim]) or len(content) < 4 + 4 * ndim:
        return None
    shape = [int.from_bytes(content[4 * i : 4 * i + 4], "big") for i in range(1, ndim + 1)]
    body = content[4 + 4 * ndim :]
    size = 1
    for n in shape:
        size *= n
    return np.frombuffer(body, np.uint8).reshape(shape) if len(body) == size else None


def unzipped(content):
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error):
        return b""


def check_idx(folder, images, labels, suffix):
    paths = folder / f"images{suffix}", folder / f"labels{suffix}"
    for path, content in zip(paths, (images, labels), strict=True):
        path.write_bytes(content)
    if suffix:
        images, labels = unzipped(images), unzipped(labels)
    wanted, found = read_idx(images, 3), read_idx(labels, 1)
    if wanted is None or found is None or len(wanted) != len(found):
        with pytest.raises(ValueError, match="load_idx: "):
            load_idx(*paths)
    elif found.size and found.max() > 9:
        with pytest.raises(IndexError, match="load_idx: "):
            load_idx(*paths)
    else:
        pixels, classes = load_idx(*paths)
        np.testing.assert_array_equal(pixels.ravel(), wanted.ravel())
        np.testing.assert_array_equal(classes, found)


@same_folder
@given(st.one_of(st.binary(max_size=60), damaged(idx(PICTURES)), damaged(idx(PICTURES)[:16])))
@example(idx(PICTURES)[:4] + b"\xff" * 12)  # 79 228 162 495 817 593 519 834 398 721 bytes
@example(idx(PICTURES)[:4] + b"\x7f\xff\xff\xff\0\0\0\1\0\0\0\1")
@example(idx(PICTURES[:0]))
def test_images_are_read_right_or_refused(tmp_path, content):
    check_idx(tmp_path, content, idx(LABELS), "")


@same_folder
@given(st.one_of(st.binary(max_size=20), damaged(idx(LABELS))))
def test_labels_are_read_right_or_refused(tmp_path, content):
    check_idx(tmp_path, idx(PICTURES), content, "")


ZIPPED = gzip.compress(idx(PICTURES), mtime=0)


@same_folder
@given(
    st.one_of(st.binary(max_size=60), damaged(ZIPPED), st.binary(max_size=9).map(ZIPPED.__add__))
)
@example(b"")
@example(ZIPPED[:-1])
@example(ZIPPED[:-8] + bytes(8))  # another checksum
@example(ZIPPED[:12] + b"\xff" * 9 + ZIPPED[21:])  # no deflated data
@example(ZIPPED * 2)
def test_zipped_images_are_read_right_or_refused(tmp_path, content):
    check_idx(tmp_path, content, gzip.compress(idx(LABELS)), ".gz")


def peak_memory(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    "lengths", [(2**32 - 1,) * 3, (1000, 1000, 1000), (1, 1, 1), (3, 1, 2**30)]
)
def test_a_header_that_lies_takes_no_memory(tmp_path, lengths, suffix):
    """Zipped, a million zeros take a thousand bytes."""
    header = bytes([0, 0, 8, 3]) + struct.pack(">3I", *lengths)
    content = header + bytes(5_000_000)
    path = tmp_path / f"images{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content[:100_000])

    def read():
        with pytest.raises(ValueError, match="names lengths"):
            load_idx(path, path)

    assert peak_memory(read) < 1_000_000


def read_csv(content):
    """The rows of a CSV file with two pixels and no quotes, or None."""
    text = content.decode("utf-8-sig", errors="surrogateescape")
    lines = [x for x in re.split("\r\n|\r|\n", text) if x.strip()]
    delimiter = next((sign for sign in ";\t" if lines and sign in lines[0]), ",")
    rows = [[entry.strip() for entry in line.split(delimiter)] for line in lines]
    number = re.compile(
        r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?(nan|inf(inity)?)", re.I
    )
    numeric = [[bool(number.fullmatch(entry)) for entry in row] for row in rows]
    if numeric and not all(numeric[0]):
        if numeric[0][0] or len(rows[0]) != 3:  # a header or a sample?
            return None
        rows, numeric = rows[1:], numeric[1:]
    if not rows or not all(
        len(row) == 3 and all(right) for row, right in zip(rows, numeric, strict=True)
    ):
        return None
    table = [[float(entry) for entry in row] for row in rows]
    pixels = all(0 <= x <= 255 for row in table for x in row[1:])
    labels = all(0 <= row[0] <= 2**53 and row[0] % 1 == 0 for row in table)
    return table if pixels and labels else None


@same_folder
@given(st.one_of(st.binary(max_size=60), damaged(CSV), st.text(max_size=40).map(str.encode)))
@example(b"l,a,b\n1,2,9223372036854775808\n")
@example(b"l,a,b\n1,2," + b"9" * 5000 + b"\n")
@example(b"9" * 140_000 + b",2,3\n")
@example(b"1,2,3\n" + b"x" * 140_000)
@example("l,a,b\n١,٢,٣\n".encode())
@example(b"l,a,b\n1_0,2,3\n")
@example(b"l,a,b\n1,2,3\n\xff\n")
@example(b"\xef\xbb\xbfl,a,b\n1,2,3")
@example(b"l,a,b\n1,2,3\0\n")
@example(b'"1\n2",3,4')
@example(b"l,a,b\n0x1p3,2,3")
@example(b"1e400,nan,-inf")
def test_csv_files_are_read_right_or_refused(tmp_path, content):
    path = tmp_path / "digits.csv"
    path.write_bytes(content)
    wanted = read_csv(content)
    refused = ""
    try:
        pixels, labels = load_csv(path, shape=(1, 2))
    except ValueError as error:
        refused = str(error)
    if refused:
        assert wanted is None or b'"' in content
        assert re.match("load_csv: .*digits.csv", refused)
        assert refused.isprintable()
        assert len(refused) < 400 + len(str(path))
        return
    assert (pixels.dtype, labels.dtype) == (np.float64, np.int64)
    assert np.isin(pixels.size, 2 * labels.size)
    if b'"' not in content:
        assert labels.tolist() == [row[0] for row in wanted]
        np.testing.assert_array_equal(pixels, [row[1:] for row in wanted])


@same_folder
@given(
    st.one_of(st.binary(max_size=60), damaged(CSV)),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, ",", ";", " ", "1", "e"]),
    st.one_of(st.integers(-4, 4), st.sampled_from(["label", "a", ""])),
    st.sampled_from(["", ".gz"]),
)
def test_with_any_settings_there_is_a_table_or_a_value_error(
    tmp_path, content, header, delimiter, label, suffix
):
    path = tmp_path / f"table.csv{suffix}"
    path.write_bytes(gzip.compress(content, mtime=0) if suffix and len(content) % 2 else content)
    settings = {"header": header, "delimiter": delimiter, "label": label}
    with suppress(ValueError):
        x, y = load_csv(path, shape=None, **settings)
        assert np.isfinite(x).all()
        assert len(x) == len(y)


def test_a_csv_file_takes_memory_in_proportion_to_its_length(tmp_path):
    path = tmp_path / "digits.csv"
    for content in (b"," * 1_000_000, b"l,a,b\n" + b"1,2,3\n" * 20_000, b"l\n" + b"1," * 500_000):
        path.write_bytes(content)

        def read():
            with suppress(ValueError):
                load_csv(path, shape=(1, 2))

        assert peak_memory(read) < 60 * len(content)
