"""Family species: windows of several genomes, told apart."""

from itertools import pairwise

import numpy as np
import pytest
from small_files import random_sequence, write_genome

from hyenadna.errors import InputError
from hyenadna.genome import read_intervals
from hyenadna.tasks import Benchmark, species
from hyenadna.tasks.species import load


@pytest.fixture
def benchmark(genomes) -> Benchmark:
    return Benchmark(
        name="b",
        family="species",
        genomes={name: genomes.fasta(name) for name in ("rich", "poor")},
        metric="accuracy",
        length=100,
    )


def spans(items) -> list[tuple[str, str, int, int]]:
    split = [name.replace("/", ":").replace("-", ":").split(":") for name in items.ids]
    return [(label, contig, int(start), int(end)) for label, contig, start, end in split]


def test_no_window_is_cut_short_or_filled_up(benchmark, genomes):
    for split in ("train", "valid", "test"):
        items = load(benchmark, split)
        for row, (label, contig, start, end) in enumerate(spans(items)):
            assert end - start == 100
            assert items.sequences[row] == genomes.sequences[label][contig][start:end]
            intervals = read_intervals(genomes.fasta(label).with_name("intervals.bed"))
            assert any(
                (i.contig, i.split) == (contig, split) and i.start <= start and end <= i.end
                for i in intervals
            )


def test_the_last_whole_window_of_an_interval_is_used(benchmark):
    # chr1:9000-12000 holds thirty windows to the last base of the contig.
    assert ("rich", "chr1", 11_900, 12_000) in spans(load(benchmark, "test"))


def test_no_base_is_in_two_windows(benchmark):
    for label in ("rich", "poor"):
        starts = sorted(
            (c, s) for name, c, s, _ in spans(load(benchmark, "train")) if name == label
        )
        gaps = [b[1] - a[1] for a, b in pairwise(starts) if a[0] == b[0]]
        assert min(gaps) >= 100


def test_each_class_has_the_same_number_of_windows(tmp_path, benchmark, genomes):
    fasta = write_genome(
        tmp_path / "short", {"c": random_sequence(950, gc=0.5, seed=9)}, "c\t0\t950\ttrain\n"
    )
    items = load(benchmark.replace(genomes=benchmark.genomes | {"a": fasta}), "train")
    assert items.classes == ("a", "poor", "rich")
    assert np.bincount(items.labels).tolist() == [9, 9, 9]


def test_windows_rich_in_n_are_skipped(benchmark):
    items = load(benchmark, "train")
    known = [100 - items.sequences[row].count("N") for row in range(len(items))]
    assert min(known) >= 95
    # 500 to 800 of chr1 is N.
    assert not any(contig == "chr1" and 500 <= s < 800 for _, contig, s, _ in spans(items))


def test_windows_are_the_same_each_time_and_drawn_from_everywhere(benchmark, monkeypatch):
    monkeypatch.setitem(species.MAX_WINDOWS, "train", 20)
    first, again = load(benchmark, "train"), load(benchmark, "train")
    assert first.ids == again.ids
    assert np.bincount(first.labels).tolist() == [20, 20]
    assert {contig for _, contig, _, _ in spans(first)} == {"chr1", "chr2"}


def test_a_split_without_windows_is_named(benchmark, tmp_path):
    fasta = write_genome(tmp_path / "g", {"c": "ACGT" * 50}, "c\t0\t99\tvalid\nc\t99\t200\ttrain\n")
    with pytest.raises(InputError, match="a has no window for valid"):
        load(benchmark.replace(genomes=benchmark.genomes | {"a": fasta}), "valid")


def test_one_genome_is_not_enough(benchmark, genomes):
    with pytest.raises(InputError, match="class=genome for two classes"):
        load(benchmark.replace(genomes={"": genomes.fasta("rich")}), "train")
