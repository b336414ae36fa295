"""How the command ends: exit status and one line, whatever happens to its output and its files."""

import io
import os
import subprocess
import sys
from pathlib import Path

import command
import pytest

from tinygrad_edu.commands import main as cli

REPOSITORY = Path(__file__).parent.parent
CODE = "import sys, tinygrad_edu_command; sys.exit(tinygrad_edu_command.main())"
folder, run = command.folder, command.run
SCRIPT = """\
from pathlib import Path
from tinygrad_edu import Value

def square(x):
    Path("x.svg").write_text("theirs", encoding="utf-8")
    return x * x

def graph():
    return square(Value(3.0, "x"))
"""
WORDS = {
    "help": ["--help"],
    "version": ["--version"],
    "help of a command": ["show", "--help"],
    "show": ["show", "x * x", "x=3", "-o", "y.svg"],
    "check": ["check", "s.py:square", "x=3"],
}


def process(words, **settings):
    """The installed command, as a process of its own."""
    folders = os.pathsep.join([str(settings.pop("first", REPOSITORY)), str(REPOSITORY)])
    environment = {**os.environ, "PYTHONPATH": folders, **settings.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *words], env=environment, stderr=subprocess.PIPE, text=True,
        **settings,
    )  # fmt: skip


def ended(words, **settings):
    """The exit status and what was complained about."""
    with process(words, **settings) as running:
        err = running.communicate(timeout=60)[1]
    return running.returncode, err


@pytest.fixture
def script(folder):
    Path("s.py").write_text(SCRIPT, encoding="utf-8")


@pytest.fixture
def written_to(monkeypatch):
    """Let a file stand for the standard output, with nothing held back in a buffer or with all."""

    def written_to(file, encoding="utf-8", at_once=True):
        out = io.TextIOWrapper(file, encoding=encoding, write_through=at_once)
        monkeypatch.setattr(sys, "stdout", out)
        return out

    return written_to


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no disk that is always full")
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "at the end"])
@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_output_that_cannot_be_written_is_a_failure(words, at_once, script, written_to, capsys):
    with open("/dev/full", "wb", buffering=0 if at_once else -1) as full:
        out = written_to(full, at_once=at_once)
        assert cli.main(words) == 1
        out.flush()  # as Python does at its end: there is no error any more
    said = "tinygrad-edu: the output cannot be written: No space left on device\n"
    assert capsys.readouterr().err == said


@pytest.mark.skipif(os.name != "posix", reason="pipes end in another way there")
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "at the end"])
@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_output_that_nobody_reads_is_no_complaint(words, at_once, script, written_to, capsys):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0 if at_once else -1) as pipe:
        out = written_to(pipe, at_once=at_once)
        assert cli.main(words) == 141
        out.flush()
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(os.name != "posix", reason="pipes end in another way there")
def test_a_process_whose_output_nobody_reads_ends_in_silence(folder):
    with process(WORDS["help"], stdout=subprocess.PIPE) as running:
        running.stdout.close()
        err = running.stderr.read()
    assert (running.returncode, err) == (141, "")


@pytest.mark.skipif(os.name != "posix", reason="there is no closing of single files there")
@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_closed_files_are_no_failure(closed, script):
    number = ("stdin", "stdout", "stderr").index(closed)
    words = WORDS["show"] if closed == "stdout" else ["show", "x"]
    out = None if closed == "stdout" else subprocess.DEVNULL
    status, err = ended(words, stdout=out, preexec_fn=lambda: os.close(number))
    assert (status, err) == (0 if closed == "stdout" else 1, "")


def test_ctrl_c_while_the_package_is_imported(folder):
    (folder / "difflib.py").write_text("raise KeyboardInterrupt\n", encoding="utf-8")
    assert ended(["--help"], first=folder) == (130, "tinygrad-edu: interrupted\n")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-16"])
@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_output_in_any_encoding(words, encoding, script, written_to, capsys):
    file = io.BytesIO()
    written_to(file, encoding)
    assert cli.main(words) == 0
    assert len(file.getvalue().decode(encoding)) > 10
    assert capsys.readouterr().err == ""


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [["show", "s.py:graph", "-o", "x.svg"], ["check", "s.py:square", "x=3", "--svg=x.svg"]]
)  # fmt: skip
def test_a_file_that_appears_while_the_command_runs_is_not_overwritten(words, script, capsys):
    assert cli.main(words) == 2
    assert "x.svg exists; use --force to overwrite it" in capsys.readouterr().err
    assert Path("x.svg").read_text(encoding="utf-8") == "theirs"
    assert sorted(os.listdir()) == ["s.py", "x.svg"]
    assert cli.main([*words, "--force"]) == 0
    assert Path("x.svg").read_text(encoding="utf-8").startswith("<svg")


def test_show_without_a_name_writes_its_own_page_again(run, folder):
    assert "written: graph.html" in run("x * 2", "x=1")[1]
    first = Path("graph.html").read_text(encoding="utf-8")
    assert run("x * 3", "x=1")[0] == 0
    assert Path("graph.html").read_text(encoding="utf-8") != first
    status, _, err = run("x * 4", "x=1", "-o", "graph.html")  # a name that was chosen is kept
    assert (status, "graph.html exists; use --force" in err) == (2, True)
    assert os.listdir(folder) == ["graph.html"]


def test_show_without_a_name_leaves_the_page_of_another_alone(run, folder):
    for content in ("<!doctype html><title>mine</title>", ""):
        Path("graph.html").write_text(content, encoding="utf-8")
        status, _, err = run("x * 2", "x=1")
        assert (status, "graph.html exists; use --force" in err) == (2, True)
        assert Path("graph.html").read_text(encoding="utf-8") == content
    os.unlink("graph.html")
    os.mkfifo("graph.html")
    assert run("x * 2", "x=1")[0] == 2  # and does not wait for somebody to write into it


# --- what is said --------------------------------------------------------------------------------

LONG = "y" * 9000
LONG_WORDS = {
    "an expression": ["show", LONG],
    "spaces": ["show", "y y " * 2000],
    "an input": ["show", "x", f"{LONG}=z"],
    "a number": ["show", "x", f"x={LONG}"],
    "an option": ["show", "x", f"--{LONG}"],
    "a range": ["show", "x", "x=1", "--range", LONG],
    "a file": ["show", "x", "x=1", "-o", f"{LONG}.svg"],
    "an ending": ["show", "x", "x=1", "-o", LONG],
    "a command": [LONG],
    "a script": ["show", f"{LONG}.py:x"],
    "no script": ["check", LONG],
    "a name": ["check", f"s.py:{LONG}"],
    "an input of a check": ["check", "s.py:square", f"{LONG}=1"],
    "a tolerance": ["check", "s.py:square", "--rtol", LONG],
    "a library": ["check", "s.py:square", "--with", LONG],
    "a picture": ["check", "s.py:square", "--svg", LONG],
}


@pytest.mark.parametrize("words", LONG_WORDS.values(), ids=LONG_WORDS)
def test_what_is_long_is_shortened_where_it_is_said_again(words, script, capsys):
    assert cli.main(words) in (1, 2)
    err = capsys.readouterr().err
    assert err.startswith("tinygrad-edu: ")
    assert max(map(len, err.splitlines())) < 700
    assert len(err) < 1000


@pytest.mark.parametrize("control", ["\x1b[2J", "\x07", "\x9b2J", "\u202e", "\r"])
def test_no_control_character_reaches_the_terminal(control, script, capsys):
    name = f"a{control}b"
    Path(f"{name}.py").write_text(
        f"from tinygrad_edu import Tensor, Value\nx = Value(2.0, {name!r})\ny = x * x\n"
        f"t = Tensor([1.0], {name!r})\ndef bad():\n    return t + Tensor([1.0, 2.0])\n"
        f"def f(x):\n    return x * 2\nf.__name__ = {name!r}\n",
        encoding="utf-8",
    )
    for words in (
        ["show", "x", "x=1", "-o", f"{name}.svg"],
        ["show", f"{name}.py:y", "-o", "y.svg"],
        ["show", f"{name}.py:bad", "-o", "z.svg"],
        ["show", f"{name}", f"{name}=1"],
        ["show", "x", f"--{name}"],
        ["check", f"{name}.py:y"],
        ["check", f"{name}.py:f", "x=1", "--svg", f"{name}2.svg"],
        ["check", f"{name}.py:nothing"],
        ["check", f"{name}.py:f", f"x={name}"],
    ):
        cli.main(words)
        out, err = capsys.readouterr()
        assert len(out) + len(err) > 10
        assert control[0] not in out + err, words
