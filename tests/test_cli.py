"""The command: what it writes and prints, what it refuses, and that no traceback is seen."""

import io
import os
import re
import shlex
import subprocess
import sys
import tomllib
import webbrowser
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import command
import pytest
from command import rows

import tinygrad_edu
from tinygrad_edu.commands import main as cli
from tinygrad_edu.commands import options as calling
from tinygrad_edu.commands import show_command as show

APPLES = ["(apple * 2 + orange * 3) * tax", "apple=100", "orange=150", "tax=1.1"]
folder, run = command.folder, command.run


@pytest.fixture
def pages(monkeypatch):
    """A stand-in for to_html that remembers how it was called."""
    calls = []

    def to_html(node, path=None, *, title=None, ranges=None):
        calls.append((node, title, ranges))
        return (
            f'<!doctype html><meta name="generator" content="tinygrad_edu"><title>{title}</title>'
        )

    fake = ModuleType("tinygrad_edu.view.page.html")
    fake.to_html = to_html
    monkeypatch.setitem(sys.modules, "tinygrad_edu.view.page.html", fake)
    return calls


def test_apples_and_oranges_as_a_picture(run, folder):
    status, out, _ = run(*APPLES, "-o", "price.svg")
    assert status == 0
    assert rows(out) == {
        "apple": ["100", "2.2"],
        "orange": ["150", "3.3"],
        "tax": ["1.1", "650"],
        "result": ["715", "1"],
        "written:": ["price.svg"],
    }
    texts = {x.text for x in ET.parse("price.svg").iter("{http://www.w3.org/2000/svg}text")}
    assert {"apple", "orange", "tax", "result", "715", "650", "2.2", "3.3"} <= texts
    assert os.listdir(folder) == ["price.svg"]


@pytest.mark.parametrize(("name", "start"), [("x.png", b"\x89PNG"), ("x.pdf", b"%PDF-")])
def test_the_ending_says_which_picture_is_written(run, folder, name, start):
    assert run(*APPLES, "-o", name)[0] == 0
    assert Path(name).read_bytes().startswith(start)
    assert os.listdir(folder) == [name]


def test_without_typst_nothing_is_run_and_it_is_said_what_to_install(run, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)
    Path("s.py").write_text("raise SystemExit(3)", encoding="utf-8")
    status, _, err = run("s.py:y", "-o", "y.png")
    assert status == 2
    assert "y.png: PNG and PDF pictures need typst; install it with: pip install" in err
    assert os.listdir(folder) == ["s.py"]


def test_apples_and_oranges_for_graphviz(run):
    assert run(*APPLES, "-o", "price.DOT")[0] == 0
    text = Path("price.DOT").read_text(encoding="utf-8")
    assert text.startswith("digraph {")
    assert "value 715" in text
    assert "gradient 650" in text


def test_apples_and_oranges_as_a_page(run, pages):
    status, out, _ = run("price = " + APPLES[0], *APPLES[1:], "--title", "</title><b>")
    assert status == 0
    assert "written: graph.html" in out
    [(node, title, ranges)] = pages
    assert (node.label, title, ranges) == ("price", "</title><b>", None)
    assert node.grad == 1


def test_options_may_stand_anywhere(run, pages):
    given = ["-o", "x.html", "x * y", "--range", "x=-1:3", "x=1", "--range", "y=0:1e2:0.5", "y=-2"]
    assert run(*given)[0] == 0
    assert pages[0][2] == {"x": (-1.0, 3.0), "y": (0.0, 100.0, 0.5)}


def test_the_real_page_is_written(run):
    assert run(*APPLES, "-o", "price.html", "--title", "Apples", "--range", "apple=0:300")[0] == 0
    text = Path("price.html").read_text(encoding="utf-8")
    assert text.lower().startswith("<!doctype html>")
    assert "Apples" in text
    assert "orange" in text


def test_numbers_are_those_of_float(run):
    status, out, _ = run("a + b + c", "a=1e-3", "b= 2 ", "c=-1_0", "-o", "x.svg")
    assert status == 0
    assert rows(out)["result"] == ["-7.999", "1"]
    assert run("a * 2", "a=inf", "-o", "y.svg")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required"),
        (["x", "x"], "x: expected name=number"),
        (["x", "x="], "expected name=number"),
        (["x", "x=a"], "x=a: expected name=number"),
        (["x", "x=nan"], "x=nan: expected name=number"),
        (["x", "x=1+1"], "expected name=number"),
        (["x", "1x=1"], "expected name=number"),
        (["x", "if=1"], "expected name=number"),
        (["x", "</script>=1"], "expected name=number"),
        (["x", "=1"], "expected name=number"),
        (["x", "x=1", "x=2"], "x is given twice"),
        (["fig", "fig=1", "ﬁg=2"], "fig is given twice"),
        (["x", "x=1", "-o", "x.gif"], "must end in .html, .svg, .png, .pdf or .dot"),
        (["x", "x=1", "-o", "x"], "must end in"),
        (["x", "x=1", "-o", ".html"], "must end in"),
        (["x", "x=1", "-o", "no/x.svg"], "there is no folder no"),
        (["x", "x=1", "--range", "x=1"], "expected --range name=low:high"),
        (["x", "x=1", "--range", "x=3:1"], "expected --range"),
        (["x", "x=1", "--range", "x=0:1:0"], "expected --range"),
        (["x", "x=1", "--range", "x=0:inf"], "expected --range"),
        (["x", "x=1", "--range", "x=0:1:2:3"], "expected --range"),
        (["x", "x=1", "--range", "x=0:1", "--range", "x=0:2"], "x is given twice"),
        (["apple", "apple=1", "--range", "aple=0:1"], "did you mean apple?"),
        (["x", "x=1", "--range", "x=0:1", "-o", "x.svg"], "--range is for pages"),
        (["x", "x=1", "--title", "", "-o", "x.svg"], "--title is for pages"),
        (["x", "x=1", "--open", "-o", "x.dot"], "--open is for .html and pictures"),
        (["x", "x=1", "--wrong"], "--wrong"),
        (["x", "x=1", "--forc"], "--forc"),
        (["-x", "x=1"], "see tinygrad-edu show --help"),
        (["script.py"], "Write script.py:name"),
        (["script.py:"], "expected script.py:name"),
        (["script.py:a.b"], "no dots"),
        (["script.py:f()"], "expected script.py:name"),
        (["script.py:a", "x=1"], "a script gets no inputs"),
    ],
)
def test_a_wrong_call_has_status_2(arguments, said, run, folder, pages):
    status, _, err = run(*arguments)
    assert status == 2
    assert said in err
    assert err.count("\n") == 1
    assert os.listdir(folder) == []
    assert pages == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x.y", "x=1"], "attribute access is not part of an expression\n  x.y\n  ^^^\n"),
        (["__import__('os').system('touch y')"], "attribute access"),
        (["x * aple", "x=1", "apple=2"], "did you mean apple?"),
        (["x", "x=1", "y=2"], "y is given but not used"),
        (["x / 0", "x=1"], "division by zero"),
        (["sqrt(x)", "x=0"], "the derivative does not exist there"),
        (["9 ** 9 ** 9"], "larger than any float"),
        (["x\x1b[2J", "x=1"], "x·[2J"),
        (["x:y", "x=1"], "not part of an expression"),
        (["nothing.py:x"], "there is no script nothing.py"),
    ],
)
def test_what_cannot_be_shown_has_status_1(arguments, said, run, folder):
    status, _, err = run(*arguments)
    assert status == 1
    assert said in err
    assert "\x1b" not in err
    assert os.listdir(folder) == []


def test_nothing_is_overwritten_without_force(run, folder):
    Path("x.svg").write_text("mine", encoding="utf-8")
    Path("s.py").write_text("open('ran', 'w')", encoding="utf-8")
    for what in (["s.py:x"], ["x.y"], APPLES):  # refused before anything is read or run
        status, _, err = run(*what, "-o", "x.svg")
        assert status == 2
        assert "x.svg exists; use --force" in err
    assert sorted(os.listdir(folder)) == ["s.py", "x.svg"]
    assert Path("x.svg").read_text(encoding="utf-8") == "mine"
    assert run(*APPLES, "-o", "x.svg", "--force")[0] == 0
    assert Path("x.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_folder_is_never_overwritten(run, folder):
    (folder / "x.svg").mkdir()
    status, _, err = run(*APPLES, "-o", "x.svg", "--force")
    assert status == 2
    assert "x.svg is a folder" in err


def test_a_link_that_leads_nowhere_counts_as_a_file(run, folder):
    os.symlink("nowhere", "x.svg")
    assert run(*APPLES, "-o", "x.svg")[0] == 2
    assert os.path.islink("x.svg")


def test_a_path_with_a_drive_is_split_at_its_last_colon():
    assert calling.script_and_name(r"C:\work\script.py:loss") == (r"C:\work\script.py", "loss")
    assert calling.script_and_name("(apple * 2) * tax") is None
    with pytest.raises(calling.UsageError, match="which name"):
        calling.script_and_name(r"C:\work\script.py")


def test_a_long_table_is_cut(run, folder):
    text = "from tinygrad_edu import Value\ny = Value(0, 'x0')\n"
    text += "for i in range(1, 100):\n    y = y + Value(i, f'x{i}')\n"
    Path("s.py").write_text(text, encoding="utf-8")
    _, out, _ = run("s.py:y", "-o", "x.svg")
    lines = out.splitlines()
    assert len(lines) == 1 + show.ROWS + 1 + 1
    assert lines[-3] == f"… {101 - show.ROWS} more …"
    assert lines[-2].split() == ["y", "4950", "1"]


def test_the_browser_is_opened_only_when_asked(run, pages, monkeypatch, folder):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    monkeypatch.setenv("DISPLAY", ":0")
    assert "no browser could be opened" in run("x", "x=1", "--open")[1]
    monkeypatch.delenv("TINYGRAD_EDU_NO_BROWSER")
    run("x", "x=1", "--force")
    assert opened == []
    assert "written: graph.html" in run("x", "x=1", "--force", "--open")[1]
    assert opened == [(folder / "graph.html").as_uri()]


def test_help_and_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"tinygrad-edu {tinygrad_edu.__version__}\n"
    assert cli.main(["show", "--help"]) == 0
    text = capsys.readouterr().out
    assert re.sub(r"\s+", " ", text).count("tinygrad-edu show") >= 4
    assert cli.main([]) == 2
    assert cli.main(["draw", "x"]) == 2


def test_the_examples_of_the_help_are_sound(run, pages, folder):
    examples = re.findall("^  (tinygrad-edu .*)$", show.SHOW_EXAMPLES, re.M)
    text = "from tinygrad_edu import Value\nloss = Value(1, 'x') * 2\n"
    Path("script.py").write_text(text, encoding="utf-8")
    assert len(examples) == 4
    for example in examples:
        name, command, *arguments = shlex.split(example)
        assert (name, command) == ("tinygrad-edu", "show")
        assert run(*arguments)[0] == 0, example


def test_a_terminal_of_few_characters_is_enough(monkeypatch, folder):
    for encoding in ("ascii", "cp1252"):
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", out)
        assert cli.main(["show", "ф * 2", "ф=1", "-o", f"{encoding}.svg"]) == 0
        out.seek(0)
        assert "\\u0444" in out.read()


def test_the_command_as_a_process_of_its_own(folder):
    module = "tinygrad_edu.commands.main"
    command = [sys.executable, "-m", module, "show", *APPLES, "-o", "price.svg"]
    first = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (first.returncode, first.stderr) == (0, "")
    assert "715" in first.stdout
    second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr == (
        "tinygrad-edu: price.svg exists; use --force to overwrite it, or another name with -o\n"
    )


def test_the_command_is_installed_under_its_name():
    project = Path(__file__).parent.parent / "pyproject.toml"
    scripts = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["scripts"]
    assert scripts == {"tinygrad-edu": "tinygrad_edu_command:main"}


def test_importing_the_package_does_not_import_the_command():
    code = "import sys, tinygrad_edu; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert not loaded & {"tinygrad_edu.commands", "argparse", "webbrowser"}
