"""Long convolution on a GPU: the path chosen for a size, or torch.fft where no kernel runs."""

from collections.abc import Sequence
from types import ModuleType

import torch
from torch import Tensor

from hyenadna.ops import long_conv_cpu, paths
from hyenadna.ops.launch import on_device_of, rowwise
from hyenadna.ops.paths import Plan


def forward(
    u: Tensor, k: Tensor, skip: Tensor | None, pre_gate: Tensor | None, post_gate: Tensor | None
) -> Tensor:
    """Return y (B, D, L) in u's dtype; arguments as in `ops.long_conv`, with k no longer than u."""
    if not u.numel():
        return torch.empty_like(u)
    plan = paths.choose(u, k.shape[1])
    if plan.path == "torch.fft":
        return long_conv_cpu.forward(u, k, skip, pre_gate, post_gate)
    u, k, pre_gate, post_gate = map(rowwise, (u, k, pre_gate, post_gate))
    with on_device_of(u):
        y: Tensor = _kernels(plan).forward(u, k, skip, pre_gate, post_gate, plan)
    return y


def backward(
    dy: Tensor,
    u: Tensor,
    k: Tensor,
    skip: Tensor | None,
    pre_gate: Tensor | None,
    post_gate: Tensor | None,
    *,
    needs: Sequence[bool],
) -> tuple[Tensor, ...]:
    """Return the gradients of u, k, skip, pre_gate and post_gate; empty where not in `needs`."""
    inputs = (u, k, skip, pre_gate, post_gate)
    plan = paths.choose(u, k.shape[1])
    if not u.numel() or plan.path == "torch.fft":
        return long_conv_cpu.backward(dy, *inputs, needs=needs)
    dy, u, k, pre_gate, post_gate = map(rowwise, (dy, u, k, pre_gate, post_gate))
    with on_device_of(u):
        gradients = _kernels(plan).backward(dy, u, k, skip, pre_gate, post_gate, plan, needs=needs)
    return tuple(
        gradient.to(x.dtype) if x is not None and needed else dy.new_empty(0)
        for gradient, x, needed in zip(gradients, inputs, needs, strict=True)
    )


def spectrum(k: Tensor, plan: Plan) -> Tensor:
    """Return the spectra of filters (D, K) as the kernels of a plan read them."""
    with on_device_of(k):
        z: Tensor = _kernels(plan).spectrum(rowwise(k), plan)
    return z


def forward_with_spectrum(
    u: Tensor,
    spectrum: Tensor,
    skip: Tensor | None,
    pre_gate: Tensor | None,
    post_gate: Tensor | None,
    plan: Plan,
) -> Tensor:
    """Return y (B, D, L) in u's dtype from a `spectrum` of the same plan."""
    u, pre_gate, post_gate = map(rowwise, (u, pre_gate, post_gate))
    with on_device_of(u):
        y: Tensor = _kernels(plan).forward(u, spectrum, skip, pre_gate, post_gate, plan)
    return y


def _kernels(plan: Plan) -> ModuleType:
    """Return the module of a path: imported here, since Triton is not on every machine."""
    if plan.path == "taps":
        from hyenadna.ops import long_conv_taps

        return long_conv_taps
    if plan.path == "one-pass":
        from hyenadna.ops import long_conv_one_pass

        return long_conv_one_pass
    from hyenadna.ops import long_conv_three_pass

    return long_conv_three_pass
