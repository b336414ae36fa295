"""Train a 64-30-10 network on the bundled handwritten digits, in about a second.

python demos/digits.py           trains it twice, recorded and replayed, and writes digits.png here
python demos/digits.py --replay  trains it by replay alone
python demos/digits.py --page    writes the graph of one training step as digits.html, too
"""

import sys
import time

import numpy as np
from ready import ready

from tinygrad_edu import History, data, fit, nn, optim, to_html

EPOCHS, BATCH_SIZE, LEARNING_RATE = 30, 30, 0.3


def train(seed: int = 0, replay: bool = False) -> History:
    """Record the graph of every step, or record one step and replay it; returns every epoch."""
    rng = np.random.default_rng(seed)
    x, y = data.load_digits()
    x_train, x_val, y_train, y_val = data.train_test_split(x, y, test_size=0.2, rng=rng)
    mean, std = x_train.mean(), x_train.std()  # one for all pixels, of the training set
    x_train, x_val = (((part - mean) / std).astype(np.float32) for part in (x_train, x_val))
    model = nn.MLP(64, [30, 10], init="he", rng=rng, dtype=np.float32)
    optimizer = optim.SGD(model.parameters(), lr=LEARNING_RATE)
    loader = data.DataLoader(x_train, y_train, BATCH_SIZE, rng=rng)
    return fit(model, nn.cross_entropy, loader, optimizer, EPOCHS, replay=replay,
               validation=(x_val, y_val), metrics=[nn.accuracy])  # fmt: skip


def write_page(path: str) -> None:
    """The graph of one training step, with its layers folded."""
    x, y = data.load_digits()
    loss = nn.cross_entropy(nn.MLP(64, [30, 10], rng=0)(x[:BATCH_SIZE] / 16), y[:BATCH_SIZE])
    loss.label = "loss"
    loss.backward()
    to_html(loss, path, title="One training step of 64-30-10")


if __name__ == "__main__":
    ready("matplotlib")
    histories = {}
    for way in ["replayed"] if "--replay" in sys.argv else ["recorded", "replayed"]:
        start = time.perf_counter()
        histories[way] = history = train(replay=way == "replayed")
        seconds = time.perf_counter() - start
        print(f"{way}: {seconds:.2f} s, accuracy at the end {history.accuracy[-1]:.4f}")
    print(history)
    if len(histories) == 2:
        for name in ("loss", "validation_loss", "accuracy"):
            recorded, replayed = (way[name] for way in histories.values())
            print(f"largest difference of {name}: {np.abs(recorded - replayed).max():.0e}")
    history.plot("digits.png")
    print("curves: digits.png")
    if "--page" in sys.argv:
        write_page("digits.html")
