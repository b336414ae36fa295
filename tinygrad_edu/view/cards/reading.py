"""What a picture says about a graph, for every way of drawing it.

Cards and edges with their texts: names, values, gradients, local derivatives. Everything is read
from the nodes (`operands`, `rule`, `pullback`, `data`, `grad`, `label`); no rule is named here.
"""

from __future__ import annotations

import math
import unicodedata
import warnings
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context
from typing import Any

from tinygrad_edu.engine.errors import described
from tinygrad_edu.engine.graph import Node, check_unchanged, leaves_and_inner, topological_order
from tinygrad_edu.engine.pickling import run_again
from tinygrad_edu.rules.constants import quiet
from tinygrad_edu.view.cards.caller import label_or_variable

_FOUR_DIGITS = Context(prec=4, rounding=ROUND_HALF_UP)
UNKNOWN = "·"
"""What stands for a number that is not known yet; never 0."""


@dataclass
class Card:
    """One node, or one constant, as it is shown."""

    item: Any  # the node, or the plain number or array
    name: str
    value: str
    gradient: str
    symbol: str
    detail: str  # every digit, for a tooltip
    is_root: bool
    badge: str = ""  # the operation with its constants, such as "× 2"
    is_on_badge: bool = False  # a constant that the badge of its operation says

    @property
    def data(self) -> Any:
        """The number or array of the node, or the constant itself."""
        return self.item.data if isinstance(self.item, Node) else self.item

    @property
    def is_constant(self) -> bool:
        """Whether this is a plain number or array."""
        return not isinstance(self.item, Node)

    @property
    def is_leaf(self) -> bool:
        """Whether this is a node without operands."""
        return isinstance(self.item, Node) and not self.item.operands


@dataclass
class Link:
    """One operand of one node: the indices of their cards, and the local derivative between."""

    tail: int
    head: int
    operand: int
    derivative: str


def read(root: Node) -> tuple[list[Card], list[Link]]:
    """The cards of a graph, operands first, and the links between them.

    A constant gets a card of its own wherever it is used. Where it is a number beside an operator,
    the badge of the operation says it.
    """
    done = is_nonzero(root.grad)
    cards: list[Card] = []
    links: list[Link] = []
    place: dict[int, int] = {}
    for node in topological_order(root):
        tails: list[int | None] = [place.get(id(x)) for x in node.operands]
        for i, x in enumerate(node.operands):
            if tails[i] is None and _drawable(x):
                tails[i] = len(cards)
                cards.append(Card(x, "", four_digits(x), "", "", full(x), False))
        place[id(node)] = len(cards)
        cards.append(_card_of(node, node is root, done))
        cards[-1].badge = _badge(node.symbol, [None if k is None else cards[k] for k in tails])
        derivatives = local_derivatives(node)
        for i, tail in enumerate(tails):
            if tail is not None:
                links.append(Link(tail, place[id(node)], i, derivatives[i]))
    return cards, links


def local_derivatives(node: Node) -> list[str]:
    """∂node/∂operand for each operand as on its edge; empty unless both are single numbers."""
    if node.pullback is None or shape_of(node.data):
        return [""] * len(node.operands)
    shown = []
    with quiet():
        for operand, adjoint in zip(node.operands, _unit_adjoints(node), strict=True):
            if not isinstance(operand, Node) or shape_of(operand.data) or adjoint is None:
                shown.append("")
                continue
            try:
                shown.append("×" + four_digits(adjoint() if callable(adjoint) else adjoint))
            except (ArithmeticError, ValueError):
                shown.append(UNKNOWN)
    return shown


def _unit_adjoints(node: Node) -> tuple[Any, ...]:
    assert node.pullback is not None
    try:
        return node.pullback(ones_like(node.data))
    except (ArithmeticError, ValueError):  # there is no derivative, as of √x at 0
        return (lambda: 1 / 0,) * len(node.operands)


# --- Numbers and arrays, told apart by what only an array has: NumPy is not needed ---------------


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of an array; () for a number."""
    shape: tuple[int, ...] = getattr(x, "shape", ())
    return shape


def is_nonzero(x: Any) -> bool:
    """Whether a number or any element of an array differs from 0.

    For the gradient of a root it tells whether a backward pass started there: it is the seed then.
    """
    differs = x != 0
    return bool(differs.any() if shape_of(differs) else differs)


def ones_like(data: Any) -> Any:
    """1.0 for a number, an array of ones for an array."""
    if isinstance(data, float):
        return 1.0
    import numpy as np

    return np.ones_like(data)


def _card_of(node: Node, is_root: bool, done: bool) -> Card:
    known = done or is_nonzero(node.grad)
    detail = f"value {full(node.data)}\ngradient {full(node.grad) if known else 'not known yet'}"
    gradient = four_digits(node.grad) if known else UNKNOWN
    name = label_or_variable(node)
    return Card(node, name, four_digits(node.data), gradient, node.symbol, detail, is_root)


def warn_of_new_data(root: Node) -> None:
    """Warn if a node has new data since the forward pass: the picture would mix old and new."""
    for node in leaves_and_inner(root)[1]:
        try:
            check_unchanged(node, run_again(node.rule, node.operands)[0], f"{described(node)}: ")
        except (ArithmeticError, ValueError) as error:
            warnings.warn(f"the picture mixes old and new numbers: {error}", stacklevel=3)
            return


def _badge(symbol: str, operands: list[Card | None]) -> str:
    """An operator with the number before or after it, whose card is marked; any other symbol."""
    if len(operands) != 2 or any(c.isalpha() for c in symbol):
        return symbol
    words = [symbol]
    for i, card in enumerate(operands):
        if card is not None and card.is_constant and not shape_of(card.item):
            card.is_on_badge = True
            words.insert(2 * i, card.value)
    return " ".join(words)


def _drawable(x: Any) -> bool:
    return isinstance(x, float | int) or hasattr(x, "dtype")


def four_digits(x: Any) -> str:
    """A number with four significant digits, or all of those of its whole part up to seven; an
    array by its shape."""
    if shape := shape_of(x):
        return " × ".join(map(str, shape))
    number = float(x) + 0.0  # + 0.0 makes 0 of −0
    if 9999.5 <= abs(number) < 1e7:
        text = f"{math.copysign(math.floor(abs(number) + 0.5), number):.0f}"
    else:  # a tie is rounded away from 0, as JavaScript does
        rounded = float(_FOUR_DIGITS.create_decimal_from_float(number))
        text = f"{rounded if math.isfinite(rounded) else number:.4g}"
    return text.replace("-", "−")


def full(x: Any) -> str:
    """A number with all its digits; an array by its shape and dtype."""
    if shape := shape_of(x):
        return f"of shape {shape}, {x.dtype}"
    return repr(float(x))


def shown_text(text: str, limit: int | None = None) -> str:
    """A user's text fit to be shown: control characters made visible, one line, cut at `limit`.

    Marks that turn the direction of writing are dropped: they would disturb what stands beside
    the name.
    """
    out = []
    for c in text:
        kind = unicodedata.category(c)
        if c in "\n\r\t" or kind in ("Zl", "Zp"):  # U+2028 and U+2029 end lines too
            out.append(" ")
        elif kind in ("Cc", "Cs", "Cn", "Co"):
            out.append("\ufffd")
        elif kind != "Cf":
            out.append(c)
    line = "".join(out)
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"
