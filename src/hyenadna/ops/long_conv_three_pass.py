"""Long convolution of up to 2^20 positions in three passes over memory.

B batch, D channels, L length, K taps; N = N1 * N2 >= L points as N1 = 16 R rows of N2. `long_conv`
has the algebra. Position n = n1 * N2 + n2 and frequency m = m1 + N1 * m2, so that with the quarter
of a frequency by which all is shifted

    exp(-2 pi i (m + 1/4) n / N) = exp(-2 pi i (m1 + 1/4) n1 / N1) columns
                                 * exp(-2 pi i (m1 + 1/4) n2 / N)  between
                                 * exp(-2 pi i m2 n2 / N2)         rows

(Bailey, J. Supercomputing 4, 1990). The first pass transforms columns, the second transforms rows,
multiplies spectra and goes back, in place, the third undoes the first. Scratch is fp32, (2, N2) a
row, for as many channels at a time as two fp32 buffers of (B, D, L) hold.
"""

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from hyenadna.ops.butterflies import (
    dft16,
    dft_groups,
    load_roots,
    multiply,
    multiply_all,
    shift_in,
    shift_out,
    transform,
    transform_back,
    turn,
    turn_by,
)
from hyenadna.ops.launch import OPTIONS, fresh, fresh_if, optional, strides
from hyenadna.ops.paths import Plan, padded
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
)
from hyenadna.ops.roots import column_roots, row_roots

# With so many, two programs of 256 threads share a multiprocessor.
_REGISTERS = 128


@triton.jit
def _place_columns(N2: tl.constexpr, R: tl.constexpr, PAD: tl.constexpr, C: tl.constexpr):
    """Return the row, the part of a column a thread has (T,), its column, and positions (16, T)."""
    tiles: tl.constexpr = N2 // C
    t = tl.arange(0, PAD * C)
    part = t // C
    column = tl.program_id(0) % tiles * C + t % C
    n = (tl.arange(0, 16)[:, None] * R + part[None, :]) * N2 + column[None, :]
    return tl.program_id(0) // tiles, part, column, n


@triton.jit
def _place_spectra(part, column, N2: tl.constexpr, R: tl.constexpr, PAD: tl.constexpr):
    """Return offsets (16, T) of frequencies of columns, and which are there."""
    point = tl.arange(0, 16)[:, None]
    m = point // PAD * PAD + part[None, :] + 16 * (point % PAD)
    return m * (2 * N2) + column[None, :], (point % PAD + 0 * part[None, :]) < R


@triton.jit
def _turn_columns(re, im, across, part, column, N2: tl.constexpr, BACK: tl.constexpr = False):
    """Multiply the 16 frequencies m of a thread by exp(-2 pi i (m + 1/4) column / N)."""
    low_re, low_im, high_re, high_im = load_roots(across, N2, column)
    at = across + 16 * N2 + part * (2 * N2) + column
    own_re = tl.load(at)
    own_im = tl.load(at + N2)
    turned_re = ()
    turned_im = ()
    for n in tl.static_range(4):
        w_re, w_im = multiply(low_re[n], low_im[n], own_re, own_im)
        turned_re = turned_re + (w_re,)
        turned_im = turned_im + (w_im,)
    return turn_by(re, im, turned_re, turned_im, high_re, high_im, BACK)


@triton.jit
def _swap_parts(x, PAD: tl.constexpr, C: tl.constexpr):
    """Swap the PAD threads of a column with the last digit of a thread's points, or back."""
    if PAD > 1:
        y = tl.reshape(gather16(x), [PAD, C, 16 // PAD, PAD])
        x = split16(tl.reshape(tl.permute(y, (3, 1, 2, 0)), [PAD * C, 16]))
    return x


@triton.jit(**FOR_ALL_SIZES)
def columns_in(
    x, gate, z, down, across, x_b, x_d, gate_b, gate_d, D, L,
    N2: tl.constexpr, R: tl.constexpr, PAD: tl.constexpr, C: tl.constexpr, GATED: tl.constexpr,
):  # fmt: skip
    """First pass: gate x (B, D, L) and transform its columns to z (B, D, N1, 2, N2)."""
    row, part, column, n = _place_columns(N2, R, PAD, C)
    b = (row // D).to(tl.int64)
    d = (row % D).to(tl.int64)
    inside = (n < L) & (part < R)[None, :]
    x += b * x_b + d * x_d
    gate += b * gate_b + d * gate_d
    v = load_gated(x, gate, n, inside, GATED)
    re, im = shift_in(split16(tl.trans(v)))
    re, im = dft16(re, im)
    if PAD > 1:
        re, im = turn(re, im, down, PAD, part)
        re, im = dft_groups(_swap_parts(re, PAD, C), _swap_parts(im, PAD, C), R, PAD)
    re, im = _turn_columns(re, im, across, part, column, N2)
    at, there = _place_spectra(part, column, N2, R, PAD)
    z += row.to(tl.int64) * (32 * R * N2)
    store_points(z, at, there, re)
    store_points(z + N2, at, there, im)


@triton.jit(**FOR_ALL_SIZES)
def columns_out(
    z, skip, x, gate, post, y, twin, y_twin, sums, down, across,
    x_b, x_d, gate_b, gate_d, post_b, post_d, y_b, y_d, twin_b, twin_d, D, L,
    N2: tl.constexpr, R: tl.constexpr, PAD: tl.constexpr, C: tl.constexpr,
    SKIP: tl.constexpr, GATED: tl.constexpr, POST: tl.constexpr,
    TWIN: tl.constexpr, SUMS: tl.constexpr,
):  # fmt: skip
    """Third pass: from z (B, D, N1, 2, N2) real points c; writes y (B, D, L) = c * post.

    SKIP first adds skip * x * gate to c, TWIN writes y_twin = c * twin beside, and SUMS what each
    program saw of the sum of x * gate * post * twin.
    """
    row, part, column, n = _place_columns(N2, R, PAD, C)
    b = (row // D).to(tl.int64)
    d = (row % D).to(tl.int64)
    at, there = _place_spectra(part, column, N2, R, PAD)
    z += row.to(tl.int64) * (32 * R * N2)
    re = load_points(z, at, there)
    im = load_points(z + N2, at, there)
    re, im = _turn_columns(re, im, across, part, column, N2, BACK=True)
    if PAD > 1:
        im, re = dft_groups(im, re, R, PAD)
        re = _swap_parts(re, PAD, C)
        im = _swap_parts(im, PAD, C)
        re, im = turn(re, im, down, PAD, part, BACK=True)
    im, re = dft16(im, re)
    c = tl.trans(gather16(shift_out(re, im, 1.0 / (16 * R * N2))))
    inside = (n < L) & (part < R)[None, :]
    if SKIP:
        v = load_gated(x + b * x_b + d * x_d, gate + b * gate_b + d * gate_d, n, inside, GATED)
        c += tl.load(skip + d).to(tl.float32) * v
    if POST:
        factor = load(post + b * post_b + d * post_d, n, inside)
    if TWIN or SUMS:
        other = load(twin + b * twin_b + d * twin_d, n, inside)
    if TWIN:
        store(y_twin + b * y_b + d * y_d, n, inside, c * other)
    if SUMS:
        product = v * other
        if POST:
            product *= factor
        tl.store(sums + tl.program_id(0), tl.sum(product))
    if POST:
        c *= factor
    store(y + b * y_b + d * y_d, n, inside, c)


@triton.jit
def _load_spectra(z, n, N: tl.constexpr):
    """Load complex points of rows."""
    return load_points(z, n, n >= 0), load_points(z + N, n, n >= 0)


@triton.jit
def _store_spectra(z, n, re, im, N: tl.constexpr):
    """Store complex points of rows."""
    store_points(z, n, n >= 0, re)
    store_points(z + N, n, n >= 0, im)


@triton.jit
def _add_skip(re, skip, d, SKIP: tl.constexpr):
    """Add the weight of the input itself: a tap at lag 0, whose spectrum is flat."""
    if SKIP:
        weight = tl.load(skip + d).to(tl.float32)
        if len(weight.shape) == 2:
            weight = tl.reshape(weight, [weight.shape[1]])
        flat = ()
        for point in tl.static_range(16):
            flat = flat + (re[point] + weight,)
        re = flat
    return re


@triton.jit(**FOR_ALL_SIZES)
def rows_spectrum(z, skip, table, N1, N2: tl.constexpr, ROWS: tl.constexpr, SKIP: tl.constexpr):
    """Transform rows of z (D, N1, 2, N2), columns of filters, in place."""
    t, row, n = place(N2 // 16, ROWS)
    z += row.to(tl.int64) * (2 * N2)
    re, im = _load_spectra(z, n, N2)
    re, im = transform(re, im, table, t, ROWS, N2)
    _store_spectra(z, n, _add_skip(re, skip, row // N1, SKIP), im, N2)


@triton.jit
def rows_inverse(z, table, N2: tl.constexpr, ROWS: tl.constexpr):
    """Transform rows of z (D, N1, 2, N2) back, in place."""
    t, row, n = place(N2 // 16, ROWS)
    z += row.to(tl.int64) * (2 * N2)
    re, im = _load_spectra(z, n, N2)
    re, im = transform_back(re, im, table, t, ROWS, N2)
    _store_spectra(z, n, re, im, N2)


@triton.jit(**FOR_ALL_SIZES)
def rows_multiply(
    z, z_k, skip, table, D, N1,
    N2: tl.constexpr, ROWS: tl.constexpr, SKIP: tl.constexpr, READY: tl.constexpr,
):  # fmt: skip
    """Second pass: z (B, D, N1, 2, N2) becomes its product with z_k (D, N1, 2, N2), in place.

    READY says that z_k is a spectrum already; else it holds columns of filters.
    """
    t, row, n = place(N2 // 16, ROWS)
    d = row // N1 % D
    z += row.to(tl.int64) * (2 * N2)
    re, im = _load_spectra(z, n, N2)
    re, im = transform(re, im, table, t, ROWS, N2)
    k_re, k_im = _load_spectra(z_k + (d * N1 + row % N1).to(tl.int64) * (2 * N2), n, N2)
    if not READY:
        k_re, k_im = transform(k_re, k_im, table, t, ROWS, N2)
        k_re = _add_skip(k_re, skip, d, SKIP)
    re, im = multiply_all(re, im, k_re, k_im)
    re, im = transform_back(re, im, table, t, ROWS, N2)
    _store_spectra(z, n, re, im, N2)


@triton.jit(**FOR_ALL_SIZES)
def rows_gradients(
    z_v, z_g, z_k, z_dk, skip, table, N1, summed,
    N2: tl.constexpr, ROWS: tl.constexpr, SKIP: tl.constexpr, READY: tl.constexpr,
    POST: tl.constexpr, FILTER: tl.constexpr,
):  # fmt: skip
    """Second pass going back, for one of the batch: all (D, N1, 2, N2), in place.

    z_g becomes what du is made of, z_v what d_post is made of. If READY, z_k is a spectrum and
    z_dk gathers that of dk over the batch. Else z_k holds columns of filters and becomes those of
    dk. Never more than two spectra are alive, which is what fits in registers: that of the filter
    waits in its place in z_k.
    """
    t, row, n = place(N2 // 16, ROWS)
    at = row.to(tl.int64) * (2 * N2)
    z_v += at
    z_g += at
    z_k += at
    if not READY:
        re, im = _load_spectra(z_k, n, N2)
        re, im = transform(re, im, table, t, ROWS, N2)
        _store_spectra(z_k, n, _add_skip(re, skip, row // N1, SKIP), im, N2)
        tl.debug_barrier()
    v_re, v_im = _load_spectra(z_v, n, N2)
    v_re, v_im = transform(v_re, v_im, table, t, ROWS, N2)
    if POST:
        re, im = _load_spectra(z_k, n, N2)
        re, im = multiply_all(re, im, v_re, v_im)
        re, im = transform_back(re, im, table, t, ROWS, N2)
        _store_spectra(z_v, n, re, im, N2)
    g_re, g_im = _load_spectra(z_g, n, N2)
    g_re, g_im = transform(g_re, g_im, table, t, ROWS, N2)
    v_re, v_im = multiply_all(g_re, g_im, v_re, v_im, CONJUGATE=True)
    if FILTER and READY:
        _gather_spectra(z_dk + at, n, v_re, v_im, at + n < summed, N2)
    re, im = _load_spectra(z_k, n, N2)
    re, im = multiply_all(g_re, g_im, re, im, CONJUGATE=True)
    re, im = transform_back(re, im, table, t, ROWS, N2)
    _store_spectra(z_g, n, re, im, N2)
    if FILTER and not READY:
        v_re, v_im = transform_back(v_re, v_im, table, t, ROWS, N2)
        tl.debug_barrier()
        _store_spectra(z_k, n, v_re, v_im, N2)


@triton.jit
def _gather_spectra(z, n, re, im, before, N: tl.constexpr):
    """Add to what of z holds sums before."""
    z_re = load_points(z, n, before)
    z_im = load_points(z + N, n, before)
    sum_re = ()
    sum_im = ()
    for point in tl.static_range(16):
        sum_re = sum_re + (re[point] + z_re[point],)
        sum_im = sum_im + (im[point] + z_im[point],)
    _store_spectra(z, n, sum_re, sum_im, N)


def spectrum(k: Tensor, plan: Plan) -> Tensor:
    """Return the spectra (D, N1, 2, N2) of filters (D, K), in fp32."""
    return _filters(k, None, plan, once=True)


def forward(
    u: Tensor,
    k: Tensor,
    skip: Tensor | None,
    pre_gate: Tensor | None,
    post_gate: Tensor | None,
    plan: Plan,
) -> Tensor:
    """Return y (B, D, L) in u's dtype, contiguous; k is (D, K) or its spectrum (D, N1, 2, N2)."""
    y = fresh(u)
    tensors = (u, k, skip, pre_gate, post_gate, y)
    for group in _groups(u, plan, buffers=u.shape[0] + 1):
        _forward([_channels(x, group) for x in tensors], plan)
    return y


def _forward(tensors: Sequence[Any], plan: Plan) -> None:
    """Write y, the last of the tensors, for a group of channels."""
    u, k, skip, pre_gate, post_gate, y = tensors
    ready = k.ndim == 4
    in_spectrum = None if ready or _exact(u) else skip
    z_k = k if ready else _filters(k, in_spectrum, plan, once=len(u) > 1)
    z = _columns_in(u, pre_gate, plan)
    table = row_roots(plan.row, False, u.device)
    ready = ready or len(u) > 1
    _rows(
        rows_multiply, z, plan, z, z_k, optional(in_spectrum, z), table, u.shape[1],
        16 * plan.radix, SKIP=in_spectrum is not None, READY=ready,
        # Compiled for sm_80, this one would spill.
        maxnreg=_REGISTERS if ready or in_spectrum is not None else None,
    )  # fmt: skip
    direct = None if in_spectrum is not None else skip
    _columns_out(z, y, plan, post=post_gate, skip=direct, x=u, gate=pre_gate)


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
    batch = len(u)
    du = fresh(u)
    d_pre, d_post = fresh_if(needs[3], pre_gate), fresh_if(needs[4], post_gate)
    d_skip = None if skip is None else torch.empty(len(skip), device=dy.device)
    through_filter = needs[2] and not _exact(u)
    dk = torch.empty(k.shape, device=dy.device) if needs[1] or through_filter else None
    tensors = (dy, u, k, skip, pre_gate, post_gate, du, d_pre, d_post, dk, d_skip)
    for group in _groups(u, plan, buffers=2 * batch + 1 + (batch > 1)):
        _backward([_channels(x, group) for x in tensors], plan)
    return du, dk, d_skip, d_pre, d_post


def _backward(tensors: Sequence[Any], plan: Plan) -> None:
    """Write the gradients, the last of the tensors, that are there, for a group of channels."""
    dy, u, k, skip, pre_gate, post_gate, du, d_pre, d_post, dk, d_skip = tensors
    once = len(u) > 1
    in_spectrum, direct = (None, skip) if _exact(u) else (skip, None)
    z_k = _filters(k, in_spectrum, plan, once=once)
    z_v = _columns_in(u, pre_gate, plan)
    z_g = _columns_in(dy, post_gate, plan)
    z_dk = torch.empty_like(z_k) if once else z_k
    table = row_roots(plan.row, False, u.device)
    for b in range(len(u)):
        _rows(
            rows_gradients, z_k, plan, z_v[b], z_g[b], z_k, z_dk, optional(in_spectrum, z_k), table,
            16 * plan.radix, z_dk.numel() if b else 0, SKIP=in_spectrum is not None, READY=once,
            POST=d_post is not None, FILTER=dk is not None,
        )  # fmt: skip
    sums = _columns_out(
        z_g, du, plan, post=pre_gate, skip=direct, x=dy, gate=post_gate, twin=u, y_twin=d_pre
    )
    if d_post is not None:
        _columns_out(z_v, d_post, plan, post=dy, skip=direct, x=u, gate=pre_gate)
    if dk is not None:
        if once:
            _rows(rows_inverse, z_dk, plan, z_dk, table)
        _columns_out(z_dk, dk[None], plan)
    if d_skip is not None:
        d_skip.copy_(sums if dk is None or sums is not None else dk[:, 0])


def _exact(u: Tensor) -> bool:
    """Whether the skip weight acts on the points themselves.

    Through the spectrum it carries rounding errors of fp32 transforms, which 16-bit types do not
    see, and costs no bytes.
    """
    return u.dtype == torch.float32


def _groups(u: Tensor, plan: Plan, *, buffers: int) -> list[slice]:
    """Cut the channels so that scratch, `buffers` rows of complex points each, is bounded."""
    batch, channels, length = u.shape
    size = 2 * batch * channels * length // (2 * plan.points * buffers)
    if plan.scratch:
        size = min(size, (plan.scratch << 20) // (8 * plan.points * buffers))
    return [slice(start, start + max(1, size)) for start in range(0, channels, max(1, size))]


def _channels(x: Any, group: slice) -> Any:
    """Take channels of (B, D, L), or of what has them first."""
    if x is None:
        return None
    return x[:, group] if x.ndim == 3 else x[group]


def _filters(k: Tensor, skip: Tensor | None, plan: Plan, *, once: bool) -> Tensor:
    """Return columns of filters, or `once` for a whole batch their spectra."""
    z = _columns_in(k[None], None, plan)[0]
    if once:
        table = row_roots(plan.row, False, k.device)
        _rows(
            rows_spectrum, z, plan, z, optional(skip, z), table, 16 * plan.radix,
            SKIP=skip is not None,
        )  # fmt: skip
    return z


def _columns_in(x: Tensor, gate: Tensor | None, plan: Plan) -> Tensor:
    """Launch the first pass; returns scratch (B, D, N1, 2, N2)."""
    batch, channels, length = x.shape
    z = torch.empty(batch, channels, 16 * plan.radix, 2, plan.row, device=x.device)
    columns_in[_column_grid(x, plan)](
        x, optional(gate, x), z, *_column_roots(plan, x), *strides(x), *strides(gate),
        channels, length, **_column_sizes(plan), GATED=gate is not None,
    )  # fmt: skip
    return z


def _columns_out(
    z: Tensor,
    y: Tensor,
    plan: Plan,
    *,
    post: Tensor | None = None,
    skip: Tensor | None = None,
    x: Tensor | None = None,
    gate: Tensor | None = None,
    twin: Tensor | None = None,
    y_twin: Tensor | None = None,
) -> Tensor | None:
    """Launch the third pass; returns the sums (D,) of x * gate * post * twin if skip is direct."""
    grid = _column_grid(y, plan)
    sums = torch.empty(grid, device=y.device) if skip is not None and twin is not None else None
    columns_out[grid](
        z, optional(skip, z), optional(x, z), optional(gate, z), optional(post, z), y,
        optional(twin, z), optional(y_twin, z), optional(sums, z), *_column_roots(plan, y),
        *strides(x), *strides(gate), *strides(post), *strides(y), *strides(twin),
        y.shape[1], y.shape[2], **_column_sizes(plan),
        SKIP=skip is not None, GATED=gate is not None, POST=post is not None,
        TWIN=y_twin is not None, SUMS=sums is not None,
    )  # fmt: skip
    return None if sums is None else sums.view(*y.shape[:2], -1).sum((0, 2))


def _column_grid(x: Tensor, plan: Plan) -> tuple[int]:
    return (x.shape[0] * x.shape[1] * (plan.row // plan.columns),)


def _column_sizes(plan: Plan) -> dict[str, Any]:
    pad = padded(plan.radix)
    return {
        "N2": plan.row, "R": plan.radix, "PAD": pad, "C": plan.columns,
        "num_warps": max(1, pad * plan.columns // 32), **OPTIONS,
    }  # fmt: skip


def _column_roots(plan: Plan, like: Tensor) -> tuple[Tensor, Tensor]:
    return column_roots(plan.row, plan.radix, padded(plan.radix), like.device)


def _rows(kernel: Any, z: Tensor, plan: Plan, *arguments: Any, **options: Any) -> None:
    """Launch a kernel of the second pass over the rows of z (.., N1, 2, N2)."""
    threads = plan.rows * plan.row // 16
    options = {"maxnreg": _REGISTERS, "num_warps": max(1, threads // 32)} | OPTIONS | options
    grid = (z.numel() // (2 * plan.row * plan.rows),)
    kernel[grid](*arguments, N2=plan.row, ROWS=plan.rows, **options)
