"""What fine-tuning minimises (N items, C classes or targets)."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    kl_div,
    logsigmoid,
)

from hyenadna.data.labelled import Kind, LabelledSet
from hyenadna.errors import InputError
from hyenadna.training.recipe import FinetuneRecipe


@dataclass(frozen=True)
class Objective:
    """Cross-entropy of classes or targets in nats, or squared error in units of the variance."""

    kind: Kind
    weights: Tensor | None = None
    """(C,) of the classes, or of the positives of each target."""
    scale: Tensor | None = None
    """(C,) standard deviations of the numbers of a regression."""
    strand_consistency: float = 0.0
    """Weight of how far the predictions from the two strands differ."""

    @classmethod
    def of(cls, train: LabelledSet, recipe: FinetuneRecipe) -> Self:
        """Return the objective of a recipe for a training set.

        Raises:
            InputError: weights of classes for numbers.
        """
        weights = scale = None
        if train.kind == "regression":
            scale = torch.from_numpy(spread(train))
        if recipe.class_weights == "balanced":
            weights = torch.from_numpy(_balanced(train)).float()
        return cls(train.kind, weights, scale, recipe.strand_consistency)

    def __call__(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | float]:
        """Return the sum of the loss terms of outputs (N, C), and of their weights."""
        weights = None if self.weights is None else self.weights.to(outputs)
        if self.kind == "single":
            total = cross_entropy(outputs, labels, weight=weights, reduction="sum")
            return total, labels.numel() if weights is None else weights[labels].sum()
        targets = labels.to(outputs.dtype)
        if self.kind == "multi":
            total = binary_cross_entropy_with_logits(
                outputs, targets, pos_weight=weights, reduction="sum"
            )
        else:
            total = (((outputs - targets) / self._scale(outputs)) ** 2).sum()
        return total, labels.numel()

    def both_strands(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | float]:
        """Return the same for outputs (2 N, C), those of the other strands second.

        The mean of both, and `strand_consistency` times their symmetric divergence, as in
        arXiv:2509.18529, but without a temperature.
        """
        one, other = outputs.chunk(2)
        (of_one, weight), (of_other, _) = self(one, labels), self(other, labels)
        apart = self.strand_consistency * self._divergence(one, other)
        return (of_one + of_other) / 2 + apart, weight

    def _divergence(self, one: Tensor, other: Tensor) -> Tensor:
        """Return the sum over items of how far two outputs (N, C) differ."""
        if self.kind == "regression":
            return (((one - other) / self._scale(one)) ** 2).sum()
        p, q = (_log_probabilities(outputs, self.kind) for outputs in (one, other))
        both = [kl_div(*pair, reduction="sum", log_target=True) for pair in ((p, q), (q, p))]
        return (both[0] + both[1]) / 2

    def _scale(self, outputs: Tensor) -> Tensor:
        assert self.scale is not None
        return self.scale.to(outputs)


def spread(train: LabelledSet) -> NDArray[np.float32]:
    """Return the standard deviation of each target, (K,) fp32; 1 where it does not vary."""
    deviation = train.labels.std(axis=0, dtype=np.float64)
    return np.where(deviation > 0, deviation, 1.0).astype(np.float32)


def _log_probabilities(outputs: Tensor, kind: Kind) -> Tensor:
    """Return (N, C) of classes, or (N, C, 2) of both outcomes of each target."""
    if kind == "single":
        return outputs.log_softmax(dim=1)
    return torch.stack([logsigmoid(outputs), logsigmoid(-outputs)], dim=-1)


def _balanced(train: LabelledSet) -> NDArray[np.float64]:
    """Return (C,) weights by which every class, or both outcomes of a target, count alike."""
    if train.kind == "regression":
        raise InputError("class_weights balanced is for classes, and these labels are numbers")
    if train.kind == "single":
        counts = np.bincount(train.labels, minlength=len(train.classes))
        return len(train) / (len(train.classes) * np.maximum(counts, 1))
    positives = train.labels.sum(axis=0, dtype=np.int64)
    ratios: NDArray[np.float64] = (len(train) - positives) / np.maximum(positives, 1)
    return ratios
