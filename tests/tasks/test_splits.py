"""Splits of a benchmark: what is trained on, selected on, and tested on."""

import pytest

from hyenadna.errors import InputError
from hyenadna.tasks.splits import checksums, load, load_splits


@pytest.fixture(params=["intervals_benchmark", "chromatin_benchmark"])
def benchmark(request):
    return request.getfixturevalue(request.param)


def test_validation_is_never_the_test_split(benchmark):
    splits = load_splits(benchmark, validation_fraction=0.2, seed=0)
    ids = {name: set(items.ids) for name, items in splits.items()}
    assert all(ids.values())
    assert not ids["valid"] & ids["test"]
    assert not ids["train"] & ids["valid"]
    assert ids["test"] == set(load(benchmark, "test").ids)


def test_validation_cut_from_train_has_its_share_of_each_class(intervals_benchmark):
    splits = load_splits(intervals_benchmark, validation_fraction=0.25, seed=0)
    assert [sum(splits["valid"].labels == label) for label in (0, 1)] == [30, 30]
    assert len(splits["train"]) == 180


def test_a_published_validation_split_leaves_train_whole(chromatin_benchmark):
    splits = load_splits(chromatin_benchmark, validation_fraction=0.25, seed=0)
    assert splits["train"].ids == load(chromatin_benchmark, "train").ids
    assert splits["valid"].ids == load(chromatin_benchmark, "valid").ids


def test_a_metric_of_the_other_kind_of_labels_is_refused(chromatin_benchmark):
    benchmark = chromatin_benchmark.replace(metric="mcc")
    with pytest.raises(InputError, match="metric mcc is not for multi-label sets; choose one of"):
        load_splits(benchmark, validation_fraction=0.1, seed=0)


def test_biotypes_have_no_splits(intervals_benchmark):
    with pytest.raises(InputError, match="hyenadna biotypes"):
        load(intervals_benchmark.replace(family="biotypes"), "train")


def test_every_file_that_items_are_read_from_is_in_the_checksums(intervals_benchmark, genomes):
    files = checksums(intervals_benchmark)
    tables = {
        intervals_benchmark.data / s / f"{c}.csv.gz"
        for s in ("train", "test")
        for c in ("rich", "poor")
    }
    assert set(files) == tables | {genomes.fasta("rich"), genomes.fasta("poor")}
    species = intervals_benchmark.replace(family="species", data=None)
    assert genomes.fasta("rich").with_name("intervals.bed") in checksums(species)


def test_a_genome_that_is_not_there_is_named(intervals_benchmark, tmp_path):
    benchmark = intervals_benchmark.replace(genomes={"": tmp_path / "x" / "genome.fa"})
    with pytest.raises(InputError, match=r"x/genome\.fa is not there"):
        checksums(benchmark)


def test_a_folder_of_many_files_has_one_checksum(intervals_benchmark, tmp_path, monkeypatch):
    monkeypatch.setattr("hyenadna.tasks.splits.MOST_FILES", 3)
    for number in range(4):
        (tmp_path / f"{number}.txt").write_text("ACGT" * number)
    benchmark = intervals_benchmark.replace(data=tmp_path)
    first = checksums(benchmark)
    assert tmp_path in first
    assert not any(path.suffix == ".txt" for path in first)
    (tmp_path / "0.txt").write_text("A")
    assert checksums(benchmark)[tmp_path] != first[tmp_path]
