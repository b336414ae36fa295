"""The local derivatives on the edges do not cover one another."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Value, to_svg
from tinygrad_edu.view.layout.heights import spaced

PILLS = re.compile(r'<g class="pill".*?</g>', re.S)
RECT = re.compile(r'<rect x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)"')


@given(st.lists(st.tuples(st.floats(1, 50), st.floats(-500, 500)), max_size=12), st.floats(0, 30))
def test_spaced_keeps_order_and_gaps_and_moves_nothing_that_fits(things, gap):
    heights, wishes = [h for h, _ in things], sorted(y for _, y in things)
    middles = spaced(heights, wishes, gap)
    edges = list(zip(heights, middles, strict=True))
    for (h0, y0), (h1, y1) in pairwise(edges):
        assert y1 - y0 >= (h0 + h1) / 2 + gap - 1e-6
    again = spaced(heights, middles, gap)
    assert all(abs(a - b) < 1e-6 for a, b in zip(again, middles, strict=True))


GROUP = re.compile(r'<g class="(?:leaf|inner|constant)[^"]*" transform="translate\((\S+) (\S+)\)">'
                   r'(?:.|\n)*?<rect class="box" width="(\S+)" height="(\S+)"')  # fmt: skip
CIRCLE = 16


def apart(a, b):
    (x0, y0, w0, h0), (x1, y1, w1, h1) = a, b
    r = 0.2  # the file has one decimal
    return x0 + w0 <= x1 + r or x1 + w1 <= x0 + r or y0 + h0 <= y1 + r or y1 + h1 <= y0 + r


@given(st.lists(st.tuples(st.sampled_from("+*/r"), st.integers(0, 5), st.integers(0, 5)),
                min_size=1, max_size=8))  # fmt: skip
def test_no_local_derivative_of_a_picture_overlaps_another_or_a_card_or_a_circle(program):
    nodes = [Value(-1.23456e-5), Value(0.3)]
    for op, i, j in program:
        x, y = nodes[i % len(nodes)], nodes[j % len(nodes)]
        if op == "r":
            nodes.append(x.leaky_relu())
        elif op == "/":
            nodes.append(x / -1.23456e-5)
        else:
            nodes.append(x + y if op == "+" else x * y)
    svg = to_svg(nodes[-1])
    boxes = [tuple(map(float, m)) for m in GROUP.findall(svg)]
    assert len(boxes) > 1
    boxes += [(x - CIRCLE, y + h / 2 - CIRCLE, 2 * CIRCLE, 2 * CIRCLE) for x, y, _, h in boxes]
    pills = [tuple(map(float, m)) for m in RECT.findall(PILLS.search(svg)[0])]
    assert pills
    for i, pill in enumerate(pills):
        assert all(apart(pill, other) for other in pills[:i] + boxes)
