"""Rules as users declare them, from outside the package; they are gone after the test."""

import math
import re

import numpy as np
import pytest

from tinygrad_edu.rules import of, operations, rule


@pytest.fixture
def softsign():
    @rule("softsign")
    def softsign(x, /):
        """x / (1 + |x|)."""
        d = of(x).abs(x) + 1.0
        return x / d, lambda g, d=d: (g / (d * d),)

    return softsign


def declare_swish():
    @rule("swish")
    def swish(x, /, beta=1.0):
        """x σ(beta x)."""
        s = of(x).sigmoid(x * beta)
        return x * s, lambda g, x=x, s=s: (g * (s + x * s * (1.0 - s) * beta),)

    return swish


@pytest.fixture
def swish():
    return declare_swish()


@pytest.fixture
def normalize():
    @rule("unit")
    def normalize(x, /, axis=-1):
        """x / ‖x‖ along an axis."""
        length = of(x).sqrt(of(x).sum(x * x, axis=axis, keepdims=True))
        y = x / length

        def pullback(g, y=y, length=length):
            along = of(g, y).sum(g * y, axis=axis, keepdims=True)
            return ((g - y * along) / length,)

        return y, pullback

    return normalize


def declare(source):
    """Run a declaration that begins with `def`."""
    exec(f'@rule("symbol")\n{source}', {"rule": rule, "of": of, "math": math, "np": np})
    return getattr(operations, re.match(r"def _*(\w+)", source)[1])
