"""Strict reads of an indexed FASTA, strands, and intervals."""

import gzip
import multiprocessing
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pysam
import pytest

from hyenadna.errors import InputError
from hyenadna.genome import (
    Genome,
    Interval,
    check_intervals,
    merge_intervals,
    read_intervals,
    reverse_complement,
)

# The bases that each IUPAC code stands for (IUPAC-IUB 1984).
IUPAC = {
    **{"A": "A", "C": "C", "G": "G", "T": "T", "N": "ACGT"},
    **{"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"},
    **{"B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG"},
}
PAIRS = {"A": "T", "C": "G", "G": "C", "T": "A"}


@pytest.fixture
def fasta(tmp_path, small_fasta):
    """A copy of the small genome that a test may damage."""
    for suffix in ("", ".fai"):
        shutil.copy2(f"{small_fasta}{suffix}", tmp_path / f"copy.fa{suffix}")
    return tmp_path / "copy.fa"


def make_index_newer(fasta):
    os.utime(f"{fasta}.fai", ns=(2**62, 2**62))


def test_every_interval_reads_as_written(small_fasta, small_sequences):
    genome = Genome(small_fasta)
    rng = np.random.default_rng(1)
    for contig, sequence in small_sequences.items():
        for _ in range(300):
            start, end = sorted(rng.choice(len(sequence) + 1, 2, replace=False).tolist())
            assert genome.read(contig, start, end) == sequence[start:end]
            assert genome.fetch(contig, start, end) == sequence[start:end].upper()


def test_minus_strand_is_the_reverse_complement(small_fasta, small_sequences):
    expected = reverse_complement(small_sequences["chr2"][100:900].upper())
    assert Genome(small_fasta).fetch("chr2", 100, 900, "-") == expected


def test_a_whole_contig_reads_end_to_end(small_fasta, small_sequences):
    genome = Genome(small_fasta)
    assert genome.contigs == {contig: len(s) for contig, s in small_sequences.items()}
    for contig, length in genome.contigs.items():
        assert genome.read(contig, 0, length) == small_sequences[contig]


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (0, 48), (47, 48), (5, 5), (9, 3), (-5, -1)])
def test_bounds_are_strict(small_fasta, start, end):
    with pytest.raises(InputError, match=rf"small\.fa: scaffold_3:{start}-{end} .* 47 nucleotides"):
        Genome(small_fasta).fetch("scaffold_3", start, end)


def test_an_unknown_contig_is_named_with_those_that_exist(small_fasta):
    with pytest.raises(InputError, match=r"small\.fa: 1:0-10: .*starts with chr1, chr2, scaffold"):
        Genome(small_fasta).fetch("1", 0, 10)


def test_an_unknown_strand_is_refused(small_fasta):
    with pytest.raises(InputError, match="strand '1'"):
        Genome(small_fasta).fetch("chr1", 0, 10, "1")


def test_a_pickled_genome_reads_on(small_fasta, small_sequences):
    genome = Genome(small_fasta)
    genome.fetch("chr1", 0, 10)
    copy = pickle.loads(pickle.dumps(genome))
    assert copy.read("chr1", 50, 150) == small_sequences["chr1"][50:150]


def test_forked_workers_read_every_window_right(tmp_path):
    """Defect B1: a handle opened before the fork gave 5 % wrong windows."""
    rng = np.random.default_rng(2)
    rows = rng.choice(np.frombuffer(b"ACGT", dtype=np.uint8), (25_000, 80))
    fasta = tmp_path / "large.fa"
    fasta.write_bytes(b">chr1\n" + b"\n".join(row.tobytes() for row in rows) + b"\n")
    pysam.faidx(str(fasta))
    truth = rows.tobytes().decode()
    genome = Genome(fasta)
    genome.fetch("chr1", 0, 100)  # opened in the parent, as a data set does on its first look
    context = multiprocessing.get_context("fork")
    together = context.Barrier(8)
    wrong = context.Array("i", [-1] * 8)

    # Short windows, as most of a read is then the gap between seek and read.
    def read_windows(worker):
        starts = np.random.default_rng((3, worker)).integers(len(truth) - 500, size=4000).tolist()
        together.wait()
        windows = [genome.fetch("chr1", start, start + 500) for start in starts]
        wrong[worker] = sum(
            window != truth[start : start + 500]
            for window, start in zip(windows, starts, strict=True)
        )

    workers = [context.Process(target=read_windows, args=(k,)) for k in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert list(wrong) == [0] * 8


def test_a_forked_worker_leaves_the_parents_file_offset_alone(small_fasta):
    """Defect B1, without the luck: what is shared is the offset."""

    def offsets():
        handles = [link for link in Path("/proc/self/fd").iterdir() if link.exists()]
        ours = [link.name for link in handles if link.samefile(small_fasta)]
        return [Path("/proc/self/fdinfo", name).read_text().split("\n")[0] for name in ours]

    genome = Genome(small_fasta)
    genome.fetch("chr1", 0, 10)
    before = offsets()
    worker = multiprocessing.get_context("fork").Process(
        target=genome.fetch, args=("chr1", 15_000, 16_000)
    )
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert len(before) == 1
    assert offsets() == before


def test_a_missing_index_is_not_built(fasta):
    Path(f"{fasta}.fai").unlink()
    with pytest.raises(InputError, match=r"index copy\.fa\.fai is missing.*hyenadna genome"):
        Genome(fasta).fetch("chr1", 0, 10)
    assert not Path(f"{fasta}.fai").exists()


def test_a_stale_index_is_not_rebuilt(fasta):
    os.utime(f"{fasta}.fai", (0, 0))
    before = Path(f"{fasta}.fai").read_bytes()
    with pytest.raises(InputError, match=r"older than the FASTA.*hyenadna genome"):
        Genome(fasta).fetch("chr1", 0, 10)
    assert Path(f"{fasta}.fai").read_bytes() == before
    assert Path(f"{fasta}.fai").stat().st_mtime == 0


@pytest.mark.parametrize("lost", [2, 40, 300, 20_000, 26_000])
def test_a_truncated_fasta_is_noticed(fasta, lost):
    os.truncate(fasta, fasta.stat().st_size - lost)
    make_index_newer(fasta)
    with pytest.raises(InputError, match=r"copy\.fa\.fai does not fit it"):
        Genome(fasta).fetch("chr1", 0, 10)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b">chr2 a", b">chr9 a"),
        (b">chr2 a", b">chr2 an a"),
        (b">chr1 a description\n", b">chr1 a description\nA"),
        (b">scaffold_3", b">extra\nACGT\n>scaffold_3"),
    ],
    ids=["renamed", "moved", "grown", "inserted"],
)
def test_a_changed_fasta_is_noticed(fasta, old, new):
    fasta.write_bytes(fasta.read_bytes().replace(old, new))
    make_index_newer(fasta)
    with pytest.raises(InputError, match=r"copy\.fa\.fai does not fit it"):
        Genome(fasta).fetch("chr1", 0, 10)


def test_a_contig_added_at_the_end_is_noticed(fasta):
    fasta.write_bytes(fasta.read_bytes() + b">extra\nACGT\n")
    make_index_newer(fasta)
    with pytest.raises(InputError, match="does not fit it"):
        Genome(fasta).fetch("chr1", 0, 10)


@pytest.mark.parametrize(
    "index", ["", "chr1\n", "chr1\t5\t6\tx\t60\n", "chr1\t20000\t20\t0\t0\n", "\x00\x01"]
)
def test_a_damaged_index_is_noticed(fasta, index):
    Path(f"{fasta}.fai").write_text(index)
    with pytest.raises(InputError, match="does not fit it"):
        Genome(fasta).fetch("chr1", 0, 10)


def test_a_missing_last_newline_is_no_damage(fasta):
    os.truncate(fasta, fasta.stat().st_size - 1)
    make_index_newer(fasta)
    assert len(Genome(fasta).fetch("scaffold_3", 0, 47)) == 47


def test_an_empty_fasta_is_refused(tmp_path):
    (tmp_path / "empty.fa").touch()
    (tmp_path / "empty.fa.fai").touch()
    with pytest.raises(InputError, match="does not fit it"):
        Genome(tmp_path / "empty.fa").fetch("chr1", 0, 10)


def test_a_missing_fasta_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.fa: no such file"):
        Genome(tmp_path / "nothing.fa").fetch("chr1", 0, 10)


def test_a_compressed_fasta_is_refused_with_the_command(tmp_path):
    (tmp_path / "x.fa.gz").write_bytes(gzip.compress(b">a\nACGT\n"))
    with pytest.raises(InputError, match=r"compressed; .*hyenadna genome .*x\.fa\.gz .*x\.fa$"):
        Genome(tmp_path / "x.fa.gz").fetch("a", 0, 1)


@pytest.mark.parametrize("code", IUPAC)
def test_iupac_codes_are_complemented(code):
    """Defect B14: the original left IUPAC codes as they were."""
    expected = {PAIRS[base] for base in IUPAC[code]}
    assert set(IUPAC[reverse_complement(code)]) == expected
    assert reverse_complement(code.lower()) == reverse_complement(code).lower()


def test_reverse_complement_reverses_and_keeps_case():
    assert reverse_complement("AACgtRyN") == "NrYacGTT"


def test_reverse_complement_twice_changes_nothing(small_sequences):
    for sequence in small_sequences.values():
        assert reverse_complement(reverse_complement(sequence)) == sequence


def test_bed_lines_become_intervals(tmp_path):
    text = "track name=x\n# comment\nchr1\t0\t10\ttrain\n\nchr2\t5\t6\n"
    (tmp_path / "a.bed").write_text(text)
    (tmp_path / "a.bed.gz").write_bytes(gzip.compress(text.replace("\n", "\r\n").encode()))
    expected = [Interval("chr1", 0, 10, "train"), Interval("chr2", 5, 6)]
    assert read_intervals(tmp_path / "a.bed") == expected
    assert read_intervals(tmp_path / "a.bed.gz") == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chr1\t5", "separated by tabs"),
        ("chr1 5 10", "separated by tabs"),
        ("chr1\t-5\t10", "whole numbers"),
        ("chr1\t1e3\t2000", "whole numbers"),
        ("chr1\t10\t10", "start 10 must be below end 10"),
        ("chr1\t10\t5", "start 10 must be below end 5"),
    ],
)
def test_a_bad_bed_line_is_named_by_number(tmp_path, line, message):
    bed = tmp_path / "bad.bed"
    bed.write_text(f"# comment\nchr1\t0\t10\n{line}\n")
    with pytest.raises(InputError, match=rf"bad\.bed, line 3: .*{message}"):
        read_intervals(bed)


def test_a_bed_without_intervals_is_refused(tmp_path):
    (tmp_path / "empty.bed").write_text("# nothing\n")
    with pytest.raises(InputError, match=r"empty\.bed: no intervals"):
        read_intervals(tmp_path / "empty.bed")


def test_intervals_off_the_genome_are_refused():
    contigs = {"chr1": 100, "chr2": 50}
    check_intervals([Interval("chr1", 0, 100), Interval("chr2", 49, 50)], contigs, source=Path("b"))
    with pytest.raises(InputError, match=r"a\.bed: chr2:0-51 is not within its contig of 50"):
        check_intervals([Interval("chr2", 0, 51)], contigs, source=Path("a.bed"))
    with pytest.raises(InputError, match=r"a\.bed: 2:0-9: .*no such contig.*chr1, chr2"):
        check_intervals([Interval("2", 0, 9)], contigs, source=Path("a.bed"))


def test_splits_that_share_a_base_are_refused():
    """Defect B5: train windows ran into valid and test intervals."""
    contigs = {"chr1": 100}
    touching = [Interval("chr1", 0, 50, "train"), Interval("chr1", 50, 60, "test")]
    check_intervals(touching, contigs, source=Path("a.bed"))
    inside = [Interval("chr1", 0, 90, "train"), Interval("chr1", 1, 5, "train")]
    with pytest.raises(InputError, match="train stretch chr1:0-90 overlaps test stretch chr1:89"):
        check_intervals([*inside, Interval("chr1", 89, 95, "test")], contigs, source=Path("a.bed"))


def test_names_in_the_fourth_column_may_overlap():
    named = [Interval("chr1", 0, 50, "geneA"), Interval("chr1", 40, 60, "geneB")]
    check_intervals(named, {"chr1": 100}, source=Path("a.bed"))


def test_touching_intervals_of_a_split_merge():
    intervals = [
        Interval("chr1", 10, 20, "train"),
        Interval("chr2", 0, 5, "train"),
        Interval("chr1", 0, 10, "train"),
        Interval("chr1", 20, 30, "test"),
        Interval("chr1", 12, 14, "train"),
        Interval("chr1", 31, 40, "train"),
    ]
    assert merge_intervals(intervals) == [
        Interval("chr1", 20, 30, "test"),
        Interval("chr1", 0, 20, "train"),
        Interval("chr1", 31, 40, "train"),
        Interval("chr2", 0, 5, "train"),
    ]


def test_published_style_intervals_fit_the_real_genome(shared_data):
    intervals = read_intervals(shared_data / "genome" / "human-sequences.bed")
    lengths = {"chr20": 64_444_167, "chr22": 50_818_468}
    check_intervals(intervals, lengths, source=Path("human-sequences.bed"))
    assert {i.split for i in intervals} == {"train", "valid", "test"}
