"""Pages in a real Chromium, offline, from files; each is checked for silence when its test ends.

Where Chromium or playwright is missing the tests skip and say so, unless TINYGRAD_EDU_NEEDS_BROWSER
is set, as it is in CI: then they fail.
"""

import os
import runpy
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tinygrad_edu import to_html

DEMOS = Path(__file__).parents[2] / "demos"
CHROMIUM_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--renderer-process-limit=1",  # a new process for every page takes half as long again
]
PATIENCE = 5_000
"""Milliseconds after which something that does not happen on a page fails the test."""


@dataclass
class Record:
    """What one page did besides showing itself."""

    errors: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def missing(what):
    """Skip the tests that need a browser; in CI, fail them."""
    if os.environ.get("TINYGRAD_EDU_NEEDS_BROWSER"):
        pytest.fail(f"TINYGRAD_EDU_NEEDS_BROWSER is set, but {what}", pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests."""
    chromium = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if chromium is None:
        missing("there is no Chromium here (apt-get install chromium-headless-shell)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed (pip install -e '.[browser]')")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium,
            args=CHROMIUM_ARGUMENTS,
            # playwright takes away the limit of 200 changes of the address in 10 seconds
            ignore_default_args=["--disable-ipc-flooding-protection"],
        )
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def context_with(browser):
    """`context_with(color_scheme="dark", ...)`: a place for pages, one for all that want the same.

    A context for every page would take twice the time. `owner` is a page's file that needs its own.
    """
    contexts = {}

    def find_or_make(owner=None, **settings):
        key = (owner, repr(sorted(settings.items())))
        if key not in contexts:
            contexts[key] = browser.new_context(offline=True, **settings)
            contexts[key].set_default_timeout(PATIENCE)
        return contexts[key]

    yield find_or_make
    for context in contexts.values():
        context.close()


@pytest.fixture
def open_file(context_with):
    """`open_file(path)` opens a file as a page of its own.

    `fragment` is the part of the address after #, without it. With `clock`, the page's time stands
    still until `page.clock.run_for(milliseconds)`. Other keywords go to `browser.new_context`.
    When the test ends, every page that it opened must have made one request (data: and blob: are
    none), written nothing to the console and raised no error.
    """
    opened = []

    def open_one(
        path,
        *,
        fragment="",
        width=1440,
        height=900,
        dark=False,
        reduced_motion=True,
        clock=False,
        **settings,
    ):
        context = context_with(
            owner=path if clock else None,  # a clock that stands still does so for all pages
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if reduced_motion else "no-preference",
            **settings,
        )
        if clock:
            context.clock.install()
        page = context.new_page()
        record = Record()
        opened.append((page, record))
        page.on("pageerror", lambda error: record.errors.append(error.stack or str(error)))
        page.on("console", lambda message: record.console.append(message.text))
        page.on("request", lambda request: record.requests.append(request.url))
        page.set_viewport_size({"width": width, "height": height})
        page.goto(Path(path).as_uri() + (f"#{fragment}" if fragment else ""))
        return page

    yield open_one
    for page, _ in opened:
        page.close()
    for _, record in opened:
        asked = [url for url in record.requests if not url.startswith(("data:", "blob:"))]
        assert record.errors == []
        assert record.console == []
        assert len(asked) == 1, asked


@pytest.fixture
def open_page(open_file, tmp_path):
    """`open_page(node)` writes the interactive page of a node and opens it; checked as a file is.

    `title`, `ranges`, `layout`, `ask` and `stops` are those of `to_html`, other keywords those of
    `open_file`.
    """
    count = 0

    def open_one(node, *, title=None, ranges=None, layout="full", ask=(), stops=(), **settings):
        nonlocal count
        count += 1
        path = tmp_path / f"page{count}.html"
        to_html(node, path, title=title, ranges=ranges, layout=layout, ask=ask, stops=stops)
        return open_file(path, **settings)

    return open_one


@pytest.fixture
def two_fruits():
    """Apples, oranges and tax, as the demo makes it: a function that builds the graph afresh."""
    return runpy.run_path(str(DEMOS / "apple_tax.py"))["two_fruits"]
