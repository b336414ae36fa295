"""A small GPT that invents names: one block of attention and a hidden layer, trained in a minute.

python demos/gpt.py              trains it, prints names, and writes gpt.png here
python demos/gpt.py --page       writes the graph of one training step as gpt.html, too
"""

import sys

import numpy as np
from ready import ready

from tinygrad_edu import Tensor, data, nn, no_grad, optim, rules, to_html, topological_order

LENGTH, WIDTH, HEADS, BATCH, STEPS, RATE = 12, 32, 4, 64, 600, 0.01


class GPT(nn.Module):
    """Letters and places become vectors; each letter looks at those before it; then scores."""

    def __init__(self, classes: int, rng: np.random.Generator) -> None:
        self.letters = nn.Embedding(classes, WIDTH, rng=rng)
        self.places = nn.Embedding(LENGTH, WIDTH, rng=rng)
        self.norms = [nn.RMSNorm(WIDTH, eps=1e-5) for _ in range(3)]
        self.attention = nn.MultiHeadAttention(WIDTH, HEADS, causal=True, rng=rng)
        wide, narrow = nn.Linear(WIDTH, 4 * WIDTH, rng=rng), nn.Linear(4 * WIDTH, WIDTH, rng=rng)
        self.hidden = nn.Sequential(wide, nn.GELU("tanh"), narrow)
        self.head = nn.Linear(WIDTH, classes, init=0.02, rng=rng)
        for name, parameter in self.named_parameters():
            parameter.label = name  # so that the page folds it

    def __call__(self, x: np.ndarray) -> Tensor:
        h = self.letters(x) + self.places(np.arange(x.shape[-1]))
        h = h + self.attention(self.norms[0](h))
        h = h + self.hidden(self.norms[1](h))
        return self.head(self.norms[2](h))


def train(model: GPT, x: np.ndarray, y: np.ndarray, steps: int) -> list[float]:
    """Adam on random batches, with a rate that falls to a tenth; returns the loss of every step."""
    from tqdm import tqdm

    rng, optimizer, losses = np.random.default_rng(1), optim.Adam(model.parameters(), RATE), []
    with tqdm(range(steps), desc="training", unit="step", file=sys.stderr) as progress:
        for i in progress:
            optimizer.lr = RATE * (0.1 + 0.45 * (1 + np.cos(np.pi * i / steps)))
            batch = rng.integers(len(x), size=BATCH)
            loss = nn.cross_entropy(model(x[batch]), y[batch], ignore_index=-1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if i % 20 == 0:
                progress.set_postfix(loss=f"{np.mean(losses[-100:]):.3f}")
    return losses


def sample(model: GPT, characters: data.Characters, rng: np.random.Generator) -> str:
    """A new name, each letter drawn by all before it, until the mark of the end."""
    drawn = [0]
    while len(drawn) <= LENGTH and (len(drawn) == 1 or drawn[-1]):
        with no_grad():
            p = rules.softmax(model(np.array(drawn)).data[-1])
        drawn.append(int(rng.choice(len(p), p=p)))
    return characters.decode(drawn[1:]).rstrip(".")


def plot(model: GPT, characters: data.Characters, name: str, path: str) -> None:
    """What each letter of a name looks at, in every head."""
    import matplotlib.pyplot as plt

    order = topological_order(model(characters.encode(f".{name}")))
    (weights,) = (node.data for node in order if node.label == "attention")
    figure, axes = plt.subplots(1, HEADS, figsize=(11, 3.2), layout="constrained")
    for head, plane in enumerate(axes):
        plane.imshow(weights[head], cmap="Blues", vmin=0, vmax=1)
        places = range(len(name) + 1)
        plane.set(xticks=places, yticks=places, xticklabels=f".{name}", title=f"head {head + 1}")
        plane.set(yticklabels=f".{name}", xlabel="looks at")
    figure.savefig(path, dpi=120)


def main(steps: int = STEPS, page: bool = False) -> list[float]:
    names = data.load_names()
    characters, rng = data.Characters(names), np.random.default_rng(0)
    model = GPT(len(characters), rng)
    x, y = characters.sequences(names, LENGTH)
    losses = train(model, x, y, steps)
    print(f"loss {losses[0]:.3f} at first, {np.mean(losses[-100:]):.3f} in the last hundred steps")
    print("new names:", *(sample(model, characters, rng) for _ in range(10)))
    plot(model, characters, "jasmine", "gpt.png")
    if page:
        loss = nn.cross_entropy(model(x[:4]), y[:4], ignore_index=-1)
        to_html(loss, "gpt.html", title="One training step of a GPT")
    return losses


if __name__ == "__main__":
    ready("matplotlib", "tqdm")
    main(page="--page" in sys.argv)
