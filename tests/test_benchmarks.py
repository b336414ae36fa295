"""The benchmark runs and tells the truth about what it cannot measure; no time is asserted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent / "benchmarks"

OF_ONES_OWN = """
import os
from workload import OURS, Workload

WORKLOAD = Workload("x + x", reference=lambda: [4.0, [1.0, 2.0]])
RIGHT = [4.0, [1.0, 2.0]]

@WORKLOAD.candidate(OURS)
def right():
    return lambda: 2.0 + 2.0, RIGHT

@WORKLOAD.candidate("nearly right")
def nearly_right():
    return lambda: 2.0 + 2.0, [4.0, [1.0, 2.0 + 1e-9]]

def timed():
    raise AssertionError("a wrong candidate was timed")

@WORKLOAD.candidate("wrong")
def wrong():
    return timed, [4.0, [1.0, 2.1]]

@WORKLOAD.candidate("not a number")
def not_a_number():
    return timed, [float("nan"), [1.0, 2.0]]

@WORKLOAD.candidate("of another shape")
def of_another_shape():
    return timed, [4.0, [[1.0, 2.0]]]

@WORKLOAD.candidate("incomplete")
def incomplete():
    return timed, [4.0]

@WORKLOAD.candidate("missing")
def missing():
    import there_is_no_such_peer

@WORKLOAD.candidate("ours, later")
def later():
    import tinygrad_edu.there_is_no_such_module

@WORKLOAD.candidate("raises")
def raises():
    raise ValueError("of no use")

@WORKLOAD.candidate("raises when timed")
def raises_when_timed():
    return lambda: 1 / 0, RIGHT

@WORKLOAD.candidate("dies")
def dies():
    os._exit(3)
"""


def run(*arguments):
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--quick", *map(str, arguments)]
    environment = {**os.environ, "PYTHONWARNINGS": "default"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


@pytest.fixture(scope="module")
def of_ones_own(tmp_path_factory):
    """The results of a workload with every kind of candidate, and the Markdown."""
    folder = tmp_path_factory.mktemp("own")
    workload, kept = folder / "own.py", folder / "own.json"
    workload.write_text(OF_ONES_OWN, encoding="utf-8")
    done = run("--only", workload, "--json", kept)
    assert done.returncode == 0, done.stderr
    found = json.loads(kept.read_text(encoding="utf-8"))["workloads"]["own"]["sizes"][""]
    return found, done.stdout


@pytest.mark.deep
def test_the_quick_benchmark_writes_json_and_markdown(tmp_path):
    kept, page = tmp_path / "found.json", tmp_path / "found.md"
    only = ["readme_expression", "tiny_graph"]
    done = run("--only", *only, "--json", kept, "--markdown", page)
    assert done.returncode == 0, done.stderr
    results = json.loads(kept.read_text(encoding="utf-8"))
    assert list(results["workloads"]) == only
    assert results["machine"]["versions"]["numpy"]
    assert {"date", "cpu", "load", "python"} <= set(results["machine"])
    for workload in results["workloads"].values():
        (found,) = workload["sizes"].values()
        assert found["tinygrad_edu"]["status"] == found["micrograd"]["status"] == "measured"
        assert found["tinygrad_edu"]["ratio"] == 1.0
        rounds = results["settings"]["rounds"]
        for entry in found.values():
            assert entry["status"] in ("measured", "not installed", "not there yet"), entry
            if entry["status"] == "measured":
                assert len(entry["blocks"]) == rounds
                assert all(block["seconds"] > 0 for block in entry["blocks"].values())
                assert entry["median"] > 0
                assert entry["ratio"] > 0
    text = page.read_text(encoding="utf-8")
    assert text in done.stdout
    table = [line for line in text.split("###")[0].splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(only)
    assert len({line.count("|") for line in table}) == 1
    assert "micrograd" in table[0]
    assert "tinygrad_edu" in table[0]


def test_a_right_answer_is_timed(of_ones_own):
    found, _ = of_ones_own
    for name in ("tinygrad_edu", "nearly right"):
        assert found[name]["status"] == "measured"
        assert found[name]["blocks"]


@pytest.mark.parametrize("name", ["wrong", "not a number", "of another shape", "incomplete"])
def test_a_wrong_answer_is_reported_and_not_timed(of_ones_own, name):
    found, page = of_ones_own
    assert found[name]["status"] == "wrong answer"
    assert "blocks" not in found[name]
    assert f"| {name} | wrong answer (" in page


@pytest.mark.parametrize(
    ("name", "status", "why"),
    [
        ("missing", "not installed", "there_is_no_such_peer"),
        ("ours, later", "not there yet", "tinygrad_edu.there_is_no_such_module"),
        ("raises", "failed", "ValueError: of no use"),
        ("raises when timed", "failed", "ZeroDivisionError: division by zero"),
        ("dies", "failed", "the process ended with exit code 3"),
    ],
)
def test_what_could_not_be_timed_is_listed_with_the_reason(of_ones_own, name, status, why):
    found, page = of_ones_own
    assert found[name] == {"status": status, "why": why}
    assert f"| {name} | {status} ({why}) |" in page


def test_a_workload_that_does_not_exist_is_refused():
    done = run("--only", "no_such_workload")
    assert done.returncode != 0
    assert (
        "'no_such_workload' is neither a workload nor a file; use readme_expression" in done.stderr
    )


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.name)
def test_the_files_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
