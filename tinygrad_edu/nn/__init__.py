"""Layers and losses over Tensors. A layer is a Module; a loss is a function.

Shapes: a batch is (N, features), pictures are (N, channels, height, width), sequences (N, T,
features), class scores (logits) (..., classes). The arguments have torch's names.
"""

from tinygrad_edu.module import Module
from tinygrad_edu.nn.dense import GELU, MLP, Flatten, Linear, ReLU, Sequential, Sigmoid, SiLU, Tanh
from tinygrad_edu.nn.losses import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    max_margin_loss,
    mse_loss,
)
from tinygrad_edu.nn.metrics import accuracy, confusion_matrix
from tinygrad_edu.nn.normalising import BatchNorm1d, Dropout, LayerNorm, RMSNorm
from tinygrad_edu.nn.pictures import AvgPool2d, Conv2d, MaxPool2d
from tinygrad_edu.nn.sequences import Embedding, LSTMCell, MultiHeadAttention, RNNCell

__all__ = [
    "GELU", "MLP", "AvgPool2d", "BatchNorm1d", "Conv2d", "Dropout", "Embedding", "Flatten",
    "LSTMCell", "LayerNorm", "Linear", "MaxPool2d", "Module", "MultiHeadAttention", "RMSNorm",
    "RNNCell", "ReLU", "Sequential", "SiLU", "Sigmoid", "Tanh", "accuracy",
    "binary_cross_entropy_with_logits", "confusion_matrix", "cross_entropy", "max_margin_loss",
    "mse_loss",
]  # fmt: skip
