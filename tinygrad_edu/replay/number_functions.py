"""A program of numbers as a function: straight-line Python, or machine code through numba."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_edu.programs.languages import written
from tinygrad_edu.programs.lines import lines_of
from tinygrad_edu.programs.source import FUNCTIONS, TAKEN, Arguments, texts
from tinygrad_edu.programs.symbols import Symbol
from tinygrad_edu.programs.trace import Program
from tinygrad_edu.replay.recording import BranchChanged
from tinygrad_edu.replay.staleness import Origin, counting


def python_function(
    program: Program,
    arguments: Arguments,
    results: Arguments,
    otherwise: Callable[..., Any],
    origin: Origin | None,
) -> Callable[..., Any]:
    """A function of floats (and of a sequence for each list) that gives `value, gradients`.

    The gradients are floats, and an array for each list among `results`.

    Anything but floats, and every error, is handed to `otherwise(error, *arguments)`. Leaves that
    are no inputs are read from their nodes at each call.
    """
    lines = lines_of(program, TAKEN)
    names = lines.names
    parameters, lists, checks, body = [], [], [], []
    for i, argument in enumerate(arguments):
        if isinstance(argument, Symbol):
            parameters.append(names[argument])
            checks.append(f"type({names[argument]}) is float")
        else:
            given = f"_inputs{i}"
            parameters.append(given)
            lists.append(f"if type({given}) is _ndarray: {given} = {given}.tolist()")
            checks.append(f"type({given}) in (list, tuple) and len({given}) == {len(argument)}")
            if argument:
                checks.append(f"set(map(type, {given})) == {{float}}")
                body.append(f"{''.join(f'{names[x]}, ' for x in argument)}= {given}")
    namespace: dict[str, Any] = {
        **FUNCTIONS, "inf": math.inf, "nan": math.nan, "_otherwise": otherwise,
        "_array": np.array, "_ndarray": np.ndarray, "_BranchChanged": BranchChanged,
    }  # fmt: skip
    for i, (symbol, node) in enumerate(program.others.items()):
        namespace[f"_node{i}"] = node
        body.append(f"{names[symbol]} = _node{i}.data")
    forward, backward = texts(lines, "program")
    body += [f"{name} = {text}" for name, text in (*forward, *backward)]
    for guard, result in program.guards:
        changed = f"{'not ' if result else ''}{written(guard, 'program', names)}"
        body += [f"if {changed}:", "    raise _BranchChanged"]
    body.append(f"_found = {_returned(program, results, names)}")
    called = ", ".join(parameters)
    code = [f"def replay({called}):", *(f"    {line}" for line in lists)]
    if checks:
        code += [
            f"    if not ({' and '.join(checks)}):",
            f"        return _otherwise(None, {called})",
        ]
    code += ["    try:", *(f"        {line}" for line in body)]
    code += [
        "    except (ArithmeticError, TypeError, ValueError, _BranchChanged) as _error:",
        f"        return _otherwise(_error, {called})",
    ]
    code += [f"    {line}" for line in counting(origin, called, namespace)]
    exec(compile("\n".join(code), "<replay>", "exec"), namespace)
    run: Callable[..., Any] = namespace["replay"]
    return run


def _returned(program: Program, results: Arguments, names: dict[Symbol, str]) -> str:
    gradients = (written(x, "program", names) for x in program.gradients)
    texts = [
        next(gradients)
        if isinstance(result, Symbol)
        else f"_array([{', '.join(next(gradients) for _ in result)}], float)"
        for result in results
    ]
    value = written(program.value, "program", names)
    return f"{value}, ({''.join(f'{text}, ' for text in texts)})"
