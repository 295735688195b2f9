"""Records that are named anew: the chromosomes of an NCBI assembly, and records by number."""

import gzip
import logging
import tracemalloc
from pathlib import Path

import pytest

from hyenadna import genome as genome_module
from hyenadna.errors import InputError
from hyenadna.genome import Genome, prepare_fasta

RECORDS = {
    "CM1.1 Homo sapiens isolate X chromosome 1, whole genome shotgun sequence": "ACGTacgtNN",
    "KI1.1 Homo sapiens chromosome 1 unlocalized genomic contig, whole genome": "AAAA",
    "CM2.2 Gorilla gorilla chromosome 2A": "CCCCCCCC",
    "NT2.1 Homo sapiens chromosome 2 genomic patch of type FIX, HG1": "GGGG",
    "JA1.1 Lemur catta unplaced genomic scaffold scaffold_12, whole genome": "TTTT",
    "OW1.2 Mus musculus genome assembly, chromosome: X": "ACGTA",
    "CP1.1 Homo sapiens isolate X mitochondrion, complete genome": "GATC",
}
KEPT = {"chr1": "ACGTacgtNN", "chr2A": "CCCCCCCC", "chrX": "ACGTA"}


def write(path: Path, records: dict[str, str], end: str = "\n") -> Path:
    """Write records in lines of four bases."""
    lines = []
    for header, sequence in records.items():
        lines += [f">{header}", *(sequence[i : i + 4] for i in range(0, len(sequence), 4))]
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "ncbi.fna", RECORDS)


@pytest.mark.parametrize("size", [1, 5, 17, 1 << 20])
def test_assembled_chromosomes_are_kept_and_named(tmp_path, source, monkeypatch, size):
    with monkeypatch.context() as patch:
        patch.setattr(genome_module, "_BLOCK_BYTES", size)
        out = prepare_fasta(source, tmp_path / "out.fa", contigs="chromosomes")
    genome = Genome(out)
    assert list(genome.contigs) == list(KEPT)
    assert {contig: genome.read(contig, 0, len(KEPT[contig])) for contig in KEPT} == KEPT


def test_the_accession_stays_in_the_header(tmp_path, source):
    out = prepare_fasta(source, tmp_path / "out.fa", contigs="chromosomes")
    assert f">chr2A {list(RECORDS)[2]}\n" in out.read_text()


def test_line_ends_of_windows_are_no_part_of_a_name(tmp_path):
    source = write(tmp_path / "dos.fna", RECORDS, end="\r\n")
    genome = Genome(prepare_fasta(source, tmp_path / "out.fa", contigs="chromosomes"))
    assert genome.read("chr2A", 0, 8) == "CCCCCCCC"


def test_without_the_option_all_records_stay_as_they_are(tmp_path, source):
    assert prepare_fasta(source, tmp_path / "out.fa").read_bytes() == source.read_bytes()


def test_what_is_kept_is_counted(tmp_path, source, caplog):
    with caplog.at_level(logging.INFO):
        prepare_fasta(source, tmp_path / "out.fa", contigs="chromosomes")
    assert "ncbi.fna: 3 of 7 records are chromosomes: chr1, chr2A, chrX" in caplog.text


def test_two_records_of_one_name_are_refused(tmp_path):
    twice = {"A.1 Pan chromosome 1, x": "ACGT", "B.1 Pan isolate Y chromosome 1": "ACGT"}
    source = write(tmp_path / "twice.fna", twice)
    with pytest.raises(InputError, match=r"twice\.fna: two records would be chr1: 'A\.1.*'B\.1"):
        prepare_fasta(source, tmp_path / "out.fa", contigs="chromosomes")
    assert [path.name for path in tmp_path.iterdir()] == ["twice.fna"]


def test_a_fasta_without_chromosomes_is_refused(tmp_path):
    source = write(tmp_path / "ucsc.fa", {"chr1": "ACGT", "chr2": "ACGT"})
    with pytest.raises(InputError, match=r"ucsc\.fa: no header of its 2 records says 'chromosome"):
        prepare_fasta(source, tmp_path / "out.fa", contigs="chromosomes")


def test_an_uneven_line_has_its_number_in_the_source(tmp_path):
    (tmp_path / "odd.fna").write_bytes(
        gzip.compress(b">A.1 unplaced scaffold\nACGT\n>B.1 chromosome 1\nACGT\nACG\nACGT\n")
    )
    with pytest.raises(InputError, match=r"odd\.fna: uneven lines at line 6"):
        prepare_fasta(tmp_path / "odd.fna", tmp_path / "out.fa", contigs="chromosomes")


def test_memory_stays_constant(tmp_path, monkeypatch):
    monkeypatch.setattr(genome_module, "_BLOCK_BYTES", 1 << 16)
    large = {"A.1 chromosome 1": "ACGT" * 500_000, "B.1 unplaced scaffold": "ACGT" * 500_000}
    source = write(tmp_path / "large.fna", large)
    tracemalloc.start()
    prepare_fasta(source, tmp_path / "out.fa", contigs="chromosomes")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_records_of_one_name_can_be_numbered(tmp_path):
    source = tmp_path / "blocks.fa"
    source.write_text(">a 1\nACGT\n>a 2\nGGCC\nTT\n")
    with pytest.raises(InputError, match="line 3: contig 'a' was there before"):
        prepare_fasta(source, tmp_path / "out.fa")
    out = prepare_fasta(source, tmp_path / "out.fa", contigs="numbered")
    assert out.read_text() == ">record1 a 1\nACGT\n>record2 a 2\nGGCC\nTT\n"
    assert Genome(out).contigs == {"record1": 4, "record2": 6}


def test_a_numbered_record_without_sequence_is_refused(tmp_path):
    (tmp_path / "bad.fa").write_text(">a\n>a\nACGT\n")
    with pytest.raises(InputError, match="contig 'a' has no sequence"):
        prepare_fasta(tmp_path / "bad.fa", tmp_path / "out.fa", contigs="numbered")
