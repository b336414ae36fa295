"""Modules of pictures that `with group(...)` blocks make, alone and around those of labels."""

import numpy as np
import pytest
from test_modules import found, text_of

from tinygrad_edu import Value, group, nn
from tinygrad_edu.view.cards.folding import find_modules
from tinygrad_edu.view.cards.reading import read


def test_a_group_around_a_neuron_leaves_its_inputs_outside():
    x, y = Value(1.0, "x"), Value(2.0, "y")
    with group("neuron"):
        w, v = Value(0.5, "w"), Value(0.25, "v")
        out = (w * x + v * y + 1.0).tanh()
    assert found(out * 2.0) == {"neuron": "+ + 1 tanh v w × ×", "": "2 x y ×"}


def test_groups_nest_and_the_same_name_is_numbered_in_order():
    x = Value(1.0, "x")
    with group("net"):
        for _ in range(2):
            with group("neuron"):
                x = (x * Value(2.0, "w")).tanh()
        x = x.exp()
    with group("net"), group("neuron"):
        x = x * 3.0
    assert found(x) == {
        "net": "exp",
        "net/neuron": "tanh w ×",
        "net/neuron (2)": "tanh w ×",
        "net (2)": "",
        "net (2)/neuron": "3 ×",
        "": "x",
    }


def test_a_number_that_is_part_of_a_name_is_not_given_twice():
    x = Value(1.0, "x")
    for name in ("g", "g (2)", "g", "g", "g (2)"):
        with group(name):
            x = x + 1.0
    cards, links = read(x)
    names = [module.name for module in find_modules(cards, links)[0]]
    assert names == ["g", "g (2)", "g (3)", "g (4)", "g (2) (2)"]


def test_modules_of_labels_stand_inside_groups():
    model = nn.MLP(2, [2, 1], rng=0)
    x = np.ones((1, 2))
    with group("forward"):
        out = model(x)
    assert found(out.sum()) == {
        "forward": "",
        "forward/layers.0": "1 × 2 ReLU affine layers.0.bias layers.0.weight",
        "forward/layers.2": "affine layers.2.bias layers.2.weight",
        "": "Σ",
    }


def test_parameters_that_several_groups_use_stand_outside_of_them():
    w = Value(2.0, "cell.w")
    x = Value(1.0, "x")
    for _ in range(2):
        with group("step"):
            x = (x * w).tanh() * w
    assert found(x) == {
        "step": "",
        "step/cell": "tanh × ×",
        "step (2)": "",
        "step (2)/cell": "tanh × ×",
        "": "cell.w x",
    }


def test_a_model_built_in_a_group_stands_where_it_is_used():
    with group("setup"):
        model = nn.MLP(2, [1], rng=0)
    root = model(np.ones((1, 2))).sum()
    assert found(root) == {"layers.0": "1 × 2 affine layers.0.bias layers.0.weight", "": "Σ"}


def test_a_parameter_made_in_a_group_that_computes_stays_in_it():
    x = Value(1.0, "x")
    with group("g"):
        w = Value(2.0, "c.w")
        y = x * w
    assert found(y * w) == {"g": "", "g/c": "c.w ×", "": "x ×"}


def test_what_follows_a_group_is_in_no_module_of_the_group():
    x = Value(1.0, "x")
    with group("g"):
        y = x * Value(2.0, "a.w")
    z = y.tanh().exp() * Value(3.0, "b.w")
    assert found(z) == {"g": "", "g/a": "a.w ×", "b": "b.w ×", "": "exp tanh x"}


def test_a_group_is_kept_before_a_module_of_labels_around_it():
    w = Value(2.0, "a.w")
    y = Value(1.0, "x") * w
    with group("g"):
        y = y.tanh().exp()
    assert found(y * w) == {"g": "exp tanh", "": "a.w x × ×"}


def test_modules_without_operations_are_dropped():
    with group("inputs"):
        x, y = Value(1.0, "x"), Value(2.0, "b")
    with group("one"):
        z = x.exp()
    alone = y * Value(3.0, "c.w")
    cards, links = read(z * alone)
    modules, module_of = find_modules(cards, links)
    assert [m.name for m in modules] == ["one", "c"]
    outside = {text_of(card) for card, m in zip(cards, module_of, strict=True) if m < 0}
    assert outside == {"x", "b", "×"}


@pytest.mark.parametrize("root", [Value(1.0, "a.w"), Value(1.0)])
def test_a_leaf_alone_has_no_modules(root):
    assert find_modules(*read(root)) == ([], [-1])
