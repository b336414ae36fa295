"""Names from pairs of letters: counted, and learned by a table of scores. Both are the same model.

python demos/bigram.py           counts, trains, prints new names, and writes bigram.png here
"""

import sys

import numpy as np
from ready import ready

from tinygrad_edu import TrainingStep, data, nn, optim, rules

STEPS, RATE = 200, 50.0


def counted(x: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
    """How probable each letter is after each other, by how often that occurs."""
    counts: np.ndarray = nn.confusion_matrix(y, x, classes=classes)
    probabilities: np.ndarray = counts / counts.sum(axis=1, keepdims=True)
    return probabilities


def learned(x: np.ndarray, y: np.ndarray, classes: int, steps: int) -> np.ndarray:
    """The same by gradient descent: row i of a table has the scores of what follows letter i."""
    from tqdm import tqdm

    table = nn.Embedding(classes, classes, rng=0)
    step = TrainingStep(lambda x, y: nn.cross_entropy(table(x), y), optim.SGD([table.weight], RATE))
    with tqdm(range(steps), desc="training", unit="step", file=sys.stderr) as progress:
        for _ in progress:
            progress.set_postfix(loss=f"{step(x, y):.4f}")
    return rules.softmax(table.weight.data)


def loss_of(probabilities: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """The mean negative logarithm of the probability of each letter that came."""
    return float(-np.log(probabilities[x, y]).mean())


def sample(probabilities: np.ndarray, characters: data.Characters, rng: np.random.Generator) -> str:
    """A new name, letter by letter, each drawn by what came before."""
    drawn = [int(rng.choice(len(characters), p=probabilities[0]))]
    while drawn[-1]:
        drawn.append(int(rng.choice(len(characters), p=probabilities[drawn[-1]])))
    return characters.decode(drawn[:-1])


def plot(probabilities: np.ndarray, letters: str, path: str) -> None:
    """Which letter follows which."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 6), layout="constrained")
    shown = axes.imshow(probabilities, cmap="Blues")
    places = range(len(letters))
    axes.set(xticks=places, yticks=places, xticklabels=letters, yticklabels=letters,
             xlabel="next letter", title="how probable the next letter is")  # fmt: skip
    figure.colorbar(shown)
    figure.savefig(path, dpi=120)


def main(steps: int = STEPS) -> tuple[float, float]:
    """Both losses, and the largest difference of a probability."""
    names = data.load_names()
    characters = data.Characters(names)
    x, y = characters.contexts(names, 1)
    x, classes = x[:, 0], len(characters)
    print(f"{len(names)} names, {len(x)} pairs of {classes} letters; the dot is beginning and end")
    count, table = counted(x, y, classes), learned(x, y, classes, steps)
    print(f"loss of equal chances {np.log(classes):.4f}")
    with np.errstate(divide="ignore"):
        print(f"loss by counting      {loss_of(count, x, y):.4f}")
    print(f"loss by learning      {loss_of(table, x, y):.4f}")
    rng = np.random.default_rng(0)
    print("new names:", *(sample(table, characters, rng) for _ in range(8)))
    plot(table, characters.alphabet, "bigram.png")
    print("probabilities: bigram.png")
    return loss_of(count, x, y), loss_of(table, x, y)


if __name__ == "__main__":
    ready("matplotlib", "tqdm")
    main()
