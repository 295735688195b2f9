"""Family genomic_benchmarks: interval tables, one per class."""

import gzip
from pathlib import Path

import pandas as pd
import pytest
from small_files import write_genome, write_table

from hyenadna.errors import InputError
from hyenadna.genome import reverse_complement
from hyenadna.tasks import Benchmark
from hyenadna.tasks.genomic_benchmarks import load

HEADER = "id,region,start,end,strand"


def benchmark_of(genomes, data: Path) -> Benchmark:
    return Benchmark(
        name="b",
        family="genomic_benchmarks",
        data=data,
        genomes={"": genomes.fasta("rich")},
        metric="accuracy",
    )


@pytest.fixture
def data(tmp_path):
    """Classes zebra and apple, one good interval each in train and test."""
    for split in ("train", "test"):
        for name in ("zebra", "apple"):
            write_table(tmp_path / split / f"{name}.csv.gz", HEADER, "0,chr1,10,40,+")
    return tmp_path


def test_sequences_are_those_of_the_class_genome_and_strand(intervals_benchmark, genomes):
    items = load(intervals_benchmark, "train")
    assert items.classes == ("poor", "rich")
    for row in (0, 1, 120, 121):
        name, number = items.ids[row].split("/1000-")
        start = 1_000 + 60 * int(number)
        expected = genomes.sequences[name]["chr1"][start : start + 60]
        if int(number) % 2:
            expected = reverse_complement(expected)
        assert items.sequences[row] == expected
        assert items.classes[items.labels[row]] == name


def test_class_numbers_do_not_depend_on_directory_order(genomes, data, monkeypatch):
    listed = Path.iterdir
    for order in (False, True):
        # As a file system may list them: one way in train, the other in test.
        monkeypatch.setattr(
            Path,
            "iterdir",
            lambda path, order=order: iter(
                sorted(listed(path), reverse=order ^ (path.name == "test"))
            ),
        )
        for split in ("train", "test"):
            items = load(benchmark_of(genomes, data), split)
            assert items.classes == ("apple", "zebra")
            assert [items.classes[label] + "/0" for label in items.labels] == items.ids


def test_an_empty_strand_is_the_forward_one(genomes, data):
    write_table(data / "train/apple.csv.gz", HEADER, "0,chr1,10,40,", "1,chr1,10,40,+")
    items = load(benchmark_of(genomes, data), "train")
    assert items.sequences[0] == items.sequences[1]


def test_lengths_are_kept_as_they_are(genomes, data):
    write_table(data / "train/apple.csv.gz", HEADER, "0,chr1,10,13,+", "1,chr1,10,4786,+")
    items = load(benchmark_of(genomes, data), "train")
    assert items.lengths.tolist() == [3, 4776, 30]
    assert [len(sequence) for sequence in items.sequences] == [3, 4776, 30]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("7,chr9,10,40,+", "line 3: chr9:10-40.*no such region"),
        ("7,chr1,11990,12001,+", "line 3: chr1:11990-12001.*off its region"),
        ("7,chr1,-1,40,+", "line 3: chr1:-1-40.*off its region"),
        ("7,chr1,40,40,+", "line 3: chr1:40-40.*empty"),
        ("7,chr1,10,40,.", r"line 3: chr1:10-40\(.\): strand must be"),
        ("7,chr1,ten,40,+", "line 3: start is 'ten'"),
    ],
)
def test_what_cannot_be_cut_is_refused_with_its_line(genomes, data, row, complaint):
    write_table(data / "test/apple.csv.gz", HEADER, "0,chr1,10,40,+", row)
    with pytest.raises(InputError, match=f"apple.csv.gz, {complaint}"):
        load(benchmark_of(genomes, data), "test")


def test_train_and_test_must_have_the_same_classes(genomes, data):
    (data / "test/zebra.csv.gz").rename(data / "test/zebu.csv.gz")
    with pytest.raises(InputError, match="train has classes apple, zebra and test has apple, zebu"):
        load(benchmark_of(genomes, data), "train")


def test_a_class_without_a_genome_is_named(genomes, data):
    benchmark = benchmark_of(genomes, data).replace(genomes={"apple": genomes.fasta("rich")})
    with pytest.raises(InputError, match="no genome for class 'zebra'; column genomes holds apple"):
        load(benchmark, "train")


def test_published_intervals_give_the_published_sequences(shared_data, tmp_path):
    """Real intervals in the first 25 Mb of chr20, against the sequences of the published set."""
    with gzip.open(shared_data / "genome/chr20_chr22.hg38lift.fa.gz", "rb") as file:
        lines = file.read(25_000_000).splitlines()
    fasta = write_genome(tmp_path / "genome", {"chr20": b"".join(lines[1:]).decode()})
    end = sum(map(len, lines[1:]))
    checked = 0
    for name in ("human_nontata_promoters", "human_enhancers_cohn", "human_ocr_ensembl"):
        published = pd.read_csv(shared_data / f"genomic_benchmarks/sequences/{name}/test.csv.gz")
        published["key"] = published["label_name"] + "/" + published["id"].astype(str)
        expected = published.set_index("key")[["sequence", "label"]]
        for split in ("train", "test"):
            for source in (shared_data / f"genomic_benchmarks/intervals/{name}/test").iterdir():
                table = pd.read_csv(source, dtype=str, keep_default_na=False)
                inside = (table["region"] == "chr20") & (table["end"].astype(int) < end)
                rows = [",".join(row) for row in table[inside][HEADER.split(",")].to_numpy()]
                write_table(tmp_path / name / split / source.name, HEADER, *rows)
        benchmark = Benchmark(
            name=name,
            family="genomic_benchmarks",
            data=tmp_path / name,
            genomes={"": fasta},
            metric="accuracy",
        )
        items = load(benchmark, "test")
        for row, key in enumerate(items.ids):
            if key in expected.index:
                assert items.sequences[row] == expected.loc[key, "sequence"]
                assert items.labels[row] == expected.loc[key, "label"]
                checked += 1
    assert checked > 100
