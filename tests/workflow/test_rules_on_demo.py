"""What each rule makes of the embedded data, and what Snakemake's own report says of it.

One run of a network that is too small to learn: what is looked at is that files are there and of
the right shape.
"""

import csv
import json
import re
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from micro import configure

pytestmark = pytest.mark.slow

Snakemake = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
CONTIG = "chrX_2000000_2440000"
CONFIG = {
    "contexts": [64, 128],
    "benchmarks": ["demo_promoters", "demo_biotypes"],
    "stages": ["probe"],
    "in_context": {
        "models": ["micro"],
        "benchmarks": ["demo_promoters"],
        "recipe": "config/in_context/demo_{method}.yaml",
        "settings": {
            "soft_prompt": {"prompt_tokens": [0], "shots": [0]},
            "few_shot": {"tuning_samples": [], "shots": []},
        },
    },
    "bench": {
        "lengths": {"long_conv": [256], "attention": [256], "model": [256]},
        "against": ["torch.fft"],
        "channels": 64,
        "dtype": "fp32",
        "repeats": 1,
    },
}


@pytest.fixture(scope="module")
def checkout(snakemake: Snakemake, new_checkout: Callable[[], Path]) -> Path:
    """A folder where all of `CONFIG` has been run."""
    checkout = new_checkout()
    configure(
        checkout,
        pretraining={"batch_size": 32, "steps": 4, "validate_every": 4, "checkpoint_every": 4},
        finetuning={"batch_size": 32, "epochs": 1, "checkpoint_every": 4},
        config=CONFIG,
    )
    done = snakemake(checkout, "--configfile", "micro.yaml", "--cores", "2")
    assert done.returncode == 0, done.stdout
    return checkout


@pytest.fixture
def results(checkout: Path) -> Path:
    return checkout / "results"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def names(path: Path) -> set[str]:
    """Return the names in a table of metrics."""
    return {row["name"] for row in rows(path)}


def test_prepare_genome_unpacks_and_indexes(results: Path) -> None:
    genome = results / "genomes" / "demo_worm"
    assert (genome / "genome.fa").read_text().startswith(f">{CONTIG}\n")
    assert (genome / "genome.fa.fai").read_text().split("\t")[:2] == [CONTIG, "440000"]


def test_copy_intervals_takes_the_bed_as_it_is(results: Path) -> None:
    made = results / "genomes" / "demo_worm" / "intervals.bed"
    source = ROOT / "resources" / "demo" / "genomes" / "worm.intervals.bed"
    assert made.read_bytes() == source.read_bytes()


def test_tokenize_makes_a_token_of_each_nucleotide(results: Path) -> None:
    tokens = results / "genomes" / "demo_worm" / "tokens"
    index = json.loads((tokens / "index.json").read_text())
    assert (tokens / "tokens.u8").stat().st_size == sum(index["counts"][base] for base in "ACGTN")


def test_perplexity_by_context_has_every_context(results: Path) -> None:
    found = names(results / "context" / "micro" / "demo_worm" / "seed0" / "metrics.tsv")
    assert {"context64.perplexity", "context128.perplexity"} <= found


def test_baselines_have_the_majority_class(results: Path) -> None:
    assert "majority.accuracy" in names(results / "baselines" / "demo_promoters" / "metrics.tsv")


def test_probe_keeps_a_prediction_for_each_test_item(results: Path) -> None:
    import pandas as pd

    run = results / "probe" / "micro" / "demo_promoters" / "seed0"
    (items,) = {
        row["value"]
        for row in rows(results / "baselines" / "demo_promoters" / "metrics.tsv")
        if (row["split"], row["name"]) == ("test", "items")
    }
    assert len(pd.read_parquet(run / "predictions.parquet")) == int(items)


def test_map_biotypes_puts_every_gene_on_both_maps(results: Path) -> None:
    run = results / "biotypes" / "micro" / "demo_biotypes" / "seed0"
    genes = [row["gene_id"] for row in rows(run / "umap.tsv")]
    assert len(genes) == len(set(genes)) > 0
    assert [row["gene_id"] for row in rows(run / "tsne.tsv")] == genes


def test_in_context_scores_its_setting(results: Path) -> None:
    setting = results / "in_context" / "micro" / "demo_promoters" / "soft_prompt.tokens0.shots0"
    assert {row["prompt_tokens"] for row in rows(setting / "seed0" / "in_context.tsv")} == {"0"}


@pytest.mark.parametrize("operation", ["long_conv", "attention", "model"])
def test_bench_measures_the_lengths_that_are_asked_for(results: Path, operation: str) -> None:
    measured = rows(results / "bench" / operation / "measurements.tsv")
    assert {row["length"] for row in measured} == {"256"}


@pytest.fixture(scope="module")
def report(snakemake: Snakemake, checkout: Path) -> str:
    """The page that `snakemake --report` makes."""
    made = snakemake(checkout, "--configfile", "micro.yaml", "--report", "report.zip")
    assert made.returncode == 0, made.stdout
    with zipfile.ZipFile(checkout / "report.zip") as archive:
        return archive.read("report/report.html").decode()


def variable(report: str, name: str) -> dict[str, Any]:
    """Return what a variable of the page's script is set to."""
    (text,) = re.findall(rf"^ *var {name} = (\{{.*\}});$", report, re.MULTILINE)
    content: dict[str, Any] = json.loads(text)
    return content


def test_report_of_snakemake_sorts_results_by_category(report: str) -> None:
    found = {name: set(of) for name, of in variable(report, "categories").items()}
    assert found["Runs"] == {"demo_promoters"}
    assert found["Answer"] >= {"Page", "Figures", "Tables"}
    assert found["Pretraining"] == {"demo_worm", "Figures", "Tables"}
    assert found["Genes by biotype"] == {"demo_biotypes", "Figures", "Tables"}
    assert found["In-context learning"] >= {"demo_promoters", "Tables"}
    assert found["Cost against length"] == {"Measurements", "Figures", "Tables"}


def test_results_of_a_group_have_the_same_labels(report: str) -> None:
    results = variable(report, "results")
    for category, groups in variable(report, "categories").items():
        for group, paths in groups.items():
            assert len({tuple(results[path]["labels"]) for path in paths}) == 1, (category, group)


def test_every_caption_is_filled_in(report: str) -> None:
    for path, result in variable(report, "results").items():
        assert result["caption"].startswith("<p>"), path
        assert "{{" not in result["caption"], path
        assert "system-message" not in result["caption"], path
