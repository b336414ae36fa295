"""What a reader sees on a page, as Python numbers and text: the oracle's counterpart."""

from dataclasses import dataclass

READ = """() => {
  const text = (node) => node.textContent;
  const name = (node) => node.getAttribute("data-key");
  return {
    step: Number(document.querySelector("#scrub").value),
    last: Number(document.querySelector("#scrub").max),
    say: [...document.querySelectorAll("#say p")].map(text),
    rows: [...document.querySelectorAll("#tablebody tr")].map((row) => [...row.children].map(text)),
    tips: [...document.querySelectorAll("#picture .unit:not(.constant)")].map((unit) =>
      [name(unit), unit.querySelector("title").textContent, unit.getAttribute("aria-label")]),
    inputs: [...document.querySelectorAll("#inputs output.gradient")].map((output) =>
      [output.getAttribute("aria-label").replace("gradient of ", ""), output.textContent]),
    lit: [...document.querySelectorAll("#program .lit")].map(text),
  };
}"""


@dataclass
class Seen:
    """One state of a page. Unknown numbers, which the page shows as a dot, are None."""

    step: int
    last: int
    say: list[str]
    values: dict[str, float | None]
    gradients: dict[str, float | None]
    made: dict[str, str]
    local: dict[str, str]
    card_values: dict[str, float | None]
    card_gradients: dict[str, float | None]
    input_gradients: dict[str, float | None]
    spoken: dict[str, str]
    lit: list[str]


def number(text):
    """The number that the page wrote, or None for the dot of an unknown one."""
    text = text.strip()
    return None if text in ("·", "?", "not known yet") else float(text.replace("−", "-"))


def number_or_text(text):
    try:
        return number(text)
    except ValueError:
        return text


def look(page):
    """Read the table, which must be open, the cards' tips, the sentence and the inputs."""
    return as_seen(page.evaluate(READ))


def look_along(page, button):
    """What the page shows now and after every press of a step button, until it is disabled."""
    found = page.evaluate(
        f"""(id) => {{
          const read = {READ};
          const states = [read()];
          const button = document.getElementById(id);
          while (!button.disabled) {{
            button.click();
            states.push(read());
          }}
          return states;
        }}""",
        button,
    )
    return [as_seen(state) for state in found]


def as_seen(found):
    rows = {row[0]: row for row in found["rows"]}
    assert len(rows) == len(found["rows"]), "two rows have one name"
    tips = [tip.split("\n") for _, tip, _ in found["tips"]]
    return Seen(
        step=found["step"],
        last=found["last"],
        say=found["say"],
        values={name: number_or_text(row[2]) for name, row in rows.items()},
        gradients={name: number_or_text(row[3]) for name, row in rows.items()},
        made={name: row[1] for name, row in rows.items()},
        local={name: row[4] for name, row in rows.items()},
        card_values={tip[0]: number_or_text(tip[1].removeprefix("value ")) for tip in tips},
        card_gradients={tip[0]: number_or_text(tip[2].removeprefix("gradient ")) for tip in tips},
        input_gradients={name: number(text) for name, text in found["inputs"]},
        spoken={tip[0]: label for tip, (_, _, label) in zip(tips, found["tips"], strict=True)},
        lit=found["lit"],
    )


def show_table(page):
    """Open the table view by its key, as a reader would."""
    page.keyboard.press("t")
    assert page.locator("#tablebox").is_visible()
    return page


def go_to(page, step):
    """Move the scrubber."""
    page.locator("#scrub").fill(str(step))
    page.evaluate("document.activeElement.blur()")


def field(page, name):
    """The number field of an input."""
    return page.get_by_role("textbox", name=f"value of {name}", exact=True)


def set_field(page, name, x):
    """Type a number and leave the field."""
    field(page, name).fill(repr(x))
    field(page, name).blur()


def slider(page, name):
    """The slider of an input."""
    return page.get_by_role("slider", name=f"{name}, slider", exact=True)


def set_slider(page, name, x):
    """Drag a slider and leave it."""
    slider(page, name).fill(f"{x:.4f}")
    slider(page, name).blur()


def change_address(page, fragment):
    """Change the address of an open page, as its user may by hand."""
    page.evaluate(
        """(fragment) => new Promise((done) => {
          addEventListener("hashchange", () => setTimeout(done), { once: true });
          location.hash = fragment;
          setTimeout(done, 100); // where the browser sees no change
        })""",
        fragment,
    )


def fragment_of(page):
    """The part of the address after #, which follows the page within half a second."""
    page.wait_for_timeout(500)
    return page.evaluate("location.hash").removeprefix("#")
