"""Looks: now and then a replay of a function is compared with the function itself.

What a function computes outside the graph is a constant of its recording, and nothing tells when it
has changed. So the function is run as well at the 1st, 2nd, 4th, 8th, … call: often at first, and
so rarely later that it costs nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_edu.programs.lines import lines_of
from tinygrad_edu.programs.source import constant_values, source
from tinygrad_edu.programs.trace import Program
from tinygrad_edu.replay.input_lists import Leaves
from tinygrad_edu.replay.recording import eager


@dataclass
class Origin:
    """The function that a replay came from: `again(inputs)` records it once more and gives its
    value and gradients; `look(results, *inputs)` compares results with it."""

    again: Callable[[Sequence[Any]], Any]
    look: Callable[..., None]


def is_due(call: int) -> bool:
    """Whether there is a look at this call, counted from 1."""
    return call & (call - 1) == 0


def calls_before_a_look(calls: int) -> int:
    """How many calls come after so many before the next at which there is a look."""
    return (1 << calls.bit_length()) - 1 - calls


class Counted:
    """The calls of one compiled function; see `counting`. The first call has a look elsewhere."""

    def __init__(self, origin: Origin | None) -> None:
        self.origin, self.calls = origin, 0

    def after(self, results: Any, inputs: Sequence[Any]) -> Any:
        """Count a call, and give its results; after a look, if one is due. RuntimeError if the
        function gives something else, at this call and at all that follow."""
        if self.origin is not None:
            if self.calls and is_due(self.calls + 1):
                self.origin.look(results, *inputs)
            self.calls += 1
        return results


def counting(origin: Origin | None, inputs: str, namespace: dict[str, Any]) -> list[str]:
    """What `Counted` does, as the last lines of generated code, which returns `_found`.

    To take a step of an iterator that ends at the next look is the cheapest count that there is: it
    takes a tenth of the time of a call.
    """
    if origin is None:
        return ["return _found"]
    look, calls = origin.look, 1

    def after_a_look(results: Any, *inputs: Any) -> Any:
        nonlocal calls
        look(results, *inputs)
        calls *= 2
        namespace["_calls"] = itertools.repeat(None, calls_before_a_look(calls))
        return results

    namespace |= {"_calls": itertools.repeat(None, calls), "_after_a_look": after_a_look}
    return ["for _ in _calls:", "    return _found", f"return _after_a_look(_found, {inputs})"]


def check_same(
    root: Any,
    wrt: Leaves,
    replayed: tuple[Any, tuple[Any, ...]],
    same_program: Callable[[], bool],
) -> None:
    """RuntimeError unless a graph that was made just now gives what a replay gives.

    Where numbers differ, which rounding may do where large numbers cancel, the programs decide:
    `same_program` says whether the new graph has that of the replay.
    """
    difference = _difference(*(_one_by_one(wrt, x) for x in (eager(root, wrt), replayed)))
    if difference is not None and not same_program():
        raise RuntimeError(
            f"replay: the function gives {difference[0]} where its recording gives "
            f"{difference[1]}, because it uses something outside the graph: .data, float(), random "
            "numbers, or a variable that has changed; make that an input, or make a new replay"
        )


def _difference(own: Sequence[Any], theirs: Sequence[Any]) -> tuple[Any, Any] | None:
    """Two numbers that differ by more than rounding, or None."""
    if any(hasattr(x, "dtype") for x in (*own, *theirs)):
        from tinygrad_edu.replay.array_differences import first_difference

        return first_difference(own, theirs)
    slack = 1e-10 * max((abs(x) for x in own if math.isfinite(x)), default=0.0)
    for x, y in zip(own, theirs, strict=True):
        close = math.isfinite(y) and abs(x - y) <= slack + 1e-8 * abs(y)
        if not (close or x == y or (x != x and y != y)):
            return x, y
    return None


def _one_by_one(wrt: Leaves, results: tuple[Any, tuple[Any, ...]]) -> list[Any]:
    value, gradients = results
    parts = [
        (g if isinstance(x, list | tuple) else [g]) for x, g in zip(wrt, gradients, strict=True)
    ]
    return [value, *(y for part in parts for y in part)]


def same_program(one: Program, other: Program) -> bool:
    """Whether two programs have the same text, the same other leaves and the same arrays."""
    texts, numbers = [], []
    for program in (one, other):
        texts.append(source(program, program.inputs, "program", "numpy"))
        arrays = constant_values(program, lines_of(program, ()))
        numbers.append([*arrays.values(), *(node.data for node in program.others.values())])
    return texts[0] == texts[1] and all(map(_same_numbers, *numbers))


def _same_numbers(x: Any, y: Any) -> bool:
    if hasattr(x, "dtype"):
        from tinygrad_edu.replay.array_differences import same_arrays

        return same_arrays(x, y)
    return bool(x == y or (x != x and y != y))
