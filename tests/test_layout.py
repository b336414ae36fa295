"""The layered layout of graphs without modules: columns, order, level lines; what test_arrange says
of pictures with modules holds for them, too."""

import random
from collections import namedtuple
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_arrange import Picture, apart, arranged, contains, crosses

from tinygrad_edu.view.layout.heights import spaced
from tinygrad_edu.view.layout.plan import plan

GAP_X, GAP_Y = 96.0, 24.0  # between columns, and between the boxes of one
Box = namedtuple("Box", "key x y width height")
Edge = namedtuple("Edge", "tail head points")
Placed = namedtuple("Placed", "boxes edges width height")


@st.composite
def graphs(draw, most_boxes=14):
    """Sizes of boxes in topological order, and (tail, head) pairs in any order.

    An edge may appear twice, as for a * a; some boxes have no edge at all.
    """
    size = st.integers(1, 200)
    sizes = draw(st.lists(st.tuples(size, size), min_size=1, max_size=most_boxes))
    pairs = []
    for head in range(1, len(sizes)):
        pairs += [(tail, head) for tail in draw(st.lists(st.integers(0, head - 1), max_size=3))]
    return sizes, draw(st.permutations(pairs))


def placed(graph):
    """Boxes, edges, width and height of a graph without modules."""
    sizes, pairs = graph
    operands = [0] * len(sizes)
    links = []
    for tail, head in pairs:
        links.append((tail, head, operands[head]))
        operands[head] += 1
    found = arranged(Picture(links, [-1] * len(sizes), [], sizes, [0.0] * len(links), (), []))
    boxes = [Box(i, *found.boxes["card", i]) for i in range(len(sizes))]
    edges = [Edge(boxes[tail], boxes[head], found.route(k)) for k, (tail, head) in enumerate(pairs)]
    assert found.shown == list(range(len(links)))
    return Placed(boxes, edges, found.width, found.height)


def middle(box):
    return box.y + box.height / 2


def columns_of(boxes):
    """The column of each box, counted from the left."""
    lefts = sorted({box.x for box in boxes})
    return {box.key: lefts.index(box.x) for box in boxes}


@given(graphs())
def test_boxes_of_one_column_keep_the_gap(graph):
    for a, b in combinations(sorted(placed(graph).boxes, key=lambda box: box.y), 2):
        if a.x == b.x:
            assert b.y - (a.y + a.height) >= GAP_Y - 1e-6


@given(graphs())
def test_the_picture_starts_at_the_origin_and_is_no_larger_than_it_must_be(graph):
    boxes, edges, width, height = placed(graph)
    ys = [y for edge in edges for _, y in edge.points[:-1]]
    assert min(box.x for box in boxes) == 0
    assert max(box.x + box.width for box in boxes) == pytest.approx(width)
    assert min([*ys, *(box.y for box in boxes)]) == pytest.approx(0, abs=1e-6)
    assert max([*ys, *(box.y + box.height for box in boxes)]) == pytest.approx(height)


@given(graphs())
def test_a_box_stands_right_after_operands_that_have_some_and_a_leaf_right_before_its_head(graph):
    boxes, edges, *_ = placed(graph)
    column = columns_of(boxes)
    heads = {edge.head.key for edge in edges}
    for box in boxes:
        tails = {edge.tail.key for edge in edges if edge.head is box}
        assert all(column[tail] < column[box.key] for tail in tails)
        if tails & heads:
            assert column[box.key] == max(column[tail] for tail in tails & heads) + 1
        own_heads = [column[edge.head.key] for edge in edges if edge.tail is box]
        if not tails and own_heads:
            assert column[box.key] == min(own_heads) - 1


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(1, 200)), min_size=1, max_size=30))
def test_a_chain_is_a_straight_line(sizes):
    boxes, edges, width, height = placed((sizes, list(pairwise(range(len(sizes))))))
    assert {round(middle(box), 6) for box in boxes} == {round(height / 2, 6)}
    assert {round(y, 6) for edge in edges for _, y in edge.points} <= {round(height / 2, 6)}
    assert width == pytest.approx(sum(w for w, _ in sizes) + GAP_X * (len(sizes) - 1))
    assert height == max(h for _, h in sizes)


TREES = st.recursive(st.just([]), lambda t: st.lists(t, min_size=1, max_size=3), max_leaves=9)


@given(TREES.filter(bool) | st.just([[[], [[]]], [[], [[]]]]), st.booleans())
def test_the_operands_of_a_tree_stand_in_order_from_top_to_bottom(tree, leaves_first):
    """A tree is a graph in which every box but the root is used once: nested lists of operands."""
    order, pairs = [], []

    def visit(node):
        operands = [visit(operand) for operand in node]
        order.append(node)
        pairs.extend((operand, len(order) - 1) for operand in operands)
        return len(order) - 1

    visit(tree)
    if leaves_first:
        new = {
            old: i for i, old in enumerate(sorted(range(len(order)), key=lambda i: order[i] != []))
        }
        pairs = [(new[tail], new[head]) for tail, head in pairs]
    boxes, edges, *_ = placed(([(100, 60)] * len(order), pairs))
    for box in boxes:
        arriving = [edge.points[-2][1] for edge in edges if edge.head is box]
        assert all(above < below for above, below in pairwise(arriving)), (box, arriving)


def test_edges_from_one_box_share_their_way_until_they_part():
    # x is used now, after one operation and after two: (x * x + x) * x, drawn as one line
    edges = placed(([(166, 72)] * 4, [(0, 1), (0, 1), (1, 2), (0, 2), (2, 3), (0, 3)])).edges
    short, long = edges[3].points, edges[5].points
    assert len(long) > len(short) > 2
    assert long[: len(short) - 1] == short[:-1]


def test_a_long_edge_is_level_between_its_ends():
    # a leaf used at once and at the end, under a chain of boxes of different heights
    sizes = [(100, 60), (100, 80), (100, 40), (100, 120), (100, 60)]
    edges = placed((sizes, [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)])).edges
    assert len({y for _, y in edges[4].points[1:-1]}) == 1


def test_the_smallest_graphs():
    assert placed(([], [])) == ([], [], 0, 0)
    (box,), _, width, height = placed(([(166, 72)], []))
    assert (box.x, box.y, width, height) == (0, 0, 166, 72)
    assert len(placed(([(100, 60), (100, 60)], [(0, 1), (0, 1)])).edges) == 2


@pytest.mark.parametrize("reach", [3, 20, 300])
def test_a_graph_of_300_boxes_is_placed_by_the_same_laws(reach):
    rng = random.Random(reach)
    sizes = [rng.choice([(166, 72), (64, 40)]) for _ in range(300)]
    pairs = [
        (rng.randrange(max(0, head - reach), head), head)
        for head in range(1, 300)
        for _ in range(rng.randrange(3))
    ]
    boxes, edges, width, height = placed((sizes, pairs))
    assert all(apart(a[1:], b[1:]) for a, b in combinations(boxes, 2))
    assert all(contains((0, 0, width, height), box[1:]) for box in boxes)
    for edge in edges[::10]:
        assert not any(
            crosses(edge.points, box[1:]) for box in boxes if box not in (edge.tail, edge.head)
        )


@given(st.lists(st.tuples(st.floats(1, 50), st.floats(-500, 500)), max_size=12), st.floats(0, 30))
def test_spaced_keeps_order_and_gaps_and_moves_nothing_that_fits(things, gap):
    heights, wishes = [h for h, _ in things], sorted(y for _, y in things)
    middles = spaced(heights, wishes, gap)
    for (h0, y0), (h1, y1) in pairwise(zip(heights, middles, strict=True)):
        assert y1 - y0 >= (h0 + h1) / 2 + gap - 1e-6
    assert spaced(heights, middles, gap) == pytest.approx(middles, abs=1e-6)


@pytest.mark.parametrize(
    ("links", "module_of"), [([(0, 1, 0), (1, 2, 0), (2, 1, 1)], -1), ([(0, 1, 0), (1, 2, 0)], 0)]
)
def test_a_cycle_and_a_module_with_something_else_between_its_cards_are_refused(links, module_of):
    with pytest.raises(ValueError, match=r"2 of \d spots form a cycle"):
        plan(links, [module_of, -1, module_of], [-1] * (module_of + 1))
