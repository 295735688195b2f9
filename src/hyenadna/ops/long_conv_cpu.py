"""Long convolution by torch.fft, in blocks of channels that stay near the processor."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fft import irfft, rfft

# Elements transformed at a time. Beyond, fresh memory costs a CPU more than the transform itself
# (measured: three times as long for 32,768 tokens); at a million tokens this bounds the memory.
BLOCK_ELEMENTS = 1 << 22


def forward(
    u: Tensor, k: Tensor, skip: Tensor | None, pre_gate: Tensor | None, post_gate: Tensor | None
) -> Tensor:
    """Return y (B, D, L) in u's dtype; arguments as in `ops.long_conv`, with k no longer than u."""
    y = torch.empty_like(u, memory_format=torch.contiguous_format)
    for block in _blocks(u):
        y[:, block] = _forward(*(_channels(x, block) for x in (u, k, skip, pre_gate, post_gate)))
    return y


def backward(
    dy: Tensor,
    u: Tensor,
    k: Tensor,
    skip: Tensor | None,
    pre_gate: Tensor | None,
    post_gate: Tensor | None,
    *,
    needs: Sequence[bool],
) -> tuple[Tensor, ...]:
    """Return the gradients of u, k, skip, pre_gate and post_gate; empty where not in `needs`."""
    inputs = (u, k, skip, pre_gate, post_gate)
    gradients = [
        torch.empty_like(x, memory_format=torch.contiguous_format)
        if x is not None and needed
        else dy.new_empty(0)
        for x, needed in zip(inputs, needs, strict=True)
    ]
    for block in _blocks(dy):
        parts = _backward(dy[:, block], *(_channels(x, block) for x in inputs))
        for whole, part in zip(gradients, parts, strict=True):
            if whole.numel():
                _channels(whole, block).copy_(part)
    return tuple(gradients)


def fast_length(n: int) -> int:
    """Return the least length >= n that FFTs do fast: a multiple of 64, no prime factor above 5.

    Measured on CPU (MKL), per element: a length with a large prime factor takes up to eight times
    as long, and one with few factors of two up to twice.
    """
    m = -(-n // 64)
    while pow(30, m.bit_length(), m):  # 0 if and only if 2, 3 and 5 are all that divides m
        m += 1
    return 64 * m


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
