"""Long convolution by direct sums over taps, for a few of them (B batch, D channels, L length)."""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from hyenadna.ops.launch import OPTIONS, fresh, fresh_if, optional, strides
from hyenadna.ops.paths import Plan
from hyenadna.ops.points import FOR_ALL_SIZES


@triton.jit(**FOR_ALL_SIZES)
def taps_sum(
    x, gate, k, skip, post, y, twin, y_twin,
    x_b, x_d, gate_b, gate_d, k_d, post_b, post_d, twin_b, twin_d, rows, D, L, K,
    BACK: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
    GATED: tl.constexpr, SKIP: tl.constexpr, POST: tl.constexpr, TWIN: tl.constexpr,
):  # fmt: skip
    """Write y (B, D, L) = post * c, y_twin = twin * c, c a sum over lags of k and x * gate.

    Lags go to earlier positions, or with BACK to later ones.
    """
    blocks = tl.cdiv(L, BLOCK)
    row = tl.program_id(0) // blocks * ROWS + tl.arange(0, ROWS)[:, None]
    n = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)[None, :]
    b = (row // D).to(tl.int64)
    d = (row % D).to(tl.int64)
    c = tl.zeros([ROWS, BLOCK], tl.float32)
    for lag in range(0, tl.minimum(K, L)):
        source = n + lag if BACK else n - lag
        there = (row < rows) & (source >= 0) & (source < L)
        v = tl.load(x + b * x_b + d * x_d + source, mask=there, other=0.0).to(tl.float32)
        if GATED:
            v *= tl.load(gate + b * gate_b + d * gate_d + source, mask=there, other=0.0).to(
                tl.float32
            )
        weight = tl.load(k + d * k_d + lag).to(tl.float32)
        if SKIP:
            weight += tl.where(lag == 0, tl.load(skip + d).to(tl.float32), 0.0)
        c += weight * v
    inside = (row < rows) & (n < L)
    out = row.to(tl.int64) * L + n
    if TWIN:
        other = tl.load(twin + b * twin_b + d * twin_d + n, mask=inside, other=0.0).to(tl.float32)
        tl.store(y_twin + out, (c * other).to(y_twin.dtype.element_ty), mask=inside)
    if POST:
        c *= tl.load(post + b * post_b + d * post_d + n, mask=inside, other=0.0).to(tl.float32)
    tl.store(y + out, c.to(y.dtype.element_ty), mask=inside)


@triton.jit(**FOR_ALL_SIZES)
def taps_gradient(
    dy, post, u, pre, dk, dy_b, dy_d, post_b, post_d, u_b, u_d, pre_b, pre_d, B, D, L, K,
    CHUNK: tl.constexpr, BLOCK: tl.constexpr, PADDED: tl.constexpr,
    PRE: tl.constexpr, POST: tl.constexpr,
):  # fmt: skip
    """Write dk (chunks, D, K), what each CHUNK of positions gives, over all of the batch."""
    d = (tl.program_id(0) % D).to(tl.int64)
    chunk = tl.program_id(0) // D
    lag = tl.arange(0, PADDED)[:, None]
    gradient = tl.zeros([PADDED], tl.float32)
    for _ in range(0, B):
        for block in range(0, CHUNK // BLOCK):
            n = chunk * CHUNK + block * BLOCK + tl.arange(0, BLOCK)[None, :]
            g = tl.load(dy + d * dy_d + n, mask=n < L, other=0.0).to(tl.float32)
            if POST:
                g *= tl.load(post + d * post_d + n, mask=n < L, other=0.0).to(tl.float32)
            source = n - lag
            there = (source >= 0) & (n < L)
            v = tl.load(u + d * u_d + source, mask=there, other=0.0).to(tl.float32)
            if PRE:
                v *= tl.load(pre + d * pre_d + source, mask=there, other=0.0).to(tl.float32)
            gradient += tl.sum(g * v, 1)
        dy += dy_b
        post += post_b
        u += u_b
        pre += pre_b
    tap = tl.arange(0, PADDED)
    at = (chunk.to(tl.int64) * D + d) * K + tap
    tl.store(dk + at, gradient, mask=tap < K)


def forward(
    u: Tensor,
    k: Tensor,
    skip: Tensor | None,
    pre_gate: Tensor | None,
    post_gate: Tensor | None,
    plan: Plan,
) -> Tensor:
    """Return y (B, D, L) in u's dtype, contiguous."""
    y = fresh(u)
    _sum(u, pre_gate, k, skip, post_gate, y, back=False)
    return y


def backward(
    dy: Tensor,
    u: Tensor,
    k: Tensor,
    skip: Tensor | None,
    pre_gate: Tensor | None,
    post_gate: Tensor | None,
    plan: Plan,
    *,
    needs: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """Return the gradients of u, k, skip, pre_gate and post_gate, None where not in `needs`."""
    du = d_pre = d_post = dk = None
    if needs[0] or needs[3]:
        du, d_pre = fresh(u), fresh_if(True, pre_gate)
        _sum(dy, post_gate, k, skip, pre_gate, du, u, d_pre, back=True)
    if needs[4]:
        d_post = fresh(dy)
        _sum(u, pre_gate, k, skip, dy, d_post, back=False)
    if needs[1] or needs[2]:
        dk = _filter_gradient(dy, post_gate, u, pre_gate, k.shape[1])
    # A copy: gradients that share memory would be scaled twice by whoever clips them in place.
    return du, dk, None if dk is None else dk[:, 0].clone(), d_pre, d_post


def _sum(
    x: Tensor,
    gate: Tensor | None,
    k: Tensor,
    skip: Tensor | None,
    post: Tensor | None,
    y: Tensor,
    twin: Tensor | None = None,
    y_twin: Tensor | None = None,
    *,
    back: bool,
) -> None:
    batch, channels, length = x.shape
    block = min(256, triton.next_power_of_2(length))
    rows = 1024 // block
    grid = (triton.cdiv(batch * channels, rows) * triton.cdiv(length, block),)
    taps_sum[grid](
        x, optional(gate, x), k, optional(skip, x), optional(post, x), y,
        optional(twin, x), optional(y_twin, x),
        *strides(x), *strides(gate), k.stride(0), *strides(post), *strides(twin),
        batch * channels, channels, length, k.shape[1],
        BACK=back, ROWS=rows, BLOCK=block, GATED=gate is not None, SKIP=skip is not None,
        POST=post is not None, TWIN=y_twin is not None, num_warps=4, **OPTIONS,
    )  # fmt: skip


def _filter_gradient(
    dy: Tensor, post: Tensor | None, u: Tensor, pre: Tensor | None, taps: int
) -> Tensor:
    """Return dk (D, K) in fp32: chunks of positions each, then their sum in order."""
    batch, channels, length = u.shape
    taps = min(taps, length)
    padded = triton.next_power_of_2(taps)
    block = 2048 // max(16, padded)
    chunk = min(triton.cdiv(length, block), 64) * block
    chunks = triton.cdiv(length, chunk)
    dk = torch.empty(chunks, channels, taps, device=u.device)
    taps_gradient[(chunks * channels,)](
        dy, optional(post, u), u, optional(pre, u), dk,
        *strides(dy), *strides(post), *strides(u), *strides(pre), batch, channels, length, taps,
        CHUNK=chunk, BLOCK=block, PADDED=padded,
        PRE=pre is not None, POST=post is not None, num_warps=4, **OPTIONS,
    )  # fmt: skip
    return dk.sum(0)
