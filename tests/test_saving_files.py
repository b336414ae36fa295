"""A file is whole or not there: errors while writing, a full disk, links, folders, permissions."""

import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


def test_a_folder_that_cannot_be_brought_to_the_disk_is_no_error(path, monkeypatch):
    synced, fsync = [], os.fsync

    def no_folders(handle):
        synced.append(stat.S_ISDIR(os.fstat(handle).st_mode))
        if synced[-1]:
            raise OSError(22, "Invalid argument")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", no_folders)
    tg.save({"x": 1.0}, path)
    assert synced == [False, True]
    state = {"x": 2.0}
    tg.load(state, path)
    assert state == {"x": 1.0}


def test_a_full_disk(path):
    """A limit on the length of files stands for the disk; the kernel refuses the bytes beyond."""
    code = (
        "import sys, numpy as np, tinygrad_edu as tg\n"
        "try: tg.save({'x': np.zeros(100_000)}, sys.argv[1])\n"
        "except OSError as error: print(type(error).__name__)\n"
    )

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    path.write_bytes(b"old")
    command = [sys.executable, "-B", "-c", code, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, preexec_fn=limit)
    assert run.stdout == "OSError\n"
    assert (path.read_bytes(), os.listdir(path.parent)) == (b"old", [path.name])


def test_permissions_links_and_what_is_no_file(path, tmp_path):
    model = nn.Linear(2, 2)
    tg.save(model, path)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    path.chmod(0o600)
    tg.save(model, str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    link = tmp_path / "link.npz"
    link.symlink_to(path)
    tg.load(model, link)
    before = path.read_bytes()
    tg.save({"x": 1.0}, link)  # the link is replaced: nothing is written elsewhere
    assert not link.is_symlink()
    assert path.read_bytes() == before
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for place, kind in {tmp_path: IsADirectoryError, fifo: FileExistsError}.items():
        with pytest.raises(kind, match=r"cannot be written: it is"):
            tg.save(model, place)
    with pytest.raises(FileNotFoundError, match=r"there is no folder"):
        tg.save(model, tmp_path / "no" / "model.npz")
    with pytest.raises(OSError, match=r"No such file"):
        tg.save(model, "")
    assert sorted(os.listdir(tmp_path)) == ["fifo", "link.npz", "model.npz"]
    with pytest.raises(ValueError, match=r"fifo is not a regular file"):
        tg.load(model, fifo)
    with pytest.raises(IsADirectoryError, match=r"^load: .* is a folder"):
        tg.load(model, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"^load: there is no file missing\.npz"):
        tg.load(model, Path("missing.npz"))
    with pytest.raises(ValueError, match="null"):
        tg.load(model, "a\0b")
    with pytest.raises(TypeError, match=r"load: the model comes first"):
        tg.load(path, model)
