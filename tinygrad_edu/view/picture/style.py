"""How the parts of a picture look, as attributes that every program that reads SVG understands.

The page and a picture share their style sheets. A browser reads them as they are; a picture also
travels to programs that know no variables, no media queries and few selectors, so each of its
elements says in plain attributes what the style sheet says for its class.
"""

from __future__ import annotations

import functools
import re

from tinygrad_edu.view.package_files import static

FONTS = "Arial,Helvetica,Liberation Sans,DejaVu Sans,sans-serif"
"""CairoSVG asks for the first and resvg for the first that is installed, by exactly this name."""

BOLD = 600
"""From this weight on a text is bold. Some programs know no weights in between."""


@functools.cache
def palette() -> dict[str, str]:
    """The colours of a light page by their names, such as `ink`."""
    light = static("palette.css").partition("@media")[0]
    return dict(re.findall(r"--(\w+):(#\w+)", light))


@functools.cache
def look(own: str, around: str = "", sheet: str = "graph.css") -> str:
    """The attributes of an element by its classes and those around: `look("box", "leaf")`.

    Of a style sheet only selectors of classes count. Later rules win, so those of more classes
    come later in the sheet.
    """
    classes, outside = set(own.split()), set(around.split())
    found: dict[str, str] = {}
    for needed_outside, needed, attributes in _rules(sheet):
        if needed <= classes and needed_outside <= outside:
            found.update(attributes)
    return "".join(f' {name}="{value}"' for name, value in found.items())


@functools.cache
def _rules(sheet: str) -> list[tuple[set[str], set[str], list[tuple[str, str]]]]:
    """For each rule the classes around, those of the element itself, and its attributes."""
    return [
        (_classes(around), _classes(own), [_attribute(text) for text in body.split(";")])
        for selector, body in re.findall(r"^(\.[\w. ]+)\{(.*?)\}", static(sheet), re.M)
        for around, _, own in [selector.rpartition(" ")]
    ]


def _classes(selector: str) -> set[str]:
    return set(selector.strip(". ").split(".")) - {""}


def _attribute(declaration: str) -> tuple[str, str]:
    """The attribute for a declaration: `stroke:var(--ink)` is `stroke="#16202c"`."""
    if declaration == "white-space:pre":  # on a text itself: browsers do not let it inherit this
        return "xml:space", "preserve"
    name, _, value = declaration.partition(":")
    value = re.sub(r"var\(--(\w+)\)", lambda found: palette()[found[1]], value)
    value = re.sub(r"(\d)px$", r"\1", value)
    if name == "font-weight" and value.isdigit():
        value = "bold" if int(value) >= BOLD else "normal"
    return name, value


def opening(width: float, height: float, name: str) -> str:
    """The beginning of a picture with a light ground of its own; `name` is escaped already.

    A text inherits its fill and font from here.
    """
    colours = palette()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img" aria-label="{name}" '
        f'font-family="{FONTS}" fill="{colours["ink"]}">'
        f"<title>{name}</title>"
        f'<rect class="bg" width="{width:g}" height="{height:g}" rx="14" fill="{colours["bg"]}"/>'
    )
