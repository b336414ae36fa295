"""What Python wants of a node, where it asks in one way for two things.

For its number: `float(x)` is meant, `math.exp(x)` loses the gradient. Whether it equals another:
`x == y` compares data, `x in nodes` looks for the node. What the caller was doing stands in the
caller's compiled code, at the instruction that runs.
"""

from __future__ import annotations

import functools
import math
import sys
import warnings
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from tinygrad_edu.engine.contexts import in_no_grad, in_rules
from tinygrad_edu.engine.errors import described

if TYPE_CHECKING:
    import dis

_MEANT = {"float", "float64", "complex", "%", "isnan", "isinf", "isfinite", "isclose"}
"""What asks for the number of a node, or gives a truth, which has no derivative anyway."""

_SEARCHES = {"in", "index", "remove", "count", "contains", "__contains__", "indexOf", "countOf"}


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
    what = _name_of(frame, _what_runs(frame.f_code, frame.f_lasti))
    # a library calls the `float` that it was given, as json does with `default=float`
    module = frame.f_globals.get("__name__", "").partition(".")[0]
    of_a_library = module in sys.stdlib_module_names and not hasattr(math, what)
    if what not in _MEANT and not of_a_library and not in_no_grad():
        warnings.warn(
            f"{what} took the plain number of {described(node)}, so its gradient is lost; use the "
            "functions of tinygrad_edu, such as x.exp(), and stack to join nodes, or write "
            "float(x) if the number is meant",
            stacklevel=3,
        )


def _name_of(frame: FrameType, what: str) -> str:
    """The own name of what is called: of `float` for `convert = float`."""
    called = frame.f_locals.get(what, frame.f_globals.get(what))
    if what.startswith("@") or hasattr(called, "_record"):
        return _not_known(frame.f_code)  # positions that pytest before 8.4 gives to assertions
    return str(getattr(called, "__name__", what))


def looks_for_a_node() -> bool:
    """Whether `==` was asked by a search for a node: `x in nodes`, `nodes.index(x)`."""
    frame = sys._getframe(2)  # of the code that searches: __eq__ is between
    what = _what_runs(frame.f_code, frame.f_lasti)
    called = frame.f_locals.get(what)  # as in `find = nodes.index`
    return getattr(called, "__name__", what) in _SEARCHES


@functools.lru_cache(maxsize=1024)
def _what_runs(code: CodeType, offset: int) -> str:
    """The name of what the instruction at `offset` calls or does: `exp`, `float`, `%`."""
    from dis import get_instructions  # which takes long to load, and a lost gradient is rare

    instructions = list(get_instructions(code))
    index = next((i for i, x in enumerate(instructions) if x.offset == offset), 0)
    running = instructions[index]
    if running.opname.startswith("CONTAINS"):
        return "in"
    if running.opname.startswith("STORE"):
        return "an assignment"
    place = running.positions
    if place is None or None in place:  # Python was told to keep no columns
        return _not_known(code)
    before = [x for x in instructions[:index] if _lies_in(place, x.positions)]
    if _is_handed_on("float", before):
        return "float"
    if running.opname.startswith("BINARY"):
        return "%" if "%" in running.argrepr else f"the operator {running.argrepr}"
    if "CALL" in running.opname:
        # the callee is loaded last among what begins where the call begins
        named = [x for x in before if _begins(x) == place[0::2] and isinstance(x.argval, str)]
        return named[-1].argval if named else "a function of plain numbers"
    return _not_known(code)  # an iterator in Python's own hands: for x in map(float, xs)


def _not_known(code: CodeType) -> str:
    """What is said if the place tells nothing: `float` is meant where its name occurs."""
    return "float" if "float" in code.co_names else "a function of plain numbers"


def _begins(instruction: dis.Instruction) -> tuple[int | None, ...]:
    """The line and column where what an instruction computes begins."""
    assert instruction.positions is not None
    return instruction.positions[0::2]


def _lies_in(outer: dis.Positions, inner: dis.Positions | None) -> bool:
    if inner is None or None in inner:
        return False
    return inner[0::2] >= outer[0::2] and inner[1::2] <= outer[1::2]


def _is_handed_on(name: str, instructions: list[dis.Instruction]) -> bool:
    """Whether a name is an argument, as in `map(float, xs)`, and not what is called."""
    calls = {_begins(x) for x in instructions if "CALL" in x.opname}
    return any(x.argval == name and _begins(x) not in calls for x in instructions)
