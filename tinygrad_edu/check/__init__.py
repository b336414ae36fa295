"""Is a derivative right? Numerical derivatives, and the checks that compare with them.

`gradcheck` (function_check.py) and `check_backward` (layers/) ask verdict.py, which compares with
numerical.py and lets diagnoses/ name the mistake. What an input holds is in variables.py; functions
of plain numbers are in derivatives_by_hand.py, derivative_matrices.py and adjoint_check.py.
`check_by_hand` (by_hand.py) compares with what a graph knows exactly, and `compare` (comparison.py)
with the libraries of oracles/. What they return is in report.py.

Functions of numbers are checked without NumPy; what is about arrays is imported when it is asked
for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinygrad_edu.check.by_hand import check_by_hand
from tinygrad_edu.check.function_check import gradcheck
from tinygrad_edu.check.numerical import numerical_gradient
from tinygrad_edu.check.report import GradientError, Report, Row

if TYPE_CHECKING:
    from tinygrad_edu.check.comparison import compare
    from tinygrad_edu.check.dependence import check_inputs_matter
    from tinygrad_edu.check.layers.hand_written import check_backward

__all__ = [
    "GradientError", "Report", "Row", "check_backward", "check_by_hand", "check_inputs_matter",
    "compare", "gradcheck", "numerical_gradient",
]  # fmt: skip

_OF_ARRAYS = {
    "check_backward": "layers.hand_written", "check_inputs_matter": "dependence",
    "compare": "comparison",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _OF_ARRAYS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_OF_ARRAYS[name]}"), name)
