"""What a network that reads digits has learned: its weights, and what it misreads.

python demos/weights.py          prints tables of accuracies and writes weights.png here
"""

import numpy as np
from ready import ready

from tinygrad_edu import data, epochs, nn, no_grad, optim

HIDDEN, EPOCHS, BATCH_SIZE, LEARNING_RATE = 30, 30, 30, 0.3
Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def load(rng: np.random.Generator) -> Split:
    """Pixels and labels of the digits for training and validation, brightness 0 to 1."""
    x, y = data.load_digits()
    return data.train_test_split((x / 16).astype(np.float32), y, test_size=0.2, rng=rng)


def probabilities(model: nn.MLP, x: np.ndarray) -> np.ndarray:
    """What the model gives to each of the ten digits, for each picture."""
    with no_grad():
        found: np.ndarray = model(x).softmax(axis=1).data
    return found


def train(split: Split, rng: np.random.Generator) -> tuple[nn.MLP, list[tuple[float, float]]]:
    """A 64-30-10 network, and its accuracies on both sets before training and after each epoch."""
    x, x_val, y, y_val = split
    model = nn.MLP(64, [HIDDEN, 10], rng=rng, dtype=np.float32)

    optimizer = optim.SGD(model.parameters(), lr=LEARNING_RATE)
    loader = data.DataLoader(x, y, BATCH_SIZE, rng=rng)

    def both() -> tuple[float, float]:
        with no_grad():
            return nn.accuracy(model(x), y), nn.accuracy(model(x_val), y_val)

    accuracies = [both()]
    accuracies += [
        both() for _ in epochs(model, nn.cross_entropy, loader, optimizer, EPOCHS, replay=True)
    ]
    return model, accuracies


def print_tables(accuracies: list[tuple[float, float]], seen: np.ndarray, y: np.ndarray) -> None:
    """Accuracies by epoch; then, for each digit of the validation set, what it was taken for."""
    print("epoch  training  validation")
    for epoch in (0, 1, 2, 3, 5, 10, 20, EPOCHS):
        print("{:5}  {:8.3f}  {:10.3f}".format(epoch, *accuracies[epoch]))
    print("\ndigit  pictures  read right  taken for")
    for digit in range(10):
        found = seen[y == digit]
        others = ", ".join(map(str, found[found != digit].tolist()))
        print(f"{digit:5}  {len(found):8}  {(found == digit).sum():10}  {others}".rstrip())


def plot(weights: np.ndarray, x: np.ndarray, given: np.ndarray, y: np.ndarray, path: str) -> None:
    """The weights of each hidden unit as a picture of 8 × 8; the digits that are least certain."""
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(11, 5), layout="constrained")
    halves = figure.add_gridspec(1, 2, width_ratios=(6, 5))
    left, right = figure.add_subfigure(halves[0]), figure.add_subfigure(halves[1])
    most = float(np.abs(weights).max())  # the same for both signs: white is 0
    tiles = left.subplots(5, HIDDEN // 5)
    for tile, weight in zip(tiles.flat, weights.T, strict=True):
        image = tile.imshow(weight.reshape(8, 8), cmap="RdBu_r", vmin=-most, vmax=most)
        tile.set(xticks=[], yticks=[])
    left.suptitle("weights from the pixels to each hidden unit")
    left.colorbar(image, ax=tiles, shrink=0.7)

    seen, places = given.argmax(axis=1), right.subplots(3, 4).flat
    right.suptitle(f"{(seen != y).sum()} of {len(y)} digits are misread; the least certain")
    for place, i in zip(places, given[range(len(y)), y].argsort(), strict=False):
        place.imshow(x[i].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        right_or_not = "read right" if seen[i] == y[i] else f"taken for {seen[i]}"
        place.set_title(f"{y[i]} {right_or_not}", fontsize=9)
        place.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    ready("matplotlib")
    rng = np.random.default_rng(0)
    split = load(rng)
    model, accuracies = train(split, rng)
    _, x_val, _, y_val = split
    given = probabilities(model, x_val)
    print_tables(accuracies, given.argmax(axis=1), y_val)
    plot(model.parameters()[0].data, x_val, given, y_val, "weights.png")
    print("\nweights and the least certain digits: weights.png")
