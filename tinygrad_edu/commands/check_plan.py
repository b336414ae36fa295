"""From the words of a call to checks: the scripts are run, and what was asked for is found."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tinygrad_edu.check import Report
from tinygrad_edu.commands.check_targets import CheckTarget, target_by_name, targets_in
from tinygrad_edu.commands.inputs import Inputs, MissingArgumentsError, MissingInputsError
from tinygrad_edu.commands.options import UsageError, script_and_name
from tinygrad_edu.commands.script import ScriptError, in_script, names_of_script
from tinygrad_edu.commands.target_checks import Check, prepared


class Asked(NamedTuple):
    """What to check: a script, and a name in it, or all of it."""

    path: str
    name: str

    @property
    def label(self) -> str:
        return f"{self.path}:{self.name}" if self.name else self.path

    @staticmethod
    def of(word: str) -> Asked:
        """What a word of the call asks for. UsageError if it is not a script."""
        if word.lower().endswith(".py"):
            return Asked(word, "")
        script = script_and_name(word)
        if script is None:
            raise UsageError(f"{word}: expected script.py:name, or script.py for all of it")
        return Asked(*script)


@dataclass(frozen=True)
class Outcome:
    """What came out of a check: a report, or the error that ended it."""

    label: str
    report: Report | None = None
    error: str = ""
    status: int = 0
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    place: tuple[str, int] | None = None

    @property
    def ok(self) -> bool:
        return self.report is not None and self.report.ok


class Plan:
    """What a call asks for: checks that are ready to run, targets that failed before, and what was
    found in whole scripts and is not checked, with the reason."""

    def __init__(
        self, asked: list[Asked], given: dict[str, Any], options: argparse.Namespace
    ) -> None:
        """Run the scripts and get all inputs. UsageError for inputs that are missing, or that
        nothing takes, before anything is checked; other errors are outcomes."""
        self.checks: list[Check] = []
        self.failed: list[Outcome] = []
        self.left_out: dict[str, dict[str, str]] = {}
        self.several = len(asked) > 1 or not asked[0].name
        self._given, self._options = given, options
        self._used: set[str] = set()
        self._missing: list[MissingInputsError] = []
        scripts: dict[str, dict[str, Any]] = {}
        for path, name in asked:
            with self._failures_of(Asked(path, name).label):
                with in_script(path):
                    if path not in scripts:
                        scripts[path] = names_of_script(path)
                if name:
                    self._add(target_by_name(path, scripts[path], name), scripts[path])
                else:
                    self._add_all(path, scripts[path])
        self._refuse_wrong_inputs()

    def _add(self, target: CheckTarget, names: dict[str, Any]) -> None:
        inputs = Inputs(
            target.path, target.name, names, self._given, self._options.seed, self.several
        )
        try:
            with in_script(target.path):
                self.checks.append(prepared(target, self._options, inputs))
        except MissingInputsError as error:
            self._missing.append(error)
        self._used |= inputs.used

    def _add_all(self, path: str, names: dict[str, Any]) -> None:
        targets, left_out = targets_in(path, names)
        for target in targets:
            with self._failures_of(target.label):
                try:
                    self._add(target, names)
                except MissingArgumentsError as error:
                    left_out[target.name] = error.why
        self.left_out[path] = left_out

    @contextmanager
    def _failures_of(self, label: str) -> Iterator[None]:
        """A block whose errors are the outcome of one target; a wrong call ends all."""
        try:
            yield
        except UsageError:
            raise
        except ScriptError as error:
            self.failed.append(Outcome(label, error=str(error), status=error.status))

    def _refuse_wrong_inputs(self) -> None:
        if self._missing and not self.several:
            raise self._missing[0]
        if self._missing:
            needs = [need for error in self._missing for need in error.needs]
            raise MissingInputsError(needs, self._missing[0].first, "; or name what to check")
        if not (self.checks or self.failed):
            raise UsageError(
                f"{', '.join(self.left_out)}: no layer with forward and backward, and no function "
                "with a derivative by hand beside it, such as f and df; name what to check, as "
                f"{next(iter(self.left_out))}:name"
            )
        unknown = [name for name in self._given if name not in self._used]
        if unknown and not self.failed:
            raise UsageError(f"{unknown[0]}=...: nothing that is checked has such an input")

    def outcomes(self) -> Iterator[Outcome]:
        """Check one after the other, until Ctrl-C stops one of them."""
        yield from self.failed
        for check in self.checks:
            start = time.perf_counter()
            report, failure = None, None
            try:
                with in_script(check.target.path):
                    report = check.run()
            except ScriptError as error:
                failure = error
            yield Outcome(
                check.target.label, report, str(failure or ""), failure.status if failure else 0,
                check.notes, time.perf_counter() - start, check.place,
            )  # fmt: skip
            if report is not None and report.stopped:
                return
