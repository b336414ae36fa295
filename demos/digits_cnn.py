"""Handwritten digits by convolution: two layers of kernels, more than 98 % right.

python demos/digits_cnn.py       trains it in some seconds and writes digits_cnn.png here
python demos/digits_cnn.py --page   writes the graph of one training step as digits_cnn.html, too
"""

import sys

import numpy as np
from ready import ready

from tinygrad_edu import Tensor, TrainingStep, data, nn, no_grad, optim, to_html

EPOCHS, BATCH, RATE = 15, 32, 0.003


def network(rng: np.random.Generator) -> nn.Sequential:
    """8 × 8 pixels, 16 kernels, half the size, 32 kernels, half the size, 10 scores."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, rng=rng, dtype=np.float32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, rng=rng, dtype=np.float32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 10, rng=rng, dtype=np.float32),
    )


def train(model: nn.Sequential, digits: list[np.ndarray], epochs: int) -> list[float]:
    """Adam, with a tenth of the rate for the last third; returns the accuracy of every epoch."""
    from tqdm import tqdm

    x_train, x_test, y_train, y_test = digits
    optimizer = optim.Adam(model.parameters(), RATE)
    step = TrainingStep(lambda x, y: nn.cross_entropy(model(x), y), optimizer)
    loader, accuracies = data.DataLoader(x_train, y_train, BATCH, rng=0), []
    with tqdm(range(epochs), desc="training", unit="epoch", file=sys.stderr) as progress:
        for epoch in progress:
            optimizer.lr = RATE if epoch < 2 * epochs // 3 else RATE / 10
            loss = np.mean([step(x, y) for x, y in loader])
            with no_grad():
                accuracies.append(nn.accuracy(model(x_test), y_test))
            progress.set_postfix(loss=f"{loss:.4f}", accuracy=f"{accuracies[-1]:.3f}")
    return accuracies


def plot(model: nn.Sequential, table: np.ndarray, path: str) -> None:
    """The kernels of the first layer, and which digits are taken for which."""
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False)[0]
    kernels = model.parameters()[0].data[:, 0]
    most = np.abs(kernels).max()
    for plane, kernel in zip(left.subplots(4, 4).flat, kernels, strict=True):
        plane.imshow(kernel, cmap="RdBu", vmin=-most, vmax=most)
        plane.axis("off")
    left.suptitle("the 16 kernels of the first layer")
    plane = right.subplots()
    plane.imshow(np.log1p(table), cmap="Blues")
    for (row, column), count in np.ndenumerate(table):
        color = "white" if count > 5 else "black"
        plane.text(column, row, count or "", ha="center", va="center", fontsize=8, color=color)
    plane.set(xticks=range(10), yticks=range(10), xlabel="read as", ylabel="digit")
    figure.savefig(path, dpi=120)


def main(epochs: int = EPOCHS, page: bool = False) -> float:
    rng = np.random.default_rng(0)
    pixels, labels = data.load_digits()
    pictures = (pixels.reshape(-1, 1, 8, 8) / 16 - 0.3).astype(np.float32)
    digits = data.train_test_split(pictures, labels, rng=rng)
    model = network(rng)
    print(model)
    accuracies = train(model, list(digits), epochs)
    with no_grad():
        scores: Tensor = model(digits[1])
    table = nn.confusion_matrix(scores, digits[3])
    wrong = int(table.sum() - table.trace())
    print(f"{wrong} of {table.sum()} test digits misread, accuracy {accuracies[-1]:.4f}")
    plot(model, table, "digits_cnn.png")
    print("kernels and confusions: digits_cnn.png")
    if page:
        loss = nn.cross_entropy(network(rng)(pictures[:8]), labels[:8])
        loss.backward()
        to_html(loss, "digits_cnn.html", title="One training step of a convolutional network")
    return accuracies[-1]


if __name__ == "__main__":
    ready("matplotlib", "tqdm")
    main(page="--page" in sys.argv)
