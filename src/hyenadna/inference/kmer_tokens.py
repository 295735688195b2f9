"""DNA as the k-mer tokens of other models, by table (L nucleotides, T tokens).

A vocabulary of k-mers alone (DNABERT) is read with overlap, one token a nucleotide. One that has
single letters besides (Nucleotide Transformer) is read side by side: k-mers from the start of each
run without N, and letters for the rest of the run and for N.
"""

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hyenadna.errors import InputError
from hyenadna.tokenizer import A

LONGEST_KMER = 8
"""Beyond it a vocabulary of all k-mers would not fit a network."""
_N = 4


class Marks(NamedTuple):
    """Tokens of a vocabulary that are no DNA."""

    pad: str
    unknown: str
    first: str
    """Stands before the sequence."""
    last: str | None
    """Stands after it, if anything does."""


@dataclass(frozen=True)
class KmerVocabulary:
    """All words of k letters, as the lines of a `vocab.txt`."""

    k: int
    kmers: NDArray[np.int64]
    """(4^k + 1,) ids of the k-mers in the order of A, C, G, T, and of a k-mer with an N."""
    letters: NDArray[np.int64] | None
    """(5,) ids of A, C, G, T and N, if k-mers stand side by side; none if they overlap."""
    pad: int
    first: tuple[int, ...]
    last: tuple[int, ...]
    size: int

    @classmethod
    def read(cls, path: Path, marks: Marks) -> Self:
        """Read a `vocab.txt`, one token a line.

        Raises:
            InputError: it is missing, holds other words than k-mers, or lacks a mark.
        """
        try:
            words = path.read_text(encoding="utf-8").split()
        except FileNotFoundError:
            raise InputError(f"{path}: no such file; models with a vocab.txt are read") from None
        ids = {word: number for number, word in enumerate(words)}
        k = max((len(word) for word in ids if set(word) <= set("ACGT")), default=0)
        wanted = ["".join(of) for of in product("ACGT", repeat=k)] if 1 < k <= LONGEST_KMER else []
        if not wanted or not all(word in ids for word in wanted):
            raise InputError(
                f"{path}: not a vocabulary of all k-mers of A, C, G and T, k from 2 to "
                f"{LONGEST_KMER}; models with other tokens are not read"
            )
        absent = [mark for mark in marks if mark is not None and mark not in ids]
        if absent:
            raise InputError(f"{path}: no token {absent[0]!r}, which this architecture needs")
        unknown = ids[marks.unknown]
        single = all(letter in ids for letter in "ACGT")
        letters = [ids.get(letter, unknown) for letter in "ACGTN"]
        return cls(
            k=k,
            kmers=np.array([*(ids[word] for word in wanted), unknown]),
            letters=np.array(letters) if single else None,
            pad=ids[marks.pad],
            first=(ids[marks.first],),
            last=() if marks.last is None else (ids[marks.last],),
            size=len(words),
        )

    def window(self, tokens: int) -> int:
        """Return how many nucleotides without N fit into so many tokens."""
        return tokens + self.k - 1 if self.letters is None else tokens * self.k

    def encode(self, ids: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return tokens (T,) of ids of `hyenadna.tokenizer`, (L,), L at least 1; no marks.

        A sequence shorter than an overlapping k-mer is one unknown k-mer.
        """
        codes = ids.astype(np.int64) - A
        kmers = self.kmers[self._places(codes)]
        if self.letters is None:
            return kmers[: max(1, len(ids) - self.k + 1)]
        position = np.arange(len(codes))
        is_n = codes == _N
        before = np.maximum.accumulate(np.where(is_n, position, -1))
        after = np.minimum.accumulate(np.where(is_n, position, len(codes))[::-1])[::-1]
        offset, run = position - before - 1, after - before - 1
        in_kmer = ~is_n & (offset < run - run % self.k)
        starts = ~in_kmer | (offset % self.k == 0)
        tokens: NDArray[np.int64] = np.where(in_kmer, kmers, self.letters[codes])[starts]
        return tokens

    def _places(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of `kmers` for the k-mer that starts at each of (L,) codes."""
        padded = np.concatenate([codes, np.full(self.k - 1, _N)])
        windows = sliding_window_view(padded, self.k)  # (L, k)
        places: NDArray[np.int64] = windows @ 4 ** np.arange(self.k)[::-1]
        return np.where((windows == _N).any(axis=1), 4**self.k, places)
