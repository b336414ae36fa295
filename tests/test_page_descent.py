"""Steps of gradient descent on the page, against descent written here in plain Python."""

import math

import page_in_node
import pytest
from page_in_node import open_page

from tinygrad_edu import Value

javascript = page_in_node.javascript

WALK = """(() => {
  let inputs = new Map();
  const found = [];
  for (let n = 0; n < count; n++) {
    const v = forward(graph, inputs);
    const plan = planStep(graph, { v, ...backward(graph, v) }, rate);
    inputs = inputsAfter(graph, inputs, plan.rows);
    const after = forward(graph, inputs)[graph.root];
    found.push([plan.before, plan.forecast, after, ...plan.rows.map((row) => row.after)]);
  }
  return found;
})()"""


def loss(w, b):
    """A small regression: three samples, one tanh."""
    return sum((math.tanh(w * x + b) - y) ** 2 for x, y in ((0.5, 0.2), (-1.0, 0.4), (2.0, 0.9)))


def slope(function, at, i):
    """A central difference."""
    h = 1e-6
    low, high = list(at), list(at)
    low[i] -= h
    high[i] += h
    return (function(*high) - function(*low)) / (2 * h)


def test_steps_are_gradient_descent(javascript):
    w, b = Value(0.3, "w"), Value(-0.1, "b")
    samples = ((0.5, 0.2), (-1.0, 0.4), (2.0, 0.9))
    terms = [((w * x + b).tanh() - y) ** 2 for x, y in samples]
    page = open_page(terms[0] + terms[1] + terms[2])
    at, rate = [0.3, -0.1], 0.2
    for before, forecast, after, *inputs in javascript(page, WALK, count=25, rate=rate):
        gradient = [slope(loss, at, i) for i in range(2)]
        assert before == pytest.approx(loss(*at), rel=1e-9)
        assert forecast == pytest.approx(loss(*at) - rate * sum(g * g for g in gradient), rel=1e-6)
        at = [x - rate * g for x, g in zip(at, gradient, strict=True)]
        assert inputs == pytest.approx(at, rel=1e-7)
        assert after == pytest.approx(loss(*at), rel=1e-7)
        at = inputs
    assert loss(*at) < 0.7 * loss(0.3, -0.1)


def test_a_line_keeps_its_promise_and_a_valley_does_not(javascript):
    x, y = Value(2.0, "x"), Value(5.0, "y")
    [[before, forecast, after, *inputs]] = javascript(
        open_page(3.0 * x - y), WALK, count=1, rate=0.5
    )
    assert (before, forecast, after, inputs) == (1.0, -4.0, -4.0, [0.5, 5.5])
    x = Value(2.0, "x")
    [[before, forecast, after, *_]] = javascript(open_page(x * x), WALK, count=1, rate=1.25)
    assert (before, forecast, after) == (4.0, -16.0, 9.0)  # the line promised a fall


def test_no_step_where_a_gradient_is_not_a_number(javascript):
    x = Value(0.0, "x")
    plan = """(() => {
      const v = forward(graph, new Map());
      return planStep(graph, { v, ...backward(graph, v) }, 0.1);
    })()"""
    assert javascript(open_page(x.sqrt()), plan) is None
    assert javascript(open_page(Value(1e308, "x") * 1e308), plan) is None


@pytest.mark.parametrize(
    ("x", "factor", "rate"),
    [(0.5, 2.0, 0.1), (1.1, 200.0, 1e-3), (100.0, 200.0, 0.1), (0.0, 1e9, 1e-10), (1.0, 0.0, 0.1)],
)
def test_the_first_rate_moves_no_input_by_more_than_half(javascript, x, factor, rate):
    expression = """(() => {
      const v = forward(graph, new Map());
      return firstRate(graph, { v, ...backward(graph, v) });
    })()"""
    found = javascript(open_page(Value(x, "x") * factor), expression)
    assert found == pytest.approx(rate)
    assert found * factor <= 0.5 * max(1.0, x)


def test_what_a_step_left_is_known_again(javascript):
    x, y = Value(2.0, "x"), Value(1.0, "y")
    assert javascript(
        open_page(x * y),
        """(() => {
          const left = inputsAfter(graph, new Map([[0, 3]]),
            [{ i: 0, after: 2 }, { i: 1, after: 0.25 }]);
          return [[...left], isAfterStep(left, { left }), isAfterStep(new Map(), { left }),
            isAfterStep(new Map([[1, 0.5]]), { left }), isAfterStep(left, undefined)];
        })()""",
    ) == [[[1, 0.25]], True, False, False, False]
