"""Is a derivative right? Numerical derivatives, and the checks that compare with them.

`functions.py` checks functions (`gradcheck`), `layers.py` hand-written layers (`check_backward`);
both ask `judge.py`, which compares with `numerical.py` and lets `diagnoses.py` name the mistake.
`comparison.py` compares with other libraries (`compare`), which `oracles/` knows. `report.py` is
what comes out.
"""

from tinygrad_edu.check.comparison import compare
from tinygrad_edu.check.dependence import check_inputs_matter
from tinygrad_edu.check.functions import gradcheck
from tinygrad_edu.check.layers.hand_written import check_backward
from tinygrad_edu.check.numerical import numerical_gradient
from tinygrad_edu.check.report import GradientError, Report, Row

__all__ = [
    "GradientError", "Report", "Row", "check_backward", "check_inputs_matter", "compare",
    "gradcheck", "numerical_gradient",
]  # fmt: skip
