"""Fixtures of the training tests: a synthetic genome with structure, split and tokenised."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from hyenadna.data.token_cache import TokenCache
from hyenadna.genome import prepare_fasta
from hyenadna.model.config import ModelConfig
from hyenadna.training.recipe import PretrainRecipe


@dataclass(frozen=True)
class Corpus:
    """What `pretrain` reads, and the letters of the one contig."""

    tokens: Path
    intervals: Path
    sequence: str


class Row(NamedTuple):
    """One line of `metrics.tsv`."""

    step: int
    split: str
    name: str
    value: float


def markov_sequence(length: int, *, order: int, seed: int) -> str:
    """A sequence in which every context of `order` bases prefers its own next base."""
    rng = np.random.default_rng(seed)
    table = rng.dirichlet([0.3] * 4, size=4**order).cumsum(axis=1)
    state, bases = 0, []
    for draw in rng.random(length):
        base = min(int(np.searchsorted(table[state], draw)), 3)
        bases.append("ACGT"[base])
        state = (4 * state + base) % 4**order
    return "".join(bases)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """60 kb of an order-2 chain with a run of N; train, valid and test intervals."""
    folder = tmp_path_factory.mktemp("corpus")
    sequence = markov_sequence(60_000, order=2, seed=7)
    sequence = sequence[:20_000] + "N" * 100 + sequence[20_100:]
    source = folder / "source.fa"
    source.write_text(f">chrS\n{sequence}\n")
    fasta = prepare_fasta(source, folder / "genome.fa")
    TokenCache.build(fasta, folder / "tokens")
    intervals = folder / "intervals.bed"
    intervals.write_text(
        "chrS\t0\t30000\ttrain\nchrS\t30000\t50000\ttrain\n"
        "chrS\t50000\t55000\tvalid\nchrS\t55000\t60000\ttest\n"
    )
    return Corpus(folder / "tokens", intervals, sequence)


@pytest.fixture(scope="session")
def tiny_model() -> ModelConfig:
    """A network of a few thousand weights, with dropout in every place there is."""
    return ModelConfig(
        d_model=8,
        n_layer=1,
        d_inner=16,
        max_seq_len=34,
        filter_order=8,
        embed_dropout=0.1,
        resid_dropout=0.1,
    )


@pytest.fixture(scope="session")
def tiny_recipe() -> PretrainRecipe:
    """Thirty steps of four windows in two micro-batches, saved every seventh."""
    return PretrainRecipe(
        length=32,
        steps=30,
        batch_size=4,
        micro_batch_size=3,
        learning_rate=1e-2,
        warmup_fraction=0.1,
        validate_every=10,
        validation_tokens=640,
        checkpoint_every=7,
    )


@pytest.fixture(scope="session")
def read_metrics() -> Callable[[Path], list[Row]]:
    """A function that reads the metrics of an output directory."""

    def read(out: Path) -> list[Row]:
        header, *lines = (out / "metrics.tsv").read_text().splitlines()
        assert header.split("\t") == ["step", "split", "name", "value"]
        rows = (line.split("\t") for line in lines)
        return [Row(int(step), split, name, float(value)) for step, split, name, value in rows]

    return read
