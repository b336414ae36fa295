"""A tanh neuron whose input is used three times: three paths, one gradient.

python demos/neuron.py           prints the sum over the paths and writes neuron.html here
"""

from ready import ready

from tinygrad_edu import Value, group, to_html


def neuron() -> tuple[Value, dict[str, Value]]:
    """y = tanh(w * x + x) * x, and its nodes by name."""
    x, w = Value(0.5, "x"), Value(1.5, "w")
    with group("neuron"):  # folds into one node on the page
        wx = w * x
        s = wx + x
        t = s.tanh()
    y = t * x
    nodes = {"x": x, "w": w, "wx": wx, "s": s, "t": t, "y": y}
    for name, node in nodes.items():
        node.label = name
    return y, nodes


def paths_of_x(nodes: dict[str, Value]) -> list[tuple[str, float]]:
    """Each way from x to y as text, and the product of its local derivatives."""
    x, w, t = nodes["x"].data, nodes["w"].data, nodes["t"].data
    tanh_slope = 1 - t * t
    return [
        ("dy/dt · dt/ds · ds/dwx · dwx/dx", x * tanh_slope * 1.0 * w),
        ("dy/dt · dt/ds · ds/dx", x * tanh_slope * 1.0),
        ("dy/dx", t),
    ]


if __name__ == "__main__":
    ready()
    y, nodes = neuron()
    y.backward()
    for name, node in nodes.items():
        print(f"{name:3} value {node.data:>20}  gradient {node.grad:>20}")
    print("\nthe gradient of x is a sum over paths:")
    paths = paths_of_x(nodes)
    for text, product in paths:
        print(f"  {text:32} {product:>20}")
    print(f"  {'sum':32} {sum(product for _, product in paths):>20}")
    to_html(y, "neuron.html", title="One input, three paths")
    print("interactive page: neuron.html (open it in a browser)")
