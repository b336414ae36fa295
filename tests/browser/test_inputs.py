"""Sliders and number fields: at any step, the page computes what Python computes."""

import pytest
from graphs import few_examples, named, trace, with_labels
from hypothesis import given
from hypothesis import strategies as st
from page_reader import field, fragment_of, go_to, look, set_field, set_slider, show_table, slider

from tinygrad_edu import Value

LAST = 10
FRUITS = {"apple": 100, "apple_count": 2, "orange": 150, "orange_count": 3, "tax": 1.1}
CURVES = {"x": 0.5, "w": 1.5, "b": -0.3}
NONSENSE = ("", " ", "abc", "1e999", "nan", "Infinity", "--3", "1.2.3", "12 apples", "1e", "2+2")


def fruits(**inputs):
    """Apples, oranges and tax with these inputs."""
    x = {name: Value(number, name) for name, number in {**FRUITS, **inputs}.items()}
    apple_price = named(x["apple"] * x["apple_count"], "apple_price")
    orange_price = named(x["orange"] * x["orange_count"], "orange_price")
    return named(named(apple_price + orange_price, "subtotal") * x["tax"], "price")


def curves(**inputs):
    """Rules whose last digits differ between V8 and Python, and a power and a quotient."""
    x, w, b = (Value(number, name) for name, number in {**CURVES, **inputs}.items())
    a = (w * x + b).tanh()
    c = a.sigmoid() * x.sin() + b.exp() / (x**2 + 1.0)
    return with_labels((c * c + 1.0).log() - (x - b).softplus())


def assert_equal_to_python(page, root):
    """The numbers of the current step equal those of Python's own trace, to 1e-12."""
    seen = look(page)
    expected = trace(root)[seen.step]
    for shown, right in ((seen.values, expected.values), (seen.gradients, expected.gradients)):
        known = {name: x for name, x in shown.items() if x is not None}
        assert known == pytest.approx(right, rel=1e-12, abs=1e-12)
    for name, shown in seen.input_gradients.items():  # beside the sliders: seven digits
        right = expected.gradients.get(name)
        assert shown == (right if right is None else pytest.approx(right, rel=1e-6, abs=1e-9))


@pytest.fixture
def fruit_page(open_page):
    return show_table(open_page(fruits()))


@few_examples
@given(
    step=st.integers(0, LAST),
    inputs=st.fixed_dictionaries({name: st.floats(-500, 500) for name in FRUITS}),
)
def test_number_fields_equal_python(fruit_page, step, inputs):
    go_to(fruit_page, step)
    for name, x in inputs.items():
        set_field(fruit_page, name, x)
    assert_equal_to_python(fruit_page, fruits(**inputs))
    go_to(fruit_page, LAST)
    assert_equal_to_python(fruit_page, fruits(**inputs))


@pytest.fixture
def curve_page(open_page):
    ends = dict.fromkeys(CURVES, (-3, 3, 0.001))
    return show_table(open_page(curves(), ranges=ends))


@few_examples
@given(data=st.data())
def test_sliders_equal_python(curve_page, data):
    last = look(curve_page).last
    go_to(curve_page, data.draw(st.integers(0, last)))
    for name in CURVES:
        set_slider(curve_page, name, data.draw(st.floats(-3, 3)))
    inputs = {name: float(field(curve_page, name).input_value()) for name in CURVES}
    assert_equal_to_python(curve_page, curves(**inputs))
    go_to(curve_page, last)
    assert_equal_to_python(curve_page, curves(**inputs))


def test_in_the_middle_of_the_walk_known_gradients_move_and_unknown_ones_stay_dots(fruit_page):
    go_to(fruit_page, 6)  # the last product has sent its gradients back
    assert look(fruit_page).gradients["subtotal"] == 1.1
    set_field(fruit_page, "tax", 1.25)
    seen = look(fruit_page)
    assert seen.step == 6
    assert seen.gradients["subtotal"] == 1.25
    assert seen.input_gradients["tax"] == 650
    assert seen.input_gradients["apple"] is None
    assert any("1.25 local = 1.25" in line for line in seen.say)


def test_reset_takes_every_input_back(fruit_page):
    go_to(fruit_page, LAST)
    reset = fruit_page.locator("#reset")
    before = look(fruit_page)
    assert reset.is_hidden()
    set_field(fruit_page, "apple", 7)
    set_slider(fruit_page, "orange", 20)
    assert look(fruit_page).values != before.values
    reset.click()
    assert look(fruit_page) == before
    assert float(field(fruit_page, "apple").input_value()) == 100
    assert reset.is_hidden()
    set_field(fruit_page, "apple", 7)
    set_field(fruit_page, "apple", 100)  # an input at its own number is not changed
    assert reset.is_hidden()


@pytest.mark.parametrize("leave", ["Enter", "Tab"])
def test_typed_nonsense_changes_nothing(fruit_page, leave):
    go_to(fruit_page, LAST)
    before = look(fruit_page)
    address = fragment_of(fruit_page)
    for text in NONSENSE:
        field(fruit_page, "apple").fill(text)
        fruit_page.keyboard.press(leave)
        assert look(fruit_page) == before, text
        fruit_page.evaluate("document.activeElement.blur()")
        assert float(field(fruit_page, "apple").input_value()) == 100, text
    assert fragment_of(fruit_page) == address


def test_a_decimal_comma_and_a_true_minus_are_read(fruit_page):
    for text, x in (("120,5", 120.5), ("−3", -3), (" 4e2 ", 400), ("+.5", 0.5)):
        field(fruit_page, "apple").fill(text)
        fruit_page.keyboard.press("Enter")
        assert look(fruit_page).values["apple"] == x


def test_a_slider_moves_by_its_step_with_the_arrow_keys(open_page):
    page = show_table(open_page(fruits(), ranges={"tax": (1, 1.5, 0.01), "apple": (0, 300, 5)}))
    slider(page, "tax").focus()
    moves = (("ArrowRight", 1.11), ("ArrowUp", 1.12), ("ArrowLeft", 1.11), ("PageUp", 1.21),
             ("PageDown", 1.11), ("End", 1.5), ("Home", 1.0), ("ArrowLeft", 1.0))  # fmt: skip
    for key, x in moves:
        page.keyboard.press(key)
        seen = look(page)
        assert (seen.values["tax"], seen.step) == (x, 0), key
    set_slider(page, "apple", 101.7)
    assert look(page).values["apple"] == 100  # the nearest of its steps


def test_a_number_beyond_the_slider_is_taken_all_the_same(fruit_page):
    go_to(fruit_page, LAST)
    set_field(fruit_page, "apple", 123456)
    assert_equal_to_python(fruit_page, fruits(apple=123456))
    apple = slider(fruit_page, "apple")
    assert apple.input_value() == apple.get_attribute("max")
