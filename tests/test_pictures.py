"""What pictures say about a graph."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_reader import (
    SVG,
    UNKNOWN,
    apple_and_tax,
    card,
    cards,
    derivatives,
    edge_count,
    graphs,
    main_part,
    operand_count,
    parsed,
)

from tinygrad_edu import Tensor, Value, maximum, to_dot, to_svg, topological_order, where
from tinygrad_edu.scalar_nn import MLP
from tinygrad_edu.view.cards.folding import Foldable
from tinygrad_edu.view.cards.reading import Card as Drawn
from tinygrad_edu.view.cards.reading import Link
from tinygrad_edu.view.picture.svg import badge_width, card_size, draw, fitted, name_inside

numbers = st.floats(-1e300, 1e300)


def test_apple_and_tax_show_every_value_gradient_and_local_derivative():
    price = apple_and_tax()
    price.backward()
    svg = to_svg(price)
    shown = {c.name: (c.value, c.gradient) for c in cards(svg)}
    assert shown["apple"] == ("100", "2.2")
    assert shown["count"] == ("2", "110")
    assert shown["tax"] == ("1.1", "200")
    assert shown["price"] == ("220", "1")
    assert shown[""] == ("200", "1.1")
    assert sorted(derivatives(svg)) == sorted(["×2", "×100", "×1.1", "×200"])
    assert [c.symbol for c in cards(svg) if c.kind.startswith("inner")] == ["×", "×"]
    assert card(svg, "price").kind == "inner root"
    assert card(svg, "apple").kind == "leaf"


@given(graphs())
def test_every_node_is_a_card_and_every_parent_an_edge_and_constants_stand_beside_operators(root):
    svg = to_svg(root)
    nodes = topological_order(root)
    drawn = cards(svg)
    assert len(drawn) == len(nodes)
    assert sum(c.kind.endswith("root") for c in drawn) == 1
    assert edge_count(svg) == len(derivatives(svg)) == sum(len(node.parents) for node in nodes)
    badges = []
    for node in nodes:
        words = ["" if isinstance(x, Value) else f"{x:g}" for x in node.operands]
        words.insert(1, node.symbol)
        badges.append(" ".join(filter(None, words)))
    assert sorted(c.symbol.replace("−", "-") for c in drawn) == sorted(
        badge.replace("−", "-") for badge in badges
    )


def test_a_number_times_itself_has_two_edges_from_one_card():
    a = Value(3, "a")
    svg = to_svg(a * a)
    assert [c.kind for c in cards(svg)] == ["leaf", "inner root"]
    assert edge_count(svg) == 2
    assert derivatives(svg) == ["×3", "×3"]


def test_a_constant_stands_on_its_own_card_beside_a_function_and_has_a_value_only():
    x = Value(3, "x")
    svg = to_svg(maximum(2, 1 - x / 4))
    assert [(c.value, c.gradient) for c in cards(svg) if c.kind == "constant"] == [("2", "")]
    assert {c.symbol for c in cards(svg)} == {"", "÷ 4", "1 −", maximum(x, x).symbol}
    assert sorted(derivatives(svg)) == ["×0", "×0.25", "×−1"]


@given(numbers, st.floats(1e-300, 1e300))
def test_a_card_shows_four_significant_digits_and_its_tip_shows_all(number, gradient):
    x = Value(number, "x")
    x.grad = gradient
    shown = cards(to_svg(x))[0]
    for text, true in ((shown.value, number), (shown.gradient, gradient)):
        plain = text.replace("−", "-")
        assert math.isclose(float(plain), true, rel_tol=5.01e-4, abs_tol=3e-324)
        assert len(re.sub(r"e.*|[-.]", "", plain).lstrip("0")) <= 4
    in_full = re.findall(r"(?:value|gradient) (\S+)", shown.tip)
    assert [float(text) for text in in_full] == [number, gradient]


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_infinity_and_nan_are_shown_as_they_are(number):
    x = Value(number, "x")
    shown = cards(to_svg(x + 0))
    assert {c.value.replace("−", "-") for c in shown} == {str(number)}


@given(graphs())
def test_before_a_backward_pass_every_gradient_is_a_dot_and_never_a_number(root):
    shown = [c for c in cards(to_svg(root)) if c.kind != "constant"]
    assert {c.gradient for c in shown} == {UNKNOWN}
    assert all("gradient not known yet" in c.tip for c in shown)
    assert "gradient 0" not in to_dot(root)


def test_after_a_backward_pass_a_gradient_of_0_is_a_number():
    x = Value(-3, "x")
    root = x.relu()
    root.backward()
    assert card(to_svg(root), "x").gradient == "0"
    assert "gradient 0" in to_dot(root)


def test_a_derivative_that_does_not_exist_is_a_dot_on_its_edge():
    root = Value(0, "x").sqrt()
    assert derivatives(to_svg(root)) == [UNKNOWN]
    assert f'label="{UNKNOWN}"' in to_dot(root) or f"label={UNKNOWN}" in to_dot(root)


@pytest.mark.parametrize("draw", [to_svg, to_dot])
def test_drawing_an_infinite_derivative_of_a_tensor_gives_no_warning(draw):
    assert "√" in draw(Tensor(0.0, "x").sqrt())


def small_texts(svg, name):
    """The texts beside the numbers of a card, such as the shape of its array."""
    for group in main_part(svg).findall(f"{SVG}g"):
        if any(t.get("class") == "name" and t.text == name for t in group):
            return [t.text for t in group if t.get("class") == "k"]
    return None


def strips(svg, name):
    """How many bars stand above and below the line, for the value and for the gradient."""
    found = {}
    for group in main_part(svg).findall(f"{SVG}g"):
        if any(t.get("class") == "name" and t.text == name for t in group):
            for path in group.findall(f"{SVG}path"):
                kind = path.get("class").split()
                if kind[0] == "bar":
                    d = path.get("d")
                    found[kind[1]] = (d.count("v-"), len(re.findall(r"v\d", d)))
    return found


def test_a_tensor_shows_shape_dtype_and_strips_and_a_tensor_of_one_number_is_like_a_value():
    x = Tensor(np.array([[1, -2, 0], [4, 0.5, -3]], np.float32), "x")
    total = (x * np.array([1, 1, -1], np.float32)).sum()
    root = total * Tensor(2.5, "factor")
    svg = to_svg(root)
    assert small_texts(svg, "x") == ["2 × 3 float32", "value", "gradient"]
    assert "(2, 3), float32" in card(svg, "x").tip
    assert strips(svg, "x") == {"v": (3, 2)}  # 0 has no bar
    assert card(svg, "x").gradient == UNKNOWN
    assert sorted(derivatives(svg)) == ["×2.5", "×6.5"]  # none on the edge from an array
    root.backward()
    svg = to_svg(root)
    assert strips(svg, "x") == {"v": (3, 2), "g": (4, 2)}
    assert (card(svg, "x").gradient, card(svg, "factor").gradient) == ("", "6.5")


@pytest.mark.parametrize("x", [[math.nan, 1.0], [math.inf, -1.0], [0.0], []], ids=repr)
def test_arrays_that_are_not_finite_or_empty_are_drawn(x):
    svg = to_svg(Tensor(np.array(x), "x") + 1.0)
    assert not re.search("nan|inf", " ".join(p.get("d") for p in parsed(svg).iter(f"{SVG}path")))


def test_a_graph_of_arrays_with_settings_and_constants_is_drawn():
    x = Tensor(np.arange(6.0).reshape(2, 3), "x")
    root = (where(x > 1, x, 0.0) @ np.ones((3, 2)) + x[:, [0, 0]].clip(0, 2)).mean()
    svg = to_svg(root)
    assert edge_count(svg) == operand_count(root)
    assert isinstance(to_dot(root), str)


def test_a_label_of_ten_thousand_characters_is_cut_on_the_card_and_whole_in_the_tip():
    label = "long " * 2000
    svg = to_svg(Value(3, label) + Value(1, "x"))
    (shown,) = (c for c in cards(svg) if c.name.startswith("long"))
    assert len(shown.name) < 20
    assert shown.name.endswith("…")
    assert shown.tip.splitlines()[0] == label
    assert len(to_dot(Value(3, label))) < 1000


@given(st.text(st.characters(codec="utf-8"), max_size=60), st.floats(20, 300))
def test_a_name_is_cut_only_where_it_would_not_fit(name, width):
    shown = fitted(name, width)
    if shown != name:
        assert shown.endswith("…")
        assert name.startswith(shown[:-1])
        assert len(name) * 14 > width
    assert len(shown) <= max(width / 7.6, 2)


@pytest.mark.parametrize("name", ["x", "tanh", "softplus", "leaky ReLU", "cross-entropy"])
def test_a_card_grows_with_the_name_of_its_operation(name):
    card = Drawn(Value(1), "", "1", UNKNOWN, name, "", False, badge=name)
    width, height = card_size(card)
    assert (width - 166, height) == pytest.approx((badge_width(name) - 32, 72))
    assert (badge_width(name) == 32) == (len(name) <= 3)  # a circle


def chain_of(length, modules=1):
    """Cards in a row, divided into modules of one size; and their links."""
    cards = [Drawn(Value(i), "", "", "", "+" if i else "", "", False)
             for i in range(length)]  # fmt: skip
    links = [Link(i, i + 1, 0, "×1") for i in range(length - 1)]
    return cards, links, [i * modules // length for i in range(length)]


def test_an_open_module_is_a_frame_and_a_folded_one_a_card_that_counts_its_operations():
    cards, links, module_of = chain_of(7, 2)
    modules = [Foldable("first <layer>", -1), Foldable("second", -1)]
    svg = draw(cards, links, modules, module_of, {1})
    titles = [t.text for t in main_part(svg).iter(f"{SVG}text") if t.get("class") == "title"]
    assert titles == ["first <layer>"]
    assert len(main_part(svg).findall(f"{SVG}rect[@class='frame']")) == 1
    (folded,) = main_part(svg).findall(f"{SVG}g[@class='folded']")
    assert [t.text for t in folded.iter(f"{SVG}text")] == ["second", "folded, 3 operations"]
    assert len(derivatives(svg)) == 3
    assert edge_count(svg) == 4


def test_a_card_inside_a_frame_has_the_rest_of_its_name_and_the_whole_in_its_tip():
    assert name_inside("layers.0.neurons.1.w0", ["layers.0", "neurons.1"]) == "w0"
    assert name_inside("layers.10.b", ["layers.1"]) == "layers.10.b"
    svg = to_svg(MLP(2, [1])([Value(1, "x"), Value(2, "y")]))
    names = {c.name: c.tip.splitlines()[0] for c in cards(svg) if c.kind == "leaf"}
    assert names["w0"] == "layers.0.neurons.0.w0"
    assert {"x", "y", "w0", "w1", "b"} <= names.keys()


def test_a_crowd_is_refused_and_the_message_says_what_to_do():
    cards, links, module_of = chain_of(1600, 2)
    modules = [Foldable("first", -1), Foldable("second", -1)]
    with pytest.raises(ValueError, match=r"1600 cards .* 1500 .*group\(.*smaller.*to_dot"):
        draw(cards, links, modules, module_of, set())
    assert edge_count(draw(cards, links, modules, module_of, {0, 1})) == 1


def test_above_300_cards_modules_are_drawn_folded(monkeypatch):
    import tinygrad_edu.view.picture.svg as module

    root = Value(1)
    for _ in range(301):
        root = root.tanh()
    monkeypatch.setattr(module, "find_modules", lambda cards, links: (
        [Foldable("deep", -1)], [-1, *[0] * 200, *[-1] * (len(cards) - 201)]))  # fmt: skip
    svg = to_svg(root)
    assert "folded, 200 operations" in svg
    assert len(cards(svg)) == 302 - 200 + 1
