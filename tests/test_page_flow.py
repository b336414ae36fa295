"""Where the gradient flows: what vanishes, what is dead or saturated, and where it is lost."""

import math

import page_in_node
import pytest
from page_in_node import open_page

from tinygrad_edu import Tensor, Value, maximum, nn

javascript = page_in_node.javascript

PAGE = """(() => {
  const place = (name) => graph.cards.findIndex((card) => card.name === name);
  const v = forward(graph, new Map(inputs.map(([name, x]) => [place(name), x])));
  const page = { graph, ...rebuilt(graph, new Set()), numbers: { v, ...backward(graph, v) } };
  return %s;
})()"""


def found(javascript, root, **moved):
    """The sentences, each with the node that it leads to, with some inputs moved."""
    expression = PAGE % (
        "findings(page).map(({ key, values, card }) => [word(key, values), graph.cards[card].name])"
    )
    rows = javascript(open_page(root), expression, inputs=list(moved.items()))
    return [[text.replace("−", "-"), card] for text, card in rows]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_a_vanishing_gradient_is_factored(javascript):
    x = Value(2.0, "x")
    y, at, product = x, 2.0, 1.0
    for _ in range(6):
        y, at = y.sigmoid(), sigmoid(at)
        product *= at * (1 - at)
    assert found(javascript, y) == [
        [
            f"The gradient vanishes on its way to x: 6 × about ×{product ** (1 / 6):.4g} = "
            f"{product:.4g}.",
            "x",
        ]
    ]


def test_an_exploding_gradient_is_factored(javascript):
    x = Value(1.0, "x")
    y = x
    for _ in range(8):
        y = y * 3.0 + 0.0  # the factors of 1 are not counted
    assert found(javascript, y) == [
        ["The gradient explodes on its way to x: 8 × about ×3 = 6561.", "x"]
    ]
    assert found(javascript, x * 3.0) == []


@pytest.mark.parametrize(
    ("function", "x", "kind"),
    [
        (lambda x: x.relu(), -0.5, "off"), (lambda x: x.relu(), 0.5, ""),
        (lambda x: maximum(x, 0.0), -0.5, "off"), (lambda x: maximum(0.0, x), -0.5, "off"),
        (lambda x: x.tanh(), 4.0, "saturated"), (lambda x: x.tanh(), 40.0, "saturated"),
        (lambda x: x.tanh(), 1.0, ""), (lambda x: x.sigmoid(), -8.0, "saturated"),
        (lambda x: x.clip(-1.0, 1.0), 2.0, "saturated"),
        (lambda x: x.leaky_relu(0.01), -1.0, ""), (lambda x: x * x, 0.0, ""),
        (lambda x: x * 0.0, 1.0, ""), (lambda x: x.sin(), math.pi / 2, ""),
        (lambda x: x.log(), 1e6, ""), (lambda x: abs(x), 0.0, ""), (lambda x: 1e-9 * x, 1.0, ""),
        (lambda x: x.softplus(), -9.0, "saturated"),
    ],
)  # fmt: skip
def test_dead_and_saturated_units(javascript, function, x, kind):
    y = function(Value(x, "x"))
    y.label = "unit"
    sentences = [text for text, _ in found(javascript, y + 1.0)]
    assert len(sentences) == bool(kind)
    for text in sentences:
        assert f"is {kind}: unit." in text


def test_units_are_counted_by_operation(javascript):
    x = Value(1.0, "x")
    hidden = [(x * w).relu() for w in (-3.0, 2.0, -1.0, 4.0)] + [(x * 9.0).tanh()]
    for i, h in enumerate(hidden):
        h.label = f"h{i}"
    texts = found(javascript, hidden[0] + hidden[1] + hidden[2] + hidden[3] + hidden[4])
    assert [text.split(":")[0] for text, _ in texts] == [
        "2 of 4 ReLU are off", "1 of 1 tanh is saturated",
    ]  # fmt: skip
    assert "h0, h2." in texts[0][0]
    assert [card for _, card in texts] == ["h0", "h4"]


def test_the_first_number_that_is_not_finite(javascript):
    x, z = Value(1.0, "x"), Value(2.0, "z")
    bad = x.log()
    bad.label = "l"
    [[text, card]] = found(javascript, (bad * z).exp() + x, x=-1.0)
    assert (text, card) == ("l = log(x) = nan is the first number that is not finite.", "l")
    [[text, card]] = found(javascript, Value(math.inf, "x") * z)
    assert (text, card) == ("The input x is inf.", "x")


def test_the_first_gradient_that_is_not_finite(javascript):
    x, z = Value(0.0, "x"), Value(3.0, "z")
    root = x.sqrt()
    root.label = "r"
    [[text, card]] = found(javascript, root * z)
    assert (text, card) == ("The gradient is lost on the way from r to x: 3 × inf = inf.", "x")


def test_the_profile_has_the_largest_gradient_of_each_depth(javascript):
    x, w = Value(0.5, "x"), Value(-1.5, "w")
    s = w * x
    s.label = "s"
    y = s.tanh() * x
    y.label = "y"
    y.backward()
    profile = javascript(
        open_page(y),
        PAGE % "depthProfile(page).map(({ size, card }) => [graph.cards[card].name, size])",
        inputs=[],
    )
    tanh = math.tanh(-0.75)
    assert [name for name, _ in profile][-2:] == ["s", "x"]
    largest = [1, 0.5, 0.5 * (1 - tanh**2), abs(tanh + 0.5 * -1.5 * (1 - tanh**2))]
    assert [size for _, size in profile] == pytest.approx(largest)


def test_arrays_go_by_their_largest_element(javascript):
    W = Tensor([[1.0, 0.0, -2.0]] * 70, "W")  # too large to be opened as scalars
    loss = nn.cross_entropy(W * 1e6, [0] * 70)
    loss.backward()
    sizes = javascript(
        open_page(loss),
        PAGE % 'graph.cards.map((card, i) => [card.name, sizeOf(page, i, "g")])',
        inputs=[],
    )
    assert dict(sizes)["W"] == pytest.approx(abs(W.grad).max())
    W.data[3, 1] = math.nan
    [[text, _]] = found(javascript, nn.cross_entropy(W * 1.0, [0] * 70))
    assert text == "The input W is nan."
