"""Scores by group of targets, and by length of the windows, beside published ones."""

import pytest
from drawn_figures import figures_of, said, table_of

HEADER = (
    "benchmark\tmodel\tparameters\tmetric\tvalue\tspread\tspread_is\tprotocol\tsource\tremarks\n"
)
CHROMATIN = "deepsea\tDeepSEA\t40M\tauroc_median.TF\t0.958\t\t\tpaper\tA\t\n"
SPECIES = (
    "species_1k\tHyenaDNA\t\taccuracy\t0.611\t\t\tpaper\tA\t\n"
    "species_1m\tHyenaDNA\t\taccuracy\t0.995\t\t\tpaper\tA\t\n"
    "species_9m\tHyenaDNA\t\taccuracy\t0.999\t\t\tpaper\tA\t\n"
)


@pytest.fixture
def published(tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "chromatin_profile.tsv").write_text(HEADER + CHROMATIN)
    (folder / "species.tsv").write_text(HEADER + SPECIES)
    return folder


@pytest.fixture
def chromatin(tmp_path, tree):
    """Two seeds and baselines with medians of two groups."""
    multi = {"metric": "auroc_median", "kind": "multi", "counts": {"test": 9}}
    medians = {"auroc_median": 0.9, "auroc_median.TF": 0.94, "auroc_median.HM": 0.86}
    for seed in (0, 1):
        rows = [(1, "test", name, value + 0.02 * seed) for name, value in medians.items()]
        tree.run(tmp_path / f"results/finetune/m/deepsea/seed{seed}", rows, **multi)
    rows = [(0, "test", f"kmer.{name}", value - 0.2) for name, value in medians.items()]
    tree.run(tmp_path / "results/baselines/deepsea", rows, **multi)
    return tmp_path / "results"


@pytest.fixture
def species(tmp_path, tree):
    """Benchmarks of three lengths, whose names do not sort by them."""
    for benchmark, score in {"species_1m": 0.97, "species_1k": 0.6, "species_32k": 0.9}.items():
        for seed in (0, 1):
            rows = [(1, "test", "accuracy", score + 0.01 * seed)]
            directory = tmp_path / f"results/finetune/m/{benchmark}/seed{seed}"
            tree.run(directory, rows, metric="accuracy", counts={"test": 9})
    return tmp_path / "results"


def test_each_group_has_our_mean_and_the_best_baseline(chromatin):
    figure = figures_of(chromatin)["groups.deepsea.m"]
    rows = table_of(figure)
    assert ["deepsea", "m", "fine-tuned", "TF", "0.95", "0.014142136", "2"] in rows
    assert ["deepsea", "m", "k-mer counts (best baseline)", "HM", "0.66", "", "1"] in rows
    assert "TF / fine-tuned: 0.950 ± 0.014, n = 2" in said(figure)
    assert (figure.benchmark, figure.model) == ("deepsea", "m")
    assert "published" not in figure.caption


def test_published_medians_stand_beside_ours(chromatin, published):
    figure = figures_of(chromatin, published)["groups.deepsea.m"]
    assert "TF / DeepSEA (40M), published: 0.958" in said(figure)
    assert "As published" in figure.caption or "as published" in figure.caption
    assert any(source.endswith("chromatin_profile.tsv") for source in figure.sources)


def test_a_benchmark_without_groups_has_no_such_figure(tmp_path, tree):
    rows = [(1, "test", "auroc_median", 0.9)]
    tree.run(tmp_path / "finetune/m/b/seed0", rows, metric="auroc_median", kind="multi")
    assert not any(name.startswith("groups") for name in figures_of(tmp_path))


def test_lengths_ascend_whatever_their_names(species):
    figure = figures_of(species)["by-length.species"]
    assert figure.drawing.plot["layout"]["xaxis"]["ticktext"] == ["1k", "32k", "1m"]
    texts = [text for text in said(figure) if "fine-tuned" in text]
    assert texts == [
        f"{name} / m, fine-tuned: {score} ± 0.007, n = 2"
        for name, score in (
            ("species_1k", "0.605"),
            ("species_32k", "0.905"),
            ("species_1m", "0.975"),
        )
    ]


def test_published_scores_of_the_lengths_that_were_run_stand_beside(species, published):
    figure = figures_of(species, published)["by-length.species"]
    assert "species_1m / HyenaDNA, published: 0.995" in said(figure)
    assert "species_9m" not in figure.data


def test_one_length_alone_has_no_figure(tmp_path, tree):
    tree.run(tmp_path / "finetune/m/species_1k/seed0", [(1, "test", "accuracy", 0.6)])
    assert "by-length.species" not in figures_of(tmp_path)
