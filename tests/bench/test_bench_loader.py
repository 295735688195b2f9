"""Windows from the token cache beside those of the original's path."""

import re
from dataclasses import replace

import pytest
import torch

from hyenadna.bench import loader
from hyenadna.bench.loader import ORIGINAL, OriginalWindows, synthetic_genome
from hyenadna.bench.step import Subject
from hyenadna.data.corpus import SplitSource
from hyenadna.data.token_cache import TokenCache
from hyenadna.data.windows import PretrainingWindows
from hyenadna.genome import Interval, read_intervals
from hyenadna.model.config import ModelConfig


@pytest.fixture
def source(tmp_path):
    """A genome of 5,000 bases."""
    return synthetic_genome(tmp_path, bases=5000)


def test_the_original_path_gives_our_tokens(source):
    intervals = read_intervals(source.intervals)
    cached = SplitSource(TokenCache.open(source.tokens), intervals)
    ours = PretrainingWindows([cached], length=50, seed=0)
    theirs = OriginalWindows(source.fasta, intervals, length=50)
    for index, ids in enumerate(ours.batch(range(20)).ids):
        start, strand = re.search(r"chr1:(\d+)-\d+ \((.)\)", ours.describe(index)).groups()
        window = theirs.window("chr1", int(start), reverse=strand == "-")
        assert torch.equal(ids.long(), window)


def test_the_original_path_stays_within_its_intervals(source):
    (whole,) = read_intervals(source.intervals)
    few = [Interval("chr1", 10, 62, "train"), Interval("chr1", 70, 80, "train")]
    windows = OriginalWindows(source.fasta, few, length=50)
    everything = OriginalWindows(source.fasta, [whole], length=50)
    allowed = {
        tuple(everything.window("chr1", start, reverse=reverse).tolist())
        for start in (10, 11)
        for reverse in (False, True)
    }
    assert {tuple(ids.tolist()) for ids in windows.batch(30)} <= allowed


def test_both_paths_are_timed_at_each_length(source, options, said, recorded):
    rows = recorded(loader.bench, options, said.append, source=source)
    assert [(row.implementation, row.length, row.status) for row in rows] == [
        (name, length, "") for length in (8, 16) for name in (ORIGINAL, "hyenadna")
    ]
    assert {row.peak_bytes for row in rows} == {None}
    assert sum("windows/s" in line for line in said) == 4


def test_a_training_step_is_put_beside_the_loader(source, options, said):
    config = ModelConfig(d_model=8, n_layer=1, d_inner=16, max_seq_len=8)
    loader.bench(options, said.append, source=source, subject=Subject(config))
    (line,) = (line for line in said if line.startswith("a training step reads"))
    assert "at 1 x 8 in fp32" in line


def test_without_a_genome_one_is_made_up(monkeypatch, options, said, recorded):
    monkeypatch.setattr(loader, "SYNTHETIC_BASES", 3000)
    rows = recorded(loader.bench, replace(options, lengths=(1000,)), said.append)
    assert [row.status for row in rows] == ["", ""]
