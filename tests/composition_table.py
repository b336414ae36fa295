"""One row per function that is made of rules: calls on Tensors, and the same calls of NumPy."""

import numpy as np
from rule_table import Call

import tinygrad_edu as tg


def _numpys(name, *cases, module=np):
    """Calls of our function and of NumPy's, with the same arguments after the operands."""
    return [
        Call(
            lambda *xs, a=arguments, s=settings: getattr(tg, name)(*xs, *a, **s),
            lambda *xs, a=arguments, s=settings: getattr(module, name)(*xs, *a, **s),
            shapes,
        )
        for shapes, arguments, settings in cases
    ]


def _of_list(name, *shapes):
    return [Call(lambda *xs: getattr(tg, name)(xs), lambda *xs: getattr(np, name)(xs), s)
            for s in shapes]  # fmt: skip


ROW, TABLE, BLOCK = ((4,),), ((3, 4),), ((2, 3, 4),)
COMPOSITIONS = {
    "square": _numpys("square", (TABLE, (), {})),
    "sign": _numpys("sign", (TABLE, (), {})),
    "logaddexp": _numpys("logaddexp", (((3, 4), (4,)), (), {}), (((2,), (2,)), (), {})),
    "dot": _numpys("dot", *[(s, (), {}) for s in [
        ((4,), (4,)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((), (2, 3)), ((2, 3), ()),
        ((2, 3), (4, 3, 2)), ((2, 2, 3), (4, 3, 2))]]),
    "outer": _numpys("outer", (((2,), (3,)), (), {}), (((2, 2), (3,)), (), {})),
    "trace": _numpys("trace", (TABLE, (), {}), (TABLE, (1,), {}), (TABLE, (-2,), {}),
                     (BLOCK, (), {"axis1": 2, "axis2": 0}), (BLOCK, (1, 1, 2), {})),
    "norm": _numpys(
        "norm", (ROW, (), {}), (TABLE, (), {}), (TABLE, ("fro",), {}), (TABLE, (1, 0), {}),
        (TABLE, (), {"axis": 1, "keepdims": True}), (ROW, (3,), {}), (ROW, (np.inf,), {}),
        module=np.linalg,
    ),
    "ravel": _numpys("ravel", (BLOCK, (), {})),
    "flatten": [Call(lambda x: x.flatten(), lambda x: x.flatten(), BLOCK)],
    "swapaxes": _numpys("swapaxes", (BLOCK, (0, -1), {}), (TABLE, (1, 0), {})),
    "repeat": _numpys("repeat", (TABLE, (2,), {}), (TABLE, ([1, 0, 3],), {"axis": 0}),
                      (TABLE, (2, -1), {})),
    "tile": _numpys("tile", (TABLE, (2,), {}), (TABLE, ((2, 1),), {}), (ROW, ((2, 1, 3),), {}),
                    (BLOCK, ((1, 2),), {})),
    "flip": _numpys("flip", (TABLE, (), {}), (TABLE, (0,), {}), (BLOCK, ((0, -1),), {})),
    "pad": _numpys(
        "pad", (TABLE, (1,), {}), (TABLE, ((1, 2),), {}), (TABLE, (((0, 0), (2, 1)),), {}),
        (TABLE, (1,), {"constant_values": -2.5}), (TABLE, (((1, 0), (0, 2)), "edge"), {}),
        *[(TABLE, (2,), {"mode": mode}) for mode in ("reflect", "symmetric", "wrap")],
    ),
    "vstack": _of_list("vstack", ((3,), (3,)), ((2, 3), (3,)), ((2, 3), (1, 3))),
    "hstack": _of_list("hstack", ((3,), (2,)), ((2, 3), (2, 1)), ((), ())),
    "split": [
        Call(lambda x, a=a: tg.split(x, *a)[1], lambda x, a=a: np.split(x, *a)[1], TABLE)
        for a in [(3,), (2, 1), ([1, 3], 1), ([0, 2],)]
    ],
    "tril": _numpys("tril", (TABLE, (), {}), (BLOCK, (-1,), {}), (TABLE, (), {"k": 1})),
    "triu": _numpys("triu", (TABLE, (), {}), (BLOCK, (-1,), {}), (TABLE, (), {"k": 1})),
    "argmax": _numpys("argmax", (TABLE, (), {}), (TABLE, (1,), {}),
                      (TABLE, (), {"axis": 0, "keepdims": True})),
    "argmin": _numpys("argmin", (TABLE, (), {}), (TABLE, (-1,), {})),
}  # fmt: skip
