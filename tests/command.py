"""The command `tinygrad-edu`, run in this process in a folder of its own."""

import shlex

import pytest

from tinygrad_edu.commands import main as cli


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty working folder, and no browser."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYGRAD_EDU_NO_BROWSER", "1")
    return tmp_path


@pytest.fixture
def run(capsys):
    """Run the command in this process: its status, what it printed, what it complained about."""

    def run(*arguments):
        status = cli.main(["show", *arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        if status:
            assert err.startswith("tinygrad-edu: ")
            assert out == ""
        else:
            assert err == ""
        return status, out, err

    return run


def rows(out):
    """The printed table as words by the first of each row."""
    return {line.split()[0]: line.split()[1:] for line in out.splitlines()[1:]}


@pytest.fixture
def check(capsys, folder):
    """Run `tinygrad-edu check` in this process: its status, what it printed, what it complained."""

    def check(call):
        status = cli.main(["check", *(call if isinstance(call, list) else shlex.split(call))])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert (status == 2) <= (out in ("", "the script runs\n"))
        return status, out, err

    return check
