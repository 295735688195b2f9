"""Next-nucleotide loss and perplexity over A, C, G, T (B windows, L length, V vocabulary)."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyenadna.ops.linear_cross_entropy import linear_cross_entropy
from hyenadna.tokenizer import NUCLEOTIDES
from hyenadna.training.distributed import World
from hyenadna.training.precision import Precision

IGNORED = -100


def next_base_loss(
    model: nn.Module, batch: Sequence[Tensor | None], *, soft_mask_weight: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Return the summed cross-entropy in nats over A, C, G, T targets, and the sum of weights.

    Args:
        model: HyenaDNA, or what has its `hidden_states` and `lm_head`.
        batch: windows (B, L + 1), of which N, PAD and every other target counts for nothing, and
            where they are soft-masked, (B, L + 1), or None if every target weighs the same.
        soft_mask_weight: of a soft-masked target; others weigh 1.
    """
    ids, soft_masked = batch
    assert ids is not None
    inputs, targets = shifted(ids)
    labels = _bases_only(targets).flatten()
    hidden = model.hidden_states(inputs)  # type: ignore[operator]
    weights = None
    if soft_masked is not None:
        weights = torch.where(soft_masked[:, 1:].flatten(), soft_mask_weight, 1.0)
    loss = linear_cross_entropy(
        hidden.flatten(0, 1),
        model.lm_head.weight,  # type: ignore[union-attr, arg-type]
        labels,
        token_weights=weights,
        ignored=IGNORED,
    )
    counted = labels != IGNORED
    return loss, counted.sum() if weights is None else weights[counted].sum()


def shifted(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Split windows (B, L + 1) into inputs and targets, both (B, L) int64, one base apart."""
    tokens = ids.long()
    return tokens[:, :-1], tokens[:, 1:]


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
    model: nn.Module,
    batches: Iterable[Tensor],
    precision: Precision,
    world: World | None = None,
) -> Score:
    """Score every A, C, G, T target of fixed windows, each once.

    The probability of a base is its softmax over the whole vocabulary: nothing is renormalised.

    Args:
        model: left in evaluation mode.
        batches: windows (B, L + 1), of this process alone.
        precision: of the forward pass.
        world: processes whose windows are scored together.
    """
    model.eval()
    device = next(model.parameters()).device
    sums = torch.zeros(3, dtype=torch.float64, device=device)  # nats, right ones, bases
    for ids in batches:
        inputs, targets = shifted(ids.to(device))
        with precision.autocast():
            logits = model(inputs).float()  # (B, L, V)
        sums += score_targets(logits, targets).sum((1, 2))
    nats, hits, bases = (world or World()).sum(sums.tolist())
    return Score(nats / max(bases, 1) / math.log(2), hits / max(bases, 1), int(bases))


def score_targets(logits: Tensor, targets: Tensor) -> Tensor:
    """Return nats, whether the likeliest is right, and whether it counts, of each target.

    Args:
        logits: (B, L, V).
        targets: (B, L), of which A, C, G, T count.

    Returns:
        (3, B, L) in fp64, as a split has many more bases than fp32 has digits; 0 where none counts.
    """
    labels = _bases_only(targets)
    nats = functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none"
    )
    right, counted = logits.argmax(-1) == labels, labels != IGNORED
    return torch.stack([nats.double().view_as(labels), right.double(), counted.double()])


def _bases_only(targets: Tensor) -> Tensor:
    bases = torch.tensor(NUCLEOTIDES, device=targets.device)
    return torch.where(torch.isin(targets, bases), targets, IGNORED)
