"""What is asked of a rule that a user declares; those of the package have tests instead.

The checks that cost time stop once the rule has passed them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_edu.rules.constants import as_plain, quiet, short


def check_symbol(symbol: Any) -> None:
    """TypeError unless the symbol is a string, ValueError unless it can be drawn."""
    if not isinstance(symbol, str) or not symbol:
        raise TypeError(f'rule: expected the symbol to draw, as in @rule("×"), got {symbol!r}')
    if not symbol.isprintable():
        raise ValueError(f"rule: the symbol {symbol!r} has characters that cannot be drawn")


def is_ours(rule: Any) -> bool:
    """Whether a rule is declared in this package, and not by a user of it."""
    return (getattr(rule, "__module__", None) or "").startswith("tinygrad_edu.")


class Checks:
    """The checks of one rule: before its forward pass, and of its first backward pass."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        """ValueError if the name is that of a rule of the package."""
        from tinygrad_edu.rules import RULES  # with the rules for arrays

        if is_ours(RULES.get(name)):
            raise ValueError(
                f"rule: {name} is an operation of tinygrad_edu, which nobody else may replace; "
                f"give yours another name, such as my_{name}"
            )
        self.function = function
        self.name = name
        self.gives_a_pair = self.gives_each_adjoint = False

    def before(self, operands: tuple[Any, ...], settings: dict[str, Any]) -> None:
        """TypeError for a node as a setting, and if the rule gives no output and pullback."""
        for setting, x in settings.items():
            if hasattr(x, "_record"):
                raise TypeError(
                    f"{self.name}: {setting}={short(x)} is a node where plain numbers are needed "
                    "(.data); a setting has no derivative"
                )
        if not self.gives_a_pair:
            self.gives_a_pair = self._try(operands, settings)

    def _try(self, operands: tuple[Any, ...], settings: dict[str, Any]) -> bool:
        """Run the rule on the data of its operands, and look at what it returns.

        False if it raises: that says nothing of other operands, and the real run reports it.
        """
        try:
            plain = [as_plain(x.data if hasattr(x, "_record") else x, self.name) for x in operands]
            with quiet():
                made: Any = self.function(*plain, **settings)
        except Exception:
            return False
        if not (isinstance(made, tuple) and len(made) == 2 and callable(made[1])):
            raise TypeError(
                f"{self.name}: a rule returns its output and its pullback, as in "
                f"return y, lambda g, y=y: (g * y,); this one returned {short(made)}"
            )
        try:
            as_plain(made[0], self.name)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{self.name}: the output of a rule is a number or an array, not {short(made[0])}"
            ) from error
        return True

    def after(self, node: Any) -> None:
        """Have the first backward pass through a node of the rule count the adjoints."""
        if self.gives_each_adjoint or not getattr(node, "operands", ()):  # inside no_grad
            return

        def pullback(g: Any, unchecked: Any = node.pullback, n: int = len(node.operands)) -> Any:
            arriving = check_adjoints(unchecked(g), n)
            self.gives_each_adjoint = True
            return arriving

        node.pullback = pullback


def check_adjoints(arriving: Any, n: int) -> Any:
    """What a pullback gave, if it is an adjoint for each of n operands, else TypeError."""
    if isinstance(arriving, tuple | list):
        if len(arriving) == n:
            return arriving
        got = _counted(len(arriving), "adjoint")
    else:
        got = f"a {type(arriving).__name__}"
    raise TypeError(
        f"the pullback gave {got} for {_counted(n, 'operand')}; it returns a tuple with one "
        "adjoint for each operand, in order: (g * y,) for one, (g * y, g * x) for two"
    )


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")
