"""Gated causal convolution with a filter as long as the sequence (B batch, D channels, L length).

y = post_gate * (causal_conv(v, k) + skip * v) with v = pre_gate * u: one step of the Hyena
recurrence (arXiv:2302.10866, section 3).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.fft import irfft, rfft
from torch.nn.functional import pad

# Elements transformed at a time. Beyond, fresh memory costs a CPU more than the transform itself
# (measured: three times as long for 32,768 tokens); at a million tokens this bounds the memory.
BLOCK_ELEMENTS = 1 << 22


def long_conv_reference(
    u: Tensor,
    k: Tensor,
    skip: Tensor | None = None,
    pre_gate: Tensor | None = None,
    post_gate: Tensor | None = None,
) -> Tensor:
    """Compute `long_conv` as the sum that defines it, lag by lag, in the inputs' own dtype."""
    v = u if pre_gate is None else u * pre_gate
    y = torch.zeros_like(v) if skip is None else v * skip[:, None]
    length = v.shape[-1]
    for lag in range(min(length, k.shape[-1])):
        y = y + k[:, lag, None] * pad(v[..., : length - lag], (lag, 0))
    return y if post_gate is None else y * post_gate


def long_conv(
    u: Tensor,
    k: Tensor,
    skip: Tensor | None = None,
    pre_gate: Tensor | None = None,
    post_gate: Tensor | None = None,
) -> Tensor:
    """Convolve each channel causally with its own filter, between two gates.

    Args:
        u: (B, D, L).
        k: (D, K); K may differ from L, lags past L - 1 do not count.
        skip: (D,), weight of the gated input itself.
        pre_gate: (B, D, L), factor before the convolution.
        post_gate: (B, D, L), factor after it.

    Returns:
        (B, D, L) in u's dtype, computed in fp32, or in fp64 where u is fp64.
    """
    y: Tensor = _LongConv.apply(  # type: ignore[no-untyped-call]
        u, k[:, : u.shape[-1]], skip, pre_gate, post_gate
    )
    return y


def fast_length(n: int) -> int:
    """Return the least length >= n that FFTs do fast: a multiple of 64, no prime factor above 5.

    Measured on CPU (MKL), per element: a length with a large prime factor takes up to eight times
    as long, and one with few factors of two up to twice.
    """
    m = -(-n // 64)
    while pow(30, m.bit_length(), m):  # 0 if and only if 2, 3 and 5 are all that divides m
        m += 1
    return 64 * m


class _LongConv(torch.autograd.Function):
    """The convolution by FFT; saves its inputs alone and transforms them again going back."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, *others: Tensor | None) -> Tensor:
        ctx.save_for_backward(u, *others)
        y = torch.empty_like(u, memory_format=torch.contiguous_format)
        for block in _blocks(u):
            y[:, block] = _forward(*(_channels(x, block) for x in (u, *others)))
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        inputs = ctx.saved_tensors
        gradients = tuple(None if x is None else torch.empty_like(x) for x in inputs)
        for block in _blocks(dy):
            parts = _backward(dy[:, block], *(_channels(x, block) for x in inputs))
            for whole, part in zip(gradients, parts, strict=True):
                if whole is not None:
                    _channels(whole, block).copy_(part)
        return gradients


def _forward(
    u: Tensor, k: Tensor, skip: Tensor | None, pre_gate: Tensor | None, post_gate: Tensor | None
) -> Tensor:
    n = fast_length(2 * u.shape[-1] - 1)
    v_f = rfft(_gated(u, pre_gate), n)
    y = irfft(v_f.mul_(_response(k, skip, n)), n)[..., : u.shape[-1]]
    return _gated(y, post_gate)


def _backward(
    dy: Tensor,
    u: Tensor,
    k: Tensor,
    skip: Tensor | None,
    pre_gate: Tensor | None,
    post_gate: Tensor | None,
) -> tuple[Tensor | None, ...]:
    """Return the gradients of u, k, skip, pre_gate and post_gate, where they are there."""
    length = u.shape[-1]
    n = fast_length(2 * length - 1)
    v_f = rfft(_gated(u, pre_gate), n)
    g_f = rfft(_gated(dy, post_gate), n)
    response = _response(k, skip, n)
    dk = irfft((v_f.conj() * g_f).sum(0), n)[:, : k.shape[-1]]
    dv = irfft(g_f.mul_(response.conj()), n)[..., :length]
    d_pre = None if pre_gate is None else dv * u
    d_post = None if post_gate is None else dy * irfft(v_f.mul_(response), n)[..., :length]
    # The skip is one more tap at lag 0.
    return _gated(dv, pre_gate), dk, dk[:, 0], d_pre, d_post


def _gated(x: Tensor, gate: Tensor | None) -> Tensor:
    """Widen x to fp32 at least, times the gate."""
    x = _widened(x)
    return x if gate is None else x * gate


def _response(k: Tensor, skip: Tensor | None, n: int) -> Tensor:
    """Return the frequency response (D, n // 2 + 1) of filter and skip; that of a skip is flat."""
    response: Tensor = rfft(_widened(k), n)
    return response if skip is None else response.add_(skip[:, None])


def _widened(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _blocks(u: Tensor) -> list[slice]:
    """Cut the channels such that the transforms of a block stay near the processor."""
    batch, channels, length = u.shape
    size = max(1, BLOCK_ELEMENTS // (batch * fast_length(2 * length - 1)))
    return [slice(start, start + size) for start in range(0, channels, size)]


def _channels(x: Any, block: slice) -> Any:
    """Take channels of a tensor (B, D, L), (D, K) or (D,), and None of None."""
    if x is None:
        return None
    return x[:, block] if x.ndim == 3 else x[block]
