"""Pictures as PNG and PDF. Typst draws them, which is installed with the extra `figures`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, overload

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.view.picture.svg import to_svg
from tinygrad_edu.view.targets import Target, checked_path, deliver

LONGEST_SIDE = 16384
"""The most pixels along a side of a PNG."""

DOTS = 96.0
"""Pixels of SVG to an inch."""

PAGE = b"""#set page(width: auto, height: auto, margin: 0pt, fill: none)
#set document(title: sys.inputs.title, date: none)
#image(bytes(sys.inputs.svg), format: "svg", alt: sys.inputs.title)
"""
"""A page as large as the picture. It has no date: the same picture is the same bytes."""


@overload
def to_png(item: Any, path: None = None, *, scale: float | None = None) -> bytes: ...
@overload
def to_png(item: Any, path: Target, *, scale: float | None = None) -> Path: ...
def to_png(item: Any, path: Target | None = None, *, scale: float | None = None) -> bytes | Path:
    """The picture of a node, or of a report of a check, as the bytes of a PNG file.

    With `path`, write them there and return the path. `scale` is how many pixels
    a unit of the SVG picture has: 2, or less where a side would be longer than 16384 pixels.
    ValueError for a scale that makes it longer, or a path that ends in anything but .png;
    TypeError for what has no picture. Needs the extra `figures`.
    """
    file = checked_path(path, "to_png")
    svg = _svg(item, "to_png")
    return deliver(_drawn(svg, "png", _scale(svg, scale)), file)


@overload
def to_pdf(item: Any, path: None = None) -> bytes: ...
@overload
def to_pdf(item: Any, path: Target) -> Path: ...
def to_pdf(item: Any, path: Target | None = None) -> bytes | Path:
    """The picture of a node, or of a report of a check, as the bytes of a PDF file of one page.

    With `path`, write them there atomically, and return the path. ValueError for a path
    that ends in anything but .pdf; TypeError for what has no picture. Needs the extra `figures`.
    """
    file = checked_path(path, "to_pdf")
    return deliver(_drawn(_svg(item, "to_pdf"), "pdf", 1.0), file)


def _svg(item: Any, writer: str) -> str:
    """The picture of a node, or of anything else that draws itself."""
    if isinstance(item, Node):
        return to_svg(item)
    draw = None if isinstance(item, type) else getattr(item, "to_svg", None)
    if not callable(draw):
        raise TypeError(
            f"{writer}: expected a node or the report of a check, got {type(item).__name__}"
        )
    return str(draw())


def _scale(svg: str, scale: float | None) -> float:
    width, height = re.findall(r' (?:width|height)="([\d.]+)"', svg)[:2]
    longer = max(float(width), float(height))
    if scale is None:
        return min(2.0, LONGEST_SIDE / longer)
    if isinstance(scale, bool) or not isinstance(scale, int | float):
        raise TypeError(f"to_png: scale must be a number, not {type(scale).__name__}")
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"to_png: scale={scale} is not a positive number")
    if longer * scale > LONGEST_SIDE:
        raise ValueError(
            f"to_png: scale={scale:g} makes {longer * scale:.0f} pixels of the longer side, more "
            f"than {LONGEST_SIDE}; leave it out, or write .svg or .pdf"
        )
    return float(scale)


def renderer() -> Callable[..., Any]:
    """Typst's function. ImportError with what to install, if it is missing."""
    try:
        import typst
    except ImportError as error:
        raise ImportError(
            "PNG and PDF pictures need typst; install it with: pip install 'tinygrad_edu[figures]'"
        ) from error
    compile_page: Callable[..., Any] = typst.compile
    return compile_page


def _drawn(svg: str, kind: str, scale: float) -> bytes:
    (title,) = re.findall(r'aria-label="(.*?)"', svg)[:1]
    inputs = {"svg": svg, "title": title}
    drawn = renderer()(PAGE, format=kind, ppi=DOTS * scale, sys_inputs=inputs)
    return bytes(drawn)
