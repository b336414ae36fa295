"""A program of numbers as machine code, through numba."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_edu.programs.languages import written
from tinygrad_edu.programs.lines import Lines, lines_of, split
from tinygrad_edu.programs.source import FUNCTIONS, TAKEN, Arguments, texts, texts_of
from tinygrad_edu.programs.symbols import Symbol, raises
from tinygrad_edu.programs.trace import POINTS, Program

# Sums may be reordered, and a product and a sum be one operation, so that the processor adds
# several numbers at once; nan and inf are kept. A moons step takes a third of the time.
FASTMATH = {"reassoc", "contract", "nsz"}


def machine_function(program: Program, arguments: Arguments, results: Arguments) -> Any:
    """A function of floats, and of an array for each list, that gives `value, gradients`.

    If there are other leaves, an array of them is its last argument. ArithmeticError or ValueError
    where another branch would be taken, and where the value, a gradient, or the result of any
    operation that raises in Python is not a finite number: then Python computes it, or raises.
    ImportError, with the cure, without numba.
    """
    lines = lines_of(program, TAKEN, _overflows)
    forward, backward = texts(lines, "machine")
    gradients = {x: written(x, "machine", lines.names) for x in program.gradients}
    value = written(program.value, "machine", lines.names)
    parameters, body = _unpacked(program, lines, arguments)
    body += [f"{name} = {text}" for name, text in forward]
    for guard, truth in program.guards:
        changed = f"{'not ' if truth else ''}{written(guard, 'machine', lines.names)}"
        body += [f"if {changed}:", "    raise ValueError(_MESSAGE)"]
    body += [f"{name} = {text}" for name, text in backward]
    body += [f"_value = {value}", "_odd = _value - _value"]  # 0, or nan if it is inf or nan
    looked_at = [name for name, symbol in lines.lines if _overflows(symbol)]
    looked_at += [x for x in gradients.values() if x.isidentifier()]
    body += [f"_odd += {x} - {x}" for x in dict.fromkeys(looked_at)]
    body += ["if _odd != 0.0:", "    raise ValueError(_MESSAGE)"]
    returned = []
    flat = iter(program.gradients)
    for i, result in enumerate(results):
        if isinstance(result, Symbol):
            returned.append(gradients[next(flat)])
            continue
        body.append(f"_result{i} = _empty({len(result)})")
        body += [f"_result{i}[{k}] = {gradients[next(flat)]}" for k in range(len(result))]
        returned.append(f"_result{i}")
    body.append(f"return _value, ({''.join(f'{x}, ' for x in returned)})")
    types = ["f8" if isinstance(x, Symbol) else "f8[::1]" for x in arguments]
    types += ["f8[::1]"] * bool(program.others)
    return _compiled(parameters, body, types, error_model="python")


def _overflows(symbol: Symbol) -> bool:
    """Whether an operation gives inf or nan here where it raises in Python. A division raises."""
    return raises(symbol) and symbol.name != "divide"


def _unpacked(program: Program, lines: Lines, arguments: Arguments) -> tuple[list[str], list[str]]:
    parameters, body = [], []
    for i, argument in enumerate(arguments):
        if isinstance(argument, Symbol):
            parameters.append(lines.names[argument])
        else:
            parameters.append(f"_inputs{i}")
            body += [f"{lines.names[x]} = _inputs{i}[{k}]" for k, x in enumerate(argument)]
    body += [f"{lines.names[x]} = _others[{k}]" for k, x in enumerate(program.others)]
    return parameters + ["_others"] * bool(program.others), body


def machine_columns(program: Program) -> Any:
    """A function of columns, an array of numbers and the number of points, as `Columns` is one.

    The numbers are those of all leaves that are no columns, the inputs first. It gives what varies
    of the results, as the rows of a table, and an array of the other numbers.
    """
    lines = lines_of(program, TAKEN)
    parts = split(program, lines)
    names = lines.names
    columns = [x for x in program.inputs if x in program.varying]
    numbers = [x for x in (*program.inputs, *program.others) if x not in program.varying]
    known = {x: names[x] for x in numbers}
    body = [f"{names[x]} = _numbers[{k}]" for k, x in enumerate(numbers)]
    if POINTS in names:
        known[POINTS] = names[POINTS]
        body.append(f"{names[POINTS]} = float(_count)")
    body += [f"{name} = {text}" for name, text in texts_of(parts.before, "machine", known)]
    body += [f"{name} = 0.0" for name, _ in parts.sums]
    results = [program.value, *program.gradients]
    varying = [x for x in results if isinstance(x, Symbol) and x in program.varying]
    steady = [x for x in results if not (isinstance(x, Symbol) and x in program.varying)]
    body += [f"_columns_out = _empty(({len(varying)}, _count))", "for _i in range(_count):"]
    inside = dict(known) | {x: names[x] for x in columns}
    body += [f"    {names[x]} = _columns[{k}, _i]" for k, x in enumerate(columns)]
    body += [f"    {name} = {text}" for name, text in texts_of(parts.points, "machine", inside)]
    for _, symbol in parts.sums:
        body.append(f"    {names[symbol]} += {written(symbol.operands[0], 'program', inside)}")
    for k, x in enumerate(varying):
        body.append(f"    _columns_out[{k}, _i] = {written(x, 'program', inside)}")
    known |= {symbol: names[symbol] for _, symbol in parts.sums}
    body += [f"{name} = {text}" for name, text in texts_of(parts.after, "machine", known)]
    body.append(f"_numbers_out = _empty({len(steady)})")
    body += [f"_numbers_out[{k}] = {written(x, 'program', known)}" for k, x in enumerate(steady)]
    body.append("return _columns_out, _numbers_out")
    types = ["f8[:,::1]", "f8[::1]", "i8"]
    # as NumPy, a division by 0 gives inf or nan
    compiled = _compiled(
        ["_columns", "_numbers", "_count"], body, types, fastmath=FASTMATH, error_model="numpy"
    )
    return lambda columns, shared, n: compiled(np.array(columns), shared, n)


_MESSAGE = "not an ordinary case"


def _compiled(parameters: list[str], body: list[str], types: list[str], **settings: Any) -> Any:
    try:
        import numba
    except ImportError as error:
        raise ImportError('backend "numba" needs numba: pip install numba') from error

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
    namespace: dict[str, Any] = {
        **FUNCTIONS, **calls, "inf": math.inf, "nan": math.nan,
        "_empty": np.empty, "_MESSAGE": _MESSAGE,
    }  # fmt: skip
    code = [f"def run({', '.join(parameters)}):", *(f"    {line}" for line in body)]
    exec(compile("\n".join(code), "<replay>", "exec"), namespace)
    compiled = numba.njit([f"({', '.join(types)},)"], **settings)(namespace["run"])
    # The one compiled version itself: numba's dispatcher takes 70 ns of 250 to find it. It expects
    # the types that it was compiled for, which `values.py` sees to.
    version: Any = next(iter(compiled.overloads.values()))
    return version.entry_point
