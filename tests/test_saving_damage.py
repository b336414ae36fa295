"""Any damage to a file is noticed, or was to what says nothing; then the numbers are the same."""

import zipfile

import numpy as np
import pytest
from effort import much
from hypothesis import example, given, settings
from hypothesis import strategies as st
from saved_files import THOROUGH, VALID, State, load_or_nothing, npy, packed, told

from tinygrad_edu import Tensor

MANY = 10 * settings().max_examples


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile") / "model.npz"


def test_the_whole_file_loads_and_no_beginning_of_it_does(path):
    assert load_or_nothing(path, VALID)
    state = State(1)
    for length in range(0, len(VALID), 1 if THOROUGH else much(11, 37)):
        assert not load_or_nothing(path, VALID[:length], state)


def test_any_byte_may_be_wrong(path):
    """A byte that says nothing, such as a date, may differ; any other is noticed."""
    loaded = 0
    for i in range(0, len(VALID), 1 if THOROUGH else much(5, 37)):
        content = bytearray(VALID)
        content[i] ^= 0xFF
        loaded += load_or_nothing(path, bytes(content))
    assert 0 < loaded < len(VALID) / (4 if THOROUGH else 20)


places = st.integers(0, len(VALID))
changes = st.one_of(
    st.tuples(st.just("flip"), places, st.integers(0, 7)),
    st.tuples(st.just("set"), places, st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("cut"), places, st.integers(1, 500)),
    st.tuples(st.just("insert"), places, st.binary(min_size=1, max_size=50)),
    st.tuples(st.just("copy"), places, places, st.integers(1, 200)),
    st.tuples(st.just("end"), places),
)


def damaged(content, what):
    kind, at, *more = what
    if kind == "flip":
        return (
            content[:at]
            + bytes(b ^ (1 << more[0]) for b in content[at : at + 1])
            + (content[at + 1 :])
        )
    if kind == "set":
        return content[:at] + more[0] + content[at + len(more[0]) :]
    if kind == "cut":
        return content[:at] + content[at + more[0] :]
    if kind == "insert":
        return content[:at] + more[0] + content[at:]
    if kind == "copy":
        return content[:at] + content[more[0] : more[0] + more[1]] + content[at + more[1] :]
    return content[:at]


@given(whats=st.lists(changes, min_size=1, max_size=4))
@settings(max_examples=MANY)
def test_damage_is_noticed_or_harmless(path, whats):
    content = VALID
    for what in whats:
        content = damaged(content, what)
    load_or_nothing(path, content)


@given(
    descr=st.sampled_from(
        ["<f8", ">f8", "<f4", "<i8", "|O", "<U2", "|V8", "<c16", "|b1", "f8", "<f9"]
    ),
    shape=st.one_of(
        st.tuples(),
        st.tuples(st.integers(-3, 2**70)),
        st.tuples(st.integers(0, 4), st.integers(0, 4)),
        st.sampled_from(["(2)", "2", "[2]", "(2,,)", "(2, )", "(,)", "(1+1,)", "(0x2,)", "(2L,)"]),
    ),
    fortran=st.sampled_from(["True", "False", "0", "None", "true"]),
    numbers=st.lists(st.floats(), max_size=6),
    deflate=st.booleans(),
)
@settings(max_examples=MANY)
@example("<f8", (2,), "False", [3.0, 4.0], True)
@example("<f8", "(2, )", "True", [3.0, 4.0], False)
def test_a_header_is_believed_only_if_it_is_what_numpy_reads(
    path, descr, shape, fortran, numbers, deflate
):
    """The checksums are right here; whatever loads is what numpy.load finds, too."""
    member = npy(np.array(numbers), descr=repr(descr), shape=str(shape), fortran_order=fortran)
    method = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
    path.write_bytes(packed(("x.npy", member), method=method))
    x = Tensor([1.0, 2.0], "x")
    said = told(path, {"x": x})
    if said:
        assert "x" in said
        assert x.data.tolist() == [1.0, 2.0]
    else:
        with np.load(path) as file:
            assert file["x"].tobytes() == x.data.tobytes()
        assert (descr, len(numbers)) == ("<f8", 2)
