"""All laws in one list: the first that holds, under a second adjoint too, names the mistake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tinygrad_edu.check.case import Case
from tinygrad_edu.check.diagnoses import activations, number_laws
from tinygrad_edu.check.diagnoses.mistake import Law, Mistake
from tinygrad_edu.check.diagnoses.second_adjoint import under_another_adjoint
from tinygrad_edu.check.kinds import quietly
from tinygrad_edu.view.cards.reading import shape_of

Laws = tuple[tuple[str, Law], ...]

OF_NUMBERS: Laws = (
    ("not finite", number_laws.not_finite),
    ("never set", number_laws.never_set),
    ("no effect", number_laws.no_effect),
    ("sign", number_laws.sign),
    ("factor", number_laws.factor),
    ("nearly right", number_laws.nearly),
    ("activation left out", activations.activation_left_out),
    ("taken elsewhere", activations.taken_elsewhere),
)
"""The laws for the derivative of a number, which need no NumPy."""


def of_arrays() -> tuple[Laws, Laws]:
    """The laws for arrays: where the shapes differ, and where they do not. The first that holds
    counts, so what is certain stands before what is likely."""
    from tinygrad_edu.check.diagnoses import (
        array_laws,
        contributions,
        part_laws,
        path_laws,
        shape_laws,
    )

    differing: Laws = (
        ("not summed", shape_laws.not_summed),
        ("transposed", shape_laws.transposed_shape),
        ("copies", shape_laws.copies_kept),
        ("reshaped", shape_laws.reshaped),
        ("broadcast", shape_laws.broadcast),
        ("summed too often", shape_laws.summed_too_often),
        ("shape", shape_laws.other_shape),
    )
    same: Laws = (
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
        ("nearly right", number_laws.nearly),
        ("mask", array_laws.mask_inverted),
        ("mask", array_laws.mask_left_out),
        ("factor left out", array_laws.factor_left_out),
        ("assigned", contributions.assigned),
        ("copies", contributions.copies),
        ("activation left out", activations.activation_left_out),
        ("taken elsewhere", activations.taken_elsewhere),
        ("activation left out", array_laws.same_as_for_a_product),
        ("summand left out", array_laws.summand_left_out),
        ("part", part_laws.wrong_part),
        ("path", path_laws.path),
    )
    return differing, same


def name_of_mistake(case: Case) -> Mistake | None:
    """What is wrong with a derivative that is known to be wrong; None if it is not recognised.

    A name has to hold under a second adjoint in another direction too, if there is one.
    """
    case = _in_arrays(case)
    others: list[Mistake] | None = None
    for mistake in _mistakes(case):
        if others is None:
            second = under_another_adjoint(case)
            if second is None:
                return mistake
            others = list(_mistakes(_in_arrays(second)))
        if any(mistake.is_also(other) for other in others):
            return mistake
    return None


def _mistakes(case: Case) -> Iterator[Mistake]:
    laws, shapes = OF_NUMBERS, ""
    if not _of_number(case):
        differing, laws = of_arrays()
        got, expected = shape_of(case.analytic), shape_of(case.numeric)
        if got != expected:
            laws, shapes = differing, f"its gradient has shape {got}, not {expected}: "
    for kind, law in laws:
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
    return replace(case, others=others, **arrays)
