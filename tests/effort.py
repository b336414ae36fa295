"""How much the tests try: with `pytest --deep` all that they can, otherwise enough of it."""

import pytest
from hypothesis import settings

DEEP = settings.default.max_examples > 10  # by the profiles of conftest.py


def much(deep, quick):
    """A number of tries, or a size, with --deep and without."""
    return deep if DEEP else quick


def first(number, values):
    """Rows of `parametrize` of which only the first so many run without --deep."""
    return [pytest.param(value, marks=pytest.mark.deep if i >= number else ())
            for i, value in enumerate(values)]  # fmt: skip
