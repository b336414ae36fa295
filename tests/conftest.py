"""Hypothesis profiles, quick unless TINYGRAD_EDU_DEEP_TESTS is set, and what tests share."""

import os

import pytest
from hypothesis import HealthCheck, settings

from tinygrad_edu.engine.array_methods import ArrayMethods
from tinygrad_edu.engine.methods import Methods
from tinygrad_edu.rules import RULES, operations
from tinygrad_edu.rules.tables import arrays, scalars

settings.register_profile(
    "quick", max_examples=30, deadline=None, derandomize=True, print_blob=True
)
settings.register_profile(
    "deep", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("deep" if os.environ.get("TINYGRAD_EDU_DEEP_TESTS") else "quick")


REGISTRIES = (RULES, *(vars(space) for space in (operations, scalars, arrays)))


@pytest.fixture(autouse=True)
def rules_are_forgotten():
    """Rules, formulas and methods that a test declares are gone after it: no other test meets
    them."""
    before = [dict(names) for names in REGISTRIES]
    methods = [(kind, set(vars(kind))) for kind in (Methods, ArrayMethods)]
    yield
    for space, names in zip(REGISTRIES, before, strict=True):
        if space != names:
            space.clear()
            space.update(names)
    for kind, names in methods:
        for name in set(vars(kind)) - names:
            delattr(kind, name)
