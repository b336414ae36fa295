"""assert_gradients: the gradient check for a test suite, on given inputs or on drawn ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tinygrad_edu.check import GradientError, gradcheck
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.testing.graph import Graph
from tinygrad_edu.testing.writing import written_constant

_PHASES = (Phase.generate, Phase.target, Phase.shrink)


def assert_gradients(
    f: Callable[..., Any] | SearchStrategy[Graph],
    *inputs: Any,
    max_examples: int | None = None,
    **options: Any,
) -> None:
    """Check that f's gradients are right on these inputs, by `gradcheck`, which gets `options`.

    Inputs are Values, Tensors, numbers or arrays, as in a test with `@given`; or some are
    strategies, and then `max_examples` inputs are drawn here, as many as Hypothesis' settings say
    unless given. A strategy that draws a tuple stands for several inputs. A Graph brings its own
    inputs, and f may be a strategy of graphs. Raises GradientError with the checker's table and,
    of drawn inputs, the simplest that was found to fail; TypeError for strategies inside of a test
    with `@given`, which draws them itself.
    """
    if not callable(f) and not isinstance(f, SearchStrategy):
        raise TypeError(f"assert_gradients: expected a function of nodes first, got {f!r}")
    if not any(isinstance(x, SearchStrategy) for x in (f, *inputs)):
        if max_examples is not None:
            raise TypeError("assert_gradients: max_examples is for strategies; all is given")
        _check(f, inputs, options)
        return
    if hypothesis.currently_in_test_context():
        raise TypeError(
            "assert_gradients: got strategies inside a test with @given, which would draw again "
            "for every drawn example; draw all inputs in @given, or leave @given out"
        )
    strategies = [x if isinstance(x, SearchStrategy) else st.just(x) for x in (f, *inputs)]
    spread = [isinstance(x, SearchStrategy) for x in inputs]
    failed: list[GradientError] = []

    def draw_and_check(drawn: tuple[Any, ...]) -> None:
        given: list[Any] = []
        for x, of_a_strategy in zip(drawn[1:], spread, strict=True):
            given += x if of_a_strategy and type(x) is tuple else [x]
        try:
            _check(drawn[0], tuple(given), options)
        except GradientError as error:
            failed[:] = [_with_the_call(error, drawn[0], given)]  # the last one is the simplest
            raise

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


def _check(f: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
    if isinstance(f, Graph) and not inputs:
        inputs = f.new_leaves()
    gradcheck(f, *inputs, **options)


def _with_the_call(error: GradientError, f: Any, inputs: list[Any]) -> GradientError:
    """The error with the failing call as code, so that it can be pasted."""
    if isinstance(f, Graph) and not inputs:
        call = f"assert_gradients({f!r})"
    else:
        name = repr(f) if isinstance(f, Graph) else getattr(f, "__name__", repr(f))
        call = f"assert_gradients({', '.join([name, *map(_written_input, inputs)])})"
    error.args = (f"{error}\nthe simplest failing inputs that were found:\n  {call}",)
    return error


def _written_input(x: Any) -> str:
    if not isinstance(x, Node):
        return written_constant(x)
    kind = "tg.Tensor" if isinstance(x, Tensor) else "tg.Value"
    label = f", {x.label!r}" if x.label else ""
    return f"{kind}({written_constant(x.data)}{label})"
