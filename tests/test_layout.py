"""The laws of the layered layout, on random graphs: nothing overlaps, and edges run rightwards."""

import random
from collections import namedtuple
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu.view.layout.arrange import arrange
from tinygrad_edu.view.layout.plan import plan

ROUNDING = 1e-6
GAP_X, GAP_Y = 96.0, 24.0  # between columns, and between the boxes of one
Box = namedtuple("Box", "key x y width height")
Edge = namedtuple("Edge", "tail head points")


@st.composite
def graphs(draw, most_boxes=14):
    """Sizes of boxes in topological order, and (tail, head) pairs in any order.

    An edge may appear twice, as for a * a; some boxes have no edge at all.
    """
    size = st.integers(1, 200)
    sizes = draw(st.lists(st.tuples(size, size), min_size=1, max_size=most_boxes))
    pairs = []
    for head in range(1, len(sizes)):
        tails = draw(st.lists(st.integers(0, head - 1), max_size=3))
        pairs += [(tail, head) for tail in tails]
    return sizes, draw(st.permutations(pairs))


@st.composite
def trees(draw):
    """A graph in which every box but the root is used once, as nested lists of operands."""
    tree = draw(
        st.recursive(
            st.just([]), lambda t: st.lists(t, min_size=1, max_size=3), max_leaves=9
        ).filter(bool)
    )
    return tree, draw(st.booleans())


def placed(graph):
    """Boxes, edges, width and height of a graph without modules, arranged."""
    sizes, pairs = graph
    operands = [0] * len(sizes)
    links = []
    for tail, head in pairs:
        links.append((tail, head, operands[head]))
        operands[head] += 1
    of = [-1] * len(sizes)
    found = arrange(plan(links, of, []), sizes, (), [0.0] * len(links), [], of, links)
    boxes = [Box(i, *found.boxes["card", i]) for i in range(len(sizes))]
    edges = [Edge(boxes[tail], boxes[head], found.route(k)) for k, (tail, head) in enumerate(pairs)]
    assert found.shown == list(range(len(links)))
    return boxes, edges, found.width, found.height


def tree_graph(tree, leaves_first):
    """The boxes of nested lists, operands before their heads; all leaves first if asked."""
    order, pairs = [], []

    def visit(node):
        operands = [visit(operand) for operand in node]
        order.append(node)
        pairs.extend((operand, len(order) - 1) for operand in operands)
        return len(order) - 1

    visit(tree)
    rank = sorted(range(len(order)), key=lambda i: bool(order[i])) if leaves_first else None
    if rank is not None:
        new = {old: i for i, old in enumerate(rank)}
        pairs = [(new[tail], new[head]) for tail, head in pairs]
    return [(100, 60)] * len(order), pairs


def middle(box):
    return box.y + box.height / 2


def overlap(a, b):
    return (
        a.x + ROUNDING < b.x + b.width
        and b.x + ROUNDING < a.x + a.width
        and a.y + ROUNDING < b.y + b.height
        and b.y + ROUNDING < a.y + a.height
    )


def passes_over(start, end, box):
    """Whether a straight piece of an edge enters the inside of a box (Liang-Barsky clipping)."""
    enter, leave = 0.0, 1.0
    for a, b, low, high in (
        (start[0], end[0], box.x + ROUNDING, box.x + box.width - ROUNDING),
        (start[1], end[1], box.y + ROUNDING, box.y + box.height - ROUNDING),
    ):
        if a == b:
            if not low < a < high:
                return False
            continue
        first, last = sorted(((low - a) / (b - a), (high - a) / (b - a)))
        enter, leave = max(enter, first), min(leave, last)
    return enter < leave


def columns_of(boxes):
    """The column of each box, counted from the left."""
    lefts = sorted({box.x for box in boxes})
    return {box.key: lefts.index(box.x) for box in boxes}


def assert_lawful(boxes, edges, width, height):
    """What has to hold for every graph."""
    assert [(a.key, b.key) for a, b in combinations(boxes, 2) if overlap(a, b)] == []
    for edge in edges:
        assert edge.points[0] == pytest.approx((edge.tail.x + edge.tail.width, middle(edge.tail)))
        end_x, end_y = edge.points[-1]
        assert end_x == pytest.approx(edge.head.x - 10)
        assert abs(end_y - middle(edge.head)) <= 12 + ROUNDING  # the circle of its operation
        xs = [x for x, _ in edge.points]
        assert all(a <= b + ROUNDING for a, b in pairwise(xs))
        assert xs[0] < xs[-1]
    corners = [(box.x, box.y) for box in boxes]
    corners += [(box.x + box.width, box.y + box.height) for box in boxes]
    corners += [point for edge in edges for point in edge.points[:-1]]
    assert all(-ROUNDING <= x <= width + ROUNDING for x, _ in corners)
    assert all(-ROUNDING <= y <= height + ROUNDING for _, y in corners)


@given(graphs())
def test_boxes_never_overlap_edges_run_rightwards_and_the_size_encloses_everything(graph):
    assert_lawful(*placed(graph))


@given(graphs())
def test_boxes_of_one_column_keep_the_gap(graph):
    boxes, *_ = placed(graph)
    for a, b in combinations(sorted(boxes, key=lambda box: box.y), 2):
        if a.x == b.x:
            assert b.y - (a.y + a.height) >= GAP_Y - ROUNDING


@given(graphs())
def test_no_edge_passes_over_a_box(graph):
    boxes, edges, *_ = placed(graph)
    for edge in edges:
        others = [box for box in boxes if box is not edge.tail and box is not edge.head]
        for start, end in pairwise(edge.points):
            assert not any(passes_over(start, end, box) for box in others), (edge, others)


@given(graphs())
def test_the_picture_starts_at_the_origin_and_is_no_larger_than_it_must_be(graph):
    boxes, edges, width, height = placed(graph)
    ys = [y for edge in edges for _, y in edge.points[:-1]]
    assert min(box.x for box in boxes) == 0
    assert max(box.x + box.width for box in boxes) == pytest.approx(width)
    assert min([*ys, *(box.y for box in boxes)]) == pytest.approx(0, abs=ROUNDING)
    assert max([*ys, *(box.y + box.height for box in boxes)]) == pytest.approx(height)


@given(graphs())
def test_the_same_graph_gives_the_same_picture_every_time(graph):
    boxes, edges, *size = placed(graph)
    first = repr((boxes, [edge.points for edge in edges], size))
    other_boxes, other_edges, *other_size = placed(graph)
    assert repr((other_boxes, [edge.points for edge in other_edges], other_size)) == first


@given(graphs())
def test_a_leaf_stands_right_before_its_first_head(graph):
    boxes, edges, *_ = placed(graph)
    column = columns_of(boxes)
    heads = {edge.head.key for edge in edges}
    for box in boxes:
        own_heads = [column[edge.head.key] for edge in edges if edge.tail is box]
        if box.key not in heads and own_heads:
            assert column[box.key] == min(own_heads) - 1


@given(graphs())
def test_a_box_with_operands_stands_right_after_the_last_of_them_that_has_operands(graph):
    boxes, edges, *_ = placed(graph)
    column = columns_of(boxes)
    heads = {edge.head.key for edge in edges}
    for box in boxes:
        tails = {edge.tail.key for edge in edges if edge.head is box}
        assert all(column[tail] < column[box.key] for tail in tails)
        if tails & heads:
            assert column[box.key] == max(column[tail] for tail in tails & heads) + 1


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(1, 200)), min_size=1, max_size=30))
def test_a_chain_is_a_straight_line(sizes):
    boxes, edges, width, height = placed((sizes, list(pairwise(range(len(sizes))))))
    assert {round(middle(box), 6) for box in boxes} == {round(height / 2, 6)}
    assert {round(y, 6) for edge in edges for _, y in edge.points} <= {round(height / 2, 6)}
    assert width == pytest.approx(sum(w for w, _ in sizes) + GAP_X * (len(sizes) - 1))
    assert height == max(h for _, h in sizes)


def assert_operands_in_order(boxes, edges):
    """The edges of one head arrive from top to bottom in the order of its operands."""
    for box in boxes:
        arriving = [edge.points[-2][1] for edge in edges if edge.head is box]
        assert all(above < below for above, below in pairwise(arriving)), (box, arriving)


@given(trees())
def test_the_operands_of_a_tree_stand_in_order_from_top_to_bottom(tree):
    boxes, edges, *_ = placed(tree_graph(*tree))
    assert_operands_in_order(boxes, edges)


@pytest.mark.parametrize("leaves_first", [True, False])
def test_the_operands_of_two_sums_of_a_number_and_a_function_stand_in_order(leaves_first):
    # (a + exp(x)) * (b + exp(y))
    boxes, edges, *_ = placed(tree_graph([[[], [[]]], [[], [[]]]], leaves_first))
    assert_operands_in_order(boxes, edges)


def test_an_edge_that_is_there_twice_is_drawn_twice():
    boxes, edges, *size = placed(([(100, 60), (100, 60)], [(0, 1), (0, 1)]))
    assert len(edges) == 2
    assert_lawful(boxes, edges, *size)


def test_an_empty_graph_has_no_size():
    assert placed(([], [])) == ([], [], 0, 0)


def test_a_single_box_is_the_whole_picture():
    (box,), _, width, height = placed(([(166, 72)], []))
    assert (box.x, box.y, width, height) == (0, 0, 166, 72)


def test_edges_from_one_box_share_their_way_until_they_part():
    # x is used now, after one operation and after two: (x * x + x) * x, drawn as one line
    _, edges, *_ = placed(([(166, 72)] * 4, [(0, 1), (0, 1), (1, 2), (0, 2), (2, 3), (0, 3)]))
    short, long = edges[3].points, edges[5].points
    assert len(long) > len(short) > 2
    assert long[: len(short) - 1] == short[:-1]


def test_a_long_edge_is_level_between_its_ends():
    # a leaf used at once and at the end, under a chain of boxes of different heights
    sizes = [(100, 60), (100, 80), (100, 40), (100, 120), (100, 60)]
    _, edges, *_ = placed((sizes, [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)]))
    assert len({y for _, y in edges[4].points[1:-1]}) == 1


def test_edges_in_a_circle_are_refused():
    with pytest.raises(ValueError, match="2 of 3 spots form a cycle"):
        plan([(0, 1, 0), (1, 2, 0), (2, 1, 1)], [-1] * 3, [])


@pytest.mark.parametrize("reach", [3, 20, 300])
def test_a_graph_of_300_boxes_is_placed_by_the_same_laws(reach):
    rng = random.Random(reach)
    sizes = [rng.choice([(166, 72), (64, 40)]) for _ in range(300)]
    pairs = [
        (rng.randrange(max(0, head - reach), head), head)
        for head in range(1, 300)
        for _ in range(rng.randrange(3))
    ]
    assert_lawful(*placed((sizes, pairs)))
