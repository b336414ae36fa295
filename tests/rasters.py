"""Pictures as pixels, by the programs that people open them with, and how far two are apart."""

import io
import subprocess

import numpy as np
from PIL import Image

BLUR = 16
"""How many pixels are made one, twice."""

LIMIT = 10.5
"""The most that two drawings of one picture may be apart: up to 8 for programs that draw letters
each in their own way; 12 for a thin line that is missing, 16 for a card moved by 4 pixels, 20 for
a small word, 25 for letters that are not bold, 224 for a black ground."""


def on_white(data, scale=1):
    """The pixels of a PNG file as a reader sees them: height × width × 3, from 0 to 255.

    Of a file that is larger by a scale, each pixel is the mean of several.
    """
    image = Image.open(io.BytesIO(data)).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    image = Image.alpha_composite(white, image).convert("RGB").reduce(scale)
    return np.asarray(image, dtype=float)


def cairosvg(svg):
    """Drawn larger, because its letters stand at whole pixels."""
    import cairosvg

    return on_white(cairosvg.svg2png(bytestring=svg.encode("utf-8"), scale=4), 4)


def resvg(svg):
    import resvg_py

    return on_white(bytes(resvg_py.svg_to_bytes(svg_string=svg)))


def pdf(data):
    """The pixels of the one page of a PDF file, at 96 to an inch."""
    import pypdfium2

    (page,) = pypdfium2.PdfDocument(data)
    image = page.render(scale=96 / 72).to_pil()
    return np.asarray(image.convert("RGB"), dtype=float)


def librsvg(svg):
    run = subprocess.run(
        ["rsvg-convert"], input=svg.encode("utf-8"), capture_output=True, check=True, timeout=60
    )
    return on_white(run.stdout)


def blurred(pixels):
    """Each pixel as the mean of those around it, the near ones counting most."""
    for axis in (0, 1, 0, 1):
        ends = [(0, 0)] * 3
        ends[axis] = (BLUR, 0)
        sums = np.pad(np.cumsum(pixels, axis=axis), ends)
        later = np.moveaxis(sums, axis, 0)
        pixels = np.moveaxis((later[BLUR:] - later[:-BLUR]) / BLUR, 0, axis)
    return pixels


def difference(a, b):
    """How far two pictures are apart where they differ most, from 0 to 255.

    They are blurred, so that letters drawn a little differently count little, and a letter, line
    or card that is missing, or in another place, counts much.
    """
    assert np.abs(np.subtract(a.shape, b.shape)).max() <= 1  # where a size is not a whole number
    height, width = min(a.shape[0], b.shape[0]), min(a.shape[1], b.shape[1])
    return np.abs(blurred(a[:height, :width] - b[:height, :width])).max()
