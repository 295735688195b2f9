"""The precision that operations compute in: fp32, or fp64 where their inputs are."""

import torch
from torch import Tensor


def wide(dtype: torch.dtype) -> torch.dtype:
    """Return the type that values of a type are computed in."""
    return torch.promote_types(dtype, torch.float32)


def widened(x: Tensor) -> Tensor:
    """Return x in the type that it is computed in."""
    return x.to(wide(x.dtype))
