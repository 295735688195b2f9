"""Genomes that folders of runs share by `--cache`."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Snakemake = Callable[..., subprocess.CompletedProcess[str]]
MADE = [
    "results/genomes/demo_worm/genome.fa",
    "results/genomes/demo_worm/genome.fa.fai",
    "results/genomes/demo_worm/tokens/tokens.u8",
    "results/genomes/demo_worm/tokens/soft_mask.u1",
    "results/genomes/demo_worm/tokens/index.json",
]


@pytest.mark.slow
def test_a_genome_is_prepared_once_for_all_folders(
    snakemake: Snakemake,
    new_checkout: Callable[[], Path],
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setitem(environment, "SNAKEMAKE_OUTPUT_CACHE", str(cache))
    without_us = tmp_path / "bin"
    without_us.mkdir()
    (without_us / "hyenadna").write_text("#!/bin/sh\nexit 1\n")
    (without_us / "hyenadna").chmod(0o755)
    for commands in (None, without_us):
        checkout = new_checkout()
        done = snakemake(checkout, "--cache", "--cores", "1", "--", *MADE, commands=commands)
        assert done.returncode == 0, done.stdout
        assert all((checkout / name).resolve().is_relative_to(cache) for name in MADE)
