"""What nodes do not have, and what to write instead.

Operators of Python that no rule stands behind, NumPy's and torch's names of what has no rule, and
room for attributes of the user's own.
"""

from __future__ import annotations

from typing import Any

from tinygrad_edu.rules.numpy_forms import INSTEAD, instead_of


class Absent:
    """The base of what nodes have: operators and attributes that are absent say what to write."""

    __slots__ = ()

    def __dir__(self) -> list[str]:
        from inspect import getattr_static  # which takes long to load

        kind = type(self)
        names = object.__dir__(self)
        return [x for x in names if not isinstance(getattr_static(kind, x, None), _Attribute)]


def _refuse(name: str, written: str, cure: str) -> None:
    """Add a method for what has no rule: TypeError that says what to write. {0} is this node."""

    def method(self: Any, *others: Any) -> Any:
        said = written.format(*(type(x).__name__ for x in (self, *others)))
        raise TypeError(f"{said}: there is no such operation on nodes; {cure}")

    method.__name__, method.__qualname__ = name, f"Absent.{name}"
    method.__doc__ = f"TypeError: {cure}."
    setattr(Absent, name, method)


_PLAIN = "for the plain number, without a derivative, use x.data"
for _name, _sign, _cure in (  # operators of Python that no rule stands behind
    ("xor", "^", "a power is x ** 2"),
    ("floordiv", "//", f"a quotient is x / y; {_PLAIN} // y"),
    ("mod", "%", f"{_PLAIN} % y"),
    ("divmod", "divmod", f"a quotient is x / y; {_PLAIN}"),
    ("and", "&", "comparisons can be joined, as in (x > 0) & (x < 1)"),
    ("or", "|", "comparisons can be joined, as in (x < 0) | (x > 1)"),
    ("lshift", "<<", "a product is x * y"),
    ("rshift", ">>", "a quotient is x / y"),
    ("matmul", "@", "a Value is one number; multiply Values with *, and matrices as Tensors"),
):
    _refuse(f"__{_name}__", f"{{0}} {_sign} {{1}}", _cure)
    _refuse(f"__r{_name}__", f"{{1}} {_sign} {{0}}", _cure)
for _name, _written in (
    ("invert", "~{0}"), ("int", "int({0})"), ("round", "round({0})"),
    ("floor", "math.floor({0})"), ("ceil", "math.ceil({0})"),
):  # fmt: skip
    _refuse(f"__{_name}__", _written, _PLAIN)


class _Attribute:
    """An attribute that is not there, like any other, but says what to write."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, node: Any, kind: type) -> Any:
        raise AttributeError(
            f"{kind.__name__!r} object has no attribute {self.name!r}{instead_of(self.name)}"
        )


class _OwnState(_Attribute):
    """An attribute that hand-written optimizers like to keep on a parameter."""

    def __set__(self, node: Any, value: Any) -> None:
        raise AttributeError(
            f"{type(node).__name__}.{self.name} cannot be set, since nodes take no attributes of "
            f"yours; keep them beside, as in {self.name} = {{p: 0.0 for p in parameters}}"
        )


class _RequiresGrad(_Attribute):
    """torch's attribute: what it asks for, every node has."""

    def __set__(self, node: Any, value: Any) -> None:
        raise AttributeError(
            "requires_grad cannot be set, since every node has a gradient; to freeze a parameter, "
            "leave it out of the list that the optimizer gets"
        )


for _name in INSTEAD:  # in the class, because a `__getattr__` makes every attribute slower to read
    setattr(Absent, _name, _Attribute(_name))
for _name in ("m", "v", "momentum", "velocity", "cache", "exp_avg", "exp_avg_sq", "buffer"):
    setattr(Absent, _name, _OwnState(_name))
setattr(Absent, "requires_grad", _RequiresGrad("requires_grad"))  # noqa: B010
