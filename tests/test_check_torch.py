"""Functions and modules of torch are checked through torch's own backward pass."""

import copy

import numpy as np
import pytest
from oracles import library

from tinygrad_edu import check_backward, gradcheck
from tinygrad_edu.check import GradientError

library("torch")
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.autograd.function import once_differentiable  # noqa: E402

Function = torch.autograd.Function
both_dtypes = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])


def normal(*shape, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


class Affine(Function):
    @staticmethod
    def forward(ctx, x, w, b):
        ctx.save_for_backward(x, w)
        return x @ w + b

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g @ w.T, x.T @ g, g.sum(0)


class Softmax(Function):
    @staticmethod
    def forward(x):
        return torch.softmax(x, -1)

    @staticmethod
    def setup_context(ctx, inputs, y):
        ctx.save_for_backward(y)

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return y * (g - (g * y).sum(-1, keepdim=True))


class SquaredError(Function):
    @staticmethod
    def forward(ctx, prediction, target):
        ctx.save_for_backward(prediction, target)
        return ((prediction - target) ** 2).mean()

    @staticmethod
    def backward(ctx, g):
        prediction, target = ctx.saved_tensors
        return g * 2 * (prediction - target) / prediction.numel(), None


def with_backward(function, backward):
    return type(function.__name__, (function,), {"backward": staticmethod(backward)})


def inputs_of(function, dtype=torch.float64):
    x = normal(4, 3, dtype=dtype)
    return {Affine: (x, x[:3] * 2, x[0]), Softmax: (x,), SquaredError: (x, 2 * x)}[function]


def saved(ctx):
    return ctx.saved_tensors


PLANTED = {
    "the sign is wrong": (Affine, lambda ctx, g: (-g @ saved(ctx)[1].T, None, None)),
    "w is not transposed": (Affine, lambda ctx, g: (g @ saved(ctx)[1], None, None)),
    "it is transposed": (Affine, lambda ctx, g: (None, g.T @ saved(ctx)[0], None)),
    "5 times": (Affine, lambda ctx, g: (5 * g @ saved(ctx)[1].T, None, None)),
    "through the sum": (Softmax, lambda ctx, g: saved(ctx)[0] * g),
    "multiply by the adjoint": (
        SquaredError,
        lambda ctx, g: (2 * (saved(ctx)[0] - saved(ctx)[1]) / 12, None),
    ),
    "1/N": (SquaredError, lambda ctx, g: (g * 2 * (saved(ctx)[0] - saved(ctx)[1]), None)),
    "half of what": (SquaredError, lambda ctx, g: (g * (saved(ctx)[0] - saved(ctx)[1]) / 12, None)),
    "does not grow with the adjoint": (Affine, lambda ctx, g: (None, None, g.clamp(-2, 2).sum(0))),
}


@both_dtypes
@pytest.mark.parametrize("function", [Affine, Softmax, SquaredError])
def test_right_functions_agree(function, dtype):
    inputs = inputs_of(function, dtype)
    for report in (check_backward(function, *inputs), gradcheck(function.apply, *inputs)):
        assert report.called.endswith("), differentiated by torch.autograd.grad")
        assert {row.dtype for row in report.rows} == {str(dtype).removeprefix("torch.")}
    required = len(inputs) if function is Affine else 1
    given = [x.double().clone() for x in inputs]
    assert torch.autograd.gradcheck(
        function.apply, [x.requires_grad_(i < required) for i, x in enumerate(given)]
    )


@both_dtypes
@pytest.mark.parametrize("said", PLANTED)
def test_mistakes_are_named(said, dtype):
    function, backward = PLANTED[said]
    wrong, inputs = with_backward(function, backward), inputs_of(function, dtype)
    with pytest.raises(GradientError) as caught:
        check_backward(wrong, *inputs)
    assert said in " ".join(str(caught.value).split())
    with pytest.raises(GradientError, match=r"wrong for|problem"):
        gradcheck(lambda *xs: torch.sin(wrong.apply(*xs)).sum(), *inputs)


def test_a_function_that_is_handed_numbers_of_numpy_is_run_on_tensors():
    x, w, b = (x.numpy() for x in inputs_of(Affine))
    assert check_backward(Affine, x, w, b).ok
    wrong = with_backward(Affine, PLANTED["the sign is wrong"][1])
    for f in (wrong.apply, lambda x, w, b: wrong.apply(x, w, b) * 2):
        with pytest.raises(GradientError, match="wrong for x"):
            gradcheck(f, x, w, b)
    assert gradcheck(lambda x: torch.tanh(x) * 2, 0.5).rows[0].analytic == pytest.approx(
        2 / np.cosh(0.5) ** 2, rel=1e-12
    )


# --- what a Function may do ----------------------------------------------------------------------


class Sorted(Function):
    @staticmethod
    def forward(ctx, x, scale):
        y, order = x.sort(1)
        place = order.to(x.dtype)
        ctx.mark_non_differentiable(order, place)
        ctx.save_for_backward(order)
        ctx.scale = scale
        return y * scale, order, place

    @staticmethod
    def backward(ctx, g, _, __):
        return torch.zeros_like(g).scatter(1, ctx.saved_tensors[0], g * ctx.scale), None


class SinCos(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin(), x.cos()

    @staticmethod
    def backward(ctx, g_sin, g_cos):
        (x,) = ctx.saved_tensors
        return g_sin * x.cos() - g_cos * x.sin()


class Saving(Function):
    """Saves w only where it is asked for the gradient of w, but needs it for that of x."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w if ctx.needs_input_grad[1] else torch.ones_like(w))
        return x * w

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g * w, g * x if ctx.needs_input_grad[1] else None


class ReluInPlace(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        ctx.save_for_backward(x.relu_())
        return x

    @staticmethod
    def backward(ctx, g):
        return g * (ctx.saved_tensors[0] > 0)


def test_outputs_that_are_not_differentiable_and_settings_are_left_out():
    report = check_backward(Sorted, normal(4, 3), 3.0)
    assert [row.parameter for row in report.rows] == ["x"]


def test_of_several_outputs_the_one_with_the_mistake_is_named():
    assert check_backward(SinCos, normal(3)).ok
    wrong = with_backward(
        SinCos, lambda ctx, a, b: a * saved(ctx)[0].cos() + b * saved(ctx)[0].sin()
    )
    (row,) = check_backward(wrong, normal(3), raises=False).rows
    assert row.note.startswith("through result 1: the sign is wrong")


def test_no_gradient_is_a_mistake_where_one_is_required():
    x, target = inputs_of(SquaredError)
    report = check_backward(SquaredError, x, target)
    assert [row.verdict for row in report.rows] == ["ok", "not given"]
    required = target.clone().requires_grad_()
    report = check_backward(SquaredError, x.clone().requires_grad_(), required, raises=False)
    assert [row.verdict for row in report.rows] == ["ok", "missing"]
    report = check_backward(SquaredError, x.clone().requires_grad_(), target)
    assert [row.parameter for row in report.rows] == ["prediction"]
    cut = gradcheck(lambda x: (x.detach() ** 2).sum(), x, raises=False)
    assert [row.verdict for row in cut.rows] == ["missing"]


def test_each_input_is_asked_for_alone():
    report = check_backward(Saving, normal(3), 2 * normal(3), raises=False)
    assert [row.verdict for row in report.rows] == ["ok", "ok"]
    (problem,) = report.problems
    assert problem.startswith("x: backward gives another gradient where x alone requires one")


def test_what_is_written_into_is_said():
    x = normal(4, 3)
    before = x.clone()
    report = check_backward(ReluInPlace, x, raises=False)
    assert report.problems == [
        "x: the function wrote into it; work on a copy, or use "
        "gradcheck(lambda x: ReluInPlace.apply(x.clone()), x)"
    ]
    assert torch.equal(x, before)
    assert gradcheck(lambda x: ReluInPlace.apply(x.clone()), x).ok
    doubling = with_backward(Softmax, lambda ctx, g: Softmax.backward(ctx, g.mul_(1.0).add_(1e-9)))
    (problem,) = check_backward(doubling, x, raises=False).problems
    assert problem.startswith("backward wrote into the adjoint (grad_output)")


# --- modules -------------------------------------------------------------------------------------


class Notebook(nn.Module):
    """Keeps what it computes, counts, and has a tensor that is not a parameter."""

    def __init__(self):
        super().__init__()
        self.inner, self.W, self.calls = nn.Linear(3, 2), normal(2, 2, dtype=torch.float32), 0

    def forward(self, x):
        self.calls += 1
        self.h = torch.tanh(self.inner(x))
        return self.h @ self.W


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.out = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, i):
        return self.out(self.embedding(i).sin())


MODULES = {
    "classifier": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Tanh()),
        (4, 3),
    ),
    "convolutions": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.GELU(), nn.MaxPool2d(2)),
        (2, 1, 6, 6),
    ),
    "LSTM": (lambda: nn.LSTM(3, 2), (3, 2, 3)),
    "layer norm": (lambda: nn.LayerNorm(3), (4, 3)),
    "lazily built": (lambda: nn.Sequential(nn.LazyLinear(4), nn.Tanh(), nn.LazyLinear(2)), (4, 3)),
    "from a notebook": (Notebook, (4, 3)),
}


@both_dtypes
@pytest.mark.parametrize("name", MODULES)
def test_modules_are_checked_by_their_inputs_and_parameters(name, dtype):
    make, shape = MODULES[name]
    torch.manual_seed(0)
    module = make()
    if name != "lazily built":
        module = module.to(dtype)
        if name == "from a notebook":
            module.W = module.W.to(dtype)
            module(normal(*shape, dtype=dtype))
    report = check_backward(module, normal(*shape, dtype=dtype if name != "lazily built" else None))
    assert {"input", "x"} & {row.parameter for row in report.rows}
    if name != "lazily built":
        assert len(report.rows) == 1 + len(list(module.parameters()))


def test_a_mistake_inside_a_module_is_found_at_its_parameters():
    wrong = with_backward(
        Affine, lambda ctx, g: (g @ saved(ctx)[1].T, -saved(ctx)[0].T @ g, g.sum(0))
    )

    class Layer(nn.Linear):
        def forward(self, x):
            return wrong.apply(x, self.weight.T, self.bias)

    report = check_backward(
        nn.Sequential(Layer(3, 2), nn.Tanh()), normal(4, 3).float(), raises=False
    )
    assert {row.parameter: row.verdict for row in report.rows} == {
        "input": "ok", "0.weight": "wrong", "0.bias": "ok",
    }  # fmt: skip
    assert report.rows[1].note.startswith("the sign is wrong")


def test_indices_are_settings_and_shared_weights_are_one_parameter():
    report = check_backward(Tied().double(), torch.tensor([0, 3, 3]))
    assert [row.parameter for row in report.rows] == ["embedding.weight"]
    frozen = nn.Linear(3, 2).requires_grad_(False)
    assert [row.parameter for row in check_backward(frozen, normal(4, 3).float()).rows] == ["input"]


def test_modules_tensors_and_random_generators_stay_as_they_are():
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout()).double()
    module(normal(4, 3)).sum().backward()
    module[0].bias.requires_grad_(False)
    kept = copy.deepcopy(module.state_dict())
    gradients = {name: p.grad.clone() for name, p in module.named_parameters()}
    x = normal(4, 3).requires_grad_()
    state = torch.get_rng_state()
    check_backward(module, x)
    check_backward(module.eval(), x)
    gradcheck(lambda x: module.train()(x), x)
    assert torch.equal(torch.get_rng_state(), state)
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, kept[name]), name
    for name, p in module.named_parameters():
        assert torch.equal(p.grad, gradients[name]), name
    assert [p.requires_grad for p in module.parameters()] == [True, False, True, True]
    assert module.training
    assert x.requires_grad
    assert x.grad is None


def test_a_check_works_where_torch_records_nothing():
    with torch.no_grad():
        assert check_backward(SinCos, normal(3)).ok
    with torch.inference_mode():
        assert check_backward(SinCos, normal(3)).ok


def test_what_only_runs_in_float32_is_checked_as_it_runs():
    weights = normal(3, 2, dtype=torch.float32)
    report = gradcheck(lambda x: x @ weights, normal(4, 3, dtype=torch.float32), raises=False)
    assert "it does not run in float64" in report.notes[0]
    assert not any(row.verdict == "wrong" for row in report.rows)


def test_a_gradient_by_hand_beside_a_loss_is_what_is_checked():
    assert check_backward(lambda w: ((w**2).sum(), 2 * w), normal(3)).ok
    report = check_backward(lambda w: ((w**2).sum(), 3 * w), normal(3), raises=False)
    assert [row.verdict for row in report.rows] == ["wrong"]
    with pytest.raises(TypeError, match="gradcheck takes functions of torch"):
        check_backward(lambda w: w.sin(), normal(3))


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: check_backward(nn.Linear, normal(3)), "Linear is a class; give an object of it"),
        (lambda: gradcheck(torch.sin, normal(3).half()), "input 0 is float16.*float64 or float32"),
        (lambda: gradcheck(torch.abs, normal(3) * 1j), "complex128.*dense real tensors"),
        (lambda: gradcheck(torch.sin, normal(3), second_order=True), "create_graph=True"),
        (lambda: gradcheck(lambda x: x.sum().item(), normal(3)), "returned float, not a torch"),
        (lambda: gradcheck(torch.sin, torch.arange(3)), "none of the inputs is a floating array"),
    ],
)
def test_what_cannot_be_checked_is_refused(call, said):
    with pytest.raises(TypeError, match=said):
        call()


def test_a_gradient_by_torch_is_a_function_that_is_checked_too():
    def slope(x):
        return torch.autograd.grad(torch.sin(x).sum(), x, create_graph=True)

    (row,) = gradcheck(slope, torch.tensor([0.5], dtype=torch.float64)).rows
    assert row.analytic == pytest.approx(-np.sin(0.5), rel=1e-12)
