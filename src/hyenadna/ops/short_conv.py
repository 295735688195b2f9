"""Causal depthwise convolution by a few taps, split and gated (B batch, D channels, L length).

The projections of a Hyena operator (arXiv:2302.10866, section 3) pass a short filter each before
the recurrence takes them: post_gate = conv(stream 0), gated = conv(stream 1) * conv(stream 2), with
conv(x)[l] = bias + sum over lag of weight[K - 1 - lag] * x[l - lag]. This file has what it means,
how a CPU computes it and how PyTorch sees it, as the operators `hyenadna::short_conv` and
`hyenadna::short_conv_backward`; `short_conv_kernels` computes it on a GPU.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv1d

from hyenadna.ops.derivatives import refuse_second
from hyenadna.ops.precision import wide

MOST_TAPS = 8

# Elements of a stream that a CPU takes at a time, so that what it makes of them stays in cache.
# Shifted products there take a third of the time of conv1d there. Measured against conv1d, chunk
# and product of whole tensors, forward + backward in fp32 on one thread, they are 3.0 times as fast
# at (8, 768, 1,024), 3.3 at (1, 768, 32,768), 1.5 at (32, 192, 500), 2.8 at (1, 24, 1,000,002).
BLOCK_ELEMENTS = 1 << 17


def short_conv_reference(projected: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Compute `short_conv` by torch's own operators, in the inputs' own dtype."""
    channels, _, taps = weight.shape
    streams = conv1d(projected, weight, bias, padding=taps - 1, groups=channels)
    x0, x1, v = streams[..., : projected.shape[-1]].chunk(3, dim=1)
    return x0, x1 * v


def short_conv(projected: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Convolve each channel of three streams with its own taps, and multiply the last two streams.

    Only the inputs are saved for the gradients; convolutions are computed again going back.

    Args:
        projected: (B, 3 D, L), the streams one after another.
        weight: (3 D, 1, K), as of a depthwise `nn.Conv1d`; K from 1 to 8.
        bias: (3 D,).

    Returns:
        post_gate and gated, each (B, D, L) in the dtype of `projected`, computed in fp32, or in
        fp64 where `projected` is fp64.

    Raises:
        ValueError: Shapes do not fit each other.
    """
    _check(projected, weight, bias)
    outputs: tuple[Tensor, Tensor] = torch.ops.hyenadna.short_conv(projected, weight, bias)
    return outputs


def _check(projected: Tensor, weight: Tensor, bias: Tensor) -> None:
    channels = projected.shape[1] if projected.ndim == 3 else 0
    fits = weight.ndim == 3 and weight.shape[:2] == (channels, 1) and bias.shape == (channels,)
    if not fits or channels % 3 or not 1 <= weight.shape[2] <= MOST_TAPS:
        raise ValueError(
            f"short_conv takes projected (B, 3 D, L), weight (3 D, 1, K) with K from 1 to "
            f"{MOST_TAPS} and bias (3 D,), got {tuple(projected.shape)}, {tuple(weight.shape)} "
            f"and {tuple(bias.shape)}"
        )


def _forward(projected: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    batch, channels, length = projected.shape
    post, gated = (projected.new_empty(batch, channels // 3, length) for _ in range(2))
    streams, filters = _streams(projected, weight, bias)
    for block in _blocks(post):
        y = _convolve(*_widened(streams, filters, block))
        post[block] = y[:, 0]
        gated[block] = y[:, 1].mul_(y[:, 2])
    return post, gated


def _backward(
    d_post: Tensor, d_gated: Tensor, projected: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    dx = projected.new_empty(projected.shape)
    streams, filters = _streams(projected, weight, bias)
    sums = torch.zeros_like(filters, memory_format=torch.contiguous_format)
    for block in _blocks(d_post):
        x, taps = _widened(streams, filters, block)
        # Each of the last two streams is the other's gate.
        y = _convolve(x[:, 1:], taps[1:]).flip(1)
        dy = torch.empty_like(x, memory_format=torch.contiguous_format)
        dy[:, 0] = d_post[block]
        torch.mul(y, d_gated[block].to(y.dtype)[:, None], out=dy[:, 1:])
        dx.view(streams.shape)[block[0], :, block[1]] = _correlate(dy, taps)
        _add_up(dy, x, sums[:, block[1]])
    sums = sums.flatten(0, 1)
    d_weight = weight.new_empty(weight.shape).copy_(sums[:, None, :-1])
    return dx, d_weight, bias.new_empty(bias.shape).copy_(sums[:, -1])


def _streams(projected: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return the streams (B, 3, D, L), and their taps, each bias after them, (3, D, K + 1)."""
    batch, channels, length = projected.shape
    dtype = wide(projected.dtype)
    filters = torch.cat((weight[:, 0].to(dtype), bias[:, None].to(dtype)), dim=1)
    streams = projected.view(batch, 3, channels // 3, length)
    return streams, filters.view(3, channels // 3, -1)


def _widened(streams: Tensor, filters: Tensor, block: tuple[slice, slice]) -> tuple[Tensor, Tensor]:
    """Return a block of the streams, in the dtype to compute in, and the filters it takes."""
    batch, channels = block
    return streams[batch, :, channels].to(filters.dtype), filters[:, channels]


def _convolve(x: Tensor, filters: Tensor) -> Tensor:
    """Convolve x (b, s, d, L) by the filters (s, d, K + 1) of s streams."""
    y = torch.addcmul(filters[..., -1:], x, filters[..., -2:-1])
    for lag in range(1, _reach(x, filters)):
        y[..., lag:].addcmul_(x[..., :-lag], filters[..., -2 - lag, None])
    return y


def _correlate(dy: Tensor, filters: Tensor) -> Tensor:
    """Return the gradients of the inputs, those of their convolutions being dy (b, s, d, L)."""
    dx = dy * filters[..., -2:-1]
    for lag in range(1, _reach(dy, filters)):
        dx[..., :-lag].addcmul_(dy[..., lag:], filters[..., -2 - lag, None])
    return dx


def _add_up(dy: Tensor, x: Tensor, sums: Tensor) -> None:
    """Add the gradients of filters (s, d, K + 1), those of the convolutions of x being dy."""
    sums[..., -1] += dy.sum((0, 3))
    for lag in range(_reach(x, sums)):
        sums[..., -2 - lag] += (dy[..., lag:] * x[..., : x.shape[3] - lag]).sum((0, 3))


def _reach(x: Tensor, filters: Tensor) -> int:
    """Return how many of the taps meet an input."""
    return min(filters.shape[-1] - 1, x.shape[-1])


def _blocks(x: Tensor) -> Iterator[tuple[slice, slice]]:
    """Cut batch and channels of (B, D, L) into blocks of at most BLOCK_ELEMENTS, or one row."""
    batch, channels, length = x.shape
    rows = max(1, BLOCK_ELEMENTS // max(1, length))
    samples = min(max(1, batch), rows)
    for first in range(0, batch, samples):
        for start in range(0, channels, rows // samples):
            yield slice(first, first + samples), slice(start, start + rows // samples)


def _forward_cuda(projected: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    if projected.dtype is torch.float64:  # the kernels compute in fp32
        return _forward(projected, weight, bias)
    from hyenadna.ops import short_conv_kernels  # imports triton, which not every platform has

    return short_conv_kernels.forward(projected, weight, bias)


def _backward_cuda(
    d_post: Tensor, d_gated: Tensor, projected: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    if projected.dtype is torch.float64:
        return _backward(d_post, d_gated, projected, weight, bias)
    from hyenadna.ops import short_conv_kernels

    return short_conv_kernels.backward(d_post, d_gated, projected, weight, bias)


def _fake(projected: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    batch, channels, length = projected.shape
    shape = (batch, channels // 3, length)
    return projected.new_empty(shape), projected.new_empty(shape)


def _fake_backward(d_post: Tensor, d_gated: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    return tuple(x.new_empty(x.shape) for x in inputs)


def _save(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs)


def _gradients(ctx: Any, d_post: Tensor, d_gated: Tensor) -> tuple[Tensor, ...]:
    gradients: tuple[Tensor, ...] = torch.ops.hyenadna.short_conv_backward(
        d_post, d_gated, *ctx.saved_tensors
    )
    return gradients


_INPUTS = "Tensor projected, Tensor weight, Tensor bias"
torch.library.define("hyenadna::short_conv", f"({_INPUTS}) -> (Tensor, Tensor)")
torch.library.define(
    "hyenadna::short_conv_backward",
    f"(Tensor d_post, Tensor d_gated, {_INPUTS}) -> (Tensor, Tensor, Tensor)",
)
torch.library.impl("hyenadna::short_conv", "CPU", _forward)
torch.library.impl("hyenadna::short_conv", "CUDA", _forward_cuda)
torch.library.impl("hyenadna::short_conv_backward", "CPU", _backward)
torch.library.impl("hyenadna::short_conv_backward", "CUDA", _backward_cuda)
torch.library.register_fake("hyenadna::short_conv", _fake)
torch.library.register_fake("hyenadna::short_conv_backward", _fake_backward)
torch.library.register_autograd("hyenadna::short_conv", _gradients, setup_context=_save)
torch.library.register_autograd(
    "hyenadna::short_conv_backward", refuse_second("hyenadna.ops.short_conv.short_conv_reference")
)
