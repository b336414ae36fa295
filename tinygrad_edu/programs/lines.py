"""The lines of a program: which expressions get a name, and which, in what order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tinygrad_edu.engine.names import FreeNames
from tinygrad_edu.programs.symbols import Symbol, operations_in, raises
from tinygrad_edu.programs.trace import BY, Program, in_order, symbols_of

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


def lines_of(
    program: Program, taken: Iterable[str], also: Callable[[Symbol], bool] = lambda symbol: False
) -> Lines:
    """The lines that a program needs: what nothing uses is left out.

    A line each for what the user labelled, for results, for what is used more than once, for what
    would be too long, and for what is asked for by `also`. Names are unique and none of those
    `taken`.
    """
    outputs = program.outputs
    needed = [x for x in operations_in(Symbol("all", tuple(outputs)), {}) if x.name != "all"]
    uses = Counter(x for symbol in needed for x in symbols_of(symbol))
    used = _with_a_line(program, needed)
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
    raising: set[Symbol] = set()  # those without a line whose text may raise an error
    forwards = set(operations_in(Symbol("all", (program.value, *program.conditions)), {}))

    def add_line(symbol: Symbol, wish: str) -> None:
        names[symbol] = free(wish)
        lines.append((names[symbol], symbol))
        sizes[symbol] = 0
        raising.discard(symbol)

    for symbol in in_order(program, needed):
        if symbol.name == "where":  # its text computes one branch, and the graph computes both
            for x in symbols_of(symbol):
                if x in raising:
                    add_line(x, "")
        wish = program.wishes.get(symbol, "")
        if wish.startswith(BY):  # what comes about forwards is not called after its use backwards
            wish = "" if symbol in forwards else f"d{wish[1:]}"
            if wish:
                derivatives[symbol] = wish[1:]
        sizes[symbol] = 1 + sum(sizes.get(x, 0) for x in symbols_of(symbol))
        named = wish or uses[symbol] > 1 or symbol in used or symbol.name == SUM or also(symbol)
        if named or sizes[symbol] > LONGEST:
            add_line(symbol, wish)
        elif raises(symbol) or not raising.isdisjoint(symbols_of(symbol)):
            raising.add(symbol)
    forward = max((i for i, (_, x) in enumerate(lines, start=1) if x in forwards), default=0)
    return Lines(lines, forward, names, derivatives)


def _with_a_line(program: Program, needed: Iterable[Symbol]) -> set[Symbol]:
    """What has a line of its own because of where it is used."""
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
    return used


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
