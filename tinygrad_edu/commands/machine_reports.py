"""Results of `tinygrad-edu check` for programs: JSON, JUnit XML, and annotations of GitHub."""

from __future__ import annotations

import json
import math
import os
import xml.etree.ElementTree as ET
from typing import Any

import tinygrad_edu
from tinygrad_edu.check import Report, Row
from tinygrad_edu.commands.check_plan import Outcome
from tinygrad_edu.view.cards.reading import shown_text

LeftOut = dict[str, dict[str, str]]


def as_json(outcomes: list[Outcome], left_out: LeftOut, seed: int) -> str:
    """One object with all results. JSON has no inf and no nan: they are "inf", "-inf" and null."""
    targets = []
    for outcome in outcomes:
        target = {"target": outcome.label, "ok": outcome.ok, "notes": outcome.notes,
                  "seconds": round(outcome.seconds, 3)}  # fmt: skip
        if outcome.place:
            target["file"], target["line"] = outcome.place
        if outcome.report is None:
            target["error"] = outcome.error
        else:
            target |= _report(outcome.report)
            target["notes"] = outcome.notes + outcome.report.notes
        targets.append(target)
    not_checked = [
        {"target": f"{path}:{name}", "why": why}
        for path, names in left_out.items() for name, why in names.items()
    ]  # fmt: skip
    found = {
        "version": tinygrad_edu.__version__, "ok": all(outcome.ok for outcome in outcomes),
        "seed": seed, "targets": targets, "not_checked": not_checked,
    }  # fmt: skip
    return json.dumps(found, indent=2, allow_nan=False)


def _report(report: Report) -> dict[str, Any]:
    return {
        "verdict": report.verdict, "called": report.called, "problems": report.problems,
        "compared": [*report.compared], "rows": [_row_as_json(row) for row in report.rows],
    }  # fmt: skip


def _row_as_json(row: Row) -> dict[str, Any]:
    numbers = {"at": row.at, "analytic": row.analytic, "numeric": row.numeric,
               "relative_error": row.relative}  # fmt: skip
    return {
        "parameter": row.parameter, "shape": [*row.shape], "verdict": row.verdict,
        "index": [*map(int, row.index)], **{name: _number(x) for name, x in numbers.items()},
        "dtype": row.dtype, "note": row.note,
    }  # fmt: skip


def _number(x: float) -> float | str | None:
    x = float(x)
    if math.isnan(x):
        return None
    return str(x) if math.isinf(x) else x


def as_junit(outcomes: list[Outcome], left_out: LeftOut) -> str:
    """The results as pytest writes them: a testcase for each target, with the table if it fails."""
    skipped = sum(map(len, left_out.values()))
    counts = {
        "errors": sum(outcome.report is None for outcome in outcomes),
        "failures": sum(outcome.report is not None and not outcome.ok for outcome in outcomes),
        "skipped": skipped, "tests": len(outcomes) + skipped,
        "time": f"{sum(outcome.seconds for outcome in outcomes):.3f}",
    }  # fmt: skip
    suites = ET.Element("testsuites")
    suite = ET.SubElement(
        suites,
        "testsuite",
        {"name": "tinygrad-edu check", **{k: str(n) for k, n in counts.items()}},
    )
    for outcome in outcomes:
        case = _testcase(suite, outcome.label, outcome.seconds)
        if outcome.report is None:
            _said(case, "error", outcome.error.partition("\n")[0], outcome.error)
        elif not outcome.ok:
            _said(case, "failure", outcome.report.verdict, str(outcome.report))
    for path, names in left_out.items():
        for name, why in names.items():
            ET.SubElement(_testcase(suite, f"{path}:{name}", 0.0), "skipped", message=_clean(why))
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=False) + "\n"


def _testcase(suite: ET.Element, label: str, seconds: float) -> ET.Element:
    path, _, name = label.rpartition(":")
    attributes = {
        "classname": _clean(path or label),
        "name": _clean(name),
        "time": f"{seconds:.3f}",
    }
    return ET.SubElement(suite, "testcase", attributes)


def _said(case: ET.Element, tag: str, message: str, text: str) -> None:
    ET.SubElement(case, tag, message=_clean(message)).text = "\n".join(
        map(_clean, text.split("\n"))
    )


def _clean(text: str) -> str:
    """Without the control characters that XML has no place for."""
    return shown_text(text)


def annotation(outcome: Outcome) -> str:
    """The line by which GitHub shows an error beside the code."""
    report = outcome.report
    said = outcome.error if report is None else str(report)
    properties = {"title": f"tinygrad-edu check {outcome.label}"}
    if outcome.place:
        file, line = outcome.place
        properties = {"file": os.path.relpath(file), "line": str(line), **properties}
    listed = ",".join(
        f"{name}={_escaped(value).replace(':', '%3A').replace(',', '%2C')}"
        for name, value in properties.items()
    )
    return f"::error {listed}::{_escaped(said)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
