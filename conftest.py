"""Every Python block of README.md and docs/*.md runs as a test, in a folder of its own, and what it
prints is what the ```text block below it shows."""

import io
import os
import re
import sys
from contextlib import redirect_stdout

import pytest
from sybil import Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser

from tinygrad_edu.engine.methods import Methods
from tinygrad_edu.rules import RULES, operations

# Options for this run, such as those of CI, are not for the runs of pytest that tests start.
os.environ.pop("PYTEST_ADDOPTS", None)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item):
    """A test marked `untraced` or `no_cover` is not traced. For the latter pytest-cov would do, but
    in the processes of `-n 2` version 7.1 measures twice, and pauses one of the two."""
    if not (item.get_closest_marker("untraced") or item.get_closest_marker("no_cover")):
        return (yield)
    outer = sys.gettrace()
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(outer)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `-n 2` a process takes a test function, with all of its parameters, after the other; but
    the blocks of a page share names, and the tests of a browser a page, so these stay together."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            together = ".md::" in nodeid or "/browser/" in nodeid
            return nodeid.split("::" if together else "[")[0]

    return Scheduling(config, log)


@pytest.fixture(scope="module")
def own_folder(tmp_path_factory):
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("page"))
    yield
    os.chdir(before)


@pytest.fixture(scope="module")
def forgotten_rules():
    """Rules that a page declares are gone after it, with their functions and methods."""
    before = set(RULES), set(vars(operations)), set(vars(Methods))
    yield
    for name in set(RULES) - before[0]:
        del RULES[name]
    for space, names in zip((operations, Methods), before[1:], strict=True):
        for name in set(vars(space)) - names:
            delattr(space, name)


run_python = PythonEvaluator()


def run_and_remember(example):
    """Run a Python block, and keep what it prints for the block of text that may follow."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        run_python(example)
    print(printed.getvalue(), end="")
    example.namespace["printed"] = printed.getvalue()


def compare_with_printed(example):
    """Compare a block of text with what the Python block before it printed, if it did.

    Relative errors of derivatives, such as 1.2e-13, are rounding and may differ.
    """
    printed = example.namespace.pop("printed", "")
    if printed and _lines(printed) != _lines(example.parsed):
        raise AssertionError(f"this was printed, not what the page shows:\n{printed}")


def _lines(text):
    text = re.sub(r"\b\d\.\d+e-1\d\b|\b0\.0e\+00\b", "rounding", text)
    return [" ".join(line.split()) for line in text.strip().splitlines()]


pytest_collect_file = Sybil(
    parsers=[
        CodeBlockParser("python", run_and_remember),
        CodeBlockParser("text", compare_with_printed),
    ],
    patterns=["README.md", "docs/*.md"],
    fixtures=["own_folder", "forgotten_rules"],
).pytest()
