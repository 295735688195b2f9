"""Causal attention with rotary positions: the mixer of the Transformer baseline.

B batch, L length, D width, H heads, W width of a head (D = H x W).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from hyenadna.model.config import ModelConfig

ROTARY_BASE = 10_000.0


class CausalAttention(nn.Module):
    """Softmax attention over the positions so far; it stands where the Hyena operator does."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.in_proj = nn.Linear(config.d_model, 3 * config.d_model)
        self.out_proj = nn.Linear(config.d_model, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        """Mix along the sequence, causally.

        Args:
            x: (B, L, D).

        Returns:
            (B, L, D); position l sees positions 0..l only.
        """
        projected = self.in_proj(x).unflatten(-1, (3, self.heads, -1))  # (B, L, 3, H, W)
        q, k, v = projected.permute(2, 0, 3, 1, 4)  # each (B, H, L, W)
        positions = torch.arange(x.shape[1], device=x.device)
        # torch chooses the kernel: on a GPU and in 16 bits one that keeps no (L, L).
        mixed = scaled_dot_product_attention(
            rotated(q, positions), rotated(k, positions), v, is_causal=True
        )
        y: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return y


def rotated(x: Tensor, positions: Tensor) -> Tensor:
    """Turn queries or keys by angles that grow with position (Su et al., arXiv:2104.09864).

    Channels i and W / 2 + i of a head are a point in the plane; at position m it is turned by
    m x base ** (-2 i / W). The product of a query and a key then depends on their distance alone.

    Args:
        x: (..., L, W), W even.
        positions: (L,).

    Returns:
        As `x`, also in dtype; angles and products are at least fp32.
    """
    half = x.shape[-1] // 2
    dtype = torch.promote_types(x.dtype, torch.float32)
    exponents = torch.arange(half, device=x.device, dtype=dtype) / half
    angles = positions.to(dtype)[:, None] * ROTARY_BASE**-exponents  # (L, W / 2)
    cos, sin = angles.cos(), angles.sin()
    one, other = x.to(dtype).chunk(2, dim=-1)
    return torch.cat([one * cos - other * sin, other * cos + one * sin], dim=-1).to(x.dtype)
