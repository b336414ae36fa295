"""Graph: a function of nodes with inputs for it, whose repr is the code that makes it again."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_edu.engine.graph import Node, topological_order
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.engine.value import Value
from tinygrad_edu.rules import name_of, operations, settings_of
from tinygrad_edu.rules.constants import as_plain
from tinygrad_edu.testing.domains import Function
from tinygrad_edu.testing.steps import Place, Step
from tinygrad_edu.testing.writing import written, written_constant

Array = npt.NDArray[Any]

OPERATORS: dict[str, Function] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul,
    "divide": operator.truediv, "power": operator.pow, "negative": operator.neg,
    "matmul": operator.matmul,
}  # fmt: skip


def function_of(name: str) -> Function:
    """What a person writes for the rule of this name: an operator, or its public function."""
    found: Function = OPERATORS.get(name) or getattr(operations, name)
    return found


@dataclass(frozen=True)
class Program:
    """A function of `arity` leaves as steps, each of leaves and of results before it; the last
    result is the root."""

    arity: int
    steps: tuple[Step, ...]

    def __call__(self, *leaves: Any) -> Any:
        return self.nodes(*leaves)[-1]

    def nodes(self, *leaves: Any, each: Callable[[Any], Any] | None = None) -> list[Any]:
        """The leaves and all results, in order; `each` gets every result and gives what takes its
        place."""
        nodes = list(leaves)
        for step in self.steps:
            result = step.run(nodes)
            nodes.append(result if each is None else each(result))
        return nodes

    def __repr__(self) -> str:
        return written(self.arity, self.steps)

    @classmethod
    def recorded(cls, root: Node, leaves: tuple[Node, ...]) -> Program:
        """What a recorded graph computes from these leaves; other leaves are constants in it."""
        places = {leaf: Place(i) for i, leaf in enumerate(leaves)}
        steps: list[Step] = []
        for node in topological_order(root):
            if node.rule is None:
                continue
            name, settings = name_of(node.rule), settings_of(node.rule)
            operands = [places.get(x, x.data) if isinstance(x, Node) else x for x in node.operands]
            if name == "einsum":
                operands.insert(0, settings.pop("subscripts"))
            if name == "where" and isinstance(operands[0], float):
                operands[0] = bool(operands[0])  # a Value keeps every constant as a float
            places[node] = Place(len(leaves) + len(steps))
            steps.append(Step(function_of(name), tuple(operands), settings))
        if root.rule is None:
            steps.append(Step(operator.pos, (places[root],)))
        return cls(len(leaves), tuple(steps))


class Graph:
    """A function of nodes, with inputs: numbers for Values, arrays for Tensors.

    `graph.root` is the recorded result, `graph.leaves` what it was made from, labelled x0, x1 ...
    The graph itself is the function, so that it can be handed to whatever takes one:
    `gradcheck(graph, *graph.leaves)`, `jacobian(graph)`, `graph(*other_leaves)`. Its repr is the
    code that makes it again, for which `import numpy as np`, `import tinygrad_edu as tg` and your
    own functions are needed. TypeError for inputs that are not real numbers.
    """

    def __init__(self, function: Callable[..., Any], *inputs: Any) -> None:
        if not callable(function):
            raise TypeError(f"Graph: expected a function of nodes first, got {function!r}")
        self.function = function
        self.inputs: tuple[float | Array, ...] = tuple(_input(x) for x in inputs)

    def new_leaves(self, *inputs: Any) -> tuple[Value | Tensor, ...]:
        """Leaves that nothing has been made from: of these inputs, or of the graph's own."""
        kinds = (Tensor if isinstance(x, np.ndarray) else Value for x in self.inputs)
        given = self._of_right_number(inputs) if inputs else self.inputs
        return tuple(kind(x, f"x{i}") for i, (kind, x) in enumerate(zip(kinds, given, strict=True)))

    @cached_property
    def leaves(self) -> tuple[Value | Tensor, ...]:
        """The leaves that `root` was made from, labelled x0, x1 ..."""
        return self.new_leaves()

    @cached_property
    def root(self) -> Any:
        """What the function gives for the leaves."""
        return self(*self.leaves)

    def __call__(self, *leaves: Any) -> Any:
        return self.function(*self._of_right_number(leaves))

    def _of_right_number(self, given: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(given) != len(self.inputs):
            raise TypeError(f"this graph has {len(self.inputs)} leaves, not {len(given)}: {self!r}")
        return given

    @cached_property
    def _program(self) -> Program:
        if isinstance(self.function, Program):
            return self.function
        root = self.root
        if not isinstance(root, Node):
            raise TypeError(f"Graph: the function gave {root!r}, which is not a node")
        return Program.recorded(root, self.leaves)

    def __repr__(self) -> str:
        try:
            text = repr(self._program)
        except Exception:  # the function raises on these inputs, and a repr must not
            text = getattr(self.function, "__name__", repr(self.function))
        return f"Graph({', '.join([text, *map(written_constant, self.inputs)])})"


def _input(x: Any) -> float | Array:
    if isinstance(x, Node):
        x = x.data
    plain = as_plain(x, "Graph")
    if not isinstance(plain, np.ndarray):
        return float(plain)
    floating = plain.dtype.kind == "f"
    return np.array(plain, dtype=plain.dtype if floating else np.float64)
