"""Long convolution of up to 4,096 positions: a row in the registers of one program.

B batch, D channels, L length, K taps, N >= L points. `long_conv` has the algebra. Rows are (batch,
channel) pairs; `*_b` and `*_d` are strides between batches and channels, in elements; positions
are contiguous. Spectra are rows of N real parts, then N imaginary ones, in the order in which
`butterflies` leaves them. Gates, skip weight and gradients are in the same kernel: inputs and
outputs cross memory once, and no scratch does.
"""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from hyenadna.ops.butterflies import (
    multiply_all,
    shift_in,
    shift_out,
    transform,
    transform_back,
)
from hyenadna.ops.launch import OPTIONS, fresh, fresh_if, optional, strides
from hyenadna.ops.paths import Plan
from hyenadna.ops.points import (
    FOR_ALL_SIZES,
    gather16,
    load,
    load_gated,
    load_points,
    place,
    split16,
    store,
    store_points,
    within,
)
from hyenadna.ops.roots import row_roots

# From so many in a batch on, filters are transformed once beside it rather than for each.
_FILTERS_ONCE = 4


@triton.jit
def _spectrum(k, n, inside, t, table, ROWS: tl.constexpr, N: tl.constexpr, READY: tl.constexpr):
    """Load the spectra of filters if they are ready, or else the filters, and transform them."""
    if READY:
        re = load_points(k, n, inside)
        im = load_points(k + N, n, inside)
    else:
        re, im = shift_in(load_points(k, n, inside))
        re, im = transform(re, im, table, t, ROWS, N)
    return re, im


@triton.jit
def _forward(v, t, table, ROWS: tl.constexpr, N: tl.constexpr):
    """Transform real points (16, T)."""
    re, im = shift_in(split16(tl.trans(v)))
    return transform(re, im, table, t, ROWS, N)


@triton.jit
def _inverse(re, im, t, table, ROWS: tl.constexpr, N: tl.constexpr):
    """Return the real points (16, T) of a spectrum."""
    re, im = transform_back(re, im, table, t, ROWS, N)
    return tl.trans(gather16(shift_out(re, im, 1.0 / N)))


@triton.jit(**FOR_ALL_SIZES)
def one_pass_spectrum(k, z, table, k_d, rows, K, N: tl.constexpr, ROWS: tl.constexpr):
    """Write the spectra (D, 2, N) of filters (D, K)."""
    t, d, n = place(N // 16, ROWS)
    k += d.to(tl.int64) * k_d
    z += d.to(tl.int64) * (2 * N)
    re, im = _spectrum(k, n, within(n, K, d, rows, ROWS), t, table, ROWS, N, False)
    inside = within(n, N, d, rows, ROWS)
    store_points(z, n, inside, re)
    store_points(z + N, n, inside, im)


@triton.jit(**FOR_ALL_SIZES)
def one_pass(
    u, pre, post, k, skip, y, table,
    u_b, u_d, pre_b, pre_d, post_b, post_d, k_d, rows, D, L, K,
    N: tl.constexpr, ROWS: tl.constexpr,
    PRE: tl.constexpr, POST: tl.constexpr, SKIP: tl.constexpr, READY: tl.constexpr,
):  # fmt: skip
    """Write y (B, D, L); k is (D, K), or (D, 2, N), K = N, where READY."""
    t, row, n = place(N // 16, ROWS)
    b = (row // D).to(tl.int64)
    d = (row % D).to(tl.int64)
    inside = within(n, L, row, rows, ROWS)
    taps = within(n, K, row, rows, ROWS)
    u += b * u_b + d * u_d
    pre += b * pre_b + d * pre_d
    post += b * post_b + d * post_d
    k += d * k_d
    y += row.to(tl.int64) * L
    k_re, k_im = _spectrum(k, n, taps, t, table, ROWS, N, READY)
    re, im = _forward(load_gated(u, pre, n, inside, PRE), t, table, ROWS, N)
    re, im = multiply_all(re, im, k_re, k_im)
    x = _inverse(re, im, t, table, ROWS, N)
    if SKIP:
        x += tl.load(skip + d).to(tl.float32) * load_gated(u, pre, n, inside, PRE)
    if POST:
        x *= load(post, n, inside)
    store(y, n, inside, x)


@triton.jit(**FOR_ALL_SIZES)
def one_pass_gradients(
    dy, u, pre, post, k, skip, du, d_pre, d_post, dk, d_skip, table,
    dy_b, dy_d, u_b, u_d, pre_b, pre_d, post_b, post_d, k_d, rows, D, L, K, TAPS,
    N: tl.constexpr, ROWS: tl.constexpr,
    PRE: tl.constexpr, POST: tl.constexpr, SKIP: tl.constexpr, READY: tl.constexpr,
    D_PRE: tl.constexpr, D_POST: tl.constexpr, FILTER: tl.constexpr,
):  # fmt: skip
    """Write du, d_pre, d_post (B, D, L), and dk (B, D, TAPS), d_skip (B, D) yet to be summed.

    Never more than two spectra are alive, which is what fits in registers: the filter's is made
    or loaded for each use.
    """
    t, row, n = place(N // 16, ROWS)
    b = (row // D).to(tl.int64)
    d = (row % D).to(tl.int64)
    inside = within(n, L, row, rows, ROWS)
    taps = within(n, K, row, rows, ROWS)
    dy += b * dy_b + d * dy_d
    u += b * u_b + d * u_d
    pre += b * pre_b + d * pre_d
    post += b * post_b + d * post_d
    k += d * k_d
    out = row.to(tl.int64)
    v_re, v_im = _forward(load_gated(u, pre, n, inside, PRE), t, table, ROWS, N)
    if D_POST:
        re, im = _spectrum(k, n, taps, t, table, ROWS, N, READY)
        re, im = multiply_all(re, im, v_re, v_im)
        x = _inverse(re, im, t, table, ROWS, N)
        if SKIP:
            x += tl.load(skip + d).to(tl.float32) * load_gated(u, pre, n, inside, PRE)
        store(d_post + out * L, n, inside, x * load(dy, n, inside))
    g = load_gated(dy, post, n, inside, POST)
    if SKIP:
        product = g * load_gated(u, pre, n, inside, PRE)
        if ROWS == 1:
            tl.store(d_skip + row, tl.sum(product))
        else:
            sums = tl.sum(tl.reshape(tl.sum(product, 0), [ROWS, N // 16]), 1)
            r = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
            tl.store(d_skip + r, sums, mask=r < rows)
    g_re, g_im = _forward(g, t, table, ROWS, N)
    if FILTER:
        v_re, v_im = multiply_all(g_re, g_im, v_re, v_im, CONJUGATE=True)
        x = _inverse(v_re, v_im, t, table, ROWS, N)
        store(dk + out * TAPS, n, within(n, TAPS, row, rows, ROWS), x)
    re, im = _spectrum(k, n, taps, t, table, ROWS, N, READY)
    re, im = multiply_all(g_re, g_im, re, im, CONJUGATE=True)
    x = _inverse(re, im, t, table, ROWS, N)
    if SKIP:
        g = load_gated(dy, post, n, inside, POST)
        x += tl.load(skip + d).to(tl.float32) * g
    if D_PRE:
        store(d_pre + out * L, n, inside, x * load(u, n, inside))
    if PRE:
        x *= load(pre, n, inside)
    store(du + out * L, n, inside, x)


def spectrum(k: Tensor, plan: Plan) -> Tensor:
    """Return the spectra (D, 2, N) of filters (D, K), in fp32."""
    channels, taps = k.shape
    z = torch.empty(channels, 2, plan.row, device=k.device)
    grid = (triton.cdiv(channels, plan.rows),)
    one_pass_spectrum[grid](
        k, z, _table(plan, k), k.stride(0), channels, taps,
        N=plan.row, ROWS=plan.rows, num_warps=_warps(plan), **OPTIONS,
    )  # fmt: skip
    return z


def forward(
    u: Tensor,
    k: Tensor,
    skip: Tensor | None,
    pre_gate: Tensor | None,
    post_gate: Tensor | None,
    plan: Plan,
) -> Tensor:
    """Return y (B, D, L) in u's dtype, contiguous; k is (D, K) or its spectrum (D, 2, N)."""
    batch, channels, length = u.shape
    k, ready = _filters(k, batch, plan)
    y = fresh(u)
    one_pass[_grid(u, plan)](
        u, optional(pre_gate, u), optional(post_gate, u), k, optional(skip, u), y, _table(plan, u),
        *strides(u), *strides(pre_gate), *strides(post_gate), k.stride(0),
        batch * channels, channels, length, plan.row if ready else k.shape[1],
        N=plan.row, ROWS=plan.rows, PRE=pre_gate is not None, POST=post_gate is not None,
        SKIP=skip is not None, READY=ready, num_warps=_warps(plan), **OPTIONS,
    )  # fmt: skip
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
    batch, channels, length = u.shape
    taps = k.shape[1]
    k, ready = _filters(k, batch, plan)
    du = fresh(u)
    d_pre, d_post = fresh_if(needs[3], pre_gate), fresh_if(needs[4], post_gate)
    dk = torch.empty(batch, channels, taps, device=dy.device) if needs[1] else None
    d_skip = None if skip is None else torch.empty(batch, channels, device=dy.device)
    one_pass_gradients[_grid(u, plan)](
        dy, u, optional(pre_gate, u), optional(post_gate, u), k, optional(skip, u),
        du, optional(d_pre, u), optional(d_post, u), optional(dk, u), optional(d_skip, u),
        _table(plan, u), *strides(dy), *strides(u), *strides(pre_gate), *strides(post_gate),
        k.stride(0), batch * channels, channels, length, plan.row if ready else taps, taps,
        N=plan.row, ROWS=plan.rows, PRE=pre_gate is not None, POST=post_gate is not None,
        SKIP=skip is not None, READY=ready, D_PRE=d_pre is not None, D_POST=d_post is not None,
        FILTER=dk is not None, num_warps=_warps(plan), **OPTIONS,
    )  # fmt: skip
    sums = (None if x is None else x[0] if batch == 1 else x.sum(0) for x in (dk, d_skip))
    return du, *sums, d_pre, d_post


def _filters(k: Tensor, batch: int, plan: Plan) -> tuple[Tensor, bool]:
    """Return filters or their spectra, and whether it is these."""
    if k.ndim == 2 and batch >= _FILTERS_ONCE:
        k = spectrum(k, plan)
    return k, k.ndim == 3


def _grid(u: Tensor, plan: Plan) -> tuple[int]:
    return (triton.cdiv(u.shape[0] * u.shape[1], plan.rows),)


def _table(plan: Plan, like: Tensor) -> Tensor:
    return row_roots(plan.row, True, like.device)


def _warps(plan: Plan) -> int:
    return max(1, plan.rows * plan.row // 512)
