"""Triton kernels of the short convolution (B batch, D channels, L length, K taps, T threads).

`short_conv` has what they compute. A thread holds V consecutive positions, where rows allow as many
as one access of 16 bytes takes, and of the vectors beside them what the taps reach into: a shift is
then a choice of register, and no access is unaligned for its sake. Inside a kernel such a run of
positions is a tuple of columns (T, 1). Each array crosses memory once, forward and backward.
Offsets are int64 between rows and int32 within one; `*_b` and `*_d` are strides between batches
and channels.
"""

from math import gcd

import torch
import triton
import triton.language as tl
from torch import Tensor

from hyenadna.ops.launch import OPTIONS, on_device_of, rowwise

THREADS = 128
# Programs of the backward kernel that fill a device a few times over. Beyond, each takes more
# positions instead: sums over its threads, for the weights, cost about as much as T * V positions.
ENOUGH_PROGRAMS = 4096
MOST_STEPS = 16

# Sizes differ from call to call, and each kind would be compiled anew; ALIGN says what matters.
_SIZES = ["x_b", "x_d", "post_b", "post_d", "gated_b", "gated_d", "D", "L", "blocks", "steps"]


@triton.jit
def _halve(x):
    return tl.split(tl.reshape(x, [x.shape[0], x.shape[1] // 2, 2]))


@triton.jit
def _columns(x):
    """Split (T, V) into V columns (T, 1)."""
    columns = (x,)
    for _ in tl.static_range(3):
        if columns[0].shape[1] > 1:
            even = ()
            odd = ()
            for n in tl.static_range(len(columns)):
                first, second = _halve(columns[n])
                even = even + (first,)
                odd = odd + (second,)
            columns = even + odd
    return columns


@triton.jit
def _stack(columns):
    """Undo `_columns`."""
    for _ in tl.static_range(3):
        if len(columns) > 1:
            pairs = ()
            for n in tl.static_range(len(columns) // 2):
                pair = tl.join(columns[n], columns[n + len(columns) // 2])
                pairs = pairs + (tl.reshape(pair, [pair.shape[0], pair.shape[1] * 2]),)
            columns = pairs
    return columns[0]


@triton.jit
def _load(
    x, start, L, BEFORE: tl.constexpr, AFTER: tl.constexpr, V: tl.constexpr, ALIGN: tl.constexpr
):
    """Load the V positions from start on, and whole vectors beside them; 0 outside the row."""
    columns = ()
    for vector in tl.static_range(BEFORE + 1 + AFTER):
        first = start + (vector - BEFORE) * V
        if V == ALIGN:
            at = first + tl.arange(0, V)[None, :]
            loaded = tl.load(x + at, mask=(at >= 0) & (at < L), other=0.0)
            columns = columns + _columns(loaded.to(tl.float32))
        else:
            for n in tl.static_range(V):
                at = first + n
                loaded = tl.load(x + at, mask=(at >= 0) & (at < L), other=0.0)
                columns = columns + (loaded.to(tl.float32),)
    return columns


@triton.jit
def _store(y, start, L, columns, ALIGN: tl.constexpr):
    if len(columns) == ALIGN:
        at = start + tl.arange(0, ALIGN)[None, :]
        tl.store(y + at, _stack(columns).to(y.dtype.element_ty), mask=at < L)
    else:
        for n in tl.static_range(len(columns)):
            at = start + n
            tl.store(y + at, columns[n].to(y.dtype.element_ty), mask=at < L)


@triton.jit
def _load_taps(weight, bias, channel, K: tl.constexpr):
    """Load the taps of a channel by lag, and after them its bias."""
    taps = ()
    for lag in tl.static_range(K):
        taps = taps + (tl.load(weight + channel * K + K - 1 - lag).to(tl.float32),)
    return taps + (tl.load(bias + channel).to(tl.float32),)


@triton.jit
def _convolve(x, taps, FIRST: tl.constexpr, N: tl.constexpr):
    """Return N outputs, the first of them where x has index FIRST."""
    K: tl.constexpr = len(taps) - 1
    outputs = ()
    for n in tl.static_range(N):
        y = taps[K] + taps[0] * x[FIRST + n]
        for lag in tl.static_range(1, K):
            y += taps[lag] * x[FIRST + n - lag]
        outputs = outputs + (y,)
    return outputs


@triton.jit
def _correlate(g, taps, N: tl.constexpr):
    """Return the gradients of N inputs, those of the outputs being g."""
    K: tl.constexpr = len(taps) - 1
    gradients = ()
    for n in tl.static_range(N):
        dx = taps[0] * g[n]
        for lag in tl.static_range(1, K):
            dx += taps[lag] * g[n + lag]
        gradients = gradients + (dx,)
    return gradients


@triton.jit
def _multiply(x, y):
    products = ()
    for n in tl.static_range(len(x)):
        products = products + (x[n] * y[n],)
    return products


@triton.jit
def _differentiate(
    g, x, taps, sums, dx, start, L, FIRST: tl.constexpr, V: tl.constexpr, ALIGN: tl.constexpr
):
    """Store the gradients of V inputs, given those of outputs; add to sums those of the taps."""
    _store(dx, start, L, _correlate(g, taps, V), ALIGN)
    K: tl.constexpr = len(taps) - 1
    added = ()
    for lag in tl.static_range(K):
        total = sums[lag]
        for n in tl.static_range(V):
            total += g[n] * x[FIRST + n - lag]
        added = added + (total,)
    total = sums[K]
    for n in tl.static_range(V):
        total += g[n]
    return added + (total,)


@triton.jit
def _zeros(N: tl.constexpr, T: tl.constexpr):
    zeros = ()
    for _ in tl.static_range(N):
        zeros = zeros + (tl.zeros([T, 1], tl.float32),)
    return zeros


@triton.jit
def _store_sums(partial, sums):
    """Store the gradients of one channel: its taps in the order of the weight, then its bias."""
    K: tl.constexpr = len(sums) - 1
    for lag in tl.static_range(K):
        tl.store(partial + K - 1 - lag, tl.sum(sums[lag]))
    tl.store(partial + K, tl.sum(sums[K]))


@triton.jit
def _row(x, b, d, x_b, x_d, ALIGN: tl.constexpr):
    """Return where row (b, d) starts; strides are multiples of ALIGN."""
    return x + (b * x_b + d * x_d) // ALIGN * ALIGN


@triton.jit(do_not_specialize=_SIZES)
def forward_kernel(
    x, weight, bias, post, gated, x_b, x_d, D, L, blocks,
    K: tl.constexpr, T: tl.constexpr, V: tl.constexpr, ALIGN: tl.constexpr,
):  # fmt: skip
    """One program: T * V positions of one row of either output."""
    row = (tl.program_id(0) // blocks).to(tl.int64)
    b = row // D
    d = row % D
    start = (tl.program_id(0) % blocks * T + tl.arange(0, T)[:, None]) * V
    L = L // ALIGN * ALIGN  # no change, but now Triton knows
    HALO: tl.constexpr = (K + V - 2) // V  # vectors that K - 1 positions reach into
    FIRST: tl.constexpr = HALO * V

    x0 = _load(_row(x, b, d, x_b, x_d, ALIGN), start, L, HALO, 0, V, ALIGN)
    y0 = _convolve(x0, _load_taps(weight, bias, d, K), FIRST, V)
    _store(_row(post, row, 0, L, 0, ALIGN), start, L, y0, ALIGN)
    x1 = _load(_row(x, b, d + D, x_b, x_d, ALIGN), start, L, HALO, 0, V, ALIGN)
    y1 = _convolve(x1, _load_taps(weight, bias, d + D, K), FIRST, V)
    x2 = _load(_row(x, b, d + 2 * D, x_b, x_d, ALIGN), start, L, HALO, 0, V, ALIGN)
    y2 = _convolve(x2, _load_taps(weight, bias, d + 2 * D, K), FIRST, V)
    _store(_row(gated, row, 0, L, 0, ALIGN), start, L, _multiply(y1, y2), ALIGN)


@triton.jit(do_not_specialize=_SIZES)
def backward_kernel(
    d_post, d_gated, x, weight, bias, dx, partial,
    post_b, post_d, gated_b, gated_d, x_b, x_d, D, L, blocks, steps,
    K: tl.constexpr, T: tl.constexpr, V: tl.constexpr, ALIGN: tl.constexpr,
):  # fmt: skip
    """One program: steps * T * V positions of one row of each stream.

    The gradient of an input takes those of the outputs up to K - 1 positions on, and these take the
    convolutions there, which each thread computes for itself.
    """
    row = (tl.program_id(0) // blocks).to(tl.int64)
    block = tl.program_id(0) % blocks
    b = row // D
    d = row % D
    L = L // ALIGN * ALIGN  # no change, but now Triton knows
    HALO: tl.constexpr = (K + V - 2) // V  # vectors that K - 1 positions reach into
    FIRST: tl.constexpr = HALO * V

    d_post = _row(d_post, b, d, post_b, post_d, ALIGN)
    d_gated = _row(d_gated, b, d, gated_b, gated_d, ALIGN)
    x0 = _row(x, b, d, x_b, x_d, ALIGN)
    x1 = _row(x, b, d + D, x_b, x_d, ALIGN)
    x2 = _row(x, b, d + 2 * D, x_b, x_d, ALIGN)
    dx0 = _row(dx, b * 3 * D + d, 0, L, 0, ALIGN)
    dx1 = _row(dx, b * 3 * D + D + d, 0, L, 0, ALIGN)
    dx2 = _row(dx, b * 3 * D + 2 * D + d, 0, L, 0, ALIGN)
    taps0 = _load_taps(weight, bias, d, K)
    taps1 = _load_taps(weight, bias, d + D, K)
    taps2 = _load_taps(weight, bias, d + 2 * D, K)
    sums0 = _zeros(K + 1, T)
    sums1 = _zeros(K + 1, T)
    sums2 = _zeros(K + 1, T)
    for step in range(steps):
        start = ((block * steps + step) * T + tl.arange(0, T)[:, None]) * V
        u = _load(x0, start, L, HALO, 0, V, ALIGN)
        g = _load(d_post, start, L, 0, HALO, V, ALIGN)
        sums0 = _differentiate(g, u, taps0, sums0, dx0, start, L, FIRST, V, ALIGN)
        g = _load(d_gated, start, L, 0, HALO, V, ALIGN)
        u = _load(x1, start, L, HALO, HALO, V, ALIGN)
        v = _load(x2, start, L, HALO, HALO, V, ALIGN)
        du = _multiply(_convolve(v, taps2, FIRST, V + K - 1), g)
        sums1 = _differentiate(du, u, taps1, sums1, dx1, start, L, FIRST, V, ALIGN)
        dv = _multiply(_convolve(u, taps1, FIRST, V + K - 1), g)
        sums2 = _differentiate(dv, v, taps2, sums2, dx2, start, L, FIRST, V, ALIGN)

    partial += ((b * blocks + block) * 3 * D + d) * (K + 1)
    _store_sums(partial, sums0)
    _store_sums(partial + D * (K + 1), sums1)
    _store_sums(partial + 2 * D * (K + 1), sums2)


def forward(projected: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return post_gate and gated, each (B, D, L); arguments as in `ops.short_conv`."""
    projected = rowwise(projected)
    batch, channels, length = projected.shape
    post, gated = (projected.new_empty(batch, channels // 3, length) for _ in range(2))
    shape = _shape(projected, weight)
    blocks = triton.cdiv(length, shape["T"] * shape["V"])
    with on_device_of(projected):
        forward_kernel[(batch * channels // 3 * blocks,)](
            projected, weight.contiguous(), bias.contiguous(), post, gated,
            *projected.stride()[:2], channels // 3, length, blocks, **shape,
        )  # fmt: skip
    return post, gated


def backward(
    d_post: Tensor, d_gated: Tensor, projected: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of projected, weight and bias; the last two summed in a fixed order."""
    d_post, d_gated, projected = map(rowwise, (d_post, d_gated, projected))
    batch, channels, length = projected.shape
    taps, rows = weight.shape[-1], batch * channels // 3
    shape = _shape(projected, weight, d_post, d_gated)
    blocks = triton.cdiv(length, shape["T"] * shape["V"])
    steps = max(1, min(blocks, MOST_STEPS, rows * blocks // ENOUGH_PROGRAMS))
    blocks = triton.cdiv(blocks, steps)
    dx = projected.new_empty(projected.shape)
    partial = projected.new_empty(batch * blocks, channels, taps + 1, dtype=torch.float32)
    with on_device_of(projected):
        backward_kernel[(rows * blocks,)](
            d_post, d_gated, projected, weight.contiguous(), bias.contiguous(), dx, partial,
            *d_post.stride()[:2], *d_gated.stride()[:2], *projected.stride()[:2],
            channels // 3, length, blocks, steps, **shape,
        )  # fmt: skip
    sums = partial.sum(0)
    d_weight = weight.new_empty(weight.shape).copy_(sums[:, None, :taps])
    return dx, d_weight, bias.new_empty(bias.shape).copy_(sums[:, taps])


def _shape(projected: Tensor, weight: Tensor, *others: Tensor) -> dict[str, int]:
    """Return the compile-time arguments, as long as rows need and as aligned as they are."""
    length = projected.shape[-1]
    strides = [stride for x in (projected, *others) for stride in x.stride()[:2]]
    align = gcd(16 // projected.element_size(), length, *strides)
    # Rows that start anywhere are read position by position: 4 a thread take the fewest
    # instructions on the whole, and neighbours in a warp still share their cache lines.
    align = align if align >= 4 else 1
    vector = max(align, 4)
    threads = min(THREADS, max(32, triton.next_power_of_2(triton.cdiv(length, vector))))
    return {
        "K": weight.shape[-1],
        "T": threads,
        "V": vector,
        "ALIGN": align,
        "num_warps": threads // 32,
        **OPTIONS,
    }
