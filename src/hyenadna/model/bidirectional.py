"""The Hyena operator in both directions (B batch, D width, L length)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.functional import pad

from hyenadna.model.config import ModelConfig
from hyenadna.model.filter import ImplicitFilter
from hyenadna.model.operator import HyenaOperator
from hyenadna.ops import short_conv

# Zeros behind a sequence: no fewer than short filters reach ahead. Eight keep rows as aligned as
# they were, which matrix products on a GPU want.
_BEYOND = 8


class BidirectionalOperator(HyenaOperator):
    """Order-2 Hyena whose positions all see each other.

    y[l] = x0[l] * (sum over m <= l of k[l - m] u[m] + sum over m >= l of k'[m - l] u[m]
                    + skip * u[l]),  u = x1 * v

    k' is an implicit filter of its own, with which the reversed sequence is convolved: read from
    the other end, the operator is one with k and k' in each other's place. So that this holds for
    the short filters too, they reach as far ahead as behind: of K taps, (K - 1) // 2 are ahead.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.reverse_filter_fn = ImplicitFilter(config)
        # A position is in its own sum once; `filter_fn` has the weight.
        self.reverse_filter_fn.register_parameter("bias", None)

    def forward(self, x: Tensor, padding: Tensor | None = None) -> Tensor:
        """Mix along the sequence, in both directions.

        Args:
            x: (B, L, D), with L at most `config.max_seq_len`.
            padding: (B, L) bool, true at the positions that no other may see; none if not given.

        Returns:
            (B, L, D).
        """
        if padding is None:
            padding = torch.zeros(x.shape[:2], dtype=torch.bool, device=x.device)
        gate, v = self._centred_streams(x, padding)
        # Channels of both directions at once: one convolution, and one spectrum to keep.
        both = self._convolve(torch.cat([v, v.flip(-1)], dim=1))
        ahead, behind = both.chunk(2, dim=1)
        mixed: Tensor = self.out_proj((gate * (ahead + behind.flip(-1))).mT)
        return mixed

    def filters(self, length: int) -> tuple[Tensor, Tensor]:
        """Return long filters and skip weights of both directions, (2 D, L) and (2 D,)."""
        k, skip = super().filters(length)
        both = torch.cat([k, self.reverse_filter_fn(length)])
        return both, torch.cat([skip, torch.zeros_like(skip)])

    @contextmanager
    def shared_filter(self, length: int) -> Iterator[None]:
        """Evaluate both filters once for all inputs inside; see `HyenaDNA.shared_filters`."""
        with self.filter_fn.shared(length), self.reverse_filter_fn.shared(length):
            yield

    def _centred_streams(self, x: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
        """Project x (B, L, D) to the gate and the input of the long convolutions, (B, D, L) each.

        What stands at padding is taken for 0, as is all beyond the ends: an item then gives the
        same alone and in a batch. The causal short filters are shifted to centre them.
        """
        weight, bias = self.in_proj.weight, self.in_proj.bias
        unseen = pad(padding, (0, _BEYOND), value=True)
        projected = torch.baddbmm(
            bias[:, None], weight.expand(len(x), -1, -1), pad(x, (0, 0, 0, _BEYOND)).mT
        )  # (B, 3 D, L + 8)
        projected = projected.masked_fill(unseen[:, None], 0)
        assert self.short_filter.bias is not None
        gate, v = short_conv(projected, self.short_filter.weight, self.short_filter.bias)
        ahead = (self.short_filter.weight.shape[-1] - 1) // 2
        here = slice(ahead, ahead + x.shape[1])
        return gate[..., here], v[..., here].masked_fill(padding[:, None], 0)

    def _filter_networks(self) -> tuple[ImplicitFilter, ...]:
        return self.filter_fn, self.reverse_filter_fn
