"""What a picture says about a graph, whatever it is drawn with.

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

import numpy as np

from tinygrad_edu.engine.graph import (
    Node,
    check_unchanged,
    described,
    leaves_and_inner,
    topological_order,
)
from tinygrad_edu.engine.pickling import run_again

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
    is_leaf: bool
    is_constant: bool
    is_root: bool


@dataclass
class Link:
    """One operand of one node: the indices of their cards, and the local derivative between."""

    tail: int
    head: int
    operand: int
    derivative: str


def read(root: Node) -> tuple[list[Card], list[Link]]:
    """The cards of a graph, operands first, and the links between them.

    A constant gets a card of its own wherever it is used.
    """
    done = _backward_ran(root)
    cards: list[Card] = []
    links: list[Link] = []
    place: dict[int, int] = {}
    for node in topological_order(root):
        tails: list[int | None] = [place.get(id(x)) for x in node.operands]
        for i, x in enumerate(node.operands):
            if tails[i] is None and _drawable(x):
                tails[i] = len(cards)
                cards.append(Card(x, "", short(x), "", "", full(x), False, True, False))
        place[id(node)] = len(cards)
        cards.append(_card(node, node is root, done))
        derivatives = local_derivatives(node)
        for i, tail in enumerate(tails):
            if tail is not None:
                links.append(Link(tail, place[id(node)], i, derivatives[i]))
    return cards, links


@np.errstate(all="ignore")
def local_derivatives(node: Node) -> list[str]:
    """∂node/∂operand for each operand as shown on its edge; empty where it is no single number."""
    if node.pullback is None or np.shape(node.data) != ():
        return [""] * len(node.operands)
    shown = []
    for operand, adjoint in zip(node.operands, _unit_adjoints(node), strict=True):
        if not isinstance(operand, Node) or np.shape(operand.data) != () or adjoint is None:
            shown.append("")
            continue
        try:
            shown.append("×" + short(adjoint() if callable(adjoint) else adjoint))
        except (ArithmeticError, ValueError):
            shown.append(UNKNOWN)
    return shown


def _unit_adjoints(node: Node) -> tuple[Any, ...]:
    assert node.pullback is not None
    one = 1.0 if isinstance(node.data, float) else np.ones_like(node.data)
    try:
        return node.pullback(one)
    except (ArithmeticError, ValueError):  # no derivative here, as of √x at 0
        return (lambda: 1 / 0,) * len(node.operands)


def _card(node: Node, is_root: bool, done: bool) -> Card:
    known = done or bool(np.any(np.asarray(node.grad) != 0))
    is_leaf = not node.operands
    detail = f"value {full(node.data)}\ngradient {full(node.grad) if known else 'not known yet'}"
    gradient = short(node.grad) if known else UNKNOWN
    value = short(node.data)
    return Card(node, node.label, value, gradient, node.symbol, detail, is_leaf, False, is_root)


def _backward_ran(root: Node) -> bool:
    """Whether a backward pass started here: its seed is then the root's gradient."""
    return bool(np.any(np.asarray(root.grad) != 0))


def warn_of_new_data(root: Node) -> None:
    """Warn if a node has new data since the forward pass: the picture would mix old and new."""
    for node in leaves_and_inner(root)[1]:
        try:
            check_unchanged(node, run_again(node.rule, node.operands)[0], f"{described(node)}: ")
        except (ArithmeticError, ValueError) as error:
            warnings.warn(f"the picture mixes old and new numbers: {error}", stacklevel=3)
            return


def _drawable(x: Any) -> bool:
    return isinstance(x, float | int | np.ndarray)


def short(x: Any) -> str:
    """A number with four significant digits, or all of those of its whole part up to seven; an
    array by its shape."""
    if np.shape(x) != ():
        return " × ".join(map(str, np.shape(x)))
    number = float(x) + 0.0  # + 0.0 makes 0 of −0
    if 9999.5 <= abs(number) < 1e7:
        text = f"{math.copysign(math.floor(abs(number) + 0.5), number):.0f}"
    else:  # a tie is rounded away from 0, as JavaScript does
        rounded = float(_FOUR_DIGITS.create_decimal_from_float(number))
        text = f"{rounded if math.isfinite(rounded) else number:.4g}"
    return text.replace("-", "−")


def full(x: Any) -> str:
    """A number with all its digits; an array by its shape and dtype."""
    if np.shape(x) != ():
        return f"of shape {np.shape(x)}, {np.asarray(x).dtype}"
    return repr(float(x))


def shown_text(text: str, limit: int | None = None) -> str:
    """A user's text fit to be shown: control characters made visible, one line, cut at `limit`.

    Marks that turn the direction of writing are dropped, so that a name cannot disturb what
    stands beside it.
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
