"""Replay of graphs of Values: in Python, over columns of NumPy, or through numba."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.blocks import outside_of_blocks
from tinygrad_edu.graph import Node, leaves_and_inner
from tinygrad_edu.replay.arguments import Leaves, flat, shaped
from tinygrad_edu.replay.columns import Columns
from tinygrad_edu.replay.recording import Recording
from tinygrad_edu.replay.scalars import python_function
from tinygrad_edu.replay.simplify import simplified
from tinygrad_edu.replay.trace import Program, trace_graph
from tinygrad_edu.rules.rule import as_plain
from tinygrad_edu.symbols import Symbol
from tinygrad_edu.value import Value

BACKENDS = ("python", "numpy", "numba")

Again = Callable[[Sequence[Any]], Any]
"""Records the function once more, with these inputs, and gives its value and gradients."""


class ValueReplay:
    """The program of a graph of Values as a function, `run`, of numbers or of columns."""

    def __init__(
        self, recording: Recording, wrt: Leaves, backend: str | None, again: Again | None
    ) -> None:
        if backend is not None and backend not in BACKENDS:
            raise ValueError(f"replay: backend is {backend!r}; use one of {', '.join(BACKENDS)}")
        self.root, self.inputs, self.recording = recording.root, recording.inputs, recording
        self.wrt, self.backend, self.again = wrt, backend, again
        self.program = self._program(())
        symbols = dict(zip(flat(self.inputs), self.program.inputs, strict=True))
        self.arguments = shaped(self.inputs, symbols.__getitem__)
        self.results = shaped(wrt, lambda x: Symbol("result"))
        self.columns: dict[tuple[bool, ...], Any] = {}
        numbers = python_function(self.program, self.arguments, self.results, self._unusual)
        self.python = numbers
        self.run: Callable[..., Any] = numbers
        if backend == "numba":
            self.run = self._machine()
        elif backend == "numpy":
            self.run = functools.partial(self._unusual, None)

    def point(self, arguments: Sequence[Any]) -> list[Any]:
        """The first point of columns, or the one that was recorded; numbers as they are."""
        return self._grouped(self._first_point(self._checked(arguments)))

    def _first_point(self, given: Sequence[Any]) -> list[float]:
        recorded = flat(self.inputs)
        return [
            x if not np.shape(x) else x.flat[0].item() if np.size(x) else leaf.data
            for x, leaf in zip(given, recorded, strict=True)
        ]

    def is_recorded_with(self, point: Sequence[Any]) -> bool:
        """Whether these are the numbers with which the graph was recorded."""
        return flat(point) == [leaf.data for leaf in flat(self.inputs)]

    def _program(self, varying: Sequence[Node]) -> Program:
        comparisons = self.recording.comparisons
        inputs, wrt = flat(self.inputs), flat(self.wrt)
        return simplified(trace_graph(self.root, inputs, wrt, varying, comparisons), 1.0)

    def _machine(self) -> Callable[..., Any]:
        from tinygrad_edu.replay.machine import machine_function

        compiled = machine_function(self.program, self.arguments, self.results)
        others = list(self.program.others.values())
        lists = [i for i, x in enumerate(self.arguments) if isinstance(x, list)]

        def run(*arguments: Any) -> Any:
            try:
                if others or lists:
                    given: list[Any] = list(arguments)
                    for i in lists:
                        given[i] = np.array(as_plain(given[i], "replay"), float)
                        if given[i].shape != (len(self.arguments[i]),):
                            raise ValueError  # the machine would read what is not there
                    if others:
                        given.append(np.array([node.data for node in others]))
                    return compiled(*given)
                return compiled(*arguments)
            except (ArithmeticError, LookupError, TypeError, ValueError):
                return self.python(*arguments)  # columns, and errors with the operation named

        return run

    def _unusual(self, error: Exception | None, *arguments: Any) -> Any:
        """What is not the ordinary case: columns, numbers that are no floats, and errors."""
        given = self._checked(arguments)
        shapes = {np.shape(x) for x in given if np.shape(x)}
        if len(shapes) > 1:
            raise ValueError(
                f"replay: columns of shapes {', '.join(map(str, sorted(shapes)))} were given; "
                "all columns of a call must have one shape"
            )
        if shapes:
            return self._over_columns(given, shapes.pop())
        if error is not None:
            if self.again is not None:  # the function says what is wrong, or goes another way
                return self.again(self._grouped(given))
            self._explain(given)
            raise error
        return self.python(*self._grouped(given))

    def _checked(self, arguments: Sequence[Any]) -> list[Any]:
        """The arguments, one by one, as floats and as arrays of floats."""
        if len(arguments) != len(self.arguments):
            raise TypeError(
                f"replay: {len(self.arguments)} inputs were recorded, not {len(arguments)}"
            )
        given: list[Any] = []
        for argument, expected in zip(arguments, self.arguments, strict=True):
            if not isinstance(expected, list):
                given.append(_number_or_column(argument, expected.name))
                continue
            values = np.asarray(as_plain(argument, "replay"), float)
            if values.shape != (len(expected),):
                raise ValueError(
                    f"replay: a list of {len(expected)} inputs was recorded, and numbers of shape "
                    f"{values.shape} were given for it"
                )
            given += values.tolist()
        return given

    def _grouped(self, given: Sequence[Any]) -> list[Any]:
        numbers = iter(given)
        return shaped(self.inputs, lambda x: next(numbers))

    def _over_columns(self, given: Sequence[Any], shape: tuple[int, ...]) -> Any:
        varies = tuple(np.shape(x) == shape for x in given)
        if self.recording.comparisons:
            raise ValueError(
                "replay: the function compares nodes, so that each point may go its own way; write "
                "choices with maximum, minimum, relu, abs or clip, or call it point by point"
            )
        if varies not in self.columns:
            leaves = [x for x, v in zip(flat(self.inputs), varies, strict=True) if v]
            program = self._program(leaves)
            self.columns[varies] = (
                _MachineColumns(program) if self.backend == "numba" else Columns(program)
            )
        run = self.columns[varies]
        program = run.program
        numbers: dict[Symbol, Any] = {
            symbol: x.ravel() if v else x
            for symbol, x, v in zip(program.inputs, given, varies, strict=True)
        }
        numbers |= {symbol: node.data for symbol, node in program.others.items()}
        n = int(np.prod(shape))
        try:
            value, *gradients = run(numbers, n)
        except (ArithmeticError, ValueError):  # of a number that all points share
            self._explain(self._first_point(given))
            raise
        by_columns = {x for x, v in zip(flat(self.inputs), varies, strict=True) if v}
        if not isinstance(value, np.ndarray):  # the root depends on no column: each point has it
            gradients = [x * n for x in gradients]
        found = [
            _column(x, shape) if leaf in by_columns else x
            for leaf, x in zip(flat(self.wrt), gradients, strict=True)
        ]
        return _column(value, shape), _as_asked(self.wrt, found)

    def _explain(self, numbers: Sequence[float]) -> None:
        """Run the graph as it was recorded, so that an error names the operation."""
        leaves, inner = leaves_and_inner(self.root)
        nodes: dict[Any, Any] = {leaf: leaf.detach() for leaf in leaves}
        for leaf, x in zip(flat(self.inputs), numbers, strict=True):
            nodes[leaf] = Value(x, leaf.label)
        with outside_of_blocks():
            for node in inner:
                operands = [nodes[x] if isinstance(x, Node) else x for x in node.operands]
                nodes[node] = Value(0.0)._record(node.rule, tuple(operands), {})
                nodes[node].label = node.label
            nodes[self.root].backward()


class _MachineColumns:
    """Columns through numba."""

    def __init__(self, program: Program) -> None:
        from tinygrad_edu.replay.machine import machine_columns

        self.program = program
        self.run = machine_columns(program)
        self.columns = [x for x in program.inputs if x in program.varying]
        self.numbers = [x for x in (*program.inputs, *program.others) if x not in program.varying]

    def __call__(self, numbers: dict[Symbol, Any], n: int) -> list[Any]:
        table = np.array([numbers[x] for x in self.columns])
        shared = np.array([numbers[x] for x in self.numbers], float)
        columns, steady = self.run(table, shared, n)
        changing, others = iter(columns), iter(steady.tolist())
        varying = self.program.varying
        return [
            next(changing) if isinstance(x, Symbol) and x in varying else next(others)
            for x in (self.program.value, *self.program.gradients)
        ]


def _as_asked(wrt: Leaves, gradients: Sequence[Any]) -> tuple[Any, ...]:
    """Gradients in the order of `wrt`, with an array for each list."""
    given = iter(gradients)
    return tuple(
        np.array(x) if isinstance(x, list) else x for x in shaped(wrt, lambda x: next(given))
    )


def _column(x: Any, shape: tuple[int, ...]) -> Any:
    return x.reshape(shape) if isinstance(x, np.ndarray) else np.full(shape, x)


def _number_or_column(x: Any, name: str) -> Any:
    if isinstance(x, Node):
        raise TypeError(f"replay: {name} is a {type(x).__name__}; give plain numbers (.data)")
    x = as_plain(x, f"replay: {name}")
    if isinstance(x, np.ndarray) and x.ndim:
        return np.asarray(x, float)
    try:
        return float(x)
    except OverflowError as error:
        raise OverflowError(f"replay: {name} is larger than any float") from error
