"""Points of rows in registers, for Triton kernels (T threads, S threads a row, D channels).

Blocks (16, T) have a column a thread; tuples of 16 tensors (T,) are the same points, one by one.
"""

import triton
import triton.language as tl

# Sizes and addresses differ from call to call, and no access gets wider for knowing them: without
# this each new length would be compiled anew.
FOR_ALL_SIZES = {
    "do_not_specialize": [
        "u_b", "u_d", "pre_b", "pre_d", "post_b", "post_d", "dy_b", "dy_d", "k_d",
        "x_b", "x_d", "gate_b", "gate_d", "twin_b", "twin_d", "y_b", "y_d",
        "rows", "B", "D", "L", "K", "TAPS", "N1", "summed",
    ],
    "do_not_specialize_on_alignment": [
        "u", "pre", "post", "dy", "k", "skip", "y", "du", "d_pre", "d_post", "dk", "d_skip",
        "x", "gate", "twin", "y_twin", "sums", "z", "z_v", "z_g", "z_k", "z_dk",
    ],
}  # fmt: skip


@triton.jit
def gather16(x):
    """Stack 16 tensors (T,) into one (T, 16)."""
    a0 = tl.join(x[0], x[8])
    a1 = tl.join(x[1], x[9])
    a2 = tl.join(x[2], x[10])
    a3 = tl.join(x[3], x[11])
    a4 = tl.join(x[4], x[12])
    a5 = tl.join(x[5], x[13])
    a6 = tl.join(x[6], x[14])
    a7 = tl.join(x[7], x[15])
    evens = tl.join(tl.join(a0, a4), tl.join(a2, a6))
    odds = tl.join(tl.join(a1, a5), tl.join(a3, a7))
    return tl.reshape(tl.join(evens, odds), [x[0].shape[0], 16])


@triton.jit
def split8(x):
    """Split (T, 8) into 8 tensors (T,)."""
    evens, odds = tl.split(tl.reshape(x, [x.shape[0], 2, 2, 2]))
    e0, e1 = tl.split(evens)
    o0, o1 = tl.split(odds)
    x0, x4 = tl.split(e0)
    x2, x6 = tl.split(e1)
    x1, x5 = tl.split(o0)
    x3, x7 = tl.split(o1)
    return (x0, x1, x2, x3, x4, x5, x6, x7)


@triton.jit
def split16(x):
    """Split (T, 16) into 16 tensors (T,)."""
    evens, odds = tl.split(tl.reshape(x, [x.shape[0], 8, 2]))
    e = split8(evens)
    o = split8(odds)
    return (
        e[0], o[0], e[1], o[1], e[2], o[2], e[3], o[3],
        e[4], o[4], e[5], o[5], e[6], o[6], e[7], o[7],
    )  # fmt: skip


@triton.jit
def load(pointer, at, inside):
    """Load (16, T) as fp32."""
    # Without the hint, neighbours would be read by one thread, then moved to 16.
    pointers = tl.multiple_of(pointer + at, [1, 1])
    return tl.load(pointers, mask=inside, other=0.0).to(tl.float32)


@triton.jit
def store(pointer, at, inside, x):
    """Store (16, T) in the pointer's type."""
    pointers = tl.multiple_of(pointer + at, [1, 1])
    tl.store(pointers, x.to(pointer.dtype.element_ty), mask=inside)


@triton.jit
def load_points(pointer, at, inside):
    """Load fp32 points (16, T) as 16 tensors (T,)."""
    return split16(tl.trans(load(pointer, at, inside)))


@triton.jit
def store_points(pointer, at, inside, x):
    """Store 16 tensors (T,) as points (16, T), in the pointer's type."""
    store(pointer, at, inside, tl.trans(gather16(x)))


@triton.jit
def load_gated(x, gate, n, inside, GATED: tl.constexpr):
    """Load real points (16, T), times a gate."""
    v = load(x, n, inside)
    if GATED:
        v = v * load(gate, n, inside)
    return v


@triton.jit
def place(S: tl.constexpr, ROWS: tl.constexpr):
    """Return threads (T,), their rows, one number or (1, T), and positions of points (16, T)."""
    t = tl.arange(0, ROWS * S)
    row = tl.program_id(0) * ROWS
    if ROWS > 1:
        row += (t // S)[None, :]
    return t, row, tl.arange(0, 16)[:, None] * S + (t % S)[None, :]


@triton.jit
def within(n, limit, row, rows, ROWS: tl.constexpr):
    """Return which points (16, T) are there."""
    inside = n < limit
    if ROWS > 1:
        inside = inside & (row < rows)
    return inside
