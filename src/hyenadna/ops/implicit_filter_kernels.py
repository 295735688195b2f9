"""Triton kernels of the implicit filter (D channels, L length, E features, F hidden, M inner).

A program holds a block of BL positions as columns: features (E, BL), activations (F, BL), taps
(D, BL); tap 0 is at position `origin`. Nothing but k and its gradients is as long as the sequence,
except the gradient of one hidden layer at a time. E and F are compile-time constants: addresses
computed from them would take the registers that the products need.

Products are `tf32x3`, three of operands split in two on tensor cores. Those truncate their sums:
emulated at their worst, filters erred up to 1.9 times as much as by multiply-adds in fp32, which is
about as much as the original formula in fp32, whose angles of position are rounded. Multiply-adds
(`ieee`) take more registers than there are.
"""

# Kernels are in Triton's language, which has no annotations.
# mypy: disable-error-code="no-untyped-def, untyped-decorator, attr-defined"

from functools import cache
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from hyenadna.ops.implicit_filter import FilterWeights, band_frequencies, decay_rates
from hyenadna.ops.launch import OPTIONS, on_device_of, rowwise

# Programs that share the positions in a backward pass, and so partial sums of each weight's
# gradient: some two a multiprocessor, and as many on every GPU, so that sums keep their order.
MOST_PROGRAMS = 256
# Forward programs that keep a GPU busy; shorter filters are also divided by channels.
ENOUGH_PROGRAMS = 256

# Blocks and warps below are the largest that compile without spills for sm_80 and sm_90.

# Sizes differ from model to model, and each kind would be compiled anew.
_SIZES = ["D", "M", "m", "span", "origin"]

INVERSE_PI = tl.constexpr(0.3183098861837907)
# pi in three parts, the first two of few bits: whole multiples of those are exact in fp32 up to
# 2^13 (W. J. Cody and W. Waite, Software Manual for the Elementary Functions, 1980).
PI_HIGH = tl.constexpr(3.140625)
PI_MIDDLE = tl.constexpr(9.67502593994140625e-4)
PI_LOW = tl.constexpr(1.509957990978376e-7)
ROUNDER = tl.constexpr(12582912.0)  # 1.5 * 2^23: adding it rounds to a whole number
RADIANS = tl.constexpr(1.4629180792671596e-9)  # 2 pi / 2^32


@triton.jit
def _reduce(angle):
    """Split an angle into r in [-pi/2, pi/2] and a sign bit: sin(angle) is sin(r) or -sin(r)."""
    shifted = angle * INVERSE_PI + ROUNDER
    n = shifted - ROUNDER
    r = angle - n * PI_HIGH
    r = r - n * PI_MIDDLE
    r = r - n * PI_LOW
    return r, shifted.to(tl.int32, bitcast=True) << 31  # n's lowest bit: odd ones turn the sign


@triton.jit
def _signed(x, sign):
    return (x.to(tl.int32, bitcast=True) ^ sign).to(tl.float32, bitcast=True)


@triton.jit
def _sine(r, sign):
    """sin by a polynomial of least greatest error on [-pi/2, pi/2], 5e-9."""
    z = r * r
    p = ((2.5999791e-06 * z - 1.9806581e-04) * z + 8.3330168e-03) * z - 1.6666657e-01
    return _signed(r + r * z * p, sign)


@triton.jit
def _cosine(r, sign):
    """cos by a polynomial of least greatest error on [-pi/2, pi/2], 3e-10."""
    z = r * r
    p = ((-2.6076386e-07 * z + 2.4761847e-05) * z - 1.3888403e-03) * z + 4.1666641e-02
    return _signed(1.0 + z * (p * z - 0.5), sign)


@triton.jit
def _sin(angle):
    r, sign = _reduce(angle)
    return _sine(r, sign)


@triton.jit
def _time(at, end):
    """Return positions as shares of the last one, (BL,)."""
    return tl.div_rn(at.to(tl.float32), tl.zeros_like(at).to(tl.float32) + end)


@triton.jit
def _features(turns_ptr, at, end, EP: tl.constexpr):
    """Return time, cosines, negative sines and a 1 that multiplies the biases, (EP, BL).

    Turns are whole numbers in units of 2^-64: their multiples overflow as angles wrap around.
    """
    e = tl.arange(0, EP)
    step = tl.load(turns_ptr + e)
    start = tl.load(turns_ptr + EP + e)
    turn = ((at[None, :] * step[:, None] + start[:, None]) >> 32).to(tl.int32)
    r = (turn << 1) >> 1  # less the nearest number of half turns, odd where the sign changed
    wave = _sine(r.to(tl.float32) * RADIANS, (turn ^ r) & -2147483648)
    return tl.where(e[:, None] == 0, _time(at, end)[None, :], wave)


@triton.jit
def _first(w_ptr, b_ptr, f, F: tl.constexpr, E: tl.constexpr, EP: tl.constexpr):
    """Load the first layer, its biases as column E, (FP, EP)."""
    e = tl.arange(0, EP)[None, :]
    w = tl.load(w_ptr + f[:, None] * E + e, mask=(f < F)[:, None] & (e < E), other=0.0)
    b = tl.load(b_ptr + f[:, None] + 0 * e, mask=(f < F)[:, None] & (e == E), other=0.0)
    return w + b


@triton.jit
def _layer(w_ptr, b_ptr, m, f, h, F: tl.constexpr):
    """Return what inner layer m makes of h (FP, BL), before its sine."""
    inside = (f < F)[:, None] & (f < F)[None, :]
    w = tl.load(w_ptr + m * F * F + f[:, None] * F + f[None, :], mask=inside, other=0.0)
    b = tl.load(b_ptr + m * F + f, mask=f < F, other=0.0)
    return tl.dot(w, h, input_precision="tf32x3") + b[:, None]


@triton.jit
def _hidden(
    first_w, first_b, inner_w, inner_b, turns_ptr, at, end, freq, f, layers,
    F: tl.constexpr, E: tl.constexpr, EP: tl.constexpr,
):  # fmt: skip
    """Return the activations after the first layer and `layers` inner ones, (FP, BL)."""
    features = _features(turns_ptr, at, end, EP)
    x = tl.dot(_first(first_w, first_b, f, F, E, EP), features, input_precision="tf32x3")
    for m in range(layers):
        x = _layer(inner_w, inner_b, m, f, _sin(freq * x), F)
    return _sin(freq * x)


@triton.jit(do_not_specialize=_SIZES)
def forward_kernel(
    k_ptr, first_w, first_b, inner_w, inner_b, last_w, freq_ptr, rates_ptr, turns_ptr,
    L, D, M, end, shift, span, origin,
    F: tl.constexpr, FP: tl.constexpr, E: tl.constexpr, EP: tl.constexpr,
    BL: tl.constexpr, BD: tl.constexpr,
):  # fmt: skip
    """Write k (D, L): program (i, j) block i of positions, and j of `span` channels."""
    tap = (tl.program_id(0) * BL + tl.arange(0, BL)).to(tl.int64)
    at = origin + tap
    f = tl.arange(0, FP)
    freq = tl.load(freq_ptr + f, mask=f < F, other=0.0)[:, None]
    h = _hidden(first_w, first_b, inner_w, inner_b, turns_ptr, at, end, freq, f, M, F, E, EP)
    low = tl.program_id(1) * span
    for start in range(low, tl.minimum(low + span, D), BD):
        d = start + tl.arange(0, BD)
        there = (d < D)[:, None] & (f < F)[None, :]
        w = tl.load(last_w + d[:, None] * F + f[None, :], mask=there, other=0.0)
        rates = tl.load(rates_ptr + d, mask=d < D, other=0.0)
        window = tl.exp(-rates[:, None] * _time(at, end)[None, :]) + shift
        taps = tl.dot(w, h, input_precision="tf32x3") * window
        there = (d < D)[:, None] & (tap < L)[None, :]
        tl.store(k_ptr + d.to(tl.int64)[:, None] * L + tap[None, :], taps, mask=there)


@triton.jit
def _add(ptr, x, mask):
    tl.store(ptr, tl.load(ptr, mask=mask, other=0.0) + x, mask=mask)


@triton.jit(do_not_specialize=_SIZES)
def last_backward_kernel(
    dk_ptr, dh_ptr, partial_ptr,
    first_w, first_b, inner_w, inner_b, last_w, freq_ptr, rates_ptr, turns_ptr,
    L, D, M, end, shift, stride, origin,
    F: tl.constexpr, FP: tl.constexpr, E: tl.constexpr, EP: tl.constexpr,
    BL: tl.constexpr, BD: tl.constexpr,
):  # fmt: skip
    """Write dh (F, L), the last activations' gradient; add the last weights' to (programs, D, F).

    dk is (D, L), its rows `stride` apart.
    """
    f = tl.arange(0, FP)
    freq = tl.load(freq_ptr + f, mask=f < F, other=0.0)[:, None]
    partial_ptr += tl.program_id(0).to(tl.int64) * D * F
    for block in range(tl.program_id(0), tl.cdiv(L, BL), tl.num_programs(0)):
        tap = (block * BL + tl.arange(0, BL)).to(tl.int64)
        at = origin + tap
        h = _hidden(first_w, first_b, inner_w, inner_b, turns_ptr, at, end, freq, f, M, F, E, EP)
        h = tl.trans(h)
        dh = tl.zeros((FP, BL), tl.float32)
        for start in range(0, D, BD):
            d = start + tl.arange(0, BD)
            there = (d < D)[:, None] & (tap < L)[None, :]
            from_dk = dk_ptr + d.to(tl.int64)[:, None] * stride + tap[None, :]
            dk = tl.load(from_dk, mask=there, other=0.0).to(tl.float32)
            rates = tl.load(rates_ptr + d, mask=d < D, other=0.0)
            dk *= tl.exp(-rates[:, None] * _time(at, end)[None, :]) + shift
            there = (d < D)[:, None] & (f < F)[None, :]
            w = tl.load(last_w + d[:, None] * F + f[None, :], mask=there, other=0.0)
            dh += tl.dot(tl.trans(w), dk, input_precision="tf32x3")
            dw = tl.dot(dk, h, input_precision="tf32x3")
            _add(partial_ptr + d[:, None] * F + f[None, :], dw, there)
        there = (f < F)[:, None] & (tap < L)[None, :]
        tl.store(dh_ptr + f.to(tl.int64)[:, None] * L + tap[None, :], dh, mask=there)


@triton.jit(do_not_specialize=_SIZES)
def inner_backward_kernel(
    dh_ptr, partial_ptr, first_w, first_b, inner_w, inner_b, freq_ptr, turns_ptr,
    L, m, end, origin,
    F: tl.constexpr, FP: tl.constexpr, E: tl.constexpr, EP: tl.constexpr, BL: tl.constexpr,
):  # fmt: skip
    """Take dh (F, L) in place from after inner layer m to before it.

    Adds to (programs, F + 2, F) the gradients of its weights and, as last rows, of its biases and
    of the frequencies.
    """
    f = tl.arange(0, FP)
    inside = (f < F)[:, None] & (f < F)[None, :]
    freq = tl.load(freq_ptr + f, mask=f < F, other=0.0)[:, None]
    db = tl.zeros((FP,), tl.float32)
    d_freq = tl.zeros((FP,), tl.float32)
    partial_ptr += tl.program_id(0).to(tl.int64) * (F + 2) * F
    for block in range(tl.program_id(0), tl.cdiv(L, BL), tl.num_programs(0)):
        tap = (block * BL + tl.arange(0, BL)).to(tl.int64)
        at = origin + tap
        h = _hidden(first_w, first_b, inner_w, inner_b, turns_ptr, at, end, freq, f, m, F, E, EP)
        x = _layer(inner_w, inner_b, m, f, h, F)
        r, sign = _reduce(freq * x)
        there = (f < F)[:, None] & (tap < L)[None, :]
        to_dh = dh_ptr + f.to(tl.int64)[:, None] * L + tap[None, :]
        dx = tl.load(to_dh, mask=there, other=0.0) * _cosine(r, sign)
        d_freq += tl.sum(dx * x, axis=1)
        dx *= freq
        db += tl.sum(dx, axis=1)
        dw = tl.dot(dx, tl.trans(h), input_precision="tf32x3")
        _add(partial_ptr + f[:, None] * F + f[None, :], dw, inside)
        # Read again, transposed: kept from above, the weights would take too many registers.
        w = tl.load(inner_w + m * F * F + f[None, :] * F + f[:, None], mask=inside, other=0.0)
        tl.store(to_dh, tl.dot(w, dx, input_precision="tf32x3"), mask=there)
    tl.store(partial_ptr + F * F + f, db, mask=f < F)
    tl.store(partial_ptr + F * F + F + f, d_freq, mask=f < F)


@triton.jit(do_not_specialize=_SIZES)
def first_backward_kernel(
    dh_ptr, partial_ptr, first_w, first_b, freq_ptr, turns_ptr, L, end, origin,
    F: tl.constexpr, FP: tl.constexpr, E: tl.constexpr, EP: tl.constexpr, BL: tl.constexpr,
):  # fmt: skip
    """Write to (programs, F, E + 2) gradients from dh (F, L), that of the first activations.

    Columns are those of the weights, of the biases and of the frequencies.
    """
    f = tl.arange(0, FP)
    e = tl.arange(0, EP)
    freq = tl.load(freq_ptr + f, mask=f < F, other=0.0)[:, None]
    dw = tl.zeros((FP, EP), tl.float32)
    d_freq = tl.zeros((FP,), tl.float32)
    for block in range(tl.program_id(0), tl.cdiv(L, BL), tl.num_programs(0)):
        tap = (block * BL + tl.arange(0, BL)).to(tl.int64)
        at = origin + tap
        features = _features(turns_ptr, at, end, EP)
        x = tl.dot(_first(first_w, first_b, f, F, E, EP), features, input_precision="tf32x3")
        r, sign = _reduce(freq * x)
        there = (f < F)[:, None] & (tap < L)[None, :]
        dh = tl.load(dh_ptr + f.to(tl.int64)[:, None] * L + tap[None, :], mask=there, other=0.0)
        dx = dh * _cosine(r, sign)
        d_freq += tl.sum(dx * x, axis=1)
        dw += tl.dot(dx * freq, tl.trans(features), input_precision="tf32x3")
    row = partial_ptr + (tl.program_id(0).to(tl.int64) * F + f) * (E + 2)
    tl.store(row[:, None] + e[None, :], dw, mask=(f < F)[:, None] & (e <= E)[None, :])
    tl.store(row + E + 1, d_freq, mask=f < F)


def forward(
    weights: FilterWeights, *, length: int, max_length: int, shift: float, start: int = 0
) -> Tensor:
    """Return k (D, L) in fp32; arguments as in `ops.implicit_filter`."""
    weights = _plain(weights)
    last = weights.last_weight
    channels = last.shape[0]
    k = last.new_empty(channels, length)
    blocks, steps = triton.cdiv(length, 64), triton.cdiv(channels, 32)
    groups = min(steps, triton.cdiv(ENOUGH_PROGRAMS, blocks))
    span = 32 * triton.cdiv(steps, groups)
    with on_device_of(last):
        forward_kernel[(blocks, triton.cdiv(channels, span))](
            k, *weights, *_tables(weights, max_length), length, channels,
            len(weights.inner_weights), max_length - 1.0, shift, span, start,
            **_shape(weights), BL=64, BD=32,
        )  # fmt: skip
    return k


def backward(
    dk: Tensor,
    weights: FilterWeights,
    *,
    length: int,
    max_length: int,
    shift: float,
    start: int = 0,
) -> FilterWeights:
    """Return the gradient of each weight in fp32, in a fixed order of sums."""
    dk = rowwise(dk)
    weights = _plain(weights)
    layers, (channels, hidden) = len(weights.inner_weights), weights.last_weight.shape
    rates, turns = _tables(weights, max_length)
    shape, end = _shape(weights), max_length - 1.0
    programs = min(triton.cdiv(length, 32), MOST_PROGRAMS)
    dh = dk.new_empty(hidden, length, dtype=torch.float32)
    *below, last, freq = weights
    with on_device_of(dk):
        d_last = last.new_zeros(programs, channels, hidden)
        last_backward_kernel[(programs,)](
            dk, dh, d_last, *weights, rates, turns, length, channels, layers, end, shift,
            dk.stride(0), start, **shape, BL=32, BD=32, num_warps=8,
        )  # fmt: skip
        inner = last.new_zeros(layers, programs, hidden + 2, hidden)
        for m in reversed(range(layers)):
            inner_backward_kernel[(programs,)](
                dh, inner[m], *below, freq, turns, length, m, end, start, **shape, BL=16
            )
        first = last.new_empty(programs, hidden, shape["E"] + 2)
        first_backward_kernel[(programs,)](
            dh, first, *below[:2], freq, turns, length, end, start, **shape, BL=32
        )
    first, inner = first.sum(0), inner.sum(1)
    return FilterWeights(
        first[:, :-2], first[:, -2], inner[:, :-2], inner[:, -2], d_last.sum(0),
        first[:, -1] + inner[:, -1].sum(0),
    )  # fmt: skip


def _plain(weights: FilterWeights) -> FilterWeights:
    return FilterWeights(*(x.to(torch.float32).contiguous() for x in weights))


def _shape(weights: FilterWeights) -> dict[str, Any]:
    """Return the compile-time sizes; products take powers of two from 16."""
    hidden, features = weights.first_weight.shape
    return {
        "F": hidden,
        "FP": max(16, triton.next_power_of_2(hidden)),
        "E": features,
        "EP": max(16, triton.next_power_of_2(features + 1)),
        **OPTIONS,
    }


def _tables(weights: FilterWeights, max_length: int) -> tuple[Tensor, Tensor]:
    shape, last = _shape(weights), weights.last_weight
    turns = _turns(shape["E"], shape["EP"], max_length, last.device)
    return _rates(last.shape[0], last.device), turns


@cache
def _rates(channels: int, device: torch.device) -> Tensor:
    return decay_rates(channels, torch.device("cpu")).to(device, torch.float32)


@cache
def _turns(features: int, columns: int, max_length: int, device: torch.device) -> Tensor:
    """Return turns a position and turns at position 0, (2, EP), in units of 2^-64 turns.

    Columns are time (left to the kernels), cosines, negative sines and a constant 1.
    """
    per_position = band_frequencies(features, torch.device("cpu")) / max_length
    bands = len(per_position)
    turns = torch.zeros(2, columns, dtype=torch.float64)
    turns[0, 1:features] = per_position.repeat(2)
    turns[1, 1 : 1 + bands] = 0.25  # sin(angle + 1/4 turn) is cos(angle)
    turns[1, 1 + bands : features] = 0.5
    turns[1, features] = 0.25
    turns -= (turns + 0.5).floor()
    return (turns * 2.0**64).to(torch.int64).to(device)
