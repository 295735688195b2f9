"""Markov chains over nucleotides: what short contexts alone predict (N windows, L length).

They are the yardstick of pretraining: a network is worth its training once it needs fewer bits per
base than the best of them on the same bases.
"""

from collections.abc import Iterable, Iterator
from typing import Self

import numpy as np
import numpy.typing as npt

from hyenadna import tokenizer

Ids = npt.NDArray[np.integer]
Codes = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Table = npt.NDArray[np.float64]

MAX_ORDER = 6
PSEUDO_COUNTS = 4.0
"""Weight of the next lower order in every context: as many counts as add-one smoothing adds."""

_CHUNK = 1 << 20
_NO_BASE = 255
_DIGIT = np.full(256, _NO_BASE, dtype=np.uint8)
_DIGIT[list(tokenizer.NUCLEOTIDES)] = range(4)


class MarkovChain:
    """Chains of order 0 to `order`, fitted together.

    The chain of order k is smoothed with that of order k - 1: with n(.) counts, c a context and c'
    the same without its oldest base, p_k(b | c) = (n(cb) + 4 p_{k-1}(b | c')) / (n(c) + 4); order 0
    is add-one smoothed. A target that fewer than k known bases precede inside its window is
    predicted from those that do.
    """

    def __init__(self, bits: list[Table]) -> None:
        self.bits = bits
        """For each order k, -log2 p_k(b | c), (4 ** (k + 1),); the index spells cb in base 4."""

    @classmethod
    def fit(
        cls, sequences: Iterable[Ids], *, order: int = MAX_ORDER, both_strands: bool = True
    ) -> Self:
        """Count the contexts of 0 to `order` bases in token ids, each (L,).

        Args:
            sequences: forward strands; whatever is not A, C, G or T ends a context.
            order: longest context, in bases.
            both_strands: whether the reverse complements count as well.
        """
        counts = [np.zeros(4 ** (k + 1), dtype=np.int64) for k in range(order + 1)]
        for sequence in sequences:
            for start in range(0, len(sequence), _CHUNK):
                context = min(start, order)
                piece = sequence[start - context : start + _CHUNK]
                inputs = np.concatenate([np.array([tokenizer.N], dtype=piece.dtype), piece[:-1]])
                for k, (codes, known) in enumerate(_codes(inputs, piece, order)):
                    new = codes[context:][known[context:]]
                    counts[k] += np.bincount(new, minlength=4 ** (k + 1))
        if both_strands:
            counts = [count + count[_reverse_complements(k + 1)] for k, count in enumerate(counts)]
        return cls([-np.log2(table).ravel() for table in _smoothed(counts)])

    def bits_per_base(self, windows: Iterable[tuple[Ids, Ids]]) -> Table:
        """Return the mean cost of the A, C, G, T targets for each order, (order + 1,).

        Args:
            windows: batches of inputs and targets, each (N, L), targets one base ahead; a context
                never reaches beyond its window.
        """
        order = len(self.bits) - 1
        total, bases = np.zeros(order + 1), 0
        for inputs, targets in windows:
            cost = np.zeros(targets.shape)
            for k, (codes, known) in enumerate(_codes(inputs, targets, order)):
                # Where this context is too long, the cost at the lower order stands.
                cost[known] = self.bits[k][codes[known]]
                total[k] += cost.sum()
            bases += int((_DIGIT[targets] != _NO_BASE).sum())
        return total / max(bases, 1)


def _codes(inputs: Ids, targets: Ids, order: int) -> Iterator[tuple[Codes, Mask]]:
    """Yield for each order k the number that spells context and target, and where it is known.

    Both are (..., L) and change in place from one order to the next.
    """
    length = inputs.shape[-1]
    digits = _DIGIT[inputs]
    known = _DIGIT[targets] != _NO_BASE
    codes = np.where(known, _DIGIT[targets], 0).astype(np.int32)
    yield codes, known
    for k in range(1, order + 1):
        # The k-th base before a target is the input k - 1 places before that target's own.
        older = digits[..., : max(0, length - k + 1)]
        known[..., : k - 1] = False
        known[..., k - 1 :] &= older != _NO_BASE
        codes[..., k - 1 :] += older * np.int32(4**k)
        yield codes, known


def _smoothed(counts: list[npt.NDArray[np.int64]]) -> Iterator[Table]:
    """Yield p_k(b | c) for each order k, (4 ** k, 4)."""
    lower = np.full((1, 4), 0.25)
    for k, count in enumerate(counts):
        table = count.reshape(-1, 4)
        # Contexts that differ in the oldest base alone share the lower-order row.
        prior = np.tile(lower, (4 if k else 1, 1))
        seen = table.sum(axis=1, keepdims=True)
        lower = (table + PSEUDO_COUNTS * prior) / (seen + PSEUDO_COUNTS)
        yield lower


def _reverse_complements(width: int) -> npt.NDArray[np.int64]:
    """Return for the number of every word of `width` bases that of its reverse complement."""
    rest = np.arange(4**width)
    result = np.zeros_like(rest)
    for _ in range(width):
        result = result * 4 + 3 - rest % 4
        rest //= 4
    return result
