"""What the page's lens shows of operations on arrays: their cells, and what each depends on.

How a cell depends on the operands comes from the rule itself: its pullback on the adjoint that is
1 at that cell and 0 elsewhere is a row of the rule's derivative matrix.
"""

from __future__ import annotations

import math
from typing import Any

from tinygrad_edu.engine.graph import sweep
from tinygrad_edu.rules.constants import quiet
from tinygrad_edu.view.cards.listing import identifiers
from tinygrad_edu.view.cards.reading import Card, four_digits, ones_like, read, shown_text
from tinygrad_edu.view.cards.seen import Seen

MOST_CELLS, MOST_PRODUCTS, MOST_TERMS = 600, 60_000, 3000
"""The most cells of an array that travel; and how much work and how many local derivatives an
operation may need before its cells have no written-out sums."""
MOST_ROWS, MOST_COLUMNS = 20, 30
"""Of a larger array so many rows and columns travel, evenly spaced."""


def lens_data(root: Any, seen: Seen) -> dict[str, Any] | None:
    """The arrays of a graph and the operations on them; None for a graph of numbers."""
    if isinstance(root.data, float):
        return None
    cards, links = (seen.cards, seen.links) if seen.opened is None else read(root)
    tails: list[list[int]] = [[] for _ in cards]
    for link in sorted(links, key=lambda link: link.operand):
        tails[link.head].append(link.tail)
    with quiet():
        try:
            adjoints = sweep(root, ones_like(root.data), lambda x: x.pullback)  # type: ignore[arg-type, return-value]
        except (ArithmeticError, ValueError):
            adjoints = {}
    place = {id(card.item): i for i, card in enumerate(seen.cards)}
    elements = {id(tensor): cells for tensor, cells in seen.opened.elements} if seen.opened else {}
    arrays = []
    for card, name in zip(cards, identifiers(cards), strict=True):
        array = _cells_of(card, name, None if card.is_constant else adjoints.get(card.item))
        cells = elements.get(id(card.item))
        if cells is not None and cells.size <= MOST_CELLS:
            array["cards"] = [place.get(id(x), -1) for x in cells.flat]
        elif not card.is_constant and not elements:
            array["card"] = place[id(card.item)]
        arrays.append(array)
    operations = [
        {"out": i, "operands": tails[i], "symbol": shown_text(card.symbol, 16),
         "rows": derivative_rows(card.item)}
        for i, card in enumerate(cards)
        if not card.is_constant and not card.is_leaf
    ]  # fmt: skip
    return {"arrays": arrays, "operations": operations} if operations else None


def derivative_rows(node: Any) -> list[list[list[Any]]] | None:
    """For each cell of a node its local derivatives that are not 0, as [operand, cell, number].

    None where there would be too many, where the pullback refuses, or where not all cells of an
    array are shown: a sum would name cells that are not there.
    """
    import numpy as np

    from tinygrad_edu.engine.tensor import Tensor

    data = [np.asarray(getattr(x, "data", x), float) for x in node.operands]
    size = math.prod(node.shape)
    sizes = [size, *(x.size for x in data)]
    if size * sum(sizes[1:]) > MOST_PRODUCTS or max(sizes) > MOST_CELLS:
        return None
    rows, count = [], 0
    with quiet():
        try:
            pullback = node.rule(*data)[1]
            for place in range(size):
                unit = np.zeros(size)
                unit[place] = 1.0
                adjoints = pullback(unit.reshape(node.shape))
                row = []
                for k, (x, adjoint) in enumerate(zip(data, adjoints, strict=True)):
                    adjoint = adjoint() if callable(adjoint) else adjoint
                    if adjoint is not None:
                        local = np.ravel(Tensor(x)._fit(np.asarray(adjoint)))
                        row += [[k, int(i), _seven_digits(local[i])] for i in np.flatnonzero(local)]
                rows.append(row)
                count += len(row)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            return None
    return rows if count <= MOST_TERMS else None


def _cells_of(card: Card, name: str, gradient: Any) -> dict[str, Any]:
    """The cells of an array, all of them or evenly spaced ones, row after row."""
    import numpy as np

    item = np.asarray(card.data)
    table = item.reshape(-1, item.shape[-1]) if item.ndim > 1 else item.reshape(1, -1)
    rows, columns = (np.arange(n) for n in table.shape)
    if item.size > MOST_CELLS:
        rows = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).astype(int))
        columns = np.unique(
            np.linspace(0, len(columns) - 1, min(len(columns), MOST_COLUMNS)).astype(int)
        )
    found: dict[str, Any] = {
        "name": shown_text(name, 40),
        "kind": "data" if card.is_constant else "leaf" if card.is_leaf else "node",
        "shape": list(item.shape),
        "text": four_digits(item),
        "rows": rows.tolist(),
        "columns": columns.tolist(),
        "v": [_seven_digits(x) for x in table[np.ix_(rows, columns)].flat],
    }
    if gradient is not None:
        taken = np.reshape(gradient, table.shape)[np.ix_(rows, columns)]
        found["g"] = [_seven_digits(x) for x in taken.flat]
    return found


def _seven_digits(x: Any) -> Any:
    """A number with seven digits, as JSON can hold it."""
    value = float(f"{float(x):.7g}")
    return value if math.isfinite(value) else str(value)
