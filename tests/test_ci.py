"""What CI promises: the README's own command, no test skipped in silence."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
RUN = REPOSITORY / ".ci" / "run"
pytestmark = pytest.mark.skipif(not RUN.exists(), reason="no checkout: a source archive has no CI")

COMMAND = "pip install -e '.[test]' && pytest"
NEEDS_MORE_THAN_TEST = re.compile(r"importorskip\(\s*\"(numba|playwright)\"")


def test_the_command_of_the_readme_is_run_as_it_stands():
    assert f"    {COMMAND}\n" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert COMMAND.replace("install", "install -q") in RUN.read_text(encoding="utf-8")


def test_the_reason_of_a_skipped_test_is_shown():
    text = RUN.read_text(encoding="utf-8")
    (options,) = re.findall(r'PYTEST_ADDOPTS="(.*)"', text)
    assert " -rsfE" in options


def test_what_the_first_run_skips_for_want_of_a_library_is_run_by_the_second():
    text = RUN.read_text(encoding="utf-8")
    (second,) = re.findall(r"^TINYGRAD_EDU_NEEDS_BROWSER=1 pytest (.*)$", text, re.M)
    for path in (REPOSITORY / "tests").glob("test_*.py"):
        if NEEDS_MORE_THAN_TEST.search(path.read_text(encoding="utf-8")):
            assert f"tests/{path.name}" in second.split(), path
    assert "tests/browser" in second.split()
