"""Implicit long filter of the Hyena operator (D channels, L length, F hidden, E features)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from hyenadna.errors import InputError
from hyenadna.model.config import ModelConfig
from hyenadna.ops.implicit_filter import (
    FilterWeights,
    decay_rates,
    implicit_filter,
    implicit_filter_reference,
    positional_features,
)


class Sine(nn.Module):
    """The frequencies of sin(freq * x), one a channel, which are trained."""

    def __init__(self, channels: int, freq: float) -> None:
        super().__init__()
        self.freq = nn.Parameter(torch.full((1, channels), freq))


class LearnedPositions(nn.Module):
    """Positional features that some file trained, as weights."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        z = _all_features(config, torch.get_default_device())
        self.z = nn.Parameter(z[None].to(torch.get_default_dtype()))  # (1, max_seq_len, E)


class ImplicitFilter(nn.Module):
    """k = MLP(features of position) * (exp(-rate * time) + shift), and the skip weight `bias`.

    The original's `HyenaFilter` (arXiv:2302.10866, section 3.3). Neither positions nor decay are
    stored: both are computed for the length at hand.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.bias = nn.Parameter(torch.randn(config.d_model))
        self._shared: tuple[int, Tensor] | None = None
        if config.learned_positions:
            self.pos_emb = LearnedPositions(config)
        order = config.filter_order
        # Slots are numbered as in the released files, where each odd one holds the same sine: it
        # is here once, in slot 1.
        self.implicit_filter = nn.ModuleDict(
            {"0": nn.Linear(config.emb_dim, order), "1": Sine(order, config.activation_freq)}
        )
        for i in range(config.num_inner_mlps):
            self.implicit_filter[str(2 * i + 2)] = nn.Linear(order, order)
        last = str(2 * config.num_inner_mlps + 2)
        self.implicit_filter[last] = nn.Linear(order, config.d_model, bias=False)
        self.register_load_state_dict_pre_hook(_leave_out_derived)  # type: ignore[no-untyped-call]

    def forward(self, length: int, start: int = 0) -> Tensor:
        """Return taps `start` to `start` + L of each channel's filter, (D, L), at least fp32."""
        if self._shared is not None:
            return self._shared_taps(length, start)
        config = self.config
        options: Any = {
            "length": length,
            "max_length": config.max_seq_len,
            "shift": config.filter_shift,
            "start": start,
        }
        if config.learned_positions:
            features = self.pos_emb.z[0, start : start + length]
            return implicit_filter_reference(self._weights(), **options, features=features)
        return implicit_filter(self._weights(), **options)

    @contextmanager
    def shared(self, length: int, start: int = 0) -> Iterator[None]:
        """Evaluate these taps once for all calls inside, which may ask for some of them.

        Gradients gather on the taps, and go through the network to its weights once, at the end.

        Raises:
            RuntimeError: they are shared already.
        """
        if self._shared is not None:
            raise RuntimeError("filters are shared already; leave that context before another")
        taps = self(length, start)
        leaf = taps.detach().requires_grad_(taps.requires_grad)
        self._shared = start, leaf
        try:
            yield
            if leaf.grad is not None:
                taps.backward(leaf.grad)
        finally:
            self._shared = None

    def _shared_taps(self, length: int, start: int) -> Tensor:
        assert self._shared is not None
        first, taps = self._shared
        offset = start - first
        if offset < 0 or offset + length > taps.shape[1]:
            raise ValueError(
                f"filters are shared at positions {first} to {first + taps.shape[1]}, got "
                f"{start} to {start + length}; share them at the longest input"
            )
        return taps[:, offset : offset + length]

    def _weights(self) -> FilterWeights:
        first, *inner, last = (m for m in self.implicit_filter.values() if isinstance(m, nn.Linear))
        (sine,) = (m for m in self.implicit_filter.values() if isinstance(m, Sine))
        size = len(first.bias)
        inner_weights = torch.cat([first.weight.new_empty(0, size), *(m.weight for m in inner)])
        return FilterWeights(
            first.weight,
            first.bias,
            inner_weights.view(-1, size, size),
            torch.cat([first.bias.new_empty(0), *(m.bias for m in inner)]).view(-1, size),
            last.weight,
            sine.freq[0],
        )


def _all_features(config: ModelConfig, device: torch.device) -> Tensor:
    """Return the features of all positions, (max_seq_len, E) in fp64."""
    position = torch.arange(config.max_seq_len, device=device)
    return positional_features(position, features=config.emb_dim, max_length=config.max_seq_len)


def _leave_out_derived(module: ImplicitFilter, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Take out of a state dict what released files store though it follows from the rest.

    Features of position (z), time (t) and decay (deltas) are checked against their formulas; the
    shared frequency may be there once or in every odd slot.
    """
    config = module.config
    slots = [f"{prefix}implicit_filter.{2 * i + 1}.freq" for i in range(config.num_inner_mlps + 1)]
    copies = [state.pop(slot) for slot in slots if slot in state]
    if any(not torch.equal(copy, copies[0]) for copy in copies):
        raise InputError(f"{slots[0]} differs between its copies; released models share one")
    state.update(dict(zip(slots, copies[:1], strict=False)))
    names = {key: f"{prefix}{key}" for key in ("pos_emb.z", "pos_emb.t", "modulation.deltas")}
    if config.learned_positions:
        del names["pos_emb.z"]
    if state.keys().isdisjoint(names.values()):
        return
    features = _all_features(config, torch.device("cpu"))[None]
    formulas = {
        "pos_emb.z": features,
        "pos_emb.t": features[..., :1],
        "modulation.deltas": -decay_rates(config.d_model, torch.device("cpu"))[None, None],
    }
    for key, name in names.items():
        if name in state:
            _check_formula(name, state.pop(name), formulas[key])


def _check_formula(name: str, stored: Tensor, expected: Tensor) -> None:
    if stored.shape != expected.shape:
        raise InputError(
            f"{name} has shape {tuple(stored.shape)}, expected {tuple(expected.shape)}: "
            "is max_seq_len that of the file?"
        )
    difference = (stored.double() - expected).abs().max().item()
    precision = torch.finfo(stored.dtype).eps if stored.is_floating_point() else 0.0
    tolerance = max(1e-5, 16 * precision)
    if not difference <= tolerance:
        remedy = (
            "keep_positions=True keeps it as weights"
            if name.endswith("pos_emb.z")
            else "such a model is not supported"
        )
        raise InputError(
            f"{name} was trained away from its formula, by up to {difference:.1e}; {remedy}"
        )
