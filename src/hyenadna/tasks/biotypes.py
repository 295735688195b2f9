"""Biotypes: what the frozen embedding of a gene tells of its kind, and maps of the genes.

N genes, C biotypes, D width.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import LabelledSet
from hyenadna.errors import InputError
from hyenadna.files import atomic_write, sha256
from hyenadna.genome import Genome
from hyenadna.inference.embed import embed_sequences
from hyenadna.inference.embedders import Embedder, load_embedder
from hyenadna.inference.other_models import KmerTransformer
from hyenadna.inference.vectors import Vectors, write_vectors
from hyenadna.model.device import resolve_device
from hyenadna.tasks.base import Benchmark
from hyenadna.tasks.baselines import by_length, majority
from hyenadna.tasks.genes import Gene, as_labelled_set, most_frequent, on_genome, read_genes
from hyenadna.tasks.kmers import KmerModel, kmer_features
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
    benchmark: Benchmark,
    *,
    weights: Path | None,
    transformer: str | None = None,
    out: Path,
    seed: int,
    device: str = "auto",
) -> Path:
    """Embed genes, map them, predict their biotype by cross-validation, and return `out`.

    `metrics.tsv` has at step 0, split test, `<method>.<metric>` and `<method>.<metric>.sd`, mean
    and standard deviation over folds; at step i, split fold, the metrics of fold i. Methods:
    embedding (gradient boosting, as in the paper) and embedding_logistic; random and
    random_logistic, the same on an untrained network of this size; majority, length and kmer.
    `umap.tsv` and `tsne.tsv` are maps of the embeddings.

    The paper scores once, on genes up to 160,000 nucleotides; here every gene of its ten most
    frequent biotypes is in, held out once in five folds, and embedded over all its windows. How
    many are longer than one is in `run.json` (counts, beyond_window).

    Args:
        benchmark: of family biotypes: a GTF of genes, and their genome.
        weights: frozen HyenaDNA; or
        transformer: folder or hub name of a Nucleotide Transformer or DNABERT.
        out, device: directory to write, and what computes.
        seed: fixes folds, untrained network, boosting and maps.
    """
    if benchmark.family != "biotypes" or benchmark.metric not in METRICS["single"]:
        raise InputError(
            f"benchmark {benchmark.name}: biotypes needs family biotypes, not {benchmark.family}, "
            f"and a metric of {', '.join(METRICS['single'])}"
        )
    place = resolve_device(device)
    embedder = load_embedder(weights, transformer, device=place)
    identity = Identity(
        stage="biotypes",
        seed=seed,
        settings={
            "benchmark": benchmark.identity(),
            "model": embedder.settings,
            "biotypes": BIOTYPES,
            "folds": FOLDS,
            "boosting": TREES,
            "kmer_length": KMER_LENGTH,
            "kmer_penalty": KMER_PENALTY,
            "maps": list(MAPS),
            "seed": seed,
        },
        data=checksums(benchmark) | _checksums(embedder, weights),
        benchmark=benchmark.name,
    )
    with Run(out, identity, device=place) as run:
        if not run.finished:
            _evaluate(benchmark, embedder, run)
    return out


def _checksums(embedder: Embedder, weights: Path | None) -> dict[Path, str]:
    """Return the SHA-256 of every file that the network was loaded from."""
    if weights is not None:
        return weight_checksums(weights)
    assert isinstance(embedder, KmerTransformer)
    return {path: sha256(path) for path in embedder.snapshot.files}


def _evaluate(benchmark: Benchmark, embedder: Embedder, run: Run) -> None:
    seed = run.identity.seed
    gtf, genome = benchmark.directory(), Genome(benchmark.genome_of(""))
    genes = on_genome(read_genes(gtf), genome, source=gtf)
    kept = most_frequent(genes, biotypes=BIOTYPES, min_genes=FOLDS)
    items = as_labelled_set(kept, genome)
    vectors = _embed(embedder, items)
    features = {
        "embedding": _stack(vectors),
        "random": _stack(_embed(embedder.untrained(seed), items)),
    }
    scores = _cross_validate(items, features, run)
    write_vectors(
        run.staging / "embeddings.parquet", vectors, width=embedder.width, per_token=False
    )
    write_predictions(run.staging / "predictions.parquet", items, scores)
    for name, project in MAPS.items():
        plane = project(features["embedding"], seed=seed)
        _write_map(run.staging / f"{name}.tsv", kept, plane)
    run.publish(
        metric=benchmark.metric,
        kind=items.kind,
        classes=list(items.classes),
        counts={
            "genes": len(items),
            "left_out": len(genes) - len(items),
            "beyond_window": int((items.lengths > embedder.window).sum()),
        },
        parameters=embedder.parameters,
    )


def _embed(embedder: Embedder, items: LabelledSet) -> list[Vectors]:
    """Return the mean state of each gene body, over its windows if it is longer than one."""
    _log.info("embedding %d genes, %d nucleotides", len(items), items.lengths.sum())
    sequences = ((name, items.sequences[row]) for row, name in enumerate(items.ids))
    return list(embed_sequences(embedder, sequences, pooling="mean", batch_tokens=BATCH_TOKENS))


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
        # Boosting takes minutes a fold, or hours for a whole annotation.
        _log.info("fold %d of %d: fitting to %d genes", fold, FOLDS, len(fit))
        train, held_out = items.take(fit), items.take(test)
        kmer = KmerModel.fit(kmers[fit], train, k=KMER_LENGTH, c=KMER_PENALTY)
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


def umap(features: NDArray[np.float32], *, seed: int) -> NDArray[np.float32]:
    """Lay features (N, D) out in the plane by UMAP, (N, 2)."""
    from umap import UMAP  # compiles for seconds on import

    # One thread: with several, UMAP is not the same twice.
    neighbours = min(15, len(features) - 1)
    plane: NDArray[np.float32] = UMAP(
        n_neighbors=neighbours, random_state=seed, n_jobs=1
    ).fit_transform(features)
    return plane


def tsne(features: NDArray[np.float32], *, seed: int) -> NDArray[np.float32]:
    """Lay features (N, D) out in the plane by t-SNE, as the paper's figure does, (N, 2)."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(30.0, (len(features) - 1) / 3)
    with threadpool_limits(1):  # with several threads, sums are not the same twice
        plane: NDArray[np.float32] = TSNE(
            perplexity=perplexity, init="pca", random_state=seed
        ).fit_transform(features)
    return plane


MAPS = {"umap": umap, "tsne": tsne}
"""By name of the file, ways to lay embeddings out in the plane."""
