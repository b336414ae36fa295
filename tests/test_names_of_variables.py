"""Nodes without a label take the names of the caller's variables, in every way of showing them."""

import runpy
import sys
import types

from tinygrad_edu import Value, to_dot, to_html, to_svg
from tinygrad_edu.view.cards.reading import read
from tinygrad_edu.view.show import notebook


def names_in(text, *names):
    """Those that stand in a picture, in DOT or in the data of a page."""
    forms = (">{}<", '"{}\\n', '"name":"{}"')
    return [name for name in names if any(form.format(name) in text for form in forms)]


def test_the_variables_of_a_function_name_its_nodes():
    a, b, c = Value(2.0), Value(3.0), Value(4.0, "labelled")
    y = a * b + c
    for text in (to_svg(y), to_dot(y), to_html(y)):
        assert names_in(text, "a", "b", "y", "c") == ["a", "b", "y"]
    assert "<title>y</title>" in to_html(y)
    assert [node.label for node in (a, b, c, y)] == ["", "", "labelled", ""]
    assert {card.name for card in read(y)[0]} == {"", "labelled"}  # only while it is shown


def test_a_name_is_never_that_of_another_node():
    a, other = Value(2.0), Value(3.0, "a")
    product = a * other
    assert to_svg(product).count(">a<") == 1


def test_of_two_variables_the_first_names_a_node_and_private_ones_do_not():
    _hidden = Value(2.0)
    first = again = _hidden * 3.0
    svg = to_svg(again)
    assert names_in(svg, "first", "again", "_hidden") == ["first"]
    assert first is again


def test_a_variable_that_means_something_else_by_now_names_that():
    x = y = Value(0.5)
    for _ in range(3):
        y = y * 2.0
    svg = to_svg(y)
    assert svg.count(">x<") == svg.count(">y<") == 1
    assert x is not y


def test_a_script_and_a_repl_have_the_names_of_their_module(tmp_path):
    code = (
        "from tinygrad_edu import Value, to_svg\n"
        "leaf = Value(2.0)\n"
        "top = leaf * leaf\n"
        "svg = to_svg(top)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code, encoding="utf-8")
    repl = {"__name__": "__main__"}
    for line in code.splitlines():
        exec(compile(line, "<stdin>", "single"), repl)
    for svg in (runpy.run_path(str(script))["svg"], repl["svg"]):
        assert names_in(svg, "leaf", "top") == ["leaf", "top"]


def test_a_notebook_that_shows_a_result_knows_the_names_of_its_cells(monkeypatch):
    """IPython asks for the picture: the names are not those of IPython's own variables."""
    cells = {"left": Value(2.0)}
    cells["result"] = cells["left"] * 3.0
    shell = types.SimpleNamespace(user_ns={**cells, "_": cells["result"]})
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    asking = {"__name__": "IPython.core.formatters", "draw": notebook["image/svg+xml"]}
    exec("def ask(obj):\n    return draw(obj)", asking)
    svg = asking["ask"](cells["result"])
    assert names_in(svg, "left", "result", "obj", "_") == ["left", "result"]
