"""Data: the bundled digits and names, points in a plane, readers of files, splitting, batches.

Everything here is plain arrays; a plain array is a constant in a graph and costs no gradient.
"""

from tinygrad_edu.data.characters import Characters, load_names
from tinygrad_edu.data.data_sets import (
    DataLoader,
    load_csv,
    load_digits,
    load_idx,
    one_hot,
    train_test_split,
)
from tinygrad_edu.data.point_sets import make_circles, make_moons, make_spirals

__all__ = [
    "Characters", "DataLoader", "load_csv", "load_digits", "load_idx", "load_names", "make_circles",
    "make_moons", "make_spirals", "one_hot", "train_test_split",
]  # fmt: skip
