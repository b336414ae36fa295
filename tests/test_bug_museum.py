"""The bug museum: every bug is caught and named, every cure passes, the page is what is printed."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "demos"))
try:
    import bug_museum
    from exhibits.frame import EXHIBITS, code_of
finally:
    sys.path.remove(str(ROOT / "demos"))

SAID = {
    1: ["does not depend on prediction"],
    2: ["softmax_cross_entorpy", "NameError", "line 8"],
    3: ["wrong for x", "the sign is wrong: negate it"],
    4: ["forward warned: Mean of empty slice", "forward gives nan"],
    5: ["wrong for x", "both derivatives differ", "2 of 2 elements wrong"],
    6: ["wrong for bias", "shape (25, 1), not ()", "not summed over the batch"],
    7: ["wrong for x", "sign of the adjoint instead of that of the input"],
    8: ["W: backward changed it; update parameters after the backward pass"],
    9: ["forward gives shape (4,)", "a loss is one number"],
    10: ["wrong for target", "shape (3, 4), not (3, 1)", "not summed over axis 1"],
    11: ["backward wrote into the adjoint dout"],
    12: ["forward warned: overflow encountered in exp"],
    13: ["IndexError", "in backward"],
    14: ["0 everywhere", "integers"],
    15: ["shape (4, 4), not (4, 1)", "broadcast to (4, 4)"],
    16: ["wrong for w", "assigned instead of accumulated", "set it 2 times"],
    17: ["shape (1,), not (1, 1)", "reshape"],
    18: ["TypeError", "item assignment", "in forward"],
    19: ["wrong for x", "6 of 9 elements wrong"],
    20: ["apple: the result jumps", "int()"],
}


def test_the_twenty_bugs_are_all_there():
    assert sorted(EXHIBITS) == list(range(1, 21)) == sorted(SAID)


@pytest.mark.parametrize("number", SAID)
def test_a_bug_is_caught_and_named_and_its_cure_passes(number):
    exhibit = EXHIBITS[number]
    said = " ".join(exhibit.said().split())
    for words in SAID[number]:
        assert words in said
    exhibit.right()


@pytest.mark.parametrize("number", SAID)
def test_the_cure_is_the_same_code_but_for_a_few_lines(number):
    wrong = code_of(EXHIBITS[number].wrong).splitlines()
    right = code_of(EXHIBITS[number].right).splitlines()
    assert wrong != right
    assert wrong[-1] == right[-1] or number == 10  # the same check
    assert len(wrong) <= 20


def test_a_bug_that_is_not_caught_does_not_pass_for_caught():
    exhibit = EXHIBITS[3]
    healed = type(exhibit)(3, exhibit.title, exhibit.notebooks, exhibit.right, exhibit.right)
    with pytest.raises(RuntimeError, match="bug 3 was not caught"):
        healed.said()


def test_the_page_in_the_docs_is_what_the_museum_prints():
    page = (ROOT / "docs" / "bug_museum.md").read_text(encoding="utf-8")
    printed = bug_museum.page()
    assert _without_rounding(page) == _without_rounding(printed), (
        "python demos/bug_museum.py --page > docs/bug_museum.md"
    )


def _without_rounding(text):
    """The text without relative errors such as 1.2e-13, which differ from machine to machine."""
    return re.sub(r"\b\d\.\d+e-1\d\b|\b0\.0e\+00\b", "rounding", text)


def test_the_demo_prints_all_or_one(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bug_museum.py"])
    bug_museum.main()
    assert "20 caught, 20 cured" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["bug_museum.py", "7"])
    bug_museum.main()
    printed = capsys.readouterr().out
    assert printed.startswith("7. ReLU masked")
    assert "1 caught, 1 cured" in printed
