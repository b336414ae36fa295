"""The public names. Written by tests/stubs.py; do not edit."""

from tinygrad_edu import data as data
from tinygrad_edu import nn as nn
from tinygrad_edu import optim as optim
from tinygrad_edu import scalar_nn as scalar_nn
from tinygrad_edu.calculus import grad as grad
from tinygrad_edu.calculus import hessian as hessian
from tinygrad_edu.calculus import hvp as hvp
from tinygrad_edu.calculus import jacobian as jacobian
from tinygrad_edu.calculus import jvp as jvp
from tinygrad_edu.calculus import value_and_grad as value_and_grad
from tinygrad_edu.calculus import vjp as vjp
from tinygrad_edu.check.by_hand import check_by_hand as check_by_hand
from tinygrad_edu.check.comparison import compare as compare
from tinygrad_edu.check.function_check import gradcheck as gradcheck
from tinygrad_edu.check.layers.hand_written import check_backward as check_backward
from tinygrad_edu.check.numerical import numerical_gradient as numerical_gradient
from tinygrad_edu.engine.collector import collector_paused as collector_paused
from tinygrad_edu.engine.contexts import group as group
from tinygrad_edu.engine.contexts import no_grad as no_grad
from tinygrad_edu.engine.graph import Node as Node
from tinygrad_edu.engine.graph import gradients as gradients
from tinygrad_edu.engine.graph import topological_order as topological_order
from tinygrad_edu.engine.locking import data_locked as data_locked
from tinygrad_edu.engine.tensor import Tensor as Tensor
from tinygrad_edu.engine.value import Value as Value
from tinygrad_edu.replay import replay as replay
from tinygrad_edu.replay.replays import Replay as Replay
from tinygrad_edu.replay.training import TrainingStep as TrainingStep
from tinygrad_edu.rules.arrays import broadcast_to as broadcast_to
from tinygrad_edu.rules.arrays import concatenate as concatenate
from tinygrad_edu.rules.arrays import einsum as einsum
from tinygrad_edu.rules.arrays import expand_dims as expand_dims
from tinygrad_edu.rules.arrays import matmul as matmul
from tinygrad_edu.rules.arrays import reshape as reshape
from tinygrad_edu.rules.arrays import squeeze as squeeze
from tinygrad_edu.rules.arrays import stack as stack
from tinygrad_edu.rules.arrays import transpose as transpose
from tinygrad_edu.rules.compositions import argmax as argmax
from tinygrad_edu.rules.compositions import argmin as argmin
from tinygrad_edu.rules.compositions import dot as dot
from tinygrad_edu.rules.compositions import flatten as flatten
from tinygrad_edu.rules.compositions import flip as flip
from tinygrad_edu.rules.compositions import hstack as hstack
from tinygrad_edu.rules.compositions import logaddexp as logaddexp
from tinygrad_edu.rules.compositions import norm as norm
from tinygrad_edu.rules.compositions import outer as outer
from tinygrad_edu.rules.compositions import pad as pad
from tinygrad_edu.rules.compositions import ravel as ravel
from tinygrad_edu.rules.compositions import repeat as repeat
from tinygrad_edu.rules.compositions import sign as sign
from tinygrad_edu.rules.compositions import split as split
from tinygrad_edu.rules.compositions import square as square
from tinygrad_edu.rules.compositions import swapaxes as swapaxes
from tinygrad_edu.rules.compositions import tile as tile
from tinygrad_edu.rules.compositions import trace as trace
from tinygrad_edu.rules.compositions import tril as tril
from tinygrad_edu.rules.compositions import triu as triu
from tinygrad_edu.rules.compositions import vstack as vstack
from tinygrad_edu.rules.elementwise import abs as abs
from tinygrad_edu.rules.elementwise import arccos as arccos
from tinygrad_edu.rules.elementwise import arcsin as arcsin
from tinygrad_edu.rules.elementwise import arctan as arctan
from tinygrad_edu.rules.elementwise import clip as clip
from tinygrad_edu.rules.elementwise import cos as cos
from tinygrad_edu.rules.elementwise import cosh as cosh
from tinygrad_edu.rules.elementwise import erf as erf
from tinygrad_edu.rules.elementwise import erfc as erfc
from tinygrad_edu.rules.elementwise import exp as exp
from tinygrad_edu.rules.elementwise import expm1 as expm1
from tinygrad_edu.rules.elementwise import gelu as gelu
from tinygrad_edu.rules.elementwise import leaky_relu as leaky_relu
from tinygrad_edu.rules.elementwise import log as log
from tinygrad_edu.rules.elementwise import log1p as log1p
from tinygrad_edu.rules.elementwise import maximum as maximum
from tinygrad_edu.rules.elementwise import minimum as minimum
from tinygrad_edu.rules.elementwise import relu as relu
from tinygrad_edu.rules.elementwise import sigmoid as sigmoid
from tinygrad_edu.rules.elementwise import sin as sin
from tinygrad_edu.rules.elementwise import sinh as sinh
from tinygrad_edu.rules.elementwise import softplus as softplus
from tinygrad_edu.rules.elementwise import sqrt as sqrt
from tinygrad_edu.rules.elementwise import tan as tan
from tinygrad_edu.rules.elementwise import tanh as tanh
from tinygrad_edu.rules.elementwise import where as where
from tinygrad_edu.rules.reductions import cumsum as cumsum
from tinygrad_edu.rules.reductions import log_softmax as log_softmax
from tinygrad_edu.rules.reductions import logsumexp as logsumexp
from tinygrad_edu.rules.reductions import max as max
from tinygrad_edu.rules.reductions import mean as mean
from tinygrad_edu.rules.reductions import min as min
from tinygrad_edu.rules.reductions import prod as prod
from tinygrad_edu.rules.reductions import softmax as softmax
from tinygrad_edu.rules.reductions import std as std
from tinygrad_edu.rules.reductions import sum as sum
from tinygrad_edu.rules.reductions import var as var
from tinygrad_edu.rules.rule import rule as rule
from tinygrad_edu.rules.sliding import windows as windows
from tinygrad_edu.saving import load as load
from tinygrad_edu.saving import save as save
from tinygrad_edu.saving.state_dict import load_state_dict as load_state_dict
from tinygrad_edu.saving.state_dict import to_state_dict as to_state_dict
from tinygrad_edu.training.clipping import clip_gradients as clip_gradients
from tinygrad_edu.training.history import Epoch as Epoch
from tinygrad_edu.training.history import History as History
from tinygrad_edu.training.layer_health import layer_health as layer_health
from tinygrad_edu.training.trainer import Trainer as Trainer
from tinygrad_edu.training.training_run import epochs as epochs
from tinygrad_edu.training.training_run import fit as fit
from tinygrad_edu.view.page.html import to_html as to_html
from tinygrad_edu.view.page.lessons import Stop as Stop
from tinygrad_edu.view.picture.dot import to_dot as to_dot
from tinygrad_edu.view.picture.dot import to_graphviz as to_graphviz
from tinygrad_edu.view.picture.figures import to_pdf as to_pdf
from tinygrad_edu.view.picture.figures import to_png as to_png
from tinygrad_edu.view.picture.svg import to_svg as to_svg
from tinygrad_edu.view.show import show as show

__all__ = [
    "Epoch",
    "History",
    "Node",
    "Replay",
    "Stop",
    "Tensor",
    "Trainer",
    "TrainingStep",
    "Value",
    "arccos",
    "arcsin",
    "arctan",
    "argmax",
    "argmin",
    "broadcast_to",
    "check_backward",
    "check_by_hand",
    "clip",
    "clip_gradients",
    "collector_paused",
    "compare",
    "concatenate",
    "cos",
    "cosh",
    "cumsum",
    "data",
    "data_locked",
    "dot",
    "einsum",
    "epochs",
    "erf",
    "erfc",
    "exp",
    "expand_dims",
    "expm1",
    "fit",
    "flatten",
    "flip",
    "gelu",
    "grad",
    "gradcheck",
    "gradients",
    "group",
    "hessian",
    "hstack",
    "hvp",
    "jacobian",
    "jvp",
    "layer_health",
    "leaky_relu",
    "load",
    "load_state_dict",
    "log",
    "log1p",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "matmul",
    "maximum",
    "mean",
    "minimum",
    "nn",
    "no_grad",
    "norm",
    "numerical_gradient",
    "optim",
    "outer",
    "pad",
    "prod",
    "ravel",
    "relu",
    "repeat",
    "replay",
    "reshape",
    "rule",
    "save",
    "scalar_nn",
    "show",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "swapaxes",
    "tan",
    "tanh",
    "tile",
    "to_dot",
    "to_graphviz",
    "to_html",
    "to_pdf",
    "to_png",
    "to_state_dict",
    "to_svg",
    "topological_order",
    "trace",
    "transpose",
    "tril",
    "triu",
    "value_and_grad",
    "var",
    "vjp",
    "vstack",
    "where",
    "windows",
]

__version__: str
