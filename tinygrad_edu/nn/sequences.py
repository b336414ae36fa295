"""Layers for sequences: embedding, attention, and recurrent cells."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinygrad_edu import rules
from tinygrad_edu.data.data_sets import generator
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.module import Module, check_width
from tinygrad_edu.nn.dense import Linear, as_tensor, folded, start_deviation

if TYPE_CHECKING:
    from tinygrad_edu.data.data_sets import Rng


class Embedding(Module):
    """Row i of the weight for every integer i: (...) becomes (..., embedding_dim).

    The weight has shape (num_embeddings, embedding_dim) and starts normal with the deviation 1. A
    row that is taken several times gets the sum of its adjoints. TypeError unless the input is
    integers; IndexError for one out of range.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        rng: Rng = None,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        rows = check_width("Embedding: num_embeddings", num_embeddings)
        columns = check_width("Embedding: embedding_dim", embedding_dim)
        self.weight = Tensor(
            generator("Embedding", rng).normal(size=(rows, columns)), "weight", dtype
        )

    def __call__(self, x: Any) -> Tensor:
        places = np.asarray(x if not isinstance(x, Tensor) else x.data)
        rows = self.weight.shape[0]
        if isinstance(x, Tensor) or places.dtype.kind not in "iu":
            raise TypeError(
                f"Embedding: the input is of dtype {places.dtype}; give a plain array of integers"
            )
        if places.size and not (places.min() >= 0 and places.max() < rows):
            wrong = places.min() if places.min() < 0 else places.max()
            raise IndexError(
                f"Embedding: index {wrong} is out of range for {rows} rows, 0 to {rows - 1}"
            )
        return self.weight[places]


class MultiHeadAttention(Module):
    """softmax(q kᵀ / √d) v in several heads, side by side (Vaswani et al. 2017).

    Queries, keys and values are affine in the inputs, (..., T, embed_dim), and split into
    `num_heads` heads of d = embed_dim / num_heads each; the heads together go through `out_proj`.
    `attention(x)` attends to x itself, `attention(query, key, value)` to other sequences; without
    a value, the key is one too. With `causal=True` a place sees no later one. The weights have the
    shape (..., num_heads, T of the query, T of the key) and the label "attention".
    """

    transposed = ("in_proj_weight",)

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        *,
        causal: bool = False,
        bias: bool = True,
        rng: Rng = None,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        width = check_width("MultiHeadAttention: embed_dim", embed_dim)
        self.num_heads = check_width("MultiHeadAttention: num_heads", num_heads)
        if width % self.num_heads:
            raise ValueError(
                f"MultiHeadAttention: embed_dim {width} cannot be split evenly among {num_heads} "
                "heads; use a multiple"
            )
        rng = generator("MultiHeadAttention", rng)
        self.causal = bool(causal)
        deviation = start_deviation("MultiHeadAttention", "glorot", width, width)
        start = rng.normal(0, deviation, (width, 3 * width))
        self.in_proj_weight = Tensor(start, "in_proj_weight", dtype)
        self.in_proj_bias = Tensor(np.zeros(3 * width), "in_proj_bias", dtype) if bias else None
        self.out_proj = Linear(width, width, bias=bias, init="glorot", rng=rng, dtype=dtype)
        for parameter in self.out_proj.parameters():
            parameter.label = f"out_proj.{parameter.label}"

    @folded
    def __call__(self, query: Any, key: Any = None, value: Any = None) -> Tensor:
        query = as_tensor(query)
        width = self.out_proj.weight.shape[0]
        for x in (query, key, value):
            if x is not None and (np.ndim(x) < 2 or np.shape(x)[-1] != width):
                raise ValueError(
                    f"MultiHeadAttention: an input has shape {np.shape(x)}; expected "
                    f"(..., T, {width})"
                )
        if key is None:
            parts = rules.split(self._projected(query, slice(None)), 3, axis=-1)
        else:
            inputs = (query, key, key if value is None else value)
            parts = [
                self._projected(x, slice(i * width, (i + 1) * width)) for i, x in enumerate(inputs)
            ]
        q, k, v = map(self._in_heads, parts)
        scores = q @ rules.swapaxes(k, -2, -1) * (1 / math.sqrt(q.shape[-1]))
        if self.causal:
            rows, columns = scores.shape[-2:]
            scores = rules.where(np.tri(rows, columns, 0, bool), scores, -np.inf)
        weights = rules.softmax(scores)
        weights.label = "attention"
        heads = rules.swapaxes(weights @ v, -3, -2)
        return self.out_proj(heads.reshape((*heads.shape[:-2], width)))

    def _projected(self, x: Any, part: slice) -> Tensor:
        """Queries, keys, values, or all of them, from the columns of the weight for them."""
        y: Tensor = as_tensor(x) @ self.in_proj_weight[:, part]
        return y if self.in_proj_bias is None else y + self.in_proj_bias[part]

    def _in_heads(self, x: Any) -> Any:
        """(..., T, embed_dim) as (..., heads, T, d)."""
        return rules.swapaxes(x.reshape((*x.shape[:-1], self.num_heads, -1)), -3, -2)


class _Cell(Module):
    """What recurrent cells share: weights for the input and for the hidden state."""

    transposed = ("weight_ih", "weight_hh")
    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        bias: bool = True,
        rng: Rng = None,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        name = type(self).__name__
        inputs = check_width(f"{name}: input_size", input_size)
        hidden = check_width(f"{name}: hidden_size", hidden_size)
        rng, most, outputs = generator(name, rng), 1 / math.sqrt(hidden), self.gates * hidden

        def start(*shape: int) -> Any:
            return rng.uniform(-most, most, shape)

        self.weight_ih = Tensor(start(inputs, outputs), "weight_ih", dtype)
        self.weight_hh = Tensor(start(hidden, outputs), "weight_hh", dtype)
        self.bias_ih = Tensor(start(outputs), "bias_ih", dtype) if bias else None
        self.bias_hh = Tensor(start(outputs), "bias_hh", dtype) if bias else None

    def _start(self, x: Any) -> Any:
        """A hidden state of zeros."""
        return np.zeros((*x.shape[:-1], self.weight_hh.shape[0]), x.dtype)

    def _sums(self, x: Any, hidden: Any) -> Tensor:
        y: Tensor = x @ self.weight_ih + as_tensor(hidden) @ self.weight_hh
        if self.bias_ih is None or self.bias_hh is None:
            return y
        return y + self.bias_ih + self.bias_hh


class RNNCell(_Cell):
    """One step of a recurrent net: tanh(x weight_ih + bias_ih + h weight_hh + bias_hh).

    `cell(x, h)` gives the next hidden state, (N, hidden_size), from x, (N, input_size); without h
    it is 0. `nonlinearity` is "tanh" or "relu". The weights are (inputs, outputs) and start uniform
    within 1 / √hidden_size.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, nonlinearity: str = "tanh", **settings: Any
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f'RNNCell: nonlinearity is {nonlinearity!r}; use "tanh" or "relu"')
        super().__init__(input_size, hidden_size, **settings)
        self.nonlinearity = nonlinearity

    @folded
    def __call__(self, x: Any, hidden: Any = None) -> Tensor:
        x = as_tensor(x)
        y = self._sums(x, self._start(x) if hidden is None else hidden)
        return y.tanh() if self.nonlinearity == "tanh" else y.relu()


class LSTMCell(_Cell):
    """One step of a long short-term memory (Hochreiter & Schmidhuber 1997; gates as in torch).

    `cell(x, (h, c))` gives the next hidden state and cell state, each (N, hidden_size), from x,
    (N, input_size); without them they are 0. The columns of the weights are the input, forget, cell
    and output gate: i, f, o = σ(…), g = tanh(…), c' = f c + i g, h' = o tanh(c').
    """

    gates = 4

    @folded
    def __call__(self, x: Any, state: Any = None) -> tuple[Tensor, Tensor]:
        x = as_tensor(x)
        hidden, cell = (self._start(x), self._start(x)) if state is None else state
        i, f, g, o = rules.split(self._sums(x, hidden), 4, axis=-1)
        cell = rules.sigmoid(f) * cell + rules.sigmoid(i) * rules.tanh(g)
        return rules.sigmoid(o) * rules.tanh(cell), cell
