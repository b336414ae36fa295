"""The house: imports run one way, and the import of the package stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_edu

PACKAGE = Path(tinygrad_edu.__file__).parent
REPOSITORY = Path(__file__).parent.parent

ALLOWED = {
    "rules": set(),
    "engine": {"rules"},
    "files": {"engine"},
    "calculus": {"rules", "engine"},
    "csv_reader": {"engine"},
    "data": {"csv_reader", "engine"},
    "summaries": {"engine"},
    "module": {"engine", "summaries"},
    "nn": {"rules", "engine", "data", "module"},
    "scalar_nn": {"module", "engine"},
    "optim": {"rules", "engine", "summaries"},
    "programs": {"rules", "engine"},
    "replay": {"rules", "engine", "programs"},
    "view": {"rules", "engine", "programs", "files"},
    "check": {"rules", "engine", "view"},
    "testing": {"rules", "engine", "check"},
    "saving": {"data", "files", "engine", "module", "nn", "optim"},
    "commands": {"rules", "engine", "check", "files", "view"},
}
"""What each part of the package may import of the others."""

LIBRARIES = {"rules": {"numpy"}, "view": {"numpy", "graphviz", "typst"},
             "replay": {"numpy", "numba"},
             "testing": {"numpy", "hypothesis"}}  # fmt: skip
"""Packages from outside that a part may import; numpy for all."""


def part_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            if node.module == "tinygrad_edu":
                yield from (f"tinygrad_edu.{alias.name}" for alias in node.names)


def test_every_part_of_the_package_has_a_place_in_the_house():
    parts = {part_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert parts == set(ALLOWED)


def test_imports_run_one_way():
    for path in PACKAGE.rglob("*.py"):
        part = part_of(path)
        if part == "__init__":
            continue
        for module in imported_modules(path):
            top, _, rest = module.partition(".")
            if top == "tinygrad_edu" and rest:
                other = rest.split(".")[0]
                assert other == part or other in ALLOWED[part], f"{path} imports {module}"
            elif top not in sys.stdlib_module_names and top != "tinygrad_edu":
                assert top in LIBRARIES.get(part, {"numpy"}), f"{path} imports {module}"


def test_the_allowed_edges_have_no_cycle():
    done = set()
    while len(done) < len(ALLOWED):
        ready = {part for part, below in ALLOWED.items() if part not in done and below <= done}
        assert ready, "the house has a cycle"
        done |= ready


def test_graph_names_no_operation():
    text = (PACKAGE / "engine" / "graph.py").read_text(encoding="utf-8")
    names = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
    assert not names & {name for name in tinygrad_edu.rules.RULES if name not in ("where", "put")}


def test_importing_pulls_in_no_plotting_browser_or_learning_library():
    code = "import sys, tinygrad_edu; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "matplotlib",
        "typst",
        "tqdm",
        "graphviz",
        "sklearn",
        "scipy",
        "sympy",
        "IPython",
        "torch",
    }
    assert not heavy & set(run.stdout.split())


@pytest.mark.parametrize("folder", ["tinygrad_edu", "tests", "demos"])
def test_no_file_is_longer_than_one_sitting(folder):
    for path in (PACKAGE if folder == "tinygrad_edu" else REPOSITORY / folder).rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path
