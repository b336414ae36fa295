"""What a check says where noise, saturation, ties and infinity make it hard, and what it costs."""

import io
import itertools
import sys

import numpy as np
import pytest
from effort import much

from tinygrad_edu import Tensor, check_backward, gradcheck, rule
from tinygrad_edu.check import noise, progress, verdict

RNG = np.random.default_rng(3)
X = RNG.normal(size=(3, 4))


def verdicts(*checked, **options):
    return [row.verdict for row in check_backward(*checked, **options, raises=False).rows]


def verdict_on(f, derivative, x):
    (row,) = gradcheck(f, x, gradient=derivative, raises=False).rows
    return row.verdict


# --- noise ---------------------------------------------------------------------------------------


def stairs(digits):
    return lambda t: float(f"{np.sin(0.7 + t):.{digits}f}")


ROUGH = {
    "float64": (lambda t: float(np.sin(0.7 + t)), 5e-17, 1e-15),
    "float32 inside": (lambda t: float(np.sin(np.float32(0.7 + t))), 5e-9, 5e-7),
    "float32 result": (lambda t: float(np.float32(np.sin(0.7 + t))), 5e-9, 5e-7),
    "float32 beside float64": (
        lambda t: float(np.sin(np.float32(0.7 + t))) + 1e-3 * t, 5e-9, 5e-7,
    ),
    "float16": (lambda t: float(np.float16(np.sin(0.7 + t))), 3e-5, 3e-3),
    "six digits": (stairs(6), 5e-8, 5e-6),
    "four digits": (stairs(4), 5e-6, 5e-4),
    "a table": (lambda t: float(np.sin(int((0.7 + t) * 1e4) / 1e4)), 5e-6, 5e-4),
    "a large part": (lambda t: 1e10 + float(np.sin(0.7 + t)), 5e-7, 5e-5),
    "a jump": (lambda t: t + (t > 1e-5), 0.0, 1e-9),
    "a kink": (lambda t: abs(t - 1e-5), 0.0, 1e-9),
    "steep": (lambda t: float(np.logaddexp(0, 1e6 * t)), 0.0, 1e-8),
    "steep waves": (lambda t: float(np.sin(1e5 * t)), 0.0, 1e-8),
    "tiny waves": (lambda t: float(np.sin(1e30 * t)), 0.0, 1e-8),
}  # fmt: skip


@pytest.mark.parametrize(("path", "least", "most"), ROUGH.values(), ids=ROUGH)
def test_noise_is_measured_and_neither_steepness_nor_a_jump_is_taken_for_it(path, least, most):
    x = 1e-30 if path is ROUGH["tiny waves"][0] else 0.7
    assert least <= noise.noise_of(path, x) <= most


class Buffered:
    """tanh with a buffer of float32 numbers."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def forward(self, x):
        self.y = np.tanh(x)
        out = np.empty(x.shape, "f")
        out[:] = self.y
        return out

    def backward(self, dout):
        return self.factor * dout * (1 - self.y**2)


class Narrow:
    """A network with float32 numbers in its middle."""

    def __init__(self, rng, factor=1.0):
        self.W, self.V = rng.normal(size=(4, 5)), rng.normal(size=(5, 3))
        self.factor = factor

    def forward(self, x):
        self.x = x
        self.h = np.tanh(x @ self.W).astype(np.float32)
        return self.h @ self.V

    def backward(self, dout):
        self.dV = self.h.T @ dout
        dz = (dout @ self.V.T) * (1 - self.h**2)
        self.dW = self.factor * self.x.T @ dz
        return dz @ self.W.T


@pytest.mark.parametrize("seed", range(much(40, 2)))
def test_float32_inside_is_judged_by_its_noise(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, 4))
    assert verdicts(Buffered(), x) == ["ok"]
    for factor in (1.1, -1.0, 0.5):
        assert verdicts(Buffered(factor), x) == ["wrong"]
        assert verdicts(Narrow(rng, factor), x) == ["ok", "wrong", "ok"]
    report = check_backward(Narrow(rng), x)
    assert "judged as float32" in str(report)
    assert "noise" in str(report)


def test_coarse_stairs_are_unsure_whatever_the_derivative():
    for derivative in (np.cos, lambda x: -np.cos(x)):
        report = gradcheck(
            lambda x: float(np.sin(int(x * 50) / 50)), 0.71, gradient=derivative, raises=False
        )
        assert [row.verdict for row in report.rows] == ["unsure"]
        assert "moving the input does not change the result" in str(report)


@pytest.mark.parametrize("factor", [1.0, 1.1, -1.0])
def test_large_numbers_on_the_way_hide_no_mistake(factor):
    expected = "ok" if factor == 1.0 else "wrong"

    @rule("?")
    def square_of_a_test(x, /):
        return x * x, lambda g: (2 * factor * x * g,)

    report = gradcheck(
        lambda v: square_of_a_test(v).minimum(v * 1e14), Tensor(X + 3, "v"), raises=False
    )
    assert [row.verdict for row in report.rows] == [expected]
    times = 1.7e9 + 10 * np.arange(5.0)
    assert expected == verdict_on(
        lambda t: float(np.sum(np.square((t - t.mean()) * 1e-3))),
        lambda t: factor * 2e-6 * (t - t.mean()),
        times,
    )
    assert verdict_on(np.exp, lambda x: factor * np.exp(x), -30.0) == expected


# --- 0 against 0 ---------------------------------------------------------------------------------


def test_an_input_that_does_not_matter_is_unused_and_fails():
    w = 3.0
    for derivative in (lambda x: 0.0, lambda x: 0.0 * x):
        report = gradcheck(lambda x: w * w, 2.0, gradient=derivative, raises=False)
        assert [row.verdict for row in report.rows] == ["unused"]
        assert not report.ok
        assert "is another variable used" in " ".join(str(report).split())
    assert verdict_on(lambda x: w * w, lambda x: 2 * x, 2.0) == "wrong"
    assert verdict_on(lambda x: max(x, 5.0), lambda x: 0.0, 2.0) == "ok", "it matters further on"


class Pointwise:
    def __init__(self, f, slope):
        self.f, self.slope = f, slope

    def forward(self, x):
        self.y = self.f(x)
        return self.y

    def backward(self, dout):
        return dout * self.slope(self.y)


SATURATED = {
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda y: y * (1 - y), 40.0),
    "tanh": (np.tanh, lambda y: 1 - y * y, 20.0),
    "tanh, nearly": (np.tanh, lambda y: 1 - y * y, 12.0),
}


@pytest.mark.parametrize(("f", "slope", "at"), SATURATED.values(), ids=SATURATED)
def test_saturated_layers_are_not_accused(f, slope, at):
    for seed in range(4):
        x = at + np.random.default_rng(seed).normal(size=(3, 4))
        assert verdicts(Pointwise(f, slope), x)[0] in ("ok", "unsure", "unused")


def test_a_cube_near_nothing_is_not_accused():
    assert verdict_on(lambda x: x**3, lambda x: 3 * x * x, 1.4e-150) != "wrong"


class Normalised:
    """A bias before batch norm, whose derivative is 0 up to rounding."""

    def __init__(self, wrong=0.0):
        self.b, self.wrong = np.array([0.3, -0.2, 1.0, 2.0]), wrong

    def forward(self, x):
        z = x + self.b
        self.std = z.std(0)
        self.z = (z - z.mean(0)) / self.std
        return self.z

    def backward(self, dout):
        dz = (dout - dout.mean(0) - self.z * (dout * self.z).mean(0)) / self.std
        self.db = dz.sum(0) + self.wrong
        return dz


def test_two_derivatives_that_are_rounding_are_both_0():
    assert verdicts(Normalised(), X) == ["ok", "ok"]
    assert verdicts(Normalised(1e-6), X) == ["ok", "wrong"]


def test_infinite_inputs_end_at_once():
    calls = []

    def f(x):
        calls.append(1)
        return float(np.sum(x * x))

    for x in (np.inf, np.array([1.0, -np.inf]), np.array([np.nan])):
        with np.errstate(all="ignore"):
            assert verdict_on(f, lambda x: 2 * x, x) == "unsure"
    assert len(calls) < 20


# --- ties ----------------------------------------------------------------------------------------


def test_kinks_that_are_not_shared_and_kinks_of_hidden_units_are_not_accused():
    relu = Pointwise(lambda x: np.maximum(x, 0), lambda y: y > 0)
    assert verdicts(relu, np.zeros((3, 4)))[0] == "kink"
    for seed in (*range(much(12, 3)), 16):  # there, three kinks nearly cancel each other
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(4, 6))
        x[1] = 0.0  # all hidden units are at their kinks
        found = verdicts(Hidden(rng, 6, 6, bias=0.0), x)
        assert set(found) <= {"ok", "kink", "unsure"}, seed


# --- what it costs -------------------------------------------------------------------------------

CALLS = itertools.count()
"""A check puts lists back as they were; this goes on."""


class Hidden:
    """Affine, ReLU, affine."""

    def __init__(self, rng, n, k, bias=1.0, dtype=float, sign=1):
        self.W = (rng.normal(size=(n, k)) / n**0.5).astype(dtype)
        self.b = (bias * rng.normal(size=k)).astype(dtype)
        self.V = (rng.normal(size=(k, 3)) / k**0.5).astype(dtype)
        self.sign = sign

    def forward(self, x):
        next(CALLS)
        self.x = x
        self.h = np.maximum(x @ self.W + self.b, 0)
        return self.h @ self.V

    def backward(self, dout):
        self.dV = self.h.T @ dout
        dz = (dout @ self.V.T) * (self.h > 0)
        self.dW, self.db = self.sign * self.x.T @ dz, dz.sum(0)
        return dz @ self.W.T


@pytest.mark.no_cover
@pytest.mark.parametrize("n", much((5, 50, 200, 400, 1000), (5, 50, 200)))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_right_layer_of_any_size_takes_about_400_calls(n, dtype):
    rng = np.random.default_rng(0)
    before = next(CALLS)
    report = check_backward(Hidden(rng, n, n, dtype=dtype), rng.normal(size=(8, n)).astype(dtype))
    assert report.ok
    assert next(CALLS) - before < 480


@pytest.mark.no_cover
def test_a_wrong_layer_takes_some_thousand_calls_at_most():
    rng = np.random.default_rng(0)
    before = next(CALLS)
    report = check_backward(Hidden(rng, 300, 200, sign=-1), rng.normal(size=(8, 300)), raises=False)
    (wrong,) = [row for row in report.rows if row.verdict == "wrong"]
    assert wrong.parameter == "W"
    assert "the sign is wrong" in wrong.note
    assert next(CALLS) - before < 2500


# --- Ctrl-C, and a line of progress --------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 1, 2])
def test_ctrl_c_gives_the_report_so_far(after):
    stop_at = "abc"[after]

    def f(a, b, c):
        moved = {"a": a, "b": b, "c": c}[stop_at].data
        if moved != {"a": 1.0, "b": 2.0, "c": 3.0}[stop_at]:
            raise KeyboardInterrupt
        return a * b * c

    if after == 0:
        with pytest.raises(KeyboardInterrupt):
            gradcheck(f, 1.0, 2.0, 3.0)
        return
    report = gradcheck(f, 1.0, 2.0, 3.0, raises=False)
    assert [row.verdict for row in report.rows] == ["ok"] * after + ["unsure"] * (3 - after)
    assert f"stopped after {after} of 3" in str(report)
    assert not report.ok


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_a_terminal_shows_how_far_it_is_and_nothing_is_left_of_it(stream, monkeypatch):
    monkeypatch.setattr(progress, "AFTER", 0.0)
    monkeypatch.setattr(progress, "EVERY", 0.0)
    monkeypatch.setattr(sys, "stderr", stream())
    gradcheck(lambda x, y: x * y, 2.0, 3.0)
    written = sys.stderr.getvalue()
    if stream is io.StringIO:
        assert written == ""
        return
    assert "y: 1 of 2 judged" in written
    assert written.rstrip("\r").endswith(" ")


def test_small_inputs_leave_calls_to_large_ones():
    shares = verdict._shares([None, *(_case(n) for n in (1000, 2, 10))])
    assert shares[2] >= 4
    assert shares[3] >= 20
    assert shares[1] == verdict.CALLS - 4 - 20


def _case(n):
    from tinygrad_edu.check.case import Case, Tolerance

    return Case("x", np.zeros(n), np.zeros(n), float, Tolerance(1e-6, 1e-6))
