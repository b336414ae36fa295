"""Gradients of intermediates, computed by hand, beside those of the recorded graph."""

from __future__ import annotations

import difflib
import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tinygrad_edu.check.case import RESULT, Case, Tolerance
from tinygrad_edu.check.exact import errors_of, row_beside_exact
from tinygrad_edu.check.kinds import (
    Plain,
    floating,
    function_of_graph,
    largest,
    leaf,
    plain,
    precision,
    quietly,
)
from tinygrad_edu.check.report import Report, Row, a_check, concluded
from tinygrad_edu.engine.graph import Node, sweep, topological_order
from tinygrad_edu.rules.own_rules import check_adjoints
from tinygrad_edu.rules.rule import Pullback, deferred
from tinygrad_edu.view.cards.reading import shape_of

RELATIVE = {"float64": 1e-9, "float32": 1e-4}
EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23}
BELOW = 1e-2, 2.0**-10
"""What is tolerated of a gradient, and the rounding of one number, by dtype; below float32."""


@a_check
def check_by_hand(root: Node, /, *, raises: bool = True, **gradients: Any) -> Report:
    """Compare gradients that you computed by hand with those of the graph, from the root back.

    `gradients` are numbers, arrays or tensors of other libraries by the label of their node, of its
    shape: `check_by_hand(loss, logits=dlogits, h=dh)`. `root` is a node with one element. The graph
    knows its gradients exactly, so no differences are taken. A gradient is wrong if it is not what
    the ones nearer to the root lead to. One that is follows from them: it will be right when they
    are.

    Returns a Report, whose rows begin at the root. Raises GradientError, with the report as its
    text, if a gradient is wrong, unless `raises` is False; ValueError for a label that no node, or
    more than one, has. No `grad` is touched.
    """
    if not isinstance(root, Node):
        raise TypeError(
            f"check_by_hand: expected a node first, got a {type(root).__name__}; the gradients "
            "follow, as in check_by_hand(loss, logits=dlogits)"
        )
    order = topological_order(root)[::-1]
    by_node = _by_node(order, gradients)
    with quietly():
        graph = _HandGradients(root, order, by_node)
        rows = [graph.row(x) for x in order if x in by_node]
    report = Report(
        f"check_by_hand of {root.label or 'the root'}", rows, compared=("by hand", "graph"),
        agreement="all gradients agree with those of the graph",
    )  # fmt: skip
    return concluded(report, raises)


def _by_node(order: list[Node], gradients: dict[str, Any]) -> dict[Node, Plain]:
    """The gradients by the node with their label."""
    if not gradients:
        raise ValueError(
            "check_by_hand: give at least one gradient by the label of its node, as in "
            "check_by_hand(loss, logits=dlogits)"
        )
    labels: dict[str, list[Node]] = {}
    for x in order:
        labels.setdefault(x.label, []).append(x)
    found = {}
    for label, gradient in gradients.items():
        nodes = labels.get(label, [])
        if not nodes:
            near = difflib.get_close_matches(label, filter(None, labels), 1, 0.5)
            cure = f"did you mean {near[0]!r}?" if near else f"set it: x.label = {label!r}"
            raise ValueError(f"check_by_hand: no node of the graph has the label {label!r}; {cure}")
        if len(nodes) > 1:
            raise ValueError(
                f"check_by_hand: {len(nodes)} nodes of the graph have the label {label!r}; give "
                "them different labels"
            )
        found[nodes[0]] = plain(gradient, f"check_by_hand: {label}")
    return found


class _HandGradients:
    """The gradients by hand, and two of the graph: the right ones, and those that the ones by hand
    lead to, if each is sent on in the place of the right one."""

    def __init__(self, root: Node, order: list[Node], by_hand: dict[Node, Plain]) -> None:
        self.root, self.order, self.by_hand = root, order, by_hand
        self.dtype = precision(*(x.data for x in by_hand), *by_hand.values())
        self.consumers: dict[Node, list[Node]] = {x: [] for x in order}
        for x in order:
            for parent in dict.fromkeys(x.parents):
                self.consumers[parent].append(x)
        seed = root._seed(None)
        self.right = sweep(root, seed, _pullback)
        self.expected = sweep(root, seed, self._pullback_by_hand)
        rng, epsilon = random.Random(0), EPSILON.get(self.dtype, BELOW[1])
        self._shaken = sweep(root, seed, lambda x: _shaken_pullback(x, rng, epsilon))
        self._sources: dict[Node, list[str]] = {}  # the wrong gradients that reach a node

    def _pullback_by_hand(self, node: Node) -> Pullback:
        return lambda g: _pullback(node)(self._sent(node, g))

    def _sent(self, node: Node, g: Any) -> Any:
        """The gradient by hand in the place of g, if it has its shape."""
        by_hand = self.by_hand.get(node)
        if by_hand is None or shape_of(by_hand) != shape_of(node.data):
            return g
        return by_hand.astype(g.dtype) if hasattr(by_hand, "dtype") else node._fit(g * 0 + by_hand)

    def row(self, node: Node) -> Row:
        """The verdict on one gradient; those nearer to the root were asked for before."""
        by_hand, right, expected = self.by_hand[node], self.right[node], self.expected[node]
        sources = self._reaching(node)
        case = self._case(node, right)
        row = row_beside_exact(replace(case, counts={}, others={}, adjoint=None))
        if row.verdict == "ok":
            self._sources[node] = []
            return self._with_rounding(row, self._noise(node) / (largest(right) or math.inf))
        if sources and shape_of(by_hand) == case.shape:
            gap = errors_of(floating(by_hand), floating(expected), self._slack(node, expected))
            if largest(gap) <= 1:
                self._sources[node] = sources
                said = f"it follows from {' and '.join(sources)}, and is right when that is"
                return replace(row, verdict="follows", note=said, kind="")
        self._sources[node] = [node.label]
        row = row_beside_exact(self._case(node, expected))
        path = self._path_left_out(node)
        if path:
            row = replace(row, note=path, kind="path left out")
        unsent = [x.label for x in self.by_hand if x.label in sources and self._unsent(x)]
        if unsent:
            row = replace(row, note=f"{row.note}; it may follow from {', '.join(unsent)}")
        return row

    def _with_rounding(self, row: Row, part: float) -> Row:
        """What to say of a gradient of which rounding may be so large a part."""
        if part >= 1 and row.analytic:
            return replace(row, note="it is 0, up to rounding")
        if 0.1 < part < 1:
            said = f"rounding may be {part:.0%} of it, so a mistake would not show; use float64"
            return replace(row, verdict="unsure", note=said)
        return row

    def _reaching(self, node: Node) -> list[str]:
        """The labels of the wrong gradients that reach a node through the graph."""
        waiting, labels = list(self.consumers[node]), []
        seen = set(waiting)
        while waiting:
            x = waiting.pop()
            if x in self._sources:
                labels += self._sources[x]
                continue
            new = [c for c in self.consumers[x] if c not in seen]
            seen.update(new)
            waiting += new
        return list(dict.fromkeys(labels))

    def _unsent(self, node: Node) -> bool:
        return shape_of(self.by_hand[node]) != shape_of(node.data)

    def _slack(self, node: Node, expected: Plain) -> Plain:
        """What rounding may do: what it does if every gradient on the way is off by one unit."""
        relative = RELATIVE.get(self.dtype, BELOW[0])
        sizes = abs(floating(expected)) + 0.1 * largest(expected)
        return relative * sizes + self._noise(node)

    def _noise(self, node: Node) -> float:
        return 64 * largest(floating(self._shaken[node]) - floating(self.right[node]))

    def _case(self, node: Node, expected: Plain) -> Case:
        """The case of a gradient that should be `expected`; its adjoint is that of the only node
        that uses it."""
        users, adjoint, others = self.consumers[node], None, {}
        if len(users) == 1:
            (user,) = users
            others = {RESULT: floating(user.data)}
            for x in user.operands:
                if x is not node:
                    name = getattr(x, "label", "") or "the other operand"
                    others[name] = floating(plain(x, name))
            if shape_of(user.data):
                adjoint = floating(self._sent(user, self.expected[user]))
        run = function_of_graph(self.root, [node]) if node is not self.root else None

        def result(x: Plain) -> float:
            return float(run(leaf(x, node.label)).data) if run else float(x)

        data = floating(node.data)
        counts = {"the length of the batch": len(data)} if shape_of(data) else {}
        return Case(
            node.label, data, floating(self.by_hand[node]), result, Tolerance(0, 0), self.dtype,
            adjoint=adjoint, counts=counts, others=others, numeric=floating(expected),
            slack=self._slack(node, expected),
        )  # fmt: skip

    def _path_left_out(self, node: Node) -> str:
        """Which of the nodes that use this one was forgotten, if all the others are right."""
        by_hand, users = self.by_hand[node], self.consumers[node]
        if len(users) < 2 or shape_of(by_hand) != shape_of(node.data):
            return ""
        expected = self.expected[node]
        for user in users:
            rest = floating(expected) - floating(self._contribution(node, user))
            if largest(errors_of(floating(by_hand), rest, self._slack(node, expected))) <= 1:
                name = user.label or f"{user.symbol}"
                return (
                    f"the path through {name} is left out: {node.label} is used {len(users)} "
                    "times, and its gradient is the sum over all of them; add it with +="
                )
        return ""

    def _contribution(self, node: Node, user: Node) -> Any:
        """What one node that uses it sends to a node."""
        adjoints = check_adjoints(
            _pullback(user)(self._sent(user, self.expected[user])), len(user.operands)
        )
        total: Any = node._zero()
        for x, adjoint in zip(user.operands, adjoints, strict=True):
            if x is node:
                total = total + node._fit(adjoint() if type(adjoint) is deferred else adjoint)
        return total


def _pullback(node: Node) -> Pullback:
    assert node.pullback is not None
    return node.pullback


def _shaken_pullback(node: Node, rng: random.Random, epsilon: float) -> Callable[[Any], Any]:
    """A pullback that gets every element of its adjoint off by one unit of rounding."""

    def pull(g: Any) -> Any:
        if not shape_of(g):
            return _pullback(node)(g * (1 + epsilon * rng.choice((-1, 1))))
        import numpy as np

        signs = np.random.default_rng(rng.getrandbits(32)).choice((-1.0, 1.0), shape_of(g))
        return _pullback(node)(np.asarray(g * (1 + epsilon * signs), g.dtype))

    return pull
