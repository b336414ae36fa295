"""What all tests share: rules that a test declares are gone after it."""

import pytest

from tinygrad_edu.engine.array_methods import ArrayMethods
from tinygrad_edu.engine.methods import Methods
from tinygrad_edu.rules import RULES, operations
from tinygrad_edu.rules.tables import arrays, scalars

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
