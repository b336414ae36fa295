"""What the page says of numbers: as text, when they are checked by a nudge, and of a prediction."""

import math

import mpmath
import page_in_node
import pytest
from effort import much
from hypothesis import example, given, settings
from hypothesis import strategies as st
from page_in_node import open_page
from random_graphs import GRAPHS, follow

from tinygrad_edu import Value, group, maximum, minimum
from tinygrad_edu.view.cards.reading import four_digits

javascript = page_in_node.javascript

FINITE = st.floats(allow_nan=False, allow_infinity=False)
# Numbers as people meet them: of every size, and with few digits, so that ties of rounding occur.
SHOWN = (
    st.floats()
    | st.floats(-1e8, 1e8)
    | st.integers(-(10**8), 10**8).map(lambda n: n / 8)
    | st.builds(
        lambda n, power: float(f"{n}e{power}"), st.integers(-99999, 99999), st.integers(-9, 9)
    )
)

# --- numbers as text -----------------------------------------------------------------------------


@settings(max_examples=much(20, 5))
@given(numbers=st.lists(SHOWN, min_size=1, max_size=100))
@example(
    [0.0, -0.0, 715.0, 1e4, 9999.4, 9999.5, 9999.6, 1e7, 9999999.4, 9999999.6, 1e-4, 9.9999e-5]
)
@example([1234.5, 1235.5, -1234.5, 12344.5, 12345.5, 100.25, 100.75, 0.00012345, 2.5e-10, 10000.5])
@example(
    [
        math.nan,
        math.inf,
        -math.inf,
        5e-324,
        1.7e308,
        -1e-300,
        123456.7,
        -99999.5,
        1.7975000000000001e308,
    ]
)
def test_numbers_are_short_as_in_pythons_pictures(javascript, numbers):
    ours = javascript(None, "numbers.map(short)", numbers=numbers)
    assert ours == [four_digits(x) for x in numbers]


def test_whole_numbers_of_up_to_seven_digits_keep_them(javascript):
    numbers = [0, 7, 12345, -98765, 1234567, 9999999, 10000000]
    ours = javascript(None, "numbers.map(short)", numbers=numbers)
    assert ours == ["0", "7", "12345", "−98765", "1234567", "9999999", "1e+07"]
    assert javascript(None, "[short(null), short(undefined), medium(null)]") == ["·", "·", "·"]


@settings(max_examples=much(20, 5))
@given(numbers=st.lists(SHOWN, min_size=1, max_size=100), digits=st.integers(1, 12))
def test_general_is_the_format_of_c(javascript, numbers, digits):
    numbers = [x for x in numbers if math.isfinite(x)]
    for x, ours in zip(
        numbers, javascript(None, "numbers.map((x) => general(x, n))", numbers=numbers, n=digits),
        strict=True,
    ):  # fmt: skip
        ours, wanted = float(ours), float(f"{x:.{digits}g}")
        same_rounding = abs(ours - x) <= abs(wanted - x) * (1 + 1e-9)  # a tie may go either way
        assert ours == wanted or same_rounding


@settings(max_examples=much(20, 5))
@given(numbers=st.lists(FINITE, min_size=1, max_size=100))
def test_all_digits_come_back_when_typed(javascript, numbers):
    ours = javascript(None, "numbers.map((x) => typedNumber(full(x)))", numbers=numbers)
    assert ours == numbers
    typed = javascript(None, "texts.map(typedNumber)", texts=[repr(x) for x in numbers])
    assert typed == numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.5", 1.5), ("1,5", 1.5), (" −3 ", -3), ("-3", -3), ("+4", 4), (".5", 0.5), ("5.", 5),
        ("1e3", 1000), ("−2,5e−3", -0.0025), ("0", 0), ("–3", -3),
        ("", math.nan), ("   ", math.nan), ("x", math.nan), ("1.2.3", math.nan), ("--1", math.nan),
        ("1,234,5", math.nan), ("2×3", math.nan), ("1 000", math.nan), ("NaN", math.nan),
    ],
)  # fmt: skip
def test_a_typed_number_may_have_a_minus_of_any_kind_and_a_comma(javascript, text, number):
    found = javascript(None, "typedNumber(text)", text=text)
    assert found == number or (math.isnan(number) and math.isnan(found))


# --- the numeric check ---------------------------------------------------------------------------

SLOPES = """(() => {
  const changed = new Map(inputs);
  const v = forward(graph, changed);
  const { g } = backward(graph, v);
  return graph.cards.map((card, i) => {
    if (card.kind === "constant") return { name: "" };
    const found = numericSlope(graph, changed, i, v);
    return { name: card.name, v: v[i], g: g[i], ...found, ...compareSlope(found, g[i]) };
  });
})()"""


def slopes(javascript, root, inputs=()):
    """What the page finds for every card with a name, by its name."""
    page = open_page(root)
    place = {card.name: i for i, card in enumerate(page.cards) if card.name}
    found = javascript(page, SLOPES, inputs=[[place[name], x] for name, x in inputs])
    return {card["name"]: card for card in found if card["name"]}


@pytest.mark.parametrize("b", [-2.0, 0.4])
def test_moving_any_node_gives_its_gradient(javascript, b):
    a = Value(0.3, "a")
    root = (a * Value(-2.0, "b")).tanh() * a + a.exp() / 3.0
    for card in slopes(javascript, root, [("b", b)]).values():
        assert (card["kind"], card["agrees"]) == ("smooth", True)
        assert card["slope"] == pytest.approx(card["g"], rel=1e-9)
        assert card["digits"] >= 8
    a_card = slopes(javascript, root, [("b", b)])["a"]
    move = a_card["move"]
    for x, y in ((move["low"], move["below"]), (move["high"], move["above"])):
        assert y == pytest.approx(math.tanh(x * b) * x + math.exp(x) / 3, rel=1e-12)
    assert a_card["g"] == pytest.approx(
        float(mpmath.diff(lambda x: mpmath.tanh(x * b) * x + mpmath.exp(x) / 3, 0.3)), rel=1e-9
    )


SMOOTH = {
    "pole near": (lambda x: 1 / x, 1e-3), "steep": (lambda x: (1000 * x).sin(), 1.0),
    "kink near": (lambda x: x.relu(), 1e-5), "log near its end": (lambda x: x.log(), 1e-5),
    "root near its end": (lambda x: x.sqrt(), 1e-6), "large": (lambda x: x * x * 3.0, 1e6),
    "tiny": (lambda x: x * x + 1.0, 1e-200), "wave far out": (lambda x: x.sin(), 1e6),
    "at its lowest": (lambda x: (x - 2.0) ** 2, 2.0), "constant": (lambda x: x * 0.0 + 5.0, 0.7),
    "steep at 0": (lambda x: (x * 1e6).tanh(), 0.0), "cube at 0": (lambda x: x**3, 0.0),
    "saturated": (lambda x: x.tanh(), 30.0), "large numbers beside": (lambda x: x + 1e9 - 1e9, 0.5),
    "huge": (lambda x: x * 1e200, 3.0), "small numbers": (lambda x: x * 1e-200, 3.0),
    "far from the kink": (lambda x: abs(x), -7.0), "softplus": (lambda x: x.softplus(), -20.0),
}  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_a_smooth_function_agrees(javascript, name):
    function, x = SMOOTH[name]
    card = slopes(javascript, function(Value(x, "x")))["x"]
    assert (card["kind"], card["agrees"]) == ("smooth", True)
    if name not in ("tiny", "saturated", "constant", "at its lowest", "cube at 0", "wave far out"):
        assert card["digits"] >= 4


@pytest.mark.parametrize("name", SMOOTH)
def test_a_wrong_gradient_does_not_agree(javascript, name):
    function, x = SMOOTH[name]
    page = open_page(function(Value(x, "x")))
    place = next(i for i, card in enumerate(page.cards) if card.name == "x")
    code = """(() => {
      const v = forward(graph, new Map());
      const g = backward(graph, v).g[place];
      const found = numericSlope(graph, new Map(), place, v);
      return [g * 1.01 + 1e-3 * Math.max(1, Math.abs(v[graph.root])), -g * 2 - 1]
        .map((wrong) => compareSlope(found, wrong).agrees);
    })()"""
    assert javascript(page, code, place=place) == [False, False]


@pytest.mark.parametrize(
    ("function", "x", "left", "right"),
    [
        (lambda x: abs(x) * 3.0, 0.0, -3, 3), (lambda x: x.relu(), 0.0, 0, 1),
        (lambda x: maximum(x, 2.0 - x), 1.0, -1, 1),
        (lambda x: abs(x) * abs(x - 1e-3), 1e-3, -1e-3, 1e-3),
        (lambda x: (x.exp() - 1.0).relu() + x, 0.0, 1, 2), (lambda x: x.clip(-1e6, 1e6), 1e6, 1, 0),
        (lambda x: minimum(x, x * x), 1.0, 2, 1), (lambda x: (x + 1e-38).relu(), 0.0, 0, 1),
    ],
)  # fmt: skip
def test_at_a_kink_both_slopes_are_said_and_what_lies_between_agrees(
    javascript, function, x, left, right
):
    card = slopes(javascript, function(Value(x, "x")))["x"]
    assert card["kind"] == "kink"
    assert (card["left"], card["right"]) == (
        pytest.approx(left, abs=1e-6),
        pytest.approx(right, abs=1e-6),
    )
    assert card["agrees"]
    between = "[-9, 9].map((far) => compareSlope(found, far).agrees)"
    assert javascript(None, between, found={k: card[k] for k in ("kind", "left", "right")}) == [
        False,
        False,
    ]


def test_where_there_is_no_derivative_nothing_agrees(javascript):
    x, y = Value(1.0, "x"), Value(1.0, "y")
    for root, inputs in (
        (x.log(), [("x", -1.0)]),
        (1 / x, [("x", 0.0)]),
        (y.sqrt(), [("y", -4.0)]),
    ):
        [card] = [c for c in slopes(javascript, root, inputs).values() if c["name"] in "xy"]
        assert card["kind"] == "undefined"
    steep = slopes(javascript, y.sqrt(), [("y", 0.0)])["y"]
    assert steep["kind"] == "rough"
    assert math.isinf(steep["g"])
    one_side = slopes(javascript, y**1.5, [("y", 0.0)])["y"]
    assert (one_side["kind"], one_side["right"], one_side["agrees"]) == (
        "one side",
        pytest.approx(0, abs=1e-5),
        True,
    )


@settings(max_examples=much(100, 6))
@given(graph=GRAPHS)
def test_every_number_of_a_random_program_agrees(javascript, graph):
    root = follow(graph)[-1]
    for i, node in enumerate(open_page(root).nodes):
        if node is not None:
            node.label = f"n{i}"
    for card in slopes(javascript, root).values():
        assert card["kind"] in ("smooth", "kink"), card
        assert card["agrees"], card


@pytest.mark.parametrize(
    ("a", "b", "digits"),
    [
        (1.0, 1.0, 12), (0.0, 0.0, 12), (math.inf, math.inf, 12), (2.2, 2.2 + 1e-15, 12),
        (1.0, 1.002, 2), (-1.0, -1.0000002, 6), (100.0, 100.3, 2), (1.0, 2.0, 0), (1.0, -1.0, 0),
        (1.0, 0.0, 0), (1e-300, 0.0, 0), (math.nan, 1.0, 0), (math.nan, math.nan, 0),
        (math.inf, 1.0, 0), (math.inf, -math.inf, 0), (1e-300, 1.0001e-300, 4),
    ],
)  # fmt: skip
def test_digits_of_agreement(javascript, a, b, digits):
    for x, y in ((a, b), (b, a)):
        assert javascript(None, "digitsOfAgreement(x, y)", x=x, y=y) == digits


@given(a=st.floats(-1e9, 1e9), b=st.floats(-1e9, 1e9))
def test_digits_say_how_far_two_numbers_are_apart(javascript, a, b):
    digits = javascript(None, "digitsOfAgreement(a, b)", a=a, b=b)
    largest = max(abs(a), abs(b))
    assert abs(a - b) <= largest * 10.0**-digits * (1 + 1e-9) or digits == 0
    assert digits == 12 or abs(a - b) >= largest * 10.0 ** -(digits + 1) * (1 - 1e-9)


# --- predictions ---------------------------------------------------------------------------------

JUDGE = """(() => {
  const v = forward(graph, new Map());
  const page = { graph, numbers: { v, ...backward(graph, v) } };
  return cases.map(([k, typed]) => {
    const { isRight, text } = judged(typed, sentAnswer(page, k));
    return [isRight, text];
  });
})()"""


def product_page():
    """p = a × b, where 3 arrives and 15 goes to a, which has a gradient of 1 from elsewhere."""
    a, b = Value(2.0, "a"), Value(5.0, "b")
    page = open_page(a * b * 3.0 + a)
    return page, next(k for k, link in enumerate(page.links) if page.nodes[link.tail] is a)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (5, "the local derivative alone"), (3, "That is what arrives"), (-15, "the sign is not"),
        (8, "the factors multiply; those were added"), (16, "all of a's gradient"),
        (0.6, "it does not divide"), (6, "what goes to b, the other operand"),
        (2, "a's value, not its gradient"), (100, "Not quite"), (0, "Not quite"),
        (math.inf, ""), (math.nan, "Type a number"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(javascript, typed, says):
    page, k = product_page()
    [[right, sentence]] = javascript(page, JUDGE, cases=[[k, typed]])
    assert right is False
    assert says in sentence


def test_the_own_value_taken_for_the_local_derivative_is_named(javascript):
    page = open_page(Value(0.5, "x").tanh() * 3.0)
    [[right, sentence]] = javascript(page, JUDGE, cases=[[0, 1.5]])
    assert right is False
    assert "takes x's own value as the local derivative" in sentence


@pytest.mark.parametrize("typed", [15, 15.05, 14.95])
def test_a_right_answer_is_told_why(javascript, typed):
    page, k = product_page()
    answer = javascript(page, JUDGE, cases=[[k, typed]])
    assert answer == [[True, "Right: 3 arriving × 5 local = 15."]]


@given(graph=GRAPHS, factor=st.sampled_from([-1.0, 0.0, 0.5, 0.99, 1.01, 2.0, 1000.0]))
def test_right_is_right_and_wrong_is_wrong_on_any_edge(javascript, graph, factor):
    page = open_page(graph.root)
    sent = javascript(page, "backward(graph, forward(graph, new Map())).sent")
    asked = [(k, x) for k, x in enumerate(sent) if x is not None and math.isfinite(x)]
    cases = [[k, y] for k, x in asked for y in (x, float(f"{x:.3g}"), x * factor)]
    answers = [right for right, _ in javascript(page, JUDGE, cases=cases)]
    for n, (_, x) in enumerate(asked):
        assert answers[3 * n : 3 * n + 3] == [True, True, x == x * factor]


@given(graph=GRAPHS)
def test_the_most_telling_edge_is_asked_for(javascript, graph):
    page = open_page(graph.root)
    found = javascript(page, """(() => {
      const numbers = backward(graph, forward(graph, new Map()));
      const asked = graph.cards.map((_, i) => linkToPredict({ graph, numbers }, `card:${i}`));
      return { ...numbers, asked };
    })()""")  # fmt: skip
    for i, asked in enumerate(found["asked"]):
        own = [k for k, link in enumerate(page.links) if link.head == i]
        possible = [k for k in own if found["sent"][k] is not None]
        telling = [k for k in possible if abs(found["local"][k]) != 1]
        assert asked == [*telling, *possible, -1][0]


def test_a_folded_module_asks_nothing(javascript):
    with group("g"):
        page = open_page(Value(2.0, "x") * 3.0)
    numbers = "backward(graph, forward(graph, new Map()))"
    asked = javascript(page, f"linkToPredict({{ graph, numbers: {numbers} }}, 'module:0')")
    assert asked == -1
