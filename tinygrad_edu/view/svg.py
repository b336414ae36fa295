"""The graph as a still picture: SVG, with nothing needed but a browser to look at it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from tinygrad_edu.graph import Node
from tinygrad_edu.view.files import write_whole
from tinygrad_edu.view.layout import Box, Edge, place, spaced
from tinygrad_edu.view.reading import Card, Link, read, shown_text

if TYPE_CHECKING:
    from pathlib import Path

CARD_WIDTH, CARD_HEIGHT = 166, 72
CONSTANT_WIDTH, CONSTANT_HEIGHT = 64, 40
CIRCLE = 16
PILL_HEIGHT = 22.0
MARGIN, LEGEND = 26, 44

STYLE = """
svg{color-scheme:light dark;--bg:#f6f7f9;--panel:#fff;--soft:#eef1f5;--ink:#16202c;--mute:#5b6876;
--line:#c6ced7;--edge:#8b98a5;--val:#005fa3;--grad:#b64500;--gradbg:#fdeadd;
font-family:Inter,"Segoe UI",Roboto,Helvetica,Arial,sans-serif}
@media(prefers-color-scheme:dark){svg{--bg:#11161c;--panel:#19212a;--soft:#222c37;--ink:#e8edf2;
--mute:#9aa8b6;--line:#3a4653;--edge:#66788a;--val:#6db9f5;--grad:#ff9a57;--gradbg:#44260f}}
.bg{fill:var(--bg)}text{fill:var(--ink);white-space:pre}
.box{fill:var(--panel);stroke:var(--line);stroke-width:1.5}.leaf .box{fill:var(--soft)}
.constant .box{fill:none;stroke-dasharray:3 3}.root .box{stroke:var(--ink);stroke-width:2.2}
.name{font-weight:650;font-size:14px}.k{font-size:11.5px;fill:var(--mute)}
.v{fill:var(--val);font-weight:650;font-size:15px}.g{fill:var(--grad);font-weight:650;font-size:15px}
.op{fill:var(--panel);stroke:var(--ink);stroke-width:1.8}.opt{font-weight:600;text-anchor:middle}
.edge path{fill:none;stroke:var(--edge);stroke-width:1.8}
.pill{fill:var(--gradbg);stroke:var(--grad);stroke-width:1.2}
.pt{fill:var(--grad);font-size:12.5px;font-weight:600;text-anchor:middle}
"""


def to_svg(node: Node, path: str | Path | None = None) -> str:
    """The graph of a node as an SVG picture; with `path`, also written there, whole or not at all.

    Every node is a card with its name, value and gradient (a dot while it is not known), its
    operation in a circle; every edge shows the local derivative. Point at a card for all digits.
    Light or dark as the reader's system is. TypeError unless given a node.
    """
    if not isinstance(node, Node):
        raise TypeError(f"to_svg: expected a node, got {type(node).__name__}")
    cards, links = read(node)
    boxes = [
        Box(i, CONSTANT_WIDTH, CONSTANT_HEIGHT)
        if card.is_constant
        else Box(i, CARD_WIDTH, CARD_HEIGHT)
        for i, card in enumerate(cards)
    ]
    edges = [Edge(boxes[link.tail], boxes[link.head]) for link in links]
    width, height = place(boxes, edges)
    _meet_circles(edges, links)
    full_width = max(width + 2 * MARGIN + CIRCLE, 470)
    full_height = height + 2 * MARGIN + LEGEND
    name = shown_text(f"computation graph of {node.label or 'a node'}")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {full_width:g} {full_height:g}" '
        f'width="{full_width:g}" height="{full_height:g}" role="img" aria-label="{escape(name)}">',
        f"<title>{escape(name)}</title><style>{STYLE}</style>",
        f'<rect class="bg" width="{full_width:g}" height="{full_height:g}" rx="14"/>',
        f'<g transform="translate({MARGIN + CIRCLE / 2:g} {MARGIN})">',
        *(_draw_edge(edge) for edge in edges),
        *(_draw_card(card, box) for card, box in zip(cards, boxes, strict=True)),
        *(_draw_pill(link, x, y) for link, (x, y) in zip(links, _pill_places(edges), strict=True)),
        "</g>",
        _draw_legend(full_height - LEGEND / 2 - 4),
        "</svg>\n",
    ]
    text = "\n".join(part for part in parts if part)
    if path is not None:
        write_whole(path, text)
    return text


def _meet_circles(edges: list[Edge], links: list[Link]) -> None:
    """End the edges of one node one above the other, in operand order, at its circle."""
    arriving: dict[int, int] = {}
    for link in links:
        arriving[link.head] = max(arriving.get(link.head, 0), link.operand + 1)
    for edge, link in zip(edges, links, strict=True):
        x, y = edge.points[-1]
        n = arriving[link.head]
        spread = min(18.0, 44.0 / n)
        edge.points[-1] = (x - 13, y + (link.operand - (n - 1) / 2) * spread)


def _draw_edge(edge: Edge) -> str:
    (x, y), *rest = edge.points
    path = [f"M{x:.1f} {y:.1f}"]
    for x1, y1 in rest:
        middle = (x + x1) / 2
        path.append(
            f"L{x1:.1f} {y1:.1f}"
            if y == y1
            else f"C{middle:.1f} {y:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
        )
        x, y = x1, y1
    return f'<g class="edge"><path d="{"".join(path)}"/></g>'


def _pill_places(edges: list[Edge]) -> list[tuple[float, float]]:
    """Where the local derivatives stand: on the last curve of each edge, a little before its
    middle, and moved apart where they would cover one another."""
    t = 0.46
    wishes = []
    for edge in edges:
        (x0, y0), (x1, y1) = edge.points[-2:]
        # a point of the cubic curve whose control points lie at half the width
        x = (1 - t) ** 3 * x0 + 1.5 * (t * (1 - t)) * (x0 + x1) + t**3 * x1
        y = ((1 - t) ** 3 + 3 * (1 - t) ** 2 * t) * y0 + (3 * (1 - t) * t * t + t**3) * y1
        wishes.append((x, y))
    places = list(wishes)
    columns: dict[int, list[int]] = {}
    for i, (x, _) in enumerate(wishes):
        columns.setdefault(round(x), []).append(i)
    for column in columns.values():
        column.sort(key=lambda i: wishes[i][1])
        heights = [PILL_HEIGHT] * len(column)
        for i, y in zip(column, spaced(heights, [wishes[i][1] for i in column], 3), strict=True):
            places[i] = (wishes[i][0], y)
    return places


def _draw_pill(link: Link, x: float, y: float) -> str:
    if not link.derivative:
        return ""
    width = max(52, 8 * len(link.derivative) + 14)
    return (
        f'<rect class="pill" x="{x - width / 2:.1f}" y="{y - PILL_HEIGHT / 2:.1f}" '
        f'width="{width}" height="{PILL_HEIGHT:g}" rx="11"/>'
        f'<text class="pt" x="{x:.1f}" y="{y + 4.5:.1f}">{link.derivative}</text>'
    )


def _draw_card(card: Card, box: Box) -> str:
    kind = "constant" if card.is_constant else "leaf" if card.is_leaf else "inner"
    name = shown_text(card.name)
    tip = escape(f"{name}\n{card.detail}".strip())
    parts = [
        f'<g class="{kind}{" root" if card.is_root else ""}" '
        f'transform="translate({box.x:.1f} {box.y:.1f})"><title>{tip}</title>',
        f'<rect class="box" width="{box.width:g}" height="{box.height:g}" rx="12"/>',
    ]
    if card.is_constant:
        parts.append(f'<text class="v" x="{box.width / 2:g}" y="25" text-anchor="middle">'
                     f"{escape(card.value)}</text>")  # fmt: skip
        return "".join(parts) + "</g>"
    left = 14 if card.is_leaf else 28
    parts.append(f'<text class="name" x="{left}" y="21">{escape(shown_text(name, 17))}</text>')
    for label, x, css, number in (
        ("value", left, "v", card.value),
        ("gradient", 98, "g", card.gradient),
    ):
        parts.append(f'<text class="k" x="{x}" y="41">{label}</text>')
        parts.append(f'<text class="{css}" x="{x}" y="60">{escape(number)}</text>')
    if card.symbol:
        parts.append(_draw_operation(shown_text(card.symbol, 16), box.height / 2))
    return "".join(parts) + "</g>"


def _draw_operation(symbol: str, y: float) -> str:
    """The operation in a circle on the left side of its card; a longer name in a wider badge."""
    size = 19 if len(symbol) == 1 else 11.5
    width = max(2 * CIRCLE, 6.6 * len(symbol) + 14)
    left = -CIRCLE if width == 2 * CIRCLE else CIRCLE - 4 - width  # grows towards the operands
    return (
        f'<rect class="op" x="{left:g}" y="{y - CIRCLE:g}" width="{width:g}" '
        f'height="{2 * CIRCLE}" rx="{CIRCLE}"/><text class="opt" x="{left + width / 2:.1f}" '
        f'y="{y + size / 3:.1f}" font-size="{size}">{escape(symbol)}</text>'
    )


def _draw_legend(y: float) -> str:
    return (
        f'<g transform="translate({MARGIN} {y:.1f})">'
        '<text class="v" x="0" y="5">value →</text><text class="k" x="68" y="4">forward</text>'
        '<text class="g" x="134" y="5">← gradient</text>'
        '<text class="k" x="222" y="4">backward</text>'
        '<rect class="pill" x="292" y="-10" width="34" height="20" rx="10"/>'
        '<text class="pt" x="309" y="4.5">×2</text>'
        '<text class="k" x="332" y="4">local derivative</text></g>'
    )
