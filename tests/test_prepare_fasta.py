"""The making of an indexed FASTA."""

import gzip
import os
import shutil
import tracemalloc
from pathlib import Path

import pysam
import pytest

from hyenadna import genome as genome_module
from hyenadna.errors import InputError
from hyenadna.genome import Genome, prepare_fasta


@pytest.fixture
def fasta(tmp_path, small_fasta):
    """A copy of the small genome that a test may damage."""
    for suffix in ("", ".fai"):
        shutil.copy2(f"{small_fasta}{suffix}", tmp_path / f"copy.fa{suffix}")
    return tmp_path / "copy.fa"


def bgzip(text, path):
    with pysam.BGZFile(str(path), "wb") as file:
        file.write(text)


def test_plain_gzip_and_bgzip_give_the_same_fasta(tmp_path, small_fasta):
    text = small_fasta.read_bytes()
    (tmp_path / "plain").write_bytes(text)
    (tmp_path / "gzip").write_bytes(gzip.compress(text[:5000]) + gzip.compress(text[5000:]))
    bgzip(text, tmp_path / "bgzip")
    for source in ("plain", "gzip", "bgzip"):
        out = prepare_fasta(tmp_path / source, tmp_path / "out" / f"{source}.fa")
        assert out.read_bytes() == text
        assert Path(f"{out}.fai").read_bytes() == Path(f"{small_fasta}.fai").read_bytes()
        assert Path(f"{out}.fai").stat().st_mtime_ns >= out.stat().st_mtime_ns
    assert len(list((tmp_path / "out").iterdir())) == 6


@pytest.mark.parametrize("size", [1, 2, 3, 17, 61, 4096])
def test_blocks_may_end_anywhere(tmp_path, small_fasta, monkeypatch, size):
    monkeypatch.setattr(genome_module, "_BLOCK_BYTES", size)
    out = prepare_fasta(small_fasta, tmp_path / "out.fa")
    assert out.read_bytes() == small_fasta.read_bytes()
    bad = tmp_path / "bad.fa"
    bad.write_bytes(small_fasta.read_bytes().replace(b">chr2", b">chr1"))
    with pytest.raises(InputError, match="line 336: contig 'chr1' was there before"):
        prepare_fasta(bad, out)


def test_a_prepared_fasta_reads_back(tmp_path, small_fasta, small_sequences):
    text = small_fasta.read_bytes().replace(b"\n", b"\r\n")
    (tmp_path / "dos.fa").write_bytes(text)
    genome = Genome(prepare_fasta(tmp_path / "dos.fa", tmp_path / "out.fa"))
    for contig, sequence in small_sequences.items():
        assert genome.read(contig, 0, len(sequence)) == sequence


def test_a_fasta_can_be_indexed_in_place(fasta, small_fasta):
    Path(f"{fasta}.fai").unlink()
    Genome(prepare_fasta(fasta, fasta)).fetch("chr1", 0, 10)
    assert fasta.read_bytes() == small_fasta.read_bytes()


DAMAGED = {
    "empty": (b"", "empty"),
    "text": (b"hello\nworld\n", "not FASTA; its first line must start with '>'"),
    "blank first line": (b"\n>a\nACGT\n", "not FASTA"),
    "no name": (b">a\nACGT\n>\nACGT\n", "line 3: a contig name"),
    "space before name": (b"> a\nACGT\n", "line 1: a contig name"),
    "duplicate": (b">a x\nACGT\n>b\nAC\n>a y\nAC\n", "line 5: contig 'a' was there before"),
    "digit": (b">a\nACGT\nAC1T\n", "line 3: '1' in contig 'a' is no nucleotide"),
    "gap": (b">a\nACGT\n>b\nACGT\nAC-T", "line 5: '-' in contig 'b' is no nucleotide"),
    "protein": (b">p\nMKVLE\n", "line 2: 'L' in contig 'p' is no nucleotide"),
    "late >": (b">a\nAC>GT\n", "line 2: '>' in contig 'a'"),
    "no sequence": (b">a\n>b\nACGT\n", "contig 'a' has no sequence"),
    "header only": (b">a\n", "contig 'a' has no sequence"),
    "cut header": (b">a\nACGT\n>b", "contig 'b' has no sequence"),
    "long line": (b">a\nACGT\nACG\nACGT\n", "uneven lines at line 4"),
    "longer line": (b">a\nACGT\nACGTA\n", "uneven lines at line 3"),
    "longer last line": (b">a\nACGT\nACGTA", "uneven lines at line 3"),
    "blank line": (b">a\nACGT\n\nACGT\n", "uneven lines at line 4"),
}


@pytest.mark.parametrize(("text", "message"), DAMAGED.values(), ids=DAMAGED.keys())
def test_what_is_no_nucleotide_fasta_is_refused(tmp_path, text, message):
    (tmp_path / "bad.fa").write_bytes(text)
    with pytest.raises(InputError, match=rf"bad\.fa(, |: ){message}"):
        prepare_fasta(tmp_path / "bad.fa", tmp_path / "out.fa")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.fa"]


@pytest.mark.parametrize("kept", [5, 0.3, -9, -1])
def test_a_truncated_gzip_is_refused(tmp_path, small_fasta, kept):
    data = gzip.compress(small_fasta.read_bytes())
    cut = int(len(data) * kept) if isinstance(kept, float) else kept
    (tmp_path / "cut.fa.gz").write_bytes(data[:cut])
    with pytest.raises(InputError, match=r"cut\.fa\.gz: damaged or cut short"):
        prepare_fasta(tmp_path / "cut.fa.gz", tmp_path / "out.fa")


def test_a_corrupt_gzip_is_refused(tmp_path, small_fasta):
    data = bytearray(gzip.compress(small_fasta.read_bytes()))
    data[-6] ^= 1  # in the checksum
    (tmp_path / "bad.fa.gz").write_bytes(data)
    with pytest.raises(InputError, match=r"bad\.fa\.gz: damaged or cut short"):
        prepare_fasta(tmp_path / "bad.fa.gz", tmp_path / "out.fa")


def test_a_bgzip_cut_between_blocks_is_refused(tmp_path, small_fasta):
    bgzip(small_fasta.read_bytes(), tmp_path / "cut.fa.gz")
    os.truncate(tmp_path / "cut.fa.gz", (tmp_path / "cut.fa.gz").stat().st_size - 28)
    with pytest.raises(InputError, match=r"cut\.fa\.gz: cut short"):
        prepare_fasta(tmp_path / "cut.fa.gz", tmp_path / "out.fa")


def test_a_failure_leaves_the_old_fasta_and_index(tmp_path, fasta, small_sequences):
    (tmp_path / "bad.fa").write_bytes(b">a\nACGT\n>a\nACGT\n")
    with pytest.raises(InputError):
        prepare_fasta(tmp_path / "bad.fa", fasta)
    assert Genome(fasta).read("chr1", 0, 100) == small_sequences["chr1"][:100]
    assert {path.name for path in tmp_path.iterdir()} == {"bad.fa", "copy.fa", "copy.fa.fai"}


def test_a_new_fasta_is_never_seen_with_the_old_index(fasta, monkeypatch):
    replace = Path.replace

    def fail_at_the_index(path, target):
        if target.suffix == ".fai":
            raise OSError("stopped between the two files")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fail_at_the_index)
    with pytest.raises(OSError, match="stopped"):
        prepare_fasta(fasta, fasta)
    with pytest.raises(InputError, match="missing"):
        Genome(fasta).fetch("chr1", 0, 10)


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.fa: no such file"):
        prepare_fasta(tmp_path / "nothing.fa", tmp_path / "out.fa")


def test_memory_does_not_grow_with_the_genome(tmp_path, monkeypatch):
    monkeypatch.setattr(genome_module, "_BLOCK_BYTES", 1 << 16)
    # One line, as some assemblies write a chromosome.
    (tmp_path / "large.fa").write_bytes(b">chr1\n" + b"ACGT" * (4 << 20) + b"\n")
    tracemalloc.start()
    prepare_fasta(tmp_path / "large.fa", tmp_path / "out.fa")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20
