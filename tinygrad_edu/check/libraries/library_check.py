"""The check of a function of another library: its own backward pass against differences."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np

from tinygrad_edu.check.backward_laws import broken_laws
from tinygrad_edu.check.case import RESULT, Case, Tolerance
from tinygrad_edu.check.kinds import (
    check_repeats,
    floating,
    largest,
    precision,
    quietly,
    title_of,
    weights_for,
)
from tinygrad_edu.check.libraries.library_function import LibraryFunction, LibraryVariable
from tinygrad_edu.check.libraries.recognition import names_of_inputs, torch_rule_of
from tinygrad_edu.check.report import Report, Row, concluded
from tinygrad_edu.check.verdict import judged, judged_together
from tinygrad_edu.rules.operand_types import Array


def report_of(
    library: str,
    f: Callable[..., Any],
    inputs: Sequence[Any],
    what: str,
    rtol: float | None,
    atol: float | None,
    names: Sequence[str] | None,
    raises: bool,
) -> Report:
    """Compare the gradients that a library gives for a function with numerical derivatives."""
    if names is not None and len(names) != len(inputs):
        raise ValueError(f"{what}: {len(names)} names for {len(inputs)} inputs")
    module = import_module(f"tinygrad_edu.check.libraries.{library}_function")
    kind: type[LibraryFunction] = getattr(module, f"{library.capitalize()}Function")
    names = names or names_of_inputs(f, len(inputs))
    function = kind(f, inputs, names)
    if not function.variables:
        raise TypeError(
            f"{what}: none of the inputs is a floating array of {library}; hand in those whose "
            "gradients are to be checked"
        )
    title = title_of(torch_rule_of(f) or f)
    call = f"{'f' if title == 'a function' else title}({', '.join(names)})"
    called = f"{call}, differentiated by {function.how}"
    report = Report(f"{what} of {title}", [], called=called)
    try:
        _LibraryCheck(function, what, rtol, atol).run(report)
    finally:
        function.steady.put_back()
    return concluded(report, raises)


class _LibraryCheck:
    """One check of a function."""

    def __init__(
        self, function: LibraryFunction, what: str, rtol: float | None, atol: float | None
    ) -> None:
        self.function, self.what, self.rtol, self.atol = function, what, rtol, atol
        self.rounding = 0.0
        """What rounding may lose of a gradient, as a multiple of the machine precision."""

    def run(self, report: Report) -> None:
        """Add a row for each variable, and what else is wrong."""
        output, pullback = self.function.record()
        if not np.isfinite(output).all():
            report.problems.append(
                "forward gives nan or infinity here, so there is nothing to compare"
            )
            return
        adjoint = np.asarray(weights_for(output.shape))
        try:
            gradients = pullback(adjoint)
        except Exception as error:
            if re.search(self.function.refusal, str(error)):
                report.problems.append(
                    f"{self.function.library} refuses what a backward pass returned: {error}"
                )
                return
            error.add_note(f"(in backward, called by {self.what})")
            raise
        self.rounding = 16 * max((largest(g) for g in gradients if g is not None), default=0.0)
        check_repeats(self.what, lambda: self._values(None, None))
        cases = [
            None if gradient is None else self._case(v, output, adjoint, gradient)
            for v, gradient in zip(self.function.variables, gradients, strict=True)
        ]
        verdicts = judged_together(cases)
        rows = [
            row or self._without_gradient(v, output, adjoint)
            for v, row in zip(self.function.variables, verdicts, strict=True)
        ]
        for case, row in zip(cases, rows, strict=True):
            report.rows.append(self._with_result_named(row, case))
        report.problems.extend(
            broken_laws(
                self._by_name(gradients), lambda c: self._by_name(self._gradients(c * adjoint)),
                adjoint, precision(*(np.zeros(0, v.dtype) for v in self.function.variables)),
                report.right,
            )
        )  # fmt: skip
        self.function.look_closer(adjoint, gradients)
        report.problems.extend(dict.fromkeys(self.function.faults))
        if not self.function.takes_float64:
            report.notes.append("it does not run in float64: differences are taken as it runs")

    def _values(self, variable: LibraryVariable | None, numbers: Array | None) -> Array:
        with quietly():
            return self.function.values(variable, numbers)

    def _gradients(self, adjoint: Array) -> list[Array | None]:
        return self.function.record()[1](adjoint)

    def _by_name(self, gradients: Sequence[Array | None]) -> dict[str, Array]:
        pairs = zip(self.function.variables, gradients, strict=True)
        return {v.name: g for v, g in pairs if g is not None}

    def _case(
        self, variable: LibraryVariable, output: Array, adjoint: Array, gradient: Array
    ) -> Case:
        def outputs(x: Array) -> Array:
            return self._values(variable, x)

        def again(other: Any = None) -> Case | None:
            chosen = other
            if other is None:  # in another direction, of the same results
                chosen = np.where(adjoint == 0, 0.0, weights_for(output.shape, 1))
            gradient = self._gradients(chosen)[self.function.variables.index(variable)]
            return None if gradient is None else self._case(variable, output, chosen, gradient)

        others = {v.name: v.numbers for v in self.function.variables if v is not variable}
        return Case(
            variable.name,
            variable.numbers,
            self._without_rounding(variable, adjoint, gradient),
            lambda x: float((outputs(x) * adjoint).sum()),
            Tolerance.of(variable.dtype, self.rtol, self.atol, self.what),
            variable.dtype,
            adjoint=adjoint if adjoint.size > 1 else None,
            counts=self._counts(output),
            others=others | {RESULT: floating(output)},
            again=again if adjoint.size > 1 else None,
            outputs=outputs,
        )

    def _without_rounding(
        self, variable: LibraryVariable, adjoint: Array, gradient: Array
    ) -> Array:
        """The gradient, with numbers in float64 where those in float32 are no more than rounding:
        terms of the size of all gradients may cancel, as for a bias before a batch norm."""
        lost = np.abs(gradient) <= self.rounding * float(np.finfo(variable.dtype).eps)
        gradient = floating(gradient)
        if variable.dtype == "float64" or not (lost.any() and self.function.takes_float64):
            return gradient
        of_all = self.function.record(precise=True)[1](adjoint)
        precise = of_all[self.function.variables.index(variable)]
        return gradient if precise is None else np.where(lost, precise, gradient)

    def _counts(self, output: Array) -> dict[str, int]:
        """Numbers that a mean may divide by, with what they count."""
        counts = {"the number of results": output.size}
        first = self.function.variables[0].numbers
        if first.ndim:
            counts |= {"the length of the batch": len(first), "the number of elements": first.size}
        return counts

    def _without_gradient(self, variable: LibraryVariable, output: Array, adjoint: Array) -> Row:
        """What has no gradient must not matter, unless it may be a label or a setting."""
        zero = np.zeros(variable.numbers.shape)
        row = judged(self._case(variable, output, adjoint, zero))
        matters = row.verdict not in ("ok", "kink", "unused")
        none = Row(variable.name, zero.shape, "not given", dtype=variable.dtype)
        if not matters:
            return row if variable.position >= 0 and not variable.may_lack else none
        library = self.function.library
        if variable.may_lack:
            return replace(none, note="backward gives None for it, as for labels and settings")
        note = (
            f"{library} gives no gradient for it, but moving it changes the result: is None "
            "returned for it, or was the graph cut (.detach(), .data, .item(), no_grad)?"
        )
        return replace(none, verdict="missing", note=note)

    def _with_result_named(self, row: Row, case: Case | None) -> Row:
        """Of several results, the one through which the gradient is wrong."""
        parts = self.function.parts()
        if row.verdict != "wrong" or case is None or len(parts) == 1 or case.again is None:
            return row
        for i, part in enumerate(parts):
            only = np.zeros(case.adjoint.shape)
            only[part] = case.adjoint[part]
            through = case.again(only)
            single = judged(through) if through is not None else row
            if single.verdict == "wrong":
                return replace(single, note=f"through result {i}: {single.note}")
        return row
