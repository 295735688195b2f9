"""Which models are scored by context, at which lengths, on which genomes."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import yaml

Snakemake = Callable[..., subprocess.CompletedProcess[str]]


def scored(
    snakemake: Snakemake, checkout: Path, folder: Path, **settings: object
) -> dict[tuple[str, str], str]:
    """Return the contexts of each (model, genome) that a dry run would score."""
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(settings))
    dry = snakemake(checkout, "-n", "--configfile", str(config), "--", "contexts")
    assert dry.returncode == 0, dry.stdout
    pattern = r"hyenadna perplexity .*--contexts (\S+) --out results/context/(\S+)/(\S+)/seed0"
    return {(model, genome): of for of, model, genome in re.findall(pattern, dry.stdout)}


def test_models_are_scored_at_the_contexts_that_fit_them(
    snakemake: Snakemake, unchanged_checkout: Path, tmp_path: Path
) -> None:
    found = scored(
        snakemake,
        unchanged_checkout,
        tmp_path,
        models=["tiny-1k", "small-32k"],
        baseline_models=["transformer-16k"],
        contexts=[2048, 16384, 32768],
    )
    assert found == {
        ("small-32k", "hg38"): "2048,16384,32768",
        ("transformer-16k", "hg38"): "2048,16384",
    }


def test_without_contexts_nothing_is_scored(
    snakemake: Snakemake, unchanged_checkout: Path, tmp_path: Path
) -> None:
    assert scored(snakemake, unchanged_checkout, tmp_path, contexts=[]) == {}


def test_models_are_scored_on_each_genome_of_a_mixture(
    snakemake: Snakemake, unchanged_checkout: Path, tmp_path: Path
) -> None:
    found = scored(
        snakemake,
        unchanged_checkout,
        tmp_path,
        mixtures={"both": {"demo_human": 2, "demo_chimp": 1}},
        genome="both",
        models=["tiny-1k"],
        baseline_models=[],
        benchmarks=[],
        contexts=[256],
    )
    assert found == {("tiny-1k", "demo_human"): "256", ("tiny-1k", "demo_chimp"): "256"}


def test_baseline_models_are_scored_by_context_and_no_more(
    snakemake: Snakemake, unchanged_checkout: Path
) -> None:
    dry = snakemake(unchanged_checkout, "-n", "--config", "scratch_models=[]")
    made = set(re.findall(r"output: results/(\w+)/transformer-1k/", dry.stdout))
    assert made == {"pretrain", "context"}
