"""A GPT whose every number is a Value: multiplied, added and differentiated one by one.

python demos/microgpt.py         trains it, and writes a step of a smaller one as microgpt.html
"""

import random

from ready import ready

from tinygrad_edu import Value, collector_paused, data, group, no_grad, optim, to_html
from tinygrad_edu.scalar_nn import softmax

STEPS, RATE, LENGTH = 60, 0.02, 8
Vector = list[Value]


def dot(x: Vector, y: Vector) -> Value:
    total = x[0] * y[0]
    for a, b in zip(x[1:], y[1:], strict=True):
        total = total + a * b
    return total


@group("norm")
def scaled(x: Vector) -> Vector:
    factor = (dot(x, x) / len(x) + 1e-5) ** -0.5
    return [a * factor for a in x]


class MicroGPT:
    """One block of attention and a hidden layer. Its parameters are tables of Values."""

    def __init__(self, classes: int, width: int, heads: int) -> None:
        self.part, n, draw = width // heads, width, random.Random(0)
        shapes = {"letters": (classes, n), "places": (LENGTH, n), "up": (4 * n, n)}
        shapes |= dict.fromkeys(("query", "key", "value", "out"), (n, n))
        shapes |= {"down": (n, 4 * n), "head": (classes, n)}
        self.tables: dict[str, list[Vector]] = {
            name: [[Value(draw.gauss(0, 0.2), f"{name}.w{i}_{j}") for j in range(m)]
                   for i in range(k)] for name, (k, m) in shapes.items()
        }  # fmt: skip
        self.parameters = [x for table in self.tables.values() for row in table for x in row]

    def linear(self, name: str, x: Vector) -> Vector:
        return [dot(row, x) for row in self.tables[name]]

    def next_letter(self, letter: int, keys: list[Vector], values: list[Vector]) -> Vector:
        """How probable each letter is after this one; keys and values are of those before it."""
        with group("attention"):
            rows = self.tables["letters"][letter], self.tables["places"][len(keys)]
            x, found = [a + b for a, b in zip(*rows, strict=True)], list[Value]()
            query = self.linear("query", scaled(x))
            keys.append(self.linear("key", scaled(x)))
            values.append(self.linear("value", scaled(x)))
            for part in (slice(i, i + self.part) for i in range(0, len(x), self.part)):
                with group(f"head {part.start // self.part + 1}"):
                    weights = softmax([dot(query[part], k[part]) * self.part**-0.5 for k in keys])
                    found += [dot(weights, [v[j] for v in values]) for j in range(len(x))[part]]
            x = [a + b for a, b in zip(x, self.linear("out", found), strict=True)]
        with group("hidden layer"):
            hidden = self.linear("down", [a.relu() for a in self.linear("up", scaled(x))])
            x = [a + b for a, b in zip(x, hidden, strict=True)]
        return softmax(self.linear("head", scaled(x)))

    def loss(self, text: list[int]) -> Value:
        """The mean of -log p of each letter that comes, in a name between two marks."""
        keys, values, losses = list[Vector](), list[Vector](), list[Value]()
        for i, after in enumerate(text[1 : LENGTH + 1]):
            with group(f"letter {i + 1}"):
                losses.append(-self.next_letter(text[i], keys, values)[after].log())
        return dot(losses, [Value(1 / len(losses))] * len(losses))


@collector_paused()
def main(steps: int = STEPS) -> list[float]:
    from tqdm import tqdm

    names, losses = random.Random(1).sample(data.load_names(), steps), []
    characters = data.Characters(names)
    model = MicroGPT(len(characters), width=16, heads=4)
    optimizer = optim.Adam(model.parameters, RATE)
    for name in tqdm(names, desc="training", unit="name"):
        loss = model.loss([0, *characters.encode(name).tolist(), 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.data)
    print(f"loss of ten names {sum(losses[:10]) / 10:.3f}, later {sum(losses[-10:]) / 10:.3f}")
    model, keys, values = MicroGPT(classes=3, width=4, heads=2), list[Vector](), list[Vector]()
    with no_grad():  # what comes after the mark is given: the page shows the next prediction
        model.next_letter(0, keys, values)
    step = -model.next_letter(1, keys, values)[0].log()
    to_html(step, "microgpt.html", title="One step of a GPT of numbers")
    return losses


if __name__ == "__main__":
    ready("tqdm")
    main()
