"""Exercises on the page: what is right, computed here, and what wrong answers are called."""

import math

import page_in_node
import pytest
from page_in_node import open_page

from tinygrad_edu import Stop, Value, to_html
from tinygrad_edu.view.page.lessons import lesson_data

javascript = page_in_node.javascript

ANSWER = """(() => {
  const v = forward(graph, new Map());
  const page = { graph, ...rebuilt(graph, new Set()), numbers: { v, ...backward(graph, v) } };
  const ask = { value: valueAnswer, local: localAnswer, gradient: gradientAnswer };
  const { card, link, kind } = about;
  return typed.map((x) => judged(x, ask[kind](page, card ?? link)));
})()"""


def three_paths():
    """y = tanh(w x + x) x at w = 1.5, x = 0.5."""
    w, x = Value(1.5, "w"), Value(0.5, "x")
    wx = w * x
    wx.label = "wx"
    s = wx + x
    s.label = "s"
    t = s.tanh()
    t.label = "t"
    y = t * x
    y.label = "y"
    return y


def answers(javascript, root, question, *typed):
    """What is said to each typed number, and whether it is right."""
    page = open_page(root)
    [asked] = lesson_data(page.data, [question], [])["ask"]
    found = javascript(page, ANSWER, about=asked, typed=list(typed))
    return [(answer["text"].replace("−", "-"), answer["isRight"]) for answer in found]


T = math.tanh(1.25)
SLOPE = 1 - T * T
PATHS = (0.5 * SLOPE * 1.5, 0.5 * SLOPE, T)  # through wx, s and y


@pytest.mark.parametrize(
    ("question", "typed", "said"),
    [
        (("value", "y"), 0.5 * T, "Right"), (("value", "y"), T + 0.5, "That is t + x"),
        (("value", "y"), T / 0.5, "That is t ÷ x"), (("value", "y"), -0.5 * T, "the sign is not"),
        (("value", "y"), T, "That is t, which goes in"),
        (("value", "t"), T, "Right"), (("value", "t"), SLOPE, "the slope of tanh"),
        (("value", "t"), 1.25, "That is s"), (("value", "t"), 0.5, "the gradient of t"),
        (("value", "t"), 0.77, "Not quite"), (("value", "t"), math.nan, "Type a number"),
        (("local", "y", "t"), 0.5, "Right"), (("local", "y", "t"), T, "∂y/∂x"),
        (("local", "y", "t"), -0.5, "the sign is not"), (("local", "y", "t"), 2.0, "upside down"),
        (("local", "t", "s"), SLOPE, "Right"), (("local", "t", "s"), 1.25, "the value of s"),
        (("local", "t", "s"), SLOPE / 2, "times the gradient of t"),
        (("gradient", "x"), sum(PATHS), "Right"),
        (("gradient", "x"), PATHS[0] / 1.5, "one path only, the one through s"),
        (("gradient", "x"), T, "one path only, the one through y"),
        (("gradient", "x"), PATHS[1] + T, "through wx was left out"),
        (("gradient", "x"), sum(PATHS) - 2 * T, "through y has the wrong sign"),
        (("gradient", "x"), math.prod(PATHS), "those were multiplied"),
        (("gradient", "x"), 1.5 + 1 + T, "what arrives was left out"),
        (("gradient", "x"), SLOPE + 1, "the local derivatives were left out"),
        (("gradient", "x"), sum(PATHS) / 3, "their mean"),
        (("gradient", "x"), -sum(PATHS), "the sign is not"), (("gradient", "x"), 9.0, "Not quite"),
        (("gradient", "s"), 0.5 * SLOPE, "Right"),
        (("gradient", "s"), SLOPE, "the gradient that arrives was left out"),
    ],
)  # fmt: skip
def test_answers_and_mistakes(javascript, question, typed, said):
    [(text, is_right)] = answers(javascript, three_paths(), question, typed)
    assert said in text
    assert is_right == said.startswith("Right")


def test_a_factor_left_out_and_operands_the_wrong_way_round(javascript):
    x = Value(3.0, "x")
    c = x**4.0
    c.label = "c"
    texts = answers(javascript, c, ("local", "c", "x"), 108.0, 27.0)
    assert texts[0] == ("Right: 108.", True)
    assert "A factor of 4 was left out" in texts[1][0]
    d = x - Value(5.0, "b")
    d.label = "d"
    texts = answers(javascript, d, ("value", "d"), -2.0, 8.0)
    assert [text for text, _ in texts] == [
        "Right: -2.",
        "That is x + b, but this node is made by -.",
    ]
    q = x / Value(4.0, "b")
    q.label = "q"
    [(text, _)] = answers(javascript, q, ("value", "q"), 4 / 3)
    assert "the wrong way round" in text


def test_an_order_is_any_in_which_nothing_waits(javascript):
    y = three_paths()
    data = open_page(y).data
    place = {card["name"]: i for i, card in enumerate(data["cards"])}
    waits = "orders.map(([i, sent]) => waitsFor(graph, i, sent))"
    orders = [("t", []), ("t", ["y"]), ("wx", ["y", "t"]), ("wx", ["y", "t", "s"]), ("y", [])]
    asked = [[place[name], [place[x] for x in sent]] for name, sent in orders]
    found = javascript(open_page(y), waits, orders=asked)
    assert found == [place["y"], -1, place["s"], -1, -1]


def test_a_false_pill_is_never_right(javascript):
    roots = [three_paths(), Value(0.0, "x") * 1.0, Value(1.0, "x") * 1.0, Value(2.0, "x") ** 2.0]
    x = Value(2.0, "x")
    roots += [x * x, x.relu(), (x * 0.0).exp()]
    code = """(() => {
      const v = forward(graph, new Map());
      const numbers = { v, ...backward(graph, v) };
      return graph.links.flatMap((_, k) => (numbers.local[k] === null ? []
        : [[falsePill({ graph, numbers }, k).x, numbers.local[k]]]));
    })()"""
    for root in roots:
        for false, right in javascript(open_page(root), code):
            assert abs(false - right) > 5e-3 * max(abs(false), abs(right))


# --- what an author writes -----------------------------------------------------------------------


def test_names_become_cards_and_links():
    data = open_page(three_paths()).data
    place = {card["name"]: i for i, card in enumerate(data["cards"])}
    found = lesson_data(
        data,
        [("value", "t"), ("local", "y", "x"), ("gradient", "x"), "order", "falsified"],
        [Stop("Look."), Stop("Here.", step=10, select="x", ask=("falsified", "s", "wx"))],
    )
    link = [k for k, (tail, head, _) in enumerate(data["links"]) if tail == place["x"]]
    assert found["ask"] == [
        {"kind": "value", "card": place["t"]},
        {"kind": "local", "link": link[-1]},
        {"kind": "gradient", "card": place["x"]}, {"kind": "order"}, {"kind": "falsified"},
    ]  # fmt: skip
    assert found["stops"][0] == {"text": "Look.", "step": None}
    assert found["stops"][1]["select"] == f"card:{place['x']}"
    assert data["links"][found["stops"][1]["ask"]["link"]][:2] == [place["wx"], place["s"]]


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"ask": [("value", "tt")]}, ValueError, r"ask\[0\]: no node is called 'tt'; there are t"),
        ({"ask": [("value", "x")]}, ValueError, "'x' is an input, which is not computed"),
        ({"ask": [("gradient", "y")]}, ValueError, "'y' is the output, whose gradient is always 1"),
        ({"ask": ["order", ("local", "t", "x")]}, ValueError,
         r"ask\[1\]: 't' is not made from 'x'; it is made from s"),
        ({"ask": [("local", "x", "t")]}, ValueError, "it is an input"),
        ({"ask": [("local", "t")]}, ValueError, 'should be \\("local", "t", "s"\\)'),
        ({"ask": [("slope", "t")]}, ValueError, "is not a question; write one of"),
        ({"ask": [()]}, ValueError, "is not a question"),
        ({"ask": [3]}, TypeError, "expected a question"),
        ({"ask": "order"}, TypeError, "expected a list of questions"),
        ({"stops": Stop("x")}, TypeError, "expected a list, such as"),
        ({"stops": ["x"]}, TypeError, r"stops\[0\]: expected a Stop, not str"),
        ({"stops": [Stop("x", step=11)]}, ValueError, "no step 11; this page has steps 0 to 10"),
        ({"stops": [Stop("x", step=-1)]}, ValueError, "no step -1"),
        ({"stops": [Stop("x", select="q")]}, ValueError, r"stops\[0\]: no node is called 'q'"),
        ({"stops": [Stop("x", ask=("value", "q"))]}, ValueError, r"stops\[0\].ask: no node"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path, given, error, said):
    with pytest.raises(error, match=said):
        to_html(three_paths(), tmp_path / "page.html", **given)
    assert list(tmp_path.iterdir()) == []


def test_a_stop_is_checked_when_it_is_made():
    for wrong in ({"text": ""}, {"text": 3}, {"text": "x", "step": 1.0},
                  {"text": "x", "step": True}, {"text": "x", "select": 0}):  # fmt: skip
        with pytest.raises(TypeError, match="Stop: "):
            Stop(**wrong)


def test_twins_long_orders_and_graphs_that_are_not_drawn_are_refused():
    a, b = Value(1.0, "a"), Value(2.0, "a")
    with pytest.raises(ValueError, match="2 nodes are called 'a'; give them different labels"):
        to_html(a * b, ask=[("gradient", "a")])
    x = Value(1.0, "x")
    for _ in range(13):
        x = x * 2.0
    with pytest.raises(ValueError, match="2 to 12 operations, not 13"):
        to_html(x, ask=["order"])
    for _ in range(1500):
        x = x + 1.0
    with pytest.raises(ValueError, match="too large to be drawn"):
        to_html(x, ask=["falsified"])
