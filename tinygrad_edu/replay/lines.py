"""The lines of a program: which expressions get a name, and which, in what order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tinygrad_edu.names import FreeNames
from tinygrad_edu.replay.trace import BY, Program, in_order, symbols_of
from tinygrad_edu.symbols import Symbol, operations_in

LONGEST = 12
"""An expression of more operations than this is cut in two, for readers and for parsers."""

REPEATING = {"maximum", "minimum"}
"""Operations whose text may name an operand twice, so that the operand must have a name."""

SUM = "sum_over_points"
"""The operation that a program of columns sums with: its result always has a name."""


@dataclass
class Lines:
    """`name = expression`, line by line; `names` has those of all symbols that have one.

    The first `forward` lines are the forward pass. `derivatives` are symbols with the name of what
    they are the derivative by.
    """

    lines: list[tuple[str, Symbol]]
    forward: int
    names: dict[Symbol, str]
    derivatives: dict[Symbol, str] = field(default_factory=dict)


def lines_of(program: Program, taken: Iterable[str]) -> Lines:
    """The lines that a program needs: what nothing uses is left out.

    A line each for what the user labelled, for results, for what is used more than once, and for
    what would be too long. Names are unique and none of those `taken`.
    """
    outputs = program.outputs
    needed = [x for x in operations_in(Symbol("all", tuple(outputs)), {}) if x.name != "all"]
    uses = Counter(x for symbol in needed for x in symbols_of(symbol))
    used = {x for x in (program.value, *program.gradients) if isinstance(x, Symbol)} | {
        x for symbol in needed if symbol.name in REPEATING for x in symbols_of(symbol)
    }
    if program.varying:  # what all points share is computed before them
        used |= {
            x
            for symbol in needed
            if symbol in program.varying or symbol.name == SUM
            for x in symbols_of(symbol)
            if x not in program.varying
        }
    names: dict[Symbol, str] = {}
    free = FreeNames(taken)
    for symbol in dict.fromkeys([*program.inputs, *program.others]):
        names[symbol] = free(program.wishes.get(symbol, symbol.name))
    for symbol in needed:
        if not symbol.operands and symbol not in names:
            names[symbol] = free(symbol.name)
    lines: list[tuple[str, Symbol]] = []
    derivatives: dict[Symbol, str] = {}
    sizes: dict[Symbol, int] = {}
    forward = 0
    forwards = set(operations_in(Symbol("all", (program.value, *program.conditions)), {}))
    for symbol in in_order(program, needed):
        wish = program.wishes.get(symbol, "")
        if wish.startswith(BY):  # what comes about forwards is not called after its use backwards
            wish = "" if symbol in forwards else f"d{wish[1:]}"
            if wish:
                derivatives[symbol] = wish[1:]
        sizes[symbol] = 1 + sum(sizes.get(x, 0) for x in symbols_of(symbol))
        named = wish or uses[symbol] > 1 or symbol in used or symbol.name == SUM
        if named or sizes[symbol] > LONGEST:
            names[symbol] = free(wish)
            lines.append((names[symbol], symbol))
            sizes[symbol] = 0
            forward = len(lines) if symbol in forwards else forward
    return Lines(lines, forward, names, derivatives)


@dataclass
class Split:
    """The lines of a program of columns, by when they run: before the points, at every point, for
    each sum over the points, and after them."""

    before: list[tuple[str, Symbol]]
    points: list[tuple[str, Symbol]]
    sums: list[tuple[str, Symbol]]
    after: list[tuple[str, Symbol]]


def split(program: Program, lines: Lines) -> Split:
    """What all points share runs before them, and what needs a sum over them after them."""
    found = Split([], [], [], [])
    late: set[Symbol] = set()
    everything = Symbol("all", tuple(symbol for _, symbol in lines.lines))
    for symbol in operations_in(everything, {}):
        if symbol.name == SUM or any(x in late for x in symbols_of(symbol)):
            late.add(symbol)
    for line in lines.lines:
        symbol = line[1]
        if symbol in program.varying:
            found.points.append(line)
        elif symbol.name == SUM:
            found.sums.append(line)
        elif symbol in late:
            found.after.append(line)
        else:
            found.before.append(line)
    return found
