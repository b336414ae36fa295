"""The corpus of hand-written layers, and what the checker says of each.

`python tests/corpus/counts.py` prints the counts.
"""

import re
import warnings
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from activation_layers import ACTIVATIONS
from attention_layers import ATTENTION
from convolution_layers import CONVOLUTIONS
from course_nets import COURSE_NETS
from dense_layers import DENSE
from differences import analytic, error, numeric
from gated_layers import GATED
from gradient_keepers import KEEPERS
from hand_written import HandWritten, Mistake, made
from loss_layers import LOSSES
from norm_layers import NORMS
from pooling_layers import POOLING
from recurrent_layers import RECURRENT
from whole_nets import NETS

from tinygrad_edu import check_backward

CORPUS: dict[str, HandWritten] = {
    **DENSE, **ACTIVATIONS, **LOSSES, **CONVOLUTIONS, **POOLING, **NORMS, **RECURRENT, **GATED,
    **ATTENTION, **KEEPERS, **COURSE_NETS, **NETS,
}  # fmt: skip
if find_spec("torch"):
    from torch_functions import FUNCTIONS

    CORPUS.update(FUNCTIONS)
WRITTEN = {name: layer for name, layer in CORPUS.items() if layer.forward}
"""Those that are run by the oracle of differences.py."""
PLANTED = [(name, mistake) for name, layer in CORPUS.items() for mistake in layer.mistakes]

NOT_A_NAME = (
    "both derivatives differ",
    r"it is [-\de.]+ times what it should be",
    "it is (half of|twice) what it should be",
    r"it is \d+ times too (large|small)",
    "it is wrong (only|exactly|everywhere|in a part|at a single)",
    "its gradient has shape .* a gradient has the shape of what it belongs to",
    "the analytic derivative is 0 everywhere",
    "times the adjoint does not give",
    "it is right if only the first step along axis",
    "one number for each row",
)
"""What says how the numbers differ, and is so wherever it is said: it explains nothing."""


@dataclass(frozen=True)
class Outcome:
    """`kind` is "ok", "wrong", "unsure" or "refused"; `said` are the sentences about what is wrong,
    and `text` is all of the report."""

    kind: str
    said: tuple[str, ...]
    text: str

    def names(self, mistake: Mistake) -> bool:
        return self.kind == "wrong" and bool(re.search(mistake.words, self.text))

    def false_names(self, mistake: Mistake) -> list[str]:
        """Sentences that explain the mistake by another one."""
        fitting = "|".join(filter(None, [mistake.words, mistake.also, *NOT_A_NAME]))
        return [said for said in self.said if not re.search(fitting, said)]


def checked(name: str, mistake: Mistake | None, seed: int, dtype: str) -> Outcome:
    """What the checker says."""
    given, settings = made(_space(name, mistake), seed, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            report = check_backward(*given, **settings, raises=False)
        except Exception as refusal:
            text = f"{type(refusal).__name__}: {' '.join(str(refusal).split())}"
            return Outcome("refused", (), text)
    text = " ".join(str(report).split())
    failing = [row for row in report.rows if row.verdict in ("wrong", "missing", "unused")]
    if report.ok:
        return Outcome("ok", (), text)
    notes = tuple(f"{row.parameter}: {row.note}" for row in failing if row.note)
    kind = "wrong" if failing or report.problems else "unsure"
    return Outcome(kind, (*notes, *report.problems), text)


def judged_rows(name: str, seed: int, dtype: str) -> int:
    """How many gradients of a right layer are compared."""
    given, settings = made(_space(name, None), seed, dtype)
    report = check_backward(*given, **settings, raises=False)
    return sum(row.verdict in ("ok", "kink") for row in report.rows)


def changes(name: str, mistake: Mistake, seed: int) -> float:
    """By how much a mistake makes the worst gradient wrong, by the oracle."""
    if mistake.aside:
        return float("inf")
    wrong, right = analytic(CORPUS[name], mistake, seed), numeric(CORPUS[name], mistake, seed)
    errors = [error(wrong[key], right[key]) for key in right]
    return max(e if e == e else float("inf") for e in errors)


def gradients_of(name: str) -> int:
    return CORPUS[name].gradients.count(";") + 1


@cache
def _space(name: str, mistake: Mistake | None) -> dict[str, Any]:
    return CORPUS[name].space(mistake)
