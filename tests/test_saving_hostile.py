"""Hostile files: a ValueError that says why, nothing changed, nothing run, little memory."""

import io
import math
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from saved_files import VALID, State, load_or_nothing, npy, packed, refused, x_file

import tinygrad_edu as tg
from tinygrad_edu import Tensor, nn, optim


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile") / "model.npz"


HEADERS = {
    "objects": ({"descr": "'|O'"}, r"x is Python objects, which only pickle"),
    "big-endian": (
        {"descr": "'>f8'"},
        r"x is float64 in big-endian order in the file",
    ),
    "float32": ({"descr": "'<f4'"}, r"x is float32 in the file, but float64 here; .* the dtype"),
    "a record": ({"descr": "[('a', '<f8')]"}, r"x in .* not an array of numbers"),
    "a shape": ({"shape": "(1, 2)"}, r"x has shape \(1, 2\) in the file, but \(2,\) here; rebuild"),
    "a huge shape": ({"shape": "(1000000000000,)"}, r"x has shape \(1000000000000,\)"),
    "an overflow": ({"shape": "(9999999999999999999, 9)"}, r"x has shape"),
    "a negative shape": ({"shape": "(-2,)"}, r"not an array of numbers"),
    "many digits": ({"shape": "(" + "9" * 60 + ",)"}, r"not an array of numbers"),
    "code": ({"shape": "(exit(),)"}, r"not an array of numbers"),
    "depth": ({"shape": "(" * 50}, r"not an array of numbers"),
    "an escape": ({"descr": r"'\d'"}, r"x is '.*d' in the file|not an array of numbers"),
    "another key": ({"more": "1"}, r"not an array of numbers"),
}


@pytest.mark.parametrize(("header", "message"), HEADERS.values(), ids=HEADERS.keys())
def test_headers(path, header, message):
    refused(path, x_file(**header), f"^load: .*{message}")


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


GOOD = npy(np.array([3.0, 4.0]))
ZEROS = npy(np.zeros(2)) + bytes(20_000_000)
FILES = {
    "no zip": (b"hello", r"is not a whole \.npz file"),
    "nothing": (b"", r"is not a whole \.npz file"),
    "a pickle": (pickle.dumps(Bomb()), r"is not a whole \.npz file"),
    "a pickled member": (packed(("x.npy", pickle.dumps(Bomb()))), r"not an array of numbers"),
    "an object array": (
        packed(("x.npy", npy(np.zeros(2), descr="'|O'")[:128] + pickle.dumps(Bomb()))),
        r"Python objects",
    ),
    "version 2": (
        packed(("x.npy", GOOD.replace(b"\x01\x00v", b"\x02\x00v"))),
        r"not an array of numb",
    ),
    "a long header": (
        packed(("x.npy", b"\x93NUMPY\x01\x00\xff\xff" + b" " * 65535)),
        r"not an array",
    ),
    "too short": (packed(("x.npy", GOOD[:-1])), r"x .* 16 bytes by its shape .* but has 15"),
    "too long": (packed(("x.npy", GOOD + b"\0")), r"should have 16 bytes .* but has 17"),
    "far too long": (
        packed(("x.npy", ZEROS), method=8),
        r"16 bytes .*but has 20000016",
    ),
    "an empty member": (packed(("x.npy", b"")), r"not an array of numbers"),
    "bzip2": (packed(("x.npy", GOOD), method=zipfile.ZIP_BZIP2), r"numpy\.savez never uses"),
    "lzma": (packed(("x.npy", GOOD), method=zipfile.ZIP_LZMA), r"numpy\.savez never uses"),
    "another name": (packed(("y.npy", GOOD)), r"has no x, and nothing here has the name 'y'"),
    "no .npy": (packed(("x", GOOD)), r"holds 'x', which is not an array"),
    "a path": (packed(("x.npy", GOOD), ("../../x.npy", GOOD)), r"has the name '\.\./\.\./x'"),
    "a root": (packed(("/etc/x.npy", GOOD)), r"nothing here has the name '/etc/x'"),
    "a zero byte": (packed(("x.npy", GOOD)).replace(b"x.npy", b"x\0npy"), r"holds 'x\\x00npy'"),
    "a control code": (packed(("\x1b[2Jx.npy", GOOD)), r"has the name '\\x1b\[2Jx'"),
    "a long name": (packed(("y" * 60000 + ".npy", GOOD)), r"has the name 'y{60}…'"),
    "other code pages": (packed(("x.npy", GOOD)).replace(b"x.npy", b"\xff.npy"), r"has no x"),
    "encrypted": (
        packed(("x.npy", GOOD))
        .replace(b"PK\x03\x04\x14\0\0", b"PK\x03\x04\x14\0\1")
        .replace(b"PK\x01\x02\x14\x03\x14\0\0", b"PK\x01\x02\x14\x03\x14\0\1"),
        r"x in .* is encrypted",
    ),
    "a large directory": (
        packed(*((f"{i:060000}.npy", b"") for i in range(80))),
        r"list of members would have",
    ),
}


@pytest.mark.parametrize(("content", "message"), FILES.values(), ids=FILES.keys())
def test_files(path, content, message, monkeypatch):
    monkeypatch.chdir(path.parent)
    tracemalloc.start()
    try:
        refused(path, content, message)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    if "has the name" not in message:
        refused(path, content, message, allow_extra=True)
    assert os.listdir(path.parent) == [path.name]  # nothing was unpacked, and nothing exploded


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice(path):
    refused(path, packed(("x.npy", GOOD), ("x.npy", GOOD)), r"holds 'x' twice")


def test_a_list_of_any_length_is_no_way_in_for_a_bomb(path):
    content = packed(("losses.npy", npy(np.zeros(2_000_000))), method=zipfile.ZIP_DEFLATED)
    losses = [1.0]
    refused(path, content, r"losses in .* larger than the file; .*numpy\.savez", {"losses": losses})
    content = packed(("losses.npy", npy(np.zeros(2), shape="(1000000000000,)")))
    refused(path, content, r"should have 8000000000000 bytes", {"losses": losses})
    refused(
        path, packed(("losses.npy", npy(np.zeros((2, 1))))), r"shape \(2, 1\)", {"losses": losses}
    )
    assert losses == [1.0]


def test_a_message_does_not_repeat_the_file(path):
    content = bytearray(packed(("x.npy", GOOD)))
    content[26] = 120  # the length of the name, which zipfile would show
    refused(path, bytes(content), r"x in .* is broken: [\"']File name in directory.{40,60}…[\"']$")


def test_a_member_before_the_beginning_of_the_file(path):
    content = bytearray(packed(("x.npy", GOOD)))
    content[-6] += 10  # where the directory would begin; all places are counted from there
    refused(path, bytes(content), r"'x' would lie outside")


def test_a_packed_member_that_ends_before_it_should(path):
    """Its checksum is that of the bytes that are there; only the directory tells another length."""
    content = packed(("x.npy", GOOD[:-8]), method=zipfile.ZIP_DEFLATED)
    at = content.index(b"PK\x01\x02") + 24
    length = struct.pack("<I", len(GOOD))
    refused(path, content[:at] + length + content[at + 4 :], r"x in .* is cut off")


def test_truths_are_0_or_1(path):
    content = packed(("mask.npy", npy(np.array([1, 2], np.uint8), descr="'|b1'")))
    refused(path, content, r"mask in .* has truths other than 0 and 1", {"mask": np.zeros(2, bool)})


def changed(name, value):
    """The valid file with another array under a name."""
    with np.load(io.BytesIO(VALID)) as file:
        arrays = {k: file[k] for k in file.files}
    assert name in arrays
    stream = io.BytesIO()
    np.savez(stream, **arrays | {name: value})
    return stream.getvalue()


SETTINGS = {
    "lr": (math.nan, "lr is nan"),
    "momentum": (-1.0, "momentum is -1.0"),
    "weight_decay": (math.inf, "weight_decay is inf"),
    "steps": (-1, "steps is -1"),
    "nesterov": (1, "nesterov is int64 in the file, but bool here"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_make_no_sense(path, name):
    value, message = SETTINGS[name]
    state = State(1)
    before = state.bits()
    refused(path, changed(f"optimizer.SGD.{name}", value), message, state.parts)
    refused(path, changed("optimizer.SGD.steps", 1.5), r"steps is 1\.5", state.parts)
    assert state.bits() == before


def test_a_momentum_of_values_does_not_fit_tensors(path):
    p = tg.Value(1.0)
    optimizer = optim.SGD([p], 0.1, momentum=0.5)
    optimizer.velocities = [3.0]
    tg.save(optimizer, path)
    with pytest.raises(ValueError, match=r"SGD\.velocities is of Values, but here are Tensors"):
        tg.load(optim.SGD([Tensor([1.0, 2.0])], 0.1, momentum=0.5), path)


@pytest.mark.parametrize(
    ("kind", "word", "value", "name"),
    [
        (np.random.MT19937, -2, 625, "pos"),  # NumPy would read beyond the end of its state
        (np.random.MT19937, -1, 1, "pos"),
        (np.random.MT19937, 0, 2**32, "key"),
        (np.random.Philox, -6, 5, "buffer_pos"),
        (np.random.PCG64, -4, 2, "has_uint32"),
        (np.random.PCG64, -2, 2**32, "uinteger"),
    ],
)
def test_states_of_generators_that_cannot_be(path, kind, word, value, name):
    rng = np.random.Generator(kind(1))
    tg.save({"rng": rng}, path)
    with np.load(path) as file:
        words = file[f"rng.{kind.__name__}"]
    words[word] = value
    np.savez(path, **{f"rng.{kind.__name__}": words})
    before = str(rng.bit_generator.state)
    with pytest.raises(ValueError, match=rf"load: {name} of a generator"):
        tg.load(rng_of := {"rng": rng}, path)
    assert str(rng_of["rng"].bit_generator.state) == before


# --- all or nothing ------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, TypeError])
@pytest.mark.parametrize("last", ["best", "mask"])
def test_an_error_in_the_middle_of_a_change_takes_all_of_it_back(path, error, last):
    class Interrupted(dict):
        armed = False

        def __setitem__(self, key, value):
            if self.armed and key == last:
                self.armed = False
                raise error
            super().__setitem__(key, value)

    path.write_bytes(VALID)
    state = State(1)
    state.parts = Interrupted(state.parts)
    state.parts.armed = True
    before = state.bits()
    with pytest.raises(error):
        tg.load(state.parts, path)
    assert state.bits() == before
    assert load_or_nothing(path, VALID, state)


def test_one_wrong_name_among_many(path):
    state = State(1)
    before = state.bits()
    content = changed("best", np.float32(1)).replace(b"losses.npy", b"lasses.npy")
    refused(path, content, r"it has no losses, and nothing here has the name 'lasses'", state.parts)
    refused(path, changed("best", np.float32(1)), r"best is float32 in the file, but", state.parts)
    assert state.bits() == before


def test_what_else_is_in_a_file_may_be_left_unread(path):
    path.write_bytes(VALID)
    model, expected = nn.MLP(2, [3, 1], rng=5), State()
    with pytest.raises(
        ValueError, match=r'names start with "model\."; use load\({"model": \.\.\.}'
    ):
        tg.load(model, path)
    with pytest.raises(ValueError, match=r"nothing here has .*; .* allow_extra=True leaves"):
        tg.load({"model": model}, path)
    tg.load({"model": model}, path, allow_extra=True)
    assert [p.data.tobytes() for p in model.parameters()] == expected.bits()[0][:4]
    with pytest.raises(ValueError, match=r"has no model\.layers\.4\.weight"):
        tg.load({"model": nn.MLP(2, [3, 1, 1])}, path, allow_extra=True)
