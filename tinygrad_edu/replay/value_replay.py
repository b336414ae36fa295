"""Replay of graphs of Values: in Python, over columns of NumPy, or through numba."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from textwrap import indent
from typing import Any

import numpy as np

from tinygrad_edu.engine.contexts import outside_of_blocks
from tinygrad_edu.engine.graph import Node, leaves_and_inner
from tinygrad_edu.engine.value import Value
from tinygrad_edu.programs.simplify import simplified
from tinygrad_edu.programs.symbols import Symbol
from tinygrad_edu.programs.trace import Program, trace_graph
from tinygrad_edu.replay.arguments import Leaves, flat, shaped
from tinygrad_edu.replay.columns import Columns
from tinygrad_edu.replay.number_functions import python_function
from tinygrad_edu.replay.recording import Recording
from tinygrad_edu.replay.staleness import Counted, Origin, counting
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
        self.program = self._program(())
        symbols = dict(zip(flat(self.inputs), self.program.inputs, strict=True))
        self.arguments = shaped(self.inputs, symbols.__getitem__)
        self.results = shaped(wrt, lambda x: Symbol("result"))
        self.columns: dict[tuple[bool, ...], Any] = {}
        numbers = python_function(self.program, self.arguments, self.results, self._unusual, origin)
        self.python = numbers
        self.run: Callable[..., Any] = numbers
        if backend == "numba":
            self.run = self._machine()
        elif backend == "numpy":
            self.run = functools.partial(self._unusual, None)

    def point(self, arguments: Sequence[Any]) -> list[Any]:
        """The first point of columns, or the one that was recorded; numbers as they are."""
        return [
            x if isinstance(x, float)
            else x.tolist() if isinstance(leaf, list | tuple)
            else _first(x, leaf.data)
            for x, leaf in zip(self._checked(arguments), self.inputs, strict=True)
        ]  # fmt: skip

    def at_one_point(self, arguments: Sequence[Any], found: Any) -> tuple[Sequence[Any], Any]:
        """The first point, and what was found for it: over columns, of this point alone."""
        point, given = self.point(arguments), self._checked(arguments)
        columns = self._which_are_columns(given)
        if not any(columns):
            return point, found
        one = [
            np.array([number]) if is_column else x
            for x, number, is_column in zip(given, point, columns, strict=True)
        ]
        return point, self._over_columns(one, columns)

    def is_recorded_with(self, point: Sequence[Any]) -> bool:
        """Whether these are the numbers with which the graph was recorded."""
        given = [y for x in point for y in ([x] if isinstance(x, float) else x)]
        return given == [leaf.data for leaf in flat(self.inputs)]

    def _program(self, varying: Sequence[Node]) -> Program:
        comparisons = self.recording.comparisons
        inputs, wrt = flat(self.inputs), flat(self.wrt)
        return simplified(trace_graph(self.root, inputs, wrt, varying, comparisons), 1.0)

    def _machine(self) -> Callable[..., Any]:
        """Machine code for floats; anything else, and errors, as in Python."""
        from tinygrad_edu.replay.machine_code import machine_function

        compiled = machine_function(self.program, self.arguments, self.results)
        others = list(self.program.others.values())
        singles = [i for i, x in enumerate(self.arguments) if not isinstance(x, list)]
        if others or len(singles) < len(self.arguments):
            compiled = self._with_arrays(compiled, others)
        parameters = ", ".join(f"x{i}" for i in range(len(self.arguments)))
        floats = " and ".join(f"type(x{i}) is float" for i in singles) or "True"
        # numba takes a millisecond to say that an argument is of another type
        namespace: dict[str, Any] = {
            "compiled": compiled, "in_python": self.python, "unusual": self._unusual,
        }  # fmt: skip
        counted = "\n".join(counting(self.origin, parameters, namespace))
        code = f"""
def run({parameters}):
    if {floats}:
        try:
            _found = compiled({parameters})
        except (ArithmeticError, LookupError, TypeError, ValueError):
            return in_python({parameters})
{indent(counted, 8 * " ")}
    return unusual(None, {parameters})
"""
        exec(compile(code, "<replay>", "exec"), namespace)
        return namespace["run"]  # type: ignore[no-any-return]

    def _with_arrays(self, compiled: Callable[..., Any], others: list[Any]) -> Callable[..., Any]:
        """Compiled code, with arrays for lists of numbers and for leaves that are no inputs."""

        def run(*arguments: Any) -> Any:
            given = list(arguments)
            for i, expected in enumerate(self.arguments):
                if isinstance(expected, list):
                    given[i] = np.array(as_plain(given[i], "replay"), float)
                    if given[i].shape != (len(expected),):
                        raise ValueError  # the machine would read what is not there
            if others:
                given.append(np.array([node.data for node in others]))
            return compiled(*given)

        return run

    def _unusual(self, error: Exception | None, *arguments: Any) -> Any:
        """What is not the ordinary case: columns, numbers that are no floats, and errors."""
        given = self._checked(arguments)
        columns = self._which_are_columns(given)
        if any(columns):
            return self.counted.after(self._over_columns(given, columns), arguments)
        if error is not None:
            if self.again is not None:  # the function says what is wrong, or goes another way
                return self.again([x if isinstance(x, float) else x.tolist() for x in given])
            self._explain(given)
            raise error
        return self.python(*given)

    def _which_are_columns(self, given: Sequence[Any]) -> tuple[bool, ...]:
        return tuple(
            not isinstance(x, float) and not isinstance(expected, list)
            for x, expected in zip(given, self.arguments, strict=True)
        )

    def _checked(self, arguments: Sequence[Any]) -> list[Any]:
        """The arguments as floats, as columns, and as arrays of the numbers of lists."""
        if len(arguments) != len(self.arguments):
            raise TypeError(
                f"replay: {len(self.arguments)} inputs were recorded, not {len(arguments)}"
            )
        given: list[Any] = []
        for argument, expected in zip(arguments, self.arguments, strict=True):
            if not isinstance(expected, list):
                given.append(_number_or_column(argument, expected.name))
                continue
            given.append(np.asarray(as_plain(argument, "replay"), float))
            if given[-1].shape != (len(expected),):
                raise ValueError(
                    f"replay: a list of {len(expected)} inputs was recorded, and numbers of shape "
                    f"{given[-1].shape} were given for it"
                )
        return given

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
            self.columns[columns] = _ByColumns(self, columns)
        try:
            return self.columns[columns](given, shapes.pop())
        except (ArithmeticError, ValueError):  # of a number that all points share
            self._explain(self.point(given))
            raise

    def _explain(self, given: Sequence[Any]) -> None:
        """Run the graph as it was recorded, so that an error names the operation."""
        leaves, inner = leaves_and_inner(self.root)
        nodes: dict[Any, Any] = {leaf: leaf.detach() for leaf in leaves}
        values = [y for x in given for y in ([x] if isinstance(x, float) else x)]
        for leaf, x in zip(flat(self.inputs), values, strict=True):
            nodes[leaf] = Value(x, leaf.label)
        with outside_of_blocks():
            for node in inner:
                operands = [nodes[x] if isinstance(x, Node) else x for x in node.operands]
                nodes[node] = Value(0.0)._record(node.rule, tuple(operands), {})
                nodes[node].label = node.label
            nodes[self.root].backward()


class _ByColumns:
    """Calls a program of which some arguments are columns, and sorts what comes out."""

    def __init__(self, replay: ValueReplay, columns: tuple[bool, ...]) -> None:
        leaves = [x for x, is_column in zip(replay.inputs, columns, strict=True) if is_column]
        program = replay._program(leaves)
        self.columns = columns
        self.others = list(program.others.values())
        if replay.backend == "numba":
            from tinygrad_edu.replay.machine_code import machine_columns

            self.run: Callable[..., Any] = machine_columns(program)
        else:
            self.run = Columns(program)
        # where the value and each gradient are: the position among columns, or among numbers
        places: list[tuple[bool, int]] = []
        for x in (program.value, *program.gradients):
            varies = isinstance(x, Symbol) and x in program.varying
            places.append((varies, sum(1 for v, _ in places if v == varies)))
        self.value, *gradients = places
        rest = iter(gradients)
        self.wrt: list[Any] = [
            np.array([next(rest)[1] for _ in x], int)
            if isinstance(x, list | tuple)
            else (x in leaves, *next(rest))
            for x in replay.wrt
        ]

    def __call__(self, given: Sequence[Any], shape: tuple[int, ...]) -> Any:
        n = math.prod(shape)
        columns, shared = [], []
        for x, is_column in zip(given, self.columns, strict=True):
            if is_column:
                columns.append(x.ravel())
            else:
                shared.append([x] if isinstance(x, float) else x)
        if self.others:
            shared.append([node.data for node in self.others])
        together = shared[0] if len(shared) == 1 else np.concatenate(shared or [[]])
        varying, numbers = self.run(columns, np.asarray(together, float), n)
        varies, place = self.value
        if varies:
            value = varying[place].reshape(shape)
        else:  # the root depends on no column: each point has it
            value = np.full(shape, numbers[place])
        gradients: list[Any] = []
        for where in self.wrt:
            if isinstance(where, np.ndarray):
                gradients.append(numbers[where])
                continue
            by_column, varies, place = where
            found = varying[place] if varies else numbers[place].item()
            gradients.append(_column(found, shape) if by_column else found)
        return value, tuple(gradients)


def _first(column: Any, otherwise: float) -> float:
    return float(column.flat[0]) if column.size else otherwise


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
