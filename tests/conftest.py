"""Hypothesis profiles, quick unless TINYGRAD_EDU_DEEP_TESTS is set, and what tests share."""

import os

import pytest
from hypothesis import HealthCheck, settings

from tinygrad_edu.rules import RULES, operations
from tinygrad_edu.rules.namespaces import arrays, scalars

settings.register_profile(
    "quick", max_examples=30, deadline=None, derandomize=True, print_blob=True
)
settings.register_profile(
    "deep", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("deep" if os.environ.get("TINYGRAD_EDU_DEEP_TESTS") else "quick")


@pytest.fixture
def own_rules():
    """Rules and formulas that a test declares are gone after it."""
    spaces = [RULES, *(vars(space) for space in (operations, scalars, arrays))]
    before = [dict(space) for space in spaces]
    yield
    for space, names in zip(spaces, before, strict=True):
        for name in space.keys() - names.keys():
            del space[name]
        space.update(names)


@pytest.fixture(autouse=True)
def no_rules_left():
    """A test that declares a rule asks for `own_rules`, so that no other test meets it."""
    before = set(RULES)
    yield
    left = set(RULES) - before
    for name in left:
        del RULES[name]
    assert not left, f"rules left behind: {left}"
