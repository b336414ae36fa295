"""Random graphs for Hypothesis, as recipes that can be followed again with other inputs."""

import random
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from rule_table import ELEMENTWISE, R

from tinygrad_edu import Value, group
from tinygrad_edu.rules import RULES, elementwise

DOMAINS = {name: row.domains for name, row in ELEMENTWISE.items()} | {"where": ((0, 1), R, R)}
NAMES = tuple(sorted(DOMAINS))
TO_THE_BIT = ("add", "subtract", "multiply", "divide", "negative", "sqrt")

ELEMENTWISE_RULES = {
    name
    for name, rule in RULES.items()
    if getattr(rule, "func", rule).__module__ == elementwise.__name__
}
"""Every rule that a page of Values can have."""


@dataclass
class Recipe:
    """How a graph is made: for each node a number, if it is a leaf, or else the rule's name, its
    settings and its operands: the indices of nodes (int) and constants (float)."""

    made: list[Any] = field(default_factory=list)

    @property
    def leaves(self) -> list[int]:
        return [i for i, how in enumerate(self.made) if isinstance(how, float)]

    def follow(self, inputs: dict[int, float] | None = None, wobble: Any = None) -> list[Value]:
        """The nodes; the last is the root. `inputs` gives leaves other numbers; `wobble`, a random
        generator, multiplies each result by 1 plus or minus a few roundings."""
        nodes: list[Value] = []
        for i, how in enumerate(self.made):
            if isinstance(how, float):
                nodes.append(Value((inputs or {}).get(i, how), f"x{i}"))
                continue
            node = apply(how, nodes)
            if wobble is not None:
                node = node * (1.0 + wobble.choice((-4e-16, 4e-16)))
            nodes.append(node)
        return nodes


def apply(how: Any, nodes: list[Value]) -> Value:
    name, settings, operands = how
    xs = tuple(nodes[x] if isinstance(x, int) else x for x in operands)
    return nodes[0]._record(RULES[name], xs, settings)


@st.composite
def settings_of_rule(draw: Any, name: str) -> dict[str, Any]:
    if name == "leaky_relu":
        return {"negative_slope": draw(st.floats(0, 0.5))}
    if name == "clip":
        ends = {"min": draw(st.none() | st.floats(-2, 0)), "max": draw(st.none() | st.floats(0, 2))}
        return {key: end for key, end in ends.items() if end is not None}
    return ELEMENTWISE[name].settings if name in ELEMENTWISE else {}


@st.composite
def recipes(draw: Any, names: Any = NAMES, most: int = 12) -> Recipe:
    """A graph over these rules, each inside of its domain, its nodes shared. All lead to the root,
    a sum of whatever nothing else uses."""
    recipe = Recipe([draw(st.floats(*R))])
    nodes = recipe.follow()

    def make(how: Any) -> int:
        recipe.made.append(how)
        leaf = isinstance(how, float)
        nodes.append(Value(how) if leaf else apply(how, nodes))
        return len(nodes) - 1

    def operand(low: float, high: float) -> int | float:
        fitting = [i for i, node in enumerate(nodes) if low <= node.data <= high]
        kind = draw(st.integers(0, 4))
        if kind == 0:
            return draw(st.floats(low, high))
        if fitting and kind > 1:
            return fitting[-1 - draw(st.integers(0, min(4, len(fitting) - 1)))]
        return make(draw(st.floats(low, high)))

    for _ in range(draw(st.integers(1, most))):
        name = draw(st.sampled_from(names))
        settings = draw(settings_of_rule(name))
        operands = [operand(*domain) for domain in DOMAINS[name]]
        if name == "where":
            operands[0] = float(draw(st.booleans()))
        if not any(isinstance(x, int) for x in operands):
            operands[-1] = make(operands[-1])
        make((name, settings, operands))
    operations = [how for how in recipe.made if not isinstance(how, float)]
    used = {x for _, _, operands in operations for x in operands if isinstance(x, int)}
    total, *rest = [i for i in range(len(nodes)) if i not in used]
    for i in rest:
        total = make(("add", {}, [total, i]))
    return recipe


def every_rule_at_once(at_kinks: bool, seed: int = 0) -> Recipe:
    """One graph in which every rule occurs, on leaves of its own; their results are added up."""
    draw = random.Random(seed)
    recipe = Recipe()
    results = []
    for name, domains in sorted(DOMAINS.items()):
        xs = [draw.uniform(*domain) for domain in domains]
        settings = {}
        if name == "where":
            xs[0] = float(draw.random() < 0.5)
        else:
            settings = ELEMENTWISE[name].settings
            kinks = list(ELEMENTWISE[name].kinks)
            xs = list(draw.choice(kinks)) if at_kinks and kinks else xs
        operands: list[int | float] = []
        for position, x in enumerate(xs):
            constant = name == "where" and position == 0
            operands.append(float(x) if constant else len(recipe.made))
            if not constant:
                recipe.made.append(float(x))
        results.append(len(recipe.made))
        recipe.made.append((name, settings, operands))
    total = results[0]
    for i in results[1:]:
        recipe.made.append(("add", {}, [total, i]))
        total = len(recipe.made) - 1
    return recipe


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
