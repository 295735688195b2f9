"""Biotypes told from frozen embeddings, and the map of the genes."""

import importlib
import itertools
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from small_files import random_sequence, write_genome

from hyenadna.errors import InputError
from hyenadna.files import read_json
from hyenadna.genome import Genome
from hyenadna.model.backbone import HyenaDNA
from hyenadna.tasks import Benchmark, biotypes
from hyenadna.tasks.biotypes import tsne, umap
from hyenadna.tasks.genes import as_labelled_set, read_genes
from hyenadna.tasks.metrics import METRICS
from hyenadna.tokenizer import encode

METHODS = {
    "embedding",
    "embedding_logistic",
    "random",
    "random_logistic",
    "majority",
    "length",
    "kmer",
}


@pytest.fixture(scope="module")
def weights(tiny_model, tmp_path_factory) -> Path:
    torch.manual_seed(0)
    directory = tmp_path_factory.mktemp("weights")
    HyenaDNA(tiny_model).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory) -> Benchmark:
    """Twelve genes rich in G and C, twelve poor, three of a rare kind; 30 to 200 nucleotides."""
    directory = tmp_path_factory.mktemp("genes")
    rng = np.random.default_rng(0)
    kinds = ["rich", "poor"] * 12 + ["rare"] * 3
    lengths = rng.integers(30, 200, size=len(kinds))
    share = {"rich": 0.7, "poor": 0.3, "rare": 0.5}
    bodies = [
        random_sequence(length, gc=share[kind], seed=row)
        for row, (kind, length) in enumerate(zip(kinds, lengths, strict=True))
    ]
    fasta = write_genome(directory / "genome", {"c": "".join(bodies)})
    ends = lengths.cumsum()
    lines = [
        f"c\tX\tgene\t{end - length + 1}\t{end}\t.\t{'+-'[row % 2]}\t.\t"
        f'gene_id "G{row}"; gene_type "{kinds[row]}"; gene_name "N{row}";\n'
        for row, (end, length) in enumerate(zip(ends, lengths, strict=True))
    ]
    (directory / "genes.gtf").write_text("".join(lines))
    return Benchmark(
        name="genes",
        family="biotypes",
        data=directory / "genes.gtf",
        genomes={"": fasta},
        metric="f1_weighted",
    )


@pytest.fixture(scope="module")
def module():
    """The module, which the package hides behind its function, with few trees and a quick map."""
    found = importlib.import_module("hyenadna.tasks.biotypes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(found.TREES, "max_iter", 20)
        # UMAP compiles for longer than all of these tests take.
        patch.setitem(found.MAPS, "umap", lambda features, seed: features[:, :2] + seed)
        yield found


@pytest.fixture(scope="module")
def out(module, benchmark, weights, tmp_path_factory) -> Path:
    return biotypes(benchmark, weights=weights, out=tmp_path_factory.mktemp("out"), seed=0)


def test_genes_of_rare_biotypes_are_left_out_and_counted(out):
    run = read_json(out / "run.json")
    assert (run["counts"]["genes"], run["counts"]["left_out"]) == (24, 3)
    assert run["classes"] == ["poor", "rich"]
    assert (run["stage"], run["metric"]) == ("biotypes", "f1_weighted")


def test_genes_longer_than_the_window_are_counted(out, benchmark, tiny_model):
    lengths = [gene.end - gene.start for gene in read_genes(benchmark.data)[:24]]
    longer = sum(length > tiny_model.max_seq_len for length in lengths)
    assert 0 < longer < 24
    assert read_json(out / "run.json")["counts"]["beyond_window"] == longer


@pytest.mark.parametrize("name", ["umap", "tsne"])
def test_each_map_has_a_place_for_every_gene(out, name):
    plane = pd.read_csv(out / f"{name}.tsv", sep="\t")
    assert list(plane) == ["gene_id", "gene_name", "gene_type", "x", "y"]
    assert list(plane["gene_id"]) == [f"G{row}" for row in range(24)]
    assert np.isfinite(plane[["x", "y"]]).all(axis=None)


def test_each_gene_has_an_embedding_and_a_place_on_the_map(out):
    embeddings = pd.read_parquet(out / "embeddings.parquet")
    plane = pd.read_csv(out / "umap.tsv", sep="\t")
    assert list(embeddings["id"]) == list(plane["gene_id"]) == [f"G{row}" for row in range(24)]
    vectors = np.stack(embeddings["embedding"])
    assert vectors.shape == (24, 16)
    np.testing.assert_allclose(plane["x"], vectors[:, 0], rtol=1e-5)


def test_a_long_gene_is_the_mean_over_its_windows(out, benchmark, weights):
    embeddings = pd.read_parquet(out / "embeddings.parquet").set_index("id")
    network = HyenaDNA.from_pretrained(weights).eval()
    items = as_labelled_set(read_genes(benchmark.data), Genome(benchmark.genome_of("")))
    row = int(items.lengths[:24].argmax())
    ids = torch.from_numpy(encode(items.sequences[row]))
    longest = network.config.max_seq_len
    with torch.no_grad():
        states = [network.hidden_states(part[None])[0] for part in ids.split(longest)]
    expected = torch.cat(states).mean(dim=0).numpy()
    assert len(states) > 2
    np.testing.assert_allclose(embeddings.loc[f"G{row}", "embedding"], expected, atol=1e-5)


def test_every_gene_is_predicted_once_by_each_method_out_of_fold(out):
    predictions = pd.read_parquet(out / "predictions.parquet")
    assert set(predictions["method"]) == METHODS
    assert (predictions.groupby("method")["id"].nunique() == 24).all()
    assert len(predictions) == 24 * len(METHODS)


def test_metrics_are_mean_and_spread_over_the_folds(out):
    rows = pd.read_csv(out / "metrics.tsv", sep="\t")
    folds = rows[rows["split"] == "fold"].pivot_table(index="step", columns="name", values="value")
    test = rows[rows["split"] == "test"].set_index("name")["value"]
    assert list(folds.index) == [1, 2, 3, 4, 5]
    assert set(folds) == {f"{method}.{name}" for method in METHODS for name in METRICS["single"]}
    np.testing.assert_allclose(test[list(folds)], folds.mean(), rtol=1e-5)
    np.testing.assert_allclose(test[[f"{n}.sd" for n in folds]], folds.std(), atol=1e-6)


def test_composition_shows_in_the_embedding(out):
    rows = pd.read_csv(out / "metrics.tsv", sep="\t")
    test = rows[rows["split"] == "test"].set_index("name")["value"]
    assert test["embedding_logistic.f1_weighted"] > 0.9
    assert test["kmer.f1_weighted"] > 0.9
    assert test["majority.f1_weighted"] < 0.5


def test_shuffled_biotypes_score_at_chance(module, benchmark, weights, tmp_path):
    text = benchmark.data.read_text().splitlines()[:24]
    kinds = np.random.default_rng(1).permutation(["rich", "poor"] * 12)
    shuffled = tmp_path / "genes.gtf"
    shuffled.write_text(
        "".join(
            re.sub("rich|poor", kind, line) + "\n" for kind, line in zip(kinds, text, strict=True)
        )
    )
    out = biotypes(benchmark.replace(data=shuffled), weights=weights, out=tmp_path / "out", seed=0)
    rows = pd.read_csv(out / "metrics.tsv", sep="\t")
    test = rows[rows["split"] == "test"].set_index("name")["value"]
    assert test["embedding.accuracy"] < 0.75
    assert test["embedding_logistic.accuracy"] < 0.75


def test_a_run_is_the_same_each_time(module, out, benchmark, weights, tmp_path):
    again = biotypes(benchmark, weights=weights, out=tmp_path / "again", seed=0)
    for name in (
        "metrics.tsv",
        "umap.tsv",
        "tsne.tsv",
        "embeddings.parquet",
        "predictions.parquet",
    ):
        assert (again / name).read_bytes() == (out / name).read_bytes()


def test_a_benchmark_of_another_family_is_refused(benchmark, weights, tmp_path):
    with pytest.raises(InputError, match="needs family biotypes, not species"):
        biotypes(benchmark.replace(family="species"), weights=weights, out=tmp_path, seed=0)


@pytest.mark.parametrize("given", [{}, {"transformer": "x"}])
def test_one_network_is_needed(benchmark, weights, tmp_path, given):
    both = {"weights": weights, **given} if given else {"weights": None}
    with pytest.raises(InputError, match="give either the weights"):
        biotypes(benchmark, **both, out=tmp_path, seed=0)


@pytest.fixture(scope="module")
def dnabert(tmp_path_factory) -> Path:
    """BERT over overlapping 3-mers, 48 nucleotides at once, with random weights."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("dnabert")
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*marks, *map("".join, itertools.product("ACGT", repeat=3))]
    (folder / "vocab.txt").write_text("\n".join(words))
    config = transformers.BertConfig(
        vocab_size=len(words),
        max_position_embeddings=48,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    transformers.set_seed(9)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def test_another_model_gives_what_hyenadna_gives(module, benchmark, dnabert, out, tmp_path):
    other = biotypes(
        benchmark, weights=None, transformer=str(dnabert), out=tmp_path / "out", seed=0
    )
    run, ours = read_json(other / "run.json"), read_json(out / "run.json")
    assert run["files"] == ours["files"]
    assert run["counts"]["beyond_window"] > ours["counts"]["beyond_window"]
    read = {Path(file["path"]).name for file in run["data"]}
    assert read >= {"config.json", "vocab.txt", "model.safetensors"}
    methods = set(pd.read_parquet(other / "predictions.parquet")["method"])
    assert methods == METHODS
    rows = pd.read_csv(other / "metrics.tsv", sep="\t").set_index(["split", "name"])["value"]
    assert rows["test", "embedding_logistic.f1_weighted"] > 0.8


def test_a_run_with_other_weights_is_not_taken_for_the_same(module, benchmark, dnabert, tmp_path):
    copy = Path(shutil.copytree(dnabert, tmp_path / "copy"))
    given = {"weights": None, "out": tmp_path / "out", "seed": 0}
    biotypes(benchmark, transformer=str(dnabert), **given)
    first = read_json(tmp_path / "out" / "run.json")
    biotypes(benchmark, transformer=str(copy), **given)
    assert read_json(tmp_path / "out" / "run.json") == first
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    biotypes(benchmark, transformer=str(copy), **given)
    assert read_json(tmp_path / "out" / "run.json")["fingerprint"] != first["fingerprint"]


@pytest.mark.parametrize("project", [tsne, pytest.param(umap, marks=pytest.mark.slow)])
def test_a_map_is_the_same_each_time(project):
    features = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    first, again = (project(features, seed=0) for _ in range(2))
    assert first.shape == (30, 2)
    assert np.array_equal(first, again)


@pytest.mark.parametrize("project", [tsne, pytest.param(umap, marks=pytest.mark.slow)])
def test_a_map_keeps_groups_apart(project):
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 40)
    features = (rng.normal(size=(80, 8)) + 8 * group[:, None]).astype(np.float32)
    plane = project(features, seed=0)
    middles = np.stack([plane[group == of].mean(axis=0) for of in (0, 1)])
    nearest = np.linalg.norm(plane[:, None] - middles, axis=2).argmin(axis=1)
    assert np.array_equal(nearest, group)
