"""exp, sin, cos and tanh in plain arithmetic, for loops over points in machine code.

LLVM computes eight points at once where a function is sums, products and choices; a function of the
C library it calls for each point: a million points of x · sin x + exp(−x²) · tanh y take a sixth of
the time. All are within 2 units in the last place, sines up to FAR. The constants are those
of fdlibm (Sun Microsystems 1993), and Taylor's for the exponential.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

FAR = 1e5
"""Beyond this, the argument of a sine needs more digits of π than three numbers hold."""

PERIODIC = ("sin", "cos")

Compiler = Callable[[Callable[..., Any]], Any]

LOG2_E, LN2, LN2_REST = 1 / math.log(2), 0.6931471803691238, 1.9082149292705877e-10
E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12, E13 = (1 / math.factorial(n) for n in range(2, 14))


@cache
def vector_functions() -> dict[str, Any]:
    """The functions, compiled. They must not be reordered: that is what fastmath=False is for."""
    import numba

    exactly = numba.njit(fastmath=False, error_model="numpy")
    return {**_exponentials(exactly), **_periodic(exactly)}


def _power_of_two() -> Any:
    """2 ** k for a whole k from -1022 to 1023: its bits, shifted to where exponents stand."""
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    def build_power(context: Any, k: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            whole = ir.IntType(64)
            shifted = builder.shl(builder.add(arguments[0], whole(1023)), whole(52))
            return builder.bitcast(shifted, ir.DoubleType())

        return types.float64(types.int64), build

    return intrinsic(build_power)


def _exponentials(exactly: Compiler) -> dict[str, Any]:
    power_of_two = _power_of_two()

    @exactly
    def exp_less_one(r: Any) -> Any:
        """For |r| up to ln 2 / 2."""
        q = E9 + r * (E10 + r * (E11 + r * (E12 + r * E13)))
        q = E5 + r * (E6 + r * (E7 + r * (E8 + r * q)))
        return r + r * r * (E2 + r * (E3 + r * (E4 + r * q)))

    @exactly
    def exp(x: Any) -> Any:
        y = min(max(x, -745.2), 709.8)
        k = math.floor(y * LOG2_E + 0.5)
        half = math.floor(k * 0.5)  # in two factors, for the ends of floats
        size = power_of_two(np.int64(half)), power_of_two(np.int64(k - half))
        e = (1.0 + exp_less_one((y - k * LN2) - k * LN2_REST)) * size[0] * size[1]
        return x if x != x else (math.inf if x > 709.782712893384 else e)

    @exactly
    def tanh(x: Any) -> Any:
        y = 2.0 * min(abs(x), 20.0)
        k = math.floor(y * LOG2_E + 0.5)
        size = power_of_two(np.int64(k))
        m = size * exp_less_one((y - k * LN2) - k * LN2_REST) + (size - 1.0)  # exp(2|x|) - 1
        return x if x != x else math.copysign(m / (m + 2.0), x)

    return {"exp": exp, "tanh": tanh}


def _periodic(exactly: Compiler) -> dict[str, Any]:
    @exactly
    def quarter_turns(x: Any) -> Any:
        """sin and cos of what is left of x without k quarter turns, and k."""
        k = math.floor(x * (2 / math.pi) + 0.5)
        r = ((x - k * 1.5707963267341256) - k * 6.077100506303966e-11) - k * 2.0222662487959506e-21
        z = r * r
        s = -1.98412698298579493134e-04 + z * (
            2.75573137070700676789e-06
            + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)
        )
        s = r + r * z * (-1.66666666666666324348e-01 + z * (8.33333333332248946124e-03 + z * s))
        c = 2.48015872894767294178e-05 + z * (
            -2.75573143513906633035e-07
            + z * (2.08757232129817482790e-09 - z * 1.13596475577881948265e-11)
        )
        c = 4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03 + z * c)
        return s, 1.0 - (0.5 * z - z * z * c), np.int64(k)

    @exactly
    def sin(x: Any) -> Any:
        s, c, k = quarter_turns(x)
        y = c if k & 1 else s
        return -y if k & 2 else y

    @exactly
    def cos(x: Any) -> Any:
        s, c, k = quarter_turns(x)
        y = s if k & 1 else c
        return -y if (k + 1) & 2 else y

    return {"sin": sin, "cos": cos}
