"""HyenaDNA as the original training code computes it, written plainly (B batch, L length, D width).

The yardstick of `hyenadna bench model`: no kernel, no fusion, nothing shared between calls. Stack,
order of channels and filter are those of arXiv:2306.15794 and its code; parameters have the names
that ours have, so that both can hold the same weights.
"""

import math
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu
from torch.utils.checkpoint import checkpoint as recomputed

from hyenadna.bench.competitors import plain_long_conv
from hyenadna.errors import InputError
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig


class Sine(nn.Module):
    """sin(freq * x), one trained frequency a channel."""

    def __init__(self, channels: int, freq: float) -> None:
        super().__init__()
        self.freq = nn.Parameter(torch.full((1, channels), freq))

    def forward(self, x: Tensor) -> Tensor:
        """Map (1, L, F) to the same."""
        return torch.sin(self.freq * x)


class Filter(nn.Module):
    """Taps from stored features of position, by an MLP of sines and an exponential decay."""

    z: Tensor
    t: Tensor
    deltas: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        longest, width, order = config.max_seq_len, config.d_model, config.filter_order
        bands = (config.emb_dim - 1) // 2
        t = torch.linspace(0, 1, longest)[None, :, None]
        angles = 2 * math.pi * torch.arange(longest)[None, :, None] / longest
        turns = torch.linspace(1e-4, bands - 1, bands) * angles
        z = torch.cat([t, torch.cos(turns), -torch.sin(turns)], dim=-1)  # (1, max_seq_len, E)
        deltas = torch.linspace(math.log(0.01) / 1.5, math.log(0.01) / 0.3, width)
        for name, value in {"z": z, "t": t, "deltas": deltas}.items():
            self.register_buffer(name, value, persistent=False)
        self.shift = config.filter_shift
        self.bias = nn.Parameter(torch.randn(width))
        sine = Sine(order, config.activation_freq)
        layers: list[nn.Module] = [nn.Linear(config.emb_dim, order), sine]
        for _ in range(config.num_inner_mlps):
            layers += [nn.Linear(order, order), sine]
        self.implicit_filter = nn.Sequential(*layers, nn.Linear(order, width, bias=False))

    def forward(self, length: int) -> Tensor:
        """Return taps (D, L) in fp32, whatever autocast says."""
        with torch.autocast(self.z.device.type, enabled=False):
            h: Tensor = self.implicit_filter(self.z[:, :length])
            h = h * (torch.exp(-self.t[:, :length] * self.deltas.abs()) + self.shift)
        return h[0].transpose(0, 1)


class LongConv(nn.Module):
    """The long convolution, a module so that a profile can tell it from the rest."""

    def forward(self, v: Tensor, k: Tensor, skip: Tensor) -> Tensor:
        """Convolve v (B, D, L) with k (D, L)."""
        return plain_long_conv(v, k, skip)


class Operator(nn.Module):
    """Order-2 Hyena."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d, taps = config.d_model, config.short_filter_order
        self.in_proj = nn.Linear(d, 3 * d)
        self.short_filter = nn.Conv1d(3 * d, 3 * d, taps, padding=taps - 1, groups=3 * d)
        self.filter_fn = Filter(config)
        self.long_conv = LongConv()
        self.out_proj = nn.Linear(d, d)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, L, D) to (B, L, D)."""
        length, width = x.shape[1:]
        u = self.in_proj(x).transpose(1, 2)
        x0, x1, v = self.short_filter(u)[..., :length].split(width, dim=1)  # each (B, D, L)
        y = self.long_conv(v * x1, self.filter_fn(length), self.filter_fn.bias)
        mixed: Tensor = self.out_proj((y * x0).transpose(1, 2))
        return mixed


class Mlp(nn.Module):
    """Two linear layers around a GELU."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.d_model, config.d_inner)
        self.fc2 = nn.Linear(config.d_inner, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, L, D) to (B, L, D)."""
        y: Tensor = self.fc2(gelu(self.fc1(x), approximate="tanh"))
        return y


class Block(nn.Module):
    """Pre-norm residual block."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.mixer = Operator(config)
        self.norm2 = nn.LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.mlp = Mlp(config)
        self.dropout = nn.Dropout(config.resid_dropout)

    def forward(self, residual: Tensor) -> Tensor:
        """Add to the residual stream (B, L, D), which is fp32."""
        residual = residual + self.dropout(self.mixer(self.norm1(residual)))
        updated: Tensor = residual + self.dropout(self.mlp(self.norm2(residual)))
        return updated


class Embeddings(nn.Module):
    """Token embeddings."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.n_logits, config.d_model)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Map ids (B, L) to (B, L, D)."""
        y: Tensor = self.word_embeddings(input_ids)
        return y


class Backbone(nn.Module):
    """Embeddings, blocks and the last layer norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.checkpoint_blocks = config.checkpoint_blocks
        self.embeddings = Embeddings(config)
        self.dropout = nn.Dropout(config.embed_dropout)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.d_model, eps=config.layer_norm_epsilon)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Map ids (B, L) to hidden states (B, L, D)."""
        residual = self.dropout(self.embeddings(input_ids))
        for block in self.layers:
            if self.checkpoint_blocks and torch.is_grad_enabled():
                residual = recomputed(block, residual, use_reentrant=False)
            else:
                residual = block(residual)
        hidden: Tensor = self.ln_f(residual)
        return hidden


class PlainHyenaDNA(nn.Module):
    """Causal language model of DNA, as published."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        if config.mixer != "hyena" or config.learned_positions:
            raise InputError(
                "the plain formula is of Hyena operators with fixed positions; give a model that "
                "has mixer hyena and learned_positions false"
            )
        self.backbone = Backbone(config)
        self.lm_head = nn.Linear(config.d_model, config.n_logits, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.backbone.embeddings.word_embeddings.weight

    def forward(self, input_ids: Tensor) -> Tensor:
        """Map ids (B, L) to logits of the next token, (B, L, V)."""
        logits: Tensor = self.lm_head(self.backbone(input_ids))
        return logits

    @classmethod
    @torch.no_grad()
    def like(cls, model: HyenaDNA) -> Self:
        """Return the plain form of a network of ours: the same weights, on the same device."""
        plain = cls(model.config).to(model.lm_head.weight.device)
        theirs = dict(plain.named_parameters())
        ours = dict(model.named_parameters())
        assert theirs.keys() == ours.keys(), theirs.keys() ^ ours.keys()
        for name, parameter in ours.items():
            theirs[name].copy_(parameter)
        return plain
