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
from torch import Tensor

from hyenadna.ops.launch import OPTIONS, fresh, fresh_if, optional, strides
from hyenadna.ops.long_conv_three_pass_kernels import (
    columns_in,
    columns_out,
    rows_gradients,
    rows_inverse,
    rows_multiply,
    rows_spectrum,
)
from hyenadna.ops.paths import Plan, padded
from hyenadna.ops.roots import column_roots, row_roots

# With so many, two programs of 256 threads share a multiprocessor.
_REGISTERS = 128


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
