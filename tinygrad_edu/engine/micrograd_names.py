"""micrograd's own names for what a node has, so that code written for it runs unchanged."""

from __future__ import annotations

from tinygrad_edu.engine.errors import PULLBACK_ERRORS, backward_error
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.engine.notebooks import Shown
from tinygrad_edu.rules.own_rules import check_adjoints
from tinygrad_edu.rules.rule import deferred


class MicrogradNames(Shown):
    """`_prev`, `_op` and `_backward` of micrograd's Value."""

    __slots__ = ()

    @property
    def _prev(self) -> set[Node]:
        """micrograd's name for the operands; constants are wrapped as leaves, as it does."""
        return {x if isinstance(x, Node) else type(self)(x) for x in self.operands}

    @property
    def _op(self) -> str:
        """micrograd's name for the symbol."""
        return self.symbol

    def _backward(self) -> None:
        """micrograd's name for one step backwards: add to `grad` of the operands what they get
        from the `grad` of this node."""
        if self.pullback is None:
            return
        try:
            arriving = check_adjoints(self.pullback(self.grad), len(self.operands))
            adjoints = [
                (x, x._fit(adjoint() if type(adjoint) is deferred else adjoint))
                for x, adjoint in zip(self.operands, arriving, strict=True)
                if isinstance(x, Node)
            ]
        except PULLBACK_ERRORS as error:
            raise backward_error(self, error) from error
        for x, adjoint in adjoints:
            x.grad = x.grad + adjoint
