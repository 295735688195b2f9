"""Next-nucleotide loss and perplexity over A, C, G, T (B windows, L length, V vocabulary)."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyenadna.tokenizer import NUCLEOTIDES

IGNORED = -100


def next_base_loss(model: nn.Module, batch: tuple[Tensor, ...]) -> tuple[Tensor, int]:
    """Return the summed cross-entropy in nats over A, C, G, T targets, and their number.

    Args:
        model: maps (B, L) ids to (B, L, V) logits.
        batch: inputs and targets, both (B, L); N, PAD and every other target counts for nothing.
    """
    inputs, targets = batch
    logits = model(inputs).float()  # (B, L, V)
    labels = _bases_only(targets)
    loss = functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return loss, int((labels != IGNORED).sum())


@dataclass(frozen=True)
class Score:
    """How well next bases are predicted, over `bases` targets."""

    bits: float
    """Mean cost of a base, in bits."""
    accuracy: float
    bases: int

    def rows(self) -> dict[str, float]:
        """Return the values as `metrics.tsv` names them."""
        return {
            "perplexity": 2.0**self.bits,
            "bits_per_base": self.bits,
            "accuracy": self.accuracy,
        }


@torch.inference_mode()
def evaluate(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], autocast: torch.autocast
) -> Score:
    """Score every A, C, G, T target of fixed windows, each once.

    The probability of a base is its softmax over the whole vocabulary: nothing is renormalised.

    Args:
        model: left in evaluation mode.
        batches: inputs and targets, both (B, L).
        autocast: the precision of the forward pass.
    """
    model.eval()
    device = next(model.parameters()).device
    nats, right, bases = 0.0, 0, 0
    for inputs, targets in batches:
        with autocast:
            logits = model(inputs.to(device)).float()  # (B, L, V)
        labels = _bases_only(targets.to(device))
        # Summed in float64: a split has many more bases than fp32 has digits.
        cost = functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none"
        )
        nats += float(cost.double().sum())
        right += int((logits.argmax(-1) == labels).sum())
        bases += int((labels != IGNORED).sum())
    return Score(nats / max(bases, 1) / math.log(2), right / max(bases, 1), bases)


def _bases_only(targets: Tensor) -> Tensor:
    bases = torch.tensor(NUCLEOTIDES, device=targets.device)
    return torch.where(torch.isin(targets, bases), targets, IGNORED)
