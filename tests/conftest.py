"""Hypothesis profiles: quick unless TINYGRAD_EDU_DEEP_TESTS is set."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick", max_examples=30, deadline=None, derandomize=True, print_blob=True
)
settings.register_profile(
    "deep", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("deep" if os.environ.get("TINYGRAD_EDU_DEEP_TESTS") else "quick")
