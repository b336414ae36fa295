"""assert_gradients: the gradient check for a test suite, on given inputs or on drawn ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis
import numpy as np
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tinygrad_edu.check import GradientError, gradcheck
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.engine.tensor import Tensor

_PHASES = (Phase.generate, Phase.target, Phase.shrink)


def assert_gradients(
    f: Callable[..., Any], *inputs: Any, max_examples: int | None = None, **options: Any
) -> None:
    """Check that the gradients of f are right on these inputs, with `gradcheck`.

    `gradcheck` gets the `options`. Inputs are Values, Tensors, numbers or arrays, as in a test with
    `@given`; or some are strategies, and `max_examples` inputs are drawn here (by default as many
    as the settings of Hypothesis say). A strategy that draws a tuple stands for several inputs.

    Raises GradientError with the table of `gradcheck` and, for drawn inputs, the simplest failing
    call; TypeError for strategies inside a test with `@given`, which draws them itself.
    """
    __tracebackhide__ = True  # of pytest, as in the checks
    if not callable(f):
        raise TypeError(f"assert_gradients: expected a function of nodes first, got {f!r}")
    if not any(isinstance(x, SearchStrategy) for x in inputs):
        if max_examples is not None:
            raise TypeError("assert_gradients: max_examples is for strategies; all is given")
        gradcheck(f, *inputs, **options)
        return
    if hypothesis.currently_in_test_context():
        raise TypeError(
            "assert_gradients: got strategies inside a test with @given, which would draw again "
            "for every drawn example; draw all inputs in @given, or leave @given out"
        )
    failed: list[GradientError] = []

    def draw_and_check(drawn: tuple[Any, ...]) -> None:
        flat: list[Any] = []
        for x, strategy in zip(drawn, inputs, strict=True):
            several = isinstance(strategy, SearchStrategy) and type(x) is tuple
            flat += x if several else [x]
        try:
            gradcheck(f, *flat, **options)
        except GradientError as error:
            failed[:] = [_with_the_call(error, f, flat)]  # the last one is the simplest
            raise

    strategies = [x if isinstance(x, SearchStrategy) else st.just(x) for x in inputs]
    run = settings(
        settings(max_examples=max_examples) if max_examples is not None else None,
        deadline=None, database=None, report_multiple_bugs=False, phases=_PHASES,
        verbosity=hypothesis.Verbosity.quiet,
    )(hypothesis.given(st.tuples(*strategies))(draw_and_check))  # fmt: skip
    try:
        run()
    except GradientError as error:
        failure = failed[0] if failed else error
    else:
        return
    raise failure.with_traceback(None) from None


def _with_the_call(error: GradientError, f: Callable[..., Any], inputs: list[Any]) -> GradientError:
    """The error with the failing call as code, which can be pasted."""
    name = getattr(f, "__name__", repr(f))
    call = f"assert_gradients({', '.join([name, *map(_code_of_input, inputs)])})"
    error.args = (f"{error}\nthe simplest failing inputs that were found:\n  {call}",)
    return error


def _code_of_input(x: Any) -> str:
    if isinstance(x, Node):
        kind = "tg.Tensor" if isinstance(x, Tensor) else "tg.Value"
        label = f", {x.label!r}" if x.label else ""
        return f"{kind}({_code_of_input(x.data)}{label})"
    if isinstance(x, np.ndarray):
        if not x.size:
            return f"np.zeros({x.shape}, {str(x.dtype)!r})"
        usual = x.dtype in (np.float64, np.bool_, np.int64)
        return f"np.array({x.tolist()!r}" + ("" if usual else f", {str(x.dtype)!r}") + ")"
    return repr(x.item() if isinstance(x, np.generic) else x)
