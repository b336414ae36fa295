"""Every layer of `nn`: against passes written by hand, and against torch where it is."""

import numpy as np
import pytest
from array_replays import assert_replays
from effort import first
from layers_by_hand import CASES, LABELS

import tinygrad_edu as tg
from tinygrad_edu import Tensor, check_backward
from tinygrad_edu.view.cards.folding import find_modules
from tinygrad_edu.view.cards.open_as_scalars import open_as_scalars
from tinygrad_edu.view.cards.reading import read

every_layer = pytest.mark.parametrize("name", CASES)
CHANGES_AT_EVERY_CALL = {"Dropout", "BatchNorm1d", "BatchNorm1d of sequences"}
quiet_layer = pytest.mark.parametrize("name", [x for x in CASES if x not in CHANGES_AT_EVERY_CALL])


def made(name, dtype=np.float64):
    """The layer with parameters that are nowhere 0 or 1, and inputs."""
    rng = np.random.default_rng(3)
    layer = CASES[name].make(dtype=dtype)
    for p in layer.parameters():
        p.data = p.data + rng.uniform(0.1, 0.5, p.shape).astype(dtype)
    return layer, [rng.normal(size=shape).astype(dtype) for shape in CASES[name].shapes]


def value_and_gradients(name, layer, inputs):
    leaves = [Tensor(x) for x in inputs]
    y = CASES[name].call(layer, *leaves)
    seed = np.random.default_rng(4).normal(size=y.shape)
    y.backward(seed)
    return y, [x.grad for x in (*leaves, *layer.parameters())], seed


@every_layer
def test_the_backward_pass_by_hand_is_right(name):
    layer, inputs = made(name)
    check_backward(
        CASES[name].forward, CASES[name].backward, *inputs, *[p.data for p in layer.parameters()]
    )


@every_layer
def test_values_and_gradients_are_those_by_hand(name):
    layer, inputs = made(name)
    y, gradients, seed = value_and_gradients(name, layer, inputs)
    expected, cache = CASES[name].forward(*inputs, *[p.data for p in layer.parameters()])
    np.testing.assert_allclose(y.data, expected, rtol=1e-12, atol=1e-13)
    by_hand = CASES[name].backward(seed, cache)
    by_hand = by_hand if isinstance(by_hand, tuple) else (by_hand,)
    for ours, own in zip(gradients, by_hand, strict=True):
        np.testing.assert_allclose(ours, own, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.torch])
def test_torch_gives_the_same_and_takes_the_weights_both_ways(name):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    layer, inputs = made(name)
    scope = {"torch": torch, "t": torch.nn, "LABELS": LABELS}
    theirs = eval(CASES[name].torch, scope).double()
    state = tg.to_state_dict(layer)
    theirs.load_state_dict({k: torch.as_tensor(v) for k, v in state.items()}, strict=True)
    leaves = [torch.tensor(x, requires_grad=True) for x in inputs]
    expected = eval(CASES[name].torch_call, {**scope, "layer": theirs, "inputs": tuple(leaves)})
    y, gradients, seed = value_and_gradients(name, layer, inputs)
    np.testing.assert_allclose(y.data, expected.detach(), rtol=1e-12, atol=1e-12)
    expected.backward(torch.as_tensor(seed))
    for ours, x in zip(gradients, leaves, strict=False):
        np.testing.assert_allclose(ours, x.grad, rtol=1e-12, atol=1e-12)
    back = {
        k: v.detach().numpy().copy() for k, v in theirs.state_dict().items()
    }  # also what it tracked
    for key, array in tg.to_state_dict(layer).items():
        np.testing.assert_allclose(array, back[key], rtol=1e-12)
    for p in theirs.parameters():
        p.data, p.grad = p.grad.clone(), None
    tg.load_state_dict(layer, theirs.state_dict())
    for key, array in tg.to_state_dict(layer).items():
        np.testing.assert_array_equal(array, theirs.state_dict()[key].numpy())
    for p, q in zip(layer.parameters(), gradients[len(leaves) :], strict=True):
        np.testing.assert_allclose(p.data, q, rtol=1e-12, atol=1e-12)  # torch's gradients


@every_layer
def test_float32_is_kept(name):
    layer, inputs = made(name, np.float32)
    y, gradients, _ = value_and_gradients(name, layer, inputs)
    assert {y.dtype, *(g.dtype for g in gradients)} == {np.dtype(np.float32)}
    for key, array in tg.to_state_dict(layer).items():
        assert array.dtype == (np.int64 if key == "num_batches_tracked" else np.float32)


@quiet_layer
def test_it_replays(name):
    layer, inputs = made(name)
    call = CASES[name].call
    seed = np.random.default_rng(4).normal(size=call(layer, *inputs).shape)
    if inputs:
        moved = [x + 0.1 for x in inputs]
        assert_replays(lambda *xs: (call(layer, *xs) * seed).sum(), inputs, moved)
    if not layer.parameters():
        return
    inputs = inputs or [LABELS]
    model, theirs = CASES[name].make(dtype=np.float64), CASES[name].make(dtype=np.float64)
    step = tg.TrainingStep(
        lambda *xs: (call(model, *xs) * seed).sum(), tg.optim.SGD(model.parameters(), 0.1)
    )
    optimizer = tg.optim.SGD(theirs.parameters(), 0.1)
    for batch in (inputs, [x[::-1] for x in inputs], inputs):
        loss = (call(theirs, *batch) * seed).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert step(*batch) == pytest.approx(loss.item(), rel=1e-11)
    for p, q in zip(model.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.data, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", sorted(CHANGES_AT_EVERY_CALL))
def test_what_a_replay_cannot_repeat_is_refused(name):
    layer, inputs = made(name)
    with pytest.raises(RuntimeError, match="which a replay cannot do again; record every step, or"):
        tg.replay(lambda x: layer(x).sum(), inputs)
    layer.eval()
    assert_replays(lambda x: (layer(x) ** 2).sum(), inputs, [inputs[0] + 1.0])


@every_layer
def test_it_folds_on_the_page_and_opens_as_scalars(name):
    layer, inputs = made(name)
    y = CASES[name].call(layer, *[Tensor(x[:2], "x") for x in inputs])
    modules, module_of = find_modules(*read((y * y).sum()))
    if name not in ("Dropout", "Flatten", "Embedding"):  # a single operation
        assert modules[0].name == type(layer).__name__
        assert 0 in module_of
    opened = open_as_scalars(y, limit=20_000)
    opened.root.backward()
    y.backward(np.ones(y.shape))
    for tensor, elements in opened.elements:
        if tensor is y or not tensor.operands:
            data = [v.data for v in elements.flat]
            np.testing.assert_allclose(data, tensor.data.ravel(), rtol=1e-12, atol=1e-14)
        if not tensor.operands:
            grads = [v.grad for v in elements.flat]
            np.testing.assert_allclose(grads, tensor.grad.ravel(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", first(4, CASES))
def test_the_repr_says_shapes_and_how_many_numbers_there_are(name):
    layer, _ = made(name)
    text = repr(layer)
    assert text.startswith(f"{type(layer).__name__}(")
    numbers = sum(p.size for p in layer.parameters())
    assert (f"{numbers} numbers" in text) is bool(numbers)
    for p in layer.parameters():
        assert str(p.shape) in text
    assert "running" not in text
    assert "num_batches_tracked" not in text
