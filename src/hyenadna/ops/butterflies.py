"""Fourier transforms in registers, for Triton kernels (T threads, N points, S threads a row).

A row of N points lies in S = N / 16 threads of 16 points each: Python tuples of 16 tensors (T,),
one of real and one of imaginary parts. Each stage is a 16-point DFT inside the thread (Cooley and
Tukey, 1965), a product with roots of unity from a table, and an exchange between threads, which
Triton makes one trip through shared memory. What is left when fewer than 16 threads remain is one
stage of radix 2, 4 or 8. Everything is fp32: tensor cores would round to 10 bits or fewer.

A kernel names what it computes by place: going forward, sample n = 16-point index * S + thread;
frequencies come out in the order the stages leave them in, the same for every row, which is all
that products of spectra need. The inverse takes that order back. An inverse DFT is the forward one
with real and imaginary parts swapped.
"""

import triton
import triton.language as tl

from hyenadna.ops.points import gather16, load, split8, split16


@triton.jit
def multiply(a_re, a_im, b_re, b_im):
    """Multiply two complex numbers."""
    return a_re * b_re - a_im * b_im, a_re * b_im + a_im * b_re


@triton.jit
def multiply_all(A_re, A_im, B_re, B_im, CONJUGATE: tl.constexpr = False):
    """Multiply tuples of complex numbers, the second conjugated where asked."""
    Y_re = ()
    Y_im = ()
    for n in tl.static_range(len(A_re)):
        if CONJUGATE:
            y_re, y_im = multiply(A_re[n], A_im[n], B_re[n], -B_im[n])
        else:
            y_re, y_im = multiply(A_re[n], A_im[n], B_re[n], B_im[n])
        Y_re = Y_re + (y_re,)
        Y_im = Y_im + (y_im,)
    return Y_re, Y_im


@triton.jit
def exchange(x, OUTER: tl.constexpr, INNER: tl.constexpr):
    """Swap the points of a thread with the middle digit of thread = (OUTER, 16, INNER)."""
    y = tl.reshape(gather16(x), [OUTER, 16, INNER, 16])
    return split16(tl.reshape(tl.permute(y, (0, 3, 2, 1)), [OUTER * 16 * INNER, 16]))


@triton.jit
def exchange_last(x, R: tl.constexpr):
    """Swap thread = (.., R), point = (R, 16 / R) to thread = (.., R), point = (16 / R, R)."""
    T: tl.constexpr = x[0].shape[0]
    y = tl.reshape(gather16(x), [T // R, R, R, 16 // R])
    return split16(tl.reshape(tl.permute(y, (0, 2, 3, 1)), [T, 16]))


@triton.jit
def exchange_first(x, R: tl.constexpr):
    """Undo `exchange_last`."""
    T: tl.constexpr = x[0].shape[0]
    y = tl.reshape(gather16(x), [T // R, R, 16 // R, R])
    return split16(tl.reshape(tl.permute(y, (0, 3, 1, 2)), [T, 16]))


@triton.jit
def dft4(r0, i0, r1, i1, r2, i2, r3, i3):
    """Transform 4 points; returns real and imaginary parts in turns."""
    ar = r0 + r2
    ai = i0 + i2
    br = r0 - r2
    bi = i0 - i2
    cr = r1 + r3
    ci = i1 + i3
    dr = r1 - r3
    di = i1 - i3
    return (ar + cr, ai + ci, br + di, bi - dr, ar - cr, ai - ci, br - di, bi + dr)


@triton.jit
def dft16(r, i):
    """Transform 16 points, 4 by 4."""
    C: tl.constexpr = 0.9238795325112867  # cos(pi / 8)
    S: tl.constexpr = 0.3826834323650898  # sin(pi / 8)
    H: tl.constexpr = 0.7071067811865476  # cos(pi / 4)
    a = dft4(r[0], i[0], r[4], i[4], r[8], i[8], r[12], i[12])
    b = dft4(r[1], i[1], r[5], i[5], r[9], i[9], r[13], i[13])
    c = dft4(r[2], i[2], r[6], i[6], r[10], i[10], r[14], i[14])
    d = dft4(r[3], i[3], r[7], i[7], r[11], i[11], r[15], i[15])
    # Column b takes the roots w, w^2, w^3 of w = exp(-i pi / 8), column c their squares, d cubes.
    b1r = b[2] * C + b[3] * S
    b1i = b[3] * C - b[2] * S
    b2r = (b[4] + b[5]) * H
    b2i = (b[5] - b[4]) * H
    b3r = b[6] * S + b[7] * C
    b3i = b[7] * S - b[6] * C
    c1r = (c[2] + c[3]) * H
    c1i = (c[3] - c[2]) * H
    c3r = (c[7] - c[6]) * H
    c3i = (c[6] + c[7]) * -H
    d1r = d[2] * S + d[3] * C
    d1i = d[3] * S - d[2] * C
    d2r = (d[5] - d[4]) * H
    d2i = (d[4] + d[5]) * -H
    d3r = -(d[6] * C + d[7] * S)
    d3i = d[6] * S - d[7] * C
    y0 = dft4(a[0], a[1], b[0], b[1], c[0], c[1], d[0], d[1])
    y1 = dft4(a[2], a[3], b1r, b1i, c1r, c1i, d1r, d1i)
    y2 = dft4(a[4], a[5], b2r, b2i, c[5], -c[4], d2r, d2i)
    y3 = dft4(a[6], a[7], b3r, b3i, c3r, c3i, d3r, d3i)
    return (
        (
            y0[0], y1[0], y2[0], y3[0], y0[2], y1[2], y2[2], y3[2],
            y0[4], y1[4], y2[4], y3[4], y0[6], y1[6], y2[6], y3[6],
        ),
        (
            y0[1], y1[1], y2[1], y3[1], y0[3], y1[3], y2[3], y3[3],
            y0[5], y1[5], y2[5], y3[5], y0[7], y1[7], y2[7], y3[7],
        ),
    )  # fmt: skip


@triton.jit
def dft8(r, i):
    """Transform 8 points."""
    H: tl.constexpr = 0.7071067811865476
    e = dft4(r[0], i[0], r[2], i[2], r[4], i[4], r[6], i[6])
    o = dft4(r[1], i[1], r[3], i[3], r[5], i[5], r[7], i[7])
    o1r = (o[2] + o[3]) * H
    o1i = (o[3] - o[2]) * H
    o3r = (o[7] - o[6]) * H
    o3i = (o[6] + o[7]) * -H
    return (
        (
            e[0] + o[0], e[2] + o1r, e[4] + o[5], e[6] + o3r,
            e[0] - o[0], e[2] - o1r, e[4] - o[5], e[6] - o3r,
        ),
        (
            e[1] + o[1], e[3] + o1i, e[5] - o[4], e[7] + o3i,
            e[1] - o[1], e[3] - o1i, e[5] + o[4], e[7] - o3i,
        ),
    )  # fmt: skip


@triton.jit
def dft_odd(r, i, R: tl.constexpr):
    """Transform R = 3, 5 or 7 points: sums of n and R - n by cosines, differences by sines."""
    # cos and sin of 2 pi n / R
    if R == 3:
        C = (1.0, -0.5, -0.5)
        S = (0.0, 0.8660254037844386, -0.8660254037844386)
    elif R == 5:
        a, b = 0.30901699437494745, -0.8090169943749475
        C = (1.0, a, b, b, a)
        a, b = 0.9510565162951535, 0.5877852522924731
        S = (0.0, a, b, -b, -a)
    else:
        a, b, c = 0.6234898018587336, -0.2225209339563144, -0.9009688679024191
        C = (1.0, a, b, c, c, b, a)
        a, b, c = 0.7818314824680298, 0.9749279121818236, 0.4338837391175581
        S = (0.0, a, b, c, -c, -b, -a)
    H: tl.constexpr = R // 2
    low_re = (r[0],)
    low_im = (i[0],)
    high_re = ()
    high_im = ()
    for n in tl.static_range(1, R):
        low_re = (low_re[0] + r[n],)
        low_im = (low_im[0] + i[n],)
    for q in tl.static_range(1, H + 1):
        a_re = r[0]
        a_im = i[0]
        b_re = (r[1] - r[R - 1]) * S[q % R]
        b_im = (i[1] - i[R - 1]) * S[q % R]
        for n in tl.static_range(1, H + 1):
            a_re += (r[n] + r[R - n]) * C[(n * q) % R]
            a_im += (i[n] + i[R - n]) * C[(n * q) % R]
            if n > 1:
                b_re += (r[n] - r[R - n]) * S[(n * q) % R]
                b_im += (i[n] - i[R - n]) * S[(n * q) % R]
        low_re = low_re + (a_re + b_im,)
        low_im = low_im + (a_im - b_re,)
        high_re = (a_re - b_im,) + high_re
        high_im = (a_im + b_re,) + high_im
    return low_re + high_re, low_im + high_im


@triton.jit
def dft_groups(r, i, R: tl.constexpr, PAD: tl.constexpr):
    """Transform the first R points of each group of PAD among 16, R up to 8 or 16."""
    Y_re = ()
    Y_im = ()
    for g in tl.static_range(16 // PAD):
        x_re = r[PAD * g : PAD * g + PAD]
        x_im = i[PAD * g : PAD * g + PAD]
        if R == 16:
            x_re, x_im = dft16(x_re, x_im)
        elif R == 2:
            x_re = (x_re[0] + x_re[1], x_re[0] - x_re[1])
            x_im = (x_im[0] + x_im[1], x_im[0] - x_im[1])
        elif R == 4:
            a = dft4(x_re[0], x_im[0], x_re[1], x_im[1], x_re[2], x_im[2], x_re[3], x_im[3])
            x_re = (a[0], a[2], a[4], a[6])
            x_im = (a[1], a[3], a[5], a[7])
        elif R == 8:
            x_re, x_im = dft8(x_re, x_im)
        elif R > 1:
            y_re, y_im = dft_odd(x_re, x_im, R)
            x_re = y_re + x_re[R:]
            x_im = y_im + x_im[R:]
        Y_re = Y_re + x_re
        Y_im = Y_im + x_im
    return Y_re, Y_im


@triton.jit
def turn(re, im, table, S: tl.constexpr, t, BACK: tl.constexpr = False):
    """Multiply 16 points by roots of unity at t < S, or by their conjugates."""
    low_re, low_im, high_re, high_im = load_roots(table, S, t)
    return turn_by(re, im, low_re, low_im, high_re, high_im, BACK)


@triton.jit
def load_roots(table, S: tl.constexpr, t):
    """Load four low powers of roots of unity at t < S, and four high ones.

    A table of one power costs rounding errors that grow with the power (5e-7 against 2e-7 at 4,096
    points); one of all 16 costs twice the loads.
    """
    at = tl.arange(0, 8)[:, None] * S + t[None, :]
    re = split8(tl.trans(load(table, at, at >= 0)))
    im = split8(tl.trans(load(table + 8 * S, at, at >= 0)))
    return re[:4], im[:4], re[4:], im[4:]


@triton.jit
def turn_by(re, im, low_re, low_im, high_re, high_im, BACK: tl.constexpr):
    """Multiply point 4 a + b by high power a times low power b, or by the conjugate."""
    Y_re = ()
    Y_im = ()
    for n in tl.static_range(16):
        w_re = low_re[n % 4]
        w_im = low_im[n % 4]
        if n >= 4:
            w_re, w_im = multiply(w_re, w_im, high_re[n // 4], high_im[n // 4])
        if BACK:
            w_im = -w_im
        y_re, y_im = multiply(re[n], im[n], w_re, w_im)
        Y_re = Y_re + (y_re,)
        Y_im = Y_im + (y_im,)
    return Y_re, Y_im


@triton.jit
def shift_in(x):
    """Multiply 16 real points n by exp(-2 pi i n / 64): a quarter of a frequency."""
    C, S = quarter_roots()
    re = ()
    im = ()
    for n in tl.static_range(16):
        re = re + (x[n] * C[n],)
        im = im + (x[n] * -S[n],)
    return re, im


@triton.jit
def shift_out(re, im, scale: tl.constexpr):
    """Undo `shift_in` and keep real parts, times a number."""
    C, S = quarter_roots()
    x = ()
    for n in tl.static_range(16):
        x = x + (re[n] * (C[n] * scale) - im[n] * (S[n] * scale),)
    return x


@triton.jit
def quarter_roots():
    """Return cos and sin of 2 pi n / 64 for n < 16."""
    return (
        (
            1.0, 0.9951847266721969, 0.9807852804032304, 0.9569403357322088,
            0.9238795325112867, 0.881921264348355, 0.8314696123025452, 0.773010453362737,
            0.7071067811865476, 0.6343932841636455, 0.5555702330196022, 0.47139673682599764,
            0.3826834323650898, 0.29028467725446233, 0.19509032201612825, 0.0980171403295606,
        ),
        (
            0.0, 0.0980171403295606, 0.19509032201612825, 0.29028467725446233,
            0.3826834323650898, 0.47139673682599764, 0.5555702330196022, 0.6343932841636455,
            0.7071067811865476, 0.773010453362737, 0.8314696123025452, 0.881921264348355,
            0.9238795325112867, 0.9569403357322088, 0.9807852804032304, 0.9951847266721969,
        ),
    )  # fmt: skip


@triton.jit
def stage(re, im, table, S: tl.constexpr, t):
    """Transform 16 points of a thread and turn them by the roots at its place among S threads."""
    re, im = dft16(re, im)
    if S > 1:
        re, im = turn(re, im, table, S, t % S)
    return re, im


@triton.jit
def stage_back(re, im, table, S: tl.constexpr, t):
    """Undo `stage`, times 16."""
    if S > 1:
        re, im = turn(re, im, table, S, t % S, BACK=True)
    im, re = dft16(im, re)
    return re, im


@triton.jit
def last_stage(re, im, R: tl.constexpr):
    """Transform across the last R threads."""
    if R > 1:
        re, im = dft_groups(exchange_last(re, R), exchange_last(im, R), R, R)
    return re, im


@triton.jit
def first_stage_back(re, im, R: tl.constexpr):
    """Undo `last_stage`, times R."""
    if R > 1:
        im, re = dft_groups(im, re, R, R)
        re = exchange_first(re, R)
        im = exchange_first(im, R)
    return re, im


@triton.jit
def transform(re, im, table, t, ROWS: tl.constexpr, N: tl.constexpr):
    """Transform ROWS rows of N points each, N a power of two from 32 to 4,096."""
    S1: tl.constexpr = N // 16
    S2: tl.constexpr = N // 256
    S3: tl.constexpr = N // 4096
    tl.debug_barrier()  # or the roots of an earlier transform would be kept in registers for this
    re, im = stage(re, im, table, S1, t)
    if S2 >= 1:
        re = exchange(re, ROWS, S2)
        im = exchange(im, ROWS, S2)
        re, im = stage(re, im, table + 16 * S1, S2, t)
    if S3 >= 1:
        re = exchange(re, ROWS * 16, S3)
        im = exchange(im, ROWS * 16, S3)
        re, im = stage(re, im, table + 16 * (S1 + S2), S3, t)
    return last_stage(re, im, S3 if S3 >= 1 else (S2 if S2 >= 1 else S1))


@triton.jit
def transform_back(re, im, table, t, ROWS: tl.constexpr, N: tl.constexpr):
    """Undo `transform`, times N."""
    S1: tl.constexpr = N // 16
    S2: tl.constexpr = N // 256
    S3: tl.constexpr = N // 4096
    tl.debug_barrier()
    # Triton lays tensors out as the loads they meet. A product of two transforms has met none, and
    # would be laid out anew before every exchange: one factor is loaded, and it is 1.
    one = tl.load(tl.multiple_of(table + 4 * S1 + t % S1, [1]))
    re = (re[0] * one,) + re[1:]
    im = (im[0] * one,) + im[1:]
    re, im = first_stage_back(re, im, S3 if S3 >= 1 else (S2 if S2 >= 1 else S1))
    if S3 >= 1:
        re, im = stage_back(re, im, table + 16 * (S1 + S2), S3, t)
        re = exchange(re, ROWS * 16, S3)
        im = exchange(im, ROWS * 16, S3)
    if S2 >= 1:
        re, im = stage_back(re, im, table + 16 * S1, S2, t)
        re = exchange(re, ROWS, S2)
        im = exchange(im, ROWS, S2)
    return stage_back(re, im, table, S1, t)
