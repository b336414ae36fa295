"""A press on a number explains it; sending early shows what is lost."""

from graphs import named

from tinygrad_edu import Value


def twice():
    """y = a tanh(a) with a = x²: what comes back through tanh is late if a sends early."""
    a = named(Value(0.5, "x") ** 2.0, "a")
    return named(a * named(a.tanh(), "t"), "y")


def test_numbers_constants_and_lines_of_the_program_answer_a_press(open_page):
    root = twice()
    root.backward()
    page = open_page(root)
    note = page.locator("#note")
    page.locator(".local:not(.empty)").first.click()
    assert note.is_visible()
    assert "times as much" in note.inner_text()
    assert note.locator("math").count() == 1
    page.keyboard.press("Escape")
    assert not note.is_visible()
    page.locator("#why .chip").first.press("Enter")
    assert note.is_visible()
    page.keyboard.press("Escape")
    page.locator("#program .line", has_text="t = tanh(a)").first.click()
    assert "change with t?" in page.locator("#why .question").inner_text()
    assert page.locator("#rule-local math").count() >= 1


def test_sending_early_shows_the_wrong_gradient_and_the_lost_path(open_page):
    root = twice()
    root.backward()
    page = open_page(root)
    page.locator('.unit[aria-label^="x, "]').click()
    assert page.locator(".route").count() == 2
    assert page.locator(".unit .early").count() == 0
    page.locator("#early").click()
    assert "x would get" in page.locator("#why .verdict.no").inner_text()
    assert "a has sent before this arrives" in page.locator("#why .lost").inner_text()
    assert page.locator(".route.lost").count() == 1
    assert page.locator(".unit .early").count() >= 1
    page.locator("#early").click()
    assert page.locator(".unit .early").count() == 0
