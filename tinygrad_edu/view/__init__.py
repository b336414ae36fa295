"""Pictures and pages of graphs: the only part of the package that knows SVG, DOT and HTML.

`reading.py` is what a picture says, `plan.py` and `arrange.py` where it stands; `svg.py`, `dot.py`
and `figures.py` draw it. `page.py` makes the interactive page of `page_data.py` and the code in
`static/`.
"""

from tinygrad_edu.view.page.html import to_html
from tinygrad_edu.view.page.lessons import Stop
from tinygrad_edu.view.picture.dot import to_dot, to_graphviz
from tinygrad_edu.view.picture.figures import to_pdf, to_png
from tinygrad_edu.view.picture.svg import to_svg
from tinygrad_edu.view.show import show

__all__ = ["Stop", "show", "to_dot", "to_graphviz", "to_html", "to_pdf", "to_png", "to_svg"]
