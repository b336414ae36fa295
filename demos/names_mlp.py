"""Names from the three letters before each: an embedding, a hidden layer, 27 scores.

python demos/names_mlp.py        trains for some seconds, prints names, and writes names_mlp.png
"""

import sys

import numpy as np
from ready import ready

from tinygrad_edu import TrainingStep, data, nn, no_grad, optim, rules

CONTEXT, WIDTH, HIDDEN, BATCH, STEPS, RATES = 3, 10, 200, 32, 20_000, (0.1, 0.01)


def network(classes: int, rng: np.random.Generator) -> nn.Sequential:
    """3 letters of 10 numbers each, 200 units, a score for each letter."""
    return nn.Sequential(
        nn.Embedding(classes, WIDTH, rng=rng),
        nn.Flatten(),
        nn.Linear(CONTEXT * WIDTH, HIDDEN, init="glorot", rng=rng),
        nn.Tanh(),
        nn.Linear(HIDDEN, classes, init=0.01, rng=rng),  # so that it begins without an opinion
    )


def train(model: nn.Sequential, x: np.ndarray, y: np.ndarray, steps: int) -> list[float]:
    """Random batches, a smaller rate for the last quarter; returns the loss of every step."""
    from tqdm import tqdm

    rng, optimizer = np.random.default_rng(1), optim.SGD(model.parameters(), RATES[0])
    step = TrainingStep(lambda x, y: nn.cross_entropy(model(x), y), optimizer)
    losses = []
    with tqdm(range(steps), desc="training", unit="step", file=sys.stderr) as progress:
        for i in progress:
            optimizer.lr = RATES[i >= 3 * steps // 4]
            batch = rng.integers(len(x), size=BATCH)
            losses.append(step(x[batch], y[batch]))
            if i % 1000 == 0:
                progress.set_postfix(loss=f"{np.mean(losses[-1000:]):.3f}")
    return losses


def sample(model: nn.Sequential, characters: data.Characters, rng: np.random.Generator) -> str:
    """A new name, letter by letter."""
    drawn = [0] * CONTEXT
    while True:
        with no_grad():
            p = rules.softmax(model(np.array([drawn[-CONTEXT:]])).data[0])
        drawn.append(int(rng.choice(len(p), p=p)))
        if not drawn[-1]:
            return characters.decode(drawn[CONTEXT:-1])


def plot(losses: list[float], model: nn.Sequential, letters: str, path: str) -> None:
    """The loss on the left; on the right what the embedding has learned, in two directions."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
    wide = max(1, len(losses) // 100)
    means = np.reshape(losses[: len(losses) // wide * wide], (-1, wide)).mean(axis=1)
    left.plot(wide * np.arange(len(means)), means)
    left.set(xlabel="step", title="cross-entropy, means of a hundredth")
    table = model.parameters()[0].data
    places = (table - table.mean(0)) @ np.linalg.svd(table - table.mean(0))[2][:2].T
    for letter, (x, y) in zip(letters, places, strict=True):
        right.text(x, y, letter, color="#b64500" if letter in "aeiou" else "#005fa3")
    right.set(xlim=(places[:, 0].min() - 0.3, places[:, 0].max() + 0.3),
              ylim=(places[:, 1].min() - 0.3, places[:, 1].max() + 0.3),
              title="letters in the embedding; vowels in orange")  # fmt: skip
    figure.savefig(path, dpi=120)


def main(steps: int = STEPS) -> float:
    """Train on nine names of ten; returns the loss on the tenth."""
    names = data.load_names()
    characters = data.Characters(names)
    order = np.random.default_rng(0).permutation(len(names))
    train_set, test_set = (
        [names[i] for i in part] for part in np.split(order, [len(names) * 9 // 10])
    )
    model = network(len(characters), np.random.default_rng(0))
    print(model)
    losses = train(model, *characters.contexts(train_set, CONTEXT), steps)
    with no_grad():
        x, y = characters.contexts(test_set, CONTEXT)
        loss = nn.cross_entropy(model(x), y).item()
    print(f"loss at first {np.mean(losses[:20]):.3f}, at the end {np.mean(losses[-500:]):.3f}, "
          f"on names not seen {loss:.3f}")  # fmt: skip
    rng = np.random.default_rng(0)
    print("new names:", *(sample(model, characters, rng) for _ in range(8)))
    plot(losses, model, characters.alphabet, "names_mlp.png")
    print("loss and embedding: names_mlp.png")
    return loss


if __name__ == "__main__":
    ready("matplotlib", "tqdm")
    main()
