"""What the reader can try: the curve and its point, steps of gradient descent and their undoing."""

import math

import pytest
from graphs import neuron
from page_reader import field, number, set_field

from tinygrad_edu import Value, maximum


def y_of(x, w):
    return math.tanh(w * x + x) * x


def slope_of(f, x):
    return (f(x + 1e-6) - f(x - 1e-6)) / 2e-6


def settled(node):
    node.backward()
    return node


def point(page):
    """The point of the curve, as a screen reader has it."""
    slider = page.get_by_role("slider", name="on the curve")
    return float(slider.get_attribute("aria-valuenow")), slider.get_attribute("aria-valuetext")


def said(page):
    return page.locator("#curve").inner_text()


def choose(page, card):
    page.locator(f'.unit[data-key="card:{card}"]').click()


def drag(page, part):
    """Drag from the middle of the plot to a part of its width."""
    page.locator(".plot").scroll_into_view_if_needed()
    box = page.locator(".plot").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + part * box["width"], middle, steps=3)
    page.mouse.up()


def test_the_point_of_an_input_moves_it_and_the_slope_is_its_gradient(open_page):
    page = open_page(settled(neuron()), fragment="select=card:1")  # x = 0.5, seen from -1 to 2
    assert point(page) == (0.5, f"x = 0.5, y = {y_of(0.5, 1.5):.7g}")
    drag(page, 0.8)
    x, _ = point(page)
    assert x == pytest.approx(1.4, abs=0.02)
    assert number(field(page, "x").input_value()) == x
    slope = slope_of(lambda x: y_of(x, 1.5), x)
    assert f"is the gradient {slope:.5f}" in said(page)
    page.get_by_role("slider", name="on the curve").focus()
    step = page.locator("#scrub").input_value()
    page.keyboard.press("ArrowLeft")
    assert point(page)[0] == pytest.approx(x - 0.03)
    page.keyboard.press("Home")
    assert point(page)[0] == -1
    assert page.locator("#scrub").input_value() == step


def test_the_point_of_a_node_asks_and_moves_nothing(open_page):
    page = open_page(settled(neuron()), fragment="select=card:4")  # t = tanh(s)
    assert point(page)[0] == pytest.approx(math.tanh(1.25))
    drag(page, 0.75)
    t, _ = point(page)
    assert t == pytest.approx(math.tanh(1.25) + 0.75, abs=0.02)
    t_text = said(page)
    assert f"If t were {t:.7g} instead of 0.8482836, y would be {0.5 * t:.7g}" in t_text
    assert "is the gradient 0.5." in t_text
    assert field(page, "x").input_value() == "0.5"
    set_field(page, "x", 0.6)
    assert point(page)[0] == pytest.approx(math.tanh(1.5))


def test_both_sides_of_a_kink_are_drawn_and_poles_are_gaps(open_page):
    x = Value(1.0, "x")
    page = open_page(settled(maximum(x, 2.0 - x) + 0.2 / (x + 0.3)), fragment="select=card:0")
    assert page.locator(".plot .tangent.side").count() == 2
    assert page.locator(".plot path.value").count() == 2
    assert "A kink" in said(page)
    set_field(page, "x", 1.5)
    assert page.locator(".plot .tangent").count() == 1
    for _ in range(8):  # until the two points of the check can be told apart
        page.get_by_role("button", name="Closer").click()
    assert page.locator(".plot .nudged").count() == 2
    set_field(page, "x", -0.3)
    assert "has no slope here" in said(page)


def test_steps_go_down_and_come_back(open_page):
    page = open_page(neuron(), fragment="step=2")
    descent = page.locator("#descent")
    assert page.locator("#step").is_disabled()
    assert "Finish the backward pass" in descent.inner_text()
    page.locator("#last").click()
    page.locator("#rate").fill("0.2")
    page.locator("#rate").press("Tab")
    at = [(0.5, 1.5)]
    for _ in range(3):
        x, w = at[-1]
        dx, dw = slope_of(lambda x, w=w: y_of(x, w), x), slope_of(lambda w, x=x: y_of(x, w), w)
        at.append((x - 0.2 * dx, w - 0.2 * dw))
        page.locator("#step").click()
        assert float(field(page, "x").input_value()) == pytest.approx(at[-1][0], rel=1e-6)
        assert float(field(page, "w").input_value()) == pytest.approx(at[-1][1], rel=1e-6)
        promised = y_of(x, w) - 0.2 * (dx * dx + dw * dw)
        fell = f"y fell from {y_of(x, w):.4f}"
        assert fell in descent.inner_text().replace("−", "-")
        [last] = [float(text.replace("−", "-").split()[-1].rstrip(".")) for text in
                  descent.locator("p").all_inner_texts()]  # fmt: skip
        assert last == pytest.approx(promised, rel=1e-5)
        row = descent.locator("tbody tr", has_text="w").locator("td").all_inner_texts()
        assert number(row[0]) == pytest.approx(w, rel=1e-3)
        assert number(row[2]) == pytest.approx(at[-1][1], rel=1e-3)
    for x, _ in reversed(at[:-1]):
        page.locator("#undo").click()
        assert float(field(page, "x").input_value()) == pytest.approx(x, rel=1e-6)
    assert page.locator("#undo").is_disabled()
    assert page.locator("#reset").is_hidden()


def test_what_is_lost_is_said_and_reached(open_page):
    x = Value(2.0, "x")
    y, units = x, []
    for _ in range(6):
        y = (y * 0.5).sigmoid()
        units.append(y)
    y.label = "y"
    with_relu = y + (x * -1.0).relu() * 1e-9
    page = open_page(settled(with_relu), fragment="select=card:0")
    off, vanishing = page.locator(".finding").all()
    assert off.inner_text().startswith("1 of 1 ReLU is off")
    assert vanishing.inner_text().startswith("The gradient vanishes on its way to x: 12 × about")
    assert page.locator(".profile rect").count() == 14
    off.click()
    assert page.locator(".unit.selected .opt").inner_html() == "ReLU"
    widths = page.locator(".edge path[stroke-width]")
    assert widths.count() == 0
    page.locator("#widths").press("Enter")
    drawn = [float(path.get_attribute("stroke-width")) for path in widths.all()]
    assert max(drawn) == 9
    assert min(drawn) == 1
    page.keyboard.press("Home")
    assert widths.count() == 0  # nothing has been sent yet
    assert "Finish the backward pass" in page.locator("#flow").inner_text()


def test_pinned_numbers_stay_beside_those_of_now(open_page):
    page = open_page(settled(neuron()), fragment="select=card:1")
    page.locator("#pin").press("Enter")
    assert page.locator(".ghost:visible").count() == 0  # nothing has moved
    set_field(page, "x", 0.6)
    t = page.locator('.unit[data-key="card:4"]')
    assert t.locator(".ghost").all_text_contents()[-2] == f"{math.tanh(1.25):.4g} →"
    before = slope_of(lambda x: y_of(x, 1.5), 0.5)
    assert f"gradient before {before:.5f}" in page.locator('[data-key="card:1"]').get_attribute(
        "aria-label"
    )
    assert page.locator(".inputs .ghost:visible").all_inner_texts()[-2] == "0.5 →"
    assert f"{1 - math.tanh(1.25) ** 2:.4g} →" in page.locator(".local .ghost").all_text_contents()
    assert page.locator("#why .ghost").first.inner_text() == f"{before:.7g} →"
    page.keyboard.press("t")
    row = page.locator("#tablebody tr", has_text="tanh").locator("td.value")
    assert row.inner_text() == f"{math.tanh(1.25)!r} → {math.tanh(1.5)!r}"
    page.locator("#pin").click()
    assert page.locator(".ghost:visible").count() == 0
