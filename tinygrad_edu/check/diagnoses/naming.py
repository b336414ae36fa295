"""All laws in one list: the first that holds, under a second adjoint too, names the mistake."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from tinygrad_edu.check.case import Case
from tinygrad_edu.check.diagnoses import activations, number_laws
from tinygrad_edu.check.diagnoses.mistake import Law, Mistake
from tinygrad_edu.check.diagnoses.second_adjoint import (
    under_adjoint_of_the_first,
    under_another_adjoint,
)
from tinygrad_edu.check.kinds import quietly
from tinygrad_edu.view.cards.reading import shape_of

Laws = tuple[tuple[str, Law], ...]

OF_NUMBERS: Laws = (
    ("not finite", number_laws.not_finite),
    ("never set", number_laws.never_set),
    ("no effect", number_laws.no_effect),
    ("sign", number_laws.sign),
    ("factor", number_laws.factor),
    ("eps", number_laws.nearly),
    ("derivative left out", activations.activation_left_out),
    ("taken elsewhere", activations.taken_elsewhere),
)
"""The laws for the derivative of a number, which need no NumPy."""


IN_A_STEP = ("derivative left out", "taken elsewhere", "factor left out")
"""The kinds that are looked for in one step of several."""


def of_other_shapes() -> Laws:
    """The laws for a gradient of another shape than that of its array."""
    from tinygrad_edu.check.diagnoses import array_laws, shape_laws

    return (
        ("not summed", shape_laws.not_summed),
        ("transposed", shape_laws.transposed_shape),
        ("order", array_laws.order_of_axes),
        ("copies", shape_laws.copies_kept),
        ("reshaped", shape_laws.reshaped),
        ("broadcast", shape_laws.broadcast),
        ("summed too often", shape_laws.summed_too_often),
        ("shape", shape_laws.other_shape),
    )


def of_arrays() -> Laws:
    """The laws for arrays: what is certain stands before what is likely, since the first counts."""
    from tinygrad_edu.check.diagnoses import array_laws, contributions, part_laws, path_laws

    return (
        ("not finite", number_laws.not_finite),
        ("never set", number_laws.never_set),
        ("no effect", number_laws.no_effect),
        ("sign", number_laws.sign),
        ("transposed", array_laws.transposed),
        ("order", array_laws.order_of_axes),
        ("assigned", part_laws.set_several_times),
        ("assigned", part_laws.assigned_where_taken_twice),
        ("matrix not transposed", array_laws.matrix_not_transposed),
        ("matrix not transposed", array_laws.adjoint_not_transposed),
        ("adjoint left out", array_laws.adjoint_left_out),
        ("mask of the adjoint", array_laws.mask_of_adjoint),
        ("factor", number_laws.factor),
        ("eps", array_laws.eps),
        ("eps", number_laws.nearly),
        ("mask", array_laws.mask_inverted),
        ("mask", array_laws.mask_left_out),
        ("mask", array_laws.mask_elsewhere),
        ("order", array_laws.kernel_turned),
        ("order", array_laws.shifted),
        ("factor left out", array_laws.factor_left_out),
        ("assigned", contributions.assigned),
        ("copies", contributions.copies),
        ("derivative left out", activations.activation_left_out),
        ("taken elsewhere", activations.taken_elsewhere),
        ("not summed", array_laws.summed_over_other_axes),
        ("derivative left out", array_laws.adjoint_of_the_result),
        ("summand left out", array_laws.summand_left_out),
        ("part", part_laws.wrong_part),
        ("path", path_laws.path),
        ("factor", array_laws.factor_by_row),
    )


def kinds() -> list[str]:
    """The names of all kinds of mistakes."""
    laws = itertools.chain(OF_NUMBERS, of_other_shapes(), of_arrays())
    return [*dict.fromkeys(kind for kind, _ in laws), "carried", "swapped"]


def name_of_mistake(case: Case) -> Mistake | None:
    """What is wrong with a derivative that is known to be wrong; None if it is not recognised.

    A name has to hold under a second adjoint in another direction too, if there is one.
    """
    case = _in_arrays(case)
    return _by_laws(case) or _in_the_first_step(case)


def _by_laws(case: Case, kinds: Sequence[str] = ()) -> Mistake | None:
    """The first law that holds, of all or of these kinds, under a second adjoint too."""
    second: Case | None = None
    for mistake in _mistakes(case, kinds):
        second = second or under_another_adjoint(case)
        if second is None:
            return mistake
        others = _mistakes(_in_arrays(second), [mistake.kind])
        if any(mistake.is_also(other) for other in others):
            return mistake
    return None


def _in_the_first_step(case: Case) -> Mistake | None:
    """A layer that goes through steps is a plain one if only the first step has an adjoint: what
    is wrong there is wrong in the step, and else in what one step hands to the one before."""
    shape = shape_of(case.adjoint)
    for axis in range(len(shape) - 1) if case.shape else ():
        alone = under_adjoint_of_the_first(case, axis)
        if alone is None:
            continue
        step = f"if only the first step along axis {axis} of the result has an adjoint"
        if not any(abs(e.numeric) > e.slack for e in alone.known):
            continue  # it says nothing
        if all(abs(e.analytic - e.numeric) <= 4 * e.slack for e in alone.known):
            return Mistake(
                "carried",
                f"it is right {step}: the mistake is in what later steps send to it",
            )
        mistake = _by_laws(alone, IN_A_STEP)
        if mistake:
            return Mistake(mistake.kind, f"{step}: {mistake.said}")
    return None


def _mistakes(case: Case, kinds: Sequence[str]) -> Iterator[Mistake]:
    laws, shapes = OF_NUMBERS, ""
    if not _of_number(case):
        laws = of_arrays()
        got, expected = shape_of(case.analytic), shape_of(case.numeric)
        if got != expected:
            laws, shapes = of_other_shapes(), f"its gradient has shape {got}, not {expected}: "
    for kind, law in laws:
        if kinds and kind not in kinds:
            continue
        with quietly():
            sentences = list(law(case))
        yield from (Mistake(kind, shapes + said) for said in sentences)


def _of_number(case: Case) -> bool:
    return not hasattr(case.x, "dtype") and not shape_of(case.analytic)


def _in_arrays(case: Case) -> Case:
    """The same with arrays throughout, unless it is about a number."""
    if _of_number(case):
        return case
    import numpy as np

    names = ("x", "analytic", "numeric", "slack")
    arrays: dict[str, Any] = {name: np.asarray(getattr(case, name)) for name in names}
    others = {name: np.asarray(x) for name, x in case.others.items() if shape_of(x)}
    return replace(case, **arrays, others=others)
