"""The world of a check: all that the checked code can reach, put back before every call.

The code runs on its own objects, so nothing has to be copied and no class is replaced: what it
changes is put back, and random generators are set back, as often as it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_edu.check.kinds import is_foreign
from tinygrad_edu.check.layers.containers import Draws, Holder, Items, ListItems
from tinygrad_edu.check.layers.reached import LayerSlot, Reached, is_real


class Noted(np.ndarray[Any, Any]):
    """An array that takes attributes, such as `g`."""


class Mode(NamedTuple):
    """How arrays are held during a call: `precise`, so that float32 becomes float64 and every array
    can be moved, and `noted`, so that they take attributes."""

    precise: bool = False
    noted: bool = False


class World:
    """What objects and functions reach, as it was when the check began."""

    def __init__(
        self, owners: Sequence[Any], functions: Sequence[Any], extra: dict[str, Any]
    ) -> None:
        self._roots = [*owners, extra], functions
        self._extra = extra
        self._look()
        self._first = self._items, self._numbers, self._draws

    def restore(self) -> None:
        """Everything as it was before the check, without what a first forward pass builds."""
        self._put(*self._first)

    @property
    def slots(self) -> list[LayerSlot]:
        """Every place that holds real numbers."""
        return self._reached.slots

    def _look(self) -> None:
        self._reached = Reached(*self._roots)
        reached = self._reached
        self._items = [(c, c.items()) for c in reached.containers]
        self._numbers = [(x, _numbers_of(x)) for x in reached.arrays if _can_change(x)]
        self._draws = [(draws, draws.state()) for draws in reached.draws]
        self._states: dict[Mode, tuple[list[tuple[Holder, Items]], list[tuple[Any, Any]]]] = {}

    def put_back(self, mode: Mode = Mode()) -> None:  # noqa: B008 (a tuple)
        """Everything as it was, its arrays held in this mode."""
        if mode not in self._states:
            self._states[mode] = self._state_in(mode)
        self._put(*self._states[mode], self._draws)

    def _put(
        self, items: Sequence[tuple[Holder, Items]], numbers: Sequence[tuple[Any, Any]],
        draws: Sequence[tuple[Draws, Any]],
    ) -> None:  # fmt: skip
        for container, held in items:
            container.put(held)
        for x, before in numbers:
            _put_numbers(x, before)
        for generator, state in draws:
            generator.put(state)

    def _state_in(self, mode: Mode) -> tuple[list[tuple[Holder, Items]], list[tuple[Any, Any]]]:
        if mode == Mode():
            return self._items, self._numbers
        fixed = self._held_only_by_functions()
        changed = _Converter(mode, fixed)
        items = [
            (container, {key: changed(x) for key, x in held.items()})
            for container, held in self._items
        ]
        made = [(x, _numbers_of(x)) for x in changed.made.values()]
        return items, [*self._numbers, *made]

    def _held_only_by_functions(self) -> set[int]:
        """The arrays of `parameters={...}` whose place is not known: they are moved as they are."""
        elsewhere = {id(s.get()) for s in self.slots if s.container.target is not self._extra}
        return {id(x) for x in self._extra.values()} - elsewhere

    # --- what the first forward pass builds ------------------------------------------------------

    def keep_what_is_built(self, forward: Callable[[], Any]) -> None:
        """Take over what a first forward pass makes and a second one leaves alone, such as weights
        whose shape is that of the input: it is there before the pass that is checked."""
        self.put_back()
        try:
            forward()
            first = [(c, c.items()) for c in self._reached.containers]
            numbers = {id(x): _numbers_of(x) for _, held in first for x in _arrays_in(held)}
            forward()
        except Exception:
            self.put_back()
            return
        built = []
        for (container, before), (_, once) in zip(self._items, first, strict=True):
            items = _with_what_is_built(container, before, once, numbers)
            if items is not before:
                built.append((container, items))
        self.put_back()
        if built:
            for container, items in built:
                container.put(items)
            self._look()


def _with_what_is_built(
    container: Holder, before: Items, once: Items, numbers: dict[int, Any]
) -> Items:
    twice = container.items()

    def built(key: Any) -> bool:
        x = once.get(key)
        stays = key in once and key in twice and _same(x, twice[key])
        if stays and id(x) in numbers:
            stays = np.array_equal(_numbers_of(x), numbers[id(x)], equal_nan=True)
        return stays and not (key in before and _same(before[key], x))

    if isinstance(container, ListItems):
        whole = len(once) == len(twice) != len(before) and all(
            map(built, list(once)[len(before) :])
        )
        return once if whole else before
    made = {key: once[key] for key in once if built(key)}
    return {**before, **made} if made else before


def _same(x: Any, y: Any) -> bool:
    return x is y or (isinstance(x, int | str) and type(x) is type(y) and x == y)


def _arrays_in(held: Items) -> Iterable[Any]:
    return [x for x in held.values() if isinstance(x, np.ndarray)]


# --- arrays --------------------------------------------------------------------------------------


class _Converter:
    """Puts arrays in the place of others, each array always by the same one."""

    def __init__(self, mode: Mode, fixed: set[int]) -> None:
        self.mode, self.fixed = mode, fixed
        self.made: dict[int, Any] = {}

    def __call__(self, x: Any) -> Any:
        if type(x) is tuple:
            parts = tuple(map(self, x))
            return x if all(map(_is, parts, x)) else parts
        if not is_real(x) or not isinstance(x, np.ndarray):
            return self._foreign(x)
        if id(x) in self.fixed:
            return x
        if id(x) not in self.made:
            y = self._precise(x) if self.mode.precise else x
            if self.mode.noted and type(y) is np.ndarray:
                y = y.view(Noted)
            self.made[id(x)] = y
        return self.made[id(x)]

    def _foreign(self, x: Any) -> Any:
        if not (self.mode.precise and is_foreign(x) and is_real(x)):
            return x
        if str(x.dtype).endswith("float64"):
            return x
        return self.made.setdefault(id(x), x.double())

    def _precise(self, x: Any) -> Any:
        """The array itself, if it can be moved; a view of one that cannot is one of its copy."""
        if not isinstance(x, np.ndarray) or (x.dtype.itemsize >= 8 and x.flags.writeable):
            return x
        base = x.base
        if isinstance(base, np.ndarray) and base.dtype == x.dtype and base.flags.c_contiguous:
            whole = self(base)
            factor = whole.dtype.itemsize // x.dtype.itemsize
            start = (_address(x) - _address(base)) * factor
            if whole.flags.c_contiguous and 0 not in x.strides:
                steps = [step * factor for step in x.strides]
                return np.ndarray(x.shape, whole.dtype, whole, start, steps)
        y = x.astype(np.float64 if x.dtype.itemsize < 8 else x.dtype)
        if hasattr(x, "__dict__"):
            y.__dict__.update(x.__dict__)
        return y


def _is(x: Any, y: Any) -> bool:
    return x is y


def _address(x: Any) -> int:
    return int(x.__array_interface__["data"][0])


def _can_change(x: Any) -> bool:
    return is_foreign(x) or bool(x.flags.writeable)


def _numbers_of(x: Any) -> Any:
    return x.detach().clone() if is_foreign(x) else np.array(x)


def _put_numbers(x: Any, numbers: Any) -> None:
    if is_foreign(x):
        x.data.copy_(numbers)
    else:
        np.copyto(x, numbers)
