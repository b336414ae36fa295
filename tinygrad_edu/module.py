"""What models of arrays (`nn`) and of single numbers (`scalar_nn`) share: parameters and widths."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Self

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.summaries import model_text


class Module:
    """Something with parameters: leaves found in its attributes, lists, dicts and sub-modules."""

    buffers: ClassVar[tuple[str, ...]] = ()
    """Attributes that are saved besides the parameters: arrays, numbers, random generators."""

    transposed: ClassVar[tuple[str, ...]] = ()
    """Attributes with weights of shape (inputs, outputs), which torch has the other way round."""

    training = True
    """Whether layers such as Dropout and BatchNorm1d work as in training; see `train`, `eval`."""

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Pairs of a dotted name, such as `layers.0.weight`, and a leaf; each leaf once."""
        yield from named_leaves(self, prefix, set())

    def parameters(self) -> list[Any]:
        """All parameters, in the order in which they were made attributes."""
        return [leaf for _, leaf in self.named_parameters()]

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0."""
        for p in self.parameters():
            p.zero_grad()

    def train(self, mode: bool = True) -> Self:
        """Let this module, and all inside it, work as in training; with mode=False as afterwards.

        Dropout then drops nothing, and BatchNorm1d uses its running statistics. Returns the module.
        """
        for module in every_module(self, set()):
            module.training = bool(mode)
        return self

    def eval(self) -> Self:
        """Let this module, and all inside it, work as after training: `train(False)`."""
        return self.train(False)

    def __call__(self, x: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} needs a method __call__(self, x)")

    def __repr__(self) -> str:
        return model_text(self, Module)


def named_leaves(owner: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, Node]]:
    if id(owner) in seen:  # a shared parameter, or a module that refers back to its parent
        return
    seen.add(id(owner))
    if isinstance(owner, Node):
        if not owner.operands:
            yield prefix, owner
        return
    for name, part in _parts_of(owner):
        yield from named_leaves(part, f"{prefix}.{name}" if prefix else str(name), seen)


def every_module(owner: Any, seen: set[int]) -> Iterator[Module]:
    """A module and all modules in its attributes, lists and dicts, each once."""
    if id(owner) in seen:
        return
    seen.add(id(owner))
    if isinstance(owner, Module):
        yield owner
    for _, part in _parts_of(owner):
        yield from every_module(part, seen)


def _parts_of(owner: Any) -> Iterable[tuple[Any, Any]]:
    """What a module, a dict or a list holds, by name; of anything else, nothing."""
    if isinstance(owner, Module):
        return vars(owner).items()
    if isinstance(owner, dict):
        return owner.items()
    return enumerate(owner) if isinstance(owner, list | tuple) else ()


def label_parameters(layers: list[Any], name: str) -> None:
    """Put the layer before the labels of its parameters, as in `layers.0.weight`, for pictures.

    Labels that are not those that the layer gave stay: they are the user's own.
    """
    for full_name, parameter in named_leaves(layers, name, set()):
        *layer, own = full_name.split(".", 2)
        if own.replace(".", "") == parameter.label.replace(".", ""):  # w.0 has the label w0
            parameter.label = ".".join([*layer, parameter.label])


def check_width(name: str, width: Any) -> int:
    """The width of a layer, if it is a whole number from 1 up; else TypeError or ValueError."""
    whole = hasattr(width, "__index__") and not isinstance(width, bool)
    if whole and operator.index(width) >= 1:
        return operator.index(width)
    kind = ValueError if whole else TypeError
    raise kind(f"{name} is {width!r}; the width of a layer is a whole number from 1 up")


def check_widths(inputs: Any, name: str, widths: Any) -> None:
    """TypeError or ValueError unless there are inputs, and widths are a list of at least one."""
    if isinstance(inputs, Sequence) and not isinstance(inputs, str):
        first, *rest = inputs or [2, 16, 1]
        raise TypeError(
            f"MLP: the inputs are {inputs!r}; they are one number, and the widths of the layers "
            f"are a list after it, as in MLP({first}, {rest})"
        )
    if not isinstance(widths, Sequence) or isinstance(widths, str) or not widths:
        raise ValueError(f"MLP: {name} is {widths!r}; give the width of each layer, as [30, 10]")
    for i, width in enumerate([inputs, *widths]):
        check_width(f"MLP: {name}[{i - 1}]" if i else "MLP: inputs", width)
