"""Nodes out of scripts, by way of the command: what runs, what is put back, what is said."""

import os
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import command
import pytest
from command import rows

from tinygrad_edu.commands import main as cli

SCRIPT = """\
import sys
import beside
from tinygrad_edu import Tensor, Value

apple = Value(beside.price, "apple")
total = apple * 2
shown_name = __name__
calls = []
vector = Tensor([1.0, 2.0], "v") * 2
number = 3


def squared(scale=1):
    import later
    return apple * apple * scale * later.one


def needs(x):
    return x


def returns_a_number():
    return 3


def fails():
    return apple / 0


class Thing:
    pass


assert sys.argv == [__file__], sys.argv
if __name__ == "__main__":
    raise SystemExit("the part for the command line ran")
"""
folder, run = command.folder, command.run


@pytest.fixture
def script(folder, monkeypatch):
    (folder / "scripts").mkdir()
    (folder / "scripts" / "beside.py").write_text("price = 100", encoding="utf-8")
    (folder / "scripts" / "later.py").write_text("one = 1", encoding="utf-8")
    (folder / "scripts" / "script.py").write_text(SCRIPT, encoding="utf-8")
    yield os.path.join("scripts", "script.py")
    for name in ("beside", "later"):
        sys.modules.pop(name, None)


def test_a_node_of_a_script(run, script):
    before = (list(sys.path), list(sys.argv), set(sys.modules))
    status, out, _ = run(f"{script}:total", "-o", "x.svg")
    assert status == 0
    assert rows(out) == {"apple": ["100", "2"], "total": ["200", "1"], "written:": ["x.svg"]}
    assert (sys.path, sys.argv) == before[:2]
    assert "beside" in set(sys.modules) - before[2]


def test_a_function_of_a_script(run, script):
    status, out, _ = run(f"{os.path.abspath(script)}:squared", "-o", "x.svg")
    assert status == 0
    assert rows(out)["squared"] == ["10000", "1"]
    assert rows(out)["apple"] == ["100", "200"]


def test_several_numbers_have_no_gradient_yet(run, script):
    status, out, _ = run(f"{script}:vector", "-o", "x.svg")
    assert status == 0
    assert rows(out) == {"v": ["2", "·"], "vector": ["2", "·"], "written:": ["x.svg"]}


def test_a_gradient_that_is_known_is_left_alone(run, folder):
    text = "from tinygrad_edu import Value\nx = Value(3, 'x')\ny = x * x\ny.backward(10)\n"
    Path("seeded.py").write_text(text, encoding="utf-8")
    _, out, _ = run("seeded.py:y", "-o", "x.svg")
    assert rows(out)["x"] == ["3", "60"]
    _, out, _ = run("seeded.py:x", "-o", "y.svg")
    assert rows(out)["x"] == ["3", "60"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("totl", "did you mean total?"),
        ("number", "number is of type int; show a node"),
        ("sys", "sys is of type module; show a node"),
        ("needs", "needs needs x"),
        ("returns_a_number", "returns_a_number() returned int, not a node"),
        ("Thing", "Thing() returned Thing, not a node"),
        ("fails", ", line 27: ZeroDivisionError: divide("),
    ],
)
def test_what_a_script_does_not_give(name, said, run, script, folder):
    status, _, err = run(f"{script}:{name}", "-o", "x.svg")
    assert status == 1
    assert said in err
    assert not os.path.exists("x.svg")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\ny = 1 / 0\n", "bad.py, line 2: ZeroDivisionError: division by zero\n  y = 1 / 0"),
        ("x = 1\ny = (\n", "bad.py, line 2: SyntaxError: '(' was never closed\n  y = ("),
        ("import nothing_like_this\n", "bad.py, line 1: ModuleNotFoundError: No module named"),
        ("import beside_bad\n", "bad.py, line 1: KeyError: 'deep'\n  import beside_bad"),
        ("raise ValueError('\\x1b[2J\\nsecond')\n", "ValueError: \ufffd[2J\nsecond"),
        ("def f():\n    return f()\nf()\n", "bad.py, line 2: RecursionError"),
        ("x\x00", "bad.py"),
        ("class E(Exception):\n    def __str__(self): 1 / 0\nraise E\n", "bad.py, line 3: "),
    ],
)
def test_an_exception_of_a_script_names_its_line(text, said, run, folder):
    Path("bad.py").write_text(text, encoding="utf-8")
    Path("beside_bad.py").write_text("\n\nraise KeyError('deep')\n", encoding="utf-8")
    before = (list(sys.path), list(sys.argv))
    status, _, err = run("bad.py:x", "-o", "x.svg")
    assert status == 1
    assert said in err
    assert (sys.path, sys.argv) == before


ENDS = {
    "sys.exit(3)": (3, "bad.py ended the program by itself (exit status 3)"),
    "sys.exit()": (1, "bad.py ended the program by itself (exit status 0)"),  # nothing is shown
    "sys.exit(0)": (1, "bad.py ended the program by itself (exit status 0)"),
    "sys.exit('no data')": (1, "bad.py ended the program by itself: no data"),
    "raise KeyboardInterrupt": (130, "interrupted"),
    "raise GeneratorExit": (1, "bad.py, line 4: GeneratorExit"),
    "raise BaseException('all')": (1, "bad.py, line 4: BaseException: all"),
    "raise Stop('here')": (1, "bad.py, line 4: "),
    "raise BaseExceptionGroup('two', [Stop(), ValueError()])": (1, "bad.py, line 4: "),
}


@pytest.mark.parametrize("where", ["import", "function"])
@pytest.mark.parametrize(("line", "status", "said"), [(k, *v) for k, v in ENDS.items()], ids=ENDS)
def test_whatever_ends_a_script_is_one_line_and_the_right_status(
    line, status, said, where, run, folder, capsys
):
    text = f"import sys\nclass Stop(BaseException): pass\ndef f():\n    {line}\n"
    Path("bad.py").write_text(text + ("f()\n" if where == "import" else ""), encoding="utf-8")
    found, _, err = run("bad.py:f", "-o", "x.svg")
    assert (found, err.count("tinygrad-edu: ")) == (status, 1)
    assert said in err
    assert not os.path.exists("x.svg")
    assert cli.main(["check", "bad.py:f"]) == status
    assert said in capsys.readouterr().err


def test_hostile_labels_of_a_script(run, folder):
    labels = ["</script>\n<b>", "\x1b[2J\x00\u202eabc", "x" * 10_000, "']]>\""]
    terms = " + ".join(f"Value(1, {label!r})" for label in labels)
    Path("s.py").write_text(f"from tinygrad_edu import Value\ny = {terms}\n", encoding="utf-8")
    status, out, _ = run("s.py:y", "-o", "x.svg")
    assert status == 0
    assert not set(out) & {"\x1b", "\x00", "\u202e"}
    assert max(map(len, out.splitlines())) < 100
    assert len(out.splitlines()) == 1 + 4 + 1 + 1
    ET.parse("x.svg")
