"""Backpropagation by hand, one intermediate at a time, through batch norm and cross-entropy.

python demos/batch_norm_by_hand.py   checks a right backward pass, and one with a mistake in it

The network guesses the next letter of a word. Every step of its forward pass has a label.
"""

import numpy as np

from tinygrad_edu import Tensor, check_by_hand, exp, log, tanh

WORDS = ["ash", "oak", "elm", "beech", "birch", "maple", "hazel", "alder", "aspen", "cedar"]
LETTERS = "." + "".join(sorted(set("".join(WORDS))))  # the dot ends a word
CONTEXT, EMBEDDING, HIDDEN, EPS = 3, 4, 16, 1e-5
Arrays = dict[str, np.ndarray]


def windows() -> tuple[np.ndarray, np.ndarray]:
    """Three letters, and the one that follows, for every place in every word."""
    texts = [[LETTERS.index(letter) for letter in f"...{word}."] for word in WORDS]
    rows = [text[i : i + CONTEXT + 1] for text in texts for i in range(len(text) - CONTEXT)]
    return np.array(rows)[:, :CONTEXT], np.array(rows)[:, CONTEXT]


def start(rng: np.random.Generator) -> Arrays:
    """The parameters. Nothing is 0, because a gradient of 0 hides mistakes."""
    n, inputs, m = len(LETTERS), CONTEXT * EMBEDDING, HIDDEN
    shapes = {"C": (n, EMBEDDING), "W1": (inputs, m), "b1": (m,), "gain": (1, m), "bias": (1, m),
              "W2": (m, n), "b2": (n,)}  # fmt: skip
    return {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}


def forward(parameters: Arrays, x: np.ndarray, y: np.ndarray) -> dict[str, Tensor]:
    """Every node on the way to the loss, with its name as its label."""
    v, n = {name: Tensor(array) for name, array in parameters.items()}, len(x)
    v["emb"] = v["C"][x]
    v["embcat"] = v["emb"].reshape(n, CONTEXT * EMBEDDING)
    v["hprebn"] = v["embcat"] @ v["W1"] + v["b1"]
    v["mean"] = v["hprebn"].sum(0, keepdims=True) * (1 / n)
    v["diff"] = v["hprebn"] - v["mean"]
    v["diff2"] = v["diff"] ** 2
    v["var"] = v["diff2"].sum(0, keepdims=True) * (1 / (n - 1))
    v["var_inv"] = (v["var"] + EPS) ** -0.5
    v["raw"] = v["diff"] * v["var_inv"]
    v["hpreact"] = v["gain"] * v["raw"] + v["bias"]
    v["h"] = tanh(v["hpreact"])
    v["logits"] = v["h"] @ v["W2"] + v["b2"]
    v["norm_logits"] = v["logits"] - v["logits"].data.max(1, keepdims=True)
    v["counts"] = exp(v["norm_logits"])
    v["counts_sum"] = v["counts"].sum(1, keepdims=True)
    v["counts_sum_inv"] = v["counts_sum"] ** -1
    v["probs"] = v["counts"] * v["counts_sum_inv"]
    v["logprobs"] = log(v["probs"])
    v["loss"] = -v["logprobs"][np.arange(n), y].mean()
    for label, node in v.items():
        node.label = label
    return v


def backward(v: dict[str, Tensor], x: np.ndarray, y: np.ndarray, forgets: bool) -> Arrays:
    """The gradient of the loss by every node, each from those before it. `forgets` that diff is
    used twice: the variance depends on it, too."""
    a, n = {name: node.data for name, node in v.items()}, len(x)
    d = {"logprobs": np.zeros_like(a["logprobs"])}
    d["logprobs"][np.arange(n), y] = -1 / n
    d["probs"] = d["logprobs"] / a["probs"]
    d["counts_sum_inv"] = (d["probs"] * a["counts"]).sum(1, keepdims=True)
    d["counts_sum"] = -d["counts_sum_inv"] * a["counts_sum"] ** -2
    d["counts"] = d["probs"] * a["counts_sum_inv"] + d["counts_sum"]
    d["norm_logits"] = d["counts"] * a["counts"]
    d["logits"] = d["norm_logits"]
    d["h"] = d["logits"] @ a["W2"].T
    d["W2"], d["b2"] = a["h"].T @ d["logits"], d["logits"].sum(0)
    d["hpreact"] = d["h"] * (1 - a["h"] ** 2)
    d["gain"] = (d["hpreact"] * a["raw"]).sum(0, keepdims=True)
    d["bias"] = d["hpreact"].sum(0, keepdims=True)
    d["raw"] = d["hpreact"] * a["gain"]
    d["var_inv"] = (d["raw"] * a["diff"]).sum(0, keepdims=True)
    d["var"] = d["var_inv"] * -0.5 * (a["var"] + EPS) ** -1.5
    d["diff2"] = d["var"] * np.ones_like(a["diff2"]) / (n - 1)
    d["diff"] = d["raw"] * a["var_inv"]
    if not forgets:
        d["diff"] += d["diff2"] * 2 * a["diff"]
    d["mean"] = -d["diff"].sum(0, keepdims=True)
    d["hprebn"] = d["diff"] + d["mean"] * np.ones_like(a["hprebn"]) / n
    d["embcat"] = d["hprebn"] @ a["W1"].T
    d["W1"], d["b1"] = a["embcat"].T @ d["hprebn"], d["hprebn"].sum(0)
    d["emb"] = d["embcat"].reshape(a["emb"].shape)
    d["C"] = np.zeros_like(a["C"])
    np.add.at(d["C"], x, d["emb"])
    return d


if __name__ == "__main__":
    x, y = windows()
    nodes = forward(start(np.random.default_rng(0)), x, y)
    for forgets in (False, True):
        by_hand = backward(nodes, x, y, forgets)
        print(check_by_hand(nodes["loss"], **by_hand, raises=False), end="\n\n")
