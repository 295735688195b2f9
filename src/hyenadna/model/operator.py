"""The Hyena operator: gating and long convolution in place of attention (B, L length, D width)."""

import torch
from torch import Tensor, nn

from hyenadna.model.config import ModelConfig
from hyenadna.model.filter import ImplicitFilter
from hyenadna.ops import long_conv


class HyenaOperator(nn.Module):
    """Order-2 Hyena: y = x0 * long_conv(x1 * v), over three projections of the input."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d, taps = config.d_model, config.short_filter_order
        self.in_proj = nn.Linear(d, 3 * d)
        self.short_filter = nn.Conv1d(3 * d, 3 * d, taps, groups=3 * d, padding=taps - 1)
        self.filter_fn = ImplicitFilter(config)
        self.out_proj = nn.Linear(d, d)

    def forward(self, x: Tensor) -> Tensor:
        """Mix along the sequence, causally.

        Args:
            x: (B, L, D), with L at most `config.max_seq_len`.

        Returns:
            (B, L, D); position l sees positions 0..l only.
        """
        batch, length, _ = x.shape
        weight, bias = self.in_proj.weight, self.in_proj.bias
        # in_proj with the channels first, which the convolutions want: saves a transposing copy.
        projected = torch.baddbmm(bias[:, None], weight.expand(batch, -1, -1), x.mT)
        streams = self.short_filter(projected)[..., :length]  # (B, 3 D, L)
        x0, x1, v = streams.chunk(3, dim=1)  # each (B, D, L)
        filters = self.filter_fn(length)  # (D, L)
        y = long_conv(v, filters, self.filter_fn.bias, pre_gate=x1, post_gate=x0)
        mixed: Tensor = self.out_proj(y.mT)
        return mixed
