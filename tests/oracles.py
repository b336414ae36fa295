"""The libraries that `compare` knows, for tests: one that is not installed skips its tests."""

import pytest

from tinygrad_edu.check.oracles import INSTALL

LIBRARIES = tuple(INSTALL)
ARRAY_LIBRARIES = tuple(name for name in INSTALL if name != "sympy")


def library(name):
    """The name again, if the library is installed."""
    pytest.importorskip(name, reason=f"{name} is not installed; {INSTALL[name]}")
    return name
