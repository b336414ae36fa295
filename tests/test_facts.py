"""Facts of a rule: what follows from them, for a user's rule as for one of the package."""

import math

import numpy as np
import page_in_node
import pytest
from page_in_node import open_page

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, compare, gradcheck, gradients, replay
from tinygrad_edu.rules import RULES, of, operations, rule
from tinygrad_edu.rules.rule import facts_of

javascript = page_in_node.javascript


@pytest.fixture
def cbrt():
    @rule("∛", math="cbrt", domain=(0.3, 3.0), oracles={"sympy": "cbrt"})
    def cbrt(x, /):
        """The cube root, for which no other rule is needed."""
        y = of(x).cbrt(x)
        return y, lambda g, y=y: (g / (3.0 * y * y),)

    return cbrt


@pytest.fixture
def sinc():
    def of_numbers(x):
        return math.sin(x) / x

    @rule("sinc", number=of_numbers, domain=(0.3, 3.0))
    def sinc(x, /):
        """sin(x) / x, which is not what NumPy means by the name."""
        y = of(x).sinc(x)
        return y, lambda g, x=x, y=y: (g * (of(x).cos(x) - y) / x,)

    return sinc


@pytest.mark.parametrize("name", ["cbrt", "sinc"])
def test_a_users_rule_with_a_function_of_numbers_has_all_operands_and_two_derivatives(
    request, name
):
    operation = request.getfixturevalue(name)
    gradcheck(operation, Value(0.7), second_order=True)
    gradcheck(operation, np.array([0.5, 2.5]), second_order=True)
    assert operation(np.float32([0.5])).dtype == np.float32
    x = Value(0.7)
    assert getattr(x, name)().data == operation(0.7) == float(operation(np.array(0.7)))


def test_programs_call_the_function_of_math(javascript, cbrt):
    run = replay(cbrt, [8.0])
    assert run.source.startswith("from math import cbrt\n")
    assert run(8.0) == (math.cbrt(8.0), (1 / 12,))
    values, (slopes,) = run(np.array([8.0, 27.0]))
    np.testing.assert_allclose([values, slopes], [[2.0, 3.0], [1 / 12, 1 / 27]])
    assert "np.vectorize(math.cbrt, otypes=[np.float64])(x)" in run.text("numpy")
    assert "Math.cbrt(x)" in run.text("javascript")
    assert r"\operatorname{cbrt}" in run.text("latex")
    page = open_page(cbrt(Value(8.0, "x")))
    assert page.data["live"]
    tensors = replay(cbrt(Tensor([8.0, 27.0], "x")).sum())
    assert tensors([8.0, 64.0])[0] == pytest.approx(6.0)


def test_a_function_that_no_language_has_is_refused_in_plain_words(javascript, sinc):
    with pytest.raises(TypeError, match=r"sinc cannot be replayed.*no function sinc of numbers"):
        replay(sinc, [0.5])
    with pytest.raises(TypeError, match="no function sinc of arrays"):
        replay(sinc(Tensor([0.5], "x")).sum())
    page = open_page(sinc(Value(0.5, "x")))
    assert "sinc has no formula" in page.data["still"]


def test_other_libraries_have_it_by_the_name_that_the_facts_say(cbrt):
    pytest.importorskip("sympy")
    compare(cbrt, Value(0.7), with_="sympy")


def test_a_rule_for_arrays_is_a_method_of_tensors_alone():
    @rule("‖x‖", arrays=True)
    def norm_of_all(x, /):
        y = of(x).sqrt(of(x).sum(x * x, axis=None, keepdims=False))
        return y, lambda g, x=x, y=y: (g * x / y,)

    @rule("twice", method=False)
    def twice(x, /):
        return x + x, lambda g: (g + g,)

    assert Tensor([3.0, 4.0]).norm_of_all().data == 5.0
    assert not hasattr(Value, "norm_of_all")
    assert not hasattr(Tensor, "twice")
    assert twice(Value(1.0)).data == 2.0


def test_a_number_outside_says_what_the_facts_say():
    @rule("asin", math="asin", outside="there is no such angle")
    def angle(x, /):
        return of(x).angle(x), lambda g: (g,)

    with pytest.raises(ValueError, match="there is no such angle"):
        angle(2.0)


@pytest.mark.parametrize(
    ("facts", "error", "message"),
    [
        ({"domian": (0.0, 1.0)}, TypeError, r"f has no fact 'domian'; a rule has domain, kinks"),
        (
            {"domain": (1.0, 0.0)},
            ValueError,
            r"domain of f is \(1.0, 0.0\); give \(low, high\)",
        ),
        ({"domain": ((0, 1), (0, 1))}, ValueError, "one interval for each operand"),
        ({"domain": ()}, ValueError, "one interval for each operand"),
        ({"math": "cube"}, ValueError, "math has no function 'cube'; give number="),
    ],
)
def test_facts_that_cannot_be_are_refused(facts, error, message):
    def f(x, /):
        return x, lambda g: (g,)

    with pytest.raises(error, match=message):
        rule("f", **facts)(f)
    assert "f" not in RULES


def test_what_a_rule_of_the_package_is_called_follows_from_its_facts():
    for name, r in RULES.items():
        facts = facts_of(r)
        assert (getattr(tg, name, None) is getattr(operations, name)) == facts.public, name
        assert getattr(tg.rules, name) is getattr(operations, name)
        if facts.method:
            assert hasattr(Tensor, name), name
            assert hasattr(Value, name) != facts.arrays, name


def test_gelu_is_differentiable_twice_wherever_it_is_asked_for():
    x = Value(0.7, "x")
    (slope,) = gradients(x.gelu(), x)
    (curvature,) = gradients(slope, x)
    density = math.exp(-0.7 * 0.7 / 2) / math.sqrt(2 * math.pi)
    assert float(curvature) == pytest.approx(density * (2 - 0.7 * 0.7))
    np.testing.assert_allclose(
        tg.gelu(Tensor([0.7, -30.0])).data, [x.gelu().data, -1.4720141781e-196]
    )
