"""What launches of kernels share."""

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

# Triton from 3.10 on no longer fuses products and sums unless asked to.
OPTIONS = {"enable_fp_fusion": True}


def fresh(like: Tensor) -> Tensor:
    """Return contiguous memory of the same shape and type."""
    return torch.empty(like.shape, dtype=like.dtype, device=like.device)


def fresh_if(needed: bool, like: Tensor | None) -> Tensor | None:
    """Return memory for a gradient if it is asked for."""
    return fresh(like) if needed and like is not None else None


def rowwise(x: Any) -> Any:
    """Return a tensor with its positions side by side, as kernels read them, and None as None."""
    return x if x is None or x.stride(-1) == 1 else x.contiguous()


def on_device_of(x: Tensor) -> AbstractContextManager[None]:
    """Launch where x is, which need not be the current device; means nothing on a CPU."""
    guard: AbstractContextManager[None] = torch.cuda.device_of(x)  # type: ignore[no-untyped-call]
    return guard


def optional(x: Tensor | None, stand_in: Tensor) -> Tensor:
    """Return an address for an argument that the kernel will not read."""
    return stand_in if x is None else x


def strides(x: Tensor | None) -> tuple[int, int]:
    """Return the distance between batches and between channels of (B, D, L), in elements."""
    return (0, 0) if x is None else (x.stride(0), x.stride(1))
