"""Plant every fault in turn and see whether the tests notice: `python tests/mutations/run.py`.

A parent that has imported what tests need, but not the package, forks a child for every fault. The
child works in a copy of the checkout with the fault in it and runs the tests that are about the
faulty rule; if all of them pass, other children run the QUICK and then the SLOW ones. A fault is
noticed if a test fails, or if the package cannot even be imported, or if the time is up (a loop
that has no end). The report says what nobody noticed: faults that change no number, with the reason
from `equivalent.py`, and holes in the tests.

With numbers as arguments only the faults of these numbers are planted; `--sample n` takes every
n-th; `--quick` leaves the SLOW tests out, so that more is left to look at. The exit status is 1 if
fewer than 95 % of the faults are noticed, or if a reason in `equivalent.py` has no fault any more.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import io
import json
import os
import py_compile
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before NumPy is imported: a fork must not lose its threads

import hypothesis.extra.numpy
import micrograd.engine  # noqa: F401
import mpmath  # noqa: F401
import numpy as np  # noqa: F401
import pytest
import sybil.parsers.markdown  # noqa: F401
import sympy  # noqa: F401
from equivalent import EQUIVALENT
from plant import Fault, all_faults, planted, rules_that_use
from report import report

CHECKOUT = Path(__file__).resolve().parents[2]
COPIED = ("tinygrad_edu", "tests", "conftest.py", "docs", "pyproject.toml", "README.md")

RULES_FILE = "tests/test_rules.py"
QUICK = (
    "tests/test_rules_at_edges.py", "tests/test_conventions.py", "tests/test_large_arrays.py",
    "tests/test_losses.py", "tests/test_bad_input.py", "tests/test_nn.py", "tests/test_graph.py",
    "tests/test_custom_rules.py", "tests/test_indexing.py", "tests/test_dtypes.py",
    "tests/test_axes.py", "tests/test_numpy_forms.py",
)  # fmt: skip
SLOW = (
    RULES_FILE, "tests/test_calculus.py", "tests/test_calculus_errors.py",
    "tests/test_array_symbols.py", "tests/test_scalars.py", "tests/test_comparisons.py",
    "tests/test_optim.py", "tests/test_nan.py", "tests/test_memory_layout.py",
    "tests/test_edits.py", "tests/test_calculus_calls.py", "tests/test_extremes.py",
)  # fmt: skip
"""What is run for a fault that the tests about its rule have not noticed: the quick ones first."""

SECONDS = 120.0
"""Of a child's own work, after which a fault counts as noticed by its endless loop."""


@dataclass(frozen=True)
class Outcome:
    """What became of a fault: `by` is the test that noticed it, empty if none did."""

    fault: Fault
    by: str
    seconds: float


class Tests:
    """What pytest is told in a child: fewer tests, no shrinking, and who failed first."""

    def __init__(self, rules: set[str]) -> None:
        self.rules = rules
        self.failed = ""

    def pytest_configure(self) -> None:
        hypothesis.settings.register_profile(
            "no shrinking",
            parent=hypothesis.settings.get_profile("deep"),
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
            report_multiple_bugs=False,
            database=None,
        )
        hypothesis.settings.load_profile("no shrinking")

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """First the tests about one of the rules, then those about no rule in particular."""
        if self.rules:
            names = "|".join(map(re.escape, self.rules))
            about = re.compile(rf"\[(.*-)?({names})(-.*)?\]$")
            ours = [item for item in items if about.search(item.name)]
            others = [item for item in items if re.search(r"\[.*[a-z_]{3}.*\]$", item.name)]
            items[:] = ours + [item for item in items if item not in {*ours, *others}]

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = f"the import of {report.nodeid}"


def run_tests(folder: Path, files: tuple[str, ...], rules: set[str]) -> str:
    """Run tests in a copy of the checkout, in this process: who failed first, or nobody ("")."""
    os.chdir(folder)
    sys.dont_write_bytecode = True
    sys.path[:] = [str(folder), *(p for p in sys.path if p not in ("", str(Path(__file__).parent)))]
    os.environ["PYTHONPATH"] = str(folder)
    tests = Tests(rules)
    there = [f for f in files if (folder / f).exists()]
    options = ["-x", "-q", "--deep", "-m", "not no_cover", "--no-header", "-p", "no:cacheprovider",
               "--tb=no", "-W", "ignore::pytest.PytestAssertRewriteWarning"]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = pytest.main([*options, *there], plugins=[tests])
    if status == pytest.ExitCode.NO_TESTS_COLLECTED and rules:
        return ""
    return tests.failed or ("" if status == pytest.ExitCode.OK else "the start of pytest")


def child(folder: Path, files: tuple[str, ...], rules: set[str], said: Path) -> int:
    """Fork a child that runs tests and writes down who failed; its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        sink = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(sink, stream)
        try:
            by = run_tests(folder, files, rules)
        except BaseException as error:
            by = f"{type(error).__name__} at the start"
        said.write_text(json.dumps(by), encoding="utf-8")
    finally:
        os._exit(0)


def copy_of_the_checkout(folder: Path) -> None:
    """The package and its tests, compiled once, so that a child compiles nothing but the fault."""
    folder.mkdir(parents=True)
    for name in COPIED:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(folder / "tinygrad_edu", quiet=2, invalidation_mode=mode)


class Slot:
    """A copy of the checkout that one child at a time works in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = folder / "tinygrad_edu"
        copy_of_the_checkout(folder)
        self.pid = 0

    def plant(self, fault: Fault) -> None:
        self.module = self.package / fault.path
        self.source = self.module.read_text(encoding="utf-8")
        self.compiled = Path(*self._cached(self.module))
        self.bytecode = self.compiled.read_bytes()
        self.compiled.unlink()
        self.module.write_text(planted(self.source, fault), encoding="utf-8")
        self.fault = fault

    def weed(self) -> None:
        self.module.write_text(self.source, encoding="utf-8")
        self.compiled.write_bytes(self.bytecode)

    @staticmethod
    def _cached(module: Path) -> tuple[Path, str]:
        tag = sys.implementation.cache_tag
        return module.parent / "__pycache__", f"{module.stem}.{tag}.pyc"

    def start(self, files: tuple[str, ...], rules: set[str]) -> None:
        self.said = self.folder / "said.json"
        self.said.unlink(missing_ok=True)
        self.began = time.monotonic()
        self.pid = child(self.folder, files, rules, self.said)

    def finished(self) -> str | None:
        """Who noticed, or None while the child works."""
        if os.waitpid(self.pid, os.WNOHANG)[0]:
            self.pid = 0
            if not self.said.exists():
                return "the end of the interpreter"
            return str(json.loads(self.said.read_text(encoding="utf-8")))
        if used_seconds(self.pid) > SECONDS or time.monotonic() - self.began > 10 * SECONDS:
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
            return "the time limit"
        return None


def used_seconds(pid: int) -> float:
    """The processor time of a child; other work on the machine is not its fault."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # no /proc here: the clock on the wall decides
        return 0.0
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


Stage = tuple[tuple[str, ...], set[str]]


def outcomes(
    faults: list[Fault], workers: int, folder: Path, is_quick: bool, is_clean: bool
) -> Iterator[Outcome]:
    """Plant the faults, several at a time, and say what became of each.

    That the tests pass without a fault is looked at first; if `is_clean` says that it is known,
    only with some of them, so that it is sure that tests can run at all.
    """
    last: list[Stage] = [(QUICK, set())] if is_quick else [(QUICK, set()), (SLOW, set())]
    slots = [Slot(folder / str(i)) for i in range(workers)]
    package = slots[0].package
    files = tuple(file for some, _ in last for file in some)
    slots[0].start(*(((RULES_FILE,), {"add"}) if is_clean else (files, set())))
    while (by := slots[0].finished()) is None:
        time.sleep(0.05)
    if by:
        raise SystemExit(f"without any fault, {by} fails already")
    waiting = iter(faults)
    working: list[Slot] = []
    began: dict[Slot, float] = {}
    stages: dict[Slot, list[Stage]] = {}
    while True:
        for slot in slots:
            if slot not in working and (fault := next(waiting, None)) is not None:
                slot.plant(fault)
                began[slot] = time.monotonic()
                rules = rules_that_use(package, fault)
                stages[slot] = [((RULES_FILE,), rules), *last] if rules else list(last)
                slot.start(*stages[slot].pop(0))
                working.append(slot)
        if not working:
            return
        time.sleep(0.01)
        for slot in list(working):
            by = slot.finished()
            if by is None:
                continue
            if not by and stages[slot]:
                slot.start(*stages[slot].pop(0))
                continue
            slot.weed()
            working.remove(slot)
            yield Outcome(slot.fault, by, time.monotonic() - began[slot])


def one_of_each_kind(faults: list[Fault], package: Path) -> list[Fault]:
    """A sample that is the same on every run: of each kind one that changes a rule's numbers."""
    by_kind: dict[str, list[Fault]] = {}
    for fault in faults:
        if fault.key not in EQUIVALENT:
            by_kind.setdefault(fault.kind, []).append(fault)
    chosen = []
    for kind, some in by_kind.items():
        in_value = [f for f in some if f.path == "engine/value.py"]
        where_adjoints_meet = in_value if "accumulated" in kind else []
        about_rules = [f for f in some if rules_that_use(package, f)]
        chosen.append(random.Random(kind).choice(where_adjoints_meet or about_rules or some))
    return chosen


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("numbers", nargs="*", type=int, help="only these faults")
    options.add_argument("--sample", type=int, default=1, help="every n-th fault only")
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options.add_argument("--quick", action="store_true", help="without the slow tests")
    options.add_argument("--one-of-each-kind", action="store_true")
    options.add_argument("--clean", action="store_true", help="the tests are known to pass")
    options.add_argument("--list", action="store_true", help="only list the faults")
    options.add_argument("--path", help="only faults in this module")
    options.add_argument("-o", help="write the report into this file")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        copy_of_the_checkout(base / "base")
        package = base / "base" / "tinygrad_edu"
        every = all_faults(package)
        chosen = [every[i] for i in given.numbers] or every[:: given.sample]
        chosen = [f for f in chosen if given.path in (None, f.path)]
        if given.one_of_each_kind:
            chosen = one_of_each_kind(chosen, package)
        if given.list:
            for fault in chosen:
                print(every.index(fault), fault)
            return 0
        random.Random(0).shuffle(chosen)  # what is reported on the way is not a lopsided sample
        done: list[Outcome] = []
        for outcome in outcomes(chosen, given.workers, base, given.quick, given.clean):
            done.append(outcome)
            known = "no number changes" if outcome.fault.key in EQUIVALENT else "NOT NOTICED"
            number = every.index(outcome.fault)
            print(f"{outcome.seconds:5.1f} s  {outcome.by or known}  {number} {outcome.fault}")
            sys.stdout.flush()
    text, is_well = report(done, is_whole=len(chosen) == len(every))
    print(text)
    if given.o:
        Path(given.o).write_text(text, encoding="utf-8")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
