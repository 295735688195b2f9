"""Labelled items as batches of a network.

N items, B batch, L length, D width, C classes or targets.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hyenadna.data.labelled import LabelledSet
from hyenadna.model.heads import SequenceClassifier, pool
from hyenadna.tokenizer import PAD, encode, reverse_complement_ids
from hyenadna.training.precision import Precision
from hyenadna.training.recipe import FinetuneRecipe

Batch = tuple[Tensor, ...]


class Source(Protocol):
    """What batches are made of."""

    lengths: NDArray[np.int64]
    """(N,) tokens of each item."""

    def batch(self, rows: NDArray[np.int64], flips: NDArray[np.bool_]) -> Batch:
        """Return the inputs of the network, then labels (B,) int64 or (B, C) uint8.

        Args:
            rows: (B,) items.
            flips: (B,) whether the item is read from the other strand.
        """


class Examples:
    """Token ids of sequences, cut around their centre to `longest` and right-padded.

    No special token is added at either end: the published ones were never trained there.
    """

    def __init__(self, items: LabelledSet, *, longest: int) -> None:
        self.items = items
        self.lengths = np.minimum(items.lengths, longest)

    def batch(self, rows: NDArray[np.int64], flips: NDArray[np.bool_]) -> Batch:
        """Return ids (B, L) uint8, lengths (B,) and labels."""
        lengths = self.lengths[rows]
        ids = np.full((len(rows), lengths.max()), PAD, dtype=np.uint8)
        for line, row, flip in zip(ids, rows, flips, strict=True):
            tokens = self._tokens(row)
            line[: len(tokens)] = reverse_complement_ids(tokens) if flip else tokens
        labels = torch.from_numpy(self.items.labels[rows])
        return torch.from_numpy(ids), torch.from_numpy(lengths), labels

    def _tokens(self, row: int) -> NDArray[np.uint8]:
        ids = encode(self.items.sequences[row])
        first = (len(ids) - self.lengths[row]) // 2
        return ids[first : first + self.lengths[row]]


class Features:
    """What a frozen network makes of the examples, computed once for each strand in use."""

    def __init__(
        self,
        examples: Examples,
        network: SequenceClassifier,
        recipe: FinetuneRecipe,
        *,
        both_strands: bool,
    ) -> None:
        self.lengths = examples.lengths
        self.labels = examples.items.labels
        pooled = _Pooled(network)
        strands = [False, True] if both_strands else [False]
        self.states = torch.stack(
            [evaluate(pooled, examples, recipe, flip=strand) for strand in strands]
        )  # (strands, N, D)

    def batch(self, rows: NDArray[np.int64], flips: NDArray[np.bool_]) -> Batch:
        """Return pooled states (B, D) and labels."""
        strands = torch.from_numpy(flips.astype(np.int64))
        return self.states[strands, torch.from_numpy(rows)], torch.from_numpy(self.labels[rows])


class _Pooled(nn.Module):
    """A classifier without its head."""

    def __init__(self, network: SequenceClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, lengths: Tensor) -> Tensor:
        """Map ids (B, L) and lengths (B,) to pooled states (B, D)."""
        return pool(self.network.model.hidden_states(input_ids), lengths, self.network.pooling)


def steps_per_epoch(source: Source, recipe: FinetuneRecipe) -> int:
    """Return the optimizer steps of one pass over the items; the last batch may be smaller."""
    return -(-len(source.lengths) // recipe.batch_size)


def training_batches(
    source: Source, recipe: FinetuneRecipe, seed: int, first_step: int
) -> Iterator[list[Batch]]:
    """Yield the micro-batches of each step from `first_step` on, without end.

    The order depends on (seed, epoch) and the strand of an item on (seed, epoch, item). Items of
    like length share a micro-batch; which items share a step has nothing to do with length, as
    length may tell the class.
    """
    per_epoch = steps_per_epoch(source, recipe)
    epoch, position = divmod(first_step, per_epoch)
    while True:
        order = np.random.default_rng((seed, epoch)).permutation(len(source.lengths))
        for step in range(position, per_epoch):
            rows = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
            rows = rows[np.argsort(source.lengths[rows], kind="stable")]
            flips = _flips(rows, recipe.flip_strand, seed=seed, epoch=epoch)
            yield [
                source.batch(rows[part], flips[part])
                for part in _slices(len(rows), recipe.forward_size)
            ]
        epoch, position = epoch + 1, 0


@torch.no_grad()
def evaluate(
    network: nn.Module, source: Source, recipe: FinetuneRecipe, *, flip: bool = False
) -> Tensor:
    """Return the outputs of a network for every item in order, (N, C), fp32, on the CPU.

    Forward strand unless `flip`: strands are drawn in training only.
    """
    device = next(network.parameters()).device
    precision = Precision(recipe, device)
    network.eval()
    by_length = np.argsort(source.lengths, kind="stable")
    outputs = []
    for part in _slices(len(by_length), recipe.forward_size):
        rows = by_length[part]
        *inputs, _ = source.batch(rows, np.full(len(rows), flip))
        with precision.autocast():
            outputs.append(network(*(tensor.to(device) for tensor in inputs)).float().cpu())
    joined = torch.cat(outputs)
    in_order = torch.empty_like(joined)
    in_order[torch.from_numpy(by_length)] = joined
    return in_order


def _flips(
    rows: NDArray[np.int64], probability: float, *, seed: int, epoch: int
) -> NDArray[np.bool_]:
    if probability == 0:
        return np.zeros(len(rows), dtype=bool)
    draws = [np.random.default_rng((seed, epoch, row)).random() for row in rows]
    return np.array(draws) < probability


def _slices(count: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, count, size)]
