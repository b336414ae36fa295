"""The lens of the page: what each cell of an operation on arrays depends on, against NumPy."""

import numpy as np
import page_in_node
import pytest
from page_in_node import open_page

from tinygrad_edu import Tensor, nn, rules
from tinygrad_edu.view.page.tensor_lens import MOST_CELLS, derivative_rows

javascript = page_in_node.javascript
X = np.array([[0.126, -0.132, 0.640], [0.105, -0.536, 0.362]])
W = np.array([[1.304, 0.947], [-0.704, -1.265], [-0.623, 0.041]])

LENS = """(() => {
  const view = visibleUnits(graph, new Set(graph.folded));
  const state = { inputs: new Map(moved) };
  const v = forward(graph, state.inputs);
  const page = { graph, view, state, numbers: { v, ...backward(graph, v) } };
  page.known = { value: v.map(() => true), complete: v.map(() => true) };
  const operation = graph.lens.operations[at];
  page.lens = { cell: { which, cell } };
  const lit = new Set();
  return { text: lensSentence(page, operation, lit), lit: [...lit].sort(),
    row: which < 0 ? lensRow(page, operation, cell) : null };
})()"""


def softmax_layer():
    weight, bias = Tensor(W, "W"), Tensor([0.1, 0.2], "b")
    product = X @ weight
    product.label = "Z"
    loss = nn.cross_entropy(product + bias, [0, 1])
    loss.label = "loss"
    return loss


def test_a_cell_of_a_product_writes_its_sum_and_lights_row_and_column(javascript):
    found = javascript(open_page(softmax_layer()), LENS, at=0, which=-1, cell=1, moved=[])
    assert found["lit"] == ["0:0", "0:1", "0:2", "1:1", "1:3", "1:5"]
    assert found["text"].startswith("Z[0, 1] = 0.126 × 0.947 + −0.132 × −1.265 + 0.64 × 0.041 = ")
    assert found["text"].endswith(f"{X[0] @ W[:, 1]:.7g}")


def test_a_gradient_is_the_sum_over_the_samples(javascript):
    scores = X @ W + [0.1, 0.2]
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    g = (p - np.eye(2)) / 2
    found = javascript(open_page(softmax_layer()), LENS, at=0, which=1, cell=4, moved=[])
    assert found["lit"] == ["-1:0", "-1:2"]
    assert f"0.64 × {g[0, 0]:.4g}".replace("-", "−") in found["text"]
    assert found["text"].endswith(f"= {X[:, 2] @ g[:, 0]:.7g}".replace("-", "−"))


def test_sums_move_with_the_inputs(javascript):
    page = open_page(softmax_layer())
    [card] = [i for i, one in enumerate(page.data["cards"]) if one["name"] == "W[0, 1]"]
    found = javascript(page, LENS, at=0, which=-1, cell=1, moved=[[card, 2.0]])
    assert found["text"].endswith(f"= {X[0] @ [2.0, *W[1:, 1]]:.7g}")


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x.relu(),
        lambda x: x + Tensor([1.0, 2.0, 3.0]),
        lambda x: x.sum(axis=0),
        lambda x: x.mean(),
        lambda x: x.max(axis=1),
        lambda x: x.T,
        lambda x: x.reshape(3, 2),
        lambda x: x[:, [0, 0, 2]],
        lambda x: rules.stack(x, x * x),
        lambda x: rules.softmax(x),
        lambda x: rules.where(X > 0, x, 0.0),
        lambda x: rules.cumsum(x, axis=1),
        lambda x: rules.maximum(x, 0.1),
    ],
)
def test_local_derivatives_of_cells_are_those_of_differences(make):
    x = Tensor(X, "x")
    node = make(x)
    operands = [np.asarray(getattr(one, "data", one), float) for one in node.operands]
    rows = derivative_rows(node)
    h = 1e-6
    for k, operand in enumerate(operands):
        if operand.size == 0 or not isinstance(node.operands[k], Tensor):
            continue
        for i in range(operand.size):
            ends = []
            for step in (h, -h):
                moved = [one.copy() for one in operands]
                moved[k].flat[i] += step
                ends.append(np.ravel(node.rule(*moved)[0]))
            difference = (ends[0] - ends[1]) / (2 * h)
            mine = [sum(d for a, b, d in row if (a, b) == (k, i)) for row in rows]
            assert mine == pytest.approx(difference.tolist(), abs=1e-6)


def test_a_step_of_a_784_50_10_network_stays_small():
    pixels = np.random.default_rng(0).normal(size=(32, 784))
    loss = nn.cross_entropy(nn.MLP(784, [50, 10], rng=0)(pixels), np.arange(32) % 10)
    lens = open_page(loss).data["lens"]
    assert all(len(array["v"]) <= MOST_CELLS for array in lens["arrays"])
    assert lens["operations"][0]["rows"] is None
    first = next(array for array in lens["arrays"] if array["shape"] == [32, 784])
    table = np.array(first["v"]).reshape(len(first["rows"]), -1)
    assert table == pytest.approx(pixels[np.ix_(first["rows"], first["columns"])], rel=1e-6)


def test_no_sum_is_written_where_cells_are_left_out():
    from tinygrad_edu.view.page.tensor_lens import derivative_rows

    assert derivative_rows(Tensor(np.ones((20, 30))).mean()) is not None
    assert derivative_rows(Tensor(np.ones((20, 31))).mean()) is None
