"""The curve of the output along one node: its numbers against `math`, its gaps, its kinks."""

import math

import page_in_node
import pytest
from page_in_node import open_page

from tinygrad_edu import Value, maximum

javascript = page_in_node.javascript

CURVE = """(() => {
  const card = graph.cards.findIndex((one) => one.name === name);
  const v = forward(graph, new Map());
  const f = outputAlong(graph, new Map(), card);
  const seen = windowAround(v[card], zoom);
  let count = 0;
  const counted = (x) => { count += 1; return f(x); };
  return { ...curveOf(counted, seen, v[graph.root]), ...seen, count };
})()"""


def curve(javascript, root, name="x", zoom=1):
    return javascript(open_page(root), CURVE, name=name, zoom=zoom)


def test_the_curve_of_an_input_and_of_an_inner_node(javascript):
    x, w = Value(0.5, "x"), Value(1.5, "w")
    s = w * x + x
    s.label = "s"
    y = s.tanh() * x
    for name, f in {
        "x": lambda x: math.tanh(1.5 * x + x) * x,
        "w": lambda w: math.tanh(w * 0.5 + 0.5) * 0.5,
        "s": lambda s: math.tanh(s) * 0.5,  # x stays as it is
    }.items():
        found = curve(javascript, y, name)
        [piece] = found["pieces"]
        for at, height in piece:
            assert height == pytest.approx(f(at), rel=1e-12)
        xs = [at for at, _ in piece]
        assert xs == sorted(set(xs))
        assert (xs[0], xs[-1]) == (found["low"], pytest.approx(found["high"]))
        assert found["bottom"] < min(y for _, y in piece)
        assert max(y for _, y in piece) < found["top"]


@pytest.mark.parametrize(
    ("function", "x", "ends"),
    [
        (lambda x: x.log(), 0.5, [(0, 2)]),  # the left end of a domain
        (lambda x: (1.0 - x * x).sqrt(), 0.5, [(-1, 1)]),  # both ends of a domain
        (lambda x: 1 / x, 0.7, [(-0.8, 0), (0, 2.2)]),  # a pole
        (lambda x: 1 / (x - 0.1234567), 0.5, [(-1, 0.1234567), (0.1234567, 2)]),
        (lambda x: 1 / (x * (x - 1.0)), 0.5, [(-1, 0), (0, 1), (1, 2)]),
        (lambda x: x.tan(), 0.0, [(-1.5, 1.5)]),  # close to its poles, which are outside
    ],
)
def test_poles_and_ends_of_domains_are_gaps(javascript, function, x, ends):
    found = curve(javascript, function(Value(x, "x")))
    drawn = [(piece[0][0], piece[-1][0]) for piece in found["pieces"]]
    assert drawn == [pytest.approx(end, abs=0.04) for end in ends]
    for piece in found["pieces"]:
        assert all(math.isfinite(y) for _, y in piece)
    domain_ends = [end for end in (found["pieces"][0][0][0],) if end > found["low"]]
    assert all(function(Value(end)).data == pytest.approx(0, abs=1e3) for end in domain_ends)


def test_a_jump_is_a_gap_and_a_steep_slope_is_not(javascript):
    x = Value(0.3, "x")
    steep = curve(javascript, (x * 1e6).tanh())
    assert len(steep["pieces"]) == 1
    x = Value(0.3, "x")
    jump = curve(javascript, abs(x - 0.1) / (x - 0.1))
    assert [piece[-1][1] for piece in jump["pieces"]] == [-1, 1]


def test_a_corner_is_drawn_sharp(javascript):
    x = Value(0.2, "x")
    [piece] = curve(javascript, maximum(x * 2.0, 1.0 - x))["pieces"]
    corner = min(piece, key=lambda point: point[1])
    assert corner == [pytest.approx(1 / 3, abs=1e-3), pytest.approx(2 / 3, abs=2e-3)]


@pytest.mark.parametrize("x", [0.0, 1e-300, 1e6, -3e300, 1.7e308, math.nan, math.inf])
def test_extreme_places(javascript, x):
    found = curve(javascript, Value(x, "x") * 1.0)
    assert found["count"] < 1300
    finite = math.isfinite(x)
    assert len(found["pieces"]) == finite
    assert found["bottom"] < found["top"] or not finite


def test_what_is_rough_takes_no_more_time_than_it_may(javascript):
    x = Value(1.0, "x")
    assert curve(javascript, (x * 1e5).sin())["count"] < 3000
