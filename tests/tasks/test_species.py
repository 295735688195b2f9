"""Family species: windows of several genomes, told apart."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from small_files import random_sequence, write_genome

from hyenadna.data.intervals import whole_contigs, write_intervals
from hyenadna.errors import InputError
from hyenadna.genome import Genome, prepare_fasta, read_intervals
from hyenadna.tasks import Benchmark, species
from hyenadna.tasks.base import COLUMNS, read_benchmark
from hyenadna.tasks.species import has_validation, load

SPLITS = ("train", "valid", "test")


@pytest.fixture
def benchmark(genomes) -> Benchmark:
    return Benchmark(
        name="b",
        family="species",
        genomes={name: genomes.fasta(name) for name in ("rich", "poor")},
        metric="accuracy",
        length=100,
    )


@pytest.fixture
def add_genome(benchmark, tmp_path):
    """A function that returns the benchmark with one more class `a`, of contig c."""

    def add(sequence: str, intervals: str, length: int = 100, **others: str) -> Benchmark:
        fasta = write_genome(tmp_path / "added", {"c": sequence, **others}, intervals)
        return benchmark.replace(genomes=benchmark.genomes | {"a": fasta}, length=length)

    return add


def spans(items, label=None) -> list[tuple[str, str, int, int]]:
    """Return class, contig, start and end of each item, or of those of one class."""
    regions = items.regions
    names = [items.classes[number] for number in items.labels]
    rows = zip(names, regions.contigs, regions.starts.tolist(), regions.ends.tolist(), strict=True)
    return [row for row in rows if label in (None, row[0])]


def with_gaps(length: int, *, seed: int) -> str:
    """Return random bases with unknown ones of every kind, alone and in runs of all lengths."""
    letters = np.array(list(random_sequence(length, gc=0.4, seed=seed)))
    rng = np.random.default_rng(seed)
    for start in rng.integers(0, length, 40):
        letters[start : start + int(10 ** rng.uniform(0, 2))] = rng.choice(list("NRYn"))
    letters[length // 2 : length // 2 + 300] = np.char.lower(letters[length // 2 :][:300])
    return "".join(letters)


def test_a_window_is_the_known_bases_of_its_span_and_lies_in_an_interval(benchmark, genomes):
    for split in SPLITS:
        items = load(benchmark, split)
        for row, (label, contig, start, end) in enumerate(spans(items)):
            bases = genomes.sequences[label][contig][start:end]
            assert items.sequences[row] == bases.replace("N", "")
            intervals = read_intervals(genomes.fasta(label).with_name("intervals.bed"))
            assert any(
                (i.contig, i.split) == (contig, split) and i.start <= start and end <= i.end
                for i in intervals
            )


@pytest.mark.parametrize("seed", range(5))
def test_no_unknown_base_and_no_case_gives_a_species_away(add_genome, seed):
    items = load(add_genome(with_gaps(9000, seed=seed), "c\t0\t9000\ttrain\n"), "train")
    assert {len(sequence) for sequence in items.sequences} == {100}
    assert set(items.lengths) == {100}
    assert set("".join(items.sequences)) == set("ACGT")


@pytest.mark.parametrize("seed", range(5))
def test_spans_are_disjoint_and_have_few_unknown_bases(add_genome, seed):
    sequence = with_gaps(9000, seed=seed)
    items = load(add_genome(sequence, "c\t0\t9000\ttrain\n"), "train")
    found = [(start, end) for _, _, start, end in spans(items, "a")]
    assert all(one[1] <= other[0] for one, other in pairwise(found))
    unknown = [len(re.findall("[^ACGTacgt]", sequence[start:end])) for start, end in found]
    assert max(unknown) > 0
    assert all(95 * count <= 5 * 100 for count in unknown)


def test_gaps_cost_no_more_windows_than_they_must(add_genome):
    # A window of 100 may span one N here and there, and no run of six.
    pieces = [random_sequence(length, gc=0.5, seed=length) for length in (210, 320, 470)]
    pieces[2] = "N".join(pieces[2][i : i + 50] for i in range(0, 470, 50))
    gappy = ("N" * 6).join(pieces)
    items = load(add_genome(gappy, f"c\t0\t{len(gappy)}\ttrain\n"), "train")
    assert len(spans(items, "a")) == 2 + 3 + 4


def test_the_last_whole_window_of_an_interval_is_used(benchmark):
    # chr1:9000-12000 holds thirty windows to the last base of the contig.
    assert ("rich", "chr1", 11_900, 12_000) in spans(load(benchmark, "test"))


def test_what_is_left_over_lies_between_windows_at_random(add_genome):
    contigs = {f"c{i}": random_sequence(390, gc=0.5, seed=i) for i in range(20)}
    intervals = "".join(f"{name}\t0\t390\ttrain\n" for name in contigs)
    items = load(add_genome("ACGT", intervals, **contigs), "train")
    starts = np.array([start for _, _, start, _ in spans(items, "a")]).reshape(20, 3)
    assert len(set(starts[:, 0])) > 10
    assert (starts.min(axis=0) < [20, 140, 250]).all()
    assert (starts.max(axis=0) > [50, 170, 270]).all()


def test_overlapping_and_touching_intervals_of_a_split_count_as_one(add_genome):
    one = add_genome(random_sequence(450, gc=0.5, seed=1), "c\t0\t450\ttrain\n", 200)
    whole = spans(load(one, "train"), "a")
    bed = one.genomes["a"].with_name("intervals.bed")
    bed.write_text("c\t100\t300\ttrain\nc\t0\t150\ttrain\nc\t300\t450\ttrain\n")
    assert spans(load(one, "train"), "a") == whole
    assert len(whole) == 2


def test_each_class_has_the_same_number_of_windows(add_genome):
    items = load(add_genome(random_sequence(950, gc=0.5, seed=9), "c\t0\t950\ttrain\n"), "train")
    assert items.classes == ("a", "poor", "rich")
    assert np.bincount(items.labels).tolist() == [9, 9, 9]


def test_windows_are_the_same_each_time_and_drawn_from_everywhere(benchmark, monkeypatch):
    monkeypatch.setitem(species.MAX_WINDOWS, "train", 20)
    first, again = load(benchmark, "train"), load(benchmark, "train")
    assert first.ids == again.ids
    assert np.bincount(first.labels).tolist() == [20, 20]
    assert {contig for _, contig, _, _ in spans(first)} == {"chr1", "chr2"}


def test_windows_do_not_depend_on_the_size_of_a_read(add_genome, monkeypatch):
    one = add_genome(with_gaps(9000, seed=1), "c\t0\t9000\ttrain\n")
    whole = load(one, "train").ids
    monkeypatch.setattr(species, "_BLOCK", 61)
    assert load(one, "train").ids == whole


def test_windows_of_a_contig_do_not_depend_on_other_contigs(add_genome):
    contigs = {"b": random_sequence(700, gc=0.5, seed=3), "d": random_sequence(190, gc=0.5, seed=4)}
    both = add_genome("ACGT", "b\t0\t700\ttrain\nd\t0\t190\ttrain\n", **contigs)
    with_b = spans(load(both, "train"), "a")
    both.genomes["a"].with_name("intervals.bed").write_text("d\t0\t190\ttrain\n")
    assert set(spans(load(both, "train"), "a")) == {row for row in with_b if row[1] == "d"}


def test_whole_chromosomes_make_the_splits(benchmark, tmp_path):
    for seed, name in enumerate(("one", "other")):
        contigs = {f"chr{i}": random_sequence(300, gc=0.5, seed=9 * seed + i) for i in range(4)}
        fasta = write_genome(tmp_path / name, contigs)
        intervals = whole_contigs(
            Genome(fasta).contigs, valid=["chr1"], test=["chr3"], source=fasta
        )
        write_intervals(fasta.with_name("intervals.bed"), intervals)
    pair = {name: tmp_path / name / "genome.fa" for name in ("one", "other")}
    by_split = {
        split: {contig for _, contig, _, _ in spans(load(benchmark.replace(genomes=pair), split))}
        for split in SPLITS
    }
    assert by_split == {"train": {"chr0", "chr2"}, "valid": {"chr1"}, "test": {"chr3"}}


def test_a_split_without_windows_is_named(add_genome):
    short = add_genome("ACGT" * 50, "c\t0\t99\tvalid\nc\t99\t200\ttrain\n")
    with pytest.raises(InputError, match=r"a has no window for valid; .* 100 known bases"):
        load(short, "valid")


def test_a_split_without_intervals_is_named(add_genome):
    with pytest.raises(InputError, match="a has no window for test"):
        load(add_genome("ACGT" * 50, "c\t0\t200\ttrain\n"), "test")


def test_a_split_of_gaps_is_named(add_genome):
    with pytest.raises(InputError, match="a has no window for train"):
        load(add_genome("ACGT" + "N" * 500, "c\t4\t504\ttrain\n"), "train")


def test_one_genome_is_not_enough(benchmark, genomes):
    with pytest.raises(InputError, match="class=genome for two classes"):
        load(benchmark.replace(genomes={"": genomes.fasta("rich")}), "train")


def test_species_have_a_validation_split(benchmark):
    assert has_validation(benchmark)


def described(tmp_path, genomes: dict[str, str], length: int) -> Benchmark:
    """Return a benchmark as a row of the table gives it."""
    pairs = ",".join(f"{label}={genome}" for label, genome in genomes.items())
    table = tmp_path / "benchmarks.tsv"
    row = ("real", "species", "", pairs, "accuracy", str(length))
    table.write_text("\t".join([*COLUMNS, "length"]) + "\n" + "\t".join(row) + "\n")
    return read_benchmark("real", table, tmp_path)


def test_mitochondria_of_five_species_run_by_configuration(shared_data, tmp_path):
    """One contig each, so that a BED splits it."""
    names = ("hippo", "human", "lemur", "mouse", "pig")
    for name in names:
        source = shared_data / "species" / "mito" / name / "chrMT.fa"
        fasta = prepare_fasta(source, tmp_path / name / "genome.fa")
        contig = Path(f"{fasta}.fai").read_text().split("\t")[0]
        bed = "{0}\t0\t10000\ttrain\n{0}\t10000\t13000\tvalid\n{0}\t13000\t16200\ttest\n"
        fasta.with_name("intervals.bed").write_text(bed.format(contig))
    benchmark = described(tmp_path, {name: name for name in names}, 1024)
    counts = {split: np.bincount(load(benchmark, split).labels).tolist() for split in SPLITS}
    assert counts == {"train": [9] * 5, "valid": [2] * 5, "test": [3] * 5}


def test_primates_run_by_configuration(shared_data, tmp_path):
    """Blocks of an alignment: one number is one place in all four, and goes to one split.

    Most are longer than 4,500 bases, some hold two windows.
    """
    names = ("chimp", "gorilla", "human", "orangutan")
    for name in names:
        source = shared_data / "species" / "nuclear_primates_chr22" / f"{name}.fa.gz"
        fasta = prepare_fasta(source, tmp_path / name / "genome.fa", contigs="numbered")
        held = [[f"record{i}" for i in range(first, first + 50)] for first in (351, 401)]
        contigs = Genome(fasta).contigs
        split = whole_contigs(contigs, valid=held[0], test=held[1], source=fasta)
        write_intervals(fasta.with_name("intervals.bed"), split)
    benchmark = described(tmp_path, {name: name for name in names}, 4000)
    counts = {split: np.bincount(load(benchmark, split).labels).tolist() for split in SPLITS}
    assert counts == {"train": [470] * 4, "valid": [66] * 4, "test": [75] * 4}
