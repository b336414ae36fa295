"""The adjoint of a linear function, by the dot-product test: ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ for random x, y.

It needs no differences, so both sides agree to rounding (J. Claerbout, Earth Soundings Analysis,
1992). How much rounding there is, is measured: it is what A and Aᵀ are short of being linear.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_edu.check.case import RESULT, Case, Tolerance
from tinygrad_edu.check.derivatives_by_hand import plain_result
from tinygrad_edu.check.exact import row_beside_exact
from tinygrad_edu.check.kinds import Plain, is_foreign, like, quietly
from tinygrad_edu.check.report import Report, Row
from tinygrad_edu.check.variables import CheckedInputs
from tinygrad_edu.rules.operand_types import Array
from tinygrad_edu.view.cards.reading import shape_of

PAIRS = 4
"""So many pairs of vectors are tried."""
MOST_UNIT_VECTORS = 300
"""So many elements of Aᵀ y are computed one by one, where a pair shows that it is wrong."""
EPSILON_OF_FLOAT64 = 2.0**-52
NOT_LINEAR = 1e-3
"""A function that is off by a larger part of its result is not linear, rather than rounded."""


def rows_of_adjoint(
    f: Callable[..., Any], adjoint: Callable[..., Any], inputs: CheckedInputs, report: Report
) -> list[Row]:
    """One row for each input: a pair of inner products, or the elements of Aᵀ y if one fails."""
    pair = _Pair(f, adjoint, inputs)
    report.notes.append("inner products of random x and y: <x, adjoint(y)> beside <f(x), y>")
    rows = []
    for i, variable in enumerate(inputs.variables):
        vectors = [pair.random(shape_of(variable.double), seed) for seed in range(PAIRS)]
        ys = [pair.random(pair.results, PAIRS + seed) for seed in range(PAIRS)]
        images = [pair.forward(i, x) for x in vectors]
        backs = [pair.back(i, y) for y in ys]
        noise = 0.0
        for what, function, xs, results in (
            ("function", pair.forward, vectors, images), ("adjoint", pair.back, ys, backs),
        ):  # fmt: skip
            defect = _defect(function(i, 2 * xs[0] - 3 * xs[1]), 2 * results[0] - 3 * results[1])
            if defect > NOT_LINEAR:
                report.problems.append(
                    f"{variable.name}: the {what} is not linear: of 2u - 3v it is not 2 times that "
                    f"of u less 3 times that of v, by {defect:.2g} of its size; adjoint= is for "
                    "linear functions, others have a backward pass: use check_backward"
                )
            noise += defect
        if noise <= NOT_LINEAR:
            rows.append(pair.row(i, noise, list(zip(vectors, ys, images, backs, strict=True))))
    return rows


def _defect(result: Array, expected: Array) -> float:
    if result.shape != expected.shape:
        return 1.0
    size, gap = _norm(expected), _norm(result - expected)
    return gap / size if size else float(gap > 0)


class _Pair:
    """A linear function of several inputs, and its adjoint."""

    def __init__(
        self, f: Callable[..., Any], adjoint: Callable[..., Any], inputs: CheckedInputs
    ) -> None:
        self.f, self.adjoint, self.inputs = f, adjoint, inputs
        value = self.forward(0, inputs.variables[0].double)
        self.results, self.is_complex = value.shape, np.iscomplexobj(value)

    def random(self, shape: tuple[int, ...], seed: int) -> Array:
        """A random vector; a y is complex where the results are."""
        rng = np.random.default_rng(seed)
        x = np.asarray(rng.normal(size=shape))
        if self.is_complex and seed >= PAIRS:
            x = x + 1j * rng.normal(size=shape)
        return x

    def forward(self, i: int, x: Plain) -> Array:
        """What the function gives for variable i, where all others are 0."""
        zeros = {j: v.double * 0 for j, v in enumerate(self.inputs.variables)}
        with quietly():
            return np.asarray(plain_result(self.f(*self.inputs.moved({**zeros, i: x}))))

    def back(self, i: int, y: Array) -> Array:
        """What the adjoint gives for variable i. The inputs are real, so it is its real part."""
        given = self.inputs.variables[0].given
        with quietly():
            result = self.adjoint(like(given, y) if is_foreign(given) else y.copy())
        part = self.inputs.parts_of(result, "gradcheck: adjoint")[0][i]
        if part is None:
            name = self.inputs.variables[i].name
            raise TypeError(f"gradcheck: the adjoint gave nothing for {name}")
        return np.real(np.asarray(plain_result(part)))

    def row(self, i: int, noise: float, pairs: list[tuple[Array, ...]]) -> Row:
        """The verdict on one input: the pair that is furthest apart."""
        variable, worst = self.inputs.variables[i], (-1.0, 0.0, 0.0)
        for x, y, image, back in pairs:
            if back.shape != x.shape:
                return self._wrong(i, y, back, noise)
            ours, theirs = float(np.sum(x * back)), _inner(image, y)
            norms = _norm(image) * _norm(y) + _norm(x) * _norm(back)
            slack = (10 * noise + 64 * EPSILON_OF_FLOAT64) * norms
            if abs(ours - theirs) > slack:
                return self._wrong(i, y, back, noise)
            worst = max(worst, (abs(ours - theirs), ours, theirs))
        return Row(
            variable.name, shape_of(variable.double), "ok", analytic=worst[1], numeric=worst[2]
        )

    def _wrong(self, i: int, y: Array, back: Array, noise: float) -> Row:
        """What is wrong with Aᵀ y, beside ⟨A e, y⟩ for unit vectors e."""
        variable = self.inputs.variables[i]
        shape = shape_of(variable.double)
        size = int(np.prod(shape, dtype=int))
        exact = np.full(size, np.nan)
        rng = np.random.default_rng(0)
        chosen = rng.permutation(size)[:MOST_UNIT_VECTORS]
        if size > MOST_UNIT_VECTORS and back.shape == shape:
            chosen = np.append(chosen, self._halved(i, y, back))
        for j in chosen:
            unit = np.zeros(size)
            unit[j] = 1
            exact[j] = _inner(self.forward(i, unit.reshape(shape)), y)
        exact = exact.reshape(shape)
        slack = (10 * noise + 64 * EPSILON_OF_FLOAT64) * (np.abs(exact) + _norm(y))
        row = row_beside_exact(replace(self._case(i, y, back), numeric=exact, slack=slack))
        said = row.note if row.verdict == "wrong" else "it is off by more than rounding"
        return replace(row, verdict="wrong", note=said, at=np.nan)

    def _case(self, i: int, y: Array, back: Array) -> Case:
        def again(other: Plain = None) -> Case:
            other = self.random(self.results, 2 * PAIRS) if other is None else other
            return self._case(i, other, self.back(i, other))

        variable = self.inputs.variables[i]
        image = np.real(self.forward(i, variable.double))
        return Case(
            variable.name, variable.double, back, lambda x: _inner(self.forward(i, x), y),
            Tolerance(1e-6, 1e-6), adjoint=np.real(y) if y.ndim else None,
            others=self.inputs.others(i) | {RESULT: image}, again=again if y.size > 1 else None,
            outputs=lambda x: self.forward(i, x),
        )  # fmt: skip

    def _halved(self, i: int, y: Array, back: Array) -> int:
        """The element to which halving a random vector leads, always into the worse half."""
        x = self.random(back.shape, 0)
        chosen = np.arange(x.size)

        def gap(half: Array) -> float:
            part = np.zeros(x.size)
            part[half] = x.flat[half]
            image = self.forward(i, part.reshape(x.shape))
            return abs(float(np.sum(part * back.ravel())) - _inner(image, y))

        while len(chosen) > 1:
            chosen = max(np.array_split(chosen, 2), key=gap)
        return int(chosen[0])


def _inner(image: Array, y: Array) -> float:
    return float(np.real(np.vdot(y, image)))


def _norm(x: Array) -> float:
    return float(np.linalg.norm(np.ravel(x)))
