"""Labelled items as batches of a network.

N items, B batch, L length, D width, C classes or targets.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hyenadna.data.labelled import LabelledSet
from hyenadna.errors import InputError
from hyenadna.model.config import ModelConfig
from hyenadna.model.networks import Classifier, NetworkConfig
from hyenadna.tasks.base import Split
from hyenadna.tokenizer import PAD, encode, reverse_complement_ids
from hyenadna.training.precision import Precision
from hyenadna.training.recipe import FinetuneRecipe

Batch = tuple[Tensor, ...]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class View:
    """How the items of a batch are read."""

    flips: NDArray[np.bool_]
    """(B,) whether from the other strand."""
    longest: int | None = None
    """Tokens of which longer items keep a part; all if not given."""
    at: NDArray[np.float64] | None = None
    """(B,) where that part lies, from 0, the start, to 1."""

    @classmethod
    def of_strand(cls, count: int, *, reverse: bool) -> "View":
        """Read whole items from one strand."""
        return cls(np.full(count, reverse))

    def take(self, rows: NDArray[np.int64]) -> "View":
        """Return the view of some of the items."""
        return View(self.flips[rows], self.longest, None if self.at is None else self.at[rows])


class Source(Protocol):
    """What batches are made of."""

    lengths: NDArray[np.int64]
    """(N,) tokens of each item."""

    def batch(self, rows: NDArray[np.int64], view: View) -> Batch:
        """Return the inputs of the network for (B,) items, then labels (B,) or (B, C)."""


class Examples:
    """Token ids of sequences, cut around their centre to `longest` and right-padded.

    No special token is added at either end: the published ones were never trained there.
    """

    def __init__(self, items: LabelledSet, *, longest: int) -> None:
        self.items = items
        self.lengths = np.minimum(items.lengths, longest)

    def batch(self, rows: NDArray[np.int64], view: View) -> Batch:
        """Return ids (B, L) uint8, lengths (B,) and labels."""
        lengths = self.lengths[rows]
        if view.longest is not None:
            lengths = np.minimum(lengths, view.longest)
        ids = np.full((len(rows), lengths.max()), PAD, dtype=np.uint8)
        for index, (line, row) in enumerate(zip(ids, rows, strict=True)):
            tokens = self._tokens(row)
            at = 0.0 if view.at is None else view.at[index]
            first = int(at * (len(tokens) - lengths[index] + 1))
            part = tokens[first : first + lengths[index]]
            line[: len(part)] = reverse_complement_ids(part) if view.flips[index] else part
        labels = torch.from_numpy(self.items.labels[rows])
        return torch.from_numpy(ids), torch.from_numpy(lengths), labels

    def _tokens(self, row: int) -> NDArray[np.uint8]:
        ids = encode(self.items.sequences[row])
        first = (len(ids) - self.lengths[row]) // 2
        return ids[first : first + self.lengths[row]]


class BothStrands:
    """Examples that are read from both strands at once."""

    def __init__(self, examples: Examples) -> None:
        self.examples = examples
        self.lengths = examples.lengths

    def batch(self, rows: NDArray[np.int64], view: View) -> Batch:
        """Return ids (2 B, L) uint8, lengths (2 B,) and labels (B,); the others come second."""
        ids, lengths, labels = self.examples.batch(rows, view)
        others, _, _ = self.examples.batch(rows, View(~view.flips, view.longest, view.at))
        return torch.cat([ids, others]), torch.cat([lengths, lengths]), labels


class Features:
    """What a network gives its head for the examples, computed once for each strand in use."""

    def __init__(
        self,
        examples: Examples,
        network: Classifier,
        precision: Precision,
        *,
        forward_size: int,
        both_strands: bool,
    ) -> None:
        self.lengths = examples.lengths
        self.labels = examples.items.labels
        body = _Body(network)
        strands = [False, True] if both_strands else [False]
        self.states = torch.stack(
            [
                evaluate(body, examples, precision, forward_size=forward_size, reverse=strand)
                for strand in strands
            ]
        )  # (strands, N, D)

    def batch(self, rows: NDArray[np.int64], view: View) -> Batch:
        """Return states (B, D) of whole items and their labels."""
        strands = torch.from_numpy(view.flips.astype(np.int64))
        return self.states[strands, torch.from_numpy(rows)], torch.from_numpy(self.labels[rows])


class _Body(nn.Module):
    """A classifier without its head."""

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, lengths: Tensor) -> Tensor:
        """Map ids (B, L) and lengths (B,) to states (B, D)."""
        return self.network.represent(input_ids, lengths)


def settle_length(
    splits: Mapping[Split, LabelledSet], recipe: FinetuneRecipe, config: NetworkConfig
) -> tuple[int, dict[Split, int]]:
    """Return the longest input in tokens, and how many items of each split are cut to it.

    Nothing is cut unless the recipe says how long an input may be.
    """
    present = max(int(items.lengths.max()) for items in splits.values())
    field = "max_seq_len" if isinstance(config, ModelConfig) else "length"
    limit = getattr(config, field) or present
    longest = recipe.max_length or limit
    if longest > limit:
        raise InputError(
            f"max_length {longest} of the recipe is {longest - limit} more than {field} {limit} "
            "of the model; lower it, or choose a model with longer context"
        )
    cropped = {split: int((items.lengths > longest).sum()) for split, items in splits.items()}
    for split, items in splits.items():
        if not cropped[split]:
            continue
        if recipe.max_length is None:
            row = int(items.lengths.argmax())
            raise InputError(
                f"{split} item {items.ids[row]} has {items.lengths[row]} nucleotides, "
                f"{items.lengths[row] - limit} more than {field} {limit} of the model, and "
                f"{cropped[split]} of {len(items)} items are too long; choose a model with longer "
                f"context, or set max_length in the recipe to keep the middle of each"
            )
        message = "%s: %d of %d items cut to their middle %d nucleotides"
        _log.info(message, split, cropped[split], len(items), longest)
    return min(longest, present), cropped


def steps_per_epoch(source: Source, recipe: FinetuneRecipe) -> int:
    """Return the optimizer steps of one pass over the items; the last batch may be smaller."""
    return -(-len(source.lengths) // recipe.batch_size)


def training_batches(
    source: Source, recipe: FinetuneRecipe, seed: int, first_step: int
) -> Iterator[list[Batch]]:
    """Yield the micro-batches of each step from `first_step` on, without end.

    The order depends on (seed, epoch); the strand of an item, and the part of it that is read
    while lengths warm up, on (seed, epoch, item). Items of like length share a micro-batch; which
    items share a step has nothing to do with length, as length may tell the class.
    """
    per_epoch = steps_per_epoch(source, recipe)
    epoch, position = divmod(first_step, per_epoch)
    while True:
        order = np.random.default_rng((seed, epoch)).permutation(len(source.lengths))
        longest = length_of_epoch(recipe, epoch)
        size = _forward_size(source, recipe, longest)
        for step in range(position, per_epoch):
            rows = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
            rows = rows[np.argsort(source.lengths[rows], kind="stable")]
            view = _view(rows, recipe, longest, seed=seed, epoch=epoch)
            parts = [np.arange(len(rows))[part] for part in _slices(len(rows), size)]
            yield [source.batch(rows[part], view.take(part)) for part in parts]
        epoch, position = epoch + 1, 0


def length_of_epoch(recipe: FinetuneRecipe, epoch: int) -> int | None:
    """Return the tokens that are left of longer items in an epoch from 0, or none for all."""
    for stage in recipe.length_warmup:
        if epoch < stage.epochs:
            return stage.length
        epoch -= stage.epochs
    return None


def _forward_size(source: Source, recipe: FinetuneRecipe, longest: int | None) -> int:
    """Return the items of a forward pass: more of them as long as they are shorter."""
    whole = int(source.lengths.max())
    more = 1 if longest is None else max(1, whole // longest)
    return min(recipe.batch_size, recipe.forward_size * more)


@torch.no_grad()
def evaluate(
    network: nn.Module,
    source: Source,
    precision: Precision,
    *,
    forward_size: int,
    reverse: bool = False,
) -> Tensor:
    """Return the outputs of a network for every item in order, (N, C), fp32, on the CPU.

    Items are whole, and read from one strand: strands are drawn in training only.
    """
    device = next(network.parameters()).device
    network.eval()
    by_length = np.argsort(source.lengths, kind="stable")
    outputs = []
    for part in _slices(len(by_length), forward_size):
        rows = by_length[part]
        *inputs, _ = source.batch(rows, View.of_strand(len(rows), reverse=reverse))
        with precision.autocast():
            outputs.append(network(*(tensor.to(device) for tensor in inputs)).float().cpu())
    joined = torch.cat(outputs)
    in_order = torch.empty_like(joined)
    in_order[torch.from_numpy(by_length)] = joined
    return in_order


def strand_outputs(
    network: nn.Module, source: Source, precision: Precision, recipe: FinetuneRecipe
) -> Tensor:
    """Return the outputs for every item, (N, C): from its strand, or the mean over both."""
    of_strands = [
        evaluate(network, source, precision, forward_size=recipe.forward_size, reverse=reverse)
        for reverse in ([False, True] if recipe.average_strands else [False])
    ]
    return torch.stack(of_strands).mean(dim=0)


def _view(
    rows: NDArray[np.int64], recipe: FinetuneRecipe, longest: int | None, *, seed: int, epoch: int
) -> View:
    """Draw the strand of each item, and the part of it that is read."""
    if longest is None and not recipe.flip_strand:
        return View.of_strand(len(rows), reverse=False)
    draws = np.array([np.random.default_rng((seed, epoch, row)).random(2) for row in rows])
    return View(draws[:, 0] < recipe.flip_strand, longest, draws[:, 1])


def _slices(count: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, count, size)]
