"""Tensors on the page: opened as scalars, or as Python recorded them."""

import numpy as np
import page_in_node
import pytest
from page_in_node import open_page
from test_page_data import in_page, tensor

from tinygrad_edu import Tensor, nn, rule, to_html

javascript = page_in_node.javascript


def test_a_tensor_graph_with_too_many_constants_is_drawn_closed():
    x = tensor(20, 20, label="x")
    data = in_page(to_html((x * np.ones((20, 20))).sum()))
    assert data["drawn"]
    assert len(data["cards"]) == 4


def test_an_opened_tensor_has_its_elements_its_shape_and_its_dtype():
    x = Tensor(np.array([[1, 2, 3], [4, 5, 6]], np.float32), "x")
    data = in_page(to_html((x * 2).sum()))
    modules = {module["name"]: module for module in data["modules"]}
    assert modules["x"]["array"] == "2 × 3 float32"
    names = [data["cards"][i]["name"] for i in modules["x"]["elements"]]
    assert names == [f"x[{i}, {j}]" for i in (0, 1) for j in (0, 1, 2)]
    assert [data["cards"][i]["v"] for i in modules["x"]["elements"]] == [1, 2, 3, 4, 5, 6]
    assert data["live"]
    assert data["still"] == ""
    tensors = {m for m, module in enumerate(data["modules"]) if "elements" in module}
    assert tensors <= set(data["folded"])


def test_a_root_of_several_elements_is_summed_and_says_so():
    for root in (tensor(2, 2) * 2, tensor(2), tensor(50, 50) @ tensor(50, 50)):
        assert "the sum of all elements" in in_page(to_html(root))["still"]


def test_constant_arrays_labels_and_single_numbers(javascript):
    x = tensor(2, 3)
    for root in (
        (x * np.ones(3)).sum(),
        (x * np.arange(3)).sum(),
        nn.cross_entropy(x, np.array([0, 2])),
        Tensor(3.0, "s"),
        Tensor(3.0, "s") * 2,
        x[0] * x[1],
    ):
        page = open_page(root)
        assert page.data["live"]
        in_page(to_html(root))
        v = javascript(page, "forward(graph, new Map())")
        assert v[-1] == pytest.approx(float(root.data.sum()))


def test_empty_arrays_have_a_page_too(javascript):
    for root in (
        tensor(0, 3),
        tensor(0, 3) * 2,
        (tensor(0, 3) * 2).sum(),
        tensor(0, 3).sum(axis=0),
    ):
        page = open_page(root)
        in_page(to_html(root))
        assert page.data["drawn"]
        assert javascript(page, "forward(graph, new Map())")[-1] in (0, None)
        assert [card["name"] for card in page.data["cards"] if card["kind"] == "leaf"] == ["t"]


def test_a_tensor_graph_too_large_to_open_shows_what_python_recorded(javascript):
    x, w, s = tensor(40, 50, label="x"), tensor(50, 40, label="w"), Tensor(2.0, "s")
    loss = (x @ w * s).tanh().mean() + s * s
    page = open_page(loss)  # before any backward pass
    assert page.data["drawn"]
    assert not page.data["live"]
    assert "too large" in page.data["still"]
    loss.backward()
    for card, node in zip(page.data["cards"], page.nodes, strict=True):
        if node is None or node.shape == ():
            continue
        assert card["array"] == f"{node.shape[0]} × {node.shape[1]} float64"
        for key, array in (("v", node.data), ("g", node.grad)):
            smallest, mean, largest = card["stats"][key]
            assert (smallest, largest) == (array.min(), array.max())
            assert mean == pytest.approx(array.mean())
    found = javascript(page, """(() => {
      const { view, steps } = rebuilt(graph, new Set());
      const { g, sent } = backward(graph, forward(graph, new Map()));
      return { g, known: knownAfter(graph, view, steps, steps.length - 1, sent) };
    })()""")  # fmt: skip
    for i, node in enumerate(page.nodes):
        if node is not None and node.shape == ():
            assert found["g"][i] == pytest.approx(float(node.grad))
            assert found["known"]["gradient"][i] == pytest.approx(float(node.grad))
    assert all(found["known"]["complete"])


def test_numbers_of_arrays_do_not_move():
    """Also where every rule has a formula of numbers, as multiplication has."""
    assert in_page(to_html(tensor(50, 50) * 2))["live"] is False


def test_a_rule_that_scalars_cannot_run_says_so():
    @rule("det")
    def determinant(x, /):
        """The determinant of a matrix."""
        y = np.linalg.det(x)
        return y, lambda g, x=x, y=y: (g * y * np.linalg.inv(x).T,)

    data = in_page(to_html(determinant(Tensor([[3.0, 1.0], [2.0, 4.0]], "x"))))
    assert not data["live"]
    assert "determinant" in data["still"]
    assert "too large" not in data["still"]
    assert data["recorded"]["g"] == [None, 1]


def test_a_tensor_that_opens_but_cannot_move_shows_what_python_recorded(javascript):
    x = Tensor([0.3, -0.5], "x")
    page = open_page(x.erf().sum())
    assert "erf" in page.data["still"]
    page.root.backward()
    g = javascript(page, "backward(graph, forward(graph, new Map())).g")
    named = {card["name"]: g[i] for i, card in enumerate(page.data["cards"])}
    assert "x[1]" not in named or [named["x[0]"], named["x[1]"]] == x.grad.tolist()
