"""What Python wants of a node, where it asks in one way for two things.

For its number: `float(x)` is meant, `math.exp(x)` loses the gradient. Whether it equals another:
`x == y` compares data, `x in nodes` looks for the node. What the caller was doing stands in the
caller's compiled code, at the instruction that runs.
"""

from __future__ import annotations

import builtins
import dis
import functools
import sys
import warnings
from types import CodeType
from typing import Any

from tinygrad_edu.blocks import in_no_grad, in_rules
from tinygrad_edu.graph import described

_MEANT = {"float", "float64", "complex", "%", "isnan", "isinf", "isfinite", "isclose"}
"""What asks for the number of a node, or gives a truth, which has no derivative anyway."""


def warn_if_gradient_is_lost(node: Any) -> None:
    """Warn that a function of plain numbers was given a node, unless its number is what was meant.

    TypeError inside a rule that is run on nodes: the derivative of a derivative would be wrong.
    """
    if in_rules():
        raise TypeError(
            "a function of plain numbers was called on a node, which loses its derivative; use "
            "of(x), such as of(x).exp(x), and other rules"
        )
    frame = sys._getframe(2)  # of the code that uses the node: __float__ is between
    what = _what_runs(frame.f_code, frame.f_lasti)
    if what.startswith("@") or hasattr(frame.f_locals.get(what), "_record"):
        what = _not_known(frame.f_code)  # positions that pytest before 8.4 gives to assertions
    meant = what in _MEANT or frame.f_locals.get(what) is float  # as in `convert = float`
    if not meant and not in_no_grad():
        warnings.warn(
            f"{what} took the plain number of {described(node)}, so its gradient is lost; use the "
            "functions of tinygrad_edu, such as x.exp(), and stack to join nodes, or write "
            "float(x) if the number is meant",
            stacklevel=3,
        )


def looks_for_a_node() -> bool:
    """Whether `==` was asked by a search for a node: `x in nodes`, `nodes.index(x)`."""
    frame = sys._getframe(2)  # of the code that searches: __eq__ is between
    what = _what_runs(frame.f_code, frame.f_lasti)
    called = frame.f_locals.get(what)  # as in `find = nodes.index`
    return getattr(called, "__name__", what) in ("in", "index", "remove", "count")


@functools.lru_cache(maxsize=1024)
def _what_runs(code: CodeType, offset: int) -> str:
    """The name of what the instruction at `offset` calls or does: `exp`, `float`, `%`."""
    instructions = list(dis.get_instructions(code))
    index = next((i for i, x in enumerate(instructions) if x.offset == offset), 0)
    running = instructions[index]
    if running.opname.startswith("CONTAINS"):
        return "in"
    if running.opname.startswith("STORE"):
        return "an assignment"
    if running.opname.startswith("BINARY"):
        return "%" if "%" in running.argrepr else f"the operator {running.argrepr}"
    if "CALL" in running.opname and running.positions:
        return _called(instructions[:index], running.positions)
    return _not_known(code)  # an iterator in Python's own hands: for x in map(float, xs)


def _not_known(code: CodeType) -> str:
    """What is said if the place tells nothing: `float` is meant where its name occurs."""
    return "float" if "float" in code.co_names else "a function of plain numbers"


def _called(before: list[dis.Instruction], call: dis.Positions) -> str:
    """The name of what a call calls: what was loaded last among that which begins where it begins.

    `list(map(float, xs))` and `max(xs, key=float)` count as `float`.
    """
    begins, ends = call[0::2], call[1::2]  # line and column
    name, loaded = "a function of plain numbers", set()
    for x in before:
        place = x.positions
        if not place or None in (*begins, *ends, *place) or not isinstance(x.argval, str):
            continue
        if place[0::2] >= begins and place[1::2] <= ends:
            loaded.add(x.argval)
            if place[0::2] == begins:
                name = x.argval
    return "float" if "float" in loaded and hasattr(builtins, name) else name
