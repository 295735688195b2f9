"""A user's own files: every format gives the same items, and what is wrong is named by its line."""

import gzip
import re

import numpy as np
import pandas as pd
import pytest

from hyenadna.data.labelled import Regions
from hyenadna.data.tables import read_items, read_split_names
from hyenadna.errors import InputError
from hyenadna.genome import Genome, reverse_complement


def random_frame(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 60))
    return pd.DataFrame(
        {
            "id": [f"item{row}" for row in rng.permutation(count)],
            "sequence": [
                "".join(rng.choice(list("ACGTNacgt"), rng.integers(1, 90))) for _ in "x" * count
            ],
            "label": rng.choice(["a b", "c,d", 'e"f', "g;h"], count),
            "split": rng.choice(["train", "Val", "test", "dev"], count),
        }
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_table_is_the_same_items_in_every_format(tmp_path, seed, monkeypatch):
    monkeypatch.setattr("hyenadna.data.formats._PART_ROWS", 7)
    frame = random_frame(seed)
    frame.to_csv(tmp_path / "x.csv", index=False)
    frame.to_csv(tmp_path / "x.csv.gz")
    frame.to_csv(tmp_path / "x.tsv", index=False, sep="\t", lineterminator="\r\n")
    frame.rename(columns=str.upper).to_csv(tmp_path / "x.txt", index=False, sep=";", quoting=1)
    frame.to_parquet(tmp_path / "x.parquet")
    for path in tmp_path.iterdir():
        items = read_items(path, None)
        assert items.ids == frame["id"].tolist()
        assert items.sequences == frame["sequence"].str.upper().tolist()
        assert items.lengths.tolist() == frame["sequence"].str.len().tolist()
        assert items.labels.tolist() == frame["label"].tolist()
        names = {"train": "train", "Val": "valid", "test": "test", "dev": "valid"}
        assert items.splits.tolist() == frame["split"].map(names).tolist()
        assert read_split_names(path) == set(items.splits)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([0, 1, 1], np.uint8), ([True, False, True], np.uint8), ([0.25, -1.0, 3.0], np.float32)],
)
def test_columns_of_targets_are_numbers(tmp_path, values, dtype):
    frame = pd.DataFrame(
        {"sequence": ["A", "C", "G"], "label_x": values, "y_z": [0, 0, 1], "note": "?"}
    )
    frame.to_csv(tmp_path / "x.csv", index=False)
    frame.to_parquet(tmp_path / "x.parquet")
    for path in tmp_path.iterdir():
        items = read_items(path, None)
        assert items.targets == ("x", "z")
        assert items.labels.dtype == dtype
        assert items.labels.tolist() == [
            [float(x), z] for x, z in zip(values, [0, 0, 1], strict=True)
        ]


def test_targets_that_are_binary_in_one_part_only_are_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr("hyenadna.data.formats._PART_ROWS", 2)
    (tmp_path / "x.csv").write_text("sequence,y_a\nA,0\nA,1\nA,0.5\n")
    assert read_items(tmp_path / "x.csv", None).labels.tolist() == [[0], [1], [0.5]]


def test_a_column_label_is_used_alone(tmp_path):
    (tmp_path / "x.csv").write_text("sequence,label,label_name\nA,1,positive\n")
    items = read_items(tmp_path / "x.csv", None)
    assert (items.targets, items.labels.tolist()) == ((), ["1"])


def test_items_without_ids_are_named_by_their_line(tmp_path):
    (tmp_path / "x.csv").write_text("\ufeffsequence,label\nAC,a\n\nGT,b\n")
    items = read_items(tmp_path / "x.csv", None)
    assert items.ids == ["x.csv:2", "x.csv:4"]


def test_ids_that_are_unique_within_their_class_have_it_before_them(tmp_path):
    (tmp_path / "x.csv").write_text("sequence,label,id\nAC,a,1\nAC,b,1\nAC,b,2\n")
    assert read_items(tmp_path / "x.csv", None).ids == ["a/1", "b/1", "b/2"]


def test_sequences_may_be_long(tmp_path):
    (tmp_path / "x.csv").write_text('sequence,label\n"' + "ACGT" * 100_000 + '",a\n')
    assert read_items(tmp_path / "x.csv", None).lengths.tolist() == [400_000]


def test_bed_and_coordinates_are_cut_from_the_genome(tmp_path, small_fasta, small_sequences):
    (tmp_path / "x.bed").write_text(
        "track name=x\n# comment\nchr2\t5\t75\tpeak\t0\t-\t5\t75\nchr1\t9\t20\tno\n"
    )
    (tmp_path / "x.csv").write_text(
        "label,chrom,start,end,strand\npeak,chr2,5,75,-\nno,chr1,9,20,\n"
    )
    (tmp_path / "x.bed.gz").write_bytes(gzip.compress((tmp_path / "x.bed").read_bytes()))
    for path in tmp_path.iterdir():
        items = read_items(path, Genome(small_fasta))
        assert isinstance(items.sequences, Regions)
        assert items.sequences[0] == reverse_complement(small_sequences["chr2"][5:75].upper())
        assert items.sequences[1] == small_sequences["chr1"][9:20].upper()
        assert items.ids == ["chr2:5-75(-)", "chr1:9-20"]
        assert items.lengths.tolist() == [70, 11]
        assert items.labels.tolist() == ["peak", "no"]


def test_a_folder_of_fasta_has_its_classes_in_its_file_names(tmp_path):
    (tmp_path / "b.fa.gz").write_bytes(gzip.compress(b">s1 chr1\nAC\nGT\n>s2\nnn\n"))
    (tmp_path / "a.1.fasta").write_text(">s1\nT\n")
    (tmp_path / "readme.md").write_text("made by hand")
    items = read_items(tmp_path, None)
    assert items.ids == ["a.1/s1", "b/s1", "b/s2"]
    assert items.labels.tolist() == ["a.1", "b", "b"]
    assert items.sequences == ["T", "ACGT", "NN"]


def test_taking_rows_keeps_items_together(tmp_path, small_fasta):
    (tmp_path / "x.csv").write_text("sequence,label,split\nA,a,test\nCC,b,train\nGGG,c,valid\n")
    (tmp_path / "x.bed").write_text("chr1\t0\t1\ta\nchr1\t0\t2\tb\nchr1\t0\t3\tc\n")
    for path, genome in ((tmp_path / "x.csv", None), (tmp_path / "x.bed", Genome(small_fasta))):
        taken = read_items(path, genome).take(np.array([2, 0]))
        assert [len(taken.sequences[row]) for row in (0, 1)] == taken.lengths.tolist() == [3, 1]
        assert taken.labels.tolist() == ["c", "a"]
        assert taken.where(0).endswith("line 4" if genome is None else "line 3")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "x.csv: empty"),
        ("sequence,label\n", "x.csv: no rows below the header"),
        ("seq,label\nAC,a\n", "x.csv: no column 'sequence'; its columns are seq, label"),
        ("sequence,class\nAC,a\n", "no column 'label' (or several, label_<target>); its columns"),
        ("contig,start,end,label\nchr1,1,2,a\n", "give the genome that they are of"),
        ("sequence,label,Label\nAC,a,b\n", "two columns are called 'label'"),
        ("sequence,label_a,y_a\nAC,1,0\n", "two columns for target 'a'"),
        ("sequence,label\nAC,a\nAC,\n", "x.csv, line 3: label is empty"),
        ("sequence,label\nAC,a\nAC\n", "x.csv, line 3: label is empty"),
        ("sequence,label\nAC,NA\n", "x.csv, line 2: label is empty (NA)"),
        ("sequence,label\nAC,a\n,b\n", "x.csv, line 3: '' is not a sequence"),
        ("sequence,label\nAC,a\nMKL,b\n", "x.csv, line 3: 'MKL' is not a sequence"),
        ("sequence,label\nAC,a,b\n", "x.csv, line 2: 3 fields, and the header has 2"),
        ('sequence,label\n"AC"G,a\n', "x.csv, line 2: not a CSV row"),
        ("sequence,y_a,y_b\nAC,0,\n", "x.csv, line 2: y_b is empty"),
        ("sequence,y_a,y_b\nAC,0,1\nAC,0,high\n", "x.csv, line 3: y_b is 'high'"),
        ("sequence,y_a,y_b\nAC,0,inf\n", "x.csv, line 2: y_b is 'inf'"),
        (
            "sequence,label,split\nAC,a,train\nAC,a,other\n",
            "line 3: split is 'other'; train, valid",
        ),
        ("sequence,label,id\nAC,a,x\nAC,a,x\n", "line 3: id 'x' was there before"),
        ("sequence,label,id\nAC,a,\n", "line 2: the id is empty"),
    ],
)
def test_a_malformed_table_is_refused_with_its_line(tmp_path, text, complaint):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(complaint)):
        read_items(path, None)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("chr9\t0\t5\ta", "line 2: chr9:0-5: the genome has no such contig (it starts with chr1"),
        (
            "scaffold_3\t40\t90\ta",
            "line 2: scaffold_3:40-90: empty, or not within its contig of 47",
        ),
        ("chr1\t7\t7\ta", "line 2: chr1:7-7: empty, or not within"),
        ("chr1\t-3\t7\ta", "line 2: start is '-3'; a whole number"),
        (
            "chr1 1 7 a",
            "line 2: 'chr1 1 7 a' is not contig, start, end and label, separated by tabs",
        ),
        ("chr1\t1\t7", "line 2: label is empty"),
        ("chr1\t1\t7\ta\t0\tx", "line 2: strand is 'x'; +, - or . is allowed"),
    ],
)
def test_a_bed_that_does_not_fit_its_genome_is_refused(tmp_path, small_fasta, line, complaint):
    path = tmp_path / "x.bed"
    path.write_text(f"chr1\t0\t9\ta\n{line}\n")
    with pytest.raises(InputError, match=re.escape(complaint)):
        read_items(path, Genome(small_fasta))


def test_a_genome_for_a_table_of_sequences_is_refused(tmp_path, small_fasta):
    (tmp_path / "x.csv").write_text("sequence,label\nAC,a\n")
    with pytest.raises(InputError, match="no column 'contig'; its columns are sequence, label"):
        read_items(tmp_path / "x.csv", Genome(small_fasta))


@pytest.mark.parametrize("name", ["x.csv.gz", "x.parquet", "x.bed.gz"])
def test_a_file_cut_short_is_noticed(tmp_path, name, small_fasta):
    frame = pd.concat([random_frame(seed) for seed in range(9)])
    path = tmp_path / name
    if name.endswith("parquet"):
        frame.to_parquet(path)
    else:
        path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=re.escape(f"{path}: ")):
        read_items(path, Genome(small_fasta) if "bed" in name else None)


def test_what_is_no_table_is_refused_with_what_would_be(tmp_path):
    for name in ("x.xlsx", "x.fa"):
        (tmp_path / name).write_text(">a\nAC\n")
        with pytest.raises(InputError, match="a folder with one FASTA per class is expected"):
            read_items(tmp_path / name, None)
    with pytest.raises(InputError, match="no such file or folder"):
        read_items(tmp_path / "y.csv", None)
    (tmp_path / "x.fa.gz").write_bytes(b"")
    with pytest.raises(InputError, match="two files of class 'x'; keep one"):
        read_items(tmp_path, None)
