"""A classifier on top of HyenaDNA (B batch, L length, D width, C outputs)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from hyenadna.errors import InputError
from hyenadna.model import checkpoint
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.checkpoint import Checkpoint
from hyenadna.model.config import HeadConfig, Kind, Pooling


def pool(hidden: Tensor, lengths: Tensor, pooling: Pooling) -> Tensor:
    """Reduce each sequence to one vector from its real tokens.

    Args:
        hidden: (B, L, D), right-padded.
        lengths: (B,), tokens that are not padding, 1 to L.
        pooling: their mean, or the last of them.

    Returns:
        (B, D), at least fp32.

    Raises:
        InputError: a length outside of 1 to L, or not one for each sequence.
    """
    longest = hidden.shape[1]
    if lengths.shape != hidden.shape[:1] or lengths.min() < 1 or lengths.max() > longest:
        raise InputError(
            f"lengths {lengths.tolist()} do not fit {hidden.shape[0]} sequences of up to {longest} "
            "tokens; each must be 1 or more, and padding must be on the right"
        )
    wide = torch.promote_types(hidden.dtype, torch.float32)
    if pooling == "last":
        rows = torch.arange(hidden.shape[0], device=hidden.device)
        return hidden[rows, lengths - 1].to(wide)
    real = torch.arange(longest, device=hidden.device) < lengths[:, None]  # (B, L)
    return (hidden * real[..., None]).sum(dim=1, dtype=wide) / lengths[:, None]


class Head(nn.Module):
    """One linear layer, under the name it has in fine-tuned checkpoints."""

    def __init__(self, d_model: int, n_outputs: int) -> None:
        super().__init__()
        self.output_transform = nn.Linear(d_model, n_outputs)
        nn.init.normal_(self.output_transform.weight, std=0.02)
        nn.init.zeros_(self.output_transform.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        """Map (B, D) to (B, C)."""
        y: Tensor = self.output_transform(pooled)
        return y


class SequenceClassifier(nn.Module):
    """HyenaDNA, pooled over real tokens, with a linear head."""

    def __init__(
        self,
        model: HyenaDNA,
        n_outputs: int,
        *,
        pooling: Pooling = "mean",
        classes: Sequence[str] | None = None,
        kind: Kind = "single",
    ) -> None:
        super().__init__()
        if classes is not None and len(classes) != n_outputs:
            raise InputError(f"{len(classes)} classes named for {n_outputs} outputs; name each")
        self.model = model
        self.pooling: Pooling = pooling
        self.classes = None if classes is None else tuple(classes)
        self.kind: Kind = kind
        self.head = Head(model.config.d_model, n_outputs)

    def forward(self, input_ids: Tensor, lengths: Tensor) -> Tensor:
        """Map right-padded ids (B, L) and their lengths (B,) to logits (B, C)."""
        pooled = pool(self.model.hidden_states(input_ids), lengths, self.pooling)
        logits: Tensor = self.head(pooled)
        return logits

    @classmethod
    def from_pretrained(
        cls, source: str | Path, *, filter_shift: float | None = None, keep_positions: bool = False
    ) -> Self:
        """Load a fine-tuned model with its head from a directory or file, ours or released.

        Raises:
            InputError: it has no head, or as for `checkpoint.load`.
        """
        return cls.from_checkpoint(
            checkpoint.load(source, filter_shift=filter_shift, keep_positions=keep_positions)
        )

    @classmethod
    def from_checkpoint(cls, loaded: Checkpoint) -> Self:
        """Make a classifier of what was loaded."""
        weight = loaded.head_weights.get("head.output_transform.weight")
        if loaded.head is None or weight is None:
            raise InputError(
                f"{loaded.source}: has no classification head; load it as HyenaDNA and fine-tune it"
            )
        model = HyenaDNA(loaded.config)
        checkpoint.fill(model, loaded.weights, source=loaded.source)
        classifier = cls(model, len(weight), **loaded.head.model_dump())
        head_weights = {k.removeprefix("head."): v for k, v in loaded.head_weights.items()}
        checkpoint.fill(classifier.head, head_weights, source=loaded.source)
        return classifier

    def save_pretrained(self, directory: str | Path) -> None:
        """Write `config.json` and `model.safetensors`, which `from_pretrained` reads."""
        head = HeadConfig(pooling=self.pooling, kind=self.kind, classes=self.classes)
        head_weights = {f"head.{name}": w for name, w in self.head.state_dict().items()}
        weights = self.model.state_dict() | head_weights
        checkpoint.save(Path(directory), self.model.config, weights, head)
