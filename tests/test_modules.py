"""Modules of pictures: what they hold, that they nest, and that folding them makes no cycle."""

import random
import threading
import time
from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Value, group, nn, scalar_nn
from tinygrad_edu.view.cards.cycles import cycles_of
from tinygrad_edu.view.cards.folding import find_modules, path_of
from tinygrad_edu.view.cards.reading import read


def text_of(card):
    return card.name or card.symbol or card.value


def found(root):
    """The names, as a path from the outermost, of the modules and what stands directly in each."""
    cards, links = read(root)
    modules, module_of = find_modules(cards, links)
    paths = [module.name for module in modules]
    for i, module in enumerate(modules):
        if module.outer >= 0:
            paths[i] = f"{paths[module.outer]}/{module.name}"
    assert len(set(paths)) == len(paths)
    inside = {path: [] for path in paths}
    for card, m in zip(cards, module_of, strict=True):
        inside.setdefault(paths[m] if m >= 0 else "", []).append(text_of(card))
    return {path: " ".join(sorted(names)) for path, names in inside.items()}


def cards_of(modules, module_of):
    """For each module the set of all cards in it, also those of inner modules."""
    sets = [set() for _ in modules]
    for i, m in enumerate(module_of):
        while m >= 0:
            sets[m].add(i)
            m = modules[m].outer
    return sets


def reachable(count, links):
    """What each card leads to, by brute force."""
    after = np.eye(count, dtype=bool)
    for link in sorted(links, key=lambda link: -link.head):
        after[link.tail] |= after[link.head]
    return after


def has_cycle(edges):
    """Whether taking away what has nothing before it, again and again, leaves something."""
    edges = set(edges)
    while edges:
        heads = {head for _, head in edges}
        rest = {(tail, head) for tail, head in edges if tail in heads}
        if rest == edges:
            return True
        edges = rest
    return False


def check_laws(root, fold=()):
    cards, links = read(root)
    modules, module_of = find_modules(cards, links)
    assert (modules, module_of) == find_modules(cards, links)
    assert len(module_of) == len(cards)
    assert all(-1 <= m < len(modules) for m in module_of)
    assert all(-1 <= module.outer < i for i, module in enumerate(modules))
    assert len({(module.outer, module.name) for module in modules}) == len(modules)
    sets = cards_of(modules, module_of)
    for module, inside in zip(modules, sets, strict=True):
        assert any(not (cards[i].is_leaf or cards[i].is_constant) for i in inside)
        assert module.outer < 0 or inside <= sets[module.outer]
    for link in links:
        if cards[link.tail].is_constant:
            assert module_of[link.tail] == module_of[link.head]
    # convex: nothing outside lies on a path between two cards of the module
    leads = reachable(len(cards), links)
    for inside in sets:
        within = sorted(inside)
        between = leads[within].any(axis=0) & leads[:, within].any(axis=1)
        assert set(np.flatnonzero(between)) == inside
    # and so for any set of modules that do not overlap, folded at once
    for chosen in (range(len(modules)), fold):
        folded = {m for m in chosen if m < len(modules)}

        def shown(card, folded=folded):
            item, m = ("card", card), module_of[card]
            while m >= 0:
                if m in folded:
                    item = ("module", m)
                m = modules[m].outer
            return item

        edges = {(shown(link.tail), shown(link.head)) for link in links}
        assert not has_cycle((a, b) for a, b in edges if a != b)
    return modules


LABELS = ["", "x", "a.w", "a.b", "b.w", "a.in.w", "layers.0.w", "layers.1.w", "layers.0.cell.1.b"]


@st.composite
def graphs(draw):
    """Random graphs whose leaves have random labels, made in blocks that open and close."""
    nodes = [Value(1.0, draw(st.sampled_from(LABELS))) for _ in range(draw(st.integers(1, 6)))]
    with ExitStack() as all_blocks:
        opened = []
        for _ in range(draw(st.integers(1, 25))):
            action = draw(st.integers(0, 9))
            if action == 0:
                opened.append(group(draw(st.sampled_from(["g", "h", "g (2)"]))))
                all_blocks.enter_context(opened[-1])
            elif action == 1:
                all_blocks.close()
            elif action == 2:
                nodes.append(Value(2.0, draw(st.sampled_from(LABELS))))
            else:
                recent = st.sampled_from(nodes[-8:])
                y = draw(st.sampled_from([*nodes[-5:], 0.5]))
                nodes.append((draw(recent) * y) if action > 4 else -draw(recent))
    total = nodes[-1]
    for node in nodes[-4:-1]:
        total = total + node
    return total


@given(graphs(), st.sets(st.integers(0, 12)))
def test_laws_of_modules(root, fold):
    check_laws(root, fold)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9), st.integers(0, 9)), max_size=25))
def test_groups_of_two_threads_that_take_turns_never_make_a_cycle(steps):
    """Two open groups, as two threads have them, whose operations use those of one another."""
    nodes = [Value(1.0, "x")]
    with group("one") as one:
        pass
    with group("two") as two:
        pass
    for which, i, j in steps:
        node = nodes[i % len(nodes)] * nodes[j % len(nodes)]
        node._group = (one, two)[which]
        nodes.append(node)
    total = nodes[0]
    for node in nodes[1:]:
        total = total + node
    check_laws(total, {0, 1})


def test_groups_of_threads_that_wait_for_each_other_are_dissolved():
    made, ready, go = {}, threading.Event(), threading.Event()

    def work():
        with group("waits"):
            made["a"] = Value(1.0) + 1
            ready.set()
            assert go.wait(10)
            made["c"] = made["b"] + 1

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(10)
    made["b"] = made["a"] + 1  # outside the group, between two operations inside
    go.set()
    thread.join()
    assert check_laws(made["c"]) == []


# --- modules read from labels -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "path"),
    [
        ("w", []),
        ("", []),
        ("block.weight", ["block"]),
        ("layers.0.weight", ["layers.0"]),
        ("layers.0.neurons.3.w1", ["layers.0", "neurons.3"]),
        ("layers.0.1.w", ["layers.0.1"]),
        ("0.weight", ["0"]),
        ("neurons.3.w.1", ["neurons.3"]),
        ("w.0", []),
        ("größe.w", ["größe"]),
        ("lr=0.1", []),
        ("3.14", []),
        ("Dr. Who", []),
        ("a..b", []),
        (".a", []),
        ("a.", []),
        ("...", []),
        ("a.b\n.c", []),
        (".".join("abcdefghijklm"), list("abcdefgh")),
    ],
)
def test_a_dotted_label_names_its_modules(label, path):
    assert path_of(label) == path


@given(st.text(alphabet="ab.0 1\n·", max_size=30))
def test_no_label_is_too_odd(label):
    check_laws(Value(2.0, label) * 3 + Value(1.0, label))


def neuron_cards(name, inputs, *others):
    """The texts of the cards of a neuron, in the form in which `found` gives them."""
    parameters = [f"{name}.b", *(f"{name}.w{i}" for i in range(inputs))]
    return " ".join(sorted([*parameters, *["×", "+"] * inputs, *others]))


def test_a_network_of_values_folds_by_layer_and_neuron():
    model = scalar_nn.MLP(2, [3, 1], rng=random.Random(0))
    root = (model([Value(1.0, "x"), 2.0]) - 1) ** 2
    first = {
        f"layers.0/neurons.{i}": neuron_cards(f"layers.0.neurons.{i}", 2, "2", "ReLU")
        for i in range(3)
    }
    assert found(root) == {
        "layers.0": "",
        **first,
        "layers.1": "",
        "layers.1/neurons.0": neuron_cards("layers.1.neurons.0", 3),
        "": "** 1 2 x −",
    }
    check_laws(root, {1, 3})


def test_a_network_of_tensors_folds_by_layer_and_its_loss_stays_outside():
    model = nn.MLP(4, [3, 2], rng=0)
    root = nn.cross_entropy(model(np.ones((5, 4))), np.array([0, 1, 0, 1, 0]))
    assert found(root) == {
        "layers.0": "5 × 4 ReLU affine layers.0.bias layers.0.weight",
        "layers.2": "affine layers.2.bias layers.2.weight",
        "": "cross-entropy",
    }


def test_a_regularised_network_folds_too():
    model = scalar_nn.MLP(1, [2, 1], rng=random.Random(0))
    squares = sum(p * p for p in model.parameters())
    root = (model([Value(1.0, "x")]) - 3.0).relu() + 0.01 * squares
    assert found(root) == {
        "layers.0": "",
        "layers.0/neurons.0": neuron_cards("layers.0.neurons.0", 1, "ReLU", "×", "×"),
        "layers.0/neurons.1": neuron_cards("layers.0.neurons.1", 1, "ReLU", "×", "×"),
        "layers.1": "",
        "layers.1/neurons.0": neuron_cards("layers.1.neurons.0", 2, "×", "×", "×"),
        "": "+ + + + + + + + 0 0.01 3 ReLU x × −",
    }
    check_laws(root, {0, 5})


def test_a_recurrent_cell_is_one_module_with_all_its_steps():
    w, u = Value(0.5, "cell.w"), Value(0.3, "cell.u")
    v = Value(2.0, "readout.v")
    h = Value(0.0, "h")
    for i in range(3):
        h = (w * Value(1.0, f"x{i}") + u * h).tanh()
    root = (v * h - 1.0).exp()
    assert found(root) == {
        "cell": "+ + + cell.u cell.w tanh tanh tanh × × × × × ×",
        "readout": "readout.v ×",
        "": "1 exp h x0 x1 x2 −",
    }


def test_layers_used_at_several_depths_are_dissolved():
    model = scalar_nn.MLP(2, [2, 2], rng=random.Random(0))
    once = model([1.0, 2.0])
    assert len(check_laws(once[0] * once[1])) == 6
    twice = model(once)
    assert check_laws(twice[0] * twice[1]) == []


def test_a_cycle_through_one_layer_leaves_the_others_alone():
    a, b, c = (Value(2.0, f"{name}.w") for name in "abc")
    x = (Value(1.0, "x") * a).tanh()
    x = ((x * b).tanh() * a).tanh()
    assert found((x * c).exp()) == {"c": "c.w ×", "": "a.w b.w exp tanh tanh tanh x × × ×"}


def test_two_models_with_the_same_labels_are_two_modules():
    one, two = (nn.MLP(2, [2], rng=i) for i in range(2))
    root = two(one(np.ones((1, 2))).relu()).sum()
    assert found(root) == {
        "layers.0": "1 × 2 ReLU affine layers.0.bias layers.0.weight",
        "layers.0 (2)": "affine layers.0.bias layers.0.weight",
        "": "Σ",
    }


def test_what_lies_between_two_operations_of_a_module_is_in_it():
    x, w, v = Value(1.0, "x"), Value(2.0, "block.w"), Value(3.0, "block.v")
    skip = (x * w).tanh() + x  # the input joins again, as in a residual block
    assert found((skip * 2.0 * v).exp()) == {
        "block": "+ 2 block.v block.w tanh × × ×",
        "": "exp x",
    }


def test_leaves_of_several_modules_give_what_lies_around_them():
    tied = Value(1.0, "net.a.w") * Value(2.0, "net.b.w")
    strange = Value(1.0, "p.w") * Value(1.0, "q.w")
    assert found(tied * strange) == {"net": "net.a.w net.b.w ×", "": "p.w q.w × ×"}


# --- cycles and time ----------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_cycles_are_the_items_that_lead_to_one_another(edges):
    leads = np.eye(10, dtype=bool)
    for tail, head in edges:
        leads[tail, head] = True
    for middle in range(10):  # Warshall 1962
        leads |= np.outer(leads[:, middle], leads[middle])
    both = {tuple(np.flatnonzero(row)) for row in leads & leads.T}
    assert cycles_of(10, edges) == sorted(list(c) for c in both if len(c) > 1)


def deep_network():
    """Some 16 000 cards in 800 neurons."""
    rng = random.Random(0)
    x = [Value(1.0) for _ in range(4)]
    for _ in range(200):
        x = scalar_nn.Layer(4, 4, rng=rng)(x)
    return x[0]


def chain_of_groups():
    x = Value(1.0)
    with ExitStack() as opened:
        for _ in range(300):
            opened.enter_context(group("deeper"))
            x = x * 2.0
    return x


def one_weight_everywhere():
    weights = [Value(1.0, f"m{i}.w") for i in range(50)]
    x = Value(1.0)
    for i in range(10_000):
        x = x * weights[i * 7 % 50]
    return x


@pytest.mark.no_cover
@pytest.mark.parametrize("make", [deep_network, chain_of_groups, one_weight_everywhere])
def test_time_is_in_proportion_to_the_cards(make):
    cards, links = read(make())
    start = time.process_time()
    find_modules(cards, links)
    assert (time.process_time() - start) / len(cards) < 200e-6  # takes 5 to 50 µs a card
