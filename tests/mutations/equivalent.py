"""Faults that change no number: why nobody can notice them.

The key is the module, the function, and the code before and after. A reason is good for exactly
this code: if the line changes, its fault is looked at again, and the reason without a fault is
reported.
"""

ELEMENTWISE, REDUCTIONS = "rules/elementwise.py", "rules/reductions.py"
ARRAYS, TABLES, FUNCTIONS = "rules/arrays.py", "rules/tables.py", "rules/array_tables.py"
TENSOR, GRAPH = "engine/tensor.py", "engine/graph.py"

GIVEN = "the default is never used: the rule gives this setting always"
MASK = "a mask names no element twice, so adding and assigning are the same"
NO_WEIGHT = "it is multiplied by a weight of 0"
EYE = "a unit matrix for an index that stands once only gives it another name"

BOUND = "the bound is not sharp: 1 / x is finite on both sides of it"
BITS = "both ways give the same bits; one is faster from there on"
UNBROADCAST = "the axis of length 1 goes when the adjoint is un-broadcast"
GENERAL = "the general way gives the same; or it is taken just as often"
LOOP = "the loop that follows finds the same namespace"
NANS = "nan and anything is nan, as a sum and as a difference"
FIRST_NAN = "of Python's max and min a nan that stands first is the result"
NEGATIVE = "of a negative base to the power 0 the slope is 0 in both ways, and the next one is nan"
LENGTH = "NumPy takes any negative length for the open one"
PAIRS = "two by two or all at once, the sum is the same; a test measures how long it takes"
ZERO = "a zero has no bit set in integers either"

EQUIVALENT: dict[tuple[str, str, str, str], str] = {
    (REDUCTIONS, "softmax_cross_entropy",
     "target * of(target, log_p).where(target > 0, log_p, 0.0)",
     "target * of(target, log_p).where(target > 0, log_p, 1.0)"): NO_WEIGHT,
    (REDUCTIONS, "_logsumexp", "False", "True"): GIVEN,
    (REDUCTIONS, "softmax_cross_entropy_of_labels", "losses = log_p.reshape(-1)[places]",
     "losses = log_p.reshape(-2)[places]"): LENGTH,
    (FUNCTIONS, "_scatter", "(isinstance(i, np.ndarray) and i.dtype != bool for i in parts)",
     "(isinstance(i, np.ndarray) for i in parts)"): MASK,
    (ARRAYS, "_einsum_adjoint", "c in wanted", "c not in wanted"): EYE,
    (ELEMENTWISE, "_power_by_base", "near = (x > -1e-37) & (x < 1e-37)",
     "near = (x > -1e-37) & (x <= 1e-37)"): BOUND,
    (ELEMENTWISE, "_power_by_base", "near = (x > -1e-37) & (x < 1e-37)",
     "near = (x >= -1e-37) & (x < 1e-37)"): BOUND,
    (REDUCTIONS, "softmax_cross_entropy_of_labels",
     "log_p = of(logits).log_softmax(logits, axis=-1)",
     "log_p = of(logits).log_softmax(logits)"): "-1 is the default",
    (FUNCTIONS, "_choose", "y.size >= 2000", "y.size >= 2001"): BITS,
    (FUNCTIONS, "_choose",
     "x == 0.0 and y.size >= 2000 and (y.dtype.itemsize in (4, 8)) and (y.dtype.kind == 'f')",
     "x == 0.0 and y.size >= 2000 and (y.dtype.itemsize in (4, 8))"): ZERO,
    (REDUCTIONS, "_even_share", "k = chosen.sum(axis=axis, keepdims=True) * 1.0",
     "k = chosen.sum(axis=axis, keepdims=True) / 1.0"): "x / 1.0 is x * 1.0, a float",
    (ELEMENTWISE, "_power_by_base",
     "return g * y * of(x, y).where(zero & near, 1.0, x) ** (y - 1.0)",
     "return g * y * of(x, y).where(zero & near, 2.0, x) ** (y - 1.0)"):
        "y is 0 there, so the slope is 0, and the slope of that by y is infinite",
    (ARRAYS, "_matmul_by_y", "_swap(x if x.ndim > 1 else x[None, :])",
     "_swap(x if x.ndim > 2 else x[None, :])"): UNBROADCAST,
    (ARRAYS, "_matmul_by_y", "_swap(x if x.ndim > 1 else x[None, :])",
     "_swap(x if x.ndim < 1 else x[None, :])"): UNBROADCAST,
    (ARRAYS, "_matmul_by_x", "return product if x.ndim > 1 else product[..., 0, :]",
     "return product if x.ndim >= 1 else product[..., 0, :]"): UNBROADCAST,
    (ELEMENTWISE, "_larger", "return x + y if x != x or y != y else max(x, y)",
     "return x - y if x != x or y != y else max(x, y)"): NANS,
    (ELEMENTWISE, "_smaller", "return x + y if x != x or y != y else min(x, y)",
     "return x - y if x != x or y != y else min(x, y)"): NANS,
    (ELEMENTWISE, "_smaller", "return x + y if x != x or y != y else min(x, y)",
     "return x + y if y != y else min(x, y)"): FIRST_NAN,
    (ELEMENTWISE, "_larger", "return x + y if x != x or y != y else max(x, y)",
     "return x + y if y != y else max(x, y)"): FIRST_NAN,
    (ELEMENTWISE, "_power_by_base", "near = (x > -1e-37) & (x < 1e-37)",
     "near = x < 1e-37"): NEGATIVE,
    (ELEMENTWISE, "_power_by_base", "near = (x > -1e-37) & (x < 1e-37)",
     "near = (x > -1.0) & (x < 1e-37)"): NEGATIVE,
    (ARRAYS, "_matmul_by_x", "x.ndim == 2 == y.ndim",
     "x.ndim != 2 == y.ndim"): GENERAL,
    (ARRAYS, "_matmul_by_y", "x.ndim == 2 == y.ndim",
     "x.ndim == 2 != y.ndim"): GENERAL,
    **dict.fromkeys(
        [(REDUCTIONS, "_others_of_row", "unpaired = [others[..., half:]] if n % 2 else []", after)
         for after in ("unpaired = [others[..., half:]] if n else []",
                       "unpaired = [others[..., half:]] if 2 else []",
                       "unpaired = [others[..., half:]] if n // 2 else []")],
        "nothing is left of an even number"),
    (ARRAYS, "concatenate", "(tuple((of(x).reshape(x, -1) for x in operands)), 0)",
     "(tuple((of(x).reshape(x, -2) for x in operands)), 0)"): LENGTH,
    (ARRAYS, "_plain_part",
     "type(part) is int or part is None or part is Ellipsis or isinstance(part, bool)",
     "part is None or part is Ellipsis or isinstance(part, bool)"):
        "an integer is the index that it has; this way is shorter",
    (TENSOR, "unbroadcast", "lead == 1",
     "lead == 2"): GENERAL,
    (TENSOR, "unbroadcast", "adjoint.shape[1:] == shape",
     "adjoint.shape[2:] == shape"): GENERAL,
    (TENSOR, "unbroadcast", "lead == 1",
     "lead != 1"): GENERAL,
    (TENSOR, "unbroadcast",
     "lead == 1 and adjoint.ndim == 2 and (type(adjoint) is np.ndarray) and "
     "(adjoint.shape[1:] == shape)",
     "adjoint.ndim == 2 and type(adjoint) is np.ndarray and (adjoint.shape[1:] == shape)"): GENERAL,
    (REDUCTIONS, "_softmax", "-1",
     "1"): GIVEN,
    (REDUCTIONS, "_softmax", "-1",
     "-2"): GIVEN,
    (REDUCTIONS, "_log_softmax", "-1",
     "1"): GIVEN,
    (REDUCTIONS, "_log_softmax", "-1",
     "-2"): GIVEN,
    (FUNCTIONS, "_choose", "y.dtype.itemsize in (4, 8)",
     "y.dtype.itemsize in (5, 8)"): BITS,
    (FUNCTIONS, "_choose", "y.size >= 2000",
     "y.size > 2000"): BITS,
    (FUNCTIONS, "_choose",
     "x == 0.0 and y.size >= 2000 and (y.dtype.itemsize in (4, 8)) and (y.dtype.kind == 'f')",
     "x == 0.0 and y.dtype.itemsize in (4, 8) and (y.dtype.kind == 'f')"): BITS,
    (FUNCTIONS, "_choose", "y.size >= 2000",
     "y.size <= 2000"): BITS,
    (FUNCTIONS, "_choose", "y.dtype.itemsize in (4, 8)",
     "y.dtype.itemsize in (4, 9)"): BITS,
    (TABLES, "of", "other is float or other is _array",
     "other is _array"): LOOP,
    (TABLES, "of", "other is float or other is _array",
     "other is float"): LOOP,
    (ELEMENTWISE, "_sigmoid", "return of(x).where(x >= 0, 1.0, e) / (e + 1.0)",
     "return of(x).where(x > 0, 1.0, e) / (e + 1.0)"): "e is 1 there, and 1 / 2 is 1 / 2",
    (ELEMENTWISE, "_softplus", "of(x).where(x > 0, x, 0.0)",
     "of(x).where(x >= 0, x, 0.0)"): "both are 0 there",
    (TENSOR, "Tensor._fit",
     "adjoint.dtype != self._data.dtype and (not isinstance(adjoint, Tensor))",
     "not isinstance(adjoint, Tensor)"): "a copy in the same dtype has the same numbers",
    (ARRAYS, "_einsum_adjoint", "c not in ''.join(inputs) + output",
     "c not in ''.join(inputs)"): "letters of the output are letters of the operands",
    (TABLES, "of", "0.0",
     "1.0"): "one number is as good as another",
    (REDUCTIONS, "_logsumexp", "top = np.where(np.isfinite(top), top, 0)",
     "top = np.where(np.isfinite(top), top, 1)"): "an infinity less 1 is an infinity",
    (REDUCTIONS, "softmax_cross_entropy", "log_p = of(logits).log_softmax(logits, axis=-1)",
     "log_p = of(logits).log_softmax(logits)"): "-1 is the default",
    (FUNCTIONS, "_choose", "y.dtype.kind == 'f'", "y.dtype.kind != 'f'"): BITS,
    (GRAPH, "gradients", "node._compared = True", "node._compared = False"):
        "what counts is that there is a mark",
    (FUNCTIONS, "elementwise_function",
     "np.vectorize(of_numbers, otypes=[np.result_type(*xs, 1.0)])(*xs)",
     "np.vectorize(of_numbers, otypes=[np.result_type(*xs, 2.0)])(*xs)"):
        "the type of a number is not its size",
    (FUNCTIONS, "_zeros_where",
     "(np.asarray(condition, bool).view(np.int8) - np.int8(1)).astype(whole)",
     "np.asarray(condition, bool).view(np.int8) - np.int8(1)"): "& widens the mask with its sign",
}  # fmt: skip
