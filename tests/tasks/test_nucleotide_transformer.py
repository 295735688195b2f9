"""Family nucleotide_transformer: sequences with labels, as CSV or FASTA."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from small_files import write_table

from hyenadna.errors import InputError
from hyenadna.tasks import Benchmark
from hyenadna.tasks.nucleotide_transformer import load

HEADER = "sequence,label"


def benchmark_of(data: Path) -> Benchmark:
    return Benchmark(name="b", family="nucleotide_transformer", data=data, genomes={}, metric="mcc")


def test_csv_and_both_kinds_of_fasta_header_read_alike(tmp_path):
    items = [("ACGTN", "0"), ("ccgg", "1"), ("TTRA", "0")]
    for split in ("train", "test"):
        write_table(tmp_path / f"csv/{split}.csv.gz", HEADER, *map(",".join, items))
        for kind, header in (("bar", ">s{} chr1|{}\n{}\n"), ("last", ">s{}_{}\n{}\n")):
            (tmp_path / kind).mkdir(exist_ok=True)
            text = "".join(header.format(i, y, s) for i, (s, y) in enumerate(items))
            (tmp_path / kind / f"H3_{split}.fasta").write_text(text)
    for kind in ("csv", "bar", "last"):
        read = load(benchmark_of(tmp_path / kind), "test")
        assert [read.sequences[i] for i in range(3)] == ["ACGTN", "CCGG", "TTRA"]
        assert read.labels.tolist() == [0, 1, 0]
        assert read.classes == ("0", "1")
        assert read.lengths.tolist() == [5, 4, 4]


def test_a_gzipped_fasta_is_read(tmp_path):
    for split in ("train", "test"):
        (tmp_path / f"{split}.fa.gz").write_bytes(gzip.compress(b">a|x\nAC\n>b|y\nAC\n"))
    assert load(benchmark_of(tmp_path), "test").classes == ("x", "y")


def test_numbered_labels_are_in_numeric_order(tmp_path):
    rows = [f"ACGT,{label}" for label in (10, 2, 0)]
    for split in ("train", "test"):
        write_table(tmp_path / f"{split}.csv.gz", HEADER, *rows)
    assert load(benchmark_of(tmp_path), "train").classes == ("0", "2", "10")


def test_classes_are_those_of_train_in_test_too(tmp_path):
    write_table(tmp_path / "train.csv.gz", HEADER, "AC,0", "AC,1", "AC,2")
    write_table(tmp_path / "test.csv.gz", HEADER, "AC,2")
    items = load(benchmark_of(tmp_path), "test")
    assert (items.classes, items.labels.tolist()) == (("0", "1", "2"), [2])


@pytest.mark.parametrize(
    ("train", "test", "complaint"),
    [
        (["AC,0", "AC,1"], ["AC,2"], "test.csv.gz: label '2' is not in train"),
        (["AC,0", "A-C,1"], ["AC,1"], "train.csv.gz, line 3: 'A-C' is not a sequence"),
        (["AC,0", ",1"], ["AC,1"], "train.csv.gz, line 3: '' is not a sequence"),
        (["AC,0", "AC,"], ["AC,1"], "train.csv.gz, line 3: the label is empty"),
        (["AC,0"], ["AC,0"], "train has one label, '0'"),
    ],
)
def test_malformed_items_are_refused(tmp_path, train, test, complaint):
    write_table(tmp_path / "train.csv.gz", HEADER, *train)
    write_table(tmp_path / "test.csv.gz", HEADER, *test)
    with pytest.raises(InputError, match=complaint):
        load(benchmark_of(tmp_path), "test")


def test_a_missing_or_doubtful_file_is_named(tmp_path):
    write_table(tmp_path / "train.csv.gz", HEADER, "AC,0", "AC,1")
    with pytest.raises(InputError, match=r"one test file .* is expected: none"):
        load(benchmark_of(tmp_path), "test")
    write_table(tmp_path / "old_train.csv.gz", HEADER, "AC,0")
    with pytest.raises(InputError, match=r"old_train.csv.gz and train.csv.gz; keep one"):
        load(benchmark_of(tmp_path), "train")


def test_a_published_set_can_be_read(shared_data):
    items = load(benchmark_of(shared_data / "nucleotide_transformer/enhancers_types"), "test")
    assert items.classes == ("0", "1", "2")
    assert set(items.lengths.tolist()) == {200}
    assert np.bincount(items.labels).min() > 50
