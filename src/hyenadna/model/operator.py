"""The Hyena operator: gating and long convolution in place of attention (B, L length, D width)."""

import os
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from hyenadna.model.config import ModelConfig
from hyenadna.model.filter import ImplicitFilter
from hyenadna.ops import (
    FilterSpectrum,
    filter_spectrum,
    long_conv,
    long_conv_by_spectrum,
    short_conv,
)

if TYPE_CHECKING:
    from hyenadna.model.context import ContextGroup

# Without gradients a CPU projects inputs of more numbers than this in blocks of fewer, which take a
# quarter less time: projections that do not fit its caches cost as much as the arithmetic.
_AT_ONCE, _BLOCK = 1 << 21, 1 << 17

# Of the memory of a device, what the filter spectrum of one layer may keep.
_SPECTRUM_SHARE = 1 / 64


class HyenaOperator(nn.Module):
    """Order-2 Hyena: y = x0 * long_conv(x1 * v), over three projections of the input."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d, taps = config.d_model, config.short_filter_order
        self.in_proj = nn.Linear(d, 3 * d)
        self.short_filter = nn.Conv1d(3 * d, 3 * d, taps, groups=3 * d, padding=taps - 1)
        self.filter_fn = ImplicitFilter(config)
        self.out_proj = nn.Linear(d, d)
        self.context: ContextGroup | None = None
        self._spectrum: tuple[Any, FilterSpectrum] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Mix along the sequence, causally.

        Args:
            x: (B, L, D), with L at most `config.max_seq_len`.

        Returns:
            (B, L, D); position l sees positions 0..l only.
        """
        if self.context is not None:
            from hyenadna.model.context import mix  # of which this module is a part

            return mix(self, x, self.context)
        gate, v = self.streams(x)
        mixed: Tensor = self.out_proj(self._convolve(v, gate).mT)
        return mixed

    def streams(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Project x (B, L, D) to the gate and the input of the long convolution, (B, D, L) each."""
        batch, length, width = x.shape
        small = x.numel() <= _AT_ONCE or x.device.type != "cpu"
        if small or torch.is_grad_enabled() or torch.compiler.is_compiling():
            return self._streams_at_once(x)
        size = max(1, _BLOCK // (batch * width))
        reach = self.short_filter.weight.shape[-1] - 1
        parts = []
        for start in range(0, length, size):
            before = min(start, reach)
            streams = self._streams_at_once(x[:, start - before : start + size])
            parts.append([stream[..., before:] for stream in streams])
        gate, v = (torch.cat(stream, dim=-1) for stream in zip(*parts, strict=True))
        return gate, v

    def _streams_at_once(self, x: Tensor) -> tuple[Tensor, Tensor]:
        weight, bias = self.in_proj.weight, self.in_proj.bias
        # in_proj with the channels first, which the convolutions want: saves a transposing copy.
        projected = torch.baddbmm(bias[:, None], weight.expand(len(x), -1, -1), x.mT)  # (B, 3 D, L)
        assert self.short_filter.bias is not None
        return short_conv(projected, self.short_filter.weight, self.short_filter.bias)

    def shared_filter(self, length: int) -> AbstractContextManager[None]:
        """Evaluate the filter once for all inputs inside; see `HyenaDNA.shared_filters`."""
        if self.context is None:
            return self.filter_fn.shared(length)
        here = self.context.positions(length)
        return self.filter_fn.shared(here.stop - here.start, here.start)

    def filters(self, length: int) -> tuple[Tensor, Tensor]:
        """Return the long filters and skip weights: of each channel, (D, L) and (D,)."""
        return self.filter_fn(length), self.filter_fn.bias

    def train(self, mode: bool = True) -> "HyenaOperator":
        """Set the mode; training lets go of a spectrum that was kept for inference."""
        if mode:
            self._spectrum = None
        return super().train(mode)

    def _convolve(self, v: Tensor, post_gate: Tensor | None = None) -> Tensor:
        """Convolve the channels of v (B, D, L), each with its long filter."""
        # A compiled graph keeps nothing between calls.
        if self.training or torch.is_grad_enabled() or torch.compiler.is_compiling():
            return long_conv(v, *self.filters(v.shape[-1]), post_gate=post_gate)
        return long_conv_by_spectrum(v, self._spectrum_for(v), post_gate=post_gate)

    def _filter_networks(self) -> tuple[ImplicitFilter, ...]:
        return (self.filter_fn,)

    def _spectrum_for(self, v: Tensor) -> FilterSpectrum:
        """Return the filters' spectrum for v (B, D, L): kept while weights and length stay."""
        networks = self._filter_networks()
        state = [(p.data_ptr(), p._version) for of in networks for p in of.parameters()]
        key = (state, v.shape[1:], v.dtype, v.device)
        if self._spectrum is not None and self._spectrum[0] == key:
            return self._spectrum[1]
        self._spectrum = None
        spectrum = filter_spectrum(*self.filters(v.shape[-1]), like=v)
        if spectrum.values.nbytes <= _SPECTRUM_SHARE * _memory(v.device):
            self._spectrum = key, spectrum
        return spectrum


def _memory(device: torch.device) -> int:
    """Return the memory of a device, in bytes."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
