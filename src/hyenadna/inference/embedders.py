"""Frozen networks that turn stretches of DNA into vectors (B batch, L nucleotides, D width)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray

from hyenadna.errors import InputError
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.heads import pool
from hyenadna.tokenizer import PAD

Pooling = Literal["mean", "last", "none"]


class Embedder(Protocol):
    """What embedding needs of a network."""

    poolings: tuple[Pooling, ...]
    """Ways from states to vectors that make sense for it."""

    @property
    def window(self) -> int:
        """Nucleotides that it sees at once, at most."""

    @property
    def width(self) -> int:
        """Numbers in a vector, D."""

    @property
    def parameters(self) -> int:
        """Weights of the network."""

    @property
    def settings(self) -> dict[str, Any]:
        """What it is, as plain values; the weights come beside it."""

    def embed_batch(
        self, windows: Sequence[NDArray[np.uint8]], pooling: Pooling
    ) -> list[NDArray[np.float32]]:
        """Return (1, D), or for pooling none (L, D), of each window of 1 to `window` nucleotides.

        Windows hold the ids of `hyenadna.tokenizer`, without special tokens.
        """

    def untrained(self, seed: int) -> Self:
        """Return the same network with random weights."""


class HyenaEmbedder:
    """HyenaDNA; one token is one nucleotide."""

    poolings: tuple[Pooling, ...] = ("mean", "last", "none")

    def __init__(self, network: HyenaDNA) -> None:
        self.network = network.eval()
        self.window = network.config.max_seq_len
        self.width = network.config.d_model
        self.parameters = sum(parameter.numel() for parameter in network.parameters())
        self.settings: dict[str, Any] = network.config.model_dump(mode="json")

    @torch.inference_mode()
    def embed_batch(
        self, windows: Sequence[NDArray[np.uint8]], pooling: Pooling
    ) -> list[NDArray[np.float32]]:
        """Run the windows together, padded on the right."""
        device = next(self.network.parameters()).device
        lengths = [len(ids) for ids in windows]
        padded = np.full((len(windows), max(lengths)), PAD, dtype=np.uint8)
        for line, ids in zip(padded, windows, strict=True):
            line[: len(ids)] = ids
        hidden = self.network.hidden_states(
            torch.from_numpy(padded).to(device)
        ).float()  # (B, L, D)
        if pooling == "none":
            states = hidden.cpu().numpy()
            return [of[:length] for of, length in zip(states, lengths, strict=True)]
        pooled = pool(hidden, torch.tensor(lengths, device=device), pooling)
        return list(pooled[:, None].cpu().numpy())

    def untrained(self, seed: int) -> Self:
        """Return the same network with random weights, on the same device."""
        torch.manual_seed(seed)
        device = next(self.network.parameters()).device
        return type(self)(HyenaDNA(self.network.config).to(device))


def load_embedder(
    weights: Path | None, transformer: str | None, *, device: torch.device
) -> Embedder:
    """Load one network.

    Args:
        weights: HyenaDNA, ours or released; or
        transformer: folder or hub name of a Nucleotide Transformer or DNABERT.
        device: what computes.

    Raises:
        InputError: both or neither are given, or files are missing or of something else.
    """
    if (weights is None) == (transformer is None):
        raise InputError("give either the weights of a HyenaDNA model or another transformer")
    if weights is not None:
        return HyenaEmbedder(HyenaDNA.from_pretrained(weights).to(device))
    from hyenadna.inference.other_models import KmerTransformer

    assert transformer is not None
    return KmerTransformer.load(transformer, device=device)
