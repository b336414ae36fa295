"""Blocks that people write: `no_grad`, `group`; and those of the package."""

from __future__ import annotations

from typing import Any

from tinygrad_edu.engine.observers import Block, Observer, innermost, outside_of


class NoGrad(Observer):
    """One entry of a `no_grad` block."""

    def made(self, node: Any) -> None:
        """Make a leaf of a node that was recorded."""
        if node.operands:
            node.pullback = _gives_nothing  # so that it is known from a leaf of the user's
        node.operands = ()
        node.rule = None


def _gives_nothing(g: Any) -> tuple[Any, ...]:
    """The pullback of a result that was not recorded: it has no operands."""
    return ()


class no_grad(Block):
    """`with no_grad():` operations of this thread give leaves: nothing is recorded.

    Inside, `p -= lr * p.grad` on a leaf changes its data, as in torch. In asyncio it holds for the
    task that entered it, and for those started inside.
    """

    kind = NoGrad


def in_no_grad() -> bool:
    """Whether this thread is inside a `no_grad` block."""
    return innermost(NoGrad) is not None


class Group(Observer):
    """What one entry of a `with group(...)` block made; `outer` is the group around it, or None."""

    __slots__ = ("name", "outer")

    def __init__(self, name: str, outer: Group | None = None) -> None:
        self.name = name
        self.outer = outer

    def __repr__(self) -> str:
        return f"Group(name={self.name!r})"

    def made(self, node: Any) -> None:
        """Keep the group in the node, if it has no inner one yet."""
        if not hasattr(node, "_group"):
            node._group = self

    def chain(self) -> tuple[Group, ...]:
        """This group and all around it, the outermost first."""
        found = [self]
        while found[-1].outer is not None:
            found.append(found[-1].outer)
        return tuple(reversed(found))


class group(Block):
    """`with group("layer1"):` pictures show the nodes made inside as a module that folds.

    Leaves made inside belong to it too. Blocks nest, also as a decorator: each call of a function
    decorated with `@group("neuron")` is a group of its own. TypeError unless the name is a string.
    """

    kind = Group

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f'group: expected a name, as in group("layer1"), got {name!r}')
        self.name = name

    def __repr__(self) -> str:
        return f"group({self.name!r})"

    def _observer(self) -> Group:
        return Group(self.name, innermost(Group))


def outside_of_blocks() -> outside_of:
    """Inside, this thread is in no block: operations are recorded, and in no group."""
    return outside_of(NoGrad, Group)


class Watch(Observer):
    """What a `watched` block saw: the nodes that were made, and every comparison of nodes, as the
    name of the comparison, its operands and what came out."""

    def __init__(self) -> None:
        self.nodes: set[Any] = set()
        self.comparisons: list[tuple[str, tuple[Any, Any], Any]] = []

    def made(self, node: Any) -> None:
        """Note a node, unless a watch inside this one does."""
        if innermost(Watch) is self:
            self.nodes.add(node)

    def compared(self, name: str, x: Any, y: Any, result: Any) -> bool:
        """Note a comparison, unless a watch inside this one does."""
        if innermost(Watch) is self:
            self.comparisons.append((name, (x, y), result))
        return False


class watched(Block):
    """Inside, nodes and comparisons of this thread are noted in the Watch that the block gives."""

    kind = Watch


class RulesRun(Observer):
    """What is compared while rules are run on nodes decides about the results of the rules only."""

    def __init__(self) -> None:
        self.has_compared = False

    def compared(self, name: str, x: Any, y: Any, result: Any) -> bool:
        """Note that something was compared, and have no node marked."""
        self.has_compared = True
        return True


class rules_run(Block):
    """Inside, rules are run on nodes: what they compare marks no node."""

    kind = RulesRun


def in_rules() -> bool:
    """Whether this thread is running rules on nodes."""
    return innermost(RulesRun) is not None
