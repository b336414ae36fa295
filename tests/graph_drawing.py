"""How a random graph is drawn: a program over the rules of the package, on numbers or on arrays.

While a graph is drawn its nodes are plain numbers or arrays. In a smooth graph each is also kept
as it is on a few neighbouring inputs, which tells how far it moves when the leaves do: no kink is
nearer than that. Arrays of other graphs are whole numbers, and only exact results meet a kink:
however such a graph is computed, it takes the same branches.
"""

import operator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import array_steps
import numpy as np
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_edu import Tensor, Value, gradients
from tinygrad_edu.rules import operations
from tinygrad_edu.testing import DOMAINS
from tinygrad_edu.testing.leaves import MARGIN, floats_between

OPERATORS = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul,
    "divide": operator.truediv, "power": operator.pow, "negative": operator.neg,
    "matmul": operator.matmul, "whole_power": operator.pow,
}  # fmt: skip
RULES_OF_TENSORS = [*DOMAINS, *array_steps.MAKERS]
NEIGHBOURS = 4
STEEPEST = 30.0
"""How many times as far as the leaves a node of a smooth graph may move."""
LARGEST = 1e6
"""Up to here whole numbers are exact in single precision too, halves and quarters included."""
WIDE = set(RULES_OF_TENSORS) - {"exp", "expm1", "sinh", "cosh", "power"}
"""Rules that arrays beyond their domain of -3 to 3 may go to, as far as 30."""


@dataclass(frozen=True)
class Place:
    """The leaf or result at this index; any other operand is a constant."""

    index: int


@dataclass(frozen=True)
class Step:
    """One call of a rule, on places and constants."""

    name: str
    operands: tuple[Any, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def places(self) -> list[int]:
        return [x.index for x in self.operands if type(x) is Place]

    def run(self, nodes: list[Any]) -> Any:
        operands = [nodes[x.index] if type(x) is Place else x for x in self.operands]
        function = OPERATORS.get(self.name) or getattr(operations, self.name)
        if self.name == "einsum":
            return function(self.settings["subscripts"], *operands)
        return function(*operands, **self.settings)


@dataclass(frozen=True, eq=False)
class Graph:
    """Inputs, and steps from them to the root, which is the last result. A graph is a function."""

    inputs: tuple[Any, ...]
    steps: tuple[Step, ...]

    def __call__(self, *leaves: Any) -> Any:
        return self.nodes(*leaves)[-1]

    def nodes(self, *leaves: Any, each: Any = None) -> list[Any]:
        """The leaves and all results; `each` gives what takes the place of a result."""
        nodes = list(leaves)
        for step in self.steps:
            result = step.run(nodes)
            nodes.append(each(result) if each else result)
        return nodes

    def new_leaves(self, *inputs: Any) -> tuple[Any, ...]:
        """Leaves that nothing was made from, of these inputs or of the graph's own."""
        kinds = [Tensor if isinstance(x, np.ndarray) else Value for x in self.inputs]
        return tuple(kind(x, f"x{i}") for i, (kind, x) in enumerate(
            zip(kinds, inputs or self.inputs, strict=True)))  # fmt: skip

    @cached_property
    def leaves(self) -> tuple[Any, ...]:
        return self.new_leaves()

    @cached_property
    def root(self) -> Any:
        return self(*self.leaves)

    def other_inputs(self, count: int, dtype: Any = np.float64) -> list[list[Any]]:
        """Other whole numbers on which no array of the graph is very large, its own included."""
        inputs = [[x.astype(dtype) for x in self.inputs]]
        for seed in range(3 * count):
            rng = np.random.default_rng(seed)
            xs = [rng.integers(-3, 4, x.shape).astype(dtype) for x in self.inputs]
            with np.errstate(all="ignore"):
                nodes = self.nodes(*map(Tensor, xs))
            if all(np.abs(node.data).max(initial=0.0) <= LARGEST for node in nodes):
                inputs.append(xs)
        return inputs[: count + 1]

    def of_slopes(self, *leaves: Any) -> Any:
        """The gradients of the graph, weighed to one number: a graph with second derivatives."""
        slopes = gradients(self(*leaves), *leaves)
        parts = [(g * x * weights(x)).sum() for g, x in zip(slopes, leaves, strict=True)]
        return operations.stack(parts).sum()


def weights(x: Any) -> Any:
    """Whole numbers from -1 to 3 in the shape of an array."""
    return (np.arange(x.size) % 5 - 1.0).reshape(x.shape).astype(x.dtype)


class Drawing:
    """Leaves and steps so far, of numbers if `dtype` is None; leaves come first only at the end."""

    def __init__(self, draw: Any, dtype: Any, smooth: bool, shapes: Any = None) -> None:
        self.draw, self.dtype, self.smooth, self.shapes = draw, dtype, smooth, shapes
        self.made: list[Any] = []  # an input for each leaf, a Step for each result
        self.data: list[Any] = []
        self.exact: list[bool] = []
        self.near: list[list[Any]] = []  # the same on neighbouring inputs

    def choose(self, *options: Any) -> Any:
        """One of these; shrinks to the first."""
        return self.draw(st.sampled_from(options))

    def numbers(self, shape: Any, interval: Any) -> Any:
        """New numbers: smooth ones, or whole ones in arrays, so that ties come up."""
        low, high = interval
        if self.smooth:
            elements: Any = floats_between(low, high, self.dtype or np.float64)
        elif self.dtype is None:
            elements = st.floats(low, high)
        else:
            elements = st.integers(int(np.ceil(low)), int(np.floor(high))).map(float)
        if self.dtype is None:
            return self.draw(elements)
        return self.draw(hnp.arrays(self.dtype, shape, elements=elements))

    def leaf(self, shape: Any, interval: Any = (-3.0, 3.0)) -> Place:
        x = self.numbers(shape, interval)
        rng = np.random.default_rng(len(self.made))
        moves = [MARGIN / 3 * rng.choice([-1.0, 1.0], np.shape(x)) for _ in range(NEIGHBOURS)]
        near = [float(x + m) if self.dtype is None else np.asarray(x + m, self.dtype)
                for m in (moves if self.smooth else [])]  # fmt: skip
        return self.keep(x, x, near, bool(np.all(x == np.round(x))))

    def operand(self, shape: Any, interval: Any, fits: Any, node: bool = False) -> Any:
        """A new leaf, a constant (unless it has to be a node) or one of the nodes that fit."""
        kind, back = self.choose("leaf", "constant", "earlier", "earlier"), self.choose(*range(5))
        fitting = self.places(lambda x: fits(np.shape(x)) and within(x, interval))
        if kind == "earlier" and fitting:
            return fitting[min(back, len(fitting) - 1)]
        low, high = interval
        narrow = (-3.0, 3.0) if high > 4 else (low, high)
        return self.numbers(shape, narrow) if kind == "constant" and not node else self.leaf(
            shape, narrow)  # fmt: skip

    def other(self, shape: Any, interval: Any = (-3.0, 3.0)) -> Any:
        """An operand of exactly this shape."""
        return self.operand(shape, interval, lambda other: other == shape)

    def places(self, fits: Any) -> list[Place]:
        """The nodes that fit, the latest first."""
        return [Place(i) for i in reversed(range(len(self.data))) if fits(self.data[i])]

    def axis(self, x: Any) -> int:
        return int(self.choose(*range(x.ndim), *range(-x.ndim, 0)))

    def is_exact(self, x: Any) -> bool:
        return self.exact[x.index] if type(x) is Place else True

    def spread(self, x: Any) -> float:
        """How far an operand moves while the leaves move by a third of MARGIN."""
        return spread(self.data[x.index], self.near[x.index]) if type(x) is Place else 0.0

    def add_step(self, step: Step, exact: bool) -> Place | None:
        """A new result; None if it would be infinite, too large or, in smooth graphs, steep."""
        with np.errstate(all="ignore"):
            result = self.run(step, self.data)
            if not np.all(np.isfinite(result)) or np.max(np.abs(result), initial=0.0) > LARGEST:
                return None
            if np.size(result) > 200 or np.ndim(result) > 4:
                return None
            near = [self.run(step, [x[k] if x else None for x in self.near])
                    for k in range(NEIGHBOURS * self.smooth)]  # fmt: skip
        if spread(result, near) > STEEPEST * MARGIN:
            return None
        return self.keep(step, result, near, exact and all(self.exact[i] for i in step.places))

    def run(self, step: Step, nodes: list[Any]) -> Any:
        result = step.run(nodes)
        return result if self.dtype is None else np.asarray(result)

    def keep(self, made: Any, data: Any, near: list[Any], exact: bool) -> Place:
        for kept, x in zip((self.made, self.data, self.near, self.exact),
                           (made, data, near, exact), strict=True):  # fmt: skip
            kept.append(x)
        return Place(len(self.made) - 1)

    def avoids_kinks(self, domain: Any, operands: list[Any], settings: Any) -> bool:
        """Whether no kink is met: by any operand of a smooth graph, by an inexact array of other
        graphs. Numbers may meet any."""
        if not (domain.kinks or domain.ties):
            return True
        if not self.smooth:
            return self.dtype is None or all(map(self.is_exact, operands))
        xs = [self.data[x.index] if type(x) is Place else x for x in operands]
        slack = [3 * self.spread(x) for x in operands]
        if domain.ties and np.any(np.abs(xs[0] - xs[1]) <= sum(slack)):
            return False
        kinks = domain.kinks_at(settings)
        return not any(np.any(np.abs(xs[-1] - kink) <= slack[-1]) for kink in kinks)

    def elementwise(self, name: str) -> Step | None:
        """A call of an elementwise rule, on operands in its domain that broadcast."""
        domain, operands = DOMAINS[name], []
        settings = {key: self.draw(s) for key, s in domain.settings.items()}
        settings = {key: x for key, x in settings.items() if x is not None}
        if self.dtype is not None and not self.smooth and domain.exact:
            settings = {key: float(round(x)) for key, x in settings.items()}
        shape: tuple[int, ...] = ()
        if self.dtype is not None:
            shape = self.draw(self.shapes)
            if self.data and self.choose(False, True, True):
                shape = np.shape(self.data[-1 - self.choose(*range(min(5, len(self.data))))])
        for i, interval in enumerate(domain.intervals):
            if interval is None:
                operands.append(self.draw(hnp.arrays(np.bool_, shape)) if shape else
                                self.draw(st.booleans()))  # fmt: skip
                continue
            if self.dtype is not None and interval == (-3.0, 3.0) and name in WIDE:
                interval = (-30.0, 30.0)
            own = shape if not operands else self.choose(
                shape, shape[1:], tuple(1 if k else n for k, n in enumerate(shape)))  # fmt: skip
            last = i == len(domain.intervals) - 1 and not any(type(x) is Place for x in operands)
            operands.append(self.operand(own, interval, broadcasts_with(shape), node=last))
            x = operands[-1]
            shape = np.broadcast_shapes(
                shape, np.shape(self.data[x.index] if type(x) is Place else x))  # fmt: skip
        if not self.stays_inside(domain, operands):
            return None
        if not self.avoids_kinks(domain, operands, settings):
            return None
        return Step(name, tuple(operands), settings)

    def stays_inside(self, domain: Any, operands: list[Any]) -> bool:
        """Whether results stay in the domain while the leaves move; a leaf may lie at its end."""
        for x, interval in zip(operands, domain.intervals, strict=True):
            beyond = 3 * self.spread(x)
            if interval and type(x) is Place and beyond > 3 * MARGIN and interval != (-3.0, 3.0):
                data = self.data[x.index]
                if not within(data - beyond, interval) or not within(data + beyond, interval):
                    return False
        return True

    def of_arrays(self, name: str) -> Step | None:
        """A call of a rule over arrays, if it fits the first operand."""
        earlier = self.data and self.choose(False, True, True)
        places = self.places(lambda x: True)[:6]
        first = self.choose(*places) if earlier else self.leaf(self.draw(self.shapes))
        x = self.data[first.index]
        made = array_steps.MAKERS[name](self, x, first) if within(x, (-30.0, 30.0)) else None
        return made and Step(name, (first, *made[0]), made[1])

    def one_more(self, name: str) -> None:
        """Add one rule with the leaves that it needs, or nothing if it does not fit."""
        before = len(self.made)
        over_arrays = name in array_steps.MAKERS
        step = self.of_arrays(name) if over_arrays else self.elementwise(name)
        exact = name in array_steps.EXACT if over_arrays else DOMAINS[name].exact
        if step is None or self.add_step(step, exact) is None:
            for kept in (self.made, self.data, self.near, self.exact):
                del kept[before:]

    def end(self, i: int) -> Place:
        """An end as one number: an array is summed, its elements weighed or not."""
        x, place = self.data[i], Place(i)
        if self.dtype is None or not (x.ndim or self.draw(st.booleans())):
            return place
        if x.ndim and self.draw(st.booleans()):
            step = Step("multiply", (place, weights(x)))
            place = self.add_step(step, True) or reject()
        return self.add_step(Step("sum", (place,)), True) or reject()

    def graph(self, most: int, names: list[str]) -> Graph:
        """Draw steps, add up what no step uses, and leave out what does not lead to the root.

        To leave an end out is the simpler choice: a failing graph loses what has no part in it.
        """
        tries = 0
        while tries < most and (not tries or self.draw(GO_ON)):
            self.one_more(self.choose(*names))
            tries += 1
        keeps = [self.draw(st.integers(0, 4)) > 0 for _ in range(tries)]
        used = {i for made in self.made if type(made) is Step for i in made.places}
        ends = [i for i, x in enumerate(self.made) if type(x) is Step and i not in used]
        ends = [i for i, keep in zip(ends, keeps, strict=False) if keep] or ends[-1:]
        total: Any = None
        for i in ends:
            end = self.end(i)
            total = end if total is None else self.add_step(Step("add", (total, end)), True)
            if total is None:
                reject()
        if total is None:
            reject()  # no rule found a place where it is smooth, or finite
        return self.pruned(total)

    def pruned(self, root: Place) -> Graph:
        wanted = {root.index}
        for i in reversed(range(root.index + 1)):
            if i in wanted and type(self.made[i]) is Step:
                wanted.update(self.made[i].places)
        leaves = [i for i in sorted(wanted) if type(self.made[i]) is not Step]
        results = [i for i in sorted(wanted) if type(self.made[i]) is Step]
        place = {old: Place(new) for new, old in enumerate([*leaves, *results])}
        steps = []
        for step in (self.made[i] for i in results):
            operands = tuple(place[x.index] if type(x) is Place else x for x in step.operands)
            steps.append(Step(step.name, operands, step.settings))
        return Graph(tuple(self.made[i] for i in leaves), tuple(steps))


GO_ON = st.integers(0, 9).map(bool)
"""Nine times in ten; shrinks to no."""


def within(x: Any, interval: Any) -> bool:
    """Whether all elements lie in the interval."""
    return not np.size(x) or bool(interval[0] <= np.min(x) and np.max(x) <= interval[1])


def broadcasts_with(shape: Any) -> Any:
    def broadcasts(other: Any) -> bool:
        pairs = zip(reversed(shape), reversed(other), strict=False)
        return all(n == k or 1 in (n, k) for n, k in pairs)

    return broadcasts


def spread(data: Any, near: list[Any]) -> float:
    if not near or not np.size(data):
        return 0.0
    farthest = max(float(np.max(np.abs(x - data))) for x in near)
    return np.inf if np.isnan(farthest) else farthest
