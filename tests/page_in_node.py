"""The page's own JavaScript, run by Node: all of it that needs no document.

`open_page(node)` gives what the page is told about a graph. The fixture `javascript` runs an
expression of the page's functions on it, in one Node process for all tests of a file.
"""

import json
import math
import os
import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import tinygrad_edu
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.view.cards.reading import Card, Link, read
from tinygrad_edu.view.page.page import SCRIPTS
from tinygrad_edu.view.page.page_data import page_data

STATIC = Path(tinygrad_edu.__file__).parent / "view" / "static"
FILES = [name for name in SCRIPTS if name != "page"]
"""All that runs without a document: page.js starts the page."""
PATIENCE = 30
"""Seconds after which an expression that has no end fails the test."""

DRIVER = """
function rebuilt(graph, folded) {  // what page.js makes of a graph with these modules folded
  const view = visibleUnits(graph, folded);
  const sizes = graph.cards.map((card) => (card.w ? [card.w, card.h] : null));
  const outer = graph.modules.map((module) => module.outer);
  const { shown } = arrange(graph.containers, sizes, folded, graph.pills, outer, graph.moduleOf,
    graph.links, graph.derived);
  return { view, steps: listSteps(view), edges: visibleEdges(graph, view, shown) };
}
"""

SERVER = """
const special = { NaN, Infinity, "-Infinity": -Infinity, "-0": -0 };
const isObject = (x) => x !== null && typeof x === "object";
const revive = (_, x) => (isObject(x) && "number" in x ? special[x.number] : x);
function plain(x) {
  if (x === undefined || x === null) return null;
  if (typeof x === "number" && (!Number.isFinite(x) || Object.is(x, -0))) {
    return { number: Object.is(x, -0) ? "-0" : String(x) };
  }
  if (x instanceof Map || x instanceof Set) return [...x].map(plain);
  if (Array.isArray(x)) return x.map(plain);
  if (isObject(x)) return Object.fromEntries(Object.entries(x).map(([k, y]) => [k, plain(y)]));
  return x;
}
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  let answer;
  try {
    const { code, expression, data, given } = JSON.parse(line, revive);
    const names = Object.keys(given);
    const text = `"use strict"; ${code}; const graph = data && readGraph(data);
      return (${expression});`;
    answer = { result: plain(new Function("data", ...names, text)(data, ...Object.values(given))) };
  } catch (error) {
    answer = { error: error.stack };
  }
  console.log(JSON.stringify(answer));
});
"""

WORDS = f"const WORDS = {(STATIC / 'words_en.json').read_text(encoding='utf-8')};\n"
CODE = "\n".join([WORDS, DRIVER, *((STATIC / f"{name}.js").read_text("utf-8") for name in FILES)])


@dataclass
class Page:
    """What the page knows of a graph, and the cards and links that it was read from.

    Those of a Tensor graph that is opened as scalars are not the page's.
    """

    root: Node
    data: dict[str, Any]
    rules: str
    cards: list[Card]
    links: list[Link]

    @property
    def nodes(self) -> list[Any]:
        """For each card its node, or None for a constant."""
        return [None if card.is_constant else card.item for card in self.cards]


def open_page(node: Node, ranges: Any = None) -> Page:
    data, rules = page_data(node, ranges)
    return Page(node, data, rules, *read(node))


def node_program() -> str:
    """The path of node; without it the test is skipped, or in CI fails."""
    found = shutil.which("node")
    if found is None:
        why = "there is no node program to run the page's JavaScript (apt-get install nodejs)"
        if os.environ.get("TINYGRAD_EDU_NEEDS_NODE"):
            pytest.fail(f"TINYGRAD_EDU_NEEDS_NODE is set, but {why}", pytrace=False)
        pytest.skip(why)
    return found


@pytest.fixture(scope="module")
def javascript():
    """`javascript(page, expression, x=1)` is the value of an expression of the page's functions.

    It may name `graph`, which is the page's, and whatever is given. undefined comes back as None,
    a Map as a list of pairs, a Set as a list. `page` may be None for functions of no graph.
    """
    with subprocess.Popen(
        [node_program(), "-e", SERVER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
    ) as process:  # fmt: skip

        def run(page, expression, **given):
            rules, data = "const RULES = [];", None
            if page is not None:
                rules, data = page.rules, json.dumps(page.data, allow_nan=False)
            asked = {"code": rules + CODE, "expression": expression, "data": data, "given": given}
            process.stdin.write(json.dumps(_plain(asked), allow_nan=False) + "\n")
            process.stdin.flush()
            impatience = threading.Timer(PATIENCE, process.kill)
            impatience.start()
            answer = process.stdout.readline()
            impatience.cancel()
            assert answer, f"Node did not answer within {PATIENCE} s: {expression}"
            found = json.loads(answer, object_hook=_revived, parse_int=_whole)
            assert "error" not in found, found["error"]
            return found["result"]

        yield run
        process.stdin.close()


def _plain(x: Any) -> Any:
    """With the numbers that JSON does not know by name."""
    if isinstance(x, float) and not math.isfinite(x):
        return {"number": repr(x).replace("inf", "Infinity").replace("nan", "NaN")}
    if isinstance(x, dict):
        return {key: _plain(y) for key, y in x.items()}
    if isinstance(x, list | tuple | set):
        return [_plain(y) for y in x]
    return x


def _whole(text: str) -> int | float:
    """An index stays one; JavaScript writes large floats without a point."""
    return int(text) if len(text) < 16 else float(text)


def _revived(x: dict[str, Any]) -> Any:
    return float(x["number"]) if set(x) == {"number"} else x
