"""Rows with PyTorch itself: what it draws (L6, T4 to T6), and its autograd (L6, C1, K2, T3, T9)."""

import numpy as np
import pytest
from draws import TorchDraws, enlarged_digits, standardized_digits

from tinygrad_edu import Tensor, broadcast_to, nn

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[oracles]'")
F = torch.nn.functional


def leaf(array):
    return torch.tensor(array, requires_grad=True)


@pytest.mark.parametrize("seed", [42, 0, 123456])
def test_l6_the_draws_are_those_of_torch(seed):
    draws = TorchDraws(seed)
    torch.manual_seed(seed)
    for kind, shape in [("randn", (3, 2)), ("randn", (2, 4)), ("rand", (100, 1)),
                        ("randn", (1, 10)), ("randn", (10, 1)), ("randn", (4, 1))]:  # fmt: skip
        theirs = getattr(torch, kind)(*shape).numpy()
        assert getattr(draws, kind)(*shape) == pytest.approx(theirs, rel=2e-6)


def test_l6_a_layer_against_a_column_of_targets():
    torch.manual_seed(42)
    x, w = torch.randn(3, 2, requires_grad=True), torch.randn(2, 4, requires_grad=True)
    target = torch.tensor([[0.0], [1.0], [0.0]])
    torch.mean((x @ w + 0.5 - target) ** 2).backward()
    ours = Tensor(x.detach().numpy()), Tensor(w.detach().numpy())
    nn.mse_loss(ours[0] @ ours[1] + 0.5, broadcast_to(target.numpy(), (3, 4))).backward()
    for node, theirs in zip(ours, (x, w), strict=True):
        assert node.grad == pytest.approx(theirs.grad.numpy(), rel=1e-5, abs=1e-7)
    figures = [[0.4683, -0.1957, 0.0816, -0.1077], [0.0982, -0.0425, 0.0189, -0.0397]]
    assert ours[1].grad == pytest.approx(np.array(figures), abs=6e-5)


@pytest.mark.parametrize("seed", range(3))
def test_c1_cross_entropy(seed):
    rng = np.random.default_rng(seed)
    x, labels = rng.normal(0, 3, (7, 5)), rng.integers(5, size=7)
    theirs, ours = leaf(x), Tensor(x)
    expected = F.cross_entropy(theirs, torch.tensor(labels))
    expected.backward()
    loss = nn.cross_entropy(ours, labels)
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-13)
    assert ours.grad == pytest.approx(theirs.grad.numpy(), rel=1e-12, abs=1e-15)


def both_gradients(x, labels, shapes, losses, deviation):
    """Gradients of two layers by the engine and by torch, from the same start."""
    rng = np.random.default_rng(0)
    start = [deviation * rng.normal(size=shape) for shape in shapes]
    ours, theirs = [Tensor(p) for p in start], [leaf(p) for p in start]
    w1, b1, w2, b2 = ours
    losses[0]((x @ w1 + b1).relu() @ w2 + b2, labels).backward()
    w1, b1, w2, b2 = theirs
    losses[1]((torch.tensor(x) @ w1 + b1).relu() @ w2 + b2, torch.tensor(labels)).backward()
    return [p.grad for p in ours], [p.grad.numpy() for p in theirs]


def column_against(mse):
    return lambda output, labels: mse(output[:, 0], labels)


def test_k2_every_parameter_of_a_classification():
    x, _, labels, _ = standardized_digits()
    shapes = (64, 30), (30,), (30, 10), (10,)
    losses = nn.cross_entropy, F.cross_entropy
    for found, expected in zip(*both_gradients(x, labels, shapes, losses, 0.2), strict=True):
        assert np.allclose(found, expected, rtol=1e-10, atol=1e-14)


def test_t3_every_parameter_of_a_regression_of_digits():
    x, _, labels, _ = standardized_digits()
    shapes = (64, 30), (30,), (30, 1), (1,)
    losses = column_against(nn.mse_loss), column_against(F.mse_loss)
    labels = labels.astype(float)
    for found, expected in zip(*both_gradients(x, labels, shapes, losses, 1.0), strict=True):
        assert np.allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_t9_every_parameter_of_a_regression_of_pictures():
    x, labels = enlarged_digits(28)
    shapes = (784, 50), (50,), (50, 1), (1,)
    losses = column_against(nn.mse_loss), column_against(F.mse_loss)
    labels = labels.astype(float)
    for found, expected in zip(*both_gradients(x, labels, shapes, losses, 1.0), strict=True):
        assert np.allclose(found, expected, rtol=1e-10, atol=1e-8)
