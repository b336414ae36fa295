"""The graph as a still picture: SVG, with nothing needed but a browser to look at it."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any, overload

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.view.cards.caller import variables_as_names
from tinygrad_edu.view.cards.folding import Foldable, find_modules
from tinygrad_edu.view.cards.reading import (
    UNKNOWN,
    Card,
    Link,
    read,
    shape_of,
    shown_text,
    warn_of_new_data,
)
from tinygrad_edu.view.cards.strips import bars, strip
from tinygrad_edu.view.layout.arrange import Arrangement, Point, arrange
from tinygrad_edu.view.layout.pills import PILL_HEIGHT
from tinygrad_edu.view.layout.plan import paths_of, plan
from tinygrad_edu.view.picture.style import look, opening
from tinygrad_edu.view.targets import Target, check_node, checked_path, deliver

if TYPE_CHECKING:
    from pathlib import Path

CARD_WIDTH, CARD_HEIGHT = 166.0, 72.0
TENSOR_WIDTH, TENSOR_HEIGHT = 196.0, 104.0
CONSTANT_WIDTH, CONSTANT_HEIGHT = 64.0, 40.0
CIRCLE = 16.0
GRADIENT_LEFT = 70.0
"""How far the gradient stands right of the value."""
CORNER = 6.0
"""Of a line on its way to another row."""
STRIP_LEFT, STRIP_WIDTH, BAR = 54.0, 96.0, 9.0
"""Where a strip begins right of its name, its width, the height of the highest bar."""
LONGEST_BADGE = 16
ROOM = 1600.0
"""A wider picture is drawn in rows."""
MARGIN, LEGEND, LEGEND_WIDTH = 26.0, 44.0, 470.0
MOST_OPEN, MOST_CARDS = 300, 1500
"""Above so many cards modules are folded; above so many that are still seen nothing is drawn."""


@overload
def to_svg(node: Node, path: None = None) -> str: ...
@overload
def to_svg(node: Node, path: Target) -> Path: ...
def to_svg(node: Node, path: Target | None = None) -> str | Path:
    """The graph of a node as an SVG picture; with `path`, write it there and return the path.

    Every node is a card with its name, value and gradient (a dot while it is not known), its
    operation in a circle; every edge shows the local derivative. Modules stand in frames; above
    300 cards they are folded. Point at a card to see all digits. TypeError unless given a node,
    ValueError for more than 1500 cards, or for a path that ends in anything but .svg. A file is
    written atomically.
    """
    check_node(node, "to_svg")
    file = checked_path(path, "to_svg")
    warn_of_new_data(node)
    with variables_as_names(node):
        cards, links = read(node)
    modules, module_of = find_modules(cards, links)
    is_large = len(cards) > MOST_OPEN
    folded = {m for m, module in enumerate(modules) if module.outer < 0} if is_large else set()
    return deliver(draw(cards, links, modules, module_of, folded, cards[-1].name), file)


def draw(
    cards: Sequence[Card],
    links: Sequence[Link],
    modules: Sequence[Foldable],
    module_of: Sequence[int],
    folded: set[int],
    label: str = "",
) -> str:
    """The picture of cards and links, with some modules folded; `label` is the name of its root.

    ValueError if more than 1500 cards would be seen.
    """
    outer = [module.outer for module in modules]
    paths = paths_of(module_of, outer)
    _refuse_crowds(paths, folded)
    placed = arrange(
        plan(links, module_of, outer, {i for i, card in enumerate(cards) if card.is_on_badge}),
        [card_size(card) for card in cards],
        folded,
        [pill_width(link.derivative) for link in links],
        outer,
        module_of,
        links,
        room=ROOM,
    )
    counts = Counter(
        m for card, path in zip(cards, paths, strict=True) if card.symbol for m in path
    )
    frames, drawn = [], []
    for (kind, i), box in placed.boxes.items():
        if kind == "card":
            around = [modules[m].name for m in paths[i][1:]]
            drawn.append(_draw_card(cards[i], name_inside(cards[i].name, around), box))
        elif i in folded:
            drawn.append(_draw_folded(modules[i].name, counts[i], box))
        else:
            frames.append(_draw_frame(modules[i].name, box))
    width = max(placed.width + 2 * MARGIN + CIRCLE, LEGEND_WIDTH)
    height = placed.height + 2 * MARGIN + LEGEND
    parts = [
        opening(width, height, escape(shown_text(f"computation graph of {label or 'a node'}"))),
        f'<g transform="translate({MARGIN + CIRCLE / 2:g} {MARGIN:g})">',
        *frames,
        *_draw_edges(placed),
        *drawn,
        *_draw_pills([link.derivative for link in links], placed.pills),
        "</g>",
        _draw_legend(height - LEGEND / 2 - 4),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _refuse_crowds(paths: Sequence[Sequence[int]], folded: set[int]) -> None:
    seen = sum(not any(m in folded for m in around) for around in paths) + len(folded)
    if seen > MOST_CARDS:
        raise ValueError(
            f"to_svg: {seen} cards are more than the {MOST_CARDS} that a reader can look at; "
            'put parts into modules (with group("name"):), which are drawn folded, draw a smaller '
            "example, or give to_dot to a program for large graphs"
        )


# --- Sizes; the page uses the same ---------------------------------------------------------------


def is_array(card: Card) -> bool:
    """Whether a card shows an array, by its shape, and not one number."""
    return shape_of(card.data) != ()


def badge_width(badge: str) -> float:
    """The width of the badge that holds an operation: a circle up to three characters."""
    symbol = shown_text(badge, LONGEST_BADGE)
    return 2 * CIRCLE if len(symbol) <= 3 else 6.6 * len(symbol) + 14


def card_size(card: Card) -> tuple[float, float] | None:
    """The width and height of a card, wider where its badge is long; None if it is not drawn."""
    if card.is_on_badge:
        return None
    if card.is_constant:
        return max(CONSTANT_WIDTH, math.ceil(8.6 * len(card.value) + 20)), CONSTANT_HEIGHT
    extra = badge_width(card.badge) - 2 * CIRCLE
    if is_array(card):
        return TENSOR_WIDTH + extra, TENSOR_HEIGHT
    return CARD_WIDTH + extra, CARD_HEIGHT


def pill_width(derivative: str) -> float:
    """The width of the pill that holds a local derivative; 0 where there is none."""
    return min(max(44.0, 7.2 * len(derivative) + 14), 101.0) if derivative else 0.0


def number_size(text: str) -> float:
    """The font size at which a number fits into its half of a card, 62 wide."""
    return {8: 13.5, 9: 12.5, 10: 11.5}.get(len(text), 15.0 if len(text) < 8 else 11.0)


def name_inside(name: str, around: Sequence[str]) -> str:
    """A name without those of the modules around it: `w0` for `layers.0.w0` inside `layers.0`."""
    for module in around:
        if name.startswith(f"{module}."):
            name = name[len(module) + 1 :]
    return name


def fitted(text: str, width: float) -> str:
    """A name cut so that it fits into a width at 14 px, bold."""
    room, taken = width, 0
    for c in text:
        wide = unicodedata.east_asian_width(c) in "WF"
        room -= 14.0 if wide else 12.5 if c in "mwMW@%" else 10.0 if c.isupper() else 7.6
        if room < 0:
            return text[: max(taken - 1, 1)] + "…"
        taken += 1
    return text


# --- Parts ---------------------------------------------------------------------------------------


def route_path(points: Sequence[Point]) -> str:
    """The path of an edge: level pieces, curves that leave and arrive level, and on the way to
    another row pieces straight down, with round corners."""
    (x, y), *rest = points
    path = [f"M{x:.1f} {y:.1f}"]
    for k, (x1, y1) in enumerate(rest):
        x2, y2 = rest[k + 1] if k + 1 < len(rest) else (math.nan, math.nan)
        if x == x1 and y != y1:
            r = math.copysign(min(CORNER, abs(y1 - y) / 2), y1 - y)
            on = x1 if math.isnan(x2) else x1 + math.copysign(CORNER, x2 - x1)
            path.append(f"Q{x1:.1f} {y:.1f} {x1:.1f} {y + r:.1f}V{y1 - r:.1f}")
            path.append(f"Q{x1:.1f} {y1:.1f} {on:.1f} {y1:.1f}")
        elif y != y1:
            middle = (x + x1) / 2
            path.append(f"C{middle:.1f} {y:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}")
        elif x2 == x1 and y2 != y:
            path.append(f"H{x1 - math.copysign(CORNER, x1 - x):.1f}")
        elif y2 != y1:  # else the level piece goes on
            path.append(f"H{x1:.1f}")
        x, y = x1, y1
    return "".join(path)


def _draw_edges(placed: Arrangement) -> list[str]:
    lines = [f'<path d="{route_path(piece)}"/>' for piece in placed.pieces().values()]
    return [f'<g class="edge"{look("edge")}>', *lines, "</g>"] if lines else []


def _draw_pills(derivatives: Sequence[str], places: Sequence[Point | None]) -> list[str]:
    """All outlines, then all numbers: attributes that they share are written once."""
    outlines, numbers = [], []
    for derivative, place in zip(derivatives, places, strict=True):
        if place is not None:
            (x, y), width = place, pill_width(derivative)
            outlines.append(
                f'<rect x="{x - width / 2:.1f}" y="{y - PILL_HEIGHT / 2:.1f}" width="{width:.1f}" '
                f'height="{PILL_HEIGHT:g}" rx="11"/>'
            )
            numbers.append(f'<text x="{x:.1f}" y="{y + 4.2:.1f}">{derivative}</text>')
    if not outlines:
        return []
    return [
        *(f'<g class="pill"{look("pill")}>', *outlines, "</g>"),
        *(f'<g class="pt"{look("pt")}>', *numbers, "</g>"),
    ]


Rectangle = tuple[float, float, float, float]


def _draw_frame(name: str, box: Rectangle) -> str:
    x, y, width, height = box
    shown = escape(fitted(shown_text(name), width - 24))
    return (
        f'<rect class="frame" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="14"{look("frame")}/>{_text("title", x + 14, y + 21, shown)}'
    )


def _text(css: str, x: float, y: float, shown: str, more: str = "") -> str:
    """A text with the looks of a class; `shown` is escaped already."""
    return f'<text class="{css}" x="{_at(x)}" y="{_at(y)}"{look(css)}{more}>{shown}</text>'


def _at(x: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{x:.1f}".removesuffix(".0")


def _box(around: str, width: float, height: float, more: str = "") -> str:
    """The outline of a card."""
    size = f'width="{width:g}" height="{height:g}" rx="12"'
    return f'<rect class="box" {size}{more}{look("box", around)}/>'


def _draw_folded(name: str, count: int, box: Rectangle) -> str:
    x, y, width, height = box
    name = shown_text(name)
    operations = f"folded, {count} operation{'s' * (count != 1)}"
    below = ' x="4" y="4"'
    return (
        f'<g class="folded" transform="translate({x:.1f} {y:.1f})">'
        f"<title>{escape(name)}\n{operations}</title>"
        f"{_box('folded', width, height, below)}{_box('folded', width, height)}"
        f"{_text('name', 16, 32, escape(fitted(name, width - 28)))}"
        f"{_text('k', 16, 52, operations)}</g>"
    )


def _draw_card(card: Card, name: str, box: Rectangle) -> str:
    x, y, width, height = box
    kind = "constant" if card.is_constant else "leaf" if card.is_leaf else "inner"
    kind += " root" if card.is_root else ""
    tip = escape(f"{shown_text(card.name)}\n{card.detail}".strip())
    parts = [
        f'<g class="{kind}" transform="translate({x:.1f} {y:.1f})"><title>{tip}</title>',
        _box(kind, width, height),
    ]
    if card.is_constant:
        middle = f'{look("v", "constant")} text-anchor="middle"'
        parts.append(f'<text class="v" x="{width / 2:g}" y="25"{middle}>'
                     f"{escape(card.value)}</text></g>")  # fmt: skip
        return "".join(parts)
    left = 28 + badge_width(card.badge) - 2 * CIRCLE if card.badge else 14.0
    if name := shown_text(name):
        parts.append(_text("name", left, 21, escape(fitted(name, width - left - 10))))
    parts += _array_parts(card, left) if is_array(card) else _number_parts(card, left)
    if card.badge:
        parts.append(_draw_operation(shown_text(card.badge, LONGEST_BADGE), height / 2))
    return "".join(parts) + "</g>"


def _number_parts(card: Card, left: float) -> list[str]:
    parts = []
    for label, x, css, number in (
        ("value", left, "v", card.value),
        ("gradient", left + GRADIENT_LEFT, "g", card.gradient),
    ):
        size = f' font-size="{number_size(number):g}"'
        parts += [_text("k", x, 41, label), _text(css, x, 60, escape(number), size)]
    return parts


def _array_parts(card: Card, left: float) -> list[str]:
    """Shape and dtype of an array, and strips of its values and of its gradient."""
    data = card.data
    parts = [_text("k", left, 38, escape(fitted(f"{card.value} {data.dtype}", 165)))]
    known = card.gradient != UNKNOWN
    for label, y, css, array in (
        ("value", 59.0, "v", data),
        ("gradient", 83.0, "g", card.item.grad if known else None),
    ):
        parts.append(_text("k", left, y + 4, label))
        if array is None:
            parts.append(_text(css, left + STRIP_LEFT, y + 5, UNKNOWN, ' font-size="15"'))
        else:
            parts.append(_draw_strip(array, css, left + STRIP_LEFT, y))
    return parts


def _draw_strip(array: Any, css: str, x: float, y: float) -> str:
    """Bars up for positive numbers and down for negative ones; a cell that is nan is a cross."""
    path = []
    heights = bars(strip(array))
    cell = min(STRIP_WIDTH / max(len(heights), 1), 12.0)
    for i, height in enumerate(heights):
        at = x + i * cell
        if math.isnan(height):
            path.append(f"M{at:g} {y - 4:g}h1l2 8h-1zm2 0h1l-2 8h-1z")
        elif height:
            path.append(f"M{at:g} {y:g}h{cell - 1:g}v{-BAR * height:.1f}h{1 - cell:g}z")
    css = f"bar {css}"
    return (
        f'<path class="axis" d="M{x:g} {y:g}h{STRIP_WIDTH - 1:g}"{look("axis")}/>'
        f'<path class="{css}" d="{"".join(path) or "M0 0"}"{look(css)}/>'
    )


def _draw_operation(symbol: str, y: float) -> str:
    """The operation in a circle on the left side of its card; a longer name in a wider badge."""
    size = 19 if len(symbol) == 1 else 11.5
    width = badge_width(symbol)
    text = _text("opt", width / 2 - CIRCLE, y + size / 3, escape(symbol), f' font-size="{size}"')
    return (
        f'<rect class="op" x="{-CIRCLE:g}" y="{y - CIRCLE:g}" width="{width:g}" '
        f'height="{2 * CIRCLE:g}" rx="{CIRCLE:g}"{look("op")}/>{text}'
    )


def _draw_legend(y: float) -> str:
    large = ' font-size="15"'
    parts = [
        _text("v", 0, 5, "value →", large), _text("k", 68, 4, "forward"),
        _text("g", 134, 5, "← gradient", large), _text("k", 222, 4, "backward"),
        f'<rect class="pill" x="292" y="-10" width="34" height="20" rx="10"{look("pill")}/>',
        _text("pt", 309, 4.5, "×2"), _text("k", 332, 4, "local derivative"),
    ]  # fmt: skip
    return f'<g transform="translate({MARGIN:g} {y:.1f})">{"".join(parts)}</g>'
