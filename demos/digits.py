"""Train a 64-30-10 network on the bundled handwritten digits, in about a second.

python demos/digits.py           trains it twice, recorded and replayed, and writes digits.png here
python demos/digits.py --replay  trains it by replay alone
python demos/digits.py --page    writes the graph of one training step as digits.html, too
"""

import sys
import time

import numpy as np
from ready import ready

from tinygrad_edu import Tensor, TrainingStep, data, nn, no_grad, optim, to_html

History = list[tuple[float, float, float]]  # training and validation loss, and accuracy
EPOCHS, BATCH_SIZE, LEARNING_RATE = 30, 30, 0.3


def train(seed: int = 0, replay: bool = False) -> History:
    """Record the graph of every step, or record one step and replay it; returns every epoch."""
    from tqdm import tqdm

    rng = np.random.default_rng(seed)
    x, y = data.load_digits()
    x_train, x_val, y_train, y_val = data.train_test_split(x, y, test_size=0.2, rng=rng)
    mean, std = x_train.mean(), x_train.std()  # one for all pixels, of the training set
    x_train, x_val = (((part - mean) / std).astype(np.float32) for part in (x_train, x_val))
    model = nn.MLP(64, [30, 10], init="he", rng=rng, dtype=np.float32)
    optimizer = optim.SGD(model.parameters(), lr=LEARNING_RATE)
    loader = data.DataLoader(x_train, y_train, BATCH_SIZE, rng=rng)

    def loss_of(x: np.ndarray, y: np.ndarray) -> Tensor:
        return nn.cross_entropy(model(x), y)

    def epoch_of_graphs(loader: data.DataLoader) -> list[float]:
        losses = []
        for x_batch, y_batch in loader:
            loss = loss_of(x_batch, y_batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    run_epoch = TrainingStep(loss_of, optimizer).epoch if replay else epoch_of_graphs
    history = []
    for _ in tqdm(range(EPOCHS), desc="training", unit="epoch", file=sys.stderr):
        losses = run_epoch(loader)
        with no_grad():
            logits = model(x_val)
            val_loss = nn.cross_entropy(logits, y_val).item()
        accuracy = float((logits.data.argmax(axis=1) == y_val).mean())
        history.append((float(np.mean(losses)), val_loss, accuracy))
    return history


def plot(history: History, path: str) -> None:
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
    ready("matplotlib", "tqdm")
    histories = {}
    for way in ["replayed"] if "--replay" in sys.argv else ["recorded", "replayed"]:
        start = time.perf_counter()
        histories[way] = history = train(replay=way == "replayed")
        seconds = time.perf_counter() - start
        print(f"{way}: {seconds:.2f} s, accuracy at the end {history[-1][2]:.4f}")
    text = "epoch {:2}: train loss {:.4f}, validation loss {:.4f}, validation accuracy {:.3f}"
    print(*(text.format(epoch, *figures) for epoch, figures in enumerate(history, 1)), sep="\n")
    if len(histories) == 2:
        text = "largest differences: train loss {:.0e}, validation loss {:.0e}, accuracy {:.0e}"
        print(text.format(*np.abs(np.diff([*histories.values()], axis=0)[0]).max(axis=0)))
    plot(history, "digits.png")
    print("curves: digits.png")
    if "--page" in sys.argv:
        write_page("digits.html")
