"""What cannot be a rule, or goes wrong in one, says what to write; names that are taken."""

import math
import threading

import custom_rules
import pytest
from custom_rules import declare

from tinygrad_edu import Tensor, Value, gradients
from tinygrad_edu.rules import RULES, operations, rule

softsign, swish, normalize = custom_rules.softsign, custom_rules.swish, custom_rules.normalize


# --- names ---------------------------------------------------------------------------------------


def test_a_rule_may_be_declared_again_and_recorded_graphs_keep_theirs():
    x = Value(3.0)
    first = declare("def scaled(x, /): return x * 2.0, lambda g: (g * 2.0,)")(x)
    second = declare("def scaled(x, /): return x * 5.0, lambda g: (g * 5.0,)")(x)
    assert (first.data, second.data, x.scaled().data) == (6.0, 15.0, 15.0)
    first.backward()
    assert x.grad == 2.0
    assert first.rule is not RULES["scaled"] is second.rule


@pytest.mark.parametrize("name", ["tanh", "sum", "add", "where", "put", "affine", "_where"])
def test_an_operation_of_the_package_stays_as_it_is(name):
    plain = name.lstrip("_")
    before = RULES[plain], getattr(operations, plain)
    with pytest.raises(ValueError, match=f"^rule: {plain} is an operation .* such as my_{plain}$"):
        declare(f"def {name}(x, /): return x * 1.0, lambda g: (g,)")
    assert (RULES[plain], getattr(operations, plain)) == before
    assert hasattr(Value(1.0), "sum") is False


@pytest.mark.parametrize("name", ["data", "grad", "backward", "shape", "T", "item", "group"])
def test_other_attributes_of_nodes_are_no_names_for_rules(name):
    with pytest.raises(ValueError, match=f"^rule: {name} is an attribute of .* such as my_{name}$"):
        declare(f"def {name}(x, /): return x * 1.0, lambda g: (g,)")
    assert name not in RULES
    assert not hasattr(operations, name)


# --- what cannot be a rule -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def f(x): return x, lambda g: (g,)", r"f has no operand; .* as in def f\(x, /\)"),
        ("def f(x, y, n=2): return x, lambda g: (g,)", r"as in def f\(x, y, /\)"),
        ("def f(*, n=2): return n, lambda g: ()", r"as in def f\(x, /\)"),
        ("def f(x, n=2, /): return x, lambda g: (g,)", r"operand n of f has a default"),
        ("def __(x, /): return x, lambda g: (g,)", r"not a function with a name"),
    ],
)
def test_a_declaration_that_cannot_be_a_rule_says_what_to_write(source, message):
    before = dict(RULES)
    with pytest.raises(TypeError, match=f"^rule: .*{message}"):
        declare(source)
    assert before == RULES


@pytest.mark.parametrize("function", [lambda x, /: (x, lambda g: (g,)), math.erf, Value, 3])
def test_only_functions_with_a_name_are_rules(function):
    with pytest.raises(TypeError, match=r"^rule: .* declare the rule with def"):
        rule("symbol")(function)


@pytest.mark.parametrize("symbol", [lambda x, /: x, "", None, 3])
def test_the_symbol_may_not_be_forgotten(symbol):
    with pytest.raises(TypeError, match=r"^rule: expected the symbol to draw, as in @rule\("):
        rule(symbol)


OPERANDS = [2.0, [1.0, 2.0], Value(2.0), Tensor([1.0, 2.0])]
every_operand = pytest.mark.parametrize("x", OPERANDS, ids=["number", "list", "Value", "Tensor"])


@every_operand
@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("x * 2.0", "returns its output and its pullback, as in return y, lambda"),
        ("None", "returns its output and its pullback"),
        ("x * 2.0, lambda g: (g,), x", "returns its output and its pullback"),
        ("[x * 2.0, lambda g: (g,)]", "returns its output and its pullback"),
        ("x * 2.0, (2.0,)", "returns its output and its pullback"),
        ("None, lambda g: (g,)", "output of a rule is a number or an array, not None"),
        ("'1', lambda g: (g,)", "output of a rule is a number or an array, not '1'"),
        ("1j, lambda g: (g,)", "output of a rule is a number or an array, not 1j"),
    ],
)
def test_a_rule_that_returns_something_else_says_so_at_its_first_use(x, returned, message):
    f = declare(f"def f(x, /): return {returned}")
    for _ in range(2):
        with pytest.raises(TypeError, match=f"^f: .*{message}"):
            f(x)


@pytest.mark.parametrize("kind", [Value, Tensor])
@pytest.mark.parametrize(
    ("pullback", "got"),
    [
        ("(g,)", "1 adjoint"),
        ("(g, g, g)", "3 adjoints"),
        ("()", "0 adjoints"),
        ("g * 2.0", "a "),
        ("None", "a NoneType"),
    ],
)
def test_another_number_of_adjoints_is_found_by_the_first_backward_pass(kind, pullback, got):
    f = declare(f"def f(x, y, /): return x * y, lambda g: {pullback}")
    x = kind(2.0)
    x.grad = 7.0
    says = rf"backward through .* = f\(.*: the pullback gave {got}.* for 2 operands; it returns"
    for _ in range(2):
        root = f(x, x).tanh()
        with pytest.raises(TypeError, match=says):
            root.backward()
        with pytest.raises(TypeError, match=says):
            gradients(root, x)
    assert x.grad == 7.0


def test_a_rule_that_was_found_right_is_not_looked_at_again(softsign):
    first = Value(1.0).softsign()
    first.backward()
    assert first.pullback.__module__ == "tinygrad_edu.rules.own_rules"
    assert Value(1.0).softsign().pullback.__module__ == "custom_rules"


def test_a_rule_runs_once_more_only_for_its_first_use():
    runs = []

    @rule("counted")
    def counted(x, /):
        """x + x, and a note that it ran."""
        runs.append(x)
        return x + x, lambda g: (g + g,)

    for x in (1.0, 2.0, Value(3.0), 4.0):
        counted(x)
    assert runs == [1.0, 1.0, 2.0, 3.0, 4.0]


def test_an_error_of_the_first_run_is_that_of_the_rule():
    f = declare("def f(x, /): return of(x).sqrt(x), lambda g, x=x: (g / of(x).sqrt(x) * 0.5,)")
    with pytest.raises(ValueError, match=r"^f\(Value\(-1\.0.*: a negative number has no real"):
        f(Value(-1.0))
    root = f(Value(0.0, "x"))
    with pytest.raises(ZeroDivisionError, match=r"backward through .* = f\("):
        root.backward()
    with pytest.warns(RuntimeWarning, match="sqrt"):
        f(Tensor([-1.0]))


def test_a_setting_that_is_a_node_is_refused(swish):
    for x in (0.3, Value(0.3), Tensor([0.3])):
        with pytest.raises(TypeError, match=r"^swish: beta=Value\(2\.0.*setting has no derivative"):
            swish(x, Value(2.0))


@pytest.mark.parametrize("name", ["normalize", "first", "rows", "linear"])
def test_a_rule_for_arrays_on_a_value_names_itself(name, normalize):
    declare("def first(x, /): return x[0], lambda g: (g,)")
    declare("def rows(x, /): return x.shape[0] * 1.0, lambda g: (g,)")
    declare("def linear(x, /): return x @ x, lambda g: (g,)")
    with pytest.raises(TypeError, match=rf"^{name}( takes Tensors, not a Value|\(Value\(2\.0)"):
        getattr(Value(2.0), name)()


def test_an_array_as_the_output_for_a_value_is_refused():
    f = declare("def f(x, /): return np.ones(2) * x, lambda g: (g,)")
    with pytest.raises(TypeError, match=r"output of f: got an array of shape \(2,\); .* Tensor"):
        f(Value(1.0))
    one = declare("def one(x, /): return np.float64(x) + 1, lambda g: (g,)")
    assert type(one(Value(1.0)).data) is float


def test_a_slip_of_the_pen_is_not_taken_for_a_rule_for_arrays():
    f = declare("def f(x, /): return of(x).tahn(x), lambda g: (g,)")
    for x in OPERANDS:
        with pytest.raises(AttributeError, match="tahn"):
            f(x)


def test_too_few_and_too_many_operands_are_named():
    f = declare("def f(x, y, /): return x * y, lambda g, x=x, y=y: (g * y, g * x)")
    with pytest.raises(TypeError, match=r"f\(.*missing 1 required positional argument: 'y'"):
        f(Value(1.0))
    with pytest.raises(TypeError, match="f takes at most 2 arguments, not 3"):
        f(Value(1.0), 2.0, 3.0)


# --- functions of plain numbers ------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Value, Tensor])
@pytest.mark.parametrize(
    "source",
    [
        "def f(x, /): return math.sin(x), lambda g, x=x: (g * math.cos(x),)",
        "def f(x, /): return of(x).sin(x), lambda g, x=x: (g * math.cos(x),)",
        "def f(x, /): return of(x).sin(x), lambda g, c=math.cos(x): (g * c,)",
        "def f(x, /): return of(x).sin(x), lambda g, x=x: (g * of(float(x)).cos(float(x)),)",
    ],
)
def test_a_second_derivative_is_refused_and_never_wrong(kind, source):
    f = declare(source)
    x = kind(0.3)
    f(x).backward()
    assert float(x.grad) == pytest.approx(math.cos(0.3))
    with pytest.raises(TypeError, match=r"= f\(.*: a function of plain numbers .*; use of\(x\)"):
        gradients(f(x), x)
    assert float(x) == 0.3  # elsewhere a node may be asked for its number


def test_nodes_of_other_threads_may_be_asked_for_their_numbers_meanwhile():
    seen = []

    @rule("slow")
    def slow(x, /):
        """x + x, while somebody else looks at a node."""
        thread = threading.Thread(target=lambda: seen.append(float(Value(4.0))))
        thread.start()
        thread.join()
        return x + x, lambda g: (g + g,)

    x = Value(1.0)
    gradients(slow(x), x)
    assert set(seen) == {4.0}
