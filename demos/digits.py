"""Train a 64-30-10 network on the bundled handwritten digits, in about a second.

python demos/digits.py           prints a line an epoch and writes digits.png here
python demos/digits.py --page    and the graph of one training step as digits.html
"""

import sys
import time

import numpy as np
from tqdm import tqdm

from tinygrad_edu import data, nn, no_grad, optim, to_html

EPOCHS, BATCH_SIZE, LEARNING_RATE = 30, 30, 0.3


def train(seed: int = 0) -> list[tuple[float, float, float]]:
    """Returns one (training loss, validation loss, validation accuracy) per epoch."""
    rng = np.random.default_rng(seed)
    x, y = data.load_digits()
    x_train, x_val, y_train, y_val = data.train_test_split(x, y, test_size=0.2, rng=rng)
    mean, std = x_train.mean(), x_train.std()  # one for all pixels, of the training set
    x_train, x_val = (((part - mean) / std).astype(np.float32) for part in (x_train, x_val))

    model = nn.MLP(64, [30, 10], init="he", rng=rng, dtype=np.float32)
    optimizer = optim.SGD(model.parameters(), lr=LEARNING_RATE)
    loader = data.DataLoader(x_train, y_train, BATCH_SIZE, rng=rng)
    history = []
    for epoch in tqdm(range(1, EPOCHS + 1), desc="training", unit="epoch", file=sys.stderr):
        losses = []
        for x_batch, y_batch in loader:
            loss = nn.cross_entropy(model(x_batch), y_batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with no_grad():
            logits = model(x_val)
            val_loss = nn.cross_entropy(logits, y_val).item()
        accuracy = float((logits.data.argmax(axis=1) == y_val).mean())
        history.append((float(np.mean(losses)), val_loss, accuracy))
        text = "epoch {:2}: train loss {:.4f}, validation loss {:.4f}, validation accuracy {:.3f}"
        tqdm.write(text.format(epoch, *history[-1]))
    return history


def plot(history: list[tuple[float, float, float]], path: str) -> None:
    """Both losses on the left, the accuracy on the right."""
    import matplotlib.pyplot as plt

    train_loss, val_loss, accuracy = zip(*history, strict=True)
    epochs = range(1, len(history) + 1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    left.plot(epochs, train_loss, label="training")
    left.plot(epochs, val_loss, "--", label="validation")
    left.set(xlabel="epoch", title="cross-entropy", ylim=(0, None))
    left.legend()
    right.plot(epochs, accuracy, color="tab:green")
    right.set(xlabel="epoch", title=f"validation accuracy, {accuracy[-1]:.1%} at the end")
    figure.savefig(path, dpi=120)


def write_page(path: str) -> None:
    """The graph of one training step, with its layers folded."""
    x, y = data.load_digits()
    loss = nn.cross_entropy(nn.MLP(64, [30, 10], rng=0)(x[:BATCH_SIZE] / 16), y[:BATCH_SIZE])
    loss.label = "loss"
    loss.backward()
    to_html(loss, path, title="One training step of 64-30-10")


if __name__ == "__main__":
    start = time.perf_counter()
    history = train()
    print(f"trained in {time.perf_counter() - start:.1f} s; curves: digits.png")
    plot(history, "digits.png")
    if "--page" in sys.argv:
        write_page("digits.html")
