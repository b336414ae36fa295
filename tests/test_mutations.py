"""Planted faults are noticed: one of every kind here, all of them by `tests/mutations/run.py`."""

import ast
import dataclasses
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from effort import much

import tinygrad_edu

MUTATIONS = Path(__file__).parent / "mutations"
PACKAGE = Path(tinygrad_edu.__file__).parent
sys.path.append(str(MUTATIONS))

import plant  # noqa: E402
import report  # noqa: E402

SMALL = '''
@rule("f")
def f(x, y, /, axis=-1):
    """-1 + 1 is not code."""
    if x < 0:
        raise ValueError("f: " + "x" * 2)
    total = of(x).sum(x * y, axis=axis)
    return total, lambda g, x=x, y=y: (g * y, -g * x)
'''


def test_the_faults_of_a_small_rule(tmp_path, monkeypatch):
    monkeypatch.setitem(plant.WHERE, "small.py", ())
    (tmp_path / "small.py").write_text(SMALL, encoding="utf-8")
    found = {(f.kind, f.before, f.after) for f in plant.faults_in(tmp_path, "small.py")}
    adjoints = "lambda g, x=x, y=y: ({}, {})"
    total = "total = of(x).sum({}{})"
    assert found == {
        ("flipped sign", "-1", "1"),
        ("changed constant", "-1", "-2"),
        ("flipped comparison", "x < 0", "x <= 0"),
        ("flipped comparison", "x < 0", "x > 0"),
        ("changed constant", "x < 0", "x < 1"),
        ("dropped check", "if x < 0", "if False"),
        *[(kind, total.format("x * y", ", axis=axis"), total.format(product, axis))
          for kind, product, axis in [("dropped term", "x", ", axis=axis"),
                                      ("dropped term", "y", ", axis=axis"),
                                      ("another operator", "x / y", ", axis=axis"),
                                      ("dropped setting", "x * y", "")]],
        ("another function", total.format("x * y", ", axis=axis"),
         total.format("x * y", ", axis=axis").replace("sum", "mean")),
        *[(kind, "return (total, " + adjoints.format("g * y", "-g * x") + ")",
           "return (total, " + adjoints.format(*changed) + ")")
          for kind, *changed in [
              ("swapped adjoints", "-g * x", "g * y"), ("flipped sign", "-(g * y)", "-g * x"),
              ("changed factor", "g * y * 2.0", "-g * x"), ("dropped term", "g", "-g * x"),
              ("dropped term", "y", "-g * x"), ("another operator", "g / y", "-g * x"),
              ("flipped sign", "g * y", "-(-g * x)"), ("changed factor", "g * y", "-g * x * 2.0"),
              ("dropped term", "g * y", "-g"), ("dropped term", "g * y", "x"),
              ("another operator", "g * y", "-g / x"), ("flipped sign", "g * y", "g * x")]],
    }  # fmt: skip


def test_what_is_planted_is_in_the_source_and_nothing_else_has_changed():
    every = plant.all_faults(PACKAGE)
    assert len(every) > 1000
    for fault in every[:: much(40, 200)]:
        source = (PACKAGE / fault.path).read_text(encoding="utf-8")
        before = ast.unparse(ast.parse(source)).splitlines()
        after = plant.planted(source, fault).splitlines()
        compile("\n".join(after), fault.path, "exec")
        apart = Counter(after) - Counter(before)
        assert 1 <= apart.total() <= 5, (fault, apart)


def test_every_kind_of_fault_can_be_planted_and_every_adjoint_has_one():
    every = plant.all_faults(PACKAGE)
    signs = {f.function for f in every if f.kind == "flipped sign"}
    rules = {r.__name__ for r in tinygrad_edu.rules.RULES.values()
             if r.__module__.startswith("tinygrad_edu.")}  # fmt: skip
    in_helpers = {"add", "subtract", "negative", "power", "maximum", "minimum", "matmul", "einsum",
                  "_einsum", "_windows", "add_windows"}  # fmt: skip
    assert rules - signs <= in_helpers
    assert {"_pass_on", "_negate", "_power_by_base", "_matmul_by_x", "_einsum_adjoint"} <= signs
    accumulations = [f for f in every if f.kind == "assigned, not accumulated"]
    assert "Value.backward" in {f.function for f in accumulations}


def test_a_fault_that_changes_nothing_is_refused():
    fault = plant.faults_in(PACKAGE, "rules/elementwise.py")[0]
    same = dataclasses.replace(fault, make=lambda node: node)
    with pytest.raises(ValueError, match="changes nothing"):
        plant.planted((PACKAGE / fault.path).read_text(encoding="utf-8"), same)


def outcome(by, after="y", is_check=False):
    fault = plant.Fault("a.py", "f", 1, "flipped sign", "x", after, is_check, 0, None)
    return SimpleNamespace(fault=fault, by=by, seconds=1.0)


def test_the_report_asks_for_95_percent_and_for_reasons_that_have_a_fault(monkeypatch):
    monkeypatch.setattr(report, "EQUIVALENT", {("a.py", "f", "x", "same"): "no number changes"})
    noticed = [outcome("a test")] * 19
    text, is_well = report.report([*noticed, outcome(""), outcome("", "same")], is_whole=True)
    assert is_well
    assert "19 of 20 noticed (95.0 %)" in text
    assert "not noticed:\n  a.py:1 f: flipped sign: x  →  y" in text
    assert "Not counted: 1 " in text
    assert not report.report([*noticed, outcome(""), outcome("")], is_whole=False)[1]
    text, is_well = report.report(noticed, is_whole=True)
    assert not is_well
    assert "reasons whose fault is gone or noticed" in text
    assert report.report(noticed, is_whole=False)[1]
    assert not report.report([*noticed, outcome("", is_check=True)], is_whole=False)[1]


@pytest.mark.deep
def test_one_planted_fault_of_every_kind_is_noticed():
    options = ["--one-of-each-kind", "--quick", "--clean"]
    command = [sys.executable, str(MUTATIONS / "run.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    planted, noticed = (
        re.search(r"^(\d+) faults were planted", done.stdout, re.M),
        re.findall(r"(\d+) of (\d+) noticed", done.stdout),
    )
    assert int(planted[1]) >= 15
    assert all(part == whole for part, whole in noticed), done.stdout
    assert sum(int(whole) for _, whole in noticed) == int(planted[1])
