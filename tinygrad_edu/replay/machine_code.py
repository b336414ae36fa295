"""A program of numbers as machine code, through numba."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.programs.column_lines import ColumnLines, column_lines
from tinygrad_edu.programs.generated import (
    MATH,
    TAKEN,
    Code,
    Parameters,
    as_tuple,
    compiled,
    leaf_names,
)
from tinygrad_edu.programs.lines import NamedLine, lines_of
from tinygrad_edu.programs.symbols import Symbol, operations_in, raises
from tinygrad_edu.programs.trace import POINTS, Program
from tinygrad_edu.replay.staleness import counting
from tinygrad_edu.replay.vector_functions import FAR, PERIODIC, vector_functions
from tinygrad_edu.rules.constants import as_plain

if TYPE_CHECKING:
    from tinygrad_edu.replay.value_replay import ValueReplay

# Sums may be reordered, and a product and a sum be one operation, so that the processor adds
# several numbers at once; nan and inf are kept. A moons step takes a third of the time.
FASTMATH = {"reassoc", "contract", "nsz"}

MANY_LINES = 500
"""From so many lines on, it is said that they are compiled: 2246 lines took 30 s."""


def machine_run(replay: ValueReplay) -> Callable[..., Any]:
    """Machine code for floats; anything else, and errors, as in Python.

    It is compiled when numbers are given for the first time: columns have machine code of their
    own, and a large graph takes seconds for each.
    """
    require_numba()
    inputs, others = replay.arguments, list(replay.program.others.values())
    singles = [i for i, x in enumerate(inputs) if not isinstance(x, list)]

    def compile_now(*numbers: Any) -> Any:
        machine = machine_function(replay.program, inputs, replay.results)
        if others or len(singles) < len(inputs):
            machine = _with_arrays(machine, inputs, others)
        namespace["_machine"] = machine
        return machine(*numbers)

    parameters = [f"x{i}" for i in range(len(inputs))]
    called = ", ".join(parameters)
    floats = " and ".join(f"type(x{i}) is float" for i in singles) or "True"
    # numba takes a millisecond to say that an argument is of another type
    namespace: dict[str, Any] = {
        "_machine": compile_now, "_in_python": replay.python, "_unusual": replay.unusual
    }  # fmt: skip
    body = [
        f"if not ({floats}):",
        f"    return _unusual(None, {called})",
        "try:",
        f"    _found = _machine({called})",
        "except (ArithmeticError, LookupError, TypeError, ValueError):",
        f"    return _in_python({called})",
        *counting(replay.origin, called, namespace),
    ]
    return compiled(parameters, body, namespace)


def _with_arrays(
    machine: Callable[..., Any], inputs: Parameters, others: list[Any]
) -> Callable[..., Any]:
    """Machine code, with arrays for lists of numbers and for leaves that are not inputs."""

    def run(*arguments: Any) -> Any:
        given = list(arguments)
        for i, expected in enumerate(inputs):
            if isinstance(expected, list):
                given[i] = np.array(as_plain(given[i], "replay"), float)
                if given[i].shape != (len(expected),):
                    raise ValueError  # the machine would read what is not there
        if others:
            given.append(np.array([node.data for node in others]))
        return machine(*given)

    return run


def machine_function(program: Program, inputs: Parameters, results: Parameters) -> Any:
    """A function of floats, and of an array for each list, that gives `value, gradients`.

    If there are other leaves, an array of them is its last argument. ArithmeticError or ValueError
    where another branch would be taken, and where the value, a gradient, or the result of any
    operation that raises in Python is not a finite number: then Python computes it, or raises.
    ImportError, with the cure, without numba.
    """
    lines = lines_of(program, TAKEN, _overflows)
    code, parameters = Code("machine", leaf_names(lines.names)), []
    for i, x in enumerate(inputs):
        parameters.append(code.names[x] if isinstance(x, Symbol) else f"_inputs{i}")
        if isinstance(x, list):
            _take(code, x, f"_inputs{i}[{{}}]")
    if program.others:
        parameters.append("_others")
        _take(code, list(program.others), "_others[{}]")
    code.add(lines.lines[: lines.forward])
    for condition in code.changed(program.guards):
        code.lines += [f"if {condition}:", "    raise ValueError(_MESSAGE)"]
    code.add(lines.lines[lines.forward :])
    code.lines += [f"_value = {code.text(program.value)}", "_odd = _value - _value"]
    # x - x is 0, or nan if x is inf or nan
    gradients = list(map(code.text, program.gradients))
    looked_at = [name for name, symbol in lines.lines if _overflows(symbol)]
    looked_at += filter(str.isidentifier, gradients)
    code.lines += [f"_odd += {x} - {x}" for x in dict.fromkeys(looked_at)]
    code.lines += ["if _odd != 0.0:", "    raise ValueError(_MESSAGE)"]
    returned, texts = [], iter(gradients)
    for i, result in enumerate(results):
        if isinstance(result, Symbol):
            returned.append(next(texts))
            continue
        returned.append(f"_result{i}")
        code.lines.append(f"_result{i} = _empty({len(result)})")
        code.lines += [f"_result{i}[{k}] = {next(texts)}" for k in range(len(result))]
    code.lines.append(f"return _value, {as_tuple(returned)}")
    types = ["f8" if isinstance(x, Symbol) else "f8[::1]" for x in inputs]
    types += ["f8[::1]"] * bool(program.others)
    return _machine_code(parameters, code.lines, types, {}, error_model="python")


def _overflows(symbol: Symbol) -> bool:
    """Whether an operation gives inf or nan here where it raises in Python. A division raises."""
    return raises(symbol) and symbol.name != "divide"


def _take(code: Code, symbols: Sequence[Symbol], place: str) -> None:
    """Take symbols out of an array."""
    code.lines += [f"{code.names[x]} = {place.format(k)}" for k, x in enumerate(symbols)]


def machine_columns(program: Program) -> Any:
    """A function of columns, an array of numbers and the number of points, as `Columns` is one.

    The numbers are those of all leaves that are not columns, the inputs first. It gives what varies
    of the results, as the rows of a table, and an array of the other numbers. The functions of
    `vector_functions` take the place of the C library's, unless an argument is too far for them.
    """
    lines = _column_code(column_lines(program))

    @functools.cache
    def machine(with_library: bool) -> Any:
        own = {} if with_library else vector_functions()
        # as NumPy, a division by 0 gives inf or nan; without the lock, threads run side by side
        return _machine_code(
            ["_columns", "_numbers", "_count"], lines, ["f8[:,::1]", "f8[::1]", "i8"],
            own, fastmath=FASTMATH, error_model="numpy", nogil=True,
        )  # fmt: skip

    def run(columns: Sequence[Any], shared: Any, n: int) -> Any:
        given = np.array(columns), shared, n
        varying, numbers, far = machine(False)(*given)
        if far:
            varying, numbers, _ = machine(True)(*given)
        return varying, numbers

    machine(False)
    return run


def _column_code(parts: ColumnLines) -> list[str]:
    """The lines of machine code over columns, and of a count of arguments that are too far."""
    leaves = {x: parts.names[x] for x in (*parts.numbers, POINTS) if x in parts.names}
    code = Code("machine", leaves)
    _take(code, parts.numbers, "_numbers[{}]")
    if POINTS in leaves:
        code.lines.append(f"{leaves[POINTS]} = float(_count)")
    code.lines.append("_far = 0.0")
    _add(code, parts.before)
    code.lines += [f"{name} = 0.0" for name, _ in parts.sums]
    code.lines.append(f"_columns_out = _empty(({len(parts.varying)}, _count))")
    code.lines.append("for _i in range(_count):")
    inside = Code("machine", code.names | {x: parts.names[x] for x in parts.columns})
    _take(inside, parts.columns, "_columns[{}, _i]")
    _add(inside, parts.points)
    inside.lines += [f"{name} += {inside.text(x.operands[0])}" for name, x in parts.sums]
    for k, x in enumerate(parts.varying):
        inside.lines.append(f"_columns_out[{k}, _i] = {inside.text(x)}")
    code.lines += [f"    {line}" for line in inside.lines]
    code.names |= {symbol: name for name, symbol in parts.sums}
    _add(code, parts.after)
    code.lines.append(f"_numbers_out = _empty({len(parts.steady)})")
    code.lines += [f"_numbers_out[{k}] = {code.text(x)}" for k, x in enumerate(parts.steady)]
    return [*code.lines, "return _columns_out, _numbers_out, _far"]


def _add(code: Code, lines: Sequence[NamedLine]) -> None:
    """Compute expressions, and count arguments that are too far, or nan."""
    known = set(code.names)
    code.add(lines)
    for symbol in operations_in([x for _, x in lines], known):
        if symbol.name in PERIODIC:
            far = f"where(fabs({code.text(symbol.operands[0])}) <= {FAR}, 0.0, 1.0)"
            code.lines.append(f"_far += {far}")


def require_numba() -> Any:
    """numba; ImportError, with the cure, where it is missing."""
    try:
        import numba
    except ImportError as error:
        raise ImportError('backend "numba" needs numba: pip install numba') from error
    return numba


def _machine_code(
    parameters: list[str], body: list[str], types: list[str], own: dict[str, Any], **settings: Any
) -> Any:
    """The lines compiled, with functions of `own` instead of those of the C library."""
    numba = require_numba()
    if len(body) > MANY_LINES:
        print(f"replay: numba compiles {len(body)} lines, about {len(body) // 100} s",
              file=sys.stderr, flush=True)  # fmt: skip

    def where(condition: Any, x: Any, y: Any) -> Any:
        return x if condition else y

    def maximum(x: Any, y: Any) -> Any:
        return x if x >= y or x != x else y

    def minimum(x: Any, y: Any) -> Any:
        return x if x <= y or x != x else y

    def square(x: Any) -> Any:
        return x * x

    def cube(x: Any) -> Any:
        return x * x * x

    # Choices are calls here, which become one instruction: a choice within the text would be a
    # branch, and numba would go over all lines once for each of them.
    calls = {f.__name__: numba.njit(f) for f in (where, maximum, minimum, square, cube)}
    namespace = {
        **MATH, **own, **calls, "_empty": np.empty, "fabs": math.fabs,
        "_MESSAGE": "not an ordinary case",
    }  # fmt: skip
    function = compiled(parameters, body, namespace)
    machine = numba.njit([f"({', '.join(types)},)"], **settings)(function)
    # The one compiled version itself: numba's dispatcher takes 70 ns of 250 to find it. It expects
    # the types that it was compiled for, which `machine_run` sees to.
    version: Any = next(iter(machine.overloads.values()))
    return version.entry_point
