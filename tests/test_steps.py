"""The walk: what is visible when modules are folded, in which order it runs, what is known when."""

import itertools
import math
from collections import Counter

import page_in_node
import pytest
from effort import much
from hypothesis import given, settings
from hypothesis import strategies as st
from page_in_node import open_page
from random_graphs import graphs_with_modules

from tinygrad_edu import Tensor, Value, group, nn, topological_order

javascript = page_in_node.javascript

FOLDS = st.sets(st.integers(0, 6))


def fitting(page, folds):
    return [m for m in folds if m < len(page.data["modules"])]


def unit_of(page, folded):
    """For each card what is seen of it: itself, or the outermost folded module around it. A
    constant without a size is seen on the card of its operation."""
    head_of = {tail: head for tail, head, _ in page.data["links"]}
    units = []
    for i, card in enumerate(page.data["cards"]):
        unit, m = f"card:{i if 'w' in card else head_of[i]}", page.data["moduleOf"][i]
        while m >= 0:
            if m in folded:
                unit = f"module:{m}"
            m = page.data["modules"][m]["outer"]
        units.append(unit)
    return units


def is_operation(page, i):
    return page.data["cards"][i]["kind"] == "node"


def close(ours, theirs, scale=0.0):
    return ours == theirs or abs(ours - theirs) <= 1e-12 * max(abs(ours), abs(theirs), scale)


# --- what is visible and in which order it runs --------------------------------------------------

VIEW = """(() => {
  const { view, steps, edges } = rebuilt(graph, new Set(folded));
  return { ...view, steps, edges };
})()"""


@settings(max_examples=much(50, 10))
@given(root=graphs_with_modules(), folds=FOLDS)
def test_units_run_after_those_that_they_use(javascript, root, folds):
    page = open_page(root)
    folded = fitting(page, folds)
    found = javascript(page, VIEW, folded=folded)
    units = unit_of(page, folded)
    assert found["unitOf"] == units
    cards = {unit: [i for i, u in enumerate(units) if u == unit] for unit in units}
    operations = {u: [i for i in own if is_operation(page, i)] for u, own in cards.items()}
    assert {key: unit["cards"] for key, unit in found["units"]} == cards
    assert {key: unit["operations"] for key, unit in found["units"]} == operations
    order = found["order"]
    assert sorted(order) == sorted(unit for unit, own in operations.items() if own)
    place = {unit: n for n, unit in enumerate(order)}
    for tail, head, _ in page.data["links"]:
        if units[tail] != units[head] and operations[units[tail]]:
            assert place[units[tail]] < place[units[head]]
    steps = [(step["kind"], step.get("key")) for step in found["steps"]]
    assert steps == [
        ("ready", None), *(("forward", unit) for unit in order), ("seed", None),
        *(("backward", unit) for unit in reversed(order)), ("done", None),
    ]  # fmt: skip


@given(root=graphs_with_modules())
def test_with_nothing_folded_it_runs_as_python_does(javascript, root):
    page = open_page(root)
    place = {id(node): i for i, node in enumerate(page.nodes)}
    inner = [f"card:{place[id(x)]}" for x in topological_order(root) if x.operands]
    assert javascript(page, VIEW, folded=[])["order"] == inner


@given(root=graphs_with_modules(), folds=FOLDS)
def test_edges_are_the_links_that_are_seen(javascript, root, folds):
    page = open_page(root)
    folded = fitting(page, folds)
    units = unit_of(page, folded)
    links = {}  # each link into a card by itself; those from one unit into a module together
    for k, (tail, head, _) in enumerate(page.data["links"]):
        if units[tail] != units[head]:
            into_card = units[head].startswith("card:")
            links.setdefault((units[tail], units[head], k if into_card else -1), []).append(k)
    edges = javascript(page, VIEW, folded=folded)["edges"]
    assert sorted((e["tail"], e["head"], e["links"]) for e in edges) == sorted(
        (tail, head, own) for (tail, head, _), own in links.items()
    )


# --- what is known after each step ---------------------------------------------------------------

KNOWN = """(() => {
  const { view, steps, edges } = rebuilt(graph, new Set(folded));
  const v = forward(graph, new Map());
  const numbers = backward(graph, v);
  const known = steps.map((_, n) => knownAfter(graph, view, steps, n, numbers.sent));
  return { ...numbers, steps, units: view.units, known };
})()"""


@given(root=graphs_with_modules(), folds=FOLDS)
def test_after_each_step_the_page_knows_what_python_would(javascript, root, folds):
    page = open_page(root)
    found = javascript(page, KNOWN, folded=fitting(page, folds))
    root.backward()
    operations = {key: unit["operations"] for key, unit in found["units"]}
    computed = {i for i in range(len(page.cards)) if not is_operation(page, i)}
    arrived = {}  # for each card the contributions so far
    seeded = False
    for step, known in zip(found["steps"], found["known"], strict=True):
        seeded = seeded or step["kind"] == "seed"
        if step["kind"] == "forward":
            computed.update(operations[step["key"]])
        elif step["kind"] == "seed":
            arrived[page.data["root"]] = [1.0]
        elif step["kind"] == "backward":
            for i in reversed(operations[step["key"]]):
                adjoints = page.nodes[i].pullback(page.nodes[i].grad)
                for link in page.links:
                    if link.head == i and page.nodes[link.tail] is not None:
                        arrived.setdefault(link.tail, []).append(adjoints[link.operand])
        assert {i for i, is_known in enumerate(known["value"]) if is_known} == computed
        for i, node in enumerate(page.nodes):
            ours = known["gradient"][i]
            assert (ours is not None) == (i in arrived)
            if i in arrived:
                assert close(ours, sum(arrived[i]), sum(map(abs, arrived[i])))
            uses = sum(link.tail == i for link in page.links) + (node is root)
            if node is not None:
                assert known["complete"][i] == (len(arrived.get(i, [])) == uses)
    for i, node in enumerate(page.nodes):
        if node is not None:  # at the end all is known, and it is what the pass gave
            assert known["complete"][i]
            scale = sum(map(abs, arrived[i]))
            assert close(known["gradient"][i], found["g"][i], scale)
            assert close(known["gradient"][i], node.grad, scale)


@given(root=graphs_with_modules())
def test_each_step_backward_is_one_step_of_pythons_own_pass(javascript, root):
    """With nothing folded: what Python's gradients are at the moment when it runs a pullback."""
    page = open_page(root)
    found = javascript(page, KNOWN, folded=[])
    trace = []

    def watched(i, pullback):
        def spy(g):
            trace.append((i, [0.0 if x is None else x.grad for x in page.nodes]))
            return pullback(g)

        return spy

    for i, node in enumerate(page.nodes):
        if node is not None and node.pullback is not None:
            node.pullback = watched(i, node.pullback)
    root.backward()
    trace.append((None, [0.0 if x is None else x.grad for x in page.nodes]))
    seed = [step["kind"] for step in found["steps"]].index("seed")
    for n, (i, gradients) in enumerate(trace):
        known = found["known"][seed + n]
        assert [g or 0.0 for g in known["gradient"]] == gradients
        if i is not None:
            assert found["steps"][seed + n + 1] == {"kind": "backward", "key": f"card:{i}"}


def test_a_leaf_alone_is_ready_seeded_and_done(javascript):
    found = javascript(open_page(Value(3.0, "x")), KNOWN, folded=[])
    assert [step["kind"] for step in found["steps"]] == ["ready", "seed", "done"]
    assert [known["gradient"] for known in found["known"]] == [[None], [1], [1]]
    assert [known["complete"] for known in found["known"]] == [[False], [True], [True]]


# --- paths ---------------------------------------------------------------------------------------

PATHS = """(() => {
  const { view, edges } = rebuilt(graph, new Set(folded));
  const v = forward(graph, new Map());
  const { g, local } = backward(graph, v);
  const derivatives = edgeDerivatives(graph, edges, v, local);
  const to = view.unitOf[graph.root];
  const paths = [...view.units.keys()].map((key) => [key, pathsToRoot(edges, key, to, limit)]);
  return { g, edges, derivatives, to, paths };
})()"""


def count_paths(edges, start, end):
    leaving = {}
    for edge in edges:
        leaving.setdefault(edge["tail"], []).append(edge["head"])
    counts = {end: 1}

    def count(key):
        if key not in counts:
            counts[key] = sum(map(count, leaving.get(key, [])))
        return counts[key]

    return count(start)


def outputs_of(page, unit, units):
    """The cards of a unit that are used outside it, or are the root."""
    own = {i for i, u in enumerate(units) if u == unit and page.nodes[i] is not None}
    leaving = {tail for tail, head, _ in page.data["links"] if tail in own and head not in own}
    return leaving | (own & {page.data["root"]})


@settings(max_examples=much(50, 10))
@given(root=graphs_with_modules(), folds=FOLDS, limit=st.sampled_from([1, 6, 50]))
def test_a_gradient_is_the_sum_over_its_paths(javascript, root, folds, limit):
    page = open_page(root)
    folded = fitting(page, folds)
    found = javascript(page, PATHS, folded=folded, limit=limit)
    check_paths(page, folded, limit, found)


def check_paths(page, folded, limit, found):
    """Every way there is, and over those the sum of the products is the gradient."""
    units, edges = unit_of(page, folded), found["edges"]
    checked = 0
    for unit, paths in found["paths"]:
        count = count_paths(edges, unit, found["to"])
        assert (paths is None) == (count > limit)
        if paths is None:
            continue
        assert len(set(map(tuple, paths))) == len(paths) == count
        for path in paths:
            stops = [edges[n] for n in path]
            ends = [unit, *(edge["head"] for edge in stops)]
            assert [edge["tail"] for edge in stops] == ends[:-1]
            assert ends[-1] == found["to"]
        factors = [[found["derivatives"][n] for n in path] for path in paths]
        outputs = outputs_of(page, unit, units)
        if len(outputs) == 1 and not any(x is None for path in factors for x in path):
            products = [math.prod(path) for path in factors]
            g = found["g"][outputs.pop()]
            largest = max(map(abs, found["g"]))
            assert sum(products) == pytest.approx(g, rel=1e-9, abs=1e-9 * max(largest, 1.0))
            checked += 1
    return checked


@given(root=graphs_with_modules(), folds=FOLDS)
def test_edges_into_one_operation_have_its_local_derivative(javascript, root, folds):
    """And those into a folded module have one wherever one number says it."""
    page = open_page(root)
    folded = fitting(page, folds)
    found = javascript(page, PATHS, folded=folded, limit=1)
    units = unit_of(page, folded)
    for edge, ours in zip(found["edges"], found["derivatives"], strict=True):
        tails = {page.links[k].tail for k in edge["links"]}
        if edge["head"].startswith("card:"):
            (k,) = edge["links"]
            head = page.nodes[page.links[k].head]
            if page.nodes[tails.pop()] is None:
                assert ours is None
            else:
                assert close(ours, head.pullback(1.0)[page.links[k].operand])
        else:
            variable = [t for t in tails if page.nodes[t] is not None]
            single = len(outputs_of(page, edge["head"], units)) == 1
            assert (ours is not None) == (len(variable) == len(tails) == 1 and single)


def test_a_parameter_of_a_module_that_is_used_outside_too_is_a_result_of_the_module(javascript):
    """z = w x + w, where w and w x are in one module: dz/dx goes through one of its two results."""
    x = Value(3.0, "x")
    with group("g"):
        w = Value(2.0, "w")
        y = w * x
    page = open_page(y + w)
    found = javascript(page, PATHS, folded=[0], limit=6)
    check_paths(page, [0], 6, found)


def test_two_results_into_one_module_are_no_single_derivative(javascript):
    x = Value(3.0, "x")
    with group("two"):
        u, v = x * 2.0, x * 5.0
    with group("one"):
        y = u * v + u
    page = open_page(y)

    def numbers(folded):
        found = javascript(page, PATHS, folded=folded, limit=6)
        check_paths(page, folded, 6, found)
        names = [unit.replace("card:0", "x") for unit in unit_of(page, folded)]
        found = zip(found["edges"], found["derivatives"], strict=True)
        return {names[page.links[e["links"][0]].tail]: d for e, d in found if d is not None}

    place = {id(node): f"card:{i}" for i, node in enumerate(page.nodes)}
    assert numbers([0, 1]) == {}
    assert numbers([1]) == {"x": 5, place[id(u)]: 16, place[id(v)]: 6}


def doublings(n):
    x = Value(1.0, "x")
    for _ in range(n):
        x = x + x
    return open_page(x)


@pytest.mark.parametrize(("n", "limit", "found"), [(3, 8, 8), (3, 7, None), (40, 6, None),
                                                   (40, 2**39, None), (1200, 6, None)])  # fmt: skip
def test_many_paths_are_counted_and_not_walked(javascript, n, limit, found):
    answer = javascript(doublings(n), PATHS.replace("...view.units.keys()", "'card:0'"),
                        folded=[], limit=limit)  # fmt: skip
    [[_, paths]] = answer["paths"]
    assert (None if paths is None else len(paths)) == found


def test_a_long_chain_is_one_path(javascript):
    y = Value(1.0, "x")
    for _ in range(1400):
        y = -y
    page = open_page(y)
    answer = javascript(page, PATHS.replace("...view.units.keys()", "'card:0'"), folded=[], limit=6)
    [[_, [path]]] = answer["paths"]
    assert len(path) == 1400
    assert answer["g"][0] == 1


# --- Tensors and networks ------------------------------------------------------------------------


def network():
    model = nn.MLP(2, [3, 2], rng=0)
    loss = nn.cross_entropy(model(Tensor([[1.0, -2.0]], "x")), [1])
    loss.label = "loss"
    return open_page(loss)


def test_any_folding_of_a_network_gives_the_same_gradients(javascript):
    page = network()
    modules = page.data["modules"]
    some = itertools.product([False, True], repeat=min(len(modules), 5))
    checked = Counter()
    for choice in some:
        folded = [m for m in range(len(modules)) if choice[m % len(choice)]]
        found = javascript(page, KNOWN, folded=folded)
        for i, card in enumerate(page.data["cards"]):
            if card["kind"] != "constant":
                assert close(found["known"][-1]["gradient"][i], found["g"][i], 1.0)
                checked[card["kind"]] += 1
    assert checked["leaf"]
    assert checked["node"]
