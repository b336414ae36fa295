"""Replay of graphs of Values: in Python; for columns and numba see `columns` and `machine_code`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_edu.engine.contexts import outside_of_blocks
from tinygrad_edu.engine.graph import Node, leaves_and_inner
from tinygrad_edu.engine.value import Value
from tinygrad_edu.programs.simplify import simplified
from tinygrad_edu.programs.symbols import Symbol
from tinygrad_edu.programs.trace import Program, trace_graph
from tinygrad_edu.replay.input_lists import Leaves, flattened, shaped
from tinygrad_edu.replay.number_functions import python_function
from tinygrad_edu.replay.recording import Recording
from tinygrad_edu.replay.staleness import Counted, Origin
from tinygrad_edu.rules.constants import as_plain

BACKENDS = ("python", "numpy", "numba")


class ValueReplay:
    """The program of a graph of Values as a function, `run`, of numbers or of columns."""

    def __init__(
        self, recording: Recording, wrt: Leaves, backend: str | None, origin: Origin | None
    ) -> None:
        if backend is not None and backend not in BACKENDS:
            raise ValueError(f"replay: backend is {backend!r}; use one of {', '.join(BACKENDS)}")
        self.root, self.inputs, self.recording = recording.root, recording.inputs, recording
        self.wrt, self.backend, self.origin = wrt, backend, origin
        self.again = origin.again if origin else None
        self.counted = Counted(origin)
        self.program = self.program_of(())
        symbols = dict(zip(flattened(self.inputs), self.program.inputs, strict=True))
        self.arguments = shaped(self.inputs, symbols.__getitem__)
        self.results = shaped(wrt, lambda x: Symbol("result"))
        self.columns: dict[tuple[bool, ...], Any] = {}
        numbers = python_function(self.program, self.arguments, self.results, self.unusual, origin)
        self.python = numbers
        self.run: Callable[..., Any] = numbers
        if backend == "numba":
            from tinygrad_edu.replay.machine_code import machine_run

            self.run = machine_run(self)
        elif backend == "numpy":
            self.run = functools.partial(self.unusual, None)

    def point(self, arguments: Sequence[Any]) -> list[Any]:
        """The first point of columns, or the one that was recorded; numbers as they are."""
        return [
            x if isinstance(x, float | list)
            else float(x.flat[0]) if x.size
            else leaf.data
            for x, leaf in zip(self._checked(arguments), self.inputs, strict=True)
        ]  # fmt: skip

    def at_one_point(self, arguments: Sequence[Any], results: Any) -> tuple[Sequence[Any], Any]:
        """The first point, and what the replay gave for it: over columns, of this point alone."""
        point, given = self.point(arguments), self._checked(arguments)
        columns = self._which_are_columns(given)
        if not any(columns):
            return point, results
        import numpy as np

        one = [
            np.array([number]) if is_column else number
            for number, is_column in zip(point, columns, strict=True)
        ]
        return point, self._over_columns(one, columns)

    def is_recorded_with(self, point: Sequence[Any]) -> bool:
        """Whether these are the numbers with which the graph was recorded."""
        return flattened(point) == [leaf.data for leaf in flattened(self.inputs)]

    def program_of(self, varying: Sequence[Node]) -> Program:
        comparisons = self.recording.comparisons
        inputs, wrt = flattened(self.inputs), flattened(self.wrt)
        return simplified(trace_graph(self.root, inputs, wrt, varying, comparisons), 1.0)

    def unusual(self, error: Exception | None, *arguments: Any) -> Any:
        """What is not the ordinary case: columns, numbers that are not floats, and errors."""
        given = self._checked(arguments)
        columns = self._which_are_columns(given)
        if any(columns):
            return self.counted.after(self._over_columns(given, columns), arguments)
        if error is not None:
            if self.again is not None:  # the function says what is wrong, or goes another way
                return self.again(given)
            self._explain(given)
            raise error
        return self.python(*given)

    def _which_are_columns(self, given: Sequence[Any]) -> tuple[bool, ...]:
        return tuple([not isinstance(x, float | list) for x in given])

    def _checked(self, arguments: Sequence[Any]) -> list[Any]:
        """The arguments as floats, as columns, and as lists of floats."""
        if len(arguments) != len(self.arguments):
            raise TypeError(
                f"replay: {len(self.arguments)} inputs were recorded, not {len(arguments)}"
            )
        return [
            _list_of_numbers(x, len(expected))
            if isinstance(expected, list)
            else _number_or_column(x, expected.name)
            for x, expected in zip(arguments, self.arguments, strict=True)
        ]

    def _over_columns(self, given: Sequence[Any], columns: tuple[bool, ...]) -> Any:
        if self.recording.comparisons:
            raise ValueError(
                "replay: the function compares nodes, so that each point may go its own way; write "
                "choices with maximum, minimum, relu, abs or clip, or call it point by point"
            )
        shapes = {x.shape for x, is_column in zip(given, columns, strict=True) if is_column}
        if len(shapes) > 1:
            raise ValueError(
                f"replay: columns of shapes {', '.join(map(str, sorted(shapes)))} were given; "
                "all columns of a call must have one shape"
            )
        if columns not in self.columns:
            from tinygrad_edu.replay.columns import ByColumns

            self.columns[columns] = ByColumns(self, columns)
        try:
            return self.columns[columns](given, shapes.pop())
        except (ArithmeticError, ValueError):  # of a number that all points share
            self._explain(self.point(given))
            raise

    def _explain(self, given: Sequence[Any]) -> None:
        """Run the graph as it was recorded, so that an error names the operation."""
        leaves, inner = leaves_and_inner(self.root)
        nodes: dict[Any, Any] = {leaf: leaf.detach() for leaf in leaves}
        for leaf, x in zip(flattened(self.inputs), flattened(given), strict=True):
            nodes[leaf] = Value(x, leaf.label)
        with outside_of_blocks():
            for node in inner:
                operands = [nodes[x] if isinstance(x, Node) else x for x in node.operands]
                nodes[node] = Value(0.0)._record(node.rule, tuple(operands), {})
                nodes[node].label = node.label
            nodes[self.root].backward()


def _number_or_column(x: Any, name: str) -> Any:
    if isinstance(x, Node):
        raise TypeError(f"replay: {name} is a {type(x).__name__}; give plain numbers (.data)")
    x = as_plain(x, f"replay: {name}")
    if getattr(x, "ndim", 0):
        return x.astype(float, copy=False)
    try:
        return float(x)
    except OverflowError as error:
        raise OverflowError(f"replay: {name} is larger than any float") from error


def _list_of_numbers(x: Any, n: int) -> list[float]:
    plain = isinstance(x, list | tuple) and {float, int, bool}.issuperset(map(type, x))
    numbers = x if plain else as_plain(x, "replay")
    shape = (len(x),) if plain else getattr(numbers, "shape", ())
    if shape != (n,):
        raise ValueError(
            f"replay: a list of {n} inputs was recorded, and numbers of shape {shape} were given "
            "for it"
        )
    return list(map(float, numbers))
