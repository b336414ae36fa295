"""Reports: tables, pictures and errors for any name, any shape and any mistake."""

import pickle
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Tensor, check_backward, gradcheck
from tinygrad_edu.check import GradientError, Report, Row, check_inputs_matter
from tinygrad_edu.check.report import MEANINGS

X = np.arange(6.0).reshape(2, 3) + 0.5


def cut(x):
    return x.detach() * x


DRAWN = {"svg", "title", "g", "rect", "path", "text"}
NAMES = ["<b>&\"'", "a\nb\rc\t", "\x00\x1b[31m", "ü✓" * 60, "</svg><script>", "\ud800", "{}%s",
         "\u202eabc", "]]>", ""]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_gives_a_table_of_one_line_a_row_and_a_picture_that_parses(name, tmp_path):
    report = gradcheck(cut, Tensor(X, name), raises=False)
    text = str(report)
    text.encode()
    head, columns, row, *note = text.splitlines()
    assert head.startswith("gradcheck of cut: wrong for")
    assert "verdict" in columns
    assert row.endswith("WRONG")
    assert 1 <= len(note) <= 5
    assert max(map(len, text.splitlines())) <= 100
    assert not any(ord(c) < 32 for c in text.replace("\n", ""))
    svg = report.to_svg()
    assert report.to_svg(tmp_path / "map.svg").read_text(encoding="utf-8") == svg
    root = ET.fromstring(svg.encode())
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= DRAWN
    assert "var(" not in svg


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_names_of_inputs_keep_the_table_in_shape(first, second):
    report = gradcheck(lambda x, y: cut(x) + y, X, X, names=[first, second], raises=False)
    assert len([r for r in str(report).splitlines() if r.endswith(("WRONG", "ok"))]) == 2
    ET.fromstring(report.to_svg().encode())


def test_a_picture_is_written_whole_or_not_at_all(tmp_path):
    report = gradcheck(cut, X, raises=False)
    with pytest.raises(OSError, match="nowhere"):
        report.to_svg(tmp_path / "nowhere" / "map.svg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1, 500), (500, 1), (60, 70), (2, 3, 4, 5)])
def test_any_shape_gives_a_picture(shape):
    report = gradcheck(cut, Tensor(np.ones(shape), "x"), raises=False)
    ET.fromstring(report.to_svg().encode())
    assert report.ok == (0 in shape)


def test_an_error_survives_pickling_with_the_text_of_its_report():
    with pytest.raises(GradientError) as found:
        gradcheck(cut, Tensor(X, "x"))
    again = pickle.loads(pickle.dumps(found.value))
    assert type(again) is GradientError
    assert str(again) == str(found.value) == str(again.report)
    np.testing.assert_array_equal(again.report.rows[0].errors, found.value.report.rows[0].errors)
    assert repr(again.report) == str(again)


def test_a_table_of_long_names_and_large_shapes_fits_on_a_line():
    x = Tensor(np.ones((12, 13, 14, 15)), "layers.3.attention.self.query.weight")
    report = gradcheck(lambda x: x.detach().sum() + 0 * x[0, 0, 0, 0], x, raises=False)
    assert max(map(len, str(report).splitlines())) <= 100
    assert "query.weight" in str(report).splitlines()[2]


def test_the_call_of_backward_is_a_line_under_the_table():
    report = replace(gradcheck(cut, X, raises=False), called="backward(dout, x, w)")
    _, _, row, called, *notes = str(report).splitlines()
    assert row.endswith("WRONG")
    assert called == "called as backward(dout, x, w)"
    assert notes
    report.rows.clear()
    assert str(report).splitlines()[1:] == [called]


def test_the_first_line_says_wrong_of_what_is_wrong_alone():
    rows = [
        Row("W", (2,), "wrong"), Row("b", (2,), "missing"), Row("x", (), "unsure"),
        Row("t", (), "unused", note="moving t changes nothing; is s used instead?"),
        Row("g", (), "ok"),
    ]  # fmt: skip
    report = Report("check of f", rows)
    head, *_, unsure, unused = str(report).splitlines()
    assert head == report.verdict == "check of f: wrong for W, b; unsure for x; unused: t"
    assert unsure == f"x: {MEANINGS['unsure']}", "a row that fails says what its verdict means"
    assert unused == "t: moving t changes nothing; is s used instead?"
    assert Report("f", rows[3:]).verdict == "f: unused: t"
    assert Report("f", [], ["it wrote into x"]).verdict == "f: 1 problem"
    many = Report("f", [Row(f"w{i}", (), "wrong") for i in range(50)])
    assert many.verdict == "f: wrong for w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, and 39 more"
    assert str(many).count("WRONG") == 50


@pytest.mark.parametrize(("verdict", "colour"), [("unsure", "unknown"), ("unused", "unknown"),
                                                 ("wrong", "wrong")])  # fmt: skip
@pytest.mark.parametrize("errors", [None, np.array([3.0, 0.0])])
def test_what_cannot_be_told_is_grey_with_its_words_in_the_picture(verdict, colour, errors):
    report = Report("f", [Row("x", (2,), verdict, note="the numbers are too rough", errors=errors)])
    cells, legend = report.to_svg().split("the numbers are too rough")
    assert verdict in cells
    assert re.findall(r'<g class="(wrong|unknown)"', cells) == [colour]
    assert "wrong" in legend


def test_rows_that_agree_are_folded_and_those_that_do_not_stand_in_the_table():
    def lines_of(agreeing):
        rows = [Row(f"w{i}", (2, 3), "ok", (0, 1), 1.0, 1.0, 1.0) for i in range(agreeing)]
        rows[4:4] = [Row("b", (2,), "wrong", (0,), 1.0, 1.0, 2.0)]
        rows += [Row("c", (2,), "kink", (0,), 1.0, 1.0, 2.0)]
        return str(Report("f", rows)).splitlines()

    assert len(lines_of(30)) == 34
    many = lines_of(38)
    assert many[-1] == "  28 more parameters agree"
    assert [line.split()[0] for line in many[2:-1]] == [
        "w0", "w1", "w2", "w3", "b", "w4", "w5", "w6", "w7", "w8", "w9", "c"
    ]  # fmt: skip


def test_what_many_rows_say_alike_is_said_once():
    def lines_of(count):
        rows = [
            Row(f"layers.W{i}", (), "missing", note=f"no gradient (looked for dW{i})")
            for i in range(count)
        ]
        rows.insert(1, Row("x", (), "wrong", note="the sign is wrong"))
        return [line for line in str(Report("f", rows)).splitlines() if ": " in line[:-1]][1:]

    assert len(lines_of(3)) == 4
    first, x = lines_of(20)
    assert first == (
        "layers.W0, layers.W1, layers.W2, layers.W3, and 16 more: no gradient (looked for dW0)"
    )
    assert x == "x: the sign is wrong"


def test_numbers_are_not_broken_at_the_end_of_a_line():
    note = " ".join(["it is 1.2e-16"] * 40)
    lines = Report("f", [], [note]).text(80).splitlines()
    assert max(map(len, lines)) <= 80
    assert not any(line.endswith("-") for line in lines)


@pytest.mark.parametrize("name", ["rtol", "atol"])
def test_tolerances_are_numbers_from_0_upwards(name):
    def layer_of(**options):
        return check_backward(lambda x: 2 * x, lambda dout: 2 * dout, X, **options)

    for wrong in (-1, float("nan"), -float("inf")):
        for check in (lambda **o: gradcheck(lambda x: x * x, X, **o), layer_of):
            with pytest.raises(ValueError, match=f"{name} is .*a tolerance is 0 or more"):
                check(**{name: wrong})
    for wrong in ("3", [1], 1j):
        with pytest.raises(TypeError, match=f"{name} is .*a tolerance is a number"):
            gradcheck(lambda x: x * x, X, **{name: wrong})
    assert gradcheck(lambda x: x * x, X, **{name: 0.0}).ok
    assert layer_of(**{name: 1e-9}).ok


# --- inputs that do not matter -------------------------------------------------------------------

MATTER = {
    "both": (lambda p, t: np.mean(p - 2 * t), X, X),
    "accuracy": (
        lambda p, t: np.mean(p.argmax(axis=1) == t), X, np.array([2, 0]),
    ),
    "booleans": (lambda a: a.sum(), np.zeros(3, bool)),
    "bytes": (lambda a: a.sum(), np.zeros(3, np.uint8)),
    "number": (lambda a: a, 3),
    "no elements": (lambda a, b: a.sum() + b, np.zeros((0, 3)), 1.0),
    "largest numbers": (lambda a: a.max(), np.array([1e308, -1e308])),
    "nan": (lambda a: a[1], np.array([np.nan, 1.0])),
    "node": (lambda a: a.exp().sum(), Tensor(X)),
}  # fmt: skip


@pytest.mark.parametrize("call", MATTER.values(), ids=MATTER)
def test_inputs_that_matter_are_not_accused(call):
    check_inputs_matter(*call)


def test_inputs_that_do_not_matter_are_named_and_random_results_refused():
    with pytest.raises(AssertionError, match="does not depend on t: any other numbers"):
        check_inputs_matter(lambda p, t: np.mean(p), X, X)
    with pytest.raises(AssertionError, match="does not depend on p, t"):
        check_inputs_matter(lambda p, t: 3.0, X, X)
    with pytest.raises(ValueError, match="two results"):
        check_inputs_matter(lambda p: np.random.random(), X)
