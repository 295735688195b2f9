"""Kernels of the long convolution in three passes, which `long_conv_three_pass` launches.

B batch, D channels, L length, K taps; N = N1 * N2 >= L points as N1 = 16 R rows of N2. Columns lie
in PAD threads, R rounded up to a power of two, of 16 points each, and C columns side by side in a
program. Scratch z is (B, D, N1, 2, N2): of each row the real parts, then the imaginary ones.
"""

import triton
import triton.language as tl

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
