"""What is saved, under which names, what load makes of it, and what cannot be saved."""

import os
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, nn, optim, scalar_nn
from tinygrad_edu.data import DataLoader


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


def contents(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def stepped(optimizer):
    """The optimizer after a step with different gradients."""
    for i, p in enumerate(optimizer.parameters):
        p.grad = (np.arange(np.size(p.data)) + i + 0.5).reshape(np.shape(p.data)) + 0 * p.data
    optimizer.step()
    return optimizer


def same_bits(x, y):
    x, y = np.asarray(x), np.asarray(y)
    return (x.dtype, x.shape, x.tobytes()) == (y.dtype, y.shape, y.tobytes())


# --- what is in a file ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_model_is_its_named_parameters_and_numpy_reads_them(path, dtype):
    model = nn.MLP(4, [3, 2], rng=0, dtype=dtype)
    tg.save(model, path)
    found = contents(path)
    assert list(found) == [name for name, _ in model.named_parameters()]
    for name, p in model.named_parameters():
        assert same_bits(found[name], p.data)
    other = nn.MLP(4, [3, 2], rng=1, dtype=dtype)
    for p in other.parameters():
        p.grad = np.ones(p.shape)
    recorded = [p.data for p in other.parameters()]
    before = [x.copy() for x in recorded]
    assert tg.load(other, path) is None
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert same_bits(p.data, q.data)
        assert q.data.flags.writeable
        assert q.data.flags.owndata
        assert not q.grad.any()
    assert all(map(same_bits, recorded, before))  # arrays that a graph may hold are not written to


def test_a_graph_recorded_before_loading_keeps_its_derivatives(path):
    x, w = Tensor([2.0, 3.0], "x"), Tensor([5.0, 7.0], "w")
    y = (x * w).sum()
    tg.save({"x": Tensor([0.0, 1.0])}, path)
    tg.load({"x": x}, path)
    y.backward()
    assert (x.data.tolist(), w.grad.tolist()) == ([0.0, 1.0], [2.0, 3.0])


def test_the_names_of_an_optimizer_say_which_it_is(path):
    p, q = Tensor(np.ones((2, 3), np.float32)), Tensor(np.ones(3, np.float32))
    tg.save(optim.Adam([p, q], 0.25), path)
    assert {k: v.tolist() for k, v in contents(path).items()} == {
        "Adam.lr": 0.25,
        "Adam.weight_decay": 0.0,
        "Adam.steps": 0,
        "Adam.betas": [0.9, 0.999],
        "Adam.eps": 1e-8,
        "Adam.means": [0.0, 0.0],
        "Adam.squares": [0.0, 0.0],
    }
    optimizer = stepped(optim.SGD([p, q], 0.5, momentum=0.5, nesterov=True))
    tg.save({"it": optimizer}, path)
    found = contents(path)
    assert found["it.SGD.nesterov"] == np.True_
    assert found["it.SGD.steps"] == 1
    assert same_bits(found["it.SGD.velocities.0"], optimizer.velocities[0])
    with pytest.raises(ValueError, match=r"has no Adam\.lr, .* the name 'it\.SGD\.lr'"):
        tg.load(optim.Adam([p, q]), path)


def test_settings_come_from_the_file_and_a_fresh_optimizer_forgets(path):
    p = Tensor(np.ones(3))
    tg.save(optim.AdamW([p], 0.25, (0.5, 0.75), 1e-4, 0.125), path)
    other = stepped(optim.AdamW([p]))
    tg.load(other, path)
    settings = other.lr, other.betas, other.eps, other.weight_decay, other.steps
    assert settings == (0.25, (0.5, 0.75), 1e-4, 0.125, 0)
    assert (other.means, other.squares) == ([0.0], [0.0])
    assert [type(x) for x in (*settings, *other.betas)] == [float, tuple, float, float, int] + [
        float
    ] * 2


def test_a_momentum_may_come_and_go_with_the_file(path):
    p = Tensor(np.ones(3))
    plain, heavy = optim.SGD([p], 0.1), stepped(optim.SGD([p], 0.1, momentum=0.5))
    tg.save(heavy, path)
    tg.load(plain, path)
    assert plain.momentum == 0.5
    assert same_bits(plain.velocities[0], heavy.velocities[0])
    tg.save(optim.SGD([p], 0.1), path)
    tg.load(heavy, path)
    assert (heavy.momentum, heavy.velocities) == (0.0, [0.0])


def test_a_network_of_values_is_an_array_for_each_neuron(path):
    model = scalar_nn.MLP(2, [3, 1])
    optimizer = stepped(optim.Adam(model.parameters()))
    tg.save({"model": model, "optimizer": optimizer}, path)
    found = contents(path)
    neuron = model.layers[0].neurons[1]
    assert found["model.layers.0.neurons.1.w"].tolist() == [w.data for w in neuron.w]
    assert found["model.layers.0.neurons.1.b"].tolist() == neuron.b.data
    assert found["optimizer.Adam.squares"].tolist() == optimizer.squares
    other = scalar_nn.MLP(2, [3, 1])
    own = optim.Adam(other.parameters())
    for p in other.parameters():
        p.grad = 7.0
    tg.load({"model": other, "optimizer": own}, path)
    assert [p.data for p in other.parameters()] == [p.data for p in model.parameters()]
    assert {type(x) for x in [*own.means, *(p.data for p in other.parameters())]} == {float}
    assert [p.grad for p in other.parameters()] == [0.0] * 13
    assert (own.means, own.steps) == (optimizer.means, 1)


def test_what_is_shared_is_saved_once_and_stays_shared(path):
    tied = nn.Linear(3, 3, rng=0)
    v = Value(0.5)

    class Odd(nn.Module):
        def __init__(self):
            self.layers = [tied, tied]
            self.again = tied.weight
            self.values = [v, v]
            self.more = {"it": v, "other": [v, Value(2.0)], "me": self}

    tg.save({"odd": Odd(), "again": tied, "v": v}, path)
    assert len(contents(path)) == 4
    tg.save(Odd(), path)
    names = ["layers.0.weight", "layers.0.bias", "values.0", "more.other.1"]
    assert list(contents(path)) == names == [name for name, _ in Odd().named_parameters()]
    before = tied.weight.data
    tied.weight.data, v.data = before * 2, 3.0
    odd = Odd()
    tg.load(odd, path)
    assert same_bits(odd.again.data, before)
    assert odd.again is odd.layers[1].weight
    assert v.data == 0.5


def test_buffers_of_a_module_come_along(path):
    class Centred(nn.Module):
        buffers = ("mean", "seen", "rng")

        def __init__(self, start):
            self.linear = nn.Linear(2, 2, rng=0)
            self.mean, self.seen = np.full(2, start), int(start)
            self.rng = np.random.default_rng(int(start))
            self.last = None  # what a module keeps for itself

    first, second = Centred(3.0), Centred(5.0)
    first.last = np.zeros(1000)
    tg.save(first, path)
    assert list(contents(path)) == ["mean", "seen", "rng.PCG64", "linear.weight", "linear.bias"]
    tg.load(second, path)
    assert (second.mean.tolist(), second.seen) == ([3.0, 3.0], 3)
    assert second.rng.random() == first.rng.random()
    del second.mean
    with pytest.raises(TypeError, match=r"load: mean is among the buffers of Centred"):
        tg.load(second, path)


@pytest.mark.parametrize("name", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
@given(seed=st.integers(0, 2**64), drawn=st.integers(0, 1300))
def test_every_generator_of_numpy_goes_on_as_it_would(name, seed, drawn, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / f"{name}.npz"
    kind = getattr(np.random, name)
    rng, other = np.random.Generator(kind(seed)), np.random.Generator(kind(1))
    rng.integers(0, 9, drawn, dtype=np.uint32)
    tg.save({"rng": rng, "loader": DataLoader(np.zeros(4), np.zeros(4), rng=rng)}, path)
    tg.load({"rng": other}, path)
    assert rng.integers(0, 2**31, 700, dtype=np.uint32).tolist() == (
        other.integers(0, 2**31, 700, dtype=np.uint32).tolist()
    )
    assert rng.normal(size=9).tolist() == other.normal(size=9).tolist()


def test_a_generator_that_is_not_one_of_numpys_is_refused(path):
    class Own(np.random.PCG64):
        @property
        def state(self):
            return {"bit_generator": "Own", "secret": 3}

    with pytest.raises(TypeError, match=r"save: a generator with secret in its state"):
        tg.save({"rng": np.random.Generator(Own(0))}, path)


NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.floats(), st.sampled_from([0.0, -0.0, 5e-324])
)
LISTS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1)), st.lists(st.floats()), st.lists(st.booleans())
)


@given(
    number=NUMBERS,
    numbers=LISTS,
    truth=st.booleans(),
    array=hnp.arrays(
        st.sampled_from(["f2", "f4", "f8", ">f8", "i1", "u8", "?", "i4"]),
        hnp.array_shapes(min_dims=0, min_side=0),
    ),
    layout=st.sampled_from("CF"),
)
def test_numbers_and_arrays_come_back_bit_for_bit(
    number, numbers, truth, array, layout, tmp_path_factory
):
    path = tmp_path_factory.getbasetemp() / "plain.npz"
    array = np.array(array, order=layout)
    some = [1, 2.5]
    state = {"a": number, "b": numbers, "c": truth, "d": [array, {"e": array[...]}], "f": some}
    pair = (0.5, number)
    tg.save({**state, "pair": pair}, path)
    blank = np.zeros(array.shape, array.dtype)
    new_list = []
    new = {"a": 0, "b": new_list, "c": False, "d": [blank, {"e": blank}], "f": [], "pair": (0, 0)}
    tg.load(new, path)
    assert type(new["a"]) is type(number)
    assert same_bits(new["a"], number)
    assert new["b"] is new_list
    assert [same_bits(*pair) for pair in zip(new_list, numbers, strict=True)].count(False) == 0
    assert (new["c"], new["f"]) == (truth, some)
    assert same_bits(np.array(new["pair"]), np.array(pair, float))
    native = array.astype(array.dtype.newbyteorder("="))
    for found in (new["d"][0], new["d"][1]["e"]):
        assert same_bits(found, native)
        assert found.flags.f_contiguous == native.flags.f_contiguous
    with np.load(path) as file:
        assert same_bits(file["d.0"].astype(native.dtype), native)
    assert not blank.any()


def test_the_same_content_is_the_same_bytes_in_little_space(path, tmp_path):
    files = []
    for name in ("first.npz", "second"):
        model = nn.MLP(64, [30, 10], rng=0, dtype=np.float32)
        state = {"model": model, "optimizer": stepped(optim.Adam(model.parameters()))}
        tg.save(state, tmp_path / name)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]
    with zipfile.ZipFile(tmp_path / "second") as archive:  # nothing of the day or the system
        told = {(m.date_time, m.create_system, m.external_attr) for m in archive.infolist()}
    assert told == {((1980, 1, 1, 0, 0, 0), 3, 0o644 << 16)}
    assert len(files[0]) < 3 * 4 * 2260 + 300 * 17 + 100
    assert sorted(os.listdir(tmp_path)) == ["first.npz", "second"]  # exactly the names given


@pytest.mark.parametrize("pack", [np.savez, np.savez_compressed])
def test_files_that_numpy_wrote_are_read(path, pack):
    model = nn.MLP(4, [3, 2], rng=0)
    arrays = {name: np.asfortranarray(p.data + 1) for name, p in model.named_parameters()}
    pack(path, **arrays)
    tg.load(model, path)
    for name, p in model.named_parameters():
        assert same_bits(p.data, arrays[name])


def test_names_in_any_script_and_all_floating_dtypes(path):
    state = {"größe": 1.0, "数": {"😀 x.npy": Tensor(np.arange(3, dtype=np.longdouble) / 3)}}
    tg.save(state, path)
    found = contents(path)
    assert list(found) == ["größe", "数.😀 x.npy"]
    assert same_bits(found["数.😀 x.npy"], state["数"]["😀 x.npy"].data)
    before = state["数"]["😀 x.npy"].data
    state["größe"], state["数"]["😀 x.npy"].data = 2.0, before * 2
    tg.load(state, path)
    assert state["größe"] == 1.0
    assert (state["数"]["😀 x.npy"].data == before).all()


# --- what cannot be saved ------------------------------------------------------------------------

LOOP = {}
LOOP["me"] = LOOP
V = Value(1.0, "v")
REFUSED = {
    "a number": (3.0, TypeError, r"expected a Module, an Optimizer .* got float"),
    "a leaf": (V, TypeError, r"expected .* got Value"),
    "the path first": ("x.npz", TypeError, r"the model comes first"),
    "text": ({"a": {"b": "x"}}, TypeError, r"a\.b cannot be saved: it is of type str"),
    "None": ({"a": None}, TypeError, r"a cannot be saved: it is of type NoneType"),
    "objects": ({"a": np.array([None])}, TypeError, r"of type ndarray of dtype object"),
    "complex": ({"a": np.ones(2) * 1j}, TypeError, r"dtype complex128"),
    "masked": ({"a": np.ma.ones(2)}, TypeError, r"of type MaskedArray"),
    "recorded": ({"a": {"b": V * 2}}, TypeError, r"a\.b is the recorded node '×'; .* detach"),
    "a key": ({1: 2.0}, TypeError, r"the key 1 of a dict is not a string"),
    "a tuple": ({"a": (np.ones(2), V)}, TypeError, r"a\.0 is in a tuple.*use a list"),
    "no name": ({"": 1.0}, TypeError, r"give the numbers a name"),
    "a loop": (LOOP, ValueError, r"me contains itself"),
    "two of one name": (
        {"a.b": 1.0, "a": {"b": 2.0}},
        ValueError,
        r"two things have the name a\.b",
    ),
    "a path": ({"../a": 1.0}, ValueError, r"'\.\./a' cannot be a name"),
    "a line": ({"a\nb": 1.0}, ValueError, r"cannot be a name"),
    "a lone surrogate": ({"a\ud800": 1.0}, ValueError, r"cannot be a name"),
    "a long name": ({"a" * 1001: 1.0}, ValueError, r"cannot be a name"),
    "a large number": ({"a": 2**63}, ValueError, r"a does not fit into 64 bits"),
    "mixed": ({"a": [2**53 + 1, 0.5]}, ValueError, r"a does not fit"),
    "nothing": ({}, ValueError, r"there are no numbers in this dict"),
    "no parameters": (nn.ReLU(), ValueError, r"no numbers in this ReLU"),
    "too many": ({str(i): 0 for i in range(60000)}, ValueError, r"too many names"),
}


@pytest.mark.parametrize(("what", "error", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_saved_is_told_and_writes_nothing(what, error, message, path):
    with pytest.raises(error, match=f"^save: .*{message}"):
        tg.save(what, path)
    assert os.listdir(path.parent) == []


def test_an_optimizer_that_load_would_refuse_is_not_saved(path):
    optimizer = optim.SGD([Value(1.0)], 0.1)
    optimizer.lr = float("nan")
    with pytest.raises(ValueError, match="lr is nan"):
        tg.save(optimizer, path)
    optimizer.lr, optimizer.velocities = 0.1, [np.ones(3)]
    with pytest.raises(TypeError, match=r"SGD.velocities.0 has shape \(3,\)"):
        tg.save(optimizer, path)
    optimizer.velocities, optimizer.schedule = [0.0], print
    with pytest.raises(
        TypeError, match=r"SGD.schedule .* of type builtin_function.*begin with _ are left out"
    ):
        tg.save(optimizer, path)
    del optimizer.schedule
    optimizer._own, optimizer.warm_up = print, 10
    tg.save(optimizer, path)
    assert contents(path)["SGD.warm_up"] == 10
