"""Showing: the browser is never opened here, and the notebook is a stand-in."""

import base64
import importlib
import os
import stat
import sys
import webbrowser
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu
from tinygrad_edu import Stop, Tensor, Value, gradcheck
from tinygrad_edu.engine.notebooks import representations
from tinygrad_edu.files import write_whole

module = importlib.import_module("tinygrad_edu.view.show")  # the package's show is the function
show, frame = module.show, module.frame


@pytest.fixture
def pages(monkeypatch):
    """A stand-in for to_html that remembers how it was called."""
    calls = []

    def to_html(node, path=None, *, title=None, ranges=None, layout="full", ask=(), stops=()):
        calls.append((node, title, ranges, *ask, *stops))
        text = f'<!doctype html><script>"page of {node.label}"</script>'
        if path is not None:
            write_whole(path, text)
        return text

    fake = ModuleType("tinygrad_edu.view.page.html")
    fake.to_html = to_html
    monkeypatch.setitem(sys.modules, "tinygrad_edu.view.page.html", fake)
    return calls


@pytest.fixture
def browser(monkeypatch, tmp_path):
    """A desktop whose browser only notes what it was asked to open."""
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("TINYGRAD_EDU_NO_BROWSER", raising=False)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    return opened


@pytest.fixture
def notebook(monkeypatch):
    """A stand-in for IPython in a kernel; returns what was displayed."""
    displayed = []
    display = ModuleType("IPython.display")
    display.display = lambda bundle, raw: displayed.append((bundle, raw))
    ipython = ModuleType("IPython")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    ipython.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(webbrowser, "open", lambda address: pytest.fail("a browser was opened"))
    return displayed


def test_a_script_writes_a_page_and_opens_it(pages, browser, capsys):
    node = Value(3, "price")
    path = show(node, title="Price", ranges={"price": (0, 5)}, ask=["order"])
    assert Path(path).name == "graph_price.html"
    assert "page of price" in Path(path).read_text(encoding="utf-8")
    assert browser == [Path(path).as_uri()]
    assert pages == [(node, "Price", {"price": (0, 5)}, "order")]
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(os.name != "posix", reason="the rights of folders are those of POSIX")
def test_the_folder_is_new_and_private(pages, browser):
    first, second = show(Value(3)), show(Value(3))
    assert os.path.dirname(first) != os.path.dirname(second)
    assert stat.S_IMODE(os.stat(os.path.dirname(first)).st_mode) == 0o700


@pytest.mark.parametrize("reason", ["switched off", "no display", "none found", "broken"])
def test_without_a_browser_the_path_is_printed(reason, pages, browser, monkeypatch, capsys):
    if reason == "switched off":
        monkeypatch.setenv("TINYGRAD_EDU_NO_BROWSER", "1")
    elif reason == "no display":
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.delenv("DISPLAY")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    elif reason == "none found":
        monkeypatch.setattr(webbrowser, "open", lambda address: False)
    else:

        def broken(address):
            raise webbrowser.Error("no runnable browser")

        monkeypatch.setattr(webbrowser, "open", broken)
    path = show(Value(3, "x"))
    assert capsys.readouterr().out == path + "\n"
    assert os.path.isfile(path)
    assert browser == []


@pytest.mark.parametrize("platform", ["darwin", "win32", "linux"])
def test_where_a_display_is_a_matter_of_course_or_wayland(platform, pages, browser, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.delenv("DISPLAY")
    if platform == "linux":
        monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    show(Value(3))
    assert len(browser) == 1


def test_an_empty_variable_does_not_switch_the_browser_off(pages, browser, monkeypatch):
    monkeypatch.setenv("TINYGRAD_EDU_NO_BROWSER", "")
    show(Value(3))
    assert len(browser) == 1


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_label_gives_a_name_that_every_system_takes(label):
    name = module._file_name(label)
    assert name.startswith("graph")
    assert name.endswith(".html")
    assert len(name) <= 52
    assert not set(name.removesuffix(".html")) - set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
    )


def test_hostile_labels_stay_in_the_folder(pages, browser, tmp_path):
    for label in ("../../x", "/etc/passwd", "a" * 10_000, "nul", "\x00", "..", "C:\\x"):
        path = Path(show(Value(3, label)))
        assert path.parent.parent == tmp_path
        assert path.is_file()


def test_a_notebook_shows_the_page_in_its_frame(pages, notebook):
    node = Value(3, "price")
    stop = Stop("Look.")
    assert show(node, title="T", ranges={"price": (0, 1)}, stops=[stop]) is None
    [(bundle, raw)] = notebook
    assert raw is True
    assert bundle["text/plain"] == repr(node)
    assert "page of price" in unescape(attributes(bundle["text/html"])["srcdoc"])
    assert pages == [(node, "T", {"price": (0, 1)}, stop)]
    assert show(node * 2) is None
    heights = [int(attributes(bundle["text/html"])["height"]) for bundle, _ in notebook]
    assert heights == [260, 640]  # a leaf has little to show


def test_jupyter_is_known_by_the_name_of_its_shell(pages, notebook):
    shell = type("ZMQInteractiveShell", (), {})()
    sys.modules["IPython"].get_ipython = lambda: shell
    assert show(Value(3)) is None


@pytest.mark.parametrize("shell", [None, SimpleNamespace(), SimpleNamespace(kernel=None)])
def test_ipython_in_a_terminal_is_no_notebook(shell, pages, browser, notebook, monkeypatch):
    sys.modules["IPython"].get_ipython = lambda: shell
    monkeypatch.setenv("TINYGRAD_EDU_NO_BROWSER", "1")
    assert os.path.isfile(show(Value(3)))
    assert notebook == []


def elements(html):
    """The elements of a text by their tags, with their attributes; what stands in them by \"\"."""
    found = {"": ""}

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            assert tag not in found
            found[tag] = dict(attrs)

        def handle_data(self, data):
            found[""] += data

    reader = Reader()
    reader.feed(html)
    reader.close()
    return found


def attributes(html):
    """The attributes of a frame, beside which there may be a picture that is hidden."""
    found = elements(html)
    assert found.keys() in ({"", "iframe"}, {"", "style", "iframe", "img"})
    assert found[""] == (".tinygrad-edu+img{display:none}" if "img" in found else "")
    assert found["iframe"]["class"] == "tinygrad-edu"
    return found["iframe"]


@given(st.text(max_size=80))
def test_a_frame_holds_any_page_and_lets_nothing_out(text):
    found = attributes(frame(text + "\"'></iframe><script>alert(1)</script>"))
    assert found["srcdoc"] == text + "\"'></iframe><script>alert(1)</script>"
    assert found["sandbox"].split() == ["allow-scripts", "allow-downloads"]
    assert (found["width"], found["height"]) == ("100%", "640")
    assert "<script" not in frame("<script>")


def test_a_node_shows_itself_as_text_picture_and_page(pages):
    for node in (Value(3, "x") * 2, Tensor([1.0, 2.0], "t").sum()):
        bundle = node._repr_mimebundle_()
        assert set(bundle) == {"text/plain", "image/svg+xml", "text/html"}
        assert bundle["text/plain"] == repr(node)
        assert bundle["image/svg+xml"] == tinygrad_edu.to_svg(node)
        assert attributes(bundle["text/html"])["srcdoc"].startswith("<!doctype html>")


@pytest.mark.parametrize("label", ["x", "<b> & \"quotes\" 'x'", "größe\ud800\0"], ids=ascii)
def test_what_a_notebook_shows_without_trust_is_the_picture(pages, notebook, label):
    node = Value(3, label) * 2
    show(node)
    report = gradcheck(lambda x: x * 2, Tensor([1.0], label))
    for html, svg in (
        (node._repr_mimebundle_()["text/html"], tinygrad_edu.to_svg(node)),
        (notebook[0][0]["text/html"], tinygrad_edu.to_svg(node)),
        (report._repr_html_(), report.to_svg()),
    ):
        image = elements(html)["img"]  # the sanitizer drops frames and styles, and keeps this
        assert image.keys() == {"alt", "src"}
        kind, data = image["src"].split(",")
        assert kind == "data:image/svg+xml;base64"
        assert base64.b64decode(data).decode("utf-8") == svg
    assert elements(report._repr_html_())[""] == str(report)


def test_a_page_that_has_no_picture_stands_alone(pages, notebook):
    x = Value(1.0)
    for _ in range(1501):
        x = x + 1.0
    show(x)
    assert elements(notebook[0][0]["text/html"]).keys() == {"", "iframe"}


def test_a_notebook_may_include_and_exclude_types(pages):
    node = Value(3)
    assert set(node._repr_mimebundle_(include={"image/svg+xml"})) == {"text/plain", "image/svg+xml"}
    assert set(node._repr_mimebundle_(exclude=["text/html"])) == {"text/plain", "image/svg+xml"}
    assert pages == []


def test_one_representation_that_fails_does_not_lose_the_others(monkeypatch):
    def broken(node):
        raise RuntimeError("no colours left")

    monkeypatch.setitem(representations, "text/html", broken)
    bundle = Value(3)._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/svg+xml"}
    assert bundle["text/plain"].split("\n") == [
        "Value(3.0, grad=0.0)",
        "(no text/html: no colours left)",
    ]


def test_a_large_graph_is_text_only(pages):
    x = Value(1.0)
    for _ in range(100_000):
        x = x + 1
    bundle = x._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert "(no text/html: more than 1500 nodes are not drawn)" in bundle["text/plain"]
