"""The report of a gradient check: a table, a picture, and an exception with the same text."""

from __future__ import annotations

import functools
import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from tinygrad_edu.check.kinds import Plain, undisturbed
from tinygrad_edu.view.cards.reading import shown_text
from tinygrad_edu.view.targets import Target, checked_path, deliver

if TYPE_CHECKING:
    from tinygrad_edu.view.picture.heat_map import HeatMap

CheckArguments = ParamSpec("CheckArguments")
CheckResult = TypeVar("CheckResult")

Verdict = Literal["ok", "kink", "wrong", "unsure", "unused", "missing", "follows", "not given"]

FAILING = ("wrong", "missing", "unsure", "unused", "follows")
MEANINGS = {
    "kink": "the derivative jumps here; the analytic one lies between those of the two sides",
    "unsure": "the function is too rough here for a numerical derivative",
    "unused": "moving it changes nothing at all in the result",
    "follows": "it is what a wrong gradient nearer to the root leads to",
    "not given": "backward gave no gradient for it",
}
"""What the verdicts say that neither pass nor fail by themselves."""
HEADLINES = {
    "wrong for": ("wrong", "missing"), "unsure for": ("unsure",), "unused:": ("unused",),
    "following from it:": ("follows",),
}  # fmt: skip
"""How the first line of a report speaks of the verdicts that fail."""
NOT_COMPARED = "not compared"
"""The kind of a row without a gradient that is not one of a label: the first line names it."""
STOPPED = "not tried: stopped"
"""How the notes of rows begin that Ctrl-C left."""
MOST_LETTERS = 44
"""More names than fit into so many letters are counted."""
MOST_ALIKE = 3
"""If more rows than this have the same note, it is printed once."""
MOST_AGREEING, AGREEING_SHOWN = 30, 10
"""Of more rows that agree than the first number, the table shows the second and a line."""


@dataclass(frozen=True, eq=False)
class Row:
    """One input or parameter: its worst element with both derivatives, and the verdict.

    Where all errors are rounding, the element with the largest derivative stands for the worst.

    `errors` holds the error of every element that was tried as a multiple of what is tolerated, and
    nan for the others; None where the shapes differ. `kinks` says where the function has one.
    `note` says what is wrong, as far as it was recognised; `kind` is the name of the mistake, or
    "not compared" for what matters and has no gradient, as constants and some inputs have none.
    """

    parameter: str
    shape: tuple[int, ...]
    verdict: Verdict
    index: tuple[int, ...] = ()
    at: float = math.nan
    analytic: float = math.nan
    numeric: float = math.nan
    dtype: str = "float64"
    note: str = ""
    errors: Plain = None
    kinks: Plain = None
    kind: str = ""

    @property
    def relative(self) -> float:
        """|analytic - numeric| over the larger of the two; 0 where both are 0."""
        size = max(abs(self.analytic), abs(self.numeric))
        return abs(self.analytic - self.numeric) / size if size else 0.0

    @property
    def place(self) -> str:
        """The parameter with the index of its worst element: `weight[0, 2]`."""
        return self.parameter + (f"[{', '.join(map(str, self.index))}]" if self.index else "")


COLUMNS = ("parameter", "shape", "worst index", "at", "analytic", "numeric", "relative error",
           "verdict")  # fmt: skip
SHORT = {"worst index": "index", "relative error": "error", "tinygrad_edu": "ours"}
"""Shorter words where a line has no room for those of the table."""
OURS, THEIRS = COLUMNS.index("analytic"), COLUMNS.index("numeric")


@dataclass(frozen=True, eq=False)
class Report:
    """The result of a gradient check.

    `rows` has one row for each input and parameter. `problems` is what the checked code did
    besides, such as writing into an input. `compared` names the two derivatives. `called` is the
    call that was made of a backward pass, as `backward(dout, cache)`. `notes` is what the
    table needs said. Printed, a report is a table; in a notebook, it is the table and a picture of
    where the check fails.
    """

    what: str
    rows: list[Row]
    problems: list[str] = field(default_factory=list)
    compared: tuple[str, str] = (COLUMNS[OURS], COLUMNS[THEIRS])
    agreement: str = "analytic and numeric derivatives agree"
    called: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems and not any(row.verdict in FAILING for row in self.rows)

    @property
    def stopped(self) -> bool:
        """Whether Ctrl-C ended the check before all was tried."""
        return any(row.note.startswith(STOPPED) for row in self.rows)

    @property
    def right(self) -> list[str]:
        """The inputs and parameters whose derivative is right."""
        return [row.parameter for row in self.rows if row.verdict in ("ok", "kink")]

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int = 100) -> str:
        """The verdict, the table and what is wrong, for lines of so many characters: where the
        table is wider, its words are shorter and its numbers have five digits."""
        notes = _notes(self.rows)
        called = [f"called as {self.called}"] if self.called else []
        wrapped = [_wrapped(note, width) for note in [*called, *self.notes, *notes, *self.problems]]
        table = _table(self.rows, self.compared)
        if max(map(len, table), default=0) > width:
            table = _table(self.rows, self.compared, narrow=True)
        return "\n".join([self.verdict, *table, *wrapped])

    @property
    def verdict(self) -> str:
        """What was checked and what came out, on one line."""
        what = shown_text(self.what)
        if self.ok:
            lacking = [_short(row.parameter) for row in self.rows if row.kind == NOT_COMPARED]
            return f"{what}: {self.agreement}" + (
                f"; no gradient was given for {_listed(lacking)}" if lacking else ""
            )
        said = []
        for words, verdicts in HEADLINES.items():
            names = [_short(row.parameter) for row in self.rows if row.verdict in verdicts]
            said += [f"{words} {_listed(names)}"] if names else []
        if not said:
            said = [f"{len(self.problems)} problem" + "s" * (len(self.problems) > 1)]
        return f"{what}: {'; '.join(said)}"

    def __repr__(self) -> str:
        return self.text()

    @overload
    def to_svg(self, path: None = None) -> str: ...
    @overload
    def to_svg(self, path: Target) -> Path: ...
    def to_svg(self, path: Target | None = None) -> str | Path:
        """The picture of where it fails, as SVG text; with `path`, written there, and the path is
        returned.

        One map for each parameter: green where both derivatives agree, red where they do not,
        yellow for a kink, grey where nothing was compared. ValueError for a path that ends in
        anything but .svg.
        """
        from tinygrad_edu.view.picture.heat_map import to_heat_maps

        file = checked_path(path, "to_svg")
        return deliver(to_heat_maps([_heat_map(row) for row in self.rows], self.what), file)

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def _repr_html_(self) -> str:
        """The table and the picture, in tags that a notebook shows even if it trusts nobody."""
        from tinygrad_edu.view.show import still

        return f"<pre>{escape(self.text())}</pre>{still(self.to_svg(), shown_text(self.what))}"


class GradientError(AssertionError):
    """An analytic gradient that differs from the numerical one; `report` says where."""

    # The summary line of pytest begins with module and name, and ends at the width of the terminal:
    # without a module there is room for the verdict. __reduce__ pickles it all the same.
    __module__ = "builtins"

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report

    def __reduce__(self) -> Any:
        return _gradient_error, (self.report, *self.args)


def _gradient_error(report: Report, text: str) -> GradientError:
    """The error as it was before pickling."""
    error = GradientError(report)
    error.args = (text,)
    return error


def a_check(
    function: Callable[CheckArguments, CheckResult],
) -> Callable[CheckArguments, CheckResult]:
    """A check as its callers see it: random generators stand where they stood, and an error that
    it raises begins here, so that pytest shows the test and the table and nothing between."""

    @functools.wraps(function)
    def check(*args: CheckArguments.args, **options: CheckArguments.kwargs) -> CheckResult:
        __tracebackhide__ = True
        try:
            with undisturbed():
                return function(*args, **options)
        except GradientError as error:
            raise error.with_traceback(None) from None

    return check


def concluded(report: Report, raises: bool = True) -> Report:
    """The report, if nothing is wrong; else GradientError, if it is to be raised."""
    if raises and not report.ok:
        raise GradientError(report)
    return report


def _wrapped(note: str, width: int) -> str:
    return textwrap.fill(
        shown_text(note), width - 2, subsequent_indent="  ", break_on_hyphens=False
    )


def _listed(names: list[str]) -> str:
    """The names, or the first of them and how many more there are."""
    shown = names[:1]
    for name in names[1:]:
        if len(", ".join([*shown, name])) > MOST_LETTERS:
            break
        shown.append(name)
    more = len(names) - len(shown)
    return ", ".join([*shown, f"and {more} more"] if more > 1 else names)


def _notes(rows: list[Row]) -> list[str]:
    """What the rows say. What many say alike, but for their names, is said for the first."""
    alike: dict[str, list[Row]] = {}
    for row in filter(_note, rows):
        name = row.parameter.rpartition(".")[2]
        alike.setdefault(_note(row).replace(name, "…") if name else _note(row), []).append(row)
    many = {row: group for group in alike.values() if len(group) > MOST_ALIKE for row in group}
    groups = [many.get(row, [row]) for row in rows if _note(row)]
    return [
        f"{_listed([_short(row.parameter) for row in group])}: {_note(group[0])}"
        for i, group in enumerate(groups)
        if group not in groups[:i]
    ]


def _note(row: Row) -> str:
    """What a row says: its note; for one that fails without a note, what its verdict means."""
    return row.note or (MEANINGS.get(row.verdict, "") if row.verdict in FAILING else "")


def _table(rows: list[Row], compared: tuple[str, str], narrow: bool = False) -> list[str]:
    if not rows:
        return []
    agreeing = [row for row in rows if row.verdict == "ok"]
    folded = set(agreeing[AGREEING_SHOWN:] if len(agreeing) > MOST_AGREEING else [])
    rows = [row for row in rows if row not in folded]
    head: tuple[str, ...] = (*COLUMNS[:OURS], *compared, *COLUMNS[THEIRS + 1 :])
    if narrow:
        head = tuple(SHORT.get(word, word) for word in head)
    texts = [head, *(_cells(row, 5 if narrow else 8) for row in rows)]
    used = [i for i in range(len(COLUMNS)) if i == 0 or any(row[i] for row in texts[1:])]
    widths = {i: max(len(row[i]) for row in texts) for i in used}
    words = {0, 1, 2, len(COLUMNS) - 1}  # to the left; numbers to the right
    lines = [
        "  " + "  ".join(
            row[i].ljust(widths[i]) if i in words else row[i].rjust(widths[i]) for i in used
        ).rstrip()
        for row in texts
    ]  # fmt: skip
    return lines + [f"  {len(folded)} more parameters agree"] * bool(folded)


def _cells(row: Row, digits: int) -> tuple[str, ...]:
    name = _short(row.parameter, 60 if digits > 5 else 24)
    shape = str(row.shape) if row.shape else ""
    place = f"[{', '.join(map(str, row.index))}]" if row.index else ""
    verdict = row.verdict.upper() if row.verdict in FAILING else row.verdict
    if row.dtype != "float64":
        verdict += f", judged as {row.dtype}"
    if row.verdict == "not given":
        return name, shape, "", "", "", "", "", verdict
    relative = "" if math.isnan(row.relative) or row.verdict == "kink" else f"{row.relative:.1e}"
    numbers = (_digits(x, digits) for x in (row.at, row.analytic, row.numeric))
    return name, shape, place, *numbers, relative, verdict


def _short(name: str, most: int = 60) -> str:
    """A name on one line, cut in the middle: its end tells it from others of the same module."""
    name = shown_text(name)
    return name if len(name) <= most else f"{name[: most // 3]}…{name[-(most - most // 3 - 1) :]}"


def _digits(x: float, digits: int) -> str:
    return "" if math.isnan(x) else f"{x:.{digits}g}"


def _heat_map(row: Row) -> HeatMap:
    import numpy as np

    from tinygrad_edu.view.picture.heat_map import HeatMap

    title = f"{row.parameter} {row.shape or ''}".rstrip()
    said = row.note or MEANINGS.get(row.verdict, "")
    if row.errors is None:
        colour = "wrong" if row.verdict in HEADLINES["wrong for"] else "unknown"
        return HeatMap(title, row.verdict, said, np.array([[colour]]))
    errors = np.asarray(row.errors)
    if row.verdict in ("unsure", "unused"):
        return HeatMap(title, row.verdict, said, np.full(errors.shape, "unknown"))
    names = np.where(errors > 1, "wrong", "right")
    names = np.where(np.isnan(errors), "unknown", names)
    if row.kinks is not None:
        names = np.where(row.kinks & (names != "wrong"), "kink", names)
    return HeatMap(title, row.verdict, said, names)
