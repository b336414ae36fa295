"""Libraries as somebody would set them who wants them fast on one thread."""

from __future__ import annotations

import importlib
from typing import Any


def jax_on_one_thread(*, x64: bool = True) -> Any:
    """jax, which runs a call in the thread that calls: waking another costs it 100 µs."""
    import jax

    jax.config.update("jax_cpu_enable_async_dispatch", False)
    jax.config.update("jax_enable_x64", x64)
    return jax


def mygrad_without_guard() -> Any:
    """MyGrad without its memory guard, as its documentation advises where time matters."""
    import mygrad

    mygrad.turn_memory_guarding_off()
    return mygrad


def our_replay(name: str = "replay") -> Any:
    """`replay` or `TrainingStep`; ModuleNotFoundError where it is not there yet."""
    module = importlib.import_module("tinygrad_edu.replay")
    if not hasattr(module, name):
        raise ModuleNotFoundError(name=f"tinygrad_edu.replay.{name}")
    return getattr(module, name)


def our_replay_with_numba() -> Any:
    """`replay`; ModuleNotFoundError where numba is missing."""
    importlib.import_module("numba")
    return our_replay()
