"""The laws of pictures with modules, open and folded; JavaScript arranges them as Python does."""

import json
import math
import re
import shutil
import subprocess
from collections import Counter, namedtuple
from dataclasses import asdict
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from effort import much
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu
from tinygrad_edu.view.layout.arrange import arrange
from tinygrad_edu.view.layout.plan import plan
from tinygrad_edu.view.picture.svg import pill_width, route_path

STATIC = Path(tinygrad_edu.__file__).parent / "view" / "static"
ROUNDING = 1e-6
CIRCLE = 16
Picture = namedtuple(
    "Picture", "links module_of outer sizes pills folded derived room", defaults=[1e9]
)


@st.composite
def pictures(draw, most_cards=16):
    """A graph with modules, of which some are folded.

    Cards that follow each other in topological order are convex: so modules are ranges of cards,
    each within another or apart from it.
    """
    n = draw(st.integers(1, most_cards))
    links = []
    for head in range(1, n):
        tails = draw(st.lists(st.integers(0, head - 1), max_size=3))
        links += [(tail, head, operand) for operand, tail in enumerate(tails)]
    module_of, outer = [-1] * n, []

    def divide(first, end, around):
        while first < end:
            size = draw(st.integers(1, end - first))
            if draw(st.booleans()) and (size < end - first or around < 0):
                m = len(outer)
                outer.append(around)
                module_of[first : first + size] = [m] * size
                divide(first, first + size, m)
            first += size

    divide(0, n, -1)
    sizes = draw(st.lists(st.sampled_from([(166, 72), (64, 40), (196, 104), (230, 72)]),
                          min_size=n, max_size=n))  # fmt: skip
    texts = draw(st.lists(st.sampled_from(["", "×2", "×1.235", "×−1.235e−05", "×−1.235e−300"]),
                          min_size=len(links), max_size=len(links)))  # fmt: skip
    folded, derived = (
        draw(st.sets(st.integers(0, len(outer) - 1))) if outer else set() for _ in range(2)
    )
    widths = [pill_width(t) for t in texts]
    room = draw(st.sampled_from([1e9, 1e9, 500.0, 900.0]))
    return Picture(links, module_of, outer, sizes, widths, folded, sorted(derived), room)


def arranged(p):
    return arrange(
        plan(p.links, p.module_of, p.outer), p.sizes, p.folded, p.pills, p.outer, p.module_of,
        p.links, p.derived, p.room,
    )  # fmt: skip


def routes(found):
    """The points of each link, None where it is inside a folded module."""
    return [found.route(k) if last >= 0 else None for k, last in enumerate(found.last)]


def around(p, name):
    """The modules around a card or a module, innermost first."""
    kind, i = name
    m = p.module_of[i] if kind == "card" else p.outer[i]
    found = []
    while m >= 0:
        found.append(m)
        m = p.outer[m]
    return found


def visible(p, card):
    """The card, or the outermost folded module around it."""
    folded = [m for m in around(p, ("card", card)) if m in p.folded]
    return ("module", folded[-1]) if folded else ("card", card)


def is_open(p, name):
    return name[0] == "module" and name[1] not in p.folded


def apart(a, b):
    ax, ay, aw, ah = a
    bx, by, bw, bh = b
    return (
        ax + aw <= bx + ROUNDING or bx + bw <= ax + ROUNDING
        or ay + ah <= by + ROUNDING or by + bh <= ay + ROUNDING
    )  # fmt: skip


def contains(a, b):
    ax, ay, aw, ah = a
    bx, by, bw, bh = b
    r = ROUNDING
    return ax - r <= bx and ay - r <= by and bx + bw <= ax + aw + r and by + bh <= ay + ah + r


@given(pictures())
def test_what_is_visible_has_a_box_and_nothing_else(p):
    cards = {visible(p, i) for i in range(len(p.module_of))}
    frames = {("module", m) for m in range(len(p.outer))
              if not {m, *around(p, ("module", m))} & p.folded}  # fmt: skip
    assert set(arranged(p).boxes) == cards | frames


@given(pictures())
def test_boxes_stand_apart_or_a_frame_holds_them(p):
    found = arranged(p)
    for (a, box_a), (b, box_b) in combinations(found.boxes.items(), 2):
        if a[0] == "module" and a[1] in around(p, b):
            assert contains(box_a, box_b)
            assert box_b[1] >= box_a[1] + 34 - ROUNDING  # its name stands above
        elif b[0] == "module" and b[1] in around(p, a):
            assert contains(box_b, box_a)
        else:
            assert apart(box_a, box_b), (a, b)
    whole = (0, 0, found.width, found.height)
    assert all(contains(whole, box) for box in found.boxes.values())


@given(pictures())
def test_a_folded_module_is_a_card_and_a_card_keeps_its_size(p):
    for name, (_, _, width, height) in arranged(p).boxes.items():
        if name[0] == "card":
            assert (width, height) == p.sizes[name[1]]
        elif name[1] in p.folded:
            assert (width, height) == (166, 72)


def crosses(points, box):
    """Whether a line enters a box. Curves stay between the heights of their ends, and as boxes
    stand in columns, level pieces and the straight lines between ends tell."""
    x, y, width, height = box
    for (x0, y0), (x1, y1) in pairwise(points):
        for i in range(21):
            t = i / 20
            at_x, at_y = x0 + t * (x1 - x0), y0 + t * (y1 - y0)
            if x + 0.1 < at_x < x + width - 0.1 and y + 0.1 < at_y < y + height - 0.1:
                return True
    return False


@given(pictures())
def test_lines_run_rightwards_from_card_to_card_and_over_no_other(p):
    found = arranged(p)
    for (tail, head, _), points in zip(p.links, routes(found), strict=True):
        start, end = visible(p, tail), visible(p, head)
        if start == end:
            assert points is None
            continue
        x, y, width, height = found.boxes[start]
        assert points[0] == pytest.approx((x + width, y + height / 2))
        x, y, _, height = found.boxes[end]
        assert points[-1][0] == pytest.approx(x - (10 if end[0] == "card" else 0))
        off = abs(points[-1][1] - (y + height / 2))
        assert off <= 24 if end[0] == "module" else math.hypot(10, off) <= CIRCLE
        for (x0, y0), (x1, y1) in pairwise(points):  # leftwards only level, to the next row
            assert x0 <= x1 + ROUNDING or (y0 == y1 and p.room < 1e9)
        own = {start, end, *(("module", m) for n in (start, end) for m in around(p, n))}
        for name, box in found.boxes.items():
            assert name in own or not crosses(points, box), (tail, head, name)


@given(pictures())
def test_a_line_crosses_a_frame_level_and_nowhere_but_at_its_ports(p):
    found = arranged(p)
    for (tail, head, _), points in zip(p.links, routes(found), strict=True):
        into = set(around(p, visible(p, head))) - set(around(p, visible(p, tail)))
        for m in into if points else ():
            x, y, _, height = found.boxes["module", m]
            (at,) = [point for point in points if abs(point[0] - x) < ROUNDING]
            assert y + 34 <= at[1] <= y + height - 16


@given(pictures())
def test_links_between_the_same_two_boxes_are_one_line_into_a_folded_module(p):
    found = arranged(p)
    first = {}
    for k, (tail, head, _) in enumerate(p.links):
        start, end = visible(p, tail), visible(p, head)
        if start == end:
            wanted = -1
        else:
            wanted = k if end[0] == "card" else first.setdefault((start, end), k)
        assert found.shown[k] == wanted
        if wanted >= 0:
            assert found.route(k) == found.route(wanted)


@given(pictures())
def test_the_lines_of_a_card_are_drawn_once_as_far_as_they_are_one_line(p):
    found = arranged(p)
    pieces = found.pieces()
    assert list(pieces) == [k for k, shown in enumerate(found.shown) if shown == k]
    drawn = Counter(
        (p.links[k][0], stretch) for k, piece in pieces.items() for stretch in pairwise(piece)
    )
    assert set(drawn.values()) <= {1}
    lines = [route for route in routes(found) if route]
    assert {stretch for _, stretch in drawn} == {x for line in lines for x in pairwise(line)}


@given(pictures())
def test_lines_into_one_card_or_folded_module_end_apart(p):
    found = arranged(p)
    for k, i in combinations(range(len(p.links)), 2):
        if found.shown[k] == k and found.shown[i] == i:
            a, b = found.route(k)[-1], found.route(i)[-1]
            assert a != b


@given(pictures())
def test_no_local_derivative_covers_another_or_a_card_or_a_circle(p):
    found = arranged(p)
    pills = [
        (at[0] - width / 2, at[1] - 11, width, 22)
        for at, width in zip(found.pills, p.pills, strict=True)
        if at is not None
    ]
    for a, b in combinations(pills, 2):
        assert apart(a, b)
    for name, box in found.boxes.items():
        x, y, _, height = box
        circle = (x - CIRCLE, y + height / 2 - CIRCLE, 2 * CIRCLE, 2 * CIRCLE)
        for pill in pills:
            assert apart(pill, box) or (is_open(p, name) and contains(box, pill))
            assert name[0] == "module" or apart(pill, circle)


@given(pictures())
def test_every_local_derivative_of_a_visible_card_is_shown(p):
    found = arranged(p)
    for k, (_, head, _) in enumerate(p.links):
        end = visible(p, head)
        has_number = end[0] == "card" or end[1] in p.derived
        wanted = p.pills[k] > 0 and has_number and found.shown[k] == k
        assert (found.pills[k] is not None) == wanted


@given(pictures())
def test_the_same_picture_every_time(p):
    assert arranged(p) == arranged(p)
    assert plan(p.links, p.module_of, p.outer) == plan(p.links, p.module_of, p.outer)


def in_javascript(batch):
    """What static/layout.js makes of pictures."""
    if shutil.which("node") is None:
        pytest.skip("there is no node program to run the page's JavaScript")
    cases = [
        {**p._asdict(), "folded": sorted(p.folded),
         "containers": [asdict(c) for c in plan(p.links, p.module_of, p.outer)]}
        for p in batch
    ]  # fmt: skip
    names = ("layout", "rows", "routes")
    files = [(STATIC / f"{name}.js").read_text(encoding="utf-8") for name in names]
    script = f"""{"".join(files)}
    const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
    const out = cases.map((p) => {{
      const {{ containers, sizes, folded, pills, outer, module_of, links, derived, room }} = p;
      const found = arrange(
        containers, sizes, folded, pills, outer, module_of, links, derived, room);
      const routes = found.last.map((last, k) => (last < 0 ? null : linePoints(found, k)));
      const drawn = new Set();
      const pieces = found.shown.map((s, k) => (s === k ? linePoints(found, k, drawn) : null));
      return {{ ...found, routes, pieces: pieces.map((piece) => piece && routePath(piece)) }};
    }});
    console.log(JSON.stringify(out));"""
    done = subprocess.run(
        ["node", "-e", "'use strict';" + script], input=json.dumps(cases), capture_output=True,
        text=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_same(p, theirs):
    ours = arranged(p)
    boxes = {f"{kind}:{i}": box for (kind, i), box in ours.boxes.items()}
    assert theirs["boxes"].keys() == boxes.keys()
    for key, box in boxes.items():
        assert list(theirs["boxes"][key].values()) == pytest.approx(box, abs=1e-6)
    assert theirs["shown"] == ours.shown
    assert [theirs["width"], theirs["height"]] == pytest.approx([ours.width, ours.height])
    for our, their in zip(routes(ours), theirs["routes"], strict=True):
        assert (our is None) == (their is None)
        for (x, y), point in zip(our or [], their or [], strict=True):
            assert (point["x"], point["y"]) == pytest.approx((x, y), abs=1e-6)
    pieces = {k: route_path(piece) for k, piece in ours.pieces().items()}
    for k, their in enumerate(theirs["pieces"]):
        assert re.sub("[0-9.-]+", "", their or "") == re.sub("[0-9.-]+", "", pieces.get(k, ""))
    for our, their in zip(ours.pills, theirs["pills"], strict=True):
        assert (our is None) == (their is None)
        if our is not None:
            assert (their["x"], their["y"]) == pytest.approx(our, abs=1e-6)


@settings(max_examples=much(12, 4))
@given(st.lists(pictures(), min_size=1, max_size=12))
def test_javascript_arranges_as_python_does(batch):
    for p, theirs in zip(batch, in_javascript(batch), strict=True):
        assert_same(p, theirs)


def layered(widths):
    """A network of scalar neurons, each with its own module in that of its layer."""
    links, module_of, outer = [], [-1] * widths[0], []
    inputs = list(range(widths[0]))

    def card(m, *tails):
        module_of.append(m)
        links.extend((tail, len(module_of) - 1, i) for i, tail in enumerate(tails))
        return len(module_of) - 1

    for width in widths[1:]:
        layer = len(outer)
        outer.append(-1)
        outputs = []
        for _ in range(width):
            m = len(outer)
            outer.append(layer)
            total = card(m)
            for x in inputs:
                total = card(m, total, card(m, card(m), x))
            outputs.append(card(m, total))
        inputs = outputs
    n = len(module_of)
    return Picture(links, module_of, outer, [(166, 72)] * n, [80.0] * len(links), set(), [])


def test_a_network_of_many_neurons_is_arranged_the_same_in_javascript():
    network = layered([3, 8, 8, 1])
    (theirs,) = in_javascript([network])
    assert_same(network, theirs)


def test_inputs_that_many_neurons_share_enter_a_layer_once():
    network = layered([2, 3, 1])
    layer = plan(network.links, network.module_of, network.outer)[1]
    assert [name for name in layer.spots if name[0] == "in"] == [("in", 0), ("in", 1)]
    assert len([name for name in layer.spots if name[0] == "out"]) == 3
    assert layer.columns[0] == [layer.spots.index(("in", 0)), layer.spots.index(("in", 1))]


@given(st.integers(2, 60), st.sampled_from([500.0, 900.0, 1400.0]))
def test_a_chain_in_rows_is_read_as_a_text_is(n, room):
    links = [(i, i + 1, 0) for i in range(n - 1)]
    chain = Picture(links, [-1] * n, [], [(166, 72)] * n, [94.0] * (n - 1), set(), [], room)
    found = arranged(chain)
    assert found.width <= room
    boxes = [found.boxes["card", i] for i in range(n)]
    for (x0, y0, width, height), (x1, y1, _, _) in pairwise(boxes):
        assert (x1 > x0 + width and y1 == y0) or y1 > y0 + height
    rows = len({y for _, y, _, _ in boxes})
    assert rows == 1 or (rows - 1) * room < n * (166 + 124) * 2  # they are filled


def test_a_card_without_a_size_and_its_line_are_not_drawn():
    links = [(0, 2, 0), (1, 2, 1)]
    placed = arrange(plan(links, [-1] * 3, [], {1}), [(166, 72), None, (166, 72)], (), [80.0, 0.0],
                     [], [-1] * 3, links)  # fmt: skip
    assert set(placed.boxes) == {("card", 0), ("card", 2)}
    assert placed.shown == [0, -1]
