"""Sequences to classify as questions to a language model, behind answered ones of train.

N items, B batch, L length, C classes, K shots. As in the paper (arXiv:2306.15794, section 4.3):

    X1 [SEP] Y1 [SEP] X2 [SEP] Y2 [SEP] ... X [SEP]

where each Y is the letter of a class, and what comes next is the answer.
"""

from collections.abc import Iterator, Mapping
from copy import copy

import numpy as np
import torch
from numpy.typing import NDArray

from hyenadna.data.labelled import LabelledSet
from hyenadna.errors import InputError
from hyenadna.tasks.base import Split
from hyenadna.tasks.batches import Batch, Examples, View
from hyenadna.tasks.in_context_recipe import InContextRecipe
from hyenadna.tokenizer import PAD, SEP, VOCAB

CLASS_LETTERS = {2: "AN", 3: "AGN", 4: "ACGN", 5: "ACGTN"}
"""Letters of the classes, in the order of these: two and three as published, four and five here."""

_AROUND_A_SHOT = 3  # [SEP] Y [SEP]
# Which draws are meant, so that no two splits draw alike.
_STREAMS: dict[Split, int] = {"train": 1, "valid": 2, "test": 3}


def class_tokens(classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the token ids (C,) that stand for the classes.

    Raises:
        InputError: there are more classes than nucleotide letters.
    """
    if len(classes) not in CLASS_LETTERS:
        raise InputError(
            f"in-context learning answers with one of the letters A, C, G, T and N, and there are "
            f"{len(classes)} classes ({', '.join(classes[:8])}); 2 to 5 are allowed"
        )
    return np.array([VOCAB[letter] for letter in CLASS_LETTERS[len(classes)]], dtype=np.int64)


def settle_length(splits: Mapping[Split, LabelledSet], recipe: InContextRecipe, limit: int) -> int:
    """Return the most nucleotides that are kept of a sequence.

    Args:
        splits: all that questions and shots are made of.
        recipe: its `max_length` cuts sequences; nothing else does.
        limit: `max_seq_len` of the network, in tokens.

    Raises:
        InputError: the longest question that may be drawn does not fit the network.
    """
    found = max(int(items.lengths.max()) for items in splits.values())
    longest = min(found, recipe.max_length or found)
    shot = min(int(splits["train"].lengths.max()), longest)
    classes, shots, prompt = len(splits["train"].classes), recipe.shots, recipe.prompt_tokens
    total = prompt + classes * shots * (shot + _AROUND_A_SHOT) + longest + 1
    if total > limit:
        raise InputError(
            f"{prompt:,} prompt tokens + {classes} classes x {shots} shots x "
            f"({shot:,} + {_AROUND_A_SHOT} tokens) + {longest + 1:,} of the question = {total:,} "
            f"tokens, more than max_seq_len {limit:,} of the model: lower prompt_tokens, shots or "
            "max_length, or take a model with longer context"
        )
    return longest


class Questions:
    """The items of one split, each behind shots that are drawn from train.

    The shots of an item, their order and the strands are a function of (seed, split, epoch, item).
    """

    def __init__(
        self,
        splits: Mapping[Split, LabelledSet],
        split: Split,
        recipe: InContextRecipe,
        *,
        longest: int,
        seed: int,
    ) -> None:
        """Describe the questions of `split`, for evaluation or in the first epoch.

        Args:
            splits: at least train and `split`.
            split: strands are drawn for train alone.
            recipe: shots, and the probability of the reverse strand.
            longest: nucleotides that are kept of a sequence, about its middle.
            seed: of the draws.

        Raises:
            InputError: a class of train has too few examples.
        """
        train = splits["train"]
        self.items = splits[split]
        self.lengths = np.minimum(self.items.lengths, longest)
        self._epoch = 0
        self._seed = (seed, _STREAMS[split])
        self._of_train = split == "train"
        self._flip_strand = recipe.flip_strand if self._of_train else 0.0
        self._count = recipe.shots
        self._members = [np.flatnonzero(train.labels == row) for row in range(len(train.classes))]
        self._asked = Examples(self.items, longest=longest)
        self._shown = Examples(train, longest=longest)
        self._letters = class_tokens(train.classes).astype(np.uint8)
        _check_shots(self._members, train.classes, recipe.shots)

    def in_epoch(self, epoch: int) -> "Questions":
        """Return the same questions behind other shots, drawn for that pass over train."""
        other = copy(self)
        other._epoch = epoch
        return other

    def batch(self, rows: NDArray[np.int64], view: View) -> Batch:
        """Return right-padded ids (B, L) uint8, lengths (B,) int64 and labels (B,) int64.

        Args:
            rows: (B,) items.
            view: turns the items in question, and no shot.
        """
        questions = [self._ask(*of) for of in zip(rows.tolist(), view.flips, strict=True)]
        lengths = np.array([len(question) for question in questions], dtype=np.int64)
        ids = np.full((len(rows), lengths.max()), PAD, dtype=np.uint8)
        for line, question in zip(ids, questions, strict=True):
            line[: len(question)] = question
        labels = torch.from_numpy(self.items.labels[rows])
        return torch.from_numpy(ids), torch.from_numpy(lengths), labels

    def shots(self, row: int) -> NDArray[np.int64]:
        """Return the rows of train that are shown before an item, (C K,) for K shots.

        As many of each class, in random order, all different, and never the item itself.
        """
        return self._draw_shots(row, self._rng(row))

    def _rng(self, row: int) -> np.random.Generator:
        return np.random.default_rng((*self._seed, self._epoch, row))

    def _draw_shots(self, row: int, rng: np.random.Generator) -> NDArray[np.int64]:
        if not self._count:
            return np.empty(0, dtype=np.int64)
        without = row if self._of_train else -1
        chosen = []
        for members in self._members:
            # One more than needed, as the item in question may be among them.
            drawn = members[rng.choice(len(members), size=self._count + 1, replace=False)]
            chosen.append(drawn[drawn != without][: self._count])
        return rng.permutation(np.concatenate(chosen))

    def _ask(self, row: int, flip: np.bool_) -> NDArray[np.uint8]:
        """Return the token ids (L,) of a question, which end with the [SEP] to answer at."""
        rng = self._rng(row)
        shots = self._draw_shots(row, rng)
        flips = rng.random(len(shots) + 1) < self._flip_strand
        flips[-1] ^= flip
        parts: list[NDArray[np.uint8]] = []
        for sequence, label in _read(self._shown, shots, flips[:-1]):
            parts += [sequence, np.array([SEP, self._letters[label], SEP], dtype=np.uint8)]
        for sequence, _ in _read(self._asked, np.array([row]), flips[-1:]):
            parts += [sequence, np.array([SEP], dtype=np.uint8)]
        return np.concatenate(parts)


def _read(
    examples: Examples, rows: NDArray[np.int64], flips: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Yield the token ids and the class of each item."""
    if not len(rows):
        return
    ids, lengths, labels = examples.batch(rows, View(flips))
    for line, length, label in zip(ids.numpy(), lengths.tolist(), labels.tolist(), strict=True):
        yield line[:length], label


def choose_questions(
    labels: NDArray[np.int64], count: int | None, *, seed: int
) -> NDArray[np.int64]:
    """Return the rows of train that are asked about: all, or `count` of them, the classes in turn.

    A larger choice of the same seed holds every smaller one.

    Args:
        labels: (N,) classes of the training examples.
        count: 1 to N; None stands for N.

    Raises:
        InputError: there are not so many.
    """
    if count is None:
        return np.arange(len(labels))
    if count > len(labels):
        raise InputError(
            f"tuning_samples {count} is more than the {len(labels)} training examples; lower it"
        )
    order = np.random.default_rng((seed, 0)).permutation(len(labels))
    turns = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        turns[members] = np.arange(len(members))
    return np.sort(np.lexsort((labels, turns))[:count])


def training_batches(
    questions: Questions,
    asked: NDArray[np.int64],
    recipe: InContextRecipe,
    seed: int,
    first_step: int,
) -> Iterator[list[Batch]]:
    """Yield the micro-batches of each step from `first_step` on, without end.

    The order depends on (seed, epoch). Items of like length share a micro-batch, as padding is
    work; which items share a step has nothing to do with length, as length may tell the class.

    Args:
        questions: of train.
        asked: (N,) rows of train to ask about.
        recipe, seed, first_step: how many at once, in which order, and from where on.
    """
    size, forward_size = recipe.batch_size, recipe.forward_size
    per_epoch = -(-len(asked) // size)
    epoch, position = divmod(first_step, per_epoch)
    while True:
        source = questions.in_epoch(epoch)
        order = np.random.default_rng((seed, epoch)).permutation(asked)
        for step in range(position, per_epoch):
            rows = order[step * size : (step + 1) * size]
            rows = rows[np.argsort(source.lengths[rows], kind="stable")]
            parts = [rows[at : at + forward_size] for at in range(0, len(rows), forward_size)]
            yield [source.batch(of, View.of_strand(len(of), reverse=False)) for of in parts]
        epoch, position = epoch + 1, 0


def _check_shots(members: list[NDArray[np.int64]], classes: tuple[str, ...], shots: int) -> None:
    fewest = min(range(len(classes)), key=lambda label: len(members[label]))
    if shots and len(members[fewest]) <= shots:
        raise InputError(
            f"class {classes[fewest]!r} has {len(members[fewest])} training examples, and {shots} "
            f"shots beside the one in question need {shots + 1}; lower shots"
        )
