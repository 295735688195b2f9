"""Launches that compiled.py compiles: the kernels, in the forms in which models run them.

Each variant calls launchers on CPU tensors whose memory nobody reads, as long as sequences are and
with channels divisible by 16, as in a model. A kernel that several variants launch counts once.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from hyenadna.ops import implicit_filter_kernels, long_conv_gpu, paths, short_conv_kernels
from hyenadna.ops.implicit_filter import FilterWeights

CHANNELS = 16
FP32, BF16 = torch.float32, torch.bfloat16


def streams(
    count: int, length: int, dtype: torch.dtype, *, batch: int = 1, channels: int = CHANNELS
) -> list[Tensor]:
    """Return tensors (B, D, L), in no state to be read."""
    return [torch.empty(batch, channels, length, dtype=dtype) for _ in range(count)]


def long_conv(
    length: int,
    dtype: torch.dtype,
    *,
    taps: int | None = None,
    batch: int = 1,
) -> None:
    dy, u, pre_gate, post_gate = streams(4, length, dtype, batch=batch)
    k = torch.empty(CHANNELS, taps or length)
    inputs = (u, k, torch.empty(CHANNELS), pre_gate, post_gate)
    with paths.use(_plan(length, k.shape[1], batch=batch)):
        long_conv_gpu.forward(*inputs)
        long_conv_gpu.backward(dy, *inputs, needs=[True] * 5)


def spectra(length: int) -> None:
    """Make spectra of filters once, and convolve with them, as inference does."""
    plan = _plan(length, length)
    k = long_conv_gpu.spectrum(torch.empty(CHANNELS, length), plan)
    u, pre_gate, post_gate = streams(3, length, BF16)
    skip = torch.empty(CHANNELS)
    long_conv_gpu.forward_with_spectrum(u, k, skip, pre_gate, post_gate, plan)


def _plan(length: int, taps: int, *, batch: int = 1) -> paths.Plan:
    """Return what is chosen on a device where nothing was measured, for a model's channels."""
    return paths.rule(batch, 128, length, taps)


def short_conv(length: int, dtype: torch.dtype) -> None:
    (projected,) = streams(1, length, dtype, channels=3 * CHANNELS)
    weight, bias = torch.empty(3 * CHANNELS, 1, 3), torch.empty(3 * CHANNELS)
    short_conv_kernels.forward(projected, weight, bias)
    d_post, d_gated = streams(2, length, dtype)
    short_conv_kernels.backward(d_post, d_gated, projected, weight, bias)


def implicit_filter() -> None:
    """Run the network of the published models: 5 features, 64 hidden, 2 inner layers."""
    shapes: list[tuple[int, ...]] = [(64, 5), (64,), (2, 64, 64), (2, 64), (CHANNELS, 64), (64,)]
    weights = FilterWeights(*(torch.ones(shape) for shape in shapes))
    sizes = {"length": 1024, "max_length": 1024, "shift": 0.05}
    implicit_filter_kernels.forward(weights, **sizes)
    implicit_filter_kernels.backward(torch.empty(CHANNELS, 1024), weights, **sizes)


VARIANTS: dict[str, Callable[[], None]] = {
    "short_conv bf16": partial(short_conv, 1024, BF16),
    "short_conv bf16 of odd pairs": partial(short_conv, 1_000_002, BF16),
    "short_conv fp32": partial(short_conv, 1024, FP32),
    "implicit_filter": implicit_filter,
    "long_conv taps bf16": partial(long_conv, 1024, BF16, taps=4),
    "long_conv taps fp32": partial(long_conv, 64, FP32),
    "long_conv 1024 bf16": partial(long_conv, 1024, BF16),
    "long_conv 4096 bf16": partial(long_conv, 4096, BF16),
    # Columns of 16, 112 and 256 points, rows of 1024 and 4096.
    "long_conv 16384 bf16": partial(long_conv, 16_384, BF16),
    "long_conv 450000 bf16": partial(long_conv, 450_000, BF16),
    "long_conv 1000002 bf16": partial(long_conv, 1_000_002, BF16),
    "long_conv 1000002 fp32": partial(long_conv, 1_000_002, FP32),
    "long_conv 1000002 bf16 batch": partial(long_conv, 1_000_002, BF16, batch=2),
    "long_conv 1000002 bf16 spectra": partial(spectra, 1_000_002),
}
