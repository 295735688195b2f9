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
from hyenadna.model.config import HeadConfig, Kind, ModelConfig, Pooling
from hyenadna.tokenizer import PAD

MIDDLE = 32
"""Tokens about the middle of an item that pooling "middle" takes."""


def pool(hidden: Tensor, lengths: Tensor, pooling: Pooling) -> Tensor:
    """Reduce each sequence to one vector from its real tokens.

    Args:
        hidden: (B, L, D), right-padded.
        lengths: (B,), tokens that are not padding, 1 to L.
        pooling: their mean, the last of them, or the mean of the `MIDDLE` about their middle, of
            all where there are fewer. That is for what happens at one place, such as a splice
            site. Of what follows the place a causal model has then seen at most MIDDLE / 2 tokens,
            where their mean or the last of them has seen everything.

    Returns:
        (B, D), at least fp32.

    Raises:
        InputError: a length outside of 1 to L, or not one for each sequence.
    """
    longest = hidden.shape[1]
    _check_lengths(lengths, hidden.shape[0], longest)
    wide = torch.promote_types(hidden.dtype, torch.float32)
    if pooling == "last":
        rows = torch.arange(hidden.shape[0], device=hidden.device)
        return hidden[rows, lengths - 1].to(wide)
    counts = lengths.clamp(max=MIDDLE) if pooling == "middle" else lengths
    first = ((lengths - counts) // 2)[:, None]
    position = torch.arange(longest, device=hidden.device)
    taken = (position >= first) & (position < first + counts[:, None])  # (B, L)
    return (hidden * taken[..., None]).sum(dim=1, dtype=wide) / counts[:, None]


def mark_padding(input_ids: Tensor, lengths: Tensor) -> Tensor:
    """Return ids (B, L) with that of [PAD] behind the first `lengths` (B,) of each sequence.

    Raises:
        InputError: as for `pool`.
    """
    _check_lengths(lengths, *input_ids.shape)
    position = torch.arange(input_ids.shape[1], device=input_ids.device)
    return input_ids.masked_fill(position >= lengths[:, None], PAD)


def _check_lengths(lengths: Tensor, count: int, longest: int) -> None:
    if lengths.shape != (count,) or lengths.min() < 1 or lengths.max() > longest:
        raise InputError(
            f"lengths {lengths.tolist()} do not fit {count} sequences of up to {longest} "
            "tokens; each must be 1 or more, and padding must be on the right"
        )


class Head(nn.Module):
    """One linear layer, under the name it has in fine-tuned checkpoints.

    For regression it has `mean` and `scale` of each target as buffers, (C,), so that the layer
    gives standard scores where the outputs are in the targets' own units.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, d_model: int, n_outputs: int, kind: Kind = "single") -> None:
        super().__init__()
        self.kind = kind
        self.output_transform = nn.Linear(d_model, n_outputs)
        nn.init.normal_(self.output_transform.weight, std=0.02)
        nn.init.zeros_(self.output_transform.bias)
        if kind == "regression":
            self.register_buffer("mean", torch.zeros(n_outputs))
            self.register_buffer("scale", torch.ones(n_outputs))

    def forward(self, pooled: Tensor) -> Tensor:
        """Map (B, D) to (B, C): logits or, for regression, numbers in the targets' units."""
        y: Tensor = self.output_transform(pooled)
        return y * self.scale + self.mean if self.kind == "regression" else y

    def standardise(self, mean: Tensor, scale: Tensor) -> None:
        """Set the mean and the standard deviation of each target in the train split, (C,) each.

        Raises:
            InputError: a mean is not finite, or a standard deviation not above 0.
        """
        assert self.kind == "regression"
        assert mean.shape == scale.shape == self.mean.shape
        usable = mean.isfinite() & scale.isfinite() & (scale > 0)
        if not usable.all():
            number = int((~usable).nonzero()[0])
            raise InputError(
                f"target {number} of {len(usable)} has mean {mean[number]:g} and standard "
                f"deviation {scale[number]:g} in the train split; leave out a target that is "
                "constant, and numbers that are not finite"
            )
        self.mean.copy_(mean)
        self.scale.copy_(scale)


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
        self.head = Head(model.config.d_model, n_outputs, kind)

    @property
    def config(self) -> ModelConfig:
        """Shape of the network below the head."""
        return self.model.config

    def forward(self, input_ids: Tensor, lengths: Tensor) -> Tensor:
        """Map right-padded ids (B, L) and their lengths (B,) to what the head gives, (B, C)."""
        logits: Tensor = self.head(self.represent(input_ids, lengths))
        return logits

    def represent(self, input_ids: Tensor, lengths: Tensor) -> Tensor:
        """Map the same to what the head is given, (B, D)."""
        if self.model.config.bidirectional:
            input_ids = mark_padding(input_ids, lengths)
        return pool(self.model.hidden_states(input_ids), lengths, self.pooling)

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
