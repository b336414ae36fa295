"""Property-based tests of your own functions and rules, with Hypothesis.

Strategies for inputs (`values`, `tensors`, `arrays`, shapes that broadcast), and
`assert_gradients`, which checks a function on what they draw.
"""

try:
    import hypothesis
except ImportError as error:
    raise ImportError(
        "tinygrad_edu.testing draws its inputs with Hypothesis: pip install hypothesis"
    ) from error

from hypothesis import strategies

from tinygrad_edu.check import GradientError
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.engine.value import Value
from tinygrad_edu.testing.domains import DOMAINS, Domain
from tinygrad_edu.testing.gradients import assert_gradients
from tinygrad_edu.testing.leaves import (
    LAYOUTS,
    arrays,
    broadcastable_shapes,
    broadcastable_tensors,
    tensors,
    values,
)

__all__ = [
    "DOMAINS", "LAYOUTS", "Domain", "GradientError", "arrays", "assert_gradients",
    "broadcastable_shapes", "broadcastable_tensors", "tensors", "values",
]  # fmt: skip

# so that st.from_type(Value) and @given(...) of annotated tests draw what can be differentiated
strategies.register_type_strategy(Value, values())
strategies.register_type_strategy(Tensor, tensors())

del hypothesis, strategies
