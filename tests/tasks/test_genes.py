"""Genes of a GTF, and which of them are kept."""

import gzip

import pytest

from hyenadna.errors import InputError
from hyenadna.genome import Genome, reverse_complement
from hyenadna.tasks.genes import Gene, as_labelled_set, most_frequent, on_genome, read_genes


def line(
    start: int, end: int, *, strand="+", contig="chr1", feature="gene", attributes=None
) -> str:
    if attributes is None:
        attributes = f'gene_id "G{start}"; gene_type "lncRNA"; gene_name "N{start}";'
    return "\t".join([contig, "X", feature, str(start), str(end), ".", strand, ".", attributes])


def write(path, *lines: str):
    path.write_bytes(gzip.compress("\n".join(["##made here", *lines, ""]).encode()))
    return path


def genes(**counts: int) -> list[Gene]:
    return [Gene("g", "n", kind, "c", 0, 1, "+") for kind, n in counts.items() for _ in range(n)]


def test_coordinates_become_zero_based_and_half_open(tmp_path):
    (gene,) = read_genes(write(tmp_path / "g.gtf.gz", line(11, 20)))
    assert gene == Gene("G11", "N11", "lncRNA", "chr1", 10, 20, "+")


def test_gene_lines_alone_are_read_and_ensembl_names_understood(tmp_path):
    ensembl = line(5, 9, attributes='gene_id "E"; gene_biotype "snRNA";')
    path = write(tmp_path / "g.gtf.gz", line(1, 4, feature="exon"), ensembl)
    assert read_genes(path) == [Gene("E", "E", "snRNA", "chr1", 4, 9, "+")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("chr1\tX\tgene\t1\t9", "line 2: .* is not GTF"),
        (line(1, 9).replace("\t9\t", "\tnine\t"), "line 2: .* is not GTF"),
        (line(1, 9, attributes='gene_id "G";'), "line 2: the gene has no gene_id or no gene_type"),
        (line(1, 9, feature="exon"), "no gene in it"),
    ],
)
def test_what_is_no_gene_is_refused(tmp_path, text, complaint):
    with pytest.raises(InputError, match=complaint):
        read_genes(write(tmp_path / "g.gtf.gz", text))


def test_a_gene_is_its_body_on_its_strand(genomes, tmp_path):
    path = write(tmp_path / "g.gtf.gz", line(1001, 1030), line(1101, 1160, strand="-"))
    genome = Genome(genomes.fasta("rich"))
    items = as_labelled_set(on_genome(read_genes(path), genome, source=path), genome)
    chr1 = genomes.sequences["rich"]["chr1"]
    assert items.sequences[0] == chr1[1000:1030]
    assert items.sequences[1] == reverse_complement(chr1[1100:1160])


def test_genes_on_other_contigs_are_left_out_and_counted(genomes, tmp_path, caplog):
    caplog.set_level("INFO")
    path = write(tmp_path / "g.gtf.gz", line(1, 9), line(2, 9, contig="chr7"))
    kept = on_genome(read_genes(path), Genome(genomes.fasta("rich")), source=path)
    assert [gene.contig for gene in kept] == ["chr1"]
    assert "1 of 2 genes are on contigs" in caplog.text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (line(1, 12_001), r"gene G1 at chr1:0-12001 \(\+\) is not within"),
        (line(1, 9, strand="."), r"gene G1 at chr1:0-9 \(\.\) is not within"),
        (line(1, 9, contig="1"), "no gene lies on a contig of .* which has chr1, chr2"),
    ],
)
def test_genes_of_another_assembly_are_refused(genomes, tmp_path, text, complaint):
    path = write(tmp_path / "g.gtf.gz", text)
    with pytest.raises(InputError, match=complaint):
        on_genome(read_genes(path), Genome(genomes.fasta("rich")), source=path)


def test_the_most_frequent_biotypes_are_kept_and_the_rest_counted(caplog):
    caplog.set_level("INFO")
    kept = most_frequent(genes(a=5, b=9, c=7, d=2), biotypes=2, min_genes=5)
    assert {gene.gene_type for gene in kept} == {"b", "c"}
    assert "16 genes of 2 biotypes; left out: 7 genes of 2 rarer biotypes" in caplog.text


def test_a_biotype_with_too_few_genes_is_not_kept():
    kept = most_frequent(genes(a=5, b=9, c=4), biotypes=10, min_genes=5)
    assert {gene.gene_type for gene in kept} == {"a", "b"}
    with pytest.raises(InputError, match="two biotypes with 6 genes"):
        most_frequent(genes(a=5, b=9, c=4), biotypes=10, min_genes=6)
