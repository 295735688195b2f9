"""Tables of windows from peaks: tiny hand-made peaks, and two public ones against brute force."""

import gzip
import re

import numpy as np
import pandas as pd
import pysam
import pytest

from hyenadna.data.peaks import BinRule, chromatin_tables
from hyenadna.errors import InputError
from hyenadna.genome import Genome, prepare_fasta, read_intervals

RULE = BinRule(size=20, window=100)


@pytest.fixture
def genome(tmp_path):
    letters = np.random.default_rng(0).choice(list("ACGT"), 4_000)
    letters[1_000:1_500] = "N"
    fasta = tmp_path / "genome.fa"
    fasta.write_text(f">chr1\n{''.join(letters[:3000])}\n>chrX\n{''.join(letters[3000:])}\n")
    pysam.faidx(str(fasta))
    return fasta


@pytest.fixture
def splits(tmp_path):
    bed = tmp_path / "splits.bed"
    bed.write_text("chr1\t0\t1500\ttrain\nchr1\t1500\t2000\ttrain\nchr1\t2000\t3000\tvalid\n")
    with bed.open("a") as file:
        file.write("chrX\t0\t1000\ttest\n")
    return bed


@pytest.fixture
def peaks(tmp_path):
    """Two factors and one mark; `list.tsv` has their groups."""
    (tmp_path / "a.bed").write_text("chr1\t200\t240\nchr1\t1490\t1511\tpeak\t7\nchrX\t500\t520\n")
    with gzip.open(tmp_path / "b.narrowPeak.gz", "wt") as file:
        file.write("chr1\t1980\t2000\nchr1\t2500\t2520\nchr1\t211\t220\nchr1\t0\t20\n")
    (tmp_path / "m.bed").write_text("chr1\t220\t300\nchr1\t600\t620\n")
    (tmp_path / "list.tsv").write_text(
        "target\tgroup\tfile\na\tTF\ta.bed\nb\tTF\tb.narrowPeak\nm\tHM\tm.bed\n"
    )
    return tmp_path / "list.tsv"


def read(out, split):
    return pd.read_csv(out / f"{split}_hg38_coords_targets.csv.gz")


def test_bins_with_a_peak_of_the_group_become_windows_with_all_labels(
    genome, splits, peaks, tmp_path, caplog
):
    caplog.set_level("INFO")
    rule = BinRule(size=20, window=100, keep="TF")
    out = chromatin_tables(
        peaks, genome=genome, splits=splits, assembly="hg38", out=tmp_path / "out", rule=rule
    )
    train = read(out, "train")
    assert train.columns.tolist() == ["Chr_No", "Start", "End", "y_a", "y_b", "y_m"]
    assert train.to_numpy().tolist() == [
        [0, 160, 260, 1, 0, 0],
        [0, 180, 280, 1, 0, 1],
        [0, 1460, 1560, 1, 0, 0],
    ]
    assert read(out, "val").to_numpy().tolist() == [[0, 2460, 2560, 0, 1, 0]]
    assert read(out, "test").to_numpy().tolist() == [[22, 460, 560, 1, 0, 0]]
    assert (out / "targets.tsv").read_text() == "target\tgroup\na\tTF\nb\tTF\nm\tHM\n"
    assert "3 train, 1 valid, 1 test; left out: 2 across a border of splits" in caplog.text


def test_any_peak_keeps_its_bin_if_no_group_is_asked_for(genome, splits, peaks, tmp_path):
    files = {"a": tmp_path / "a.bed", "b": tmp_path / "b.narrowPeak.gz", "m": tmp_path / "m.bed"}
    out = chromatin_tables(
        files, genome=genome, splits=splits, assembly="hg38", out=tmp_path / "out", rule=RULE
    )
    assert read(out, "train").Start.tolist() == [160, 180, 200, 220, 240, 560, 1460]
    assert not (out / "targets.tsv").exists()


def test_contigs_without_a_number_are_named(genome, splits, peaks, tmp_path):
    for path in (genome, splits, tmp_path / "a.bed"):
        path.write_text(path.read_text().replace("chrX", "scaffold"))
    pysam.faidx(str(genome))
    out = chromatin_tables(
        peaks, genome=genome, splits=splits, assembly="hg38", out=tmp_path / "out", rule=RULE
    )
    assert read(out, "test").to_numpy().tolist() == [["scaffold", 460, 560, 1, 0, 0]]


def test_empty_bins_have_no_peak_and_no_gap_and_depend_on_the_seed(genome, splits, peaks, tmp_path):
    tables = {}
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        rule = BinRule(size=20, window=100, empty=3.0, seed=seed)
        out = chromatin_tables(
            peaks, genome=genome, splits=splits, assembly="hg38", out=tmp_path / name, rule=rule
        )
        tables[name] = pd.concat([read(out, split) for split in ("train", "val", "test")])
    assert tables["one"].equals(tables["same"])
    assert not tables["one"].equals(tables["other"])
    empty = tables["one"][tables["one"].filter(like="y_").sum(axis=1) == 0]
    assert len(empty) == 3 * (len(tables["one"]) - len(empty))
    contigs = empty.Chr_No.map({0: "chr1", 22: "chrX"})
    read_bases = Genome(genome).fetch
    assert not any(
        "N" in read_bases(*window) for window in zip(contigs, empty.Start, empty.End, strict=True)
    )


def test_tables_of_a_split_that_is_no_more_are_removed_and_others_stay(
    genome, splits, peaks, tmp_path
):
    out = tmp_path / "out"
    out.mkdir()
    for name in ("val_hg38_coords_targets.csv.gz", "val_hg19_coords_targets.csv.gz"):
        (out / name).touch()
    splits.write_text("chr1\t0\t2000\ttrain\n")
    chromatin_tables(peaks, genome=genome, splits=splits, assembly="hg38", out=out, rule=RULE)
    assert sorted(path.name for path in out.iterdir()) == [
        "targets.tsv",
        "train_hg38_coords_targets.csv.gz",
        "val_hg19_coords_targets.csv.gz",
    ]


def test_a_split_without_a_window_leaves_no_file(genome, splits, peaks, tmp_path):
    splits.write_text("chr1\t0\t2000\ttrain\nchr1\t2700\t3000\ttest\n")
    with pytest.raises(InputError, match="no bin with a peak has its window within test"):
        chromatin_tables(
            peaks, genome=genome, splits=splits, assembly="hg38", out=tmp_path / "out", rule=RULE
        )
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("listing", "keep", "complaint"),
    [
        ("target\tgroup\na\tTF\n", "TF", "target 'a' has no file of peaks"),
        ("target\tfile\na\ta.bed\n", "TF", "no target is in group 'TF'"),
        ("target\tfile\na\tz.bed\n", None, "z.bed: no such file"),
    ],
)
def test_a_list_that_cannot_be_is_refused(genome, splits, peaks, listing, keep, complaint):
    peaks.write_text(listing)
    rule = BinRule(keep=keep)
    with pytest.raises(InputError, match=re.escape(complaint)):
        chromatin_tables(
            peaks, genome=genome, splits=splits, assembly="hg38", out=peaks.parent, rule=rule
        )


def test_the_same_peaks_give_the_same_bytes_under_any_name(genome, splits, peaks, tmp_path):
    written = []
    for name in ("hg38.p14", "other"):
        out = tmp_path / name
        chromatin_tables(peaks, genome=genome, splits=splits, assembly=name, out=out, rule=RULE)
        written.append((out / f"train_{name}_coords_targets.csv.gz").read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("name", ["", "hg 38", "../hg38"])
def test_an_assembly_whose_name_no_file_can_have_is_refused(genome, splits, peaks, tmp_path, name):
    with pytest.raises(InputError, match="letters, digits and any of"):
        chromatin_tables(peaks, genome=genome, splits=splits, assembly=name, out=tmp_path)


def test_splits_without_names_are_refused(genome, splits, peaks, tmp_path):
    splits.write_text("chr1\t0\t2000\n")
    with pytest.raises(InputError, match=r"splits\.bed: no interval is of train, valid, test"):
        chromatin_tables(peaks, genome=genome, splits=splits, assembly="hg38", out=tmp_path)


@pytest.mark.parametrize("sizes", [(200, 100), (0, 100), (200, 1001)])
def test_a_bin_lies_in_the_middle_of_its_window(sizes):
    with pytest.raises(InputError, match="a bin lies in the middle of its window"):
        BinRule(*sizes)


def test_peaks_that_are_cut_short_are_refused(genome, splits, peaks, tmp_path):
    packed = tmp_path / "b.narrowPeak.gz"
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(InputError, match=re.escape(f"{packed}: damaged or cut short")):
        chromatin_tables(
            peaks, genome=genome, splits=splits, assembly="hg38", out=tmp_path / "out", rule=RULE
        )


def test_labels_of_public_peaks_equal_a_count_of_bases(shared_data, tmp_path):
    fasta = prepare_fasta(
        shared_data / "genome/chr20_chr22.hg38lift.fa.gz", tmp_path / "hg38/genome.fa"
    )
    files = {
        name: shared_data / f"chromatin_profile/{name}.chr20_chr22.hg38.narrowPeak.gz"
        for name in ("ctcf", "znf263")
    }
    splits = tmp_path / "splits.bed"
    lengths = Genome(fasta).contigs
    splits.write_text(f"chr20\t0\t{lengths['chr20']}\ttrain\nchr22\t0\t{lengths['chr22']}\ttest\n")
    out = chromatin_tables(files, genome=fasta, splits=splits, assembly="hg38", out=tmp_path)
    for contig, number, split in (("chr20", 19, "train"), ("chr22", 21, "test")):
        labels = np.zeros((lengths[contig] // 200, 2), dtype=bool)
        for column, path in enumerate(files.values()):
            bases = np.zeros(lengths[contig], dtype=bool)
            for peak in read_intervals(path):
                if peak.contig == contig:
                    bases[peak.start : peak.end] = True
            labels[:, column] = bases[: len(labels) * 200].reshape(-1, 200).sum(axis=1) > 100
        bins = np.flatnonzero(labels.any(axis=1))
        expected = np.column_stack([bins * 200 - 400, bins * 200 + 600, labels[bins]])
        table = read(out, split)
        assert set(table.Chr_No) == {number}
        np.testing.assert_array_equal(table.drop(columns="Chr_No"), expected)
