"""torch's layout: against a forward pass written for it in NumPy, and against torch itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Tensor, nn, scalar_nn


def torch_forward(state, x):
    """What torch.nn.Sequential(Linear, ReLU, ..., Linear) computes: x · weightᵀ + bias."""
    last = max(int(name.partition(".")[0]) for name in state)
    for i in range(0, last + 1, 2):
        weight, bias = state[f"{i}.weight"], state[f"{i}.bias"]
        x = np.array([[row @ unit + b for unit, b in zip(weight, bias, strict=True)] for row in x])
        x = np.maximum(x, 0) if i < last else x
    return x


widths = st.lists(st.integers(1, 5), min_size=1, max_size=4)
dtypes = st.sampled_from([np.float32, np.float64])


@given(inputs=st.integers(1, 4), outputs=widths, dtype=dtypes, seed=st.integers(0, 99))
def test_an_mlp_has_the_names_and_the_layout_of_torch(inputs, outputs, dtype, seed):
    model = nn.MLP(inputs, outputs, rng=seed, dtype=dtype)
    for p in model.parameters():
        p.data = p.data + dtype(0.25)
    state = tg.to_state_dict(model)
    shapes = {}
    for i, (before, after) in enumerate(zip([inputs, *outputs], outputs, strict=False)):
        shapes |= {f"{2 * i}.weight": (after, before), f"{2 * i}.bias": (after,)}
    assert {name: array.shape for name, array in state.items()} == shapes
    assert list(state) == list(shapes)
    for array in state.values():
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.dtype == dtype
    x = np.random.default_rng(seed).normal(size=(3, inputs)).astype(dtype)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(torch_forward(state, x), model(x).data, tolerance, tolerance)
    other = nn.MLP(inputs, outputs, rng=seed + 1, dtype=dtype)
    assert tg.load_state_dict(other, state) is None
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert (p.dtype, p.shape, p.data.tobytes()) == (q.dtype, q.shape, q.data.tobytes())


def test_arrays_are_copies_both_ways_and_gradients_are_0_after():
    model = nn.MLP(2, [3, 1], rng=0)
    state = tg.to_state_dict(model)
    held, before = model.layers[0].weight.data, model.layers[0].weight.data.copy()
    state["0.weight"][0, 0] = 7.0
    assert (held == before).all()
    for p in model.parameters():
        p.grad = np.ones(p.shape)
    tg.load_state_dict(model, state)
    assert (held == before).all()
    assert model.layers[0].weight.data[0, 0] == 7.0
    state["0.weight"][0, 0] = 8.0
    state["2.bias"][...] = 8.0
    assert model.layers[0].weight.data[0, 0] == 7.0
    assert model.layers[2].bias.data[0] == 0.0
    assert not any(p.grad.any() for p in model.parameters())


class Net(nn.Module):
    def __init__(self, dtype=np.float64):
        self.hidden = nn.Linear(2, 3, rng=0, dtype=dtype)
        self.blocks = [nn.Linear(3, 3, rng=1, dtype=dtype), {"tied": self.hidden}]
        self.head = nn.Sequential(
            nn.Sequential(nn.Linear(3, 1, bias=False, dtype=dtype)), nn.Tanh()
        )
        self.scale = Tensor([[1.0, 2.0, 3.0]], dtype=dtype)
        self.me = self


def test_modules_of_ones_own_are_named_by_their_attributes():
    net = Net()
    state = tg.to_state_dict(net)
    assert {name: array.shape for name, array in state.items()} == {
        "hidden.weight": (3, 2),
        "hidden.bias": (3,),
        "blocks.0.weight": (3, 3),
        "blocks.0.bias": (3,),
        "blocks.1.tied.weight": (3, 2),
        "blocks.1.tied.bias": (3,),
        "head.0.0.weight": (1, 3),
        "scale": (1, 3),
    }
    tg.load_state_dict(net, {name: array + 1 for name, array in state.items()})
    assert (net.scale.data == [[2.0, 3.0, 4.0]]).all()
    assert (net.hidden.weight.data == state["hidden.weight"].T + 1).all()
    state["blocks.1.tied.bias"][0] = -1.0
    with pytest.raises(
        ValueError, match=r"hidden\.bias and blocks\.1\.tied\.bias are one parameter .* but differ"
    ):
        tg.load_state_dict(net, state)


def test_parameters_beside_the_layers_of_a_sequential():
    class Scaled(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Linear(2, 2))
            self.scale = Tensor(2.0)

    assert list(tg.to_state_dict(Scaled())) == ["0.weight", "0.bias", "scale"]


def without(state, name):
    return {key: array for key, array in state.items() if key != name}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: without(s, "2.bias"), ValueError, r"missing \['2\.bias'\], .* model \[\]"),
        (
            lambda s: s | {"4.bias": s["2.bias"]},
            ValueError,
            r"missing \[\], .* model \['4\.bias'\]",
        ),
        (
            lambda s: s | {"2.weight": s["2.weight"].T},
            ValueError,
            r"2\.weight has shape \(3, 1\); here it is \(1, 3\) \(outputs, inputs\)",
        ),
        (lambda s: s | {"2.bias": 1.0}, ValueError, r"2\.bias has shape \(\); here it is \(1,\)"),
        (
            lambda s: s | {"2.bias": np.zeros(1, np.float32)},
            ValueError,
            r"2\.bias is float32 and the model float64; .*dtype=np\.float32",
        ),
        (lambda s: s | {"2.bias": ["a"]}, TypeError, r"2\.bias is of dtype <U1, not real numbers"),
        (
            lambda s: s | {"2.bias": [[1], [1, 2]]},
            TypeError,
            r"2\.bias is not an array: .*inhom",
        ),
        (lambda s: s | {"2.bias": np.array([None])}, TypeError, r"2\.bias is of dtype object, not"),
    ],
)
def test_arrays_that_do_not_fit_change_nothing(change, error, message):
    model = nn.MLP(2, [3, 1], rng=0)
    before = [p.data for p in model.parameters()]
    state = {name: array + 1 for name, array in tg.to_state_dict(model).items()}
    with pytest.raises(error, match=f"^load_state_dict: {message}"):
        tg.load_state_dict(model, change(state))
    assert all(p.data is x for p, x in zip(model.parameters(), before, strict=True))


def test_only_modules_of_tensors():
    with pytest.raises(TypeError, match=r"to_state_dict: neurons\.0\.w\.0 is a Value; .* nn\.MLP"):
        tg.to_state_dict(scalar_nn.Layer(2, 2))
    for refused in (Tensor([1.0]), {}, None):
        with pytest.raises(TypeError, match=r"load_state_dict: expected a Module, got"):
            tg.load_state_dict(refused, {})


def test_by_way_of_a_file(tmp_path):
    model, other = nn.MLP(2, [3, 1], rng=0), nn.MLP(2, [3, 1], rng=1)
    np.savez(tmp_path / "torch.npz", **tg.to_state_dict(model))
    with np.load(tmp_path / "torch.npz") as file:
        tg.load_state_dict(other, file)
    x = np.ones((1, 2))
    assert model(x).item() == other(x).item()


# --- torch itself --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_torch_takes_it_and_gives_it_back(dtype):
    torch = pytest.importorskip("torch", reason="torch is the oracle here; pip install torch")
    ours = nn.MLP(4, [5, 3, 2], rng=0, dtype=dtype)
    layers = [torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3), torch.nn.ReLU()]
    theirs = torch.nn.Sequential(*layers, torch.nn.Linear(3, 2)).to(getattr(torch, dtype))
    x = np.random.default_rng(0).normal(size=(7, 4)).astype(dtype)

    def assert_equal_outputs():
        with torch.no_grad():
            expected = theirs(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(
            ours(x).data, expected, *[1e-5 if dtype == "float32" else 1e-12] * 2
        )

    tg.load_state_dict(ours, theirs.state_dict())
    assert_equal_outputs()
    tg.load_state_dict(ours, dict(theirs.named_parameters()))  # these require gradients
    assert_equal_outputs()
    fresh = nn.MLP(4, [5, 3, 2], rng=1, dtype=dtype)
    arrays = tg.to_state_dict(fresh)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    ours = fresh
    assert_equal_outputs()
