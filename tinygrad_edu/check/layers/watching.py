"""Watching a backward pass while it runs: what it sets several times, and what it calls."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import numpy as np

from tinygrad_edu.check.layers.gradient_names import is_gradient_name
from tinygrad_edu.check.layers.layer_variables import Place, Variable


class Assignments:
    """A block that notes what a place is set to, line by line. `values` has copies in order."""

    def __init__(self, place: Place) -> None:
        self.place, self.values = place, list[Any]()

    def __enter__(self) -> Assignments:
        self._last, self._before = self._now(), sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)
        self._look()

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        self._look()
        return self._trace

    def _look(self) -> None:
        now = self._now()
        if now is not self._last and now is not None:
            self._last = now
            self.values.append(np.array(now))

    def _now(self) -> Any:
        holder, key = self.place.holder, self.place.key
        if isinstance(holder, list | tuple):
            return holder[key] if key < len(holder) else None
        return holder.get(key) if isinstance(holder, dict) else getattr(holder, key, None)


class Calls:
    """A block that notes the arrays with which functions are called, such as those of
    `optimizer.update(W, grad)`."""

    def __init__(self) -> None:
        self._calls: list[dict[str, tuple[Any, Any]]] = []

    def __enter__(self) -> Calls:
        self._before = sys.getprofile()
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def _note(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "call":
            arrays = {
                name: (x, x.copy())
                for name, x in frame.f_locals.items() if isinstance(x, np.ndarray)
            }  # fmt: skip
            if len(arrays) > 1:
                self._calls.append(arrays)

    def gradient_beside(self, v: Variable) -> Any:
        """The array that a function was given together with a parameter; None if there is none."""
        for arrays in self._calls:
            if any(x is held for x, _ in arrays.values() for held in v.held):
                beside = {
                    name: copy for name, (x, copy) in arrays.items()
                    if copy.shape == v.given.shape and not any(x is held for held in v.held)
                }  # fmt: skip
                named = [copy for name, copy in beside.items() if is_gradient_name(name)]
                for gradient in [*named, *beside.values()]:
                    return gradient
        return None
