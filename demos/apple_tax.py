"""Apples, oranges and tax: every number and every derivative of a small sum, on one picture.

python demos/apple_tax.py        prints two tables, writes apple_tax.svg and apple_tax.html here
"""

from tinygrad_edu import Node, Value, to_html, to_svg, topological_order

RANGES = {"apple": (0, 300, 1), "apple_count": (0, 10, 1), "orange": (0, 300, 1),
          "orange_count": (0, 10, 1), "tax": (1, 1.5, 0.01)}  # fmt: skip


def one_fruit() -> Node:
    """Two apples at 100, with 10 % tax."""
    apple, count = Value(100, "apple"), Value(2, "apple_count")
    tax = Value(1.1, "tax")
    price = apple * count * tax
    price.label = "price"
    return price


def two_fruits() -> Node:
    """Two apples at 100 and three oranges at 150, with 10 % tax."""
    apple, apple_count = Value(100, "apple"), Value(2, "apple_count")
    orange, orange_count = Value(150, "orange"), Value(3, "orange_count")
    tax = Value(1.1, "tax")
    apple_price = apple * apple_count
    orange_price = orange * orange_count
    subtotal = apple_price + orange_price
    price = subtotal * tax
    apple_price.label, orange_price.label = "apple_price", "orange_price"
    subtotal.label, price.label = "subtotal", "price"
    return price


def print_table(title: str, price: Node) -> None:
    """The value and gradient of every named node, with all their digits."""
    print(f"{title}\n{'node':14} {'value':>20} {'gradient':>20}")
    for node in topological_order(price):
        if node.label:
            print(f"{node.label:14} {node.data:>20} {node.grad:>20}")
    print()


if __name__ == "__main__":
    for title, price in (("apple, tax", one_fruit()), ("apples, oranges, tax", two_fruits())):
        price.backward()
        print_table(title, price)
    to_svg(price, "apple_tax.svg")
    to_html(price, "apple_tax.html", title="Apples, oranges and tax", ranges=RANGES)
    print("picture: apple_tax.svg; interactive page: apple_tax.html (open them in a browser)")
