"""Every row of the seed notebooks has a test: the row is the second word of the test's name."""

import ast
from collections import Counter
from pathlib import Path

ROWS = {
    "g1": "multiply node, add node, chain rule",
    "g2": "two apples and tax",
    "g3": "apples, oranges and tax",
    "g4": "(x + y)² by the chain rule",
    "g5": "derivatives as formulas",
    "g6": "sigmoid as four nodes and as one",
    "g7": "ReLU and its mask",
    "l1": "affine layer",
    "l2": "weights of shape (out, in)",
    "l3": "a weight gradient as a sum of outer products",
    "l4": "one neuron on one vector",
    "l5": "one neuron on a batch",
    "l6": "fully connected layer, with the gradient of its input",
    "c1": "softmax and cross-entropy",
    "c2": "mean squared error of a digit",
    "models": "the classes and functions of the notebooks",
    "k1": "central differences over every element",
    "k2": "by hand against an engine",
    "t1": "digits, 64-30-10",
    "t2": "digits, 64-10-10",
    "t3": "digits as numbers, 64-30-1",
    "t4": "a line in four dimensions",
    "t5": "1-10-1, which cannot bend",
    "t6": "1-10-ReLU-1, which can",
    "t7": "16 × 16 digits from CSV",
    "t8": "MNIST, 784-50-10",
    "t9": "MNIST as numbers, 784-50-1",
    "pictures": "curves, scatter, heat map, graphs, tables, digits",
}


def named_tests(here):
    for path in sorted(here.glob("test_seeds_*.py")):
        if path.name == "test_seeds_rows.py":
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield path.name, node.name.split("_")[1]


def test_every_row_has_a_test_that_needs_no_other_library_and_every_test_has_a_row():
    tests = list(named_tests(Path(__file__).parent))
    assert {row for _, row in tests} == set(ROWS)
    always_run = {"graph", "layers", "models", "checks", "training", "files", "pictures"}
    counted = Counter(
        row
        for name, row in tests
        if name.removeprefix("test_seeds_").removesuffix(".py") in always_run
    )
    assert set(counted) == set(ROWS)
