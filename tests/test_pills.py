"""The local derivatives on the edges do not cover one another."""

import re
from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Value, to_svg
from tinygrad_edu.view.layout import spaced

RECT = re.compile(r'<rect class="pill" x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)"')


@given(st.lists(st.tuples(st.floats(1, 50), st.floats(-500, 500)), max_size=12), st.floats(0, 30))
def test_spaced_keeps_order_and_gaps_and_moves_nothing_that_fits(things, gap):
    heights, wishes = [h for h, _ in things], sorted(y for _, y in things)
    middles = spaced(heights, wishes, gap)
    edges = list(zip(heights, middles, strict=True))
    for (h0, y0), (h1, y1) in pairwise(edges):
        assert y1 - y0 >= (h0 + h1) / 2 + gap - 1e-6
    again = spaced(heights, middles, gap)
    assert all(abs(a - b) < 1e-6 for a, b in zip(again, middles, strict=True))


@given(st.lists(st.tuples(st.sampled_from("+*"), st.integers(0, 5), st.integers(0, 5)),
                min_size=1, max_size=8))  # fmt: skip
def test_no_two_local_derivatives_of_a_picture_overlap(program):
    nodes = [Value(1.5), Value(0.3)]
    for op, i, j in program:
        x, y = nodes[i % len(nodes)], nodes[j % len(nodes)]
        nodes.append(x + y if op == "+" else x * y)
    boxes = [tuple(map(float, m)) for m in RECT.findall(to_svg(nodes[-1]))]
    for (x0, y0, w0, h0), (x1, y1, w1, h1) in combinations(boxes, 2):
        apart_x = x0 + w0 <= x1 or x1 + w1 <= x0
        apart_y = y0 + h0 <= y1 + 0.2 or y1 + h1 <= y0 + 0.2
        assert apart_x or apart_y
