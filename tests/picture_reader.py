"""What a reader sees in a picture, and graphs to draw."""

import xml.etree.ElementTree as ET
from collections import namedtuple

from hypothesis import strategies as st

from tinygrad_edu import Value, topological_order

SVG = "{http://www.w3.org/2000/svg}"
UNKNOWN = "·"
Card = namedtuple("Card", "kind tip name value gradient symbol")
TEXTS = {"name": "name", "value": "v", "gradient": "g", "symbol": "opt"}  # classes in the file
OPERATIONS = [
    lambda x, y: x + y,
    lambda x, y: y - x,
    lambda x, y: x * y,
    lambda x, _: x.tanh(),
]


def parsed(svg):
    return ET.fromstring(svg.encode("utf-8"))


def main_part(svg):
    """The drawing without its legend."""
    return parsed(svg).find(f"{SVG}g")


def cards(svg):
    """The cards as a reader sees them, in the order of the file."""
    found = []
    for group in main_part(svg).findall(f"{SVG}g"):
        if group.get("class") not in ("edge", "pill", "pt"):
            shown = {t.get("class"): t.text or "" for t in group.findall(f"{SVG}text")}
            texts = {k: shown.get(c, "") for k, c in TEXTS.items()}
            found.append(Card(group.get("class"), group.findtext(f"{SVG}title"), **texts))
    return found


def card(svg, name):
    (found,) = (c for c in cards(svg) if c.name == name)
    return found


def derivatives(svg):
    """What stands on the edges, in the order of the file."""
    return [t.text for t in main_part(svg).findall(f"{SVG}g[@class='pt']/{SVG}text")]


def edge_count(svg):
    return len(main_part(svg).findall(f"{SVG}g[@class='edge']/{SVG}path"))


def operand_count(root):
    return sum(len(node.operands) for node in topological_order(root))


def apple_and_tax():
    apple, count, tax = Value(100, "apple"), Value(2, "count"), Value(1.1, "tax")
    price = apple * count * tax
    price.label = "price"
    return price


@st.composite
def graphs(draw):
    """A root over a few leaves, with constants and numbers used again."""
    nodes = [Value(draw(st.floats(-2, 2)), f"x{i}") for i in range(draw(st.integers(1, 3)))]
    for _ in range(draw(st.integers(1, 8))):
        x = draw(st.sampled_from(nodes))
        y = draw(st.sampled_from([*nodes, 2.0, 0.5, 2.0]))
        nodes.append(draw(st.sampled_from(OPERATIONS))(x, y))
    return nodes[-1]
