"""The address after # holds the exact state; whatever else stands there changes nothing."""

import random

import pytest
from graphs import neuron
from page_reader import change_address, fragment_of, go_to, look, set_field, show_table, slider

from tinygrad_edu import Value, scalar_nn


def network():
    """A score of two layers, whose neurons fold."""
    score = scalar_nn.MLP(2, [2, 1], rng=random.Random(1))([Value(1.0, "x1"), Value(-2.0, "x2")])
    score.label = "score"
    return score


def chosen(page):
    return page.locator("#tablebody tr.selected th").all_inner_texts()


def why(page):
    return page.locator("#why").inner_text()


def folded(page):
    labels = page.locator('.fold[aria-label^="Unfold"]')
    return sorted(button.get_attribute("aria-label") for button in labels.all())


def open_again(open_page, node, page):
    """A new page of the same graph, opened with the address that this one has."""
    return show_table(open_page(node, fragment=fragment_of(page)))


def test_inputs_step_and_choice_come_back(open_page, two_fruits):
    page = show_table(open_page(two_fruits()))
    set_field(page, "apple", 123.456)
    set_field(page, "tax", -0.1)
    go_to(page, 7)
    page.locator("#tablebody tr", has_text="orange_price").first.click()
    other = open_again(open_page, two_fruits(), page)
    assert look(other) == look(page)
    assert chosen(other) == chosen(page) == ["orange_price"]
    assert why(other) == why(page)
    assert fragment_of(other) == fragment_of(page)


def test_every_step_has_an_address_of_its_own(open_page):
    page = show_table(open_page(neuron()))
    set_field(page, "x", 0.1)
    for step in range(1, look(page).last, 3):
        go_to(page, step)
        other = open_again(open_page, neuron(), page)
        assert look(other) == look(page)
        other.close()


def test_folding_comes_back(open_page):
    page = open_page(network())
    before = folded(page)
    page.locator('.fold[aria-label^="Fold"]').first.focus()
    page.keyboard.press("Enter")
    go_to(page, 4)
    show_table(page)
    assert folded(page) != before
    other = open_again(open_page, network(), page)
    assert folded(other) == folded(page)
    assert look(other) == look(page)
    assert chosen(other) == chosen(page)


def test_nothing_folded_comes_back_too(open_page):
    page = show_table(open_page(network(), fragment="folded="))
    assert folded(page) == []
    other = open_again(open_page, network(), page)
    assert folded(other) == []
    assert look(other) == look(page)


def test_a_changed_address_moves_the_page_that_is_open(open_page, two_fruits):
    page = show_table(open_page(two_fruits()))
    set_field(page, "apple", 7)
    change_address(page, "in.tax=2&step=10&select=card:4")
    seen = look(page)
    assert (seen.values["apple"], seen.values["tax"]) == (100, 2)
    assert seen.values["price"] == 1300
    assert chosen(page) == ["tax"]


def test_a_slider_that_is_dragged_for_long_leaves_its_last_number(open_page, two_fruits):
    """A browser takes only so many changes of the address; the page may not ask for more."""
    page = open_page(two_fruits())
    slider(page, "apple").evaluate("""(slider) => {
      for (let x = 1; x <= 240; x++) {
        slider.value = x;
        slider.dispatchEvent(new Event("input"));
      }
    }""")
    assert "in.apple=240" in fragment_of(page)


def test_the_link_is_offered_where_it_cannot_be_copied(open_page, two_fruits):
    """Pages opened from files may have no clipboard; then the address is shown."""
    page = open_page(two_fruits(), fragment="step=3")
    page.locator("#link").click()
    notice = page.locator("#notice:not(:empty)").inner_text()
    assert notice.startswith(
        "The link is copied. It works on this computer only"
    ) or notice.endswith(f"#{fragment_of(page)}")


HOSTILE = (
    "%",
    "%E0%A4%A",
    "&&&===&",
    "#####",
    "<script>document.title='run'</script>",
    "in.<img src=x onerror=document.title='run'>=1",
    "in.apple=<script>document.title='run'</script>",
    "select=<img src=x onerror=document.title='run'>",
    "select=card:999",
    "select=card:-1",
    "select=card:NaN",
    "select=module:0",
    "select=module:99999",
    "select=:",
    "select=",
    "select=constructor",
    "select=module:toString",
    "select=card:__proto__",
    "select=__proto__:toString",
    "step=-5",
    "step=abc",
    "step=",
    "step=1.5",
    "step=NaN",
    "step=-Infinity",
    "folded=99.-1.abc.1e9",
    "folded=constructor",
    "in.nobody=5",
    "in.apple=1e999",
    "in.apple=nan",
    "in.apple=two",
    "in.subtotal=5",
    "in.price=0",
    "in.__proto__=5",
    "in.constructor=5",
    "in.=5",
    "__proto__=5",
    "x" * 100_000,
    "&".join(f"in.apple{i}=1" for i in range(10_000)),
    "folded=" + ".".join(str(i) for i in range(10_000)),
    "\u202e\u0000\ud7ff",
)


@pytest.fixture
def finished(two_fruits):
    """A graph whose page opens at the end, so that any other step is a change."""
    price = two_fruits()
    price.backward()
    return price


def test_hostile_addresses_change_nothing(open_page, finished):
    """One page, given one address after the other; its state stays that of the start."""
    page = show_table(open_page(finished))
    before, chosen_before = look(page), chosen(page)
    changed = []
    for fragment in HOSTILE:
        change_address(page, fragment)
        if look(page) != before or chosen(page) != chosen_before or page.title() != "price":
            changed.append(fragment[:80])
    assert changed == []


def test_a_page_opened_with_a_hostile_address_is_the_page_without_one(open_page, finished):
    plain = show_table(open_page(finished))
    for fragment in (
        "%E0%A4%A",
        "in.apple=<script>document.title='run'</script>&in.nobody=3",
        "select=__proto__:toString",
        "step=-5",
        "folded=99.-1.abc.1e9&" + "x" * 100_000,
    ):
        hostile = show_table(open_page(finished, fragment=fragment))
        assert look(hostile) == look(plain), fragment[:80]
        assert chosen(hostile) == chosen(plain)
        assert hostile.title() == "price"
        hostile.close()


def test_a_huge_step_is_the_last_one(open_page, two_fruits):
    for step in ("99999", "1e300"):
        seen = look(show_table(open_page(two_fruits(), fragment=f"step={step}")))
        assert seen.step == seen.last
