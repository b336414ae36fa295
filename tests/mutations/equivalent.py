"""Faults that change no number: why nobody can notice them.

The key is the module, the function, and the code before and after. A reason is good for exactly
this code: if the line changes, its fault is looked at again, and the reason without a fault is
reported.
"""

ELEMENTWISE, REDUCTIONS = "rules/elementwise.py", "rules/reductions.py"
ARRAYS, NAMESPACES = "rules/arrays.py", "rules/namespaces.py"

GIVEN = "the default is never used: the rule gives this setting always"
MASK = "a mask names no element twice, so adding and assigning are the same"
NO_WEIGHT = "it is multiplied by a weight of 0"
EYE = "a unit matrix for an index that stands once only gives it another name"

BOUND = "the bound is not sharp: 1 / x is finite on both sides of it"
BITS = "both ways give the same bits; one is faster from there on"
ZERO = "a zero has no bit set in integers either"

EQUIVALENT: dict[tuple[str, str, str, str], str] = {
    (REDUCTIONS, "softmax_cross_entropy",
     "target * of(target, log_p).where(target > 0, log_p, 0.0)",
     "target * of(target, log_p).where(target > 0, log_p, 1.0)"): NO_WEIGHT,
    (REDUCTIONS, "_logsumexp", "False", "True"): GIVEN,
    (REDUCTIONS, "softmax_cross_entropy_of_labels", "losses = log_p.reshape(-1)[places]",
     "losses = log_p.reshape(-2)[places]"): "NumPy takes any negative length for the open one",
    (ARRAYS, "_put", "(isinstance(i, np.ndarray) and i.dtype != bool for i in parts)",
     "(isinstance(i, np.ndarray) for i in parts)"): MASK,
    (ARRAYS, "_einsum_adjoint", "c in wanted", "c not in wanted"): EYE,
    (ELEMENTWISE, "_power_by_base", "near = (x > -1e-37) & (x < 1e-37)",
     "near = (x > -1e-37) & (x <= 1e-37)"): BOUND,
    (ELEMENTWISE, "_power_by_base", "near = (x > -1e-37) & (x < 1e-37)",
     "near = (x >= -1e-37) & (x < 1e-37)"): BOUND,
    (REDUCTIONS, "softmax_cross_entropy_of_labels",
     "log_p = of(logits).log_softmax(logits, axis=-1)",
     "log_p = of(logits).log_softmax(logits)"): "-1 is the default",
    (NAMESPACES, "_where", "y.size >= 2000", "y.size >= 2001"): BITS,
    (NAMESPACES, "_where",
     "x == 0.0 and y.size >= 2000 and (y.dtype.itemsize in (4, 8)) and (y.dtype.kind == 'f')",
     "x == 0.0 and y.size >= 2000 and (y.dtype.itemsize in (4, 8))"): ZERO,
    (REDUCTIONS, "_even_share", "k = chosen.sum(axis=axis, keepdims=True) * 1.0",
     "k = chosen.sum(axis=axis, keepdims=True) / 1.0"): "x / 1.0 is x * 1.0, a float",
    (REDUCTIONS, "_even_share", "k = chosen.sum(axis=axis, keepdims=True) * 1.0",
     "k = chosen.sum(axis=axis, keepdims=True)"): "np.where makes floats: nan is one",
    (NAMESPACES, "_zeros_where",
     "(np.asarray(condition, bool).view(np.int8) - np.int8(1)).astype(whole)",
     "np.asarray(condition, bool).view(np.int8) - np.int8(1)"): "& widens the mask with its sign",
}  # fmt: skip
