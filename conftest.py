"""Every Python block of README.md and docs/*.md runs as a test, in a folder of its own."""

import os

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from tinygrad_edu.methods import Methods
from tinygrad_edu.rules import RULES, operations


@pytest.fixture(scope="module")
def own_folder(tmp_path_factory):
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("page"))
    yield
    os.chdir(before)


@pytest.fixture(scope="module")
def forgotten_rules():
    """Rules that a page declares are gone after it, with their functions and methods."""
    before = set(RULES), set(vars(operations)), set(vars(Methods))
    yield
    for name in set(RULES) - before[0]:
        del RULES[name]
    for space, names in zip((operations, Methods), before[1:], strict=True):
        for name in set(vars(space)) - names:
            delattr(space, name)


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()],
    patterns=["README.md", "docs/*.md"],
    fixtures=["own_folder", "forgotten_rules"],
).pytest()
