"""The lines of a program of columns, by when they run: what all points share runs once."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinygrad_edu.programs.generated import TAKEN
from tinygrad_edu.programs.lines import NamedLine, lines_of
from tinygrad_edu.programs.symbols import (
    SUM_OVER_POINTS,
    Expression,
    Symbol,
    operations_in,
    symbols_of,
)
from tinygrad_edu.programs.trace import Program


@dataclass
class ColumnLines:
    """The lines that run before the points, at every point, for each sum over the points, and after
    them. Leaves are `columns` or `numbers`; of the results, some are `varying` from point to point,
    and the others are `steady`."""

    names: dict[Symbol, str]
    columns: list[Symbol]
    numbers: list[Symbol]
    varying: list[Symbol]
    steady: list[Expression]
    before: list[NamedLine] = field(default_factory=list)
    points: list[NamedLine] = field(default_factory=list)
    sums: list[NamedLine] = field(default_factory=list)
    after: list[NamedLine] = field(default_factory=list)


def column_lines(program: Program) -> ColumnLines:
    """What all points share runs before them, and what needs a sum over them after them."""
    lines, leaves = lines_of(program, TAKEN), [*program.inputs, *program.others]
    parts = ColumnLines(
        lines.names,
        [x for x in program.inputs if x in program.varying],
        [x for x in leaves if x not in program.varying],
        [x for x in program.results if isinstance(x, Symbol) and x in program.varying],
        [x for x in program.results if not (isinstance(x, Symbol) and x in program.varying)],
    )
    late: set[Symbol] = set()
    for symbol in operations_in([symbol for _, symbol in lines.lines]):
        if symbol.name == SUM_OVER_POINTS or not late.isdisjoint(symbols_of(symbol)):
            late.add(symbol)
    for line in lines.lines:
        symbol = line[1]
        if symbol in program.varying:
            parts.points.append(line)
        elif symbol.name == SUM_OVER_POINTS:
            parts.sums.append(line)
        else:
            (parts.after if symbol in late else parts.before).append(line)
    return parts
