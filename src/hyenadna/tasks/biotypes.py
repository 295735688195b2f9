"""Biotypes: what the frozen embedding of a gene tells of its kind, and a map of the genes.

N genes, C biotypes, D width.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hyenadna.data.labelled import LabelledSet
from hyenadna.errors import InputError
from hyenadna.files import atomic_write
from hyenadna.genome import Genome
from hyenadna.inference.embed import embed_sequences
from hyenadna.inference.vectors import Vectors, write_vectors
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.device import resolve_device
from hyenadna.tasks.base import Benchmark
from hyenadna.tasks.baselines import by_length, majority
from hyenadna.tasks.genes import Gene, as_labelled_set, most_frequent, on_genome, read_genes
from hyenadna.tasks.kmers import KmerClassifier, kmer_features
from hyenadna.tasks.metrics import METRICS, score
from hyenadna.tasks.predictions import write_predictions
from hyenadna.tasks.splits import checksums, weight_checksums
from hyenadna.training.run import Identity, Run

BIOTYPES = 10
"""Most frequent biotypes that are told apart, as in the paper."""
FOLDS = 5
"""Parts of the cross-validation; a biotype needs as many genes."""
TREES = {"max_iter": 1000, "max_depth": 3, "learning_rate": 0.1, "min_samples_leaf": 5}
"""Gradient boosting; rounds, depth and rate are those of the paper (table A.9)."""
KMER_LENGTH, KMER_PENALTY = 4, 10.0
"""k and inverse penalty of the k-mer baseline; there are too few genes to choose them."""
BATCH_TOKENS = 32_768
"""Nucleotides per forward pass."""

_log = logging.getLogger(__name__)

Scores = dict[str, NDArray[Any]]
"""By method, probabilities of the biotypes for each gene, (N, C)."""


def biotypes(
    benchmark: Benchmark, *, weights: Path, out: Path, seed: int, device: str = "auto"
) -> Path:
    """Embed genes, map them, predict their biotype by cross-validation, and return `out`.

    `metrics.tsv` has at step 0, split test, `<method>.<metric>` and `<method>.<metric>.sd`, mean
    and standard deviation over folds; at step i, split fold, the metrics of fold i. Methods:
    embedding (gradient boosting, as in the paper) and embedding_logistic; random and
    random_logistic, the same on an untrained network of this size; majority, length and kmer.

    Args:
        benchmark: of family biotypes: a GTF of genes, and their genome.
        weights, out, device: frozen model, directory to write, and what computes.
        seed: fixes folds, untrained network, boosting and map.
    """
    if benchmark.family != "biotypes" or benchmark.metric not in METRICS["single"]:
        raise InputError(
            f"benchmark {benchmark.name}: biotypes needs family biotypes, not {benchmark.family}, "
            f"and a metric of {', '.join(METRICS['single'])}"
        )
    network = HyenaDNA.from_pretrained(weights)
    identity = Identity(
        stage="biotypes",
        seed=seed,
        settings={
            "benchmark": benchmark.identity(),
            "model": network.config.model_dump(mode="json"),
            "biotypes": BIOTYPES,
            "folds": FOLDS,
            "boosting": TREES,
            "kmer_length": KMER_LENGTH,
            "kmer_penalty": KMER_PENALTY,
            "seed": seed,
        },
        data=checksums(benchmark) | weight_checksums(weights),
        benchmark=benchmark.name,
    )
    with Run(out, identity, device=resolve_device(device)) as run:
        if not run.finished:
            _evaluate(benchmark, network, run)
    return out


def _evaluate(benchmark: Benchmark, network: HyenaDNA, run: Run) -> None:
    seed = run.identity.seed
    gtf, genome = benchmark.directory(), Genome(benchmark.genome_of(""))
    genes = on_genome(read_genes(gtf), genome, source=gtf)
    kept = most_frequent(genes, biotypes=BIOTYPES, min_genes=FOLDS)
    items = as_labelled_set(kept, genome)
    torch.manual_seed(seed)
    untrained = HyenaDNA(network.config)
    vectors = _embed(network.to(run.device), items)
    features = {
        "embedding": _stack(vectors),
        "random": _stack(_embed(untrained.to(run.device), items)),
    }
    scores = _cross_validate(items, features, run)
    width = network.config.d_model
    write_vectors(run.staging / "embeddings.parquet", vectors, width=width, per_token=False)
    write_predictions(run.staging / "predictions.parquet", items, scores)
    _write_map(run.staging / "umap.tsv", kept, project(features["embedding"], seed=seed))
    run.publish(
        metric=benchmark.metric,
        kind=items.kind,
        classes=list(items.classes),
        counts={"genes": len(items), "left_out": len(genes) - len(items)},
        parameters=sum(parameter.numel() for parameter in network.parameters()),
    )


def _embed(network: HyenaDNA, items: LabelledSet) -> list[Vectors]:
    """Return the mean state of each gene body, over its windows if it is longer than one."""
    _log.info("embedding %d genes, %d nucleotides", len(items), items.lengths.sum())
    sequences = ((name, items.sequences[row]) for row, name in enumerate(items.ids))
    return list(embed_sequences(network, sequences, pooling="mean", batch_tokens=BATCH_TOKENS))


def _stack(vectors: list[Vectors]) -> NDArray[np.float32]:
    """Return (N, D)."""
    return np.concatenate([of.values for of in vectors])


def _cross_validate(
    items: LabelledSet, features: dict[str, NDArray[np.float32]], run: Run
) -> Scores:
    """Return out-of-fold probabilities of every method, and log its metrics."""
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=run.identity.seed)
    kmers = kmer_features(items.sequences, KMER_LENGTH)
    scores: Scores = {}
    values: dict[str, list[float]] = {}
    for fold, (fit, test) in enumerate(folds.split(items.labels, items.labels), start=1):
        train, held_out = items.take(fit), items.take(test)
        kmer = KmerClassifier.fit(kmers[fit], train, k=KMER_LENGTH, c=KMER_PENALTY)
        of_fold: Scores = {
            "majority": majority(train, held_out),
            "length": by_length(train, held_out),
            "kmer": kmer.predict(kmers[test]),
        }
        for name, matrix in features.items():
            for suffix, classifier in _classifiers(run.identity.seed):
                classifier.fit(matrix[fit], train.labels)
                of_fold[name + suffix] = classifier.predict_proba(matrix[test])
        for method, of in of_fold.items():
            scores.setdefault(method, np.zeros((len(items), len(items.classes))))[test] = of
            reached = score(held_out.labels, of, "single")
            run.log(fold, "fold", {f"{method}.{name}": value for name, value in reached.items()})
            for name, value in reached.items():
                values.setdefault(f"{method}.{name}", []).append(value)
    run.log(0, "test", {name: float(np.mean(of)) for name, of in values.items()})
    run.log(0, "test", {f"{name}.sd": float(np.std(of, ddof=1)) for name, of in values.items()})
    return scores


def _classifiers(seed: int) -> Iterator[tuple[str, Any]]:
    """Yield the suffix of a method's name and its untrained classifier."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    yield "", HistGradientBoostingClassifier(**TREES, early_stopping=False, random_state=seed)
    yield "_logistic", make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def _write_map(path: Path, genes: list[Gene], plane: NDArray[np.float32]) -> None:
    """Write where each gene lies in the plane, (N, 2)."""
    import pandas as pd

    table = pd.DataFrame(genes)[["gene_id", "gene_name", "gene_type"]]
    with atomic_write(path) as part:
        table.assign(x=plane[:, 0], y=plane[:, 1]).to_csv(part, sep="\t", index=False)


def project(features: NDArray[np.float32], *, seed: int) -> NDArray[np.float32]:
    """Lay features (N, D) out in the plane by UMAP, (N, 2)."""
    from umap import UMAP  # compiles for seconds on import

    # One thread: with several, UMAP is not the same twice.
    neighbours = min(15, len(features) - 1)
    plane: NDArray[np.float32] = UMAP(
        n_neighbors=neighbours, random_state=seed, n_jobs=1
    ).fit_transform(features)
    return plane
