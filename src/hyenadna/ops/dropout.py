"""Dropout whose random numbers a CPU draws fast: two elements to one 64-bit number."""

import torch
from torch import Tensor
from torch.nn import functional


def dropout(x: Tensor, p: float) -> Tensor:
    """Set elements of x to 0 with probability p, below 1, and scale the others by 1 / (1 - p).

    On a CPU p is rounded to a multiple of 2**-32, and PyTorch's generator draws 32 bits an
    element: half the time of PyTorch's own dropout.
    """
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return functional.dropout(x, p)
    draws = torch.empty(-(-x.numel() // 2), dtype=torch.int64).random_(-(1 << 63), None)
    least = round(p * (1 << 32)) - (1 << 31)  # 32-bit numbers are signed
    kept = draws.view(torch.int32)[: x.numel()] >= least
    return x * kept.view(x.shape).to(x.dtype).mul_(1 / (1 - p))
