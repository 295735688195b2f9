"""Fixtures shared by all tests: a small genome, and the real data where they are at hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

_CONTIG_LENGTHS = {"chr1": 20_000, "chr2": 6_001, "scaffold_3": 47}
_LINE_WIDTH = 60


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser without a window; one a process, as Playwright demands."""
    from chromium import launched

    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def small_sequences() -> dict[str, str]:
    """Contigs as written in `small_fasta`: runs of N, soft-masked stretches, IUPAC codes."""
    rng = np.random.default_rng(0)
    sequences = {}
    for contig, length in _CONTIG_LENGTHS.items():
        letters = rng.choice(list("ACGT"), length)
        letters[rng.random(length) < 0.005] = "N"
        letters[rng.random(length) < 0.005] = "R"
        letters[rng.random(length) < 0.005] = "y"
        letters[length // 10 : length // 5] = "N"
        half = length // 2
        letters[half : half + length // 4] = np.char.lower(letters[half : half + length // 4])
        sequences[contig] = "".join(letters)
    return sequences


@pytest.fixture(scope="session")
def small_fasta(tmp_path_factory: pytest.TempPathFactory, small_sequences: dict[str, str]) -> Path:
    """An indexed FASTA of `small_sequences`; copy it before changing it."""
    import pysam  # here, so that tests of ops run where it is not installed

    fasta = tmp_path_factory.mktemp("genome") / "small.fa"
    with fasta.open("w") as file:
        for contig, sequence in small_sequences.items():
            file.write(f">{contig} a description\n")
            for start in range(0, len(sequence), _LINE_WIDTH):
                file.write(sequence[start : start + _LINE_WIDTH] + "\n")
    pysam.faidx(str(fasta))
    return fasta


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the repository; the test skips where it is missing."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real data in {folder}")
    return folder
