"""Fixtures of the data tests: caches of two small genomes, and their letters."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pysam
import pytest

from hyenadna.data.token_cache import TokenCache


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory, small_fasta: Path) -> TokenCache:
    """The small genome, called `small`."""
    return TokenCache.build(small_fasta, tmp_path_factory.mktemp("caches") / "small" / "tokens")


@pytest.fixture
def make_cache(tmp_path: Path) -> Callable[..., TokenCache]:
    """Make a cache of a name from the letters of its contigs."""

    def make(name: str, **contigs: str) -> TokenCache:
        folder = tmp_path / name
        folder.mkdir()
        fasta = folder / "genome.fa"
        fasta.write_text("".join(f">{contig}\n{text}\n" for contig, text in contigs.items()))
        pysam.faidx(str(fasta))
        return TokenCache.build(fasta, folder / "tokens")

    return make


@pytest.fixture(scope="session")
def letters() -> Callable[[int], str]:
    """Random letters of a length, the same for the same length."""

    def draw(length: int) -> str:
        return "".join(np.random.default_rng(length).choice(list("ACGTacgt"), length))

    return draw
