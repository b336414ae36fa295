"""The state of a random generator as an array of 64-bit words, and back."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from tinygrad_edu.rules.operand_types import Array

_WORD = 2**64 - 1
_LARGEST = {
    "state": 2**128 - 1,
    "inc": 2**128 - 1,
    "has_uint32": 1,
    "uinteger": 2**32 - 1,
    "pos": 624,  # NumPy reads beyond its memory for more
    "buffer_pos": 4,
}
"""The largest value of every whole number in the states of NumPy's bit generators."""


def words_of(generator: Any) -> Array:
    """The state of a generator, as words; TypeError for bit generators that are not NumPy's."""
    words: list[int] = []
    _collect(generator.bit_generator.state, words)
    return np.array(words, np.uint64)


def _collect(state: dict[str, Any], words: list[int]) -> None:
    for name, value in state.items():
        if isinstance(value, dict):
            _collect(value, words)
        elif isinstance(value, np.ndarray):
            words += value.tolist()
        elif name in _LARGEST:
            words += (int(value) & _WORD, int(value) >> 64)
        elif name != "bit_generator":
            raise TypeError(f"save: a generator with {name} in its state is not one of NumPy's")


def set_words(generator: Any, words: Array) -> dict[str, Any]:
    """The state that the words stand for; ValueError if the generator could not have it."""
    state: dict[str, Any] = copy.deepcopy(generator.bit_generator.state)
    left = words.tolist()[::-1]
    _fill(state, left)
    return state


def _fill(state: dict[str, Any], left: list[int]) -> None:
    for name, value in state.items():
        if isinstance(value, dict):
            _fill(value, left)
        elif isinstance(value, np.ndarray):
            numbers = [left.pop() for _ in range(value.size)]
            if max(numbers) > np.iinfo(value.dtype).max:
                raise ValueError(f"load: {name} of a generator has too large words")
            state[name] = np.array(numbers, value.dtype)
        elif name in _LARGEST:
            state[name] = left.pop() + (left.pop() << 64)
            if state[name] > _LARGEST[name]:
                raise ValueError(
                    f"load: {name} of a generator is {state[name]}; {_LARGEST[name]} is the most"
                )
