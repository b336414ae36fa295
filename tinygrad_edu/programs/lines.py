"""The lines of a program: which expressions get a name, and which, in what order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tinygrad_edu.engine.names import FreeNames
from tinygrad_edu.programs.symbols import (
    SUM_OVER_POINTS,
    Symbol,
    operations_in,
    raises,
    symbols_of,
)
from tinygrad_edu.programs.trace import BY, Program, in_order

MOST_OPERATIONS = 12
"""An expression of more operations than this is cut in two, for readers and for parsers."""

REPEATING = {"maximum", "minimum"}
"""Operations whose text may name an operand twice, so the operand must have a name."""

NamedLine = tuple[str, Symbol]
"""`name = expression`."""


@dataclass
class Lines:
    """`name = expression`, line by line; `names` has those of all symbols that have one.

    The first `forward` lines are the forward pass. `derivatives` are symbols with the name of what
    they are the derivative by.
    """

    lines: list[NamedLine]
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
    needed = list(operations_in(program.outputs))
    forwards = set(operations_in([program.value, *program.conditions]))
    free = FreeNames(taken)
    names = _leaf_names(program, needed, free)
    preferred, derivatives = _preferred_names(program, forwards)
    used = {*preferred, *_with_a_line(program, needed), *filter(also, needed)}
    lines: list[NamedLine] = []
    sizes: dict[Symbol, int] = {}
    raising: set[Symbol] = set()  # those without a line whose text may raise an error

    def add_line(symbol: Symbol) -> None:
        names[symbol] = free(preferred.get(symbol, ""))
        lines.append((names[symbol], symbol))
        sizes[symbol] = 0
        raising.discard(symbol)

    for symbol in in_order(program, program.outputs):
        operands = symbols_of(symbol)
        if symbol.name == "where":  # its text computes one branch, and the graph computes both
            for x in operands:
                if x in raising:
                    add_line(x)
        sizes[symbol] = 1 + sum(sizes.get(x, 0) for x in operands)
        if symbol in used or sizes[symbol] > MOST_OPERATIONS:
            add_line(symbol)
        elif raises(symbol) or not raising.isdisjoint(operands):
            raising.add(symbol)
    forward = max((i for i, (_, x) in enumerate(lines, start=1) if x in forwards), default=0)
    derivatives = {x: by for x, by in derivatives.items() if x in names}
    return Lines(lines, forward, names, derivatives)


def _leaf_names(program: Program, needed: Iterable[Symbol], free: FreeNames) -> dict[Symbol, str]:
    """The names of the inputs, of the other leaves, and of what else is not an operation."""
    leaves = dict.fromkeys([*program.inputs, *program.others])
    names = {x: free(program.preferred_names.get(x, x.name)) for x in leaves}
    for x in needed:
        if not x.operands and x not in names:
            names[x] = free(x.name)
    return names


def _preferred_names(
    program: Program, forwards: set[Symbol]
) -> tuple[dict[Symbol, str], dict[Symbol, str]]:
    """The preferred names of operations, `dz` for the derivative by z; and what derivatives are by.
    What the forward pass computes is not named after its use in the backward pass."""
    names, derivatives = {}, {}
    for symbol, name in program.preferred_names.items():
        if not name.startswith(BY):
            names[symbol] = name
        elif symbol not in forwards:
            names[symbol], derivatives[symbol] = f"d{name[1:]}", name[1:]
    return names, derivatives


def _with_a_line(program: Program, needed: Iterable[Symbol]) -> set[Symbol]:
    """What has a line of its own because of where it is used."""
    uses = Counter(x for symbol in needed for x in symbols_of(symbol))
    used = {x for x in program.results if isinstance(x, Symbol)}
    used |= {x for x, times in uses.items() if times > 1}
    for symbol in needed:
        if symbol.name in REPEATING:
            used.update(symbols_of(symbol))
        if symbol.name == SUM_OVER_POINTS:
            used.add(symbol)
        if symbol in program.varying or symbol.name == SUM_OVER_POINTS:
            # what all points share is computed before them
            used.update(x for x in symbols_of(symbol) if x not in program.varying)
    return used
