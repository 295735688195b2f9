"""k-mer logistic regression: what the composition of a sequence gives away.

N items, C classes or targets.
"""

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import Kind, LabelledSet, Sequences
from hyenadna.tasks.metrics import score
from hyenadna.tokenizer import NUCLEOTIDES, encode

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


def kmer_features(sequences: Sequences, k: int) -> "csr_matrix":
    """Return square roots of k-mer frequencies on the strand given, (N, 4^k).

    k-mers with a letter other than A, C, G, T are left out. Rows have unit length, and so say
    nothing of how long a sequence is.
    """
    from scipy.sparse import csr_matrix

    counted = [_count_kmers(sequences[row], k) for row in range(len(sequences))]
    codes, counts = zip(*counted, strict=True)
    ends = np.cumsum([0, *map(len, codes)])
    frequencies = [of / max(of.sum(), 1) for of in counts]
    values = np.sqrt(np.concatenate(frequencies))
    return csr_matrix((values, np.concatenate(codes), ends), shape=(len(codes), 4**k))


def _count_kmers(sequence: str, k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the k-mers that occur, as numbers to the base 4 in rising order, and their counts."""
    ids = encode(sequence)
    windows = max(len(ids) - k + 1, 0)
    codes = np.zeros(windows, dtype=np.int64)
    known = np.ones(windows, dtype=bool)
    for offset in range(k):
        digits = ids[offset : offset + windows]
        known &= np.isin(digits, NUCLEOTIDES)
        codes = 4 * codes + digits - NUCLEOTIDES[0]
    return np.unique(codes[known], return_counts=True)


@dataclass(frozen=True)
class KmerClassifier:
    """Logistic regression on k-mer frequencies."""

    k: int
    c: float
    kind: Kind
    models: list[Any]
    """One for all classes; or one per target, a rate where a target has a single outcome."""

    @classmethod
    def fit(cls, features: "csr_matrix", items: LabelledSet, *, k: int, c: float) -> Self:
        """Fit to `features`, those of `items` for this k."""
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
        """Return probabilities (N, C) from `kmer_features` for this k."""
        probabilities = [_probabilities(model, features) for model in self.models]
        if self.kind == "single":
            return probabilities[0]
        return np.stack([of_target[:, -1] for of_target in probabilities], axis=1)

    def score(self, items: LabelledSet) -> NDArray[np.float64]:
        """Return probabilities (N, C) of items, a part of them in memory at a time."""
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


def _probabilities(model: Any, features: "csr_matrix") -> NDArray[np.float64]:
    if isinstance(model, float):
        return np.full((features.shape[0], 1), model)
    probabilities: NDArray[np.float64] = model.predict_proba(features)
    return probabilities


def _few_targets(items: LabelledSet) -> LabelledSet:
    """Return a multi-label set with no more targets than needed to choose k and penalty."""
    count = len(items.classes)
    if items.kind == "single" or count <= TARGETS_FOR_CHOICE:
        return items
    kept = np.linspace(0, count - 1, TARGETS_FOR_CHOICE).round().astype(np.int64)
    classes = tuple(items.classes[target] for target in kept)
    return replace(items, labels=items.labels[:, kept], classes=classes)
