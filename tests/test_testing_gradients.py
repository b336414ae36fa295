"""assert_gradients finds wrong rules of every kind, blames no right one, and shows the simplest."""

import subprocess
import sys
import textwrap

import custom_rules
import numpy as np
import pytest
from effort import much
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.testing import (
    GradientError,
    assert_gradients,
    broadcastable_tensors,
    tensors,
    values,
)

WRONG = {
    "sign": "def wrong(x, /):\n return of(x).cos(x), lambda g, x=x: (g * of(x).sin(x),)",
    "factor": "def wrong(x, /):\n return x * x, lambda g, x=x: (g * x,)",
    "dropped term": "def wrong(x, /):\n return x * x + x, lambda g, x=x: (g * (x + x),)",
    "no adjoint": "def wrong(x, /):\n return x * x, lambda g, x=x: (x + x + 0 * g,)",
    "swapped": "def wrong(x, y, /):\n return x * y, lambda g, x=x, y=y: (g * x, g * y)",
    "one of two": "def wrong(x, y, /):\n return x - y, lambda g: (g, g)",
    "half": "def wrong(x, /):\n return of(x).abs(x), lambda g: (g,)",
    "far out": "def wrong(x, /):\n return of(x).tanh(x), lambda g, x=x: "
               "(g * (1.0 - of(x).where(x < 2.0, of(x).tanh(x) * of(x).tanh(x), 0.5)),)",
}  # fmt: skip


@pytest.mark.untraced
@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_rule_is_found_on_values_and_tensors(fault):
    wrong = custom_rules.declare(WRONG[fault])
    n = WRONG[fault].count("y, /") + 1

    def scaled(*xs):
        return wrong(*xs) * 3.0

    for strategies in ([values(-3, 3)] * n, [broadcastable_tensors(n, min_value=-3, max_value=3)]):
        with pytest.raises(GradientError, match=r"  assert_gradients\(scaled, tg\."):
            assert_gradients(scaled, *strategies, max_examples=much(100, 30))


@pytest.mark.parametrize("reduced", ["g.sum(axis=0) / 2.0", "g[0]", "g.mean(axis=0)"])
def test_a_bias_whose_adjoint_is_not_the_sum_over_the_batch_is_found(reduced):
    wrong = custom_rules.declare(f"def wrong(x, b, /):\n return x + b, lambda g: (g, {reduced})")
    with pytest.raises(GradientError):
        assert_gradients(wrong, tensors((3, 2)), tensors(2), max_examples=20)


@given(tensors((2, 3)), values())
def test_inputs_may_come_from_given(x, v):
    assert_gradients(tg.softmax, x)
    assert_gradients(tg.tanh, v)
    assert_gradients(lambda x, y: x * y, v, 2.0)
    assert (v.grad, x.grad.any()) == (0.0, False)


def test_options_are_those_of_gradcheck():
    roughly = custom_rules.declare(
        "def roughly(x, /):\n return x * x, lambda g, x=x: (g * x * 2.001,)"
    )
    assert_gradients(roughly, values(1, 2), rtol=1e-2, max_examples=10)
    with pytest.raises(GradientError):
        assert_gradients(roughly, values(1, 2), rtol=1e-5, max_examples=10)


def test_the_simplest_failing_call_can_be_pasted():
    wrong = custom_rules.declare(WRONG["factor"])
    with pytest.raises(GradientError) as caught:
        assert_gradients(wrong, tensors((2,), label="w"))
    call = str(caught.value).splitlines()[-1].strip()
    assert call == "assert_gradients(wrong, tg.Tensor(np.array([0.0, 1.0]), 'w'))"
    with pytest.raises(GradientError):
        eval(call, {"assert_gradients": assert_gradients, "wrong": wrong, "tg": tg, "np": np})
    with pytest.raises(GradientError, match=r"wrong, tg.Value\(1.0\)"):
        assert_gradients(wrong, values())


def test_other_errors_are_those_of_the_function():
    with pytest.raises(ValueError, match="log"):
        assert_gradients(tg.log, values(-2, -1))
    with pytest.raises(TypeError, match="expected a function"):
        assert_gradients(Value(1.0))
    with pytest.raises(TypeError, match="max_examples is for strategies"):
        assert_gradients(tg.tanh, 0.5, max_examples=3)


def test_strategies_inside_of_given_are_refused():
    @given(st.none())
    def draw(_):
        assert_gradients(tg.tanh, values())

    with pytest.raises(TypeError, match="draw all inputs in @given"):
        draw()


@pytest.mark.deep
def test_the_suite_of_a_user(tmp_path):
    (tmp_path / "test_users.py").write_text(textwrap.dedent("""
        from hypothesis import given
        from tinygrad_edu.rules import rule
        from tinygrad_edu.testing import assert_gradients, tensors, values

        @rule("right")
        def right(x, /):
            return x * x, lambda g, x=x: (g * (x + x),)

        @rule("wrong")
        def wrong(x, /):
            return x * x, lambda g, x=x: (g * x,)

        def test_right():
            assert_gradients(right, values())

        @given(tensors((2,)))
        def test_wrong_given(x):
            assert_gradients(wrong, x)

        def test_wrong():
            assert_gradients(wrong, values())
    """))  # fmt: skip
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert "2 failed, 1 passed" in run.stdout, run.stdout
    assert "assert_gradients(wrong, tg.Value(1.0))" in run.stdout
    assert "x=Tensor(array([0., 1.]))" in run.stdout.replace("data=", "")
