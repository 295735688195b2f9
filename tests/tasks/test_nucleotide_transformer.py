"""Family nucleotide_transformer: sequences with labels, as CSV or FASTA."""

import gzip
from pathlib import Path

import pandas as pd
import pytest
from small_files import write_table

from hyenadna.errors import InputError
from hyenadna.tasks import Benchmark
from hyenadna.tasks.nucleotide_transformer import has_validation, load

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


@pytest.mark.parametrize("word", ["valid", "validation", "val", "dev"])
def test_a_third_file_is_the_validation_split(tmp_path, word):
    for split in ("train", "test", word):
        write_table(tmp_path / f"{split}.csv.gz", HEADER, "AC,0", f"{'ACGT'[: len(split)]},1")
    assert has_validation(benchmark_of(tmp_path))
    assert load(benchmark_of(tmp_path), "valid").lengths.tolist() == [2, len(word[:4])]


def test_no_other_file_is_taken_for_validation(tmp_path):
    for split in ("intervals_train", "device_test"):
        write_table(tmp_path / f"{split}.csv.gz", HEADER, "AC,0", "AC,1")
    assert not has_validation(benchmark_of(tmp_path))


def test_a_fasta_header_without_a_label_is_refused(tmp_path):
    for split in ("train", "test"):
        (tmp_path / f"{split}.fa").write_text(">a|0\nAC\n>b|\nAC\n")
    with pytest.raises(InputError, match=r"train.fa, line 3: no label behind the last '\|'"):
        load(benchmark_of(tmp_path), "train")


TASKS = {
    "enhancers": 2,
    "enhancers_types": 3,
    **dict.fromkeys(["promoter_all", "promoter_no_tata", "promoter_tata"], 2),
    **dict.fromkeys(["H3", "H3K4me1", "H3K4me2", "H3K4me3", "H3K9ac", "H3K14ac"], 2),
    **dict.fromkeys(["H3K36me3", "H3K79me3", "H4", "H4ac"], 2),
    **dict.fromkeys(["splice_sites_acceptors", "splice_sites_donors"], 2),
    "splice_sites_all": 3,
}
"""Classes of each published task."""


@pytest.mark.parametrize("name", TASKS)
def test_every_published_task_reads_alike_from_csv_and_fasta(shared_data, tmp_path, name):
    folder = shared_data / "nucleotide_transformer" / name
    # Train is read for its classes, in either form.
    train = pd.read_csv(folder / "train.csv.gz").drop_duplicates("label")
    test = pd.read_csv(folder / "test.csv.gz")
    for split, table in (("train", train), ("test", test)):
        rows = zip(table.index, table["label"], table["sequence"], strict=True)
        text = "".join(f">{name}_{row}|{label}\n{sequence}\n" for row, label, sequence in rows)
        (tmp_path / f"{name}_{split}.fna").write_text(text)
    for data in (folder, tmp_path):
        items = load(benchmark_of(data), "test")
        assert items.classes == tuple(map(str, range(TASKS[name])))
        assert items.labels.tolist() == test["label"].tolist()
        assert list(items.sequences) == test["sequence"].str.upper().tolist()
        assert items.lengths.tolist() == test["sequence"].str.len().tolist()
