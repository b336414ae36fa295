"""Graphs to put on pages, and Python's own account of what is known after each step."""

import random
from dataclasses import dataclass, field

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from tinygrad_edu import Node, Tensor, Value, nn, topological_order
from tinygrad_edu.scalar_nn import MLP

FUNCTIONS = ("tanh", "sigmoid", "sin", "cos", "relu", "abs", "softplus", "arctan", "exp")
MODEST = 4.0
"""Beyond this size a random expression is not squared, divided by or exponentiated further."""


few_examples = settings(
    max_examples=max(5, settings().max_examples // 50),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # no shrinking: each example is a page
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""For tests that open a page for every example, or use one page for all."""


def named(node, label):
    """The node, with a label."""
    node.label = label
    return node


def with_labels(root):
    """The root of a graph in which every node has a label."""
    for i, node in enumerate(topological_order(root)):
        node.label = node.label or f"n{i}"
    return root


def neuron(x=0.5, w=1.5):
    """y = tanh(w x + x) x: its input is used three times."""
    x, w = Value(x, "x"), Value(w, "w")
    wx = named(w * x, "wx")
    s = named(wx + x, "s")
    return named(named(s.tanh(), "t") * x, "y")


@st.composite
def expressions(draw, operations=8):
    """A random graph of labelled Values in which no number grows large."""
    size = st.floats(-2, 2).map(lambda x: round(x, 3)).filter(lambda x: abs(x) > 0.05)
    nodes = [Value(draw(size), f"x{i}") for i in range(draw(st.integers(1, 3)))]
    leaves = len(nodes)
    for i in range(draw(st.integers(1, operations))):
        recent = st.sampled_from(nodes[-4:] + nodes[:leaves])
        a, b = draw(recent), draw(st.one_of(recent, size))
        b_size = abs(b.data if isinstance(b, Value) else b)
        kind = draw(st.sampled_from(("+", "-", "×", "÷", "**", "function")))
        if kind == "+":
            made = a + b
        elif kind == "-":
            made = b - a
        elif kind == "×" and abs(a.data) < MODEST and b_size < MODEST:
            made = a * b
        elif kind == "÷" and b_size > 0.2 and abs(a.data) < MODEST:
            made = a / b
        elif kind == "**" and abs(a.data) < MODEST:
            made = a ** draw(st.sampled_from((2, 3)))
        else:
            name = draw(st.sampled_from(FUNCTIONS[: None if abs(a.data) < MODEST else 4]))
            made = getattr(a, name)()
        nodes.append(named(made, f"n{i}"))
    return nodes[-1]


@dataclass
class Known:
    """What Python's own passes know after a step, by label, and what the step did."""

    values: dict[str, float] = field(default_factory=dict)
    gradients: dict[str, float] = field(default_factory=dict)
    kind: str = "ready"
    node: Node | None = None
    sent: list[tuple[str, float, float, float]] = field(default_factory=list)
    """(label, arriving, local derivative, product) of each `+=` of a backward step."""


def trace(root):
    """Ready; one operation forward at a time; the seed; one operation backward at a time; done."""
    order = topological_order(root)
    operations = [node for node in order if node.operands]
    values = {node.label: node.data for node in order if not node.operands}
    gradients = {}
    steps = [Known(dict(values))]
    for node in operations:
        values[node.label] = node.data
        steps.append(Known(dict(values), {}, "forward", node))
    gradients[root.label] = 1.0
    steps.append(Known(dict(values), dict(gradients), "seed", root))
    for node in reversed(operations):
        arriving = gradients[node.label]
        factors, adjoints = node.pullback(1.0), node.pullback(arriving)
        sent = []
        for operand, factor, adjoint in zip(node.operands, factors, adjoints, strict=True):
            if isinstance(operand, Node):
                factor, adjoint = 0.0 + factor, 0.0 + adjoint  # a deferred one becomes a number
                gradients[operand.label] = gradients.get(operand.label, 0.0) + adjoint
                sent.append((operand.label, arriving, factor, adjoint))
        steps.append(Known(dict(values), dict(gradients), "backward", node, sent))
    steps.append(Known(dict(values), dict(gradients), "done"))
    return steps


def network(*widths, label="score"):
    """A network of Values with this many neurons in its layers, at two inputs."""
    model = MLP(2, list(widths), rng=random.Random(1))
    return named(model([Value(1.0, "x1"), Value(-2.0, "x2")]), label)


def tensors(name="x"):
    """A small loss of Tensors, of which one has this name."""
    rng = np.random.default_rng(0)
    h = (Tensor(rng.normal(size=(2, 3)), name) @ Tensor(rng.normal(size=(3, 4)), "W1")).relu()
    scores = h @ Tensor(rng.normal(size=(4, 3)), "W2")
    return named(nn.cross_entropy(scores, np.array([0, 2])), "loss")


def wide_network():
    """A loss too large to be opened as scalars: the page shows what Python recorded."""
    x, y = np.ones((20, 64)), np.arange(20) % 10
    return named(nn.cross_entropy(nn.MLP(64, [30, 10], rng=0)(x), y), "loss")
