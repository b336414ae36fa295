"""A number that leaves the graph: said where its gradient is lost, and only there."""

import array
import json
import math
import statistics
import subprocess
import sys
import warnings

import numpy as np
import pytest

from tinygrad_edu import Tensor, Value, no_grad

kinds = pytest.mark.parametrize("kind", [Value, Tensor])


def assign(x):
    numbers = np.zeros(3)
    numbers[1] = x


def assign_to_an_array_of_python(x):
    numbers = array.array("d", [0.0])
    numbers[0] = x


def call_over_several_lines(x):
    return math.exp(
        x
        * 2.0,
    )  # fmt: skip


def call_with_a_float_beside_it(x):
    return math.exp(x * float(x))


def many_times(x):  # the interpreter replaces what it runs often by quicker instructions
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(50):
            math.sqrt(x)
    for _ in range(2):
        math.sqrt(x)


LOST = {
    "exp": lambda x: Value(2.0) * math.exp(x),
    "sqrt": lambda x: [math.sqrt(y) for y in (x, x)],
    "pow": lambda x: math.pow(x, 2),
    "hypot": lambda x: math.hypot(1.0, x),
    "fsum": lambda x: math.fsum([x, x]),
    "fsum in a library": lambda x: statistics.fmean([x, x]),
    "append": lambda x: array.array("d").append(x),
    "an assignment": assign,
    "an assignment to an array of Python": assign_to_an_array_of_python,
    "exp over several lines": call_over_several_lines,
    "exp with a float beside it": call_with_a_float_beside_it,
    "sqrt many times": many_times,
}


@kinds
@pytest.mark.parametrize(("name", "use"), LOST.items(), ids=LOST)
def test_a_function_of_plain_numbers_says_that_the_gradient_is_lost(name, use, kind):
    x = kind(0.5, "b")
    said = (
        name.split(" over")[0].split(" with")[0].split(" to")[0].split(" many")[0].split(" in")[0]
    )
    with pytest.warns(UserWarning, match=f"^{said} took .*b.* gradient is lost; .*x.exp") as seen:
        use(x)
    assert {warning.filename for warning in seen} <= {__file__, statistics.__file__}


def formatted(x):
    return f"{x:.3f}", "%.3f" % x, "{:.3f}".format(x), format(x, ".3f"), "%s %5.1f" % ("x", x)  # noqa: UP031, UP032


CONVERT = float


def loop_over_a_map(x):
    for number in map(float, [x, x]):
        assert number == 0.5


MEANT = {
    "float": float,
    "NumPy's": lambda x: np.float64(x),
    "complex": lambda x: complex(x),
    "formats": formatted,
    "a map in a list": lambda x: list(map(float, [x, x])),
    "a map in a loop": loop_over_a_map,
    "a map unpacked": lambda x: [*map(float, [x])],
    "a map in any call": lambda x: (
        math.fsum(map(float, [x])),
        [0.0].extend(map(float, [x])),
        np.fromiter(map(float, [x]), float),
    ),
    "a sort": lambda x: [x, x].sort(key=float),
    "another name": lambda x: CONVERT(x),
    "json": lambda x: json.dumps({"loss": x}, default=float),
    "a key": lambda x: (sorted([x, x], key=float), max(x, x, key=float)),
    "a comprehension": lambda x: [float(y) for y in (x, x)],
    "truths": lambda x: (math.isnan(x), math.isinf(x), math.isfinite(x), math.isclose(x, 0.5)),
    "a graph": lambda x: ((x * 2 + 1) / 3).backward(),
}


@kinds
@pytest.mark.parametrize("use", MEANT.values(), ids=MEANT)
def test_where_the_number_is_meant_nothing_is_said(use, kind):
    use(kind(0.5))  # a warning is an error here


@kinds
def test_inside_no_grad_there_is_no_gradient_to_lose(kind):
    with no_grad():
        assert math.exp(kind(0.0)) == 1.0


@kinds
def test_what_numpy_would_take_apart_is_refused(kind):
    for use in (np.array, np.asarray, lambda x: np.full(2, x)):
        with pytest.raises(TypeError, match="lose"):
            use([kind(1.0)])


@kinds
@pytest.mark.parametrize("spec", [".3f", "8.2e", "+.1f", "", "g", "<12"])
def test_a_node_is_formatted_as_its_number(spec, kind):
    x = kind(0.123456)
    assert format(x, spec) == (format(0.123456, spec) if spec else str(x))


def test_an_array_is_formatted_element_by_element():
    x = Tensor([[1.0, 2.5], [-0.123456, 1e6]])
    numbers = format(x, ".2f").replace("[", "").replace("]", "").replace("\n", "").split(",")
    assert [n.strip() for n in numbers] == ["1.00", "2.50", "-0.12", "1000000.00"]
    with pytest.raises(ValueError, match="format"):
        format(x, "no format")


def test_without_columns_in_the_code_float_is_still_meant():
    code = "from tinygrad_edu import Value\nprint(float(Value(2.0)))"
    run = subprocess.run([sys.executable, "-W", "error", "-X", "no_debug_ranges", "-c", code],
                         capture_output=True, text=True, check=False)  # fmt: skip
    assert (run.stdout, run.stderr) == ("2.0\n", "")
