"""A graph while it is drawn: its leaves and steps so far, and where smooth steps may go.

Nodes are plain numbers or arrays here. If the graph is to be smooth, each is also kept as it is on
a few neighbouring inputs, which says how far it moves when the leaves move by MARGIN: a kink that
is three times as far away is not met by a gradient check.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from tinygrad_edu.testing.domains import DOMAINS, Domain, Function, domain_of
from tinygrad_edu.testing.graph import Graph, Program, function_of
from tinygrad_edu.testing.leaves import MARGIN
from tinygrad_edu.testing.steps import Place, Step

Array = npt.NDArray[Any]
Rules = Collection[str | Function] | Mapping[Any, Domain | None]

NEIGHBOURS = 4
STEEPEST = 30.0
"""How many times as far as the leaves a node of a smooth graph may move."""
LARGEST = 1e6
"""Up to here whole numbers are exact in single precision too, halves and quarters included."""


class Drawn:
    """Leaves and steps, with the data of all nodes; leaves come before results only at the end."""

    def __init__(self, smooth: bool) -> None:
        self.smooth = smooth
        self.made: list[Any] = []  # an input for each leaf, a Step for each result
        self.data: list[Any] = []
        self.exact: list[bool] = []
        self.neighbours: list[list[Any]] = []

    def add_leaf(self, x: Any) -> Place:
        """A new leaf with this number or array."""
        rng = np.random.default_rng(len(self.made))
        moves = [MARGIN / 3 * rng.choice([-1.0, 1.0], np.shape(x)) for _ in range(NEIGHBOURS)]
        near = [self._like(x, x + move) for move in moves] if self.smooth else []
        return self._keep(x, x, near, bool(np.all(x == np.round(x))))

    def add_step(self, step: Step, exact: bool) -> Place | None:
        """A new result, or None if it would be infinite, nan, very large or, if the graph is to be
        smooth, very steep."""
        with np.errstate(all="ignore"):
            result = self._run(step, self.data)
            if not np.all(np.isfinite(result)) or np.max(np.abs(result), initial=0.0) > LARGEST:
                return None
            near = []
            for k in range(NEIGHBOURS if self.smooth else 0):
                near.append(self._run(step, [n[k] if n else None for n in self.neighbours]))
        if _spread(result, near) > STEEPEST * MARGIN:
            return None
        return self._keep(step, result, near, exact and all(self.exact[i] for i in step.places))

    def _run(self, step: Step, nodes: list[Any]) -> Any:
        result = step.run(nodes)
        return result if type(result) is float else np.asarray(result)

    def _keep(self, made: Any, data: Any, near: list[Any], exact: bool) -> Place:
        self.made.append(made)
        self.data.append(data)
        self.neighbours.append(near)
        self.exact.append(exact)
        return Place(len(self.made) - 1)

    @staticmethod
    def _like(x: Any, y: Any) -> Any:
        return float(y) if type(x) is float else np.asarray(y, x.dtype)

    def drop(self, n: int) -> None:
        """Forget everything but the first n nodes."""
        for kept in (self.made, self.data, self.neighbours, self.exact):
            del kept[n:]

    def fits(self, domain: Domain, operands: Iterable[Any], settings: Mapping[str, Any]) -> bool:
        """Whether a function may be tried on these operands, its kinks avoided if so asked."""
        values, slack = [], []
        for x, interval in zip(operands, domain.intervals, strict=True):
            data = self.data[x.index] if type(x) is Place else x
            spread = 3 * self.spread(x)
            values.append(data)
            slack.append(spread)
            if interval is None or not np.size(data):
                continue
            beyond = spread if spread > 3 * MARGIN else 0.0  # a leaf may lie at the very end
            if np.min(data) - beyond < interval[0] or np.max(data) + beyond > interval[1]:
                return False
        if domain.kinks or domain.ties:
            if not (self.smooth or all(self.exact_operand(x) for x in operands)):
                return self._numbers_only()
            if self.smooth:
                for kink in domain.kinks_at(settings):
                    if np.any(np.abs(values[-1] - kink) <= slack[-1]):
                        return False
                if domain.ties and np.any(np.abs(values[0] - values[1]) <= sum(slack)):
                    return False
        return True

    def _numbers_only(self) -> bool:
        """Where arrays are whole, kinks wait for exact operands; graphs of Values take any."""
        return all(type(x) is float for x in self.data)

    def exact_operand(self, x: Any) -> bool:
        return self.exact[x.index] if type(x) is Place else True

    def spread(self, x: Any) -> float:
        """How far an operand moves while the leaves move by a third of MARGIN."""
        if type(x) is not Place or not self.smooth:
            return 0.0
        return _spread(self.data[x.index], self.neighbours[x.index])

    def unused(self) -> list[int]:
        """The nodes that no step uses, which are to lead to the root."""
        used = {i for made in self.made if type(made) is Step for i in made.places}
        return [i for i in range(len(self.made)) if i not in used]

    def graph(self, root: Place) -> Graph:
        """What leads to the root: leaves first, then results in order."""
        wanted = {root.index}
        for i in reversed(range(root.index + 1)):
            if i in wanted and type(self.made[i]) is Step:
                wanted.update(self.made[i].places)
        leaves = [i for i in sorted(wanted) if type(self.made[i]) is not Step]
        results = [i for i in sorted(wanted) if type(self.made[i]) is Step]
        place = {old: Place(new) for new, old in enumerate([*leaves, *results])}
        steps = []
        for i in results:
            step = self.made[i]
            operands = [place[x.index] if type(x) is Place else x for x in step.operands]
            steps.append(Step(step.function, tuple(operands), step.settings))
        return Graph(Program(len(leaves), tuple(steps)), *[self.made[i] for i in leaves])


def _spread(data: Any, near: list[Any]) -> float:
    if not near or not np.size(data):
        return 0.0
    found = max(float(np.max(np.abs(x - data))) for x in near)
    return found if found == found else np.inf


def functions_of(rules: Rules | None, known: Mapping[str, Any]) -> dict[Any, Domain | None]:
    """Rules by name and functions with their domains; None is for rules over arrays.

    ValueError for an unknown name, TypeError for what is not a function.
    """
    if rules is None:
        return {name: DOMAINS.get(name) for name in known}
    if isinstance(rules, str) or not isinstance(rules, Collection):
        raise TypeError(f"give a list of rules, such as ['sin', 'multiply'], not {rules!r}")
    found: dict[Any, Domain | None] = {}
    for x in rules:
        name = x if isinstance(x, str) else _known_name(x, known)
        domain = rules[x] if isinstance(rules, Mapping) else None
        if domain is not None and not isinstance(domain, Domain):
            raise TypeError(f"{_shown(x)}: its domain is a Domain, not {domain!r}")
        if name is None:
            found[x] = domain or domain_of(_callable(x))
        elif name in known:
            found[name] = domain or DOMAINS.get(name)
        else:
            raise ValueError(f"no rule {name!r} to draw; there are {', '.join(known)}")
    if not found:
        raise ValueError("the list of rules is empty")
    return found


def _known_name(function: Any, known: Mapping[str, Any]) -> str | None:
    """The name of a function that is the package's own, such as tg.sin."""
    names = [name for name in known if function_of(name) is function]
    return names[0] if names else None


def _callable(x: Any) -> Function:
    if not callable(x):
        raise TypeError(f"{x!r} is neither the name of a rule nor a function")
    found: Function = x
    return found


def _shown(x: Any) -> str:
    return x if isinstance(x, str) else str(getattr(x, "__name__", repr(x)))


def draw_choice(rules: dict[Any, Domain | None], also: dict[Any, Domain | None]) -> Any:
    """A strategy for one of them; what is in `also` comes up as often as all others together."""
    alone = st.sampled_from(list(also.items())) if also else st.nothing()
    return alone | st.sampled_from(list(rules.items())) if rules else alone


@st.composite
def ends_of(draw: st.DrawFn, drawn: Drawn, tries: int) -> list[int]:
    """Which of the results that nothing uses lead to the root.

    Four of five; but to leave one out is the simpler choice, so that a failing graph loses whatever
    has no part in it. There are as many choices as tries, however many ends there are.
    """
    kept = [draw(st.integers(0, 4)) > 0 for _ in range(tries)]
    ends = [i for i in drawn.unused() if type(drawn.made[i]) is Step]
    return [i for i, keep in zip(ends, kept, strict=False) if keep] or ends[-1:]


@st.composite
def settings_from(draw: st.DrawFn, domain: Domain) -> dict[str, Any]:
    """Settings of a function; a setting that is None is left out."""
    drawn = {name: draw(strategy) for name, strategy in domain.settings.items()}
    return {name: x for name, x in drawn.items() if x is not None}


def step_of(function: Any, operands: Iterable[Any], settings: Mapping[str, Any]) -> Step:
    """A call of a rule by name, or of a function, whose `partial` settings are written out."""
    settings = dict(settings)
    if isinstance(function, functools.partial) and not function.args:
        settings = {**function.keywords, **settings}
        function = function.func
    called = function_of(function) if isinstance(function, str) else function
    return Step(called, tuple(operands), settings)
