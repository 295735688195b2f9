"""Labelled sets, regions cut when asked for, and the shared readers of tables and FASTA."""

import gzip
import re
from dataclasses import replace

import numpy as np
import pysam
import pytest

from hyenadna.data.labelled import (
    LabelledSet,
    Regions,
    find_table,
    integers,
    read_fasta,
    read_table,
    table_stems,
)
from hyenadna.errors import InputError
from hyenadna.genome import Genome, reverse_complement


def regions(genome: Genome, *spans: tuple[str, int, int, str]) -> Regions:
    contigs, starts, ends, strands = zip(*spans, strict=True)
    return Regions(
        genomes=(genome,),
        source=np.zeros(len(spans), dtype=np.int64),
        contigs=np.array(contigs, dtype=object),
        starts=np.array(starts),
        ends=np.array(ends),
        reverse=np.array([strand == "-" for strand in strands]),
    )


def labelled(labels: list[int]) -> LabelledSet:
    count = len(labels)
    classes = tuple(map(str, range(max(labels) + 1)))
    ids = [f"item{row}" for row in range(count)]
    lengths = np.full(count, 4)
    return LabelledSet(ids, ["ACGT"] * count, lengths, np.array(labels), classes, "single")


def test_regions_are_the_bases_of_their_contig(small_fasta, small_sequences):
    cut = regions(Genome(small_fasta), ("chr2", 5, 75, "+"), ("chr1", 100, 140, "-"))
    assert cut[0] == small_sequences["chr2"][5:75].upper()
    assert cut[1] == reverse_complement(small_sequences["chr1"][100:140].upper())


def test_a_region_off_its_contig_is_filled_with_n_on_the_side_that_is_missing(
    small_fasta, small_sequences
):
    whole = small_sequences["scaffold_3"].upper()
    spans = [(-3, 10, "+"), (-3, 10, "-"), (40, 52, "+"), (40, 52, "-"), (-1, 48, "+")]
    cut = regions(Genome(small_fasta), *(("scaffold_3", *span) for span in spans))
    assert cut[0] == "NNN" + whole[:10]
    assert cut[1] == reverse_complement(whole[:10]) + "NNN"
    assert cut[2] == whole[40:] + "NNNNN"
    assert cut[3] == "NNNNN" + reverse_complement(whole[40:])
    assert cut[4] == "N" + whole + "N"
    assert cut.count_padded() == 5


def test_unknown_bases_can_be_left_out_of_regions(small_fasta, small_sequences):
    spans = [("chr1", 0, 4000, "+"), ("chr1", 0, 4000, "-")]
    cut = replace(regions(Genome(small_fasta), *spans), known_only=True).take(np.array([0, 1]))
    known = re.sub("[^ACGT]", "", small_sequences["chr1"][:4000].upper())
    assert list(cut) == [known, reverse_complement(known)]
    assert len(known) < 3000


def test_regions_can_be_iterated(small_fasta):
    cut = regions(Genome(small_fasta), ("chr2", 0, 9, "+"), ("chr2", 9, 18, "+"))
    assert [len(sequence) for sequence in cut] == [9, 9]


def test_taking_rows_keeps_items_together(small_fasta):
    cut = regions(Genome(small_fasta), *(("chr2", 7 * i, 7 * i + 7, "+") for i in range(5)))
    ids = [f"item{i}" for i in range(5)]
    items = LabelledSet(ids, cut, np.full(5, 7), np.arange(5), tuple("abcde"), "single")
    taken = items.take(np.array([3, 1])).take(np.array([1]))
    assert (taken.ids, taken.labels.tolist()) == (["item1"], [1])
    assert taken.sequences[0] == cut[1]


def test_holding_out_parts_every_class_and_nothing_is_in_both():
    items = labelled([0] * 50 + [1] * 10 + [2] * 2)
    rest, held = items.hold_out(0.1, seed=3)
    assert sorted(rest.ids + held.ids) == sorted(items.ids)
    assert np.bincount(held.labels).tolist() == [5, 1, 1]
    assert np.bincount(rest.labels).tolist() == [45, 9, 1]


def test_what_is_held_out_depends_on_the_seed_alone():
    items = labelled([0] * 50 + [1] * 50)
    held = [items.hold_out(0.2, seed=seed)[1].ids for seed in (1, 1, 2)]
    assert held[0] == held[1] != held[2]


def test_fasta_records_come_whole_and_in_order(tmp_path):
    text = b"\n>a first|0\nACgt\nRY\n\n>b\r\nNN\r\n>c x\nA"
    plain, zipped = tmp_path / "x.fa", tmp_path / "x.fa.gz"
    plain.write_bytes(text)
    zipped.write_bytes(gzip.compress(text))
    records = list(read_fasta(plain))
    assert [(r.header, r.sequence, r.line) for r in records] == [
        ("a first|0", "ACgtRY", 2),
        ("b", "NN", 6),
        ("c x", "A", 8),
    ]
    assert list(read_fasta(zipped)) == records


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no sequence in it"),
        ("ACGT\n>a\nAC\n", "line 1: not FASTA"),
        (">a\nACGT\n>\nAC\n", "line 3: a sequence without a name"),
        (">a\nACGT\n>b\n>c\nAC\n", "line 3: 'b' has no sequence"),
        (">a\nACGT\n>b\n", "line 3: 'b' has no sequence"),
        (">a\nACGT\n+\nIIII\n", "line 3: '+' is not a sequence of nucleotides"),
        (">a\nAC GT\n", "line 2: 'AC GT' is not a sequence of nucleotides"),
        (">a\nMKLV\n", "line 2: 'MKLV' is not a sequence of nucleotides"),
    ],
)
def test_what_is_no_fasta_is_refused_with_its_line(tmp_path, text, complaint):
    path = tmp_path / "x.fa"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(complaint)):
        list(read_fasta(path))


@pytest.mark.parametrize("compress", [gzip.compress, None], ids=["gzip", "bgzip"])
def test_a_fasta_cut_short_is_noticed(tmp_path, compress):
    # Long enough for several bgzip blocks; bgzip text cut between two unpacks without an error.
    rng = np.random.default_rng(0)
    text = "".join(f">s{i}\n{''.join(rng.choice(list('ACGT'), 1000))}\n" for i in range(200))
    path = tmp_path / "x.fa.gz"
    if compress is None:
        with pysam.BGZFile(str(path), "w") as file:
            file.write(text.encode())
        cut = path.read_bytes().rindex(b"\x1f\x8b\x08\x04", 0, -30)
    else:
        path.write_bytes(gzip.compress(text.encode()))
        cut = path.stat().st_size // 2
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match="cut short"):
        list(read_fasta(path))


def test_a_table_is_read_as_it_is_written(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"id,name\n007,NA\n8,\n"))
    assert read_table(path, ("id", "name")).to_numpy().tolist() == [["007", "NA"], ["8", ""]]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not a CSV table"),
        (b"id,name\n", "no rows"),
        (b"id,label\n1,2\n", "no column 'name'"),
        (b"id,name\n1,2,3\n4,5,6,7\n", "not a CSV table"),
        (b"id,name\n\xff\xfe,2\n", "not a CSV table"),
    ],
)
def test_a_malformed_table_is_refused(tmp_path, content, complaint):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"x.csv: {complaint}"):
        read_table(path, ("id", "name"))


def test_a_table_cut_short_is_noticed(tmp_path):
    path = tmp_path / "x.csv.gz"
    whole = gzip.compress(b"id,name\n" + np.random.default_rng(0).bytes(9999).hex().encode())
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="truncated"):
        read_table(path, ("id", "name"))


def test_a_value_that_is_no_integer_is_refused_with_its_line(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("start\n1\n2.5\n")
    with pytest.raises(InputError, match=r"line 3: start is '2.5'"):
        integers(read_table(path, ("start",)), "start", path=path)


def test_two_tables_of_one_class_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    assert find_table(tmp_path, "a").name == "a.csv"
    (tmp_path / "a.csv.gz").write_bytes(b"")
    assert table_stems(tmp_path) == ["a"]
    with pytest.raises(InputError, match="both exist"):
        find_table(tmp_path, "a")
