"""A program of numbers as a function: straight-line Python."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from tinygrad_edu.programs.generated import (
    MATH,
    TAKEN,
    Code,
    Parameters,
    as_tuple,
    compiled,
    leaf_names,
)
from tinygrad_edu.programs.lines import lines_of
from tinygrad_edu.programs.symbols import Symbol
from tinygrad_edu.programs.trace import Program
from tinygrad_edu.replay.recording import BranchChanged, array_function
from tinygrad_edu.replay.staleness import Origin, counting


def python_function(
    program: Program,
    inputs: Parameters,
    results: Parameters,
    otherwise: Callable[..., Any],
    origin: Origin | None,
) -> Callable[..., Any]:
    """A function of floats (and of a sequence for each list) that gives `value, gradients`.

    The gradients are floats, and an array for each list among `results`.

    Anything but floats, and every error, is handed to `otherwise(error, *inputs)`. Leaves that
    are not inputs are read from their nodes at each call.
    """
    lines = lines_of(program, TAKEN)
    code = Code("program", leaf_names(lines.names))
    namespace: dict[str, Any] = {
        **MATH, "_otherwise": otherwise, "_array": array_function(), "_BranchChanged": BranchChanged
    }  # fmt: skip
    parameters, lists, checks = _parameters_and_checks(inputs, code)
    for i, (symbol, node) in enumerate(program.others.items()):
        namespace[f"_node{i}"] = node
        code.lines.append(f"{code.names[symbol]} = _node{i}.data")
    code.add(lines.lines)
    for condition in code.changed(program.guards):
        code.lines += [f"if {condition}:", "    raise _BranchChanged"]
    texts = map(code.text, program.gradients)
    gradients = [
        next(texts)
        if isinstance(x, Symbol)
        else f"_array([{', '.join(itertools.islice(texts, len(x)))}], float)"
        for x in results
    ]
    code.lines.append(f"_found = {code.text(program.value)}, {as_tuple(gradients)}")
    called = ", ".join(parameters)
    unusual = [f"if not ({' and '.join(checks)}):", f"    return _otherwise(None, {called})"]
    body = [
        *lists,
        *(unusual if checks else []),
        "try:",
        *(f"    {line}" for line in code.lines),
        "except (ArithmeticError, TypeError, ValueError, _BranchChanged) as _error:",
        f"    return _otherwise(_error, {called})",
        *counting(origin, called, namespace),
    ]
    return compiled(parameters, body, namespace)


def _parameters_and_checks(
    inputs: Parameters, code: Code
) -> tuple[list[str], list[str], list[str]]:
    """The parameters, lines that make lists of arrays, and what holds for ordinary inputs; `code`
    begins with taking the inputs out of their lists."""
    parameters, lists, checks = [], [], []
    for i, x in enumerate(inputs):
        name = code.names[x] if isinstance(x, Symbol) else f"_inputs{i}"
        parameters.append(name)
        if isinstance(x, Symbol):
            checks.append(f"type({name}) is float")
            continue
        lists.append(f"if hasattr({name}, 'tolist'): {name} = {name}.tolist()")
        checks.append(f"type({name}) in (list, tuple) and len({name}) == {len(x)}")
        if x:
            checks.append(f"set(map(type, {name})) == {{float}}")
            code.unpack(x, name)
    return parameters, lists, checks
