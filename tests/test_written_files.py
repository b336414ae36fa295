"""Every writer: interrupts, permissions, and files that must not be replaced."""

import gc
import gzip
import itertools
import os
import re
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from effort import much
from interrupts import Interrupter, interrupted_everywhere

import tinygrad_edu
from tinygrad_edu import data, files, gradcheck, load, save, to_html, to_svg
from tinygrad_edu.commands import main as cli
from tinygrad_edu.engine.value import Value

PACKAGE = Path(tinygrad_edu.__file__).parent


def node():
    x = Value(3.0, "x")
    y = x * x + 1.0
    y.backward()
    return y


def command(*words):
    status = cli.main(words)
    if status == cli.INTERRUPTED:
        raise KeyboardInterrupt
    assert status == 0


SHOW = ["show", "x * x", "x=3", "--force", "-o"]
WRITERS = {
    "save": ("run.npz", lambda path: save({"x": 1.0}, path)),
    "to_html": ("page.html", lambda path: to_html(node(), path)),
    "to_svg": ("graph.svg", lambda path: to_svg(node(), path)),
    "Report.to_svg": ("map.svg", lambda path: gradcheck(lambda x: x * x, 3.0).to_svg(path)),
    "show a page": ("page.html", lambda path: command(*SHOW, path)),
    "show a picture": ("graph.svg", lambda path: command(*SHOW, path)),
    "show for Graphviz": ("graph.dot", lambda path: command(*SHOW, path)),
    "check": (
        "map.svg",
        lambda path: command("check", "square.py:square", "x=3", "--force", "--svg", path),
    ),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder, with a script."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "square.py").write_text("def square(x):\n    return x * x\n", encoding="utf-8")
    return tmp_path


EVERY_WRITER = pytest.mark.parametrize(("name", "write"), WRITERS.values(), ids=WRITERS)


@EVERY_WRITER
def test_a_file_is_written_whole_and_alone_and_replaces_the_old_one(folder, name, write, capsys):
    Path(name).write_bytes(b"old")
    write(name)
    assert Path(name).read_bytes().startswith((b"<", b"PK", b"digraph"))
    assert sorted(os.listdir(folder)) == sorted([name, "square.py"])


@EVERY_WRITER
@pytest.mark.parametrize("step", ["fdopen", "replace"])
def test_an_error_on_the_way_leaves_the_old_file_and_nothing_else(
    folder, monkeypatch, name, write, step, capsys
):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    Path(name).write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises((OSError, AssertionError)) as error:
            write(name)  # the command says it and has another exit status than 0
    assert "No space left" in str(error.value) + capsys.readouterr().err
    assert Path(name).read_bytes() == b"old"
    assert sorted(os.listdir(folder)) == sorted([name, "square.py"])


@pytest.mark.parametrize("place", ["missing/notes.txt", "square.py/notes.txt", "."])
def test_a_place_where_no_file_can_be_is_an_error_and_nothing_is_left_there(folder, place):
    with pytest.raises(OSError, match=r"there is no folder|it is a folder"):
        files.write_whole(folder / place, "new")
    assert os.listdir(folder) == ["square.py"]


def test_a_name_in_the_folder_that_is_taken_is_left_alone(folder, monkeypatch):
    taken = folder / ".notes.txt.000000000000.part"
    taken.write_bytes(b"not mine")
    names = iter([bytes(6), bytes(6), b"abcdef"])
    monkeypatch.setattr(os, "urandom", lambda n: next(names))
    files.write_whole(folder / "notes.txt", "new")
    assert sorted(os.listdir(folder)) == [taken.name, "notes.txt", "square.py"]
    assert taken.read_bytes() == b"not mine"


# Between its opening and the block around it, a file is closed by nobody but Python; and a ZipFile
# that is half made cannot be closed.
@pytest.mark.filterwarnings("ignore:unclosed file")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("name", "write"),
    [
        WRITERS["save"],
        ("notes.txt", lambda path: files.write_whole(path, "new")),
        ("notes.txt", lambda path: files.write_whole(path, b"new", lasting=True)),
    ],
    ids=["save", "text", "lasting bytes"],
)
def test_ctrl_c_while_writing_is_ctrl_c_and_leaves_the_old_file_or_the_new(folder, name, write):
    """Also in zipfile and NumPy, as long as something of files.py is running."""
    write(name)
    new = Path(name).read_bytes()
    names = sorted(os.listdir(folder))

    def prepare():
        Path(name).write_bytes(b"old")
        return (lambda: write(name),)

    found = set()
    for place, _ in interrupted_everywhere(prepare, much(1, 9), inside=files.__file__):
        assert sorted(os.listdir(folder)) == names, place
        found.add(Path(name).read_bytes())
        assert found <= {b"old", new}, place
    assert b"old" in found
    gc.collect()  # what was interrupted is told of here, and not in the middle of another test


def idx(array):
    lengths = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + lengths + array.tobytes()


PICTURES = np.zeros((2, 1, 2), np.uint8)
READERS = {
    "load": lambda: load({"x": 1.0}, "x.npz"),
    "load_csv": lambda: data.load_csv("x.csv", (1, 2)),
    "load_csv, zipped": lambda: data.load_csv("x.csv.gz", (1, 2)),
    "load_idx, zipped": lambda: data.load_idx("x.gz", "y.gz"),
}


@pytest.mark.filterwarnings("ignore:unclosed file")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_ctrl_c_while_reading_is_ctrl_c(folder, read):
    save({"x": 2.0}, "x.npz")
    for name in ("x.csv", "x.csv.gz"):
        content = b"label,a,b\n1,2,3\n"
        Path(name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    Path("x.gz").write_bytes(gzip.compress(idx(PICTURES)))
    Path("y.gz").write_bytes(gzip.compress(idx(PICTURES[:, 0, 0])))
    read()
    for at in itertools.count(step=much(1, 9)):
        interrupter = Interrupter(at, inside="tinygrad_edu")
        try:
            interrupter(read)
        except KeyboardInterrupt:
            continue
        if interrupter.where is None:  # else it was lost inside Python, which then went on
            break
    assert at > 30
    gc.collect()


def test_nothing_but_files_py_writes_files():
    """So that what is tested of it here holds for all."""
    writes = re.compile(r"write_text|write_bytes|savefig|(?<![.\w])open\(.*['\"][rbt]?[wax+]")
    for path in PACKAGE.rglob("*.py"):
        if path.name != "files.py":
            assert not writes.search(path.read_text(encoding="utf-8")), path


# --- permissions ---------------------------------------------------------------------------------


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture
def umask():
    """The usual umask, which lets everybody read."""
    old = os.umask(0o022)
    yield 0o022
    os.umask(old)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664, 0o755, 0o200, None])
def test_at_no_time_can_more_people_read_than_could_before(folder, umask, mode):
    """Looked at before the first byte, while writing, and after the last: kill -9 may strike."""
    target = folder / "notes.txt"
    if mode is not None:
        target.write_text("old", encoding="utf-8")
        target.chmod(mode)
    allowed = 0o666 & ~umask if mode is None else mode
    seen = []

    def look():
        seen.extend(mode_of(path) for path in folder.glob(".notes.txt.*.part"))

    def trace(frame, event, _):
        if frame.f_code.co_filename == files.__file__:
            look()
            return trace
        return None

    def content(file):
        look()
        file.write(b"secret")

    outer = sys.gettrace()
    sys.settrace(trace)
    try:
        files.write_whole(target, content)
    finally:
        sys.settrace(outer)
    assert seen
    assert not any(found & ~allowed for found in seen)
    assert mode_of(target) == allowed
    target.chmod(0o600)
    assert target.read_bytes() == b"secret"


@pytest.mark.skipif(os.name != "posix", reason="there are no groups here")
@pytest.mark.parametrize("may_give", ["everything", "the group", "nothing"])
def test_owner_and_group_are_kept_where_that_is_allowed(folder, monkeypatch, may_give):
    """Who may read through a group that is not kept may not read through another."""
    target = folder / "notes.txt"
    target.write_text("old", encoding="utf-8")
    target.chmod(0o664)
    old = os.stat(target)
    theirs = os.stat_result((*old[:4], old.st_uid + 1, old.st_gid + 1, *old[6:10]))
    given, status = {}, os.fstat(os.open(target, os.O_RDONLY))

    def fchown(handle, owner, group):
        allowed = {"everything": True, "the group": owner == -1, "nothing": False}[may_give]
        if not allowed:
            raise PermissionError
        given.update(owner=owner, group=group)

    def fstat(handle):
        group = given.get("group", status.st_gid)
        return os.stat_result((*status[:5], group, *status[6:10]))

    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda p: theirs if str(p) == str(target) else real(p))
    monkeypatch.setattr(os, "fchown", fchown)
    monkeypatch.setattr(os, "fstat", fstat)
    files.write_whole(target, "new")
    monkeypatch.undo()
    assert (
        given
        == {
            "everything": {"owner": old.st_uid + 1, "group": old.st_gid + 1},
            "the group": {"owner": -1, "group": old.st_gid + 1},
            "nothing": {},
        }[may_give]
    )
    assert mode_of(target) == (0o604 if may_give == "nothing" else 0o664)


@pytest.mark.parametrize("write", [lambda p: save({"x": 1.0}, p), lambda p: to_svg(node(), p)])
def test_a_read_only_file_is_not_replaced(folder, write):
    target = folder / "best.svg"
    target.write_text("old", encoding="utf-8")
    target.chmod(0o444)
    with pytest.raises(PermissionError, match=r"best\.svg cannot be written: it is read-only; "):
        write(target)
    assert target.read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (PermissionError(13, "Permission denied"), "you may not make files in the folder"),
        (OSError(30, "Read-only file system"), "Read-only file system"),
    ],
)
def test_a_folder_that_takes_no_files_is_named_in_one_sentence(folder, monkeypatch, error, why):
    def refuse(*_):
        raise error

    monkeypatch.setattr(os, "open", refuse)  # a test that runs as root may write anywhere
    with pytest.raises(type(error), match=rf"^\S+notes\.txt cannot be written: {why}"):
        files.write_whole(folder / "notes.txt", "new")
    assert os.listdir(folder) == ["square.py"]


# --- not to be replaced --------------------------------------------------------------------------


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links on this disk"])
@pytest.mark.parametrize("appears", ["before", "meanwhile", "never"])
def test_without_replace_a_file_that_appears_is_left_alone(folder, monkeypatch, appears, links):
    target = folder / "notes.txt"

    def theirs():
        target.write_bytes(b"theirs")

    def content(file):
        file.write(b"ours")
        if appears == "meanwhile":
            theirs()

    def no_links(*_):
        raise OSError(95, "Operation not supported")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    if appears == "before":
        theirs()
    if appears == "never":
        files.write_whole(target, content, replace=False)
    else:
        with pytest.raises(FileExistsError, match=r"notes\.txt cannot be written: it exists"):
            files.write_whole(target, content, replace=False)
    assert target.read_bytes() == (b"ours" if appears == "never" else b"theirs")
    assert sorted(os.listdir(folder)) == ["notes.txt", "square.py"]
