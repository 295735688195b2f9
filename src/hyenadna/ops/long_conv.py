"""Gated causal convolution with a filter as long as the sequence (B batch, D channels, L length).

    y = post_gate * (conv(v, k) + skip * v)  with v = pre_gate * u

is one step of the Hyena recurrence (arXiv:2302.10866, section 3). Beyond a few taps it goes
through Fourier transforms, by the right-angle convolution of Crandall and Fagin (Mathematics of
Computation 62, 1994): v and k, real, are multiplied as polynomials modulo z^N + i, any N >= L. At
the N roots z = w exp(-2 pi i f / N), w = exp(-2 pi i / 4N), polynomials have the values of a DFT
shifted by a quarter of a frequency:

    V[f] = sum over n of v[n] w^n exp(-2 pi i f n / N), K[f] the same of k
    c[n] = w^-n / N * sum over f of V[f] K[f] exp(2 pi i f n / N)

As z^N = -i, what wraps around comes out imaginary, and the real part of c is the causal
convolution: N complex points, no zero padding to 2 L. Gradients, with G that of g = post_gate * dy:

    dv from G conj(K)        dk from the sum over the batch of G conj(V)        conv(v, k) from V K
    du = pre_gate * (dv + skip g)   d_pre = u * (dv + skip g)   d_post = dy * (conv(v, k) + skip v)

This file has what it means and how PyTorch sees it, as the operators `hyenadna::long_conv` and
`hyenadna::long_conv_backward`; `long_conv_cpu` and `long_conv_gpu` compute it.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from hyenadna.ops import long_conv_cpu, long_conv_gpu, paths
from hyenadna.ops.derivatives import refuse_second
from hyenadna.ops.paths import Plan


def long_conv_reference(
    u: Tensor,
    k: Tensor,
    skip: Tensor | None = None,
    pre_gate: Tensor | None = None,
    post_gate: Tensor | None = None,
) -> Tensor:
    """Compute `long_conv` as the sum that defines it, lag by lag, in the inputs' own dtype."""
    v = u if pre_gate is None else u * pre_gate
    y = torch.zeros_like(v) if skip is None else v * skip[:, None]
    length = v.shape[-1]
    for lag in range(min(length, k.shape[-1])):
        y = y + k[:, lag, None] * pad(v[..., : length - lag], (lag, 0))
    return y if post_gate is None else y * post_gate


def long_conv(
    u: Tensor,
    k: Tensor,
    skip: Tensor | None = None,
    pre_gate: Tensor | None = None,
    post_gate: Tensor | None = None,
) -> Tensor:
    """Convolve each channel causally with its own filter, between two gates.

    Args:
        u: (B, D, L).
        k: (D, K); K may differ from L, lags past L - 1 do not count.
        skip: (D,), weight of the gated input itself.
        pre_gate: (B, D, L), factor before the convolution.
        post_gate: (B, D, L), factor after it.

    Returns:
        (B, D, L) in u's dtype, computed in fp32, or in fp64 where u is fp64.

    Raises:
        ValueError: Shapes or devices do not fit each other.
    """
    _check(u, k, skip, pre_gate, post_gate)
    k = k[:, : u.shape[-1]]
    small = u.device.type == "cpu" and u.numel() <= long_conv_cpu.COMPOSED_ELEMENTS
    if small and not torch.compiler.is_compiling():
        return long_conv_cpu.composed(u, k, skip, pre_gate, post_gate)
    y: Tensor = torch.ops.hyenadna.long_conv(u, k, skip, pre_gate, post_gate)
    return y


@dataclass(frozen=True, slots=True)
class FilterSpectrum:
    """Filters transformed once, for many inputs of one length."""

    values: Tensor
    """Spectra of D filters, in the form of the path that reads them."""
    skip: Tensor | None
    """(D,)."""
    length: int
    """Positions of the inputs."""
    plan: Plan | None
    """Path on a GPU."""


@torch.no_grad()
def filter_spectrum(k: Tensor, skip: Tensor | None = None, *, like: Tensor) -> FilterSpectrum:
    """Transform filters k (D, K) and skip (D,) for inputs of the shape and type of `like`."""
    length = like.shape[-1]
    k = k[:, :length]
    plan = paths.choose(like, k.shape[1]) if like.is_cuda else None
    if plan is None or plan.path == "torch.fft":
        return FilterSpectrum(long_conv_cpu.spectrum(k, length), skip, length, None)
    values = k if plan.path == "taps" else long_conv_gpu.spectrum(k, plan)
    return FilterSpectrum(values, skip, length, plan)


@torch.no_grad()
def long_conv_by_spectrum(
    u: Tensor,
    spectrum: FilterSpectrum,
    pre_gate: Tensor | None = None,
    post_gate: Tensor | None = None,
) -> Tensor:
    """Return `long_conv` for filters transformed before, without gradients.

    Args:
        u: (B, D, L), L being the length of the spectrum.
        spectrum: What `filter_spectrum` made of filters and skip weights.
        pre_gate: (B, D, L), factor before the convolution.
        post_gate: (B, D, L), factor after it.

    Returns:
        (B, D, L) in u's dtype.

    Raises:
        ValueError: The spectrum is for another length.
    """
    if u.shape[-1] != spectrum.length:
        raise ValueError(f"the spectrum is for length {spectrum.length}, got u {tuple(u.shape)}")
    inputs = (u, spectrum.values, spectrum.skip, pre_gate, post_gate)
    if spectrum.plan is None:
        return long_conv_cpu.forward_with_spectrum(*inputs)
    return long_conv_gpu.forward_with_spectrum(*inputs, spectrum.plan)


def _check(u: Tensor, k: Tensor, *others: Tensor | None) -> None:
    if u.ndim != 3 or k.ndim != 2 or k.shape[0] != u.shape[1] or not k.shape[1]:
        raise ValueError(
            f"long_conv takes u (B, D, L) and k (D, K) with K at least 1, "
            f"got u {tuple(u.shape)} and k {tuple(k.shape)}"
        )
    skip, *gates = others
    shapes = [(skip, "skip", u.shape[1:2]), *((gate, "a gate", u.shape) for gate in gates)]
    for x, name, shape in shapes:
        if x is not None and x.shape != shape:
            raise ValueError(f"long_conv takes {name} of {tuple(shape)}, got {tuple(x.shape)}")


_SIGNATURE = "Tensor u, Tensor k, Tensor? skip, Tensor? pre_gate, Tensor? post_gate"
torch.library.define("hyenadna::long_conv", f"({_SIGNATURE}) -> Tensor")
torch.library.define(
    "hyenadna::long_conv_backward",
    f"(Tensor dy, {_SIGNATURE}, bool[5] needs) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)


def _forward_cpu(u: Tensor, *others: Any) -> Tensor:
    path = long_conv_cpu.path(u.shape[-1])
    paths.announce(path, f"{path} transforms", "on the CPU")
    return long_conv_cpu.forward(u, *others)


def _backward_cpu(*arguments: Any) -> tuple[Tensor, ...]:
    *inputs, needs = arguments
    return long_conv_cpu.backward(*inputs, needs=needs)


def _backward_gpu(*arguments: Any) -> tuple[Tensor, ...]:
    *inputs, needs = arguments
    return long_conv_gpu.backward(*inputs, needs=needs)


def _fake(u: Tensor, *_: Any) -> Tensor:
    return u.new_empty(u.shape)


def _fake_backward(dy: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    *inputs, needs = arguments
    return tuple(
        x.new_empty(x.shape) if needed else dy.new_empty(0)
        for x, needed in zip(inputs, needs, strict=True)
    )


def _save(ctx: Any, inputs: tuple[Tensor | None, ...], output: Tensor) -> None:
    """Keep the inputs alone; spectra are computed again going back, which costs less memory."""
    ctx.save_for_backward(*inputs)


def _gradients(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    needs = ctx.needs_input_grad
    gradients = torch.ops.hyenadna.long_conv_backward(dy, *ctx.saved_tensors, needs)
    return tuple(g if needed else None for g, needed in zip(gradients, needs, strict=True))


torch.library.impl("hyenadna::long_conv", "CPU", _forward_cpu)
torch.library.impl("hyenadna::long_conv_backward", "CPU", _backward_cpu)
torch.library.impl("hyenadna::long_conv", "CUDA", long_conv_gpu.forward)
torch.library.impl("hyenadna::long_conv_backward", "CUDA", _backward_gpu)
torch.library.register_fake("hyenadna::long_conv", _fake)
torch.library.register_fake("hyenadna::long_conv_backward", _fake_backward)
torch.library.register_autograd("hyenadna::long_conv", _gradients, setup_context=_save)
torch.library.register_autograd(
    "hyenadna::long_conv_backward", refuse_second("hyenadna.ops.long_conv_reference")
)
