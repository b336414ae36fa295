"""What CI promises: the README's own command, no test skipped in silence, lines and branches."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
RUN = REPOSITORY / ".ci" / "run"
ARGUMENTS = r"((?:.*\\\n)*.*)$"  # of a command, over as many lines as it takes
pytestmark = pytest.mark.skipif(not RUN.exists(), reason="no checkout: a source archive has no CI")

COMMAND = "pip install -e '.[test]' && pytest"
NEEDS_MORE_THAN_TEST = re.compile(
    r"importorskip\(\s*\"(numba|playwright)\"|find_spec\(\"mpi4py\"\)"
)


def test_the_command_of_the_readme_is_run_as_it_stands():
    assert f"    {COMMAND}\n" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert COMMAND.replace("install", "install -q") in RUN.read_text(encoding="utf-8")


def test_the_reason_of_a_skipped_test_is_shown():
    text = RUN.read_text(encoding="utf-8")
    (options,) = re.findall(r"^options=\((.*)\)$", text, re.M)
    assert " -rsfE" in options
    runs = re.findall(r"^(?:\w+=1 |pip .* && )?pytest (.*)$", text, re.M)
    assert len(runs) == 4
    assert all('"${options[@]}"' in run for run in runs)


def test_97_percent_of_lines_and_branches_are_asked_for():
    text = RUN.read_text(encoding="utf-8")
    assert '&& pytest "${options[@]}" --cov ' in text
    second, _ = re.findall(r"^pytest " + ARGUMENTS, text, re.M)
    assert " --cov --cov-append " in second
    (least,) = re.findall(r"--cov-fail-under=(\d+)", second)
    assert int(least) >= 97
    assert "branch = true" in (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")


def test_what_the_first_run_skips_for_want_of_a_library_is_run_by_the_others():
    text = RUN.read_text(encoding="utf-8")
    second, deep = re.findall(r"^pytest " + ARGUMENTS, text, re.M)
    for path in (REPOSITORY / "tests").glob("test_*.py"):
        if NEEDS_MORE_THAN_TEST.search(path.read_text(encoding="utf-8")):
            assert f"tests/{path.name}" in second.split(), path
    assert "\nexport TINYGRAD_EDU_NEEDS_MPI=1\npytest" in text
    assert deep.startswith("--deep -m deep ")
    (third,) = re.findall(r"^TINYGRAD_EDU_NEEDS_BROWSER=1 pytest " + ARGUMENTS, text, re.M)
    assert third.startswith("--deep ")
    assert "tests/browser" in third.split()
