"""The house: what each part may import, what needs NumPy, and how much there is to read."""

import ast
import collections
import io
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

import tinygrad_edu

PACKAGE = Path(tinygrad_edu.__file__).parent
REPOSITORY = Path(__file__).parent.parent
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}

MAY_IMPORT = {
    "rules": set(),
    "engine": {"rules"},
    "files": {"engine"},
    "calculus": {"rules", "engine"},
    "csv_reader": {"engine", "rules"},
    "data": {"csv_reader", "engine", "rules"},
    "summaries": {"engine"},
    "module": {"engine", "summaries"},
    "nn": {"rules", "engine", "data", "module", "summaries"},
    "scalar_nn": {"engine", "module"},
    "optim": {"rules", "engine", "summaries"},
    "programs": {"rules", "engine"},
    "replay": {"rules", "engine", "programs", "optim"},
    "view": {"rules", "engine", "programs", "files"},
    "check": {"rules", "engine", "view"},
    "testing": {"rules", "engine", "check"},
    "saving": {"rules", "data", "files", "engine", "nn", "module", "optim"},
    "training": {"rules", "engine", "files", "module", "nn", "scalar_nn", "data", "optim", "replay"}
    | {"saving", "view"},
    "commands": {"rules", "engine", "check", "files", "view", "data", "nn", "optim", "training"},
}
"""What each part of the package may import of the others."""

LIBRARIES = {"view": {"numpy", "graphviz", "typst"}, "replay": {"numpy", "numba", "llvmlite"},
             "training": {"numpy", "matplotlib", "tqdm"},
             "testing": {"numpy", "hypothesis"}}  # fmt: skip
"""Packages from outside that a part may import; numpy for all."""

FIRST_READING = ("rules/rule.py", "rules/tables.py", "engine/graph.py", "engine/value.py")

GROUND = """
import sys

sys.modules["numpy"] = None  # from now on `import numpy` fails
import tinygrad_edu as tg
from tinygrad_edu.scalar_nn import MLP

apple, tax = tg.Value(100.0, "apple"), tg.Value(1.1, "tax")
price = apple * 2.0 * tax
price.backward()
assert (apple.grad, tax.grad) == (2.2, 200.0)
assert tg.to_svg(price).startswith("<svg") and "digraph" in tg.to_dot(price)
assert "<!doctype html>" in tg.to_html(price)
assert tg.grad(tg.grad(lambda x: tg.exp(x * 3.0)))(0.0) == 9.0
assert tg.hessian(lambda x, y: x * y, (0, 1))(2.0, 3.0) == ((0.0, 1.0), (1.0, 0.0))
assert tg.hvp(lambda x: x**3, (2.0,), (1.0,)) == (12.0,)
run = tg.replay(price)
assert run(100.0, 1.1)[0] == price.data
assert "return" in run.source
assert tg.gradcheck(lambda x: x.tanh() * x, 0.5).ok
assert not tg.gradcheck(lambda x: x * x, 3.0, gradient=lambda x: 3.0 * x, raises=False).ok
net = MLP(2, [3, 1])
optimizer = tg.optim.SGD(net.parameters(), lr=0.05)
losses = []
for _ in range(20):
    loss = (net([0.5, -1.0]) - 1.0) ** 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.data)
assert losses[-1] < losses[0]
try:
    tg.softmax
except AttributeError as error:
    assert "need NumPy" in str(error)
loaded = [name for name, module in sys.modules.items() if module and name.startswith("numpy")]
assert not loaded, loaded
"""


def part_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path):
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            if node.module == "tinygrad_edu":
                yield from (f"tinygrad_edu.{alias.name}" for alias in node.names)


def test_every_part_of_the_package_has_a_place_in_the_house():
    assert {part_of(path) for path in FILES} - {"__init__"} == set(MAY_IMPORT)


def test_imports_run_one_way():
    for path in FILES:
        part = part_of(path)
        if part == "__init__":
            continue
        for module in imported_modules(path):
            top, _, rest = module.partition(".")
            if top == "tinygrad_edu" and rest:
                other = rest.split(".")[0]
                assert other == part or other in MAY_IMPORT[part], f"{path} imports {module}"
            elif top not in sys.stdlib_module_names and top != "tinygrad_edu":
                assert top in LIBRARIES.get(part, {"numpy"}), f"{path} imports {module}"


def test_the_allowed_edges_have_no_cycle():
    done = set()
    while len(done) < len(MAY_IMPORT):
        ready = {part for part, below in MAY_IMPORT.items() if part not in done and below <= done}
        assert ready, "the house has a cycle"
        done |= ready


def test_the_ground_storey_needs_nothing_but_the_standard_library():
    run = subprocess.run([sys.executable, "-c", GROUND], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    "script", ["import tinygrad_edu", "from tinygrad_edu import Value; Value(2.0).exp().backward()"]
)
def test_importing_pulls_in_no_library(script):
    code = f"import sys; {script}; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "matplotlib", "typst", "tqdm", "graphviz", "sklearn", "scipy", "sympy",
             "IPython", "torch", "hypothesis", "argparse"}  # fmt: skip
    assert not heavy & set(run.stdout.split())


def test_graph_names_no_operation():
    tree = TREES[PACKAGE / "engine" / "graph.py"]
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    assert not names & {name for name in tinygrad_edu.rules.RULES if name not in ("where", "put")}


def lines_of_code(path):
    """How many lines are neither blank nor comments nor docstrings."""
    docstrings = set()
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docstrings.update(range(node.lineno, node.end_lineno + 1))
    said_nothing = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT,
                    tokenize.DEDENT, tokenize.ENDMARKER)  # fmt: skip
    text = path.read_text(encoding="utf-8")
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    lines = [range(t.start[0], t.end[0] + 1) for t in tokens if t.type not in said_nothing]
    return len({line for some in lines for line in some} - docstrings)


def test_the_first_reading_is_short():
    lines = {name: lines_of_code(PACKAGE / name) for name in FIRST_READING}
    assert sum(lines.values()) <= 450, lines


def test_no_function_is_longer_than_fifty_lines_beside_its_docstring():
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                documented = ast.get_docstring(node) is not None and len(node.body) > 1
                first = node.body[1] if documented else node
                assert node.end_lineno - first.lineno < 50, f"{path}: {node.name}"


def top_level_names(tree):
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


TWINS = {"MLP", "arrays", "sign", "softmax", "trace"}
"""Names that stand twice on purpose: the networks of `nn` and `scalar_nn`, softmax of arrays and of
lists of Values, the strategy `arrays` beside the table of functions of arrays, and NumPy's `sign`
and `trace` beside ours."""


def test_a_name_and_a_file_name_stand_once():
    files, names = collections.Counter(), collections.Counter()
    for path, tree in TREES.items():
        files[path.name] += 1
        names.update({x for x in top_level_names(tree) if not x.startswith("__")})
    assert [x for x, n in files.items() if n > 1] == ["__init__.py"]
    assert {x for x, n in names.items() if n > 1} <= TWINS


@pytest.mark.parametrize("folder", ["tinygrad_edu", "tests", "demos"])
def test_no_file_is_longer_than_one_sitting(folder):
    for path in (PACKAGE if folder == "tinygrad_edu" else REPOSITORY / folder).rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path
