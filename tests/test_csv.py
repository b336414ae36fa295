"""CSV files of every sort that people have, and what is said of those that cannot be read."""

import csv
import gzip
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinygrad_edu.data import load_csv

NAMES = ",".join(["label", *(f"pixel{i}" for i in range(256))])
PICTURES = np.random.default_rng(0).integers(0, 256, (3, 256))


@pytest.fixture
def write(tmp_path):
    """Write text or bytes to a CSV file and give its path."""

    def write(content, name="digits.csv"):
        path = tmp_path / name
        content = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


def line(label, pixels):
    return ",".join(map(str, [label, *pixels]))


def test_pictures_of_16_by_16_pixels_below_a_header(write):
    rows = (line(label, p) for label, p in zip([3, 0, 9], PICTURES, strict=True))
    path = write("\n".join([NAMES, *rows]))
    for given_path in (path, str(path)):
        pixels, labels = load_csv(given_path)
        assert (pixels.dtype, labels.dtype) == (np.float64, np.int64)
        assert np.array_equal(pixels, PICTURES)
        assert labels.tolist() == [3, 0, 9]


FILES = {
    "without a header": "3,0,255\n7,1,2\n",
    "with a header": "label,a,b\n3,0,255\n7,1,2\n",
    "without a last end of line": "3,0,255\n7,1,2",
    "floats": "3.0,0.0,2.55e2\n7,1.,2.0\n",
    "blank lines and spaces": "\n 3, 0 ,255\n\n  \n7,1,2\n\n",
    "CRLF": "label,a,b\r\n3,0,255\r\n7,1,2\r\n",
    "old Macintosh": "label,a,b\r3,0,255\r7,1,2\r",
    "a byte order mark": "\ufefflabel,a,b\n3,0,255\n7,1,2\n",
    "a byte order mark without a header": "\ufeff3,0,255\n7,1,2\n",
    "semicolons": "label;a;b\n3;0;255\n7;1;2\n",
    "semicolons without a header": "3;0;255\n7;1;2\n",
    "tabs": "label\ta\tb\n3\t0\t255\n7\t1\t2\n",
    "quotes": '"label","a","b"\n"3","0","255"\n"7","1","2"\n',
    "a delimiter in quotes": '"label","a, in cm","b; c"\n3,0,255\n7,1,2\n',
    "names that are numbers": "label,0,1\n3,0,255\n7,1,2\n",
    "a header that is not UTF-8": "Größe,a,b\n3,0,255\n7,1,2\n".encode("latin-1"),
}


@pytest.mark.parametrize("name", ["digits.csv", "digits.csv.gz"])
@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_files_of_all_sorts_have_the_same_numbers(write, content, name):
    for shape in ((1, 2), None):
        pixels, labels = load_csv(write(content, name), shape)
        assert pixels.tolist() == [[0, 255], [1, 2]]
        assert labels.tolist() == [3, 7]
        assert (pixels.dtype, labels.dtype) == (np.float64, np.int64)


COLUMNS = {
    0: ([5.1, -3.0], [1.5, 2.5], [0, 2]),
    1: ([1.5, 2.5], [5.1, -3.0], [0, 2]),
    -1: ([0, 2], [5.1, -3.0], [1.5, 2.5]),
    "width": ([1.5, 2.5], [5.1, -3.0], [0, 2]),
    "kind of it": ([0, 2], [5.1, -3.0], [1.5, 2.5]),
}


@pytest.mark.parametrize("label", COLUMNS)
def test_the_label_is_any_column_of_a_table(write, label):
    path = write('length,width,"kind of it"\n5.1,1.5,0\n-3,2.5,2\n')
    x, y = load_csv(path, shape=None, label=label)
    wanted, *rest = COLUMNS[label]
    assert y.tolist() == wanted
    assert y.dtype == (np.int64 if wanted == [0, 2] else np.float64)
    assert x.tolist() == [list(row) for row in zip(*rest, strict=True)]


def test_header_and_delimiter_may_be_said(write):
    path = write("0,1,2\n3,0,255\n")  # pandas writes such headers
    assert len(load_csv(path, (1, 2))[1]) == 2
    assert load_csv(path, (1, 2), header=True)[1].tolist() == [3]
    assert load_csv(write("3|0|255\n"), (1, 2), delimiter="|")[1].tolist() == [3]
    assert load_csv(write("3 0 255\n"), (1, 2), delimiter=" ")[1].tolist() == [3]
    with pytest.raises(ValueError, match=r"line 1 of .* has 'label', which is not a number"):
        load_csv(write("label,a,b\n3,0,255\n"), (1, 2), header=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.integers(0, 9), st.floats(-1e9, 1e9), st.floats(-9, 9)), min_size=1),
    delimiter=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    header=st.booleans(),
)
def test_what_pythons_writer_writes_is_read_to_the_last_bit(
    write, rows, delimiter, end, quoting, header
):
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([["label", "a", "b"], *rows] if header else rows)
    x, y = load_csv(write(stream.getvalue()), shape=None)
    assert y.tolist() == [row[0] for row in rows]
    assert x.tolist() == [list(row[1:]) for row in rows]


GOOD = line(1, PICTURES[0])
WRONG = {
    "too few": (line(1, range(255)), r"has 256 entries; the lines before have 257"),
    "too many": (line(1, [0] * 257), r"has 258 entries; the lines before have 257"),
    "a word": (line(1, ["x", *range(255)]), r"has 'x', which is not a number; leave the line out"),
    "a label in words": (line("seven", range(256)), r"has 'seven', which is not a number"),
    "a comma": (line(1, ['"0,5"', *range(255)]), r"has '0,5', .* write a decimal point"),
    "empty": (line("", range(256)), r"has '', which is not a number"),
    "underscores": (line(1, ["1_0", *range(255)]), r"has '1_0', which is not a number"),
    "other digits": (line(1, ["١", *range(255)]), r"has '١', which is not a number"),
    "a control character": (line(1, ["\x1b[2J", *range(255)]), r"has '\\x1b\[2J', which is not"),
    "nan": (line(1, ["nan", *range(255)]), r"has the entry nan, which is not finite"),
    "too large": (line(1, [9**400, *range(255)]), r"has the entry inf, which is not finite"),
    "a pixel of 256": (line(1, [256, *range(255)]), r"has the entry 256, .* from 0 to 255"),
    "a pixel of -1": (line(1, [-1, *range(255)]), r"has the entry -1, .*; shape=None reads"),
    "a label of -1": (line(-1, range(256)), r"has the entry -1, which is not a label such as 0"),
    "half a label": (line(1.5, range(256)), r"has the entry 1\.5, which is not a label such as 0"),
    "a huge label": (line(2**54, range(256)), r"has the entry 1\.80\d+e\+16, which is not a label"),
}


@pytest.mark.parametrize(("wrong", "message"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("header", [NAMES, ""], ids=["header", "no header"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_wrong_line_is_refused_with_its_number_and_a_cure(write, wrong, message, header, end):
    content = end.join([header, GOOD, "", wrong, GOOD])
    with pytest.raises(ValueError, match=rf"^load_csv: line 4 of .*digits\.csv {message}"):
        load_csv(write(content))


def test_the_line_is_right_far_down_in_a_file(write):
    """NumPy reads in pieces of 50 000 lines, and counts those that are not blank."""
    content = "1,2,3\n\n" * 60_000 + "1,2,x\n"
    with pytest.raises(ValueError, match=r"line 120001 of .* has 'x'"):
        load_csv(write(content), (1, 2))


REFUSED = {
    "an empty file": ("", {}, r"digits\.csv is empty"),
    "only blank lines": ("\n \n", {}, r"digits\.csv is empty"),
    "only a header": (NAMES, {}, r"digits\.csv has no rows below its header"),
    "a header and blank lines": (f"{NAMES}\n\n \n", {}, r"has no rows below its header"),
    "28 × 28": (line(1, [0] * 784), {}, r"line 1 .* are 257; give shape=\(28, 28\)"),
    "a table": ("1,2,3,4", {}, r"line 1 .* 4 entries; .* give another shape, or shape=None"),
    "a first line that is damaged": (
        "3,0,x255\n1,2,3",
        {"shape": (1, 2)},
        r"line 1 .* has 'x255' among numbers; say header=True",
    ),
    "a short header": ("label,a\n1,2,3", {"shape": (1, 2)}, r"3 entries, and the header 2"),
    "no such name": (
        "label,a,b\n1,2,3",
        {"shape": None, "label": "class"},
        r"line 1 .* has no name 'class'; it has 'label', 'a', 'b'",
    ),
    "a name that is there twice": (
        "label,label\n1,2",
        {"shape": None, "label": "label"},
        r"has the name 'label' twice",
    ),
    "a name without a header": (
        "1,2",
        {"shape": None, "label": "a", "header": False},
        r"without a header, label is the index",
    ),
    "no such column": ("1,2", {"shape": None, "label": 2}, r"has 2 entries; there is no column 2"),
    "two signs": ("1;;2", {"delimiter": ";;"}, r"the delimiter is ';;'; use one character"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "settings", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_told(write, content, settings, message):
    with pytest.raises(ValueError, match=rf"^load_csv: .*{message}"):
        load_csv(write(content), **settings)


def test_a_zipped_file_that_is_cut_off(write, tmp_path):
    path = write("1,2,3\n" * 5000, "digits.csv.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"digits\.csv\.gz is cut off or damaged"):
        load_csv(path, (1, 2))
    path.write_bytes(b"1,2,3\n")
    with pytest.raises(ValueError, match=r"digits\.csv\.gz is cut off or damaged"):
        load_csv(path, (1, 2))
