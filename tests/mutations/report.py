"""The report of planted faults: how many were noticed, by kind and by module, and the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from equivalent import EQUIVALENT

LEAST = 0.95
"""The part of the faults that has to be noticed."""


def report(outcomes: Sequence[Any], is_whole: bool) -> tuple[str, bool]:
    """The text, and whether all is well: enough faults noticed, no reason without its fault."""
    real = [x for x in outcomes if x.by or x.fault.key not in EQUIVALENT]
    derivatives = [x for x in real if not x.fault.is_check]
    checks = [x for x in real if x.fault.is_check]
    same = [x for x in outcomes if not x.by and x.fault.key in EQUIVALENT]
    lines = [
        f"{len(outcomes)} faults were planted, one at a time.",
        f"In formulas and backward passes: {_share(derivatives)}.",
        f"In checks of what is given: {_share(checks)}.",
        f"Not counted: {len(same)} that change no number, each with its reason in equivalent.py.",
        "",
        *_table("by kind of fault", real, lambda x: x.fault.kind),
        *_table("by module", real, lambda x: x.fault.path),
    ]
    holes = [x for x in real if not x.by]
    if holes:
        lines += ["not noticed:", *(f"  {x.fault}" for x in holes), ""]
    if same:
        lines += ["no number changes:"]
        lines += [f"  {x.fault}\n    {EQUIVALENT[x.fault.key]}" for x in same] + [""]
    stale = set(EQUIVALENT) - {x.fault.key for x in same} if is_whole else set()
    if stale:
        lines += ["reasons whose fault is gone or noticed:"]
        lines += [f"  {key}" for key in sorted(stale)]
    is_enough = all(_noticed(part) >= LEAST * len(part) for part in (derivatives, checks))
    return "\n".join(lines).rstrip() + "\n", is_enough and not stale


def _noticed(outcomes: Sequence[Any]) -> int:
    return sum(bool(x.by) for x in outcomes)


def _share(outcomes: Sequence[Any]) -> str:
    noticed = _noticed(outcomes)
    part = f" ({100 * noticed / len(outcomes):.1f} %)" if outcomes else ""
    return f"{noticed} of {len(outcomes)} noticed{part}"


def _table(title: str, outcomes: Sequence[Any], group: Callable[[Any], str]) -> list[str]:
    planted, noticed = Counter(map(group, outcomes)), Counter(group(x) for x in outcomes if x.by)
    rows = [f"{noticed[name]:6} of {n:4}  {name}" for name, n in planted.most_common()]
    return [f"noticed, {title}:", *rows, ""]
