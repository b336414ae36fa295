"""The rules, and what finds them. Written by tests/stubs.py; do not edit."""

from tinygrad_edu.rules.arrays import affine as affine
from tinygrad_edu.rules.arrays import broadcast_to as broadcast_to
from tinygrad_edu.rules.arrays import concatenate as concatenate
from tinygrad_edu.rules.arrays import einsum as einsum
from tinygrad_edu.rules.arrays import expand_dims as expand_dims
from tinygrad_edu.rules.arrays import getitem as getitem
from tinygrad_edu.rules.arrays import matmul as matmul
from tinygrad_edu.rules.arrays import put as put
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
from tinygrad_edu.rules.elementwise import add as add
from tinygrad_edu.rules.elementwise import arccos as arccos
from tinygrad_edu.rules.elementwise import arcsin as arcsin
from tinygrad_edu.rules.elementwise import arctan as arctan
from tinygrad_edu.rules.elementwise import clip as clip
from tinygrad_edu.rules.elementwise import cos as cos
from tinygrad_edu.rules.elementwise import cosh as cosh
from tinygrad_edu.rules.elementwise import divide as divide
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
from tinygrad_edu.rules.elementwise import multiply as multiply
from tinygrad_edu.rules.elementwise import negative as negative
from tinygrad_edu.rules.elementwise import power as power
from tinygrad_edu.rules.elementwise import relu as relu
from tinygrad_edu.rules.elementwise import sigmoid as sigmoid
from tinygrad_edu.rules.elementwise import sin as sin
from tinygrad_edu.rules.elementwise import sinh as sinh
from tinygrad_edu.rules.elementwise import softplus as softplus
from tinygrad_edu.rules.elementwise import sqrt as sqrt
from tinygrad_edu.rules.elementwise import subtract as subtract
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
from tinygrad_edu.rules.reductions import softmax_cross_entropy as softmax_cross_entropy
from tinygrad_edu.rules.reductions import softmax_cross_entropy_of_labels as softmax_cross_entropy_of_labels
from tinygrad_edu.rules.reductions import softmax_cross_entropy_of_some_labels as softmax_cross_entropy_of_some_labels
from tinygrad_edu.rules.reductions import std as std
from tinygrad_edu.rules.reductions import sum as sum
from tinygrad_edu.rules.reductions import var as var
from tinygrad_edu.rules.rule import RULES as RULES
from tinygrad_edu.rules.rule import name_of as name_of
from tinygrad_edu.rules.rule import rule as rule
from tinygrad_edu.rules.rule import settings_of as settings_of
from tinygrad_edu.rules.rule import symbol_of as symbol_of
from tinygrad_edu.rules.sliding import add_windows as add_windows
from tinygrad_edu.rules.sliding import windows as windows
from tinygrad_edu.rules.tables import of as of
from tinygrad_edu.rules.tables import operations as operations

__all__ = [
    "RULES",
    "add",
    "add_windows",
    "affine",
    "arccos",
    "arcsin",
    "arctan",
    "argmax",
    "argmin",
    "broadcast_to",
    "clip",
    "concatenate",
    "cos",
    "cosh",
    "cumsum",
    "divide",
    "dot",
    "einsum",
    "erf",
    "erfc",
    "exp",
    "expand_dims",
    "expm1",
    "flatten",
    "flip",
    "gelu",
    "getitem",
    "hstack",
    "leaky_relu",
    "log",
    "log1p",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "matmul",
    "maximum",
    "mean",
    "minimum",
    "multiply",
    "name_of",
    "negative",
    "norm",
    "of",
    "operations",
    "outer",
    "pad",
    "power",
    "prod",
    "put",
    "ravel",
    "relu",
    "repeat",
    "reshape",
    "rule",
    "settings_of",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_of_labels",
    "softmax_cross_entropy_of_some_labels",
    "softplus",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "swapaxes",
    "symbol_of",
    "tan",
    "tanh",
    "tile",
    "trace",
    "transpose",
    "tril",
    "triu",
    "var",
    "vstack",
    "where",
    "windows",
]
