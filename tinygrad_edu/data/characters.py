"""Words as integers, for models that read characters: the bundled names, contexts, sequences."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.data.data_sets import DATASETS
from tinygrad_edu.rules.constants import short
from tinygrad_edu.rules.operand_types import Array


def load_names() -> list[str]:
    """5163 first names in lower case, the most frequent first.

    They are those of the census of the United States in 1990, from the Python package `names` 0.3.0
    (licence MIT); see datasets/README.md. Nothing is downloaded.
    """
    with open(os.path.join(DATASETS, "names.txt"), encoding="utf-8") as file:
        return file.read().split()


class Characters:
    """The characters of some words as integers: 0 is the mark of beginning and end, the others are
    1, 2, … in alphabetical order.

        characters = Characters(["emma", "ava"])
        characters.encode("ava")       # [1 4 1], of ".aemv"
        characters.decode([1, 4, 1])   # "ava"

    ValueError for no word, and for a word with the mark in it.
    """

    def __init__(self, words: Iterable[str], mark: str = ".") -> None:
        words = _checked_words("Characters", words)
        if not isinstance(mark, str) or len(mark) != 1:
            raise ValueError(f"Characters: mark is {mark!r}; give one character")
        found = sorted(set("".join(words)))
        if not found or mark in found:
            wrong = f"the mark {mark!r} is a character of a word" if found else "there is no word"
            raise ValueError(f"Characters: {wrong}; give words, and a mark that is in none of them")
        self.alphabet = mark + "".join(found)
        self._index = {character: i for i, character in enumerate(self.alphabet)}

    def __len__(self) -> int:
        """The number of classes: of characters, and the mark."""
        return len(self.alphabet)

    def __repr__(self) -> str:
        return f"Characters({self.alphabet!r}, {len(self)} classes)"

    def encode(self, text: str) -> Array:
        """The integers of a text. ValueError for a character that is not in the alphabet."""
        try:
            return np.array([self._index[character] for character in text], np.int64)
        except KeyError as error:
            raise ValueError(
                f"Characters: {error.args[0]!r} of {short(text)} is not in the alphabet "
                f"{self.alphabet!r}"
            ) from None

    def decode(self, indices: Any) -> str:
        """The text of integers. IndexError for one that stands for no character."""
        places = np.asarray(indices, np.int64).ravel()
        wrong = (places < 0) | (places >= len(self))
        if wrong.any():
            raise IndexError(
                f"Characters: {places[wrong][0]} is out of range for {len(self)} classes, 0 to "
                f"{len(self) - 1}"
            )
        return "".join(self.alphabet[i] for i in places)

    def contexts(self, words: Sequence[str], size: int) -> tuple[Array, Array]:
        """What comes next after `size` characters: contexts (N, size) and next characters (N,).

        There is one pair for each character of each word, and one for its end. Before the first
        character stands the mark.
        """
        x, y = [], []
        for word in _checked_words("contexts", words):
            marked = [0] * _checked_size("contexts", size) + self.encode(word).tolist() + [0]
            for i in range(len(marked) - size):
                x.append(marked[i : i + size])
                y.append(marked[i + size])
        return np.array(x, np.int64).reshape(-1, size), np.array(y, np.int64)

    def sequences(self, words: Sequence[str], size: int) -> tuple[Array, Array]:
        """One word in each row: characters (N, size) from the mark on, and those after them.

        After the end of a word, the row of the next characters is -1, for `ignore_index=-1`. A word
        of `size` characters or more is cut.
        """
        words = _checked_words("sequences", words)
        shape = len(words), _checked_size("sequences", size)
        x, y = np.zeros(shape, np.int64), np.full(shape, -1, np.int64)
        for i, word in enumerate(words):
            marked = np.array([0, *self.encode(word), 0])
            n = min(size, len(marked) - 1)
            x[i, :n], y[i, :n] = marked[:n], marked[1 : n + 1]
        return x, y


def _checked_words(operation: str, words: Iterable[str]) -> list[str]:
    """A list of strings. TypeError for anything else, and for a single string."""
    if isinstance(words, str):
        raise TypeError(f"{operation}: got one string; give a list of words, as in [{words!r}]")
    found = list(words)
    for word in found:
        if not isinstance(word, str):
            raise TypeError(f"{operation}: {short(word)} is not a string; give a list of words")
    return found


def _checked_size(operation: str, size: Any) -> int:
    if not isinstance(size, int | np.integer) or size < 1:
        kind: Any = ValueError if isinstance(size, int | np.integer) else TypeError
        raise kind(f"{operation}: size is {size!r}; give a whole number from 1 up")
    return int(size)
