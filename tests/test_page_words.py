"""What the page says of numbers: as text, when they are checked by a nudge, and of a prediction."""

import math

import page_in_node
import pytest
from effort import much
from hypothesis import example, given, settings
from hypothesis import strategies as st
from page_in_node import open_page
from random_graphs import GRAPHS

from tinygrad_edu import Value, group
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

NUDGE = """(() => {
  const changed = new Map(inputs);
  const v = forward(graph, changed);
  const { g } = backward(graph, v);
  const found = graph.cards.map((_, i) => nudge(graph, changed, i, v));
  return { v, g, found, digits: found.map(({ slope }, i) => digitsOfAgreement(slope, g[i])) };
})()"""


@pytest.mark.parametrize("b", [-2.0, 0.4])
def test_nudging_any_node_gives_its_gradient(javascript, b):
    a = Value(0.3, "a")
    page = open_page((a * Value(-2.0, "b")).tanh() * a + a.exp() / 3.0)
    place = {card.name: i for i, card in enumerate(page.cards) if card.name}
    found = javascript(page, NUDGE, inputs=[[place["b"], b]])
    for i, node in enumerate(page.nodes):
        if node is None:
            continue
        nudged, v = found["found"][i], found["v"][i]
        h = 1e-4 * max(abs(v), 1)
        assert (nudged["low"], nudged["high"]) == (v - h, v + h)
        assert nudged["width"] == nudged["high"] - nudged["low"]
        assert nudged["slope"] == (nudged["above"] - nudged["below"]) / nudged["width"]
        assert nudged["slope"] == pytest.approx(found["g"][i], rel=1e-6)
        assert sum(nudged["sides"]) / 2 == pytest.approx(nudged["slope"], rel=1e-6)
        assert found["digits"][i] >= 6
    a_low, a_high = (math.tanh(x * b) * x + math.exp(x) / 3 for x in (0.3 - 1e-4, 0.3 + 1e-4))
    nudged = found["found"][place["a"]]
    assert nudged["below"] == pytest.approx(a_low, rel=1e-12)
    assert nudged["above"] == pytest.approx(a_high, rel=1e-12)


def test_at_a_kink_the_sides_differ(javascript):
    found = javascript(open_page(abs(Value(0.0, "a")) * 3.0), NUDGE, inputs=[])["found"]
    assert found[0]["sides"] == pytest.approx([-3, 3])
    assert found[0]["slope"] == 0


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
  return cases.map(([k, typed]) => judge(page, k, typed));
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
