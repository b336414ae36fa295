"""PyTorch: functions, torch.autograd.Function and Module, by torch's own backward pass."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_edu.check.kinds import undisturbed
from tinygrad_edu.check.libraries.lenient_rule import lenient
from tinygrad_edu.check.libraries.library_function import (
    LibraryFunction,
    LibraryPullback,
    LibraryVariable,
    leaves_of_input,
    refilled,
)
from tinygrad_edu.check.libraries.recognition import torch_rule_of
from tinygrad_edu.check.oracles.torch_oracle import torch
from tinygrad_edu.rules.operand_types import Array


class CopyingTensors(torch.overrides.TorchFunctionMode):  # type: ignore[misc]
    """Inside, a deep copy takes every tensor, also the results that torch itself does not copy;
    with `precise` in float64."""

    def __init__(self, precise: bool) -> None:
        super().__init__()
        self.precise = precise

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function is not torch.Tensor.__deepcopy__:
            return function(*args, **(kwargs or {}))
        x, memo = args
        y = x.detach().clone()
        if self.precise and x.is_floating_point():
            y = y.double()
        return memo.setdefault(id(x), y.requires_grad_(x.requires_grad))


class TorchFunction(LibraryFunction):
    """A function on tensors, or a module with its parameters. A `torch.autograd.Function` is run by
    its `apply`."""

    library = "torch"
    how = "torch.autograd.grad"
    refusal = "returned an (invalid gradient|incorrect number)|expected Variable or None"

    def __init__(self, f: Any, inputs: Sequence[Any], names: Sequence[str]) -> None:
        self.rule = torch_rule_of(f)
        self._module: Any = f if isinstance(f, torch.nn.Module) else None
        self._around = _modules_around(f)
        self._dtype = _dtype_of(self._module)
        self._kept: list[int] | None = None
        self._refused: dict[int, Any] = {}  # gradients that torch does not take, by position
        super().__init__(f, inputs, names)
        if self.rule:
            shapes = [tuple(x.shape) if isinstance(x, torch.Tensor) else None for x in self.leaves]
            self.f = lenient(self.rule, shapes, self._refused, self.faults).apply
        if self._module is not None:
            self._module = self._built()
            self.variables += [
                LibraryVariable(name, self.numbers_of(p).astype(np.float64), _dtype_name(p.dtype))
                for name, p in self._module.named_parameters()
                if p.requires_grad
            ]
        for variable in self.variables:
            if variable.dtype not in ("float64", "float32"):
                raise TypeError(
                    f"{variable.name} is {variable.dtype}, too coarse for a check; check it in "
                    "float64 or float32"
                )

    def own(self, x: Any) -> Any:
        if isinstance(x, np.ndarray | np.number):
            y = torch.tensor(x)
            return y.to(self._dtype) if self._dtype and y.is_floating_point() else y
        return x

    def is_array(self, x: Any) -> bool:
        if not isinstance(x, torch.Tensor):
            return False
        if x.layout is not torch.strided or x.is_complex() or x.is_quantized:
            raise TypeError(
                f"a tensor of {x.dtype} and {x.layout} is not checked; hand in dense real tensors"
            )
        return bool(x.is_floating_point())

    def numbers_of(self, x: Any) -> Array:
        x = x.detach().cpu()
        return np.array((x if x.dtype == torch.float32 else x.double()).numpy())

    def variables_found(self) -> list[LibraryVariable]:
        """The floating tensors: those that require a gradient, if any of them does."""
        chosen = [i for i, x in enumerate(self.leaves) if self.is_array(x) and x.requires_grad]
        return [
            LibraryVariable(
                v.name, v.numbers, _dtype_name(self.leaves[v.position].dtype), v.position,
                may_lack=self.rule is not None and not chosen,
            )
            for v in super().variables_found()
            if not chosen or v.position in chosen
        ]  # fmt: skip

    # --- both passes -----------------------------------------------------------------------------

    def run_both(self, precise: bool) -> tuple[list[Array], LibraryPullback]:
        return self._run_both(precise, self.variables)

    def _run_both(
        self, precise: bool, moving: Sequence[LibraryVariable]
    ) -> tuple[list[Array], LibraryPullback]:
        with self._fresh():
            leaves, module = self._copies(precise, moving)
            results = self._results(leaves, module, moving)
        if self._kept is None:
            self._kept = [i for i, y in enumerate(results) if y.requires_grad]
            self._kept = self._kept or list(range(len(results)))  # the graph was cut
        results = [results[i] for i in self._kept]

        def pullback(adjoints: list[Array]) -> list[Array | None]:
            tracked = [i for i, y in enumerate(results) if y.requires_grad]
            if not tracked:
                return [None] * len(moving)
            weights = [torch.tensor(adjoints[i]).to(results[i]) for i in tracked]
            with self._fresh():
                gradients = torch.autograd.grad(
                    [results[i] for i in tracked], self._tensors(moving, leaves, module),
                    weights, allow_unused=True, retain_graph=True,
                )  # fmt: skip
            for i, weight in zip(tracked, weights, strict=True):
                if not np.array_equal(self.numbers_of(weight), self.numbers_of(
                    torch.tensor(adjoints[i]).to(weight)
                )):  # fmt: skip
                    self.faults.append(
                        "backward wrote into the adjoint (grad_output), which others may use too; "
                        "work on a copy"
                    )
            of = [self._refused.get(v.position, g) for v, g in zip(moving, gradients, strict=True)]
            return [None if g is None else self.numbers_of(g.to_dense()) for g in of]

        return [self.numbers_of(y) for y in results], pullback

    def run_forward(
        self, precise: bool, variable: LibraryVariable | None, numbers: Array | None
    ) -> list[Array]:
        with self._fresh():
            leaves, module = self._copies(precise, self.variables)
            if variable is not None:
                (x,) = self._tensors([variable], leaves, module)
                with torch.no_grad():
                    x.copy_(torch.tensor(numbers))
            results = self._results(leaves, module, self.variables)
        return [
            y.astype(np.float64)
            for i, y in enumerate(map(self.numbers_of, results))
            if i in (self._kept or [])
        ]

    @contextmanager
    def _fresh(self) -> Iterator[None]:
        """Every pass starts with the same random generators and the same buffers around it."""
        devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
        kept = [(x, x.detach().clone()) for module in self._around for x in module.buffers()]
        with (
            undisturbed(), torch.random.fork_rng(devices), torch.inference_mode(False),
            torch.enable_grad(),
        ):  # fmt: skip
            try:
                yield
            finally:
                for x, before in kept:
                    x.data.copy_(before)  # unnoticed: a backward pass may have saved it

    def _copies(self, precise: bool, moving: Sequence[LibraryVariable]) -> tuple[list[Any], Any]:
        """The inputs and the module as they were given, or in float64; those that are moved require
        a gradient."""
        positions = {v.position for v in moving}
        leaves = []
        for i, x in enumerate(self.leaves):
            if isinstance(x, torch.Tensor):
                x = x.detach().clone()
                x = x.double() if precise and x.is_floating_point() else x
                x.requires_grad_(i in positions)
            leaves.append(x)
        return leaves, _copied_module(self._module, precise)

    def _tensors(
        self, variables: Sequence[LibraryVariable], leaves: list[Any], module: Any
    ) -> list[Any]:
        parameters = dict(module.named_parameters()) if module is not None else {}
        return [leaves[v.position] if v.position >= 0 else parameters[v.name] for v in variables]

    def _results(
        self, leaves: list[Any], module: Any, moving: Sequence[LibraryVariable]
    ) -> list[Any]:
        """The floating tensors that a forward pass gives. What it gets are results of the leaves,
        so that it may write into them as torch allows."""
        given = [x.clone() if isinstance(x, torch.Tensor) else x for x in leaves]
        versions = [getattr(x, "_version", 0) for x in given]
        before = [x.detach().clone() if isinstance(x, torch.Tensor) else x for x in given]
        f = module if module is not None else self.f
        y = f(*refilled(list(self.inputs), iter(given)))
        for name, x, version, old in zip(self.names, given, versions, before, strict=True):
            if isinstance(x, torch.Tensor) and (
                x._version != version or not torch.equal(x.detach().nan_to_num(), old.nan_to_num())
            ):
                cure = "work on a copy"
                if self.rule is not None:  # with ctx.mark_dirty
                    call = f"lambda {name}: {self.rule.__name__}.apply({name}.clone())"
                    cure += f", or use gradcheck({call}, {name})"
                self.faults.append(f"{name}: the function wrote into it; {cure}")
        results = [x for _, x in leaves_of_input(y) if isinstance(x, torch.Tensor)]
        if not results:
            raise TypeError(f"the function returned {type(y).__name__}, not a torch.Tensor")
        return [x for x in results if x.is_floating_point()]

    def _built(self) -> Any:
        """A copy of the module after a first forward pass, which may make its parameters."""
        self.variables, found = [], self.variables
        with self._fresh():
            leaves, module = self._copies(False, found)
            state = _copied_module(module, False)
            self._results(leaves, module, found)
        self.variables = found
        is_new = len(list(module.parameters())) != len(list(state.parameters()))
        lazy = any(map(torch.nn.parameter.is_lazy, state.parameters()))
        return module if is_new or lazy else state

    # --- what only torch can get wrong -----------------------------------------------------------

    def look_closer(self, adjoint: Array, gradients: Sequence[Array | None]) -> None:
        """A Function is asked for the gradient of one input alone too, as `ctx.needs_input_grad`
        then says."""
        for v, gradient in zip(self.variables, gradients, strict=True):
            if self.rule is None or len(self.variables) == 1 or gradient is None:
                continue
            _, pullback = self._run_both(False, [v])
            (alone,) = pullback(self._parted(adjoint))
            if alone is None or not np.allclose(alone, gradient, rtol=1e-4, atol=0):
                said = "no gradient" if alone is None else "another gradient"
                self.faults.append(
                    f"{v.name}: backward gives {said} where {v.name} alone requires one; look at "
                    "ctx.needs_input_grad, and at what is saved where it is False"
                )


def _dtype_name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _dtype_of(module: Any) -> Any:
    """The dtype of a module's parameters, for inputs from NumPy."""
    if module is None:
        return None
    return next((p.dtype for p in module.parameters() if p.is_floating_point()), None)


def _copied_module(module: Any, precise: bool) -> Any:
    if module is None:
        return None
    with CopyingTensors(precise):
        module = copy.deepcopy(module)
    return module.double() if precise else module


def _modules_around(f: Any) -> list[Any]:
    """The modules that a function uses without being given them, whose buffers it may change."""
    if not inspect.isfunction(f):
        return []
    around = inspect.getclosurevars(f)
    held = [*around.nonlocals.values(), *around.globals.values()]
    return [x for x in held if isinstance(x, torch.nn.Module)]
