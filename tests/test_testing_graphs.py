"""Random graphs: what they promise, their code, and what failing ones shrink to."""

import functools

import custom_rules
import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, gradcheck, hessian, jacobian, replay, topological_order
from tinygrad_edu.rules import name_of, settings_of
from tinygrad_edu.testing import (
    DOMAINS,
    Domain,
    Graph,
    assert_gradients,
    tensor_graphs,
    value_graphs,
)
from tinygrad_edu.testing.drawing import STEEPEST
from tinygrad_edu.testing.leaves import MARGIN
from tinygrad_edu.testing.tensor_graphs import KNOWN

softsign, swish = custom_rules.softsign, custom_rules.swish
QUICK = settings(database=None, max_examples=500, phases=[Phase.generate, Phase.shrink])


def names(graph):
    return [name_of(x.rule) for x in topological_order(graph.root) if x.rule is not None]


def smallest(strategy, holds):
    return repr(find(strategy, holds, settings=QUICK))


# --- what is drawn -------------------------------------------------------------------------------


@pytest.mark.untraced
@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize("smooth", [False, True])
def test_every_elementwise_rule_is_drawn_and_shrinks_to_itself_alone(name, smooth):
    graph = find(value_graphs([name], smooth=smooth), lambda g: True, settings=QUICK)
    assert names(graph) == [name]
    assert len(graph.leaves) == sum(x is not None for x in DOMAINS[name].intervals)


@pytest.mark.untraced
@pytest.mark.parametrize("name", KNOWN)
def test_every_rule_is_drawn_in_smooth_graphs_of_tensors_and_its_gradients_are_right(name):
    strategy = tensor_graphs([name], smooth=True, most=2)
    graph = find(strategy, lambda g: name in names(g), settings=QUICK)
    assert set(names(graph)) <= {name, "sum", "multiply", "add"}
    assert_gradients(strategy, max_examples=5)


@pytest.mark.untraced
@pytest.mark.parametrize("name", KNOWN)
def test_every_rule_is_drawn_in_graphs_of_whole_tensors(name):
    graph = find(tensor_graphs([name]), lambda g: name in names(g), settings=QUICK)
    for x in graph.inputs:
        np.testing.assert_array_equal(x, np.round(x))


@given(value_graphs(most=12), value_graphs(most=12, smooth=True))
def test_every_operand_lies_in_the_domain_of_its_rule(anywhere, smooth):
    for graph in (anywhere, smooth):
        assert all(type(x) is Value for x in graph.leaves)
        assert [x.label for x in graph.leaves] == [f"x{i}" for i in range(len(graph.leaves))]
        last = len(topological_order(graph.root))
        for node in topological_order(graph.root):
            last -= 1
            if node.rule is None or name_of(node.rule) == "add":  # sums of ends may be anywhere
                continue
            for x, interval in zip(node.operands, DOMAINS[name_of(node.rule)].intervals,
                                   strict=True):  # fmt: skip
                if interval is not None:
                    assert interval[0] <= getattr(x, "data", x) <= interval[1]


@given(value_graphs(most=12, smooth=True), st.integers(0, 99))
def test_no_small_step_from_a_smooth_graph_meets_a_kink_or_is_steep(graph, seed):
    step = MARGIN / 10 * np.random.default_rng(seed).uniform(-1, 1, len(graph.inputs))
    near = graph.function.nodes(*graph.new_leaves(*np.array(graph.inputs) + step))
    here = graph.function.nodes(*graph.leaves)
    for x, y in zip(here, near, strict=True):
        assert sides(x) == sides(y)
    assert all(abs(x.data - y.data) <= STEEPEST * MARGIN
               for x, y in zip(here[:-1], near[:-1], strict=True))  # fmt: skip


def sides(node):
    """On which side of each kink the operands of a node are."""
    if node.rule is None:
        return []
    domain = DOMAINS[name_of(node.rule)]
    xs = [getattr(x, "data", x) for x in node.operands]
    kinks = [xs[0] > at for at in domain.kinks_at(settings_of(node.rule))]
    return [*kinks, xs[0] > xs[1]] if domain.ties else kinks


@given(tensor_graphs(dtype=np.float32, max_dims=2, max_side=2))
def test_graphs_of_tensors_have_a_root_of_shape_nothing_and_the_dtype(graph):
    assert all(type(x) is Tensor and x.dtype == np.float32 for x in graph.leaves)
    assert all(x.ndim <= 2 and max(x.shape, default=1) <= 2 for x in graph.leaves)
    assert (graph.root.shape, graph.root.dtype) == ((), np.float32)
    assert np.isfinite(graph.root.data)


@given(tensor_graphs(["add", "multiply", "relu", "max", "matmul", "sum", "abs", "maximum"]))
def test_graphs_of_exact_rules_are_whole_numbers_throughout(graph):
    for node in topological_order(graph.root):
        np.testing.assert_array_equal(node.data, np.round(node.data))


# --- graphs are functions, and code --------------------------------------------------------------

ANY = st.one_of(value_graphs(most=12), tensor_graphs(), tensor_graphs(smooth=True, dtype="f4"))


@given(ANY)
def test_the_repr_is_the_code_that_makes_the_graph_again(graph):
    again = eval(repr(graph), {"np": np, "tg": tg, "Graph": Graph})
    assert repr(again) == repr(graph)  # which is read off the graph that the code recorded
    assert names(again) == names(graph)
    assert again.root.data.tobytes() == graph.root.data.tobytes() if again.inputs and hasattr(
        again.root.data, "tobytes") else again.root.data == graph.root.data  # fmt: skip
    for x, y in zip(again.inputs, graph.inputs, strict=True):
        np.testing.assert_array_equal(x, y)
        assert getattr(x, "dtype", None) == getattr(y, "dtype", None)


def test_a_long_graph_is_code_without_deep_parentheses():
    def chain(x):
        for _ in range(150):
            x = (x * 0.5).sin()
        return x

    graph = Graph(chain, 1.0)
    again = eval(repr(graph), {"tg": tg, "Graph": Graph})
    assert repr(again) == repr(graph)
    assert again.root.data == graph.root.data


@pytest.mark.parametrize(
    ("function", "code"),
    [
        (lambda x, y: x + y - x, "x0 + x1 - x0"),
        (lambda x, y: x - (y - x), "x0 - (x1 - x0)"),
        (lambda x, y: (x + y) * -x, "(x0 + x1) * -x0"),
        (lambda x, y: -(x * y) / (x / y), "-(x0 * x1) / (x0 / x1)"),
        (lambda x, y: (-x) ** y ** 2, "(-x0) ** (x1 ** 2.0)"),
        (lambda x, y: -(x**y) * (-2.0) ** y, "-x0 ** x1 * (-2.0) ** x1"),
        (lambda x, y: (z := x.sin()) * z + y, "(y0 := tg.sin(x0)) * y0 + x1"),
        (lambda x, y: (z := x + y).exp() + z.sin(), "tg.exp(y0 := x0 + x1) + tg.sin(y0)"),
        (lambda x, y: tg.where(True, x.clip(0, 1), y),
         "tg.where(True, tg.clip(x0, min=0, max=1), x1)"),
        (lambda x, y: x, "+x0"),
    ],
)  # fmt: skip
def test_code_has_the_parentheses_it_needs(function, code):
    graph = Graph(function, 3.0, 2.0)
    if "** x1 *" not in code:
        assert repr(graph) == f"Graph(lambda x0, x1: {code}, 3.0, 2.0)"
    again = eval(f"lambda x0, x1: {code}", {"tg": tg})(Value(3.0), Value(2.0))
    root = function(Value(3.0), Value(2.0))
    assert again.data == root.data or (np.isnan(again.data) and np.isnan(root.data))


def test_indices_and_arrays_are_written_as_a_person_does():
    a = np.array([[1, 2, 3], [4, 5, 6.5]], np.float32)
    graph = Graph(lambda x, y: x[::-1, 1:] @ y[..., None][[0, 1]] + x[0][None] * [1, 2, 3.0],
                  a, np.arange(3.0))  # fmt: skip
    assert repr(graph) == (
        "Graph(lambda x0, x1: x0[::-1, 1:] @ x1[..., None][[0, 1]] + "
        "x0[0][None] * np.array([1.0, 2.0, 3.0]), np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]], "
        "'float32'), np.array([0.0, 1.0, 2.0]))"
    )
    empty = Graph(lambda x: x.sum(), np.zeros((0, 3)))
    assert repr(empty) == "Graph(lambda x0: tg.sum(x0), np.zeros((0, 3), 'float64'))"


@given(value_graphs(smooth=True, most=6))
def test_a_graph_is_a_function_for_every_tool(graph):
    gradcheck(graph, *graph.leaves)
    everything = tuple(range(len(graph.inputs)))
    slopes = jacobian(graph, argnums=everything)(*graph.inputs)
    leaves = graph.new_leaves()
    root = graph(*leaves)
    root.backward()
    assert slopes == tuple(x.grad for x in leaves)
    value, replayed = replay(graph, list(graph.inputs))(*graph.inputs)
    assert value == pytest.approx(graph.root.data, rel=1e-9, abs=1e-9)
    assert replayed == pytest.approx(slopes, rel=1e-9, abs=1e-9)
    assert np.shape(hessian(graph, argnums=everything)(*graph.inputs)) == (len(leaves),) * 2


def test_a_graph_is_made_again_from_other_inputs():
    graph = Graph(lambda x, y: x * y, 2.0, [1.0, 2.0])
    assert [type(x) for x in graph.leaves] == [Value, Tensor]
    graph = Graph(lambda x, y: x * y, 2.0, 3.0)
    assert graph(*graph.new_leaves(4.0, 5.0)).data == 20.0
    assert graph.root.data == 6.0
    assert graph.leaves[0] is graph.leaves[0]
    for call in (graph, graph.new_leaves):
        with pytest.raises(TypeError, match="2 leaves, not 1"):
            call(1.0)
    with pytest.raises(TypeError, match="expected a function"):
        Graph(2.0)
    with pytest.raises(TypeError, match="str"):
        Graph(lambda x: x, "2")
    assert "nothing" in repr(Graph(lambda_that_gives_nothing, 1.0))


def lambda_that_gives_nothing(x):
    return None


# --- functions of one's own ----------------------------------------------------------------------


@pytest.mark.untraced
def test_rules_of_ones_own_are_half_of_what_is_drawn(softsign, swish):
    seen = []

    @settings(max_examples=30)
    @given(value_graphs(also=[softsign, swish]), tensor_graphs(also=[softsign, swish]))
    def draw(graph, of_tensors):
        seen.extend([*names(graph), *names(of_tensors)])

    draw()
    own = sum(name in ("softsign", "swish") for name in seen)
    assert own > 30
    for strategy in (value_graphs, tensor_graphs):
        own = strategy(also=[softsign, swish])
        found = smallest(own, lambda g: "swish(softsign(x0)" in repr(g))
        assert found.startswith("Graph(lambda x0: ")


def test_a_function_is_tried_inside_of_its_domain_away_from_its_kinks():
    def root(x, power=0.5):
        assert 0.5 <= getattr(x, "data", x) <= 2.0
        assert power in (0.5, 2.0)
        return x**power

    domain = Domain([(0.51, 1.99)], kinks=[1.0], settings={"power": st.sampled_from([0.5, 2.0])})

    @given(value_graphs({root: domain, "sin": None}, smooth=True))
    def draw(graph):
        for x in graph.leaves:
            assert repr(graph).count("root") == 0 or x.data != 1.0

    draw()
    found = smallest(value_graphs({root: domain}, smooth=True), lambda g: "power=2.0" in repr(g))
    assert found == "Graph(lambda x0: root(x0, power=2.0), 0.75)"


def test_settings_bound_by_partial_are_written_out(swish):
    wide = functools.partial(swish, beta=2.0)
    assert smallest(value_graphs([wide]), lambda g: True) == (
        "Graph(lambda x0: swish(x0, beta=2.0), 0.0)"
    )


def test_a_function_that_is_not_defined_there_says_how_to_tell():
    def root(x):
        return x**0.5 if getattr(x, "data", x) >= 0 else 1 / 0

    with pytest.raises(ZeroDivisionError) as caught:
        find(value_graphs([root]), lambda g: g.inputs[0] < 0, settings=QUICK)
    assert any("also={root: Domain(" in note for note in caught.value.__notes__)


def test_a_function_of_arrays_is_used_on_the_shapes_that_it_takes():
    def rows(x):
        if np.ndim(getattr(x, "data", x)) != 2:
            raise ValueError("rows: two axes are needed")
        return tg.sum(x, axis=1)

    found = smallest(tensor_graphs(also=[rows]), lambda g: "rows" in repr(g))
    assert found == "Graph(lambda x0: tg.sum(rows(x0)), np.array([[0.0]]))"


# --- shrinking -----------------------------------------------------------------------------------


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("strategy", "holds", "code"),
    [
        (value_graphs(), lambda g: "tanh" in names(g), "lambda x0: tg.tanh(x0), 0.0"),
        (value_graphs(["add", "multiply", "exp"]), lambda g: g.root.data > 5.0, None),
        (value_graphs(["add", "sin", "cos"]), lambda g: names(g).count("sin") >= 2, None),
        (value_graphs(["add", "sin", "tanh"]), lambda g: "tg.tanh(tg.sin(x0" in repr(g), None),
        (tensor_graphs(["add", "softmax"]), lambda g: "softmax" in names(g),
         "lambda x0: tg.sum(tg.softmax(x0, axis=0)), np.array([0.0])"),
        (tensor_graphs(["sin", "sqrt"], smooth=True), lambda g: "sqrt" in names(g),
         "lambda x0: tg.sqrt(x0), np.array(1.0)"),
    ],
)  # fmt: skip
def test_graphs_shrink_to_the_smallest(strategy, holds, code):
    graph = find(strategy, holds, settings=QUICK)
    assert len(names(graph)) <= 3
    if code is not None:
        assert repr(graph) == f"Graph({code})"
