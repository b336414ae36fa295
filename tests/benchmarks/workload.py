"""What a workload is: a title, a reference answer, and one function per candidate.

A file such as `tiny_graph.py` makes a `WORKLOAD` and registers its candidates:

    WORKLOAD = Workload("what is timed", reference=expected)

    @WORKLOAD.candidate("torch")
    def torch():
        import torch                 # here, so that no candidate imports another's library
        ...
        return call, answer

`call` is timed, without arguments; one that does several steps at once says how many in its
attribute `steps`. `answer`, numbers or arrays, is compared with what
`reference()` returns before that. With `sizes`, both get the size as their argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

OURS = "tinygrad_edu"
"""The candidate that ratios are taken to: the engine as it comes, recording every time."""


@dataclass(frozen=True)
class Candidate:
    """A way to do the work. `name` is a library, or `library, how it is used`."""

    name: str
    make: Callable[..., tuple[Callable[[], Any], Any]]
    reference: Callable[..., Any] | None
    slow: bool


@dataclass
class Workload:
    """Something to compute that several libraries can compute.

    `sizes` are labels and what the functions get; `quick` are those of --quick. `tolerance` is
    the largest difference from the reference, relative to the largest entry of an array. Of a
    call that `measures_itself`, what it returns is taken (`seconds`, maybe `bytes`, all per
    `per`) and every call gets a fresh process; of all others the processor time is taken.
    """

    title: str
    reference: Callable[..., Any] | None = None
    sizes: dict[str, Any] = field(default_factory=lambda: {"": None})
    quick: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-6
    measures_itself: bool = False
    per: str = ""
    most_rounds: int | None = None
    candidates: dict[str, Candidate] = field(default_factory=dict)

    def candidate(
        self, name: str, *, reference: Callable[..., Any] | None = None, slow: bool = False
    ) -> Callable[..., Any]:
        """Register a function under a name; `slow` ones are left out by --quick."""

        def register(make: Callable[..., Any]) -> Callable[..., Any]:
            assert name not in self.candidates, name
            self.candidates[name] = Candidate(name, make, reference or self.reference, slow)
            return make

        return register

    def run(self, function: Callable[..., Any], label: str) -> Any:
        """Call a reference or a candidate with the size of that label, if there is one."""
        size = {**self.sizes, **self.quick}[label]
        return function() if size is None else function(size)
