"""A state to save and load, and .npz files that nobody's save would write."""

import io
import re
import struct
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from hypothesis import settings

import tinygrad_edu as tg
from tinygrad_edu import Tensor, nn, optim


class State:
    """All that a file can change, and its bits."""

    def __init__(self, seed=0):
        self.model = nn.MLP(2, [3, 1], rng=seed)
        self.optimizer = optim.SGD(self.model.parameters(), 0.1 + seed, momentum=0.5)
        for p in self.model.parameters():
            p.grad = np.full(p.shape, 0.5)
        self.optimizer.step()
        self.rng = np.random.default_rng(seed)
        self.parts = {
            "model": self.model,
            "optimizer": self.optimizer,
            "rng": self.rng,
            "losses": [0.5 + seed, 2.0],
            "mask": np.array([True, seed > 0]),
            "best": 0.25 + seed,
        }

    def bits(self):
        leaves = self.model.parameters()
        grads = [p._grad.tobytes() if p._grad is not None else 0 for p in leaves]
        arrays = [p.data.tobytes() for p in leaves] + [
            v.tobytes() for v in self.optimizer.velocities
        ]
        settings = {k: v for k, v in vars(self.optimizer).items() if isinstance(v, float | int)}
        plain = self.parts["losses"][:], self.parts["best"], self.parts["mask"].tolist()
        return arrays, grads, settings, str(self.rng.bit_generator.state), plain


def saved(state):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "valid.npz"
        tg.save(state.parts, path)
        return path.read_bytes()


VALID = saved(State())
THOROUGH = settings().max_examples > 100


def load_or_nothing(path, content, state=None):
    """Load bytes into another state: True if it has what was saved, False if nothing changed."""
    path.write_bytes(content)
    state = state or State(1)
    before = state.bits()
    said = told(path, state.parts)
    if said:
        assert state.bits() == before
        return False
    expected = State()
    for p in expected.model.parameters():
        p.zero_grad()
    assert state.bits() == expected.bits()
    return True


def told(path, what, **settings):
    """What load says of a file, in one printable line of some length; nothing if it loads."""
    try:
        tg.load(what, path, **settings)
    except ValueError as error:
        said = str(error)
        assert said.startswith("load: "), said
        assert said.isprintable()
        assert len(said) < 900
        return said
    return ""


def refused(path, content, message, what=None, **settings):
    path.write_bytes(content)
    x = Tensor([1.0, 2.0], "x")
    assert re.search(message, told(path, what or {"x": x}, **settings))
    assert x.data.tolist() == [1.0, 2.0]


def npy(array, **header):
    """The bytes of an .npy file; parts of its header may be replaced by any text."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), (1, 0))
    if not header:
        return stream.getvalue()
    values = {"descr": repr(array.dtype.str), "fortran_order": "False", "shape": repr(array.shape)}
    values |= header
    text = "{" + ", ".join(f"'{k}': {v}" for k, v in values.items()) + ", }"
    text = (text.ljust(117) + "\n").encode("latin-1")
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + array.tobytes()


def packed(*members, method=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            with archive.open(info, "w") as file:
                file.write(content)
    return stream.getvalue()


def x_file(**header):
    return packed(("x.npy", npy(np.array([3.0, 4.0]), **header)))
