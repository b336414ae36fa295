"""What an oracle is, and Foreign, the operand with which our rules run in another library.

A function that is written with our operators, methods and functions gets Foreign operands instead
of nodes. Each of its rules is looked up by name in the library's table, so that the forward pass
and the derivative are the library's own; of our rules nothing is run but their names. A rule that a
user declared has no row in the table: its forward pass is run on Foreign operands, down to rules
that have one, and so is that of our own where a library has nothing of the kind.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from tinygrad_edu.engine.array_methods import ArrayMethods
from tinygrad_edu.engine.contexts import rules_run
from tinygrad_edu.engine.conversions import warn_if_gradient_is_lost
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.rules import operations
from tinygrad_edu.rules.constants import as_plain
from tinygrad_edu.rules.operand_types import Array
from tinygrad_edu.rules.own_rules import is_ours
from tinygrad_edu.rules.rule import Rule, facts_of, name_of, settings_of
from tinygrad_edu.rules.tables import arrays, formula_of, scalars


class Found(NamedTuple):
    """The value of a function in another library, and its gradient by each input; no gradients if
    the value has another shape than was expected."""

    value: Array
    gradients: list[Array] | None


ARITHMETIC = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul,
    "divide": operator.truediv, "negative": operator.neg, "power": operator.pow,
}  # fmt: skip


class Oracle:
    """A library that differentiates. `functions` has what it calls rules, where that is more than
    a name; the others are found by their names in `modules`."""

    name = ""
    modules: tuple[str, ...] = ()
    only_numbers = False
    """Whether it takes numbers alone, and no arrays."""

    def __init__(self, functions: dict[str, Callable[..., Any]]) -> None:
        self.functions = {**ARITHMETIC, **functions}

    def own_function(self, rule: Rule) -> Any:
        """The library's own function for a rule, or None. The name of a rule that a user declared
        says nothing, unless its facts do: `oracles={"torch": "erf"}`."""
        name, facts = name_of(rule), facts_of(rule)
        if name in self.functions or (facts.arrays and self.only_numbers):
            return self.functions.get(name)
        names = [facts.oracles.get(self.name, ""), *([name, facts.math] if is_ours(rule) else ())]
        for module, theirs in itertools.product(self.modules, filter(None, names)):
            try:
                return operator.attrgetter(theirs)(import_module(module))
            except (AttributeError, ImportError):
                continue
        return None

    def differentiate(
        self, f: Callable[..., Any], inputs: Sequence[Array], adjoint: Array
    ) -> Found:
        """Value and gradients, in float64, of a function that is written for this library. The
        value is weighed with the adjoint, of its shape."""
        raise NotImplementedError

    def run(
        self, function: Callable[..., Any], operands: Sequence[Any], settings: dict[str, Any]
    ) -> Any:
        """What the library's own function for a rule gives."""
        return function(*operands, **settings)

    def constant(self, x: Any) -> Any:
        """A plain number or array as the library has it."""
        raise NotImplementedError

    def plain(self, x: Any) -> Array:
        """The numbers of what the library has, also in the middle of differentiating."""
        raise NotImplementedError

    def differentiate_nodes(
        self,
        f: Callable[..., Any],
        inputs: Sequence[Array],
        scalars: Sequence[bool],
        adjoint: Array,
    ) -> Found:
        """Value and gradients of a function that is written for our nodes. `scalars` says which
        inputs are single numbers, as a Value is."""
        return self.differentiate(self._of_nodes(f, scalars), inputs, adjoint)

    def _of_nodes(self, f: Callable[..., Any], scalars: Sequence[bool]) -> Callable[..., Any]:
        """A function of nodes as one of what the library has."""

        def function(*inputs: Any) -> Any:
            given = [Foreign(self, x, one) for x, one in zip(inputs, scalars, strict=True)]
            y = f(*given)
            if isinstance(y, Foreign):
                return y._theirs
            return self.constant(as_plain(y.data if isinstance(y, Node) else y, "compare"))

        return function


class Foreign(ArrayMethods):
    """What another library has in the place of a node, with the operators and methods of one.

    `data` gives plain numbers, without a derivative, as of a node.
    """

    __slots__ = ("_oracle", "_scalar", "_theirs", "label")

    def __init__(self, oracle: Oracle, theirs: Any, scalar: bool) -> None:
        self._oracle, self._theirs, self._scalar = oracle, theirs, scalar
        self.label = ""

    @property
    def data(self) -> Any:
        plain = self._oracle.plain(self._theirs)
        return plain.item() if self._scalar else plain

    def _record(self, rule: Rule, operands: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        settings = {**settings_of(rule), **settings}
        rule = getattr(rule, "func", rule)
        oracle, name = self._oracle, name_of(rule)
        try:
            function = oracle.own_function(rule)
            if function is None:
                return self._run_down(rule, name, operands, settings)
            theirs = [
                x._theirs if isinstance(x, Foreign) else oracle.constant(as_plain(x, name))
                for x in operands
            ]
            return Foreign(oracle, oracle.run(function, theirs, settings), self._scalar)
        except Exception as error:
            if not hasattr(error, "__notes__"):
                error.add_note(f"({name}, run by {oracle.name})")
            raise

    def _run_down(
        self, rule: Rule, name: str, operands: tuple[Any, ...], settings: dict[str, Any]
    ) -> Any:
        """The forward pass of a rule, if the library knows what it is made of."""
        library = self._oracle.name
        formula = formula_of(name)
        known = set() if formula else vars(scalars).keys() | vars(arrays).keys()
        if name in known or (facts_of(rule).arrays and self._oracle.only_numbers):
            raise NotImplementedError(
                f"compare: {library} has nothing for the rule {name}"
                + (", because it takes numbers and no arrays" if self._oracle.only_numbers else "")
                + "; compare with another library, or give the function for it as theirs=..."
            )
        with rules_run():
            return formula(*operands, **settings) if formula else rule(*operands, **settings)[0]

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return operations

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(np.shape(self.data))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.size(self.data))

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float64)

    def item(self) -> float:
        """The only element as a float."""
        return float(np.asarray(self.data).item())

    def detach(self) -> Foreign:
        """The same numbers, cut off from what they were made from."""
        return Foreign(self._oracle, self._oracle.constant(self.data), self._scalar)

    def __float__(self) -> float:
        warn_if_gradient_is_lost(self)
        return self.item()

    def __bool__(self) -> bool:
        raise TypeError("a node has no truth value; compare it (x > 0) or use x.data")

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"<{self.data!r} in {self._oracle.name}>"
