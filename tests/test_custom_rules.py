"""Rules that users declare: methods, derivatives, copies, pictures, the page, the documentation."""

import copy
import gc
import math
import pickle
import subprocess
import sys
import xml.etree.ElementTree as ET

import custom_rules
import mpmath
import numpy as np
import page_in_node
import pytest
from custom_rules import declare
from hypothesis import given
from hypothesis import strategies as st
from page_in_node import open_page
from test_engine import ALL_NUMBERS, close

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, gradcheck, gradients, to_dot, to_html, to_svg
from tinygrad_edu.rules import RULES, of, operations, rule

softsign, swish, normalize = custom_rules.softsign, custom_rules.swish, custom_rules.normalize
javascript = page_in_node.javascript


# --- methods -------------------------------------------------------------------------------------


def test_a_rule_of_a_user_is_a_method_of_every_node(softsign, swish, normalize):
    x, t = Value(3.0), Tensor([[3.0, 4.0]])
    assert x.softsign().data == softsign(3.0) == 0.75
    assert x.softsign().rule is RULES["softsign"]
    assert x.swish(2.0).data == x.swish(beta=2.0).data == swish(3.0, 2.0)
    assert t.normalize().data.tolist() == [[0.6, 0.8]]
    assert t.normalize(axis=0).data.tolist() == [[1.0, 1.0]]
    assert (x * 2).softsign().tanh().softsign().operands
    assert np.array_equal(normalize([[3, 4]]), [[0.6, 0.8]])


def test_attributes_are_there_only_once_they_are_declared(softsign):
    for node in (Value(1.0), Tensor([1.0])):
        assert hasattr(node, "softsign")
        assert "softsign" in dir(node)
        for name in ("softsgn", "not_declared", "affine", "put", "einsum", "_softsign"):
            assert not hasattr(node, name)
    for name in ("sum", "matmul", "softmax", "reshape", "shape"):
        assert not hasattr(Value(1.0), name)
    assert "softsign" not in vars(Value(1.0).__class__)


def test_a_missing_attribute_is_named_with_its_type_and_a_near_name(softsign):
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'softsgn'") as error:
        Tensor([1.0]).softsgn()
    assert (error.value.name, type(error.value.obj)) == ("softsgn", Tensor)
    code = (
        "from tinygrad_edu import Value, rule\n"
        '@rule("s")\ndef softsign(x, /):\n    return x * 1.0, lambda g: (g,)\n'
        "Value(1.0).softsgn()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "'Value' object has no attribute 'softsgn'. Did you mean: 'softsign'?" in run.stderr


def test_a_private_name_loses_its_underscore():
    declare("def _cube(x, /): return x * x * x, lambda g, x=x: (g * 3.0 * x * x,)")
    assert Value(2.0).cube().data == 8.0
    assert not hasattr(Value(2.0), "_cube")


def test_numpys_function_of_the_same_name_finds_the_rule():
    declare("def hypot(x, y, /): z = of(x, y).sqrt(x * x + y * y); "
            "return z, lambda g, x=x, y=y, z=z: (g * x / z, g * y / z)")  # fmt: skip
    column, row = np.array([[3.0], [5.0]]), np.array([4.0, 12.0])
    assert np.hypot(Tensor(column), row).data == pytest.approx(np.hypot(column, row))
    assert Value(3.0).hypot(4.0).data == np.hypot(3.0, Value(4.0)).data == 5.0
    gradcheck(operations.hypot, column, row)


def test_a_rule_of_any_number_of_operands():
    declare("def total(*xs, scale=1.0): return sum(xs) * scale, "
            "lambda g, n=len(xs): (g * scale,) * n")  # fmt: skip
    x = Value(2.0)
    assert x.total(3.0, x, scale=2.0).data == operations.total([x, 3.0, x], scale=2.0).data == 14.0
    gradcheck(lambda *xs: operations.total(*xs, scale=3.0), 1.0, 2.0, 3.0)


# --- derivatives ---------------------------------------------------------------------------------


@given(x=st.floats(-5, 5).filter(lambda x: abs(x) > 1e-3), beta=st.floats(0.2, 3))
def test_derivatives_of_derivatives_are_those_of_mpmath(x, beta):
    custom_rules.declare_swish()
    leaf = Value(x)
    with mpmath.workdps(40):
        exact = mpmath.taylor(lambda t: t / (1 + mpmath.exp(-beta * t)), x, 3)
    node = leaf.swish(beta)
    for order in range(4):
        assert node.data == pytest.approx(float(exact[order] * math.factorial(order)), rel=1e-9,
                                          abs=1e-9)  # fmt: skip
        (node,) = gradients(node, leaf)


def test_gradients_and_second_derivatives_of_arrays_are_checked(softsign, swish, normalize):
    x = np.random.default_rng(0).normal(size=(2, 3))
    for f in (softsign, lambda t: swish(t, 1.5), normalize, lambda t: t.normalize(axis=0)):
        gradcheck(f, x)
        gradcheck(lambda t, f=f: gradients((f(t) ** 3).sum(), t)[0], x)


def test_a_graph_of_own_rules_is_copied_pickled_and_freed(softsign):
    gc.collect()
    gc.disable()
    try:
        x = Value(2.0, "x")
        y = (x.softsign() * x).softsign()
        for again in (copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
            again.backward()
            (leaf,) = (n for n in tg.topological_order(again) if n.label == "x")
            y.backward()
            assert leaf.grad == x.grad
            x.zero_grad()
        del x, y, again, leaf
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_first_use_inside_no_grad_inside_gradients_and_opened_as_scalars(normalize):
    with tg.no_grad():
        assert Tensor([[3.0, 4.0]]).normalize().operands == ()
    x = Tensor([[3.0, 4.0]], "x")
    assert gradients(x.normalize().sum(), x)[0].shape == (1, 2)
    assert open_page(Tensor([[3.0, 4.0]]).normalize()).data["live"]


# --- pictures and the page -----------------------------------------------------------------------


def test_the_page_opens_a_rule_for_arrays_into_scalars(javascript, normalize):
    x = Tensor([[3.0, 4.0], [1.0, -2.0]], "x")
    root = (x.normalize() * np.array([1.0, 2.0])).sum()
    root.backward()
    page = open_page(root)
    found = javascript(page, ALL_NUMBERS, inputs=[])
    assert close(found["v"][-1], root.item())
    names = [card["name"] for card in page.data["cards"]]
    for index, exact in np.ndenumerate(x.grad):
        assert close(found["g"][names.index(f"x[{index[0]}, {index[1]}]")], exact)


HOSTILE = ["</script>", "</style><script>alert(1)</script>", "<!--", "]]>", "${alert(1)}", "`", '"',
           "\\", "__proto__", "{a|b}", "a" * 300]  # fmt: skip


@pytest.mark.parametrize("symbol", ["\u2028", "\u202e", "\x00", "\x1b[2J", "\ud800"], ids=ascii)
def test_a_symbol_that_cannot_be_drawn_is_refused(symbol):
    with pytest.raises(ValueError, match="cannot be drawn"):
        rule(symbol)


@pytest.mark.parametrize("symbol", HOSTILE)
def test_no_symbol_becomes_markup_or_code(javascript, symbol):
    def pictures(symbol):
        @rule(symbol)
        def odd(x, /):
            """x + x."""
            return x + x, lambda g: (g + g,)

        root = Value(1.5, "x").odd()
        root.backward()
        return root, to_html(root), ET.fromstring(to_svg(root)), to_dot(root)

    root, page, svg, dot = pictures(symbol)
    _, plain, plain_svg, _ = pictures("odd")
    for mark in ("<script", "</script", "</style", "<!--"):
        assert page.lower().count(mark) == plain.lower().count(mark)
    assert [e.tag for e in svg.iter()] == [e.tag for e in plain_svg.iter()]
    assert dot.startswith("digraph {")
    assert javascript(open_page(root), ALL_NUMBERS, inputs=[])["g"] == [2, 1]


# --- the page of the documentation ---------------------------------------------------------------


def test_the_first_array_that_a_process_meets_has_the_functions_of_rules():
    code = "import numpy as np; from tinygrad_edu.rules import of as f; x = np.ones(1)"
    code += "; print(f(x).erf(x))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.startswith("[0.84270079"), run.stderr


def test_a_rule_with_a_name_of_numpy_keeps_its_own_function():
    @rule("root", math="sqrt", domain=(1.0, 2.0))
    def spacing(x, /):
        y = of(x).spacing(x)
        return y, lambda g, y=y: (g / (2.0 * y),)

    x = np.array([4.0, 9.0])
    np.testing.assert_array_equal(of(x).spacing(x), [2.0, 3.0])  # np.spacing gives 2e-15
    assert spacing(Tensor(x)).data.tolist() == [2.0, 3.0]
