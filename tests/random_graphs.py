"""Graphs for the project's own tests, beside those that `tinygrad_edu.testing` draws."""

import random
from contextlib import ExitStack
from typing import Any

from hypothesis import strategies as st
from rule_table import ELEMENTWISE

from tinygrad_edu import Value, group
from tinygrad_edu.rules import RULES, elementwise
from tinygrad_edu.testing import DOMAINS, Graph, value_graphs
from tinygrad_edu.testing.drawing import step_of
from tinygrad_edu.testing.graph import Program
from tinygrad_edu.testing.steps import Place

GRAPHS = value_graphs(most=12)
TO_THE_BIT = value_graphs(["add", "subtract", "multiply", "divide", "negative", "sqrt"], most=12)
"""Graphs of what every language and machine rounds in the same way."""

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
    """The nodes of a drawn graph made anew; the last is the root. `inputs` gives leaves other
    numbers; `wobble`, a random generator, multiplies each result by 1 plus or minus a few
    roundings."""
    given = [(inputs or {}).get(i, x) for i, x in enumerate(graph.inputs)]
    each = wobble and (lambda node: node * (1.0 + wobble.choice((-4e-16, 4e-16))))
    return graph.function.nodes(*graph.new_leaves(*given), each=each)


def every_rule_at_once(at_kinks: bool, seed: int = 0) -> Graph:
    """One graph in which every rule occurs, on leaves of its own; their results are added up."""
    draw = random.Random(seed)
    inputs: list[float] = []
    calls = []
    for name, domain in sorted(DOMAINS.items()):
        kinks = list(ELEMENTWISE[name].kinks) if name in ELEMENTWISE else []
        settings = ELEMENTWISE[name].settings if name in ELEMENTWISE else {}
        xs: list[Any] = [x and draw.uniform(*x) for x in domain.intervals]
        if at_kinks and kinks:
            xs = [float(x) for x in draw.choice(kinks)]
        operands: list[Any] = []
        for x in xs:
            operands.append(draw.random() < 0.5 if x is None else Place(len(inputs)))
            inputs += [] if x is None else [x]
        calls.append((name, operands, settings))
    steps = [step_of(*call) for call in calls]
    total = Place(len(inputs))
    for k in range(1, len(calls)):
        steps.append(step_of("add", (total, Place(len(inputs) + k)), {}))
        total = Place(len(inputs) + len(steps) - 1)
    return Graph(Program(len(inputs), tuple(steps)), *inputs)


LABELS = ("", "", "x", "a.w", "a.b", "b.w", "a.in.w", "layers.0.w", "layers.1.w")
NUMBERS = st.sampled_from([-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.25, 3.0])


@st.composite
def graphs_with_modules(draw: Any, most: int = 18) -> Value:
    """The root of a graph whose leaves have dotted labels, made in blocks that open and close."""

    def leaf() -> Value:
        return Value(draw(NUMBERS), draw(st.sampled_from(LABELS)))

    nodes = [leaf() for _ in range(draw(st.integers(1, 4)))]
    with ExitStack() as blocks:
        for _ in range(draw(st.integers(1, most))):
            action = draw(st.integers(0, 9))
            if action <= 1:
                blocks.enter_context(group(draw(st.sampled_from(["g", "h"]))))
            elif action == 2:
                blocks.close()
            elif action == 3:
                nodes.append(leaf())
            else:
                x = draw(st.sampled_from(nodes[-6:]))
                y = draw(st.sampled_from([*nodes[-4:], 0.5]))
                nodes.append((x * y, x + y, x - y, x.tanh(), x.maximum(y), x * y)[action - 4])
    root = nodes[-1]
    for node in nodes[-4:-1]:
        root = root + node
    return root
