"""How the tests run. `pytest` by itself takes a few minutes and every core; `pytest --deep` tries
everything many times, as CI does. Every Python block of README.md and docs/*.md is a test too."""

import gc
import io
import os
import re
import sys
from collections import defaultdict
from contextlib import redirect_stdout
from zlib import crc32

# Set before NumPy is imported: with a process for each core, threads of its products only wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, find, settings
from hypothesis.strategies import booleans
from sybil import Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from tinygrad_edu.engine.methods import Methods
from tinygrad_edu.rules import RULES, operations

# Options for this run, such as those of CI, are not for the runs of pytest that tests start.
os.environ.pop("PYTEST_ADDOPTS", None)


for name, examples in {"quick": 5, "deep": 12}.items():
    settings.register_profile(
        name, max_examples=examples, deadline=None, derandomize=True, print_blob=True
    )
settings.register_profile(  # with --hypothesis-profile=thorough
    "thorough", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def pytest_addoption(parser):
    parser.addoption("--deep", action="store_true", help="also run what tries many times")
    parser.addoption("--half", type=int, help="of what is marked deep only this half: 0 or 1")


def pytest_configure(config):
    settings.load_profile("deep" if config.getoption("--deep") else "quick")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """The whole suite takes a process for each core; files that are named run in this one."""
    is_whole = config.args_source is config.ArgsSource.TESTPATHS
    is_worker = hasattr(config, "workerinput")
    if is_whole and not is_worker and getattr(config.option, "numprocesses", 0) is None:
        config.option.numprocesses = "auto"
    # Files start in their own order: with those of many tests first, a few long tests come last.
    config.option.loadscopereorder = False


@pytest.hookimpl(tryfirst=True)  # before -m chooses by marks
def pytest_collection_modifyitems(config, items):
    """Without --deep no test marked `deep` runs, and of a test with several `parametrize` not every
    combination: each row of each of them once. With --deep all run, and `-m deep` chooses those
    that try more than without."""
    is_deep = config.getoption("--deep")
    tried = defaultdict(set)
    chosen, left = [], []
    for item in items:
        rows = _rows(item)
        rows_before = tried[item.nodeid.partition("[")[0]]
        waits = item.get_closest_marker("deep") or (rows and rows <= rows_before)
        if not waits:
            rows_before |= rows
        if is_deep and (waits or _tries_more(item)):
            item.add_marker("deep")
        half = config.getoption("--half")
        is_other = half is not None and crc32(item.nodeid.encode()) % 2 != half
        is_left = is_other if item.get_closest_marker("deep") else False
        (left if is_left or (waits and not is_deep) else chosen).append(item)
    items[:] = chosen
    config.hook.pytest_deselected(items=left)


def _rows(item):
    """What each `parametrize` of a test, and each fixture with parameters, gives to this item."""
    if not hasattr(item, "callspec"):
        return set()
    values = {name: id(value) for name, value in item.callspec.params.items()}
    rows = set()
    for mark in item.iter_markers("parametrize"):
        names = mark.args[0].split(",") if isinstance(mark.args[0], str) else mark.args[0]
        rows.add(tuple((name.strip(), values.pop(name.strip())) for name in names))
    return rows | {(pair,) for pair in values.items()}


def _tries_more(item):
    draws = getattr(getattr(item, "function", None), "is_hypothesis_test", False)
    return draws or hasattr(getattr(item, "module", None), "much")


def pytest_collection_finish():
    """Python's collector need not look again and again at what all tests share."""
    # Old versions of Hypothesis ask the collector about NumPy's generator when a first test runs.
    find(booleans(), lambda _: True)
    gc.collect()
    gc.freeze()


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


TOGETHER = ".md::", "/browser/", "/test_benchmarks.py", "/test_replay_numba.py"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `-n 2` a process takes a test function, with all of its parameters, after the other; but
    the blocks of a page share names, the tests of a browser a page, and those of some files what
    takes seconds to make, so these stay together."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            together = any(part in nodeid for part in TOGETHER)
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
        SkipParser(),  # <!-- skip: next if(..., reason="torch is not installed") -->
    ],
    patterns=["README.md", "docs/*.md"],
    fixtures=["own_folder", "forgotten_rules"],
).pytest()
