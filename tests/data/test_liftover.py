"""Liftover: hand-made chains with both strands, and the public chain against public coordinates."""

import gzip
import re
import socket

import numpy as np
import pandas as pd
import pysam
import pytest

from hyenadna.data.liftover import Lift, Lifted, Unlifted, lift_coordinates
from hyenadna.errors import InputError
from hyenadna.genome import Genome, reverse_complement

# chrA 1000-1300 lies on the minus strand of chrB (300 of 2000 bases from its end on), 5 bases of
# chrA and 8 of chrB without a counterpart in the middle. chrA 2000-2400 lies on the plus strand
# of chr_new, and 2300-2400 once more on chrB.
CHAINS = """\
chain 100 chrA 5000 + 1000 1305 chrB 2000 - 300 608 1
100\t5\t8
200

chain 90 chrA 5000 + 2000 2400 chr_new 900 + 50 450 2
400

chain 80 chrA 5000 + 2300 2400 chrB 2000 + 1800 1900 3
100

chain 70 chrA 5000 + 2500 2600 chrB 2000 + 0 100 4
100

"""


@pytest.fixture
def chain(tmp_path):
    path = tmp_path / "aToB.chain"
    path.write_text(CHAINS)
    return path


def test_an_interval_of_a_minus_chain_swaps_its_ends_and_flips_its_strand(chain):
    lift = Lift(chain)
    assert lift.interval("chrA", 1000, 1100) == Lifted("chrB", 1600, 1700, "-")
    assert lift.interval("chrA", 1010, 1011, "-") == Lifted("chrB", 1689, 1690, "+")


def test_an_interval_of_a_plus_chain_keeps_its_strand(chain):
    assert Lift(chain).interval("chrA", 2100, 2200, "-") == Lifted("chr_new", 150, 250, "-")


@pytest.mark.parametrize(
    ("interval", "why"),
    [
        (("chrA", 900, 1050), Unlifted.unmapped),
        (("chrA", 1050, 1103), Unlifted.unmapped),
        (("chrA", -5, 1050), Unlifted.unmapped),
        (("A", 1000, 1100), Unlifted.unmapped),
        (("chrA", 2250, 2301), Unlifted.several),
        (("chrA", 1050, 2200), Unlifted.contigs),
        (("chrA", 1050, 2550), Unlifted.apart),
        (("chrA", 1050, 1150), Unlifted.length),
    ],
)
def test_an_interval_without_one_counterpart_is_not_lifted(chain, interval, why):
    assert Lift(chain).explain(*interval) is why
    assert Lift(chain).interval(*interval) is None


def test_ends_in_the_wrong_order_are_not_an_interval(tmp_path):
    path = tmp_path / "swapped.chain"
    path.write_text(
        "chain 9 chrA 500 + 0 100 chrB 500 + 200 300 1\n100\n\n"
        "chain 8 chrA 500 + 100 200 chrB 500 + 100 200 2\n100\n\n"
    )
    assert Lift(path).explain("chrA", 50, 150) is Unlifted.apart


def test_a_tolerated_change_of_length_is_lifted(chain):
    assert Lift(chain, tolerance=3).interval("chrA", 1050, 1150) == Lifted("chrB", 1547, 1650, "-")
    assert Lift(chain, tolerance=2).interval("chrA", 1050, 1150) is None


def test_lifted_intervals_have_the_same_bases(chain, tmp_path):
    letters = np.random.default_rng(0).choice(list("ACGT"), 7_000)
    a, b = "".join(letters[:5000]), "".join(letters[5000:])
    b = b[:1392] + reverse_complement(a[1000:1100] + "N" * 8 + a[1105:1305]) + b[1700:]
    for name, sequence in (("chrA", a), ("chrB", b)):
        (tmp_path / f"{name}.fa").write_text(f">{name}\n{sequence}\n")
        pysam.faidx(str(tmp_path / f"{name}.fa"))
    one, other = Genome(tmp_path / "chrA.fa"), Genome(tmp_path / "chrB.fa")
    lift = Lift(chain)
    for start in (*range(1000, 1061), *range(1105, 1265, 7)):
        for strand in "+-":
            lifted = lift.interval("chrA", start, start + 40, strand)
            assert other.fetch(*lifted) == one.fetch("chrA", start, start + 40, strand)


def test_nothing_is_looked_up_on_the_web(monkeypatch, chain, tmp_path):
    def refuse(*given):
        raise AssertionError(given)

    monkeypatch.setattr(socket, "socket", refuse)
    assert Lift(chain).interval("chrA", 1000, 1100)
    with pytest.raises(InputError, match="no such file; chain files are given by path"):
        Lift(tmp_path / "hg19ToHg38.over.chain.gz")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b">chr1\nACGT\n", id="FASTA"),
        pytest.param(CHAINS.encode()[:90], id="cut_short"),
        pytest.param(gzip.compress(CHAINS.encode())[:99], id="compressed_and_cut_short"),
    ],
)
def test_a_file_that_is_no_whole_chain_file_is_refused(tmp_path, content):
    path = tmp_path / "bad.chain.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{re.escape(str(path))}: (not a whole|no) chain"):
        Lift(path)


def test_rows_lift_with_all_their_other_columns(tmp_path, caplog):
    caplog.set_level("INFO")
    chain = tmp_path / "c.chain"
    chain.write_text(CHAINS.replace("chrA", "chr3").replace("chrB", "chrX"))
    table = tmp_path / "train_a_coords_targets.csv"
    table.write_text(
        "module,Chr_No,Start,End,y_a,y_b\n"
        "m1,2,1000,1100,0,1\nm2,2,2000,2100,1,1\nm3,2,1050,1150,1,0\nm4,2,2510,2520,1,\n"
    )
    out = lift_coordinates(table, chain, tmp_path / "train_b_coords_targets.csv.gz")
    assert gzip.decompress(out.read_bytes()).decode() == (
        "module,Chr_No,Start,End,y_a,y_b\nm1,22,1600,1700,0,1\nm4,22,10,20,1,\n"
    )
    assert (
        "2 windows lifted, 1 of them to the minus strand; left out: 1 as the length changes; "
        "1 as Chr_No has no number for the contig"
    ) in caplog.text


def test_contigs_by_name_lift_to_any_contig(chain, tmp_path):
    table = tmp_path / "in.csv"
    table.write_text("chrom,Start,End,y_a\nchrA,2000,2100,1\n")
    out = lift_coordinates(table, chain, tmp_path / "out.csv")
    assert out.read_text() == "chrom,Start,End,y_a\nchr_new,50,150,1\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("chrom,Start,End,y_a\nchrA,1000,1100,1\nchrA,1000,1100\n", "line 3: 3 fields between"),
        ("chrom,Start,End,y_a\nchrA,1000,x,1\n", "line 2: 'x' is not an integer"),
        ("chrom,Start,End,y_a\nchrA,1100,1100,1\n", "line 2: start 1100 must be below end 1100"),
        ("Chr_No,Start,End,y_a\n24,1000,1100,1\n", "line 2: Chr_No is 24; 0 (chr1) to 23"),
        ("Start,End,y_a\n1000,1100,1\n", "no column 'chrom' and 'Chr_No'"),
        ("Chr_No,chrom,Start,End\n0,chr1,1000,1100\n", "both columns 'chrom' and 'Chr_No'"),
        ("chrom,End,y_a\nchrA,1100,1\n", "no column 'Start'"),
        ("chrom,Start,End,y_a\nchrZ,1000,1100,1\n", "not one row lifts"),
    ],
)
def test_a_malformed_table_leaves_no_file(chain, tmp_path, text, complaint):
    table, out = tmp_path / "in.csv", tmp_path / "out.csv"
    table.write_text(text)
    with pytest.raises(InputError, match=re.escape(complaint)):
        lift_coordinates(table, chain, out)
    assert not out.exists()


def test_a_table_that_is_cut_short_is_refused(chain, tmp_path):
    table = tmp_path / "in.csv.gz"
    table.write_bytes(gzip.compress(b"chrom,Start,End,y_a\nchrA,1000,1100,1\n" * 99)[:-9])
    with pytest.raises(InputError, match="damaged or cut short"):
        lift_coordinates(table, chain, tmp_path / "out.csv")


def test_public_windows_lift_to_their_public_coordinates(shared_data, tmp_path):
    folder = shared_data / "chromatin_profile"
    chain = shared_data / "genome/hg38ToHg19.chr20_chr22.chain.gz"
    out = tmp_path / "test_hg19_coords_targets.csv.gz"
    lift_coordinates(folder / "test_hg38_coords_targets.csv.gz", chain, out)
    assert pd.read_csv(out).equals(pd.read_csv(folder / out.name))
