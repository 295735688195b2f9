"""The feed-forward half of a block, on a CPU (N tokens, D width, F hidden channels).

    y = x + W2 gelu(W1 norm(x) + b1) + b2

of each token by itself: layer norm, two linear layers around a tanh-approximated GELU (Hendrycks
and Gimpel, arXiv:1606.08415), and the residual. Whole tensors of (N, F) cost a CPU more than the
arithmetic on them: memory is slow, and slowest when it is new. So tokens go through all of it in
blocks that stay in cache, and the blocks are computed again going back, unless they are few.

With s the logistic function, gelu(h) = h s(u) for u = h (c1 + c2 h^2), and its derivative is
s + s (1 - s) (3 u - 2 c1 h): exponentials take a third of the time of PyTorch's tanh.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear

from hyenadna.ops.derivatives import Gradients, first_derivatives

_C1 = 2 * math.sqrt(2 / math.pi)
_C2 = 0.044715 * _C1

# Numbers of a hidden layer that a thread takes at a time, such that they stay in cache.
BLOCK_ELEMENTS = 1 << 18
# Hidden layers up to this size (N F) are kept for the backward pass, as 8 bytes a number: that
# takes a sixth less time than computing them again.
KEPT_ELEMENTS = 1 << 23


class FeedForwardWeights(NamedTuple):
    """What is trained of a feed-forward layer and of the norm before it."""

    norm_weight: Tensor
    """(D,)."""
    norm_bias: Tensor
    """(D,)."""
    in_weight: Tensor
    """(F, D)."""
    in_bias: Tensor
    """(F,)."""
    out_weight: Tensor
    """(D, F)."""
    out_bias: Tensor
    """(D,)."""


def feed_forward_reference(x: Tensor, weights: FeedForwardWeights, *, eps: float) -> Tensor:
    """Compute `feed_forward` by torch's own operators."""
    normed = layer_norm(x, x.shape[-1:], weights.norm_weight, weights.norm_bias, eps)
    hidden = gelu(linear(normed, weights.in_weight, weights.in_bias), approximate="tanh")
    return x + linear(hidden, weights.out_weight, weights.out_bias)


def feed_forward(x: Tensor, weights: FeedForwardWeights, *, eps: float) -> Tensor:
    """Add to each token what the feed-forward layer makes of it.

    Where it is not `blockwise`, this is the reference. Blocks have first derivatives only.

    Args:
        x: (..., D).
        weights: on the device of x.
        eps: added to the variance by the norm.

    Returns:
        (..., D).

    Raises:
        ValueError: Shapes do not fit each other.
    """
    _check(x, weights)
    if not blockwise(x, weights):
        return feed_forward_reference(x, weights, eps=eps)
    rows = x.detach().reshape(-1, x.shape[-1])
    recorded = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *weights))
    keep = recorded and len(rows) * len(weights.in_bias) <= KEPT_ELEMENTS
    kept = [rows.new_empty(len(rows), len(weights.in_bias)) for _ in range(2 * keep)]
    if recorded and not keep:
        # What is kept comes first: blocks that are recomputed as a whole can stop there.
        saved: Tensor = _Gradients.apply(x, *weights, eps)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        y = _forward(rows, weights, eps, kept).view(x.shape)
    if keep:
        saved = _Gradients.apply(x, *weights, eps, *kept)  # type: ignore[no-untyped-call]
    if recorded:
        y = _Result.apply(saved, y)  # type: ignore[no-untyped-call]
    return y


def blockwise(x: Tensor, weights: FeedForwardWeights) -> bool:
    """Return whether blocks compute this: full precision on a CPU, outside of compiled graphs."""
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and all(weight.dtype is x.dtype for weight in weights)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def _check(x: Tensor, weights: FeedForwardWeights) -> None:
    shapes = [tuple(weight.shape) for weight in weights]
    d, f = x.shape[-1], weights.in_weight.shape[0]
    if shapes != [(d,), (d,), (f, d), (f,), (d, f), (d,)]:
        raise ValueError(
            "feed_forward takes x (..., D) and weights (D,), (D,), (F, D), (F,), (D, F) and (D,), "
            f"got {tuple(x.shape)} and {', '.join(map(str, shapes))}"
        )


class _Result(torch.autograd.Function):
    """Take a value as the result of `_Gradients`."""

    @staticmethod
    def forward(ctx: Any, saved: Tensor, y: Tensor) -> Tensor:
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Gradients:
        return dy, None


class _Gradients(torch.autograd.Function):
    """Keep what gradients are computed from: x, weights, and what was kept of a hidden layer.

    Its value is x, and what comes back is the gradient of the result.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, *arguments: Any) -> Tensor:
        count = len(FeedForwardWeights._fields)
        weights, (ctx.eps, *kept) = arguments[:count], arguments[count:]
        ctx.save_for_backward(x, *weights, *kept)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Gradients:
        with_weights = any(ctx.needs_input_grad[1:])

        def compute(dy: Tensor, x: Tensor, *saved: Tensor) -> Gradients:
            count = len(FeedForwardWeights._fields)
            weights, kept = FeedForwardWeights(*saved[:count]), saved[count:]
            rows, d_rows = (tensor.reshape(-1, x.shape[-1]) for tensor in (x, dy))
            dx, sums = _backward(
                d_rows, rows, weights, ctx.eps, kept=kept, with_weights=with_weights
            )
            return dx.view(x.shape), *sums

        name = f"{__name__}.{feed_forward_reference.__name__}"
        gradients = first_derivatives(compute, dy, *ctx.saved_tensors, reference=name)
        return *gradients, *(None for _ in ctx.needs_input_grad[len(gradients) :])


def _forward(x: Tensor, weights: FeedForwardWeights, eps: float, kept: Sequence[Tensor]) -> Tensor:
    """Return y (N, D) for x (N, D); set `kept`, if given, to activations and slopes (N, F)."""
    y = torch.empty_like(x, memory_format=torch.contiguous_format)
    for block, (h, t) in _blocks(x, weights, 2):
        rows = x[block]
        normed = layer_norm(rows, rows.shape[-1:], weights.norm_weight, weights.norm_bias, eps)
        torch.addmm(weights.in_bias, normed, weights.in_weight.mT, out=h)
        if kept:
            activation, slope = (tensor[block] for tensor in kept)
            _activate(h, t, activation, slope)
        else:
            _activate(h, t, activation := h)
        torch.add(rows, weights.out_bias, out=y[block])
        y[block].addmm_(activation, weights.out_weight.mT)
    return y


def _backward(
    dy: Tensor,
    x: Tensor,
    weights: FeedForwardWeights,
    eps: float,
    *,
    kept: Sequence[Tensor],
    with_weights: bool,
) -> tuple[Tensor, FeedForwardWeights]:
    """Return the gradient of x (N, D), and those of the weights, zero if not wanted."""
    dx = torch.empty_like(x, memory_format=torch.contiguous_format)
    sums = FeedForwardWeights(*(torch.zeros_like(weight) for weight in weights))
    norm = (x.shape[-1:], weights.norm_weight, weights.norm_bias)
    for block, (h, t, activation, slope) in _blocks(x, weights, 4):
        rows, d_rows = x[block], dy[block]
        normed, mean, rstd = torch.native_layer_norm(rows, *norm, eps)
        if kept:
            activation, slope = (tensor[block] for tensor in kept)
        else:
            torch.addmm(weights.in_bias, normed, weights.in_weight.mT, out=h)
            _activate(h, t, activation, slope)
        dh = torch.mm(d_rows, weights.out_weight, out=h).mul_(slope)
        d_normed = dh @ weights.in_weight
        d_rows_by_norm, *d_norm = torch.ops.aten.native_layer_norm_backward(
            d_normed, rows, norm[0], mean, rstd, *norm[1:], [True] * 3
        )
        torch.add(d_rows, d_rows_by_norm, out=dx[block])
        if with_weights:
            sums.in_weight.addmm_(dh.mT, normed)
            sums.out_weight.addmm_(d_rows.mT, activation)
            d_biases = (*d_norm, dh.sum(0), d_rows.sum(0))
            biases = (sums.norm_weight, sums.norm_bias, sums.in_bias, sums.out_bias)
            torch._foreach_add_(biases, d_biases)
    return dx, sums


def _activate(h: Tensor, t: Tensor, activation: Tensor, slope: Tensor | None = None) -> None:
    """Set `activation` to gelu(h), and `slope` to its derivative; t is room to work in.

    Without slope, the activation may take the place of h.
    """
    torch.addcmul(h.new_tensor(_C1), h, h, value=_C2, out=t)
    t.mul_(h)
    s = torch.sigmoid(t, out=t if slope is None else slope)
    if slope is not None:
        t.add_(h, alpha=-2 / 3 * _C1)
        torch.ops.aten.sigmoid_backward.grad_input(t, s, grad_input=t)
    torch.mul(h, s, out=activation)
    if slope is not None:
        slope.add_(t, alpha=3)


def _blocks(
    x: Tensor, weights: FeedForwardWeights, count: int
) -> Iterator[tuple[slice, list[Tensor]]]:
    """Cut tokens (N, D) into blocks; give each `count` tensors to work in, of (block, F)."""
    hidden = len(weights.in_bias)
    size = max(1, min(len(x), BLOCK_ELEMENTS * torch.get_num_threads() // hidden))
    work = [x.new_empty(size, hidden) for _ in range(count)]
    for start in range(0, len(x), size):
        block = slice(start, min(start + size, len(x)))
        yield block, [tensor[: block.stop - start] for tensor in work]
