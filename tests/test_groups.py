"""`with group(...)`: which nodes belong to it, in every way a block can be entered and left."""

import copy
import pickle
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Tensor, Value, gradients, group, nn, no_grad, topological_order
from tinygrad_edu.engine import observers

BOTH = pytest.mark.parametrize("kind", [Value, Tensor])


@BOTH
def test_everything_made_inside_belongs_to_the_group_and_nothing_else_does(kind):
    before = kind(2.0)
    with group("inner") as made:
        leaf = kind(3.0)
        results = [before + leaf, before * 2, 2 - before, -before, before.exp(), leaf.tanh()]
        results += [before.maximum(leaf), (leaf * 1).detach()]
    after = before + leaf
    assert made.name == "inner"
    assert all(node.group is made for node in [leaf, *results])
    assert [before.group, after.group] == [None, None]


def test_a_group_knows_the_one_around_it():
    with group("outer") as outer:
        a = Value(1.0)
        with group("inner") as inner:
            b = a + 1
        c = b + 1
    assert [a.group, b.group, c.group] == [outer, inner, outer]
    assert (outer.outer, inner.outer) == (None, outer)
    assert inner.chain() == (outer, inner)


def test_every_entry_of_a_block_is_a_group_of_its_own():
    layer, found = group("layer"), []
    for _ in range(2):
        with layer as made:
            assert Value(1.0).group is made
            found.append(made)
    with layer as outer, layer as inner:
        assert inner.outer is outer
    assert len({*found, outer, inner}) == 4
    assert {g.name for g in found} == {"layer"}


def test_a_decorated_function_makes_a_group_with_each_call():
    @group("cell")
    def cell(x, depth=0):
        y = x + 1
        return cell(y, depth - 1) if depth else y

    x = Value(1.0)
    first, second = cell(x), cell(x)
    assert first.group.name == second.group.name == "cell"
    assert first.group is not second.group
    assert len(cell(x, depth=3).group.chain()) == 4
    assert cell.__name__ == "cell"
    assert (x + 1).group is None


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_group_ends_with_an_exception(error):
    with group("outer") as outer:
        with pytest.raises(error), group("inner"):
            raise error
        assert Value(1.0).group is outer
    assert Value(1.0).group is None
    assert observers.active == 0


@pytest.mark.parametrize("name", [None, 3, b"layer", Value(1.0), ["a"], len])
def test_a_name_is_a_string(name):
    with pytest.raises(TypeError, match=r'group: expected a name, as in group\("layer1"\)'):
        group(name)


@BOTH
def test_no_grad_and_group_work_inside_each_other(kind):
    x = kind(2.0)
    with group("a") as a:
        with no_grad():
            quiet = x * x
            with group("b") as b:
                still = x.exp()
        loud = x * x
    with no_grad(), group("c") as c:
        also = x * 2
    assert [n.operands for n in (quiet, still, also)] == [(), (), ()]
    assert [n.rule for n in (quiet, still, also)] == [None] * 3
    assert loud.operands == (x, x)
    assert [n.group for n in (quiet, still, loud, also)] == [a, b, a, c]


def test_gradients_recorded_in_a_group_belong_to_it():
    x = Value(2.0)
    y = x * x * x
    with group("derivative") as derivative:
        (dy,) = gradients(y, x)
    made = [n for n in topological_order(dy) if n.group is not None]
    assert dy in made
    assert {n.group for n in made} == {derivative}
    assert dy.data == 12


@given(st.lists(st.sampled_from(["open", "close", "node", "quiet", "loud"]), max_size=30))
def test_a_node_belongs_to_the_innermost_block_that_is_open(actions):
    x, stack, quiet = Value(1.0), [], 0
    for action in actions:
        if action == "open":
            block = group(str(len(stack)))
            stack.append((block, block.__enter__()))
        elif action == "close" and stack:
            stack.pop()[0].__exit__(None, None, None)
        elif action == "quiet":
            no_grad().__enter__()
            quiet += 1
        elif action == "loud" and quiet:
            no_grad().__exit__(None, None, None)
            quiet -= 1
        node = x + 1
        assert node.group is (stack[-1][1] if stack else None)
        assert bool(node.operands) == (not quiet)
        assert observers.active == len(stack) + quiet
    while stack:
        stack.pop()[0].__exit__(None, None, None)
    for _ in range(quiet):
        no_grad().__exit__(None, None, None)
    assert observers.active == 0


# --- what it costs those who do not use it ------------------------------------------------------


@BOTH
def test_outside_of_a_group_nothing_is_stored_and_nothing_is_called(kind, monkeypatch):
    def never(node):
        raise AssertionError("called without an open block")

    monkeypatch.setattr(observers, "note", never)
    x = kind(2.0)
    for node in (x, x + x, x + 1, 1 - x, -x, x.exp(), x.maximum(0.0), x.detach()):
        assert not hasattr(node, "_group")
        assert node.group is None


@BOTH
def test_a_node_pays_one_slot_for_groups(kind):
    slots = 8  # _compared, _group, data, label, operands, pullback, rule, grad
    collector = 16
    assert sys.getsizeof(kind(1.0)) <= object.__basicsize__ + slots * 8 + collector


def test_the_group_of_a_node_is_read_only():
    with pytest.raises(AttributeError):
        Value(1.0).group = None


# --- copies -------------------------------------------------------------------------------------


def grouped_graph(kind):
    x = kind(2.0, "x")
    with group("outer"):
        y = x * 3
        with group("inner"):
            w = kind(5.0, "w")
            z = y * w
        return (z + y).exp() * 1e-20


@BOTH
def test_a_deepcopy_is_in_the_same_groups(kind):
    root = grouped_graph(kind)
    twin = copy.deepcopy(root)
    groups = [n.group for n in topological_order(twin)]
    assert groups == [n.group for n in topological_order(root)]
    assert len(set(groups)) == 3
    assert not hasattr(topological_order(twin)[0], "_group")


@BOTH
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_has_groups_that_are_shared_as_they_were(kind, protocol):
    root = grouped_graph(kind)
    twin = pickle.loads(pickle.dumps(root, protocol))
    before, after = ([n.group for n in topological_order(r)] for r in (root, twin))

    def partition(groups):
        return [groups.index(g) for g in groups]

    assert partition(after) == partition(before)
    assert [g and g.name for g in after] == [g and g.name for g in before]
    inner = next(g for g in after if g and g.name == "inner")
    assert inner.outer is next(g for g in after if g and g.name == "outer")
    assert inner.outer.outer is None
    assert not set(before) & set(after) - {None}


def test_a_copy_made_in_a_group_keeps_the_groups_it_had():
    root = grouped_graph(Value)
    data = pickle.dumps(root)
    with group("later") as later:
        copies = copy.deepcopy(root), pickle.loads(data)
    for twin in copies:
        assert {n.group.name for n in topological_order(twin) if n.group} == {"outer", "inner"}
        assert later not in {n.group for n in topological_order(twin)}


def test_groups_nested_deeper_than_pickle_can_follow():
    x, entered = Value(1.0), [group(str(i)) for i in range(2000)]
    for block in entered:
        block.__enter__()
    y = x + 1
    for block in reversed(entered):
        block.__exit__(None, None, None)
    for twin in (pickle.loads(pickle.dumps(y)), copy.deepcopy(y)):
        assert [g.name for g in twin.group.chain()] == [str(i) for i in range(2000)]
    assert repr(y.group) == "Group(name='1999')"


def test_a_model_built_in_a_group_is_copied_with_it():
    with group("encoder"):
        model = nn.MLP(2, [3, 1], rng=0)
    twin = pickle.loads(pickle.dumps(model))
    found = {p.group for p in twin.parameters()}
    assert [g.name for g in found] == ["encoder"]
