"""What `help` and `inspect` say of the public names: names, docstrings and signatures are true."""

import inspect
import pydoc

import pytest
from stubs import PACKAGE, stubs

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value
from tinygrad_edu.rules import RULES, operations
from tinygrad_edu.rules.rule import Recorded, rule

OPERATIONS = sorted(name for name, x in vars(operations).items() if callable(x))
PUBLIC = sorted(
    {name for name in tg.__all__ if callable(getattr(tg, name))}
    | {name for name in OPERATIONS if hasattr(tg, name)}
)
ARITHMETIC = {"__abs__", "__neg__", "__pos__"} | {
    f"__{prefix}{name}__" for prefix in ("", "r", "i")
    for name in ("add", "sub", "mul", "truediv", "pow", "matmul", "floordiv", "mod", "xor", "and")
}  # fmt: skip


def own_methods(kind):
    """Everything that a node has of its own: methods and properties, and operators."""
    for name in dir(kind):
        of_every_object = getattr(object, name, None) is getattr(kind, name, None)
        if not of_every_object and (not name.startswith("_") or name in ARITHMETIC):
            yield name


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_function_has_its_name_a_docstring_and_a_true_signature(name):
    function = getattr(tg, name)
    assert function.__name__ == name
    assert len(inspect.getdoc(function)) > 10
    shown = pydoc.plain(pydoc.render_doc(function))
    assert name in shown
    assert "Recorded" not in shown
    assert "Recorded" not in str(inspect.signature(function))


@pytest.mark.parametrize("kind", [Value, Tensor])
def test_every_method_and_property_has_its_name_and_a_docstring(kind):
    for name in own_methods(kind):
        method = inspect.getattr_static(kind, name)
        if not getattr(method, "__module__", "tinygrad_edu").startswith("tinygrad_edu"):
            continue  # a rule that another test has declared
        method = method.fget if isinstance(method, property) else getattr(kind, name)
        if inspect.ismemberdescriptor(method):  # operands, rule and pullback, see Node
            continue
        assert method.__name__ in (name, name.strip("_"), "negative"), name
        assert method.__qualname__.endswith(method.__name__), name
        assert "<locals>" not in method.__qualname__, name
        assert inspect.getdoc(method), name
        assert "Recorded" not in str(inspect.signature(method)), name


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rules_signature_names_its_operands_and_settings_and_returns_the_output(name):
    operation = getattr(operations, name)
    if operation.__module__ != RULES[name].__module__ or not hasattr(operation, "__wrapped__"):
        return  # `where` and `einsum` have public functions written out
    public, own = inspect.signature(operation), inspect.signature(RULES[name])
    assert public.parameters == own.parameters
    assert own.return_annotation == f"Recorded[{public.return_annotation}]"
    assert operation.__annotations__.get("return") == public.return_annotation


@pytest.mark.parametrize(
    ("annotation", "shown"),
    [("Recorded[float]", "float"), (Recorded[float], float), ("tuple[float, object]", None),
     (tuple[float, object], float), (inspect.Signature.empty, None)],
    ids=str,
)  # fmt: skip
def test_a_users_rule_says_what_it_returns_or_nothing(annotation, shown):
    def my_doubled(x, /):
        return x * 2.0, lambda g: (g * 2.0,)

    if annotation is not inspect.Signature.empty:
        my_doubled.__annotations__["return"] = annotation
    operation = rule("2·")(my_doubled)
    empty = inspect.Signature.empty
    assert inspect.signature(operation).return_annotation == (empty if shown is None else shown)
    assert operation(2.0) == 4.0


@pytest.mark.parametrize("path", stubs())
def test_editors_know_the_names_that_there_are(path):
    written = (PACKAGE / path).read_text(encoding="utf-8")
    assert written == stubs()[path], "the rules have changed: run python tests/stubs.py"
