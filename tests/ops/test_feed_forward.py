"""The feed-forward half of a block, in blocks of tokens: against torch's own operators."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from hyenadna.ops import feed_forward as module
from hyenadna.ops.feed_forward import FeedForwardWeights, feed_forward, feed_forward_reference

EPS = 1e-5
Function = Callable[..., Tensor]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four tokens to a block, for weights of 12 hidden channels."""
    monkeypatch.setattr(module, "BLOCK_ELEMENTS", 48 // torch.get_num_threads())


@pytest.fixture(params=[0, 1 << 20], ids=["computed again", "kept"])
def _kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_ELEMENTS", request.param)


def draw(*shape: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, FeedForwardWeights]:
    """Return x of a shape and weights for 12 hidden channels."""
    torch.manual_seed(0)
    d = shape[-1]
    shapes = [(d,), (d,), (12, d), (12,), (d, 12), (d,)]
    weights = FeedForwardWeights(
        *(torch.randn(size, dtype=dtype, requires_grad=True) for size in shapes)
    )
    return torch.randn(shape, dtype=dtype, requires_grad=True), weights


def run(function: Function, x: Tensor, weights: FeedForwardWeights) -> tuple[Tensor, ...]:
    """Return the result and the gradients of x and the weights."""
    y = function(x, weights, eps=EPS)
    dy = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape)
    return (y, *torch.autograd.grad(y, (x, *weights), dy))


@pytest.mark.usefixtures("_kept")
@pytest.mark.parametrize("shape", [(1, 5), (4, 5), (3, 7, 5), (1, 9, 6), (0, 5)])
def test_result_and_gradients_are_those_of_torch(shape: tuple[int, ...]) -> None:
    x, weights = draw(*shape, dtype=torch.float64)
    torch.testing.assert_close(
        run(feed_forward, x, weights), run(feed_forward_reference, x, weights)
    )


@pytest.mark.usefixtures("_kept")
def test_gradients_are_those_of_finite_differences() -> None:
    x, weights = draw(6, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x, *weights: feed_forward(x, FeedForwardWeights(*weights), eps=EPS), (x, *weights)
    )


@pytest.mark.usefixtures("_kept")
def test_fp32_is_as_accurate_as_torch() -> None:
    x, weights = draw(3, 21, 8)
    wide = FeedForwardWeights(*(weight.double() for weight in weights))
    y, *gradients = run(feed_forward_reference, x.double(), wide)
    exact = (y, *gradients)
    for mine, plain, true in zip(
        run(feed_forward, x, weights), run(feed_forward_reference, x, weights), exact, strict=True
    ):
        allowed = 2 * (plain.double() - true).abs().max() + 1e-6 * true.abs().max()
        assert (mine.double() - true).abs().max() <= allowed


def test_gelu_is_that_of_torch_far_from_zero() -> None:
    h = torch.linspace(-40, 40, 4001, dtype=torch.float64, requires_grad=True)
    expected = torch.nn.functional.gelu(h, approximate="tanh")
    (slope,) = torch.autograd.grad(expected.sum(), h)
    t, activation, mine = (torch.empty_like(h) for _ in range(3))
    with torch.no_grad():
        module._activate(h, t, activation, mine)
    torch.testing.assert_close(activation, expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(mine, slope, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("_kept")
def test_tokens_and_gradients_need_not_be_contiguous() -> None:
    x, weights = draw(2, 9, 5)
    strided = x.detach().mT.contiguous().mT.requires_grad_()
    y = feed_forward(strided, weights, eps=EPS)
    gradient = torch.randn(9, 2, 5).transpose(0, 1)
    mine = torch.autograd.grad(y, (strided, *weights), gradient)
    expected = torch.autograd.grad(
        feed_forward_reference(x, weights, eps=EPS), (x, *weights), gradient
    )
    torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-5)


def test_long_inputs_keep_nothing_but_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weights = draw(3, 21, 8)
    monkeypatch.setattr(module, "KEPT_ELEMENTS", 63 * 12 - 1)
    shapes: list[tuple[int, ...]] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: (shapes.append(tuple(x.shape)), x)[1], lambda x: x
    ):
        feed_forward(x, weights, eps=EPS)
    assert shapes == [tuple(tensor.shape) for tensor in (x, *weights)]


def test_recomputing_stops_before_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its gradients need its inputs alone, which are there by then."""
    monkeypatch.setattr(module, "KEPT_ELEMENTS", 0)
    forward, calls = module._forward, []
    monkeypatch.setattr(module, "_forward", lambda *given: (calls.append(1), forward(*given))[1])
    x, weights = draw(9, 5)
    y = checkpoint(lambda x: feed_forward(2 * x, weights, eps=EPS), x, use_reentrant=False)
    mine = torch.autograd.grad(y.sum(), (x, *weights))
    expected = torch.autograd.grad(
        feed_forward_reference(2 * x, weights, eps=EPS).sum(), (x, *weights)
    )
    torch.testing.assert_close(mine, expected)
    assert len(calls) == 1


def test_frozen_weights_have_no_gradients() -> None:
    x, weights = draw(3, 5)
    frozen = FeedForwardWeights(*(weight.detach() for weight in weights))
    feed_forward(x, frozen, eps=EPS).sum().backward()
    (expected,) = torch.autograd.grad(feed_forward_reference(x, weights, eps=EPS).sum(), x)
    torch.testing.assert_close(x.grad, expected)


def test_autocast_is_obeyed() -> None:
    x, weights = draw(3, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, *gradients = run(feed_forward, x, weights)
        expected = feed_forward_reference(x, weights, eps=EPS)
    assert torch.equal(y, expected)
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_it_can_be_compiled() -> None:
    x, weights = draw(9, 5)
    compiled = torch.compile(feed_forward, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, weights, eps=EPS), feed_forward(x, weights, eps=EPS))


def test_second_derivatives_are_refused() -> None:
    x, weights = draw(3, 5)
    (gradient,) = torch.autograd.grad(feed_forward(x, weights, eps=EPS).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"first derivatives only; use hyenadna.*_reference"):
        gradient.sum().backward()


def test_shapes_that_do_not_fit_are_refused() -> None:
    x, weights = draw(3, 5)
    with pytest.raises(ValueError, match=r"feed_forward takes x \(\.\.\., D\)"):
        feed_forward(x[:, :4], weights, eps=EPS)
