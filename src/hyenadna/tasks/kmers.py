"""Linear models of k-mers: what the composition of a sequence gives away.

N items, C classes or targets, K targets.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import Kind, LabelledSet, Sequences
from hyenadna.tasks.metrics import score
from hyenadna.tokenizer import NUCLEOTIDES, N, encode

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

LENGTHS = (4, 5, 6)
"""Values of k among which the validation split chooses, in nucleotides."""
PENALTIES = (0.1, 1.0, 10.0, 100.0)
"""Inverse strengths of the L2 penalty, likewise."""
TARGETS_FOR_CHOICE = 20
"""Targets of a multi-label set, evenly spaced, that decide on k and penalty."""
_ROWS = 10_000
"""Items whose features are in memory at once when scoring."""
_BASES = 4_000_000
"""Nucleotides whose k-mers are counted at once."""


def kmer_features(sequences: Sequences, k: int) -> "csr_matrix":
    """Return square roots of k-mer frequencies on the strand given, (N, 4^k).

    k-mers with a letter other than A, C, G, T are left out. Rows have unit length, and so say
    nothing of how long a sequence is.
    """
    from scipy.sparse import vstack

    return vstack([_count_kmers(ids, k) for ids in _encoded(sequences)], format="csr")


def _encoded(sequences: Sequences) -> Iterator[list[NDArray[np.uint8]]]:
    """Yield the token ids of all sequences, as many at a time as have `_BASES`."""
    held: list[NDArray[np.uint8]] = []
    bases = 0
    for row in range(len(sequences)):
        held.append(encode(sequences[row]))
        bases += len(held[-1])
        if bases >= _BASES:
            yield held
            held, bases = [], 0
    if held:
        yield held


def _count_kmers(sequences: list[NDArray[np.uint8]], k: int) -> "csr_matrix":
    """Return the features of a few sequences, counted in one go."""
    from scipy.sparse import csr_matrix

    # What stands behind each sequence is in no k-mer, so that none spans two sequences.
    gap = np.full(k, N, dtype=np.uint8)
    ids = np.concatenate([part for sequence in sequences for part in (sequence, gap)])
    windows = len(ids) - k + 1
    unknown = np.cumsum(np.isin(ids, NUCLEOTIDES, invert=True))
    known = np.flatnonzero(unknown[k - 1 :] == np.concatenate([[0], unknown[: windows - 1]]))
    codes = np.zeros(windows, dtype=np.int32)
    for offset in range(k):
        codes = 4 * codes + ids[offset : offset + windows] - NUCLEOTIDES[0]
    ends = np.cumsum([len(sequence) + k for sequence in sequences])
    rows = np.concatenate([[0], np.searchsorted(known, ends)])
    ones = np.ones(len(known))
    features = csr_matrix((ones, codes[known], rows), shape=(len(sequences), 4**k))
    features.sum_duplicates()
    frequencies = features.data / np.repeat(np.diff(rows), np.diff(features.indptr))
    features.data = np.sqrt(frequencies)
    return features


@dataclass(frozen=True)
class KmerModel:
    """Logistic regression on k-mer frequencies, or ridge regression of numbers."""

    k: int
    c: float
    kind: Kind
    models: list[Any]
    """One for all classes or all numbers; or one per binary target, a rate where a target has a
    single outcome."""

    @classmethod
    def fit(cls, features: "csr_matrix", items: LabelledSet, *, k: int, c: float) -> Self:
        """Fit to `features`, those of `items` for this k."""
        if items.kind == "regression":
            return cls(k, c, items.kind, [_fit_ridge(features, items.labels, c)])
        outcomes = [items.labels] if items.kind == "single" else items.labels.T
        return cls(k, c, items.kind, [_fit(features, labels, c) for labels in outcomes])

    @classmethod
    def choose(cls, train: LabelledSet, valid: LabelledSet, *, metric: str) -> Self:
        """Fit to `train` with the k and penalty whose `metric` is best on `valid`."""
        few_train, few_valid = _few_targets(train), _few_targets(valid)
        best, value = (LENGTHS[0], PENALTIES[0]), -np.inf
        for k in LENGTHS:
            features, held_out = (kmer_features(items.sequences, k) for items in (train, valid))
            for c in PENALTIES:
                scores = cls.fit(features, few_train, k=k, c=c).predict(held_out)
                reached = score(few_valid.labels, scores, valid.kind)[metric]
                if reached > value:
                    best, value = (k, c), reached
        k, c = best
        return cls.fit(kmer_features(train.sequences, k), train, k=k, c=c)

    def predict(self, features: "csr_matrix") -> NDArray[np.float64]:
        """Return probabilities or numbers (N, C) from `kmer_features` for this k."""
        if self.kind == "regression":
            numbers: NDArray[np.float64] = self.models[0].predict(features)
            return numbers.reshape(features.shape[0], -1)
        probabilities = [_probabilities(model, features) for model in self.models]
        if self.kind == "single":
            return probabilities[0]
        return np.stack([of_target[:, -1] for of_target in probabilities], axis=1)

    def score(self, items: LabelledSet) -> NDArray[np.float64]:
        """Return `predict` of items (N, C), a part of them in memory at a time."""
        rows = np.arange(len(items))
        parts = [items.take(rows[start : start + _ROWS]) for start in range(0, len(items), _ROWS)]
        return np.concatenate([self.predict(kmer_features(p.sequences, self.k)) for p in parts])


def _fit(features: "csr_matrix", labels: NDArray[Any], c: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if labels.min() == labels.max():
        return float(labels[0])
    with warnings.catch_warnings():
        # A weak penalty may need more steps than it is worth; validation judges the result.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=c, max_iter=500, tol=1e-3).fit(features, labels)


def _fit_ridge(features: "csr_matrix", labels: NDArray[Any], c: float) -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=1 / c).fit(features, labels.astype(np.float64))


def _probabilities(model: Any, features: "csr_matrix") -> NDArray[np.float64]:
    if isinstance(model, float):
        return np.full((features.shape[0], 1), model)
    probabilities: NDArray[np.float64] = model.predict_proba(features)
    return probabilities


def _few_targets(items: LabelledSet) -> LabelledSet:
    """Return a multi-label set with no more targets than needed to choose k and penalty."""
    count = len(items.classes)
    if items.kind != "multi" or count <= TARGETS_FOR_CHOICE:
        return items
    kept = np.linspace(0, count - 1, TARGETS_FOR_CHOICE).round().astype(np.int64)
    classes = tuple(items.classes[target] for target in kept)
    return replace(items, labels=items.labels[:, kept], classes=classes)
