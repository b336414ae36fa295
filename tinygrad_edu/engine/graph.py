"""The graph: nodes that remember how they were made, and the backward pass over them.

Nothing here names an operation. A node that was recorded holds its operands, the rule that made
it and the pullback that the rule returned; differentiation only ever calls those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

from tinygrad_edu.engine.contexts import Group, rules_run
from tinygrad_edu.engine.errors import PULLBACK_ERRORS, backward_error, check_label, described
from tinygrad_edu.rules import operations, symbol_of
from tinygrad_edu.rules.own_rules import check_adjoints
from tinygrad_edu.rules.rule import Pullback, Rule, deferred

new_node = object.__new__


class Node:
    """A number or an array that knows how it was made.

    `operands` are in the order of the operation; a plain number or array among them is a constant.
    A leaf has no operands, no rule and no pullback. Nodes hash by identity. They take no attributes
    of yours, since a dictionary for each would make scalar graphs 1.7 times as slow: keep what
    belongs to them in one dict, as in `velocity = {p: 0.0 for p in parameters}`.
    """

    __slots__ = ("_compared", "_data", "_group", "_label", "operands", "pullback", "rule")

    data: Any
    grad: Any
    _data: Any  # the engine's own way to `data` and `grad`, without their checks
    _grad: Any  # a slot of Value and Tensor
    _label: str
    operands: tuple[Any, ...]
    rule: Rule | None
    pullback: Pullback | None
    _compared: bool  # set only in nodes that were compared, see `observers.note_comparison`
    _group: Group  # set only in nodes made inside a group, so that others need not pay for it

    def __init__(self, data: Any, label: str = "") -> None:
        raise TypeError("Node is what Value and Tensor share; make one of those")

    @property
    def label(self) -> str:
        """The name that pictures and messages use; TypeError unless it is a string."""
        return self._label

    @label.setter
    def label(self, label: str) -> None:
        self._label = check_label(label)

    @property
    def parents(self) -> tuple[Node, ...]:
        """The operands that are nodes, in operand order."""
        return tuple(x for x in self.operands if isinstance(x, Node))

    @property
    def symbol(self) -> str:
        """The symbol of the rule that made this node, such as ×; empty for a leaf."""
        return "" if self.rule is None else symbol_of(self.rule)

    @property
    def group(self) -> Group | None:
        """The innermost `with group(...)` block that this node was made in, or None."""
        return getattr(self, "_group", None)

    def backward(self, gradient: Any = None) -> None:
        """Add d(self)/d(leaf) to the `grad` of every leaf; set the `grad` of inner nodes afresh.

        `gradient` is the seed, the adjoint of this node: 1 unless given. If a pullback raises,
        no leaf has changed.
        """
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Forget the gradient of this node."""
        raise NotImplementedError

    def detach(self) -> Self:
        """A new leaf with the same data, cut off from the graph."""
        return type(self)(self.data, self.label)

    def _record(self, rule: Rule, operands: tuple[Any, ...], settings: dict[str, Any]) -> Node:
        """Run the rule on the operands' data and return the node that remembers it."""
        raise NotImplementedError

    def _seed(self, gradient: Any) -> Any:
        """Check a seed for this node and give it as data."""
        raise NotImplementedError

    def _fit(self, adjoint: Any) -> Any:
        """Bring an adjoint that arrives over an edge to this node's own shape."""
        return adjoint

    def _zero(self) -> Any:
        """A gradient of 0 for this node, as data."""
        raise NotImplementedError

    def _has(self, data: Any) -> bool:
        """Whether the data of this node are these; a nan is equal to a nan."""
        raise NotImplementedError

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The functions that fit a node, under NumPy's names (the array API's protocol)."""
        return operations


def topological_order(root: Node) -> list[Node]:
    """Every node that `root` depends on and `root` itself, once each, operands first.

    The leaves come first, then the recorded nodes in the order of a forward pass. It follows the
    operands, so it is the same on every run.
    """
    if not isinstance(root, Node):
        raise TypeError(f"topological_order: expected a node, got {type(root).__name__}")
    leaves, inner = leaves_and_inner(root)
    return leaves + inner


def leaves_and_inner(root: Node) -> tuple[list[Any], list[Any]]:
    """The two parts of the topological order: leaves, and recorded nodes.

    Depth first, but without recursion, so that a chain of a million nodes is no harder than one
    of two. All nodes of a graph are of one type, which tells them from constants.
    """
    kind = type(root)
    if not root.operands:
        return [root], []
    leaves: list[Node] = []
    inner: list[Node] = []
    seen = {root}
    waiting: list[tuple[Node, Iterator[Any]]] = []  # nodes with the operands not yet looked at
    node, operands = root, iter(root.operands)
    while True:
        for operand in operands:
            if type(operand) is kind and operand not in seen:
                seen.add(operand)
                if operand.operands:  # look at its own operands first, then come back
                    waiting.append((node, operands))
                    node, operands = operand, iter(operand.operands)
                    break
                leaves.append(operand)
        else:
            inner.append(node)
            if not waiting:
                return leaves, inner
            node, operands = waiting.pop()


def sweep(
    root: Node, seed: Any, pullback_of: Callable[[Node], Pullback], wanted: set[Node] | None = None
) -> dict[Node, Any]:
    """The reverse sweep: the adjoint of every node, the root first.

    `wanted`, if given, limits it to these nodes. Nothing is written to any node.
    """
    adjoints = {root: seed}
    for node in reversed(leaves_and_inner(root)[1]):
        if node not in adjoints:
            continue
        try:
            arriving = check_adjoints(pullback_of(node)(adjoints[node]), len(node.operands))
            for operand, adjoint in zip(node.operands, arriving, strict=True):
                if not isinstance(operand, Node) or not (wanted is None or operand in wanted):
                    continue
                if type(adjoint) is deferred:
                    adjoint = adjoint()
                adjoint = operand._fit(adjoint)
                if operand in adjoints:
                    adjoint = adjoints[operand] + adjoint
                adjoints[operand] = adjoint
        except PULLBACK_ERRORS as error:
            raise backward_error(node, error) from error
    return adjoints


def gradients(root: Node, *wrt: Node, gradient: Any = None) -> tuple[Node, ...]:
    """The derivatives of `root` by each of `wrt`, as nodes that can be differentiated again.

    Every rule on the way is run once more, on nodes instead of data, so that its pullback builds a
    graph. No `grad` is touched. A node that `root` does not depend on gets a gradient of 0.
    Raises TypeError for anything but nodes, and as `backward` for a wrong `gradient`.
    """
    for x in (root, *wrt):
        if not isinstance(x, Node):
            raise TypeError(
                f"gradients: expected nodes, got {type(x).__name__} {described(x)}; give them one "
                "by one, as in gradients(y, x1, x2)"
            )
    if isinstance(gradient, Node):
        root._seed(gradient.data)  # checks the shape
        seed = gradient
    else:
        seed = root._seed(gradient)
    wanted = set(wrt)
    for node in topological_order(root):
        if any(parent in wanted for parent in node.parents):
            wanted.add(node)

    def record_pullback(node: Node) -> Pullback:
        assert node.rule is not None
        again, pullback = node.rule(*node.operands)
        check_unchanged(node, again)
        return pullback

    with rules_run() as run:
        adjoints = sweep(root, seed, record_pullback, wanted)
    found = (adjoints.get(x, None) for x in wrt)
    nodes = tuple(
        g if isinstance(g, Node) else type(x)(x._zero() if g is None else g)
        for x, g in zip(wrt, found, strict=True)
    )
    if run.has_compared:  # such as the sign of an operand in the derivative of its absolute value
        for node in nodes:
            node._compared = True
    return nodes


def check_unchanged(node: Node, again: Any, where: str = "") -> None:
    """ValueError unless a rule that was run again gave the data that its node has.

    Where it did, the graph is what a forward pass with the present leaves would make.
    """
    if not node._has(getattr(again, "_data", again)):
        raise ValueError(
            f"{where}its operands no longer give this result, because one of them has new data "
            "since the forward pass; run the forward pass again first"
        )
