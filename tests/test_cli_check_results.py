"""What tinygrad-edu check gives to programs: JSON, JUnit XML, and annotations of GitHub."""

import json
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import command
import pytest

import tinygrad_edu

SCRIPT = """\
import numpy as np

print("hello from the script")


class Affine:
    def __init__(self):
        self.W, self.b = np.ones((4, 2)), np.zeros(2)

    def forward(self, x):
        print("forward")
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, 2 * dout.sum(axis=0)
        return dout @ self.W.T


class Sized:
    def __init__(self, n):
        self.n = n

    forward = backward = lambda self, x: x


def square(x):
    return x * x


def dsquare(x):
    return 2 * x


def fails(x):
    raise ValueError("50% <wrong>, \\x1b[31m\\nno: numbers & no ]]>")


def fails_backward(dout):
    return dout


def endless(x):
    return np.sum(np.where(x > 0, x, np.inf))


def dendless(x):
    return np.ones_like(x)
"""
ALL = ["s.py:Affine", "s.py:square", "s.py:fails", "x=5x4"]
folder, check = command.folder, command.check


@pytest.fixture(autouse=True)
def script(folder, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    Path("s.py").write_text(SCRIPT, encoding="utf-8")


# --- JSON ----------------------------------------------------------------------------------------


def strict_json(text):
    """Parsed as by a program that knows no inf and no nan."""

    def refused(constant):
        raise ValueError(constant)

    return json.loads(text, parse_constant=refused)


def test_json_is_one_object_and_stands_alone(check):
    status, out, err = check([*ALL, "--json", "--seed", "3"])
    found = strict_json(out)
    assert status == 1
    assert (found["version"], found["seed"], found["ok"]) == (tinygrad_edu.__version__, 3, False)
    assert [target["target"] for target in found["targets"]] == ALL[:3]
    affine, _, fails = found["targets"]
    assert [x["ok"] for x in found["targets"]] == [False, True, False]
    assert affine["verdict"] == "check_backward of Affine: wrong for b"
    assert affine["notes"] == ["random numbers for x (5, 4); seed 3"]
    assert (affine["file"], affine["line"]) == (
        "s.py", SCRIPT.splitlines().index("    def backward(self, dout):") + 1
    )  # fmt: skip
    rows = {row["parameter"]: row for row in affine["rows"]}
    assert [(name, row["shape"], row["verdict"]) for name, row in rows.items()] == [
        ("x", [5, 4], "ok"), ("W", [4, 2], "ok"), ("b", [2], "wrong")
    ]  # fmt: skip
    b = rows["b"]
    assert math.isclose(b["analytic"], 2 * b["numeric"], rel_tol=1e-6)
    assert (len(b["index"]), b["at"], b["dtype"]) == (1, 0.0, "float64")
    assert b["note"].startswith("it is twice what it should be")
    assert all(x["seconds"] >= 0 for x in found["targets"])
    assert "rows" not in fails
    assert fails["error"].startswith("s.py, line")
    assert "hello from the script" in err
    assert "forward" in err, "what the checked code prints"
    assert "tinygrad-edu: s.py:fails: s.py, line" in err


def test_json_names_what_is_not_checked_and_knows_no_inf(check):
    status, out, _ = check(["s.py", "x=5x4", "--json"])
    found = strict_json(out)
    assert found["not_checked"] == [{"target": "s.py:Sized", "why": "a class that needs n"}]
    [endless] = [x for x in found["targets"] if x["target"] == "s.py:endless"]
    assert endless["ok"] is False
    assert status == 1


def test_json_of_one_right_target(check):
    status, out, _ = check("s.py:square x=3x --json")
    found = strict_json(out)
    assert (status, found["ok"], found["not_checked"]) == (0, True, [])
    assert found["targets"][0]["problems"] == []


# --- JUnit ---------------------------------------------------------------------------------------


def check_junit(root):
    """The rules of the usual schema: names and order of elements, counts, times."""
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        assert {"name", "tests", "failures", "errors", "skipped", "time"} <= {*suite.keys()}
        cases = list(suite)
        for case in cases:
            assert case.tag == "testcase"
            assert case.attrib.keys() == {"classname", "name", "time"}
            assert float(case.get("time")) >= 0
            assert len(case) <= 1
            for result in case:
                assert result.tag in ("failure", "error", "skipped")
                assert result.get("message")
        assert int(suite.get("tests")) == len(cases)
        for tag in ("failure", "error", "skipped"):
            count = suite.get({"failure": "failures", "error": "errors"}.get(tag, tag))
            assert int(count) == len(suite.findall(f"testcase/{tag}"))
        assert float(suite.get("time")) >= 0


def test_junit_has_a_testcase_for_every_target(check):
    status, out, _ = check(["s.py", "x=5x4", "--junit", "out.xml"])
    assert status == 1
    assert "written" not in out.splitlines()[-1]
    root = ET.fromstring(Path("out.xml").read_bytes())
    check_junit(root)
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert [*cases] == ["Affine", "square", "fails", "endless", "Sized"]
    assert {case.get("classname") for case in cases.values()} == {"s.py"}
    failure = cases["Affine"].find("failure")
    assert failure.get("message") == "check_backward of Affine: wrong for b"
    assert failure.text.splitlines()[1].split() == [
        "parameter", "shape", "worst", "index", "at", "analytic", "numeric", "relative", "error",
        "verdict",
    ]  # fmt: skip
    assert "b: it is twice what it should be" in failure.text
    assert len(cases["square"]) == 0
    assert cases["Sized"].find("skipped").get("message") == "a class that needs n"
    error = cases["fails"].find("error")
    assert "50% <wrong>" in error.text
    assert not any(ord(c) < 32 for c in error.text.replace("\n", ""))
    before = Path("out.xml").read_bytes()
    assert check(["s.py:square", "x=3x", "--junit", "out.xml"])[0] == 0, "it is renewed"
    assert Path("out.xml").read_bytes() != before


def test_junit_and_json_together(check):
    status, out, _ = check([*ALL, "--json", "--junit", "out.xml"])
    assert status == 1
    assert len(strict_json(out)["targets"]) == 3
    check_junit(ET.fromstring(Path("out.xml").read_bytes()))


# --- annotations ---------------------------------------------------------------------------------


def annotations(text):
    """The errors as the runner of GitHub reads them: their properties, and what they say."""
    found = []
    for line in text.splitlines():
        if line.startswith("::"):
            listed, said = re.fullmatch(r"::error (.*?)::(.*)", line).groups()
            properties = dict(x.split("=", 1) for x in listed.split(","))
            undo = {"%0A": "\n", "%0D": "\r", "%3A": ":", "%2C": ",", "%25": "%"}
            for code, c in undo.items():
                said = said.replace(code, c)
                properties = {k: x.replace(code, c) for k, x in properties.items()}
            found.append((properties, said))
    return found


def test_in_github_actions_errors_stand_beside_the_code(check, monkeypatch):
    assert annotations(check(ALL)[1]) == []
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    _, out, _ = check(ALL)
    (wrong, table), (failed, said) = annotations(out)
    line = SCRIPT.splitlines().index("    def backward(self, dout):") + 1
    assert wrong == {"file": "s.py", "line": str(line), "title": "tinygrad-edu check s.py:Affine"}
    assert table.splitlines()[0] == "check_backward of Affine: wrong for b"
    assert table.splitlines()[-1].lstrip()
    assert failed["title"] == "tinygrad-edu check s.py:fails"
    assert "50% <wrong>, " in said
    assert annotations(check("s.py:square x=3x")[1]) == []
    _, out, err = check([*ALL, "--json"])
    strict_json(out)
    assert len(annotations(err)) == 2
