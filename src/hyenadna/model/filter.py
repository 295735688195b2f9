"""Implicit long filter of the Hyena operator (D channels, L length, F hidden, E features)."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from hyenadna.errors import InputError
from hyenadna.model.config import ModelConfig

# Over the longest input, the slowest channel decays to 0.01 in 1.5 times its length and the
# fastest in 0.3 times.
DECAY_TARGET, SLOW_DECAY, FAST_DECAY = 1e-2, 1.5, 0.3


def positional_features(length: int, config: ModelConfig, device: torch.device) -> Tensor:
    """Return time, its cosines and its negative sines at the first positions, (L, E) in fp64.

    Positions are fractions of the longest input, not of this one: a shorter input sees the start
    of the same filter.
    """
    position = torch.arange(length, dtype=torch.float64, device=device)[:, None]
    time = position / (config.max_seq_len - 1)
    bands = (config.emb_dim - 1) // 2
    frequency = torch.linspace(1e-4, bands - 1, bands, dtype=torch.float64, device=device)
    angle = frequency * (2 * math.pi * position / config.max_seq_len)
    return torch.cat([time, angle.cos(), -angle.sin()], dim=1)


def decay_rates(config: ModelConfig, device: torch.device) -> Tensor:
    """Return the decay of each channel over the longest input, (D,) in fp64."""
    slow, fast = (-math.log(DECAY_TARGET) / share for share in (SLOW_DECAY, FAST_DECAY))
    return torch.linspace(slow, fast, config.d_model, dtype=torch.float64, device=device)


class Sine(nn.Module):
    """sin(freq * x), the frequency of each channel being trained."""

    def __init__(self, channels: int, freq: float) -> None:
        super().__init__()
        self.freq = nn.Parameter(torch.full((1, channels), freq))

    def forward(self, x: Tensor) -> Tensor:
        """Map (L, F) to (L, F), in x's dtype."""
        return torch.sin(self.freq.to(x.dtype) * x)


class LearnedPositions(nn.Module):
    """Positional features that some file trained, as weights."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        z = positional_features(config.max_seq_len, config, torch.get_default_device())
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

    def forward(self, length: int) -> Tensor:
        """Return the first taps of each channel's filter, (D, L), at least fp32."""
        features = positional_features(length, self.config, self.bias.device)
        time = features[:, 0]
        if self.config.learned_positions:
            features = self.pos_emb.z[0, :length].double()
        # Autocast would narrow all of it to half precision.
        with torch.autocast(features.device.type, enabled=False):
            taps = self._mlp(features)
            rates = decay_rates(self.config, features.device).to(taps.dtype)
            decay = (-rates[:, None] * time.to(taps.dtype)).exp_()
            return taps * decay.add_(self.config.filter_shift)

    def _mlp(self, features: Tensor) -> Tensor:
        """Map features (L, E) in fp64 to (D, L).

        Hidden layers stay in fp64: each multiplies rounding errors by the frequency, ten or so,
        which would leave four digits of fp32 and none of TF32.
        """
        sine = self.implicit_filter["1"]
        *hidden, last = (m for m in self.implicit_filter.values() if isinstance(m, nn.Linear))
        h = features
        for layer in hidden:
            h = sine(linear(h, layer.weight.double(), layer.bias.double()))
        wide = torch.promote_types(last.weight.dtype, torch.float32)
        return last.weight.to(wide) @ h.mT.to(wide)


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
    features = positional_features(config.max_seq_len, config, torch.device("cpu"))[None]
    formulas = {
        "pos_emb.z": features,
        "pos_emb.t": features[..., :1],
        "modulation.deltas": -decay_rates(config, torch.device("cpu"))[None, None],
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
