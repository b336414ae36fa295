"""The demos of calculus over functions: what they print is computed, and right."""

import re

import numpy as np
import pytest
from test_demos import load, run


def table(text):
    """The rows of numbers, one table after the other."""
    rows = re.findall(r"^ +(\d+) +(\S+) +(\S+) +(\S+) +(\S+)$", text, re.M)
    return np.array(rows, dtype=float)


@pytest.mark.deep
def test_newton_reaches_the_minimum_where_gradient_descent_is_still_on_its_way(tmp_path):
    out, _ = run("newton.py", tmp_path)
    by_newton, by_descent = (table(part) for part in out.split("gradient descent"))
    assert by_newton[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert by_descent[:, 0].tolist() == [0, 1, 10, 100, 1000, 5000]
    x = np.array([-1.2, 1.0])
    for _, a, b, value, size in by_newton:  # with derivatives written by hand
        gradient = np.array([2 * (x[0] - 1) - 400 * x[0] * (x[1] - x[0] ** 2),
                             200 * (x[1] - x[0] ** 2)])  # fmt: skip
        h = np.array([[2 - 400 * (x[1] - 3 * x[0] ** 2), -400 * x[0]], [-400 * x[0], 200.0]])
        exact = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
        assert (a, b) == pytest.approx(tuple(x), abs=1e-6)
        assert value == pytest.approx(exact, rel=0.01, abs=1e-18)
        assert size == pytest.approx(np.linalg.norm(gradient), rel=0.01, abs=1e-7)
        x = x - np.linalg.solve(h, gradient)
    assert by_newton[-1, 3] < 1e-15
    assert 1e-4 < by_descent[-1, 3] < by_descent[0, 3] / 1000
    assert (np.diff(by_descent[:, 3]) < 0).all()
    assert (tmp_path / "newton.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.deep
def test_curvature_of_the_fit_is_close_to_that_of_the_truth(tmp_path):
    out, _ = run("curvature.py", tmp_path)
    found = re.findall(r"^(\w+) .*largest error (\S+), largest value (\S+)$", out, re.M)
    assert [name for name, _, _ in found] == ["height", "slope", "curvature"]
    errors = [float(error) for _, error, _ in found]
    sizes = [float(size) for _, _, size in found]
    x = np.linspace(-2.5, 2.5, 100_001)
    y = np.sin(2 * x) / (1 + x * x / 4)
    first = np.gradient(y, x)
    kappa = np.gradient(first, x) / (1 + first**2) ** 1.5
    exact = [np.abs(v[5:-5]).max() for v in (y, first, kappa)]
    assert sizes == pytest.approx(exact, rel=1e-3)
    for error, size, share in zip(errors, sizes, (0.03, 0.05, 0.1), strict=True):
        assert 0 < error < share * size
    assert (tmp_path / "curvature.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.deep
def test_the_oscillator_is_learned_from_its_equation_alone(tmp_path):
    out, _ = run("oscillator.py", tmp_path)
    losses = [float(x) for x in re.findall(r"loss (\S+) \(m/s²\)²", out)]
    errors = [float(x) for x in re.findall(r"largest error (\S+) m$", out, re.M)]
    assert len(losses) == len(errors) == 7
    assert losses[-1] < 1e-3 < 10 < losses[0]
    assert errors[-1] < 2e-3 < 1 < errors[0]
    overall = float(re.search(r"error at any time (\S+) m", out).group(1))
    assert 0.9 * errors[-1] < overall < 2e-3
    assert (tmp_path / "oscillator.png").read_bytes().startswith(b"\x89PNG")


def test_the_oscillators_exact_solution_solves_its_equation():
    oscillator = load("oscillator")
    t = np.linspace(0.0, 5.0, 500_001)
    u = oscillator.exact(t)
    velocity = np.gradient(u, t)
    d, w = oscillator.DAMPING, oscillator.FREQUENCY
    residual = np.gradient(velocity, t) + 2 * d * velocity + w**2 * u
    assert np.abs(residual[5:-5]).max() < 1e-4
    assert u[0] == 1.0
    assert abs(velocity[0]) < 1e-4
