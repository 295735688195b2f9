"""Genes of an annotation with their biotypes, as a labelled set cut from a genome."""

import logging
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hyenadna.data.labelled import LabelledSet, Regions, read_lines
from hyenadna.errors import InputError
from hyenadna.genome import Genome

_log = logging.getLogger(__name__)
_ATTRIBUTE = re.compile(r'(\w+) "([^"]*)"')


class Gene(NamedTuple):
    """One gene; coordinates zero-based, half-open."""

    gene_id: str
    gene_name: str
    gene_type: str
    contig: str
    start: int
    end: int
    strand: str


def read_genes(gtf: Path) -> list[Gene]:
    """Read the gene lines of a GTF, gzipped or not, as GENCODE and Ensembl write it.

    Raises:
        InputError: a line is not GTF, or no gene has an id and a biotype.
    """
    genes = []
    for number, line in read_lines(gtf):
        fields = line.split("\t")
        if line.startswith("#") or not line or (len(fields) == 9 and fields[2] != "gene"):
            continue
        if len(fields) != 9 or not (fields[3].isdecimal() and fields[4].isdecimal()):
            raise InputError(
                f"{gtf}, line {number}: {line[:60]!r} is not GTF: nine fields separated by tabs, "
                "the fourth and fifth being start and end"
            )
        attributes: dict[str, str] = dict(_ATTRIBUTE.findall(fields[8]))
        gene_type = attributes.get("gene_type") or attributes.get("gene_biotype")
        if "gene_id" not in attributes or not gene_type:
            raise InputError(f"{gtf}, line {number}: the gene has no gene_id or no gene_type")
        name = attributes.get("gene_name", attributes["gene_id"])
        # GTF counts from 1 and includes the end.
        start, end = int(fields[3]) - 1, int(fields[4])
        genes.append(Gene(attributes["gene_id"], name, gene_type, fields[0], start, end, fields[6]))
    if not genes:
        raise InputError(f"{gtf}: no gene in it; lines with 'gene' as third field are read")
    return genes


def on_genome(genes: list[Gene], genome: Genome, *, source: Path) -> list[Gene]:
    """Return the genes on contigs of `genome`, and log how many are on none.

    Raises:
        InputError: a gene runs off its contig or has no strand, or no gene is on any contig.
    """
    contigs = genome.contigs
    kept = [gene for gene in genes if gene.contig in contigs]
    if not kept:
        raise InputError(
            f"{source}: no gene lies on a contig of {genome.fasta}, which has "
            f"{', '.join(list(contigs)[:5])}; annotation and genome must name contigs alike"
        )
    if len(kept) < len(genes):
        _log.info("%d of %d genes are on contigs of the genome", len(kept), len(genes))
    for gene in kept:
        if not 0 <= gene.start < gene.end <= contigs[gene.contig] or gene.strand not in ("+", "-"):
            raise InputError(
                f"{source}: gene {gene.gene_id} at {gene.contig}:{gene.start}-{gene.end} "
                f"({gene.strand}) is not within its contig of {contigs[gene.contig]} nucleotides; "
                "annotation and genome must be of one assembly"
            )
    return kept


def most_frequent(genes: list[Gene], *, biotypes: int, min_genes: int) -> list[Gene]:
    """Return the genes of the most frequent biotypes, and log what is left out.

    Args:
        genes: with their biotypes.
        biotypes: how many biotypes are kept at most; ties go by name.
        min_genes: genes that a biotype needs.

    Raises:
        InputError: fewer than two biotypes have so many genes.
    """
    counts = Counter(gene.gene_type for gene in genes)
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    kept = [name for name in ranked if counts[name] >= min_genes][:biotypes]
    if len(kept) < 2:
        found = ", ".join(f"{name} {counts[name]}" for name in ranked[:5])
        raise InputError(
            f"two biotypes with {min_genes} genes or more are needed; the annotation has {found}"
        )
    left = [name for name in ranked if name not in kept]
    _log.info(
        "%d genes of %d biotypes; left out: %d genes of %d rarer biotypes",
        sum(counts[name] for name in kept),
        len(kept),
        sum(counts[name] for name in left),
        len(left),
    )
    return [gene for gene in genes if gene.gene_type in kept]


def as_labelled_set(genes: list[Gene], genome: Genome) -> LabelledSet:
    """Return gene bodies on their own strand, labelled by biotype."""
    classes = tuple(sorted({gene.gene_type for gene in genes}))
    starts = np.array([gene.start for gene in genes], dtype=np.int64)
    ends = np.array([gene.end for gene in genes], dtype=np.int64)
    sequences = Regions(
        genomes=(genome,),
        source=np.zeros(len(genes), dtype=np.int64),
        contigs=np.array([gene.contig for gene in genes], dtype=object),
        starts=starts,
        ends=ends,
        reverse=np.array([gene.strand == "-" for gene in genes]),
    )
    labels = np.array([classes.index(gene.gene_type) for gene in genes], dtype=np.int64)
    ids = [gene.gene_id for gene in genes]
    return LabelledSet(ids, sequences, ends - starts, labels, classes, "single")
