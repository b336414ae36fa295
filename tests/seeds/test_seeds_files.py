"""The training runs of the seed notebooks on pictures from files: rows T7 to T9.

The tests write files of the real formats from the bundled digits, read them back and train.
"""

import gzip
import struct

import by_hand
import numpy as np
import pytest
from draws import enlarged_digits

from tinygrad_edu import Tensor, TrainingStep, data, nn, no_grad, optim


def accuracy(model, x, labels):
    with no_grad():
        return float((model(x).data.argmax(axis=1) == labels).mean())


def trained(x, labels, x_test, labels_test, *, hidden=50, lr, steps, seed=0):
    """A network with deviation 0.01, trained on batches of 100 drawn with replacement.

    Returns it with a row of both accuracies after the first step of every epoch.
    """
    rng = np.random.default_rng(seed)
    model = nn.MLP(x.shape[1], [hidden, 10], init=0.01, rng=rng, dtype=x.dtype)
    step = TrainingStep(
        lambda x, y: nn.cross_entropy(model(x), y), optim.SGD(model.parameters(), lr=lr)
    )
    rows = []
    for i in range(steps):
        batch = rng.choice(len(x), 100)
        step(x[batch], labels[batch])
        if i % max(len(x) // 100, 1) == 0:
            rows.append((accuracy(model, x, labels), accuracy(model, x_test, labels_test)))
    return model, np.array(rows)


# --- T7: 16 × 16 digits from CSV -----------------------------------------------------------------


def write_csv(path, pictures, labels):
    header = ",".join(["label", *(f"pixel{i}" for i in range(pictures.shape[1]))])
    rows = [",".join(map(str, [label, *row])) for label, row in zip(labels, pictures, strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def test_t7_pictures_from_csv_files_made_here(tmp_path):
    """300 + 300 rows with brightness 0 to 16, and 1000 of the 10 000 steps."""
    pictures, labels = enlarged_digits(16)
    pictures = (16 * pictures).astype(int)
    order = np.random.default_rng(0).permutation(len(labels))
    for name, rows in (("trainset.csv", order[:300]), ("evalset.csv", order[300:600])):
        write_csv(tmp_path / name, pictures[rows], labels[rows])
    x, y = data.load_csv(tmp_path / "trainset.csv")
    x_eval, y_eval = data.load_csv(tmp_path / "evalset.csv")
    assert x.shape == x_eval.shape == (300, 256)
    assert np.array_equal(x, pictures[order[:300]])
    assert np.array_equal(y_eval, labels[order[300:600]])

    model, rows = trained(x, y, x_eval, y_eval, lr=0.005, steps=1000)
    assert len(rows) == 334  # an epoch is three batches
    assert rows[0].max() < 0.3
    assert accuracy(model, x, y) >= 0.99
    assert 0.88 <= accuracy(model, x_eval, y_eval) <= 0.97


# --- T8 and T9: MNIST ----------------------------------------------------------------------------

NAMES = "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", (
    "t10k-labels-idx1-ubyte"
)  # fmt: skip


def write_idx(path, array):
    """Big-endian: two zeros, 8 for unsigned bytes, the number of axes, their lengths, the bytes."""
    content = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    content += array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)


def read_mnist(files, dtype=np.float32):
    """Pictures from 0 to 1 and labels, for training and test, from files plain or gzipped."""
    paths = [files / name if (files / name).exists() else files / f"{name}.gz" for name in NAMES]
    x, y = data.load_idx(*paths[:2])
    x_test, y_test = data.load_idx(*paths[2:])
    return x.astype(dtype) / 255, y, x_test.astype(dtype) / 255, y_test


@pytest.fixture(scope="module", params=["", ".gz"], ids=["plain", "gzipped"])
def mnist_made_here(request, tmp_path_factory):
    """1400 pictures for training and 397 for the test, in files as those of MNIST."""
    files = tmp_path_factory.mktemp("mnist")
    pictures, labels = enlarged_digits(28)
    pictures = np.round(pictures * 255).reshape(-1, 28, 28)
    order = np.random.default_rng(0).permutation(len(labels))
    train, test = order[:1400], order[1400:]
    for name, array in zip(
        NAMES, (pictures[train], labels[train], pictures[test], labels[test]), strict=True
    ):
        write_idx(files / f"{name}{request.param}", array)
    return read_mnist(files)


def test_t8_a_network_on_files_made_here(mnist_made_here):
    """17 rows of accuracies as for MNIST, but an epoch is 14 steps and not 600."""
    x, y, x_test, y_test = mnist_made_here
    assert x.shape == (1400, 784)
    assert x_test.shape == (397, 784)
    assert (x.min(), x.max()) == (0, 1)
    _, rows = trained(x, y, x_test, y_test, lr=0.1, steps=16 * 14 + 1)
    assert len(rows) == 17
    assert rows[0].max() < 0.35
    assert rows[-1].min() >= 0.88
    assert (rows[-1] > rows[4]).all()


def same_gradients(x, labels, rtol):
    """784-50-1 with mean squared error: all gradients by the engine as those by hand."""
    rng = np.random.default_rng(0)
    shapes = (784, 50), (50,), (50, 1), (1,)
    start = [0.1 * rng.normal(size=shape).astype(x.dtype) for shape in shapes]
    expected, by_function = by_hand.regress(x, labels.astype(x.dtype), *start)
    leaf, w1, b1, w2, b2 = (Tensor(p) for p in (x, *start))
    loss = nn.mse_loss(((leaf @ w1 + b1).relu() @ w2 + b2)[:, 0], labels)
    loss.backward()
    assert loss.item() == pytest.approx(expected, rel=rtol)
    for node, gradient in zip([w1, b1, w2, b2, leaf], by_function, strict=True):
        assert node.grad.shape == node.shape
        assert np.abs(node.grad - gradient).max() <= rtol * np.abs(gradient).max()


def test_t9_the_gradients_of_a_regression_on_files_made_here(mnist_made_here):
    x, y, _, _ = mnist_made_here
    same_gradients(x.astype(np.float64), y, rtol=1e-12)
    same_gradients(x, y, rtol=1e-5)
