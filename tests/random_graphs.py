"""Random graphs for Hypothesis, and graphs for particular tests."""

import random
from contextlib import ExitStack
from typing import Any

import array_steps
import numpy as np
from graph_drawing import RULES_OF_TENSORS, Drawing, Graph, Place, Step
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rule_table import ELEMENTWISE

from tinygrad_edu import Value, group
from tinygrad_edu.rules import RULES, elementwise
from tinygrad_edu.testing import DOMAINS
from tinygrad_edu.view.page.javascript import javascript_rule


@st.composite
def value_graphs(
    draw: Any, rules: Any = tuple(DOMAINS), smooth: bool = False, most: int = 8
) -> Graph:
    """Graphs of Values: at most so many elementwise rules, each inside its domain."""
    return Drawing(draw, None, smooth).graph(most, list(rules))


@st.composite
def tensor_graphs(
    draw: Any, rules: Any = tuple(RULES_OF_TENSORS), smooth: bool = False, most: int = 8,
    dtype: Any = np.float64, min_dims: int = 0,
) -> Graph:  # fmt: skip
    """Graphs of Tensors: at most so many rules on shapes that fit; the root has shape ()."""
    shapes = hnp.array_shapes(min_dims=min_dims, max_dims=3, min_side=1, max_side=3)
    return Drawing(draw, np.dtype(dtype), smooth, shapes).graph(most, list(rules))


# --- graphs for particular tests -----------------------------------------------------------------


def _javascript_has(name: str) -> bool:
    n = len(DOMAINS[name].intervals)
    try:
        return bool(javascript_rule(RULES[name], n))
    except ValueError as error:
        assert "cannot be written in JavaScript" in str(error)  # noqa: PT017
        return False


IN_JAVASCRIPT = [name for name in DOMAINS if _javascript_has(name)]
"""The elementwise rules that a page can compute; it shows Python's numbers for the others."""

GRAPHS = value_graphs(IN_JAVASCRIPT, most=12)
TO_THE_BIT = value_graphs(["add", "subtract", "multiply", "divide", "negative", "sqrt"], most=12)
"""Graphs of what every language and machine rounds in the same way."""

EXACT_RULES = [*array_steps.EXACT, *(name for name in DOMAINS if DOMAINS[name].exact)]
"""Rules that give whole numbers for whole numbers, but for leaks and ties."""
ON_WHOLE_NUMBERS = set(RULES_OF_TENSORS) - {
    "divide", "power", "exp", "expm1", "log", "log1p", "sqrt", "tan", "sinh", "cosh", "arcsin",
    "arccos", "std",
}  # fmt: skip
"""Rules of arrays that take any whole numbers."""

ELEMENTWISE_RULES = {
    name
    for name, rule in RULES.items()
    if getattr(rule, "func", rule).__module__ == elementwise.__name__
}
"""Every rule that a page of Values can have."""


def places(graph: Graph) -> range:
    """Where the leaves stand among the nodes that `follow` gives."""
    return range(len(graph.inputs))


def follow(graph: Graph, inputs: dict[int, float] | None = None, wobble: Any = None) -> list[Value]:
    """The nodes of a drawn graph made again; the last is the root. `inputs` gives leaves other
    numbers; `wobble`, a random generator, multiplies each result by 1 plus or minus a few
    roundings."""
    given = [(inputs or {}).get(i, x) for i, x in enumerate(graph.inputs)]
    each = wobble and (lambda node: node * (1.0 + wobble.choice((-4e-16, 4e-16))))
    return graph.nodes(*graph.new_leaves(*given), each=each)


def every_rule_at_once(at_kinks: bool, seed: int = 0, rules: Any = tuple(DOMAINS)) -> Graph:
    """One graph in which every rule occurs, on leaves of its own; their results are added up."""
    draw = random.Random(seed)
    inputs: list[float] = []
    steps = []
    for name in sorted(rules):
        domain = DOMAINS[name]
        kinks = list(ELEMENTWISE[name].kinks) if name in ELEMENTWISE else []
        settings = ELEMENTWISE[name].settings if name in ELEMENTWISE else {}
        xs: list[Any] = [x and draw.uniform(*x) for x in domain.intervals]
        if at_kinks and kinks:
            xs = [float(x) for x in draw.choice(kinks)]
        operands: list[Any] = []
        for x in xs:
            operands.append(draw.random() < 0.5 if x is None else Place(len(inputs)))
            inputs += [] if x is None else [x]
        steps.append(Step(name, tuple(operands), settings))
    total = first = len(inputs)
    for k in range(1, len(steps)):
        steps.append(Step("add", (Place(total), Place(first + k))))
        total = first + len(steps) - 1
    return Graph(tuple(inputs), tuple(steps))


LABELS = ("", "", "x", "a.w", "a.b", "b.w", "a.in.w", "layers.0.w", "layers.1.w")


@st.composite
def graphs_with_modules(draw: Any, most: int = 18) -> Value:
    """The root of a graph whose leaves have dotted labels, made in blocks that open and close."""
    names = ["multiply", "add", "subtract", "tanh", "maximum"]
    graph = draw(value_graphs(names, most=most))
    leaves = [Value(round(x * 4) / 4, draw(st.sampled_from(LABELS))) for x in graph.inputs]
    with ExitStack() as blocks:

        def open_or_close(node: Value) -> Value:
            action = draw(st.integers(0, 6))
            if action == 0:
                blocks.close()
            elif action <= 2:
                blocks.enter_context(group(draw(st.sampled_from(["g", "h"]))))
            return node

        return graph.nodes(*leaves, each=open_or_close)[-1]
