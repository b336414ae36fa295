"""Random functions with their derivatives in closed form, right and wrong, of every temper: smooth,
steep, flat, with kinks and ties, with float32 inside, with masks of -inf, saturated, of all scales.
"""

import math

import numpy as np

SMOOTH = {
    "sin": (np.sin, np.cos),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "exp": (np.exp, np.exp),
    "square": (lambda z: z * z, lambda z: 2 * z),
    "cube": (lambda z: z**3, lambda z: 3 * z * z),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: 1 / (2 + np.exp(z) + np.exp(-z))),
    "softplus": (lambda z: np.logaddexp(0, z), lambda z: 1 / (1 + np.exp(-z))),
    "root": (lambda z: np.sqrt(1 + z * z), lambda z: z / np.sqrt(1 + z * z)),
}
KINKED = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "abs": (np.abs, np.sign),
    "leaky": (lambda z: np.where(z > 0, z, 0.1 * z), lambda z: np.where(z > 0, 1.0, 0.1)),
    "clip": (lambda z: np.clip(z, -1, 1), lambda z: (np.abs(z) < 1) * 1.0),
    "hinge": (lambda z: np.maximum(1 - z, 0) ** 2, lambda z: -2 * np.maximum(1 - z, 0)),
}


def weights(rng, n):
    return rng.uniform(0.5, 1.5, n) * rng.choice([-1.0, 1.0], n)


def elementwise(rng, table, x):
    f, d = table[rng.choice(sorted(table))]
    w = weights(rng, x.size)
    return (lambda z: float(np.sum(w * f(z)))), (lambda z: w * d(z)), x


def smooth(rng):
    return elementwise(rng, SMOOTH, rng.normal(size=rng.integers(1, 7)))


def kinked(rng):
    """Some elements at the kink, some near it, some far away."""
    n = int(rng.integers(1, 7))
    near = rng.choice([0.0, 1e-12, 1e-9, 1e-6, 1e-3, 1.0], n) * rng.normal(size=n)
    return elementwise(rng, KINKED, rng.choice([0.0, 1.0, -1.0], n) + near)


def tied(rng):
    """The largest, the first of equal ones, and the distance of neighbours, which may be equal."""
    x = np.round(rng.normal(size=rng.integers(2, 7)))
    if rng.random() < 0.5:
        return (lambda z: float(z.max())), (lambda z: np.eye(z.size)[z.argmax()]), x

    def slope(z):
        s = np.sign(np.diff(z))
        return np.append(0.0, s) - np.append(s, 0.0)

    return (lambda z: float(np.sum(np.abs(np.diff(z))))), slope, x


def steep(rng):
    k, centre = 10 ** rng.uniform(1, 6), rng.choice([0.0, 1.0, -20.0])
    f, d, z = elementwise(rng, SMOOTH, rng.normal(size=rng.integers(1, 4)))
    x = centre + z / k
    return (lambda x: f((x - centre) * k)), (lambda x: k * d((x - centre) * k)), x


def offset(rng):
    """A small part of a large result, and large numbers whose mean is taken away."""
    f, d, x = smooth(rng)
    if rng.random() < 0.5:
        large = 10 ** rng.uniform(2, 8)
        return (lambda z: large + f(z)), d, x
    times = 1.7e9 + 10 * np.arange(5.0)
    return (
        (lambda t: float(np.sum(np.square((t - t.mean()) * 1e-3)))),
        (lambda t: 2e-6 * (t - t.mean())),
        times,
    )


def float32_inside(rng):
    f, d, x = smooth(rng)
    kind = rng.integers(3)
    if kind == 0:
        return (lambda z: f(z.astype(np.float32))), d, x
    if kind == 1:
        return (lambda z: float(np.float32(f(z)))), d, x
    return (lambda z: f(z.astype(np.float32)) + 1e-3 * float(np.sum(z))), (lambda z: d(z) + 1e-3), x


def masked(rng):
    """Cross-entropy of scores of which some are masked by -inf."""
    n = int(rng.integers(3, 8))
    mask = np.where(np.arange(n) < rng.integers(2, n), 0.0, -np.inf)

    def softmax(z):
        e = np.exp(z + mask - np.max(z + mask))
        return e / e.sum()

    def loss(z):
        top = np.max(z + mask)
        return float(top + np.log(np.sum(np.exp(z + mask - top))) - z[0])

    return loss, (lambda z: softmax(z) - np.eye(n)[0]), rng.normal(size=n)


def saturated(rng):
    """Some elements in the flat parts, with others that are not."""
    n = int(rng.integers(2, 7))
    x = rng.normal(size=n) + np.where(np.arange(n) % 2, rng.choice([20.0, 40.0, -40.0]), 0.0)
    table = {name: SMOOTH[name] for name in ("tanh", "sigmoid", "softplus")}
    return elementwise(rng, table, x)


def scaled(rng):
    """Any of the smooth ones, over a range and with a result of any size."""
    f, d, z = smooth(rng)
    across, up = 10 ** rng.uniform(-150, 30), 10 ** rng.uniform(-120, 30)
    return (lambda x: up * f(x / across)), (lambda x: up / across * d(x / across)), z * across


TEMPERS = {
    f.__name__: f
    for f in (smooth, kinked, tied, steep, offset, float32_inside, masked, saturated, scaled)
}


def spoilt(rng, temper, derivative, x):
    """A wrong derivative, wrong by more than any noise of the function; None if there is none."""
    right = derivative(x)
    size = np.max(np.abs(right))
    element = int(rng.integers(x.size))
    least = 0.05 if temper == "float32_inside" else 0.003
    wrong = right.copy()
    kind = rng.choice(["factor", "sign", "zero", "one", "reversed", "added"])
    if kind == "factor":
        wrong *= rng.choice([0.5, 0.9, 1.1, 2.0, x.size + 1.0])
    elif kind == "sign":
        wrong *= -1
    elif kind == "zero":
        wrong[element] = 0
    elif kind == "one":
        wrong[element] *= rng.choice([-1.0, 0.8, 3.0])
    elif kind == "reversed":
        wrong = wrong[::-1].copy()
    else:
        wrong += size * rng.choice([-0.3, 0.3])
    material = np.abs(wrong - right) > least * size
    if temper in ("kinked", "tied"):  # where any slope between two is right
        away = [all(abs(v - k) > 1e-2 for k in (0.0, 1.0, -1.0)) for v in x]
        material &= np.array(away) if temper == "kinked" else False
    return (lambda z: wrong) if size > 0 and material.any() and math.isfinite(size) else None
