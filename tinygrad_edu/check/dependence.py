"""Whether the inputs of a function matter to its result at all."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_edu.check.kinds import (
    check_function,
    check_repeats,
    copy_of_input,
    input_names,
    like,
    plain,
    same_numbers,
)
from tinygrad_edu.check.report import a_check

ATTEMPTS = 10


@a_check
def check_inputs_matter(f: Callable[..., Any], *inputs: Any) -> None:
    """AssertionError naming each input that can be replaced without changing the result of f.

    An accuracy that compares the labels with themselves says the same for any prediction. Each
    input is replaced by its negative, by itself in another order along the first axis, and by
    random numbers of its range; f is called with the other inputs as they are. The inputs are not
    changed. ValueError if f gives two results for the same inputs.
    """
    __tracebackhide__ = True
    check_function(f, "check_inputs_matter")
    names = input_names(f, len(inputs))

    def result(*given: Any) -> Any:
        y = f(*[copy_of_input(x, "check_inputs_matter") for x in given])
        return plain(y, "the result of the function")

    expected = result(*inputs)
    check_repeats("check_inputs_matter", lambda: result(*inputs))
    unused = []
    for i, x in enumerate(inputs):
        if not np.size(plain(x, "check_inputs_matter")):
            continue
        others = (result(*inputs[:i], other, *inputs[i + 1 :]) for other in _replacements(x))
        if all(same_numbers(expected, other) for other in others):
            unused.append(names[i])
    if unused:
        said = (
            f"the result does not depend on {', '.join(unused)}: any other numbers in its place "
            f"give {np.asarray(expected).tolist()!r} too; is another variable used instead?"
        )
        raise AssertionError(textwrap.fill(said, 98, subsequent_indent="  "))


def _replacements(x: Any) -> Iterator[Any]:
    """Other numbers of the same kind, shape and dtype, within the range of x."""
    data = np.asarray(plain(x, "check_inputs_matter"))
    rng = np.random.default_rng(0)
    real = data[np.isfinite(data)]
    low, high = real.min(initial=0), real.max(initial=1)
    if data.dtype.kind == "f":
        largest = float(np.finfo(data.dtype).max) / 4  # the range has to be a number too
        low, high = max(float(low), -largest), min(float(high), largest)
    for _ in range(ATTEMPTS):
        if data.dtype.kind == "f":
            yield like(x, rng.uniform(low, high, data.shape).astype(data.dtype))
        else:
            yield like(x, rng.integers(int(low), int(high) + 1, data.shape).astype(data.dtype))
        if data.ndim:
            yield like(x, rng.permutation(data))
    if data.dtype.kind == "f":
        yield like(x, -data)
