"""What the workflow would do, by dry runs of a fresh checkout."""

import importlib.util
import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from hyenadna import cli

Snakemake = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
DEMO = ("--configfile", "config/demo.yaml")
DEMO_CONFIG = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text())
(MODEL,) = DEMO_CONFIG["models"]


def jobs(printed: str) -> Counter[str]:
    """Count the jobs of each rule in a dry run."""
    table = printed.rpartition("Job stats:")[2].partition("\n\n")[0]
    return Counter({rule: int(count) for rule, count in re.findall(r"(\w+) +(\d+)", table)})


@pytest.fixture(scope="module")
def dry_runs(snakemake: Snakemake, unchanged_checkout: Path) -> dict[str, str]:
    """Both configurations with every stage, shell commands printed."""
    printed = {}
    for name in ("config", "demo"):
        stages = ("--config", "stages=[finetune,scratch,probe]")
        dry = snakemake(unchanged_checkout, "-n", "--configfile", f"config/{name}.yaml", *stages)
        assert dry.returncode == 0, dry.stdout
        printed[name] = dry.stdout
    return printed


def test_full_run_downloads_what_it_needs_and_nothing_of_the_demo(
    dry_runs: dict[str, str],
) -> None:
    planned = jobs(dry_runs["config"])
    assert planned["download_genome"] == 5
    assert planned["report"] == 1
    assert "genomes/demo_human/" not in dry_runs["config"]


def test_demo_runs_what_demo_yaml_lists_and_no_more(dry_runs: dict[str, str]) -> None:
    labelled = [name for name in DEMO_CONFIG["benchmarks"] if name != "demo_biotypes"]
    planned = jobs(dry_runs["demo"])
    assert planned["pretrain"] == len([*DEMO_CONFIG["models"], *DEMO_CONFIG["baseline_models"]])
    points = len(
        yaml.safe_load((ROOT / DEMO_CONFIG["paper_grid"]).read_text())["nucleotide_transformer"][
            "learning_rate"
        ]
    )
    assert planned["finetune"] == len(labelled) * len(DEMO_CONFIG["seeds"]) * 3 + points
    assert planned["in_context"] == 4 * len(DEMO_CONFIG["seeds"])
    assert planned["map_biotypes"] == 1
    assert planned["baselines"] == len(labelled)
    assert not [rule for rule in planned if rule.startswith("download")]


def test_demo_yaml_sets_every_key_so_that_nothing_leaks_in_from_config_yaml() -> None:
    full, demo = (
        yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text())
        for name in ("config", "demo")
    )
    assert keys(demo) == keys(full)


def keys(config: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a mapping with those of the mappings in it, over which it is laid."""
    return {key: keys(of) if isinstance(of, dict) else None for key, of in config.items()}


def test_every_command_of_a_rule_is_one_that_the_cli_accepts(dry_runs: dict[str, str]) -> None:
    group = typer.main.get_command(cli._commands)
    lines = re.findall(r"exec (hyenadna .*)", "\n".join(dry_runs.values()))
    used = set()
    for line in set(lines):
        _, *words = shlex.split(line.partition(" >")[0])
        command, name = group, ""
        while hasattr(command, "commands"):
            name = f"{name} {words[0]}".strip()
            command = command.commands[words.pop(0)]
        command.make_context(name, words)
        used.add(name)
    assert used == {
        "genome", "tokenize", "pretrain", "finetune", "baselines", "biotypes", "report",
        "perplexity", "in-context", "download",
        "bench long-conv", "bench attention", "bench model",
    }  # fmt: skip


def test_every_command_replaces_its_shell_so_that_signals_reach_the_trainer(
    dry_runs: dict[str, str],
) -> None:
    commands = re.findall(r"[Ss]hell command: (.*hyenadna .*)", "\n".join(dry_runs.values()))
    assert commands
    assert all(command.startswith("exec hyenadna") for command in commands)


def test_several_gpus_are_trained_on_by_as_many_processes(
    snakemake: Snakemake, unchanged_checkout: Path, tmp_path: Path
) -> None:
    several = tmp_path / "several.yaml"
    several.write_text(
        "genome: two\nmixtures: {two: {demo_human: 2, demo_worm: 1}}\n"
        "gpus: 4\ncontext_parallel: 2\n"
    )
    dry = snakemake(unchanged_checkout, "-n", *DEMO, str(several), "--", "pretrain_all")
    assert dry.returncode == 0, dry.stdout
    pattern = r"exec (torchrun .* --model config/models/demo.yaml .*)"
    (command,) = set(re.findall(pattern, dry.stdout))
    assert "--nproc-per-node 4 --no-python hyenadna" in command
    assert "--context-parallel 2" in command
    for genome, weight in {"demo_human": 2, "demo_worm": 1}.items():
        intervals = f"--intervals results/genomes/{genome}/intervals.bed --weight {weight}"
        assert f"--tokens results/genomes/{genome}/tokens {intervals}" in command


def test_operations_are_measured_on_the_device_that_the_configuration_names(
    dry_runs: dict[str, str],
) -> None:
    for name, device in {"config": "cuda", "demo": "cpu"}.items():
        assert re.findall(r"hyenadna bench \S+ --device (\w+)", dry_runs[name]) == [device] * 3


def test_measurements_take_all_cores_so_that_nothing_runs_beside_them(
    snakemake: Snakemake, unchanged_checkout: Path
) -> None:
    dry = snakemake(unchanged_checkout, "-n", *DEMO, "--cores", "7", "--", "bench")
    assert jobs(dry.stdout) == Counter(
        bench_long_conv=1, bench_attention=1, bench_model=1, bench=1, total=4
    )
    assert re.findall(r"^    threads: (\d+)", dry.stdout, re.MULTILINE) == ["7"] * 3


def test_scratch_runs_do_not_wait_for_pretraining(
    snakemake: Snakemake, unchanged_checkout: Path
) -> None:
    target = f"results/scratch/{MODEL}/demo_promoters/seed1/metrics.tsv"
    dry = snakemake(unchanged_checkout, "-n", "--quiet", "rules", *DEMO, "--", target)
    assert jobs(dry.stdout) == Counter(finetune=1, total=1)


@pytest.mark.parametrize(
    ("target", "family"),
    [
        ("pretrain_all", None),
        ("contexts", None),
        ("genomic_benchmarks", "genomic_benchmarks"),
        ("nucleotide_transformer", "nucleotide_transformer"),
        ("chromatin_profile", "chromatin_profile"),
        ("species_classification", "species"),
        ("biotypes", "biotypes"),
    ],
)
def test_named_target_makes_its_family_alone(
    snakemake: Snakemake, unchanged_checkout: Path, target: str, family: str | None
) -> None:
    dry = snakemake(unchanged_checkout, "-n", *DEMO, "--", target)
    assert dry.returncode == 0, dry.stdout
    made = set(re.findall(rf"output: results/\w+/{MODEL}/(demo_\w+)/seed", dry.stdout))
    table = (unchanged_checkout / "config" / "benchmarks.tsv").read_text().splitlines()
    of_family = {line.split("\t")[0] for line in table if line.split("\t")[1] == family}
    of_demo = {name for name in of_family if name.startswith("demo_")}
    assert made == {"demo_human", *of_demo}


def test_target_of_a_family_that_is_not_configured_fails(
    snakemake: Snakemake, unchanged_checkout: Path
) -> None:
    dry = snakemake(unchanged_checkout, "-n", "--", "chromatin_profile")
    assert dry.returncode != 0
    assert "lists no benchmark of the family chromatin_profile" in dry.stdout


@pytest.mark.skipif(
    importlib.util.find_spec("snakemake_executor_plugin_slurm") is None,
    reason="needs snakemake-executor-plugin-slurm",
)
def test_slurm_profile_dry_runs(snakemake: Snakemake, unchanged_checkout: Path) -> None:
    dry = snakemake(unchanged_checkout, "--profile", "slurm", "--cores", "all", "-n")
    assert dry.returncode == 0, dry.stdout


def test_models_run_the_benchmarks_that_fit_their_context(dry_runs: dict[str, str]) -> None:
    made = set(
        re.findall(r"output: results/(\w+)/(\S+)/mouse_enhancers_ensembl/", dry_runs["config"])
    )
    assert made == {
        (stage, "tiny-16k-d128") for stage in ("finetune", "scratch", "probe", "paper")
    } | {("scratch", "cnn")}


def test_a_benchmark_that_no_model_takes_is_refused(
    snakemake: Snakemake, unchanged_checkout: Path
) -> None:
    dry = snakemake(unchanged_checkout, "-n", "--config", "models=[tiny-1k]")
    assert dry.returncode == 1
    assert "items have 4776 nucleotides, more than any of the models takes: tiny-1k" in dry.stdout


def test_every_point_of_the_grid_is_a_run_that_selects_on_test(dry_runs: dict[str, str]) -> None:
    commands = [
        line
        for line in dry_runs["demo"].splitlines()
        if "results/paper/" in line and "exec" in line
    ]
    assert len(commands) == 2
    assert all("--set select_on=test --set learning_rate=" in command for command in commands)


def test_models_of_others_embed_the_same_genes(
    snakemake: Snakemake, unchanged_checkout: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text("{}")
    others = tmp_path / "others.yaml"
    others.write_text(f"embedding_models: {{dnabert: {tmp_path}, nt: owner/name}}\n")
    dry = snakemake(unchanged_checkout, "-n", *DEMO, str(others), "--", "biotypes")
    assert dry.returncode == 0, dry.stdout
    for name, source in {"dnabert": tmp_path, "nt": "owner/name"}.items():
        out = f"results/biotypes/{name}/demo_biotypes/seed0"
        assert re.search(rf"hyenadna biotypes .* --transformer {source} .*--out {out} ", dry.stdout)


def test_a_file_of_ones_own_is_a_benchmark_by_its_row_alone(
    snakemake: Snakemake, new_checkout: Callable[[], Path]
) -> None:
    checkout = new_checkout()
    (checkout / "mine.csv").write_text("sequence,label\nACGT,a\n")
    with (checkout / "config" / "benchmarks.tsv").open("a") as file:
        file.write("mine\ttable\tmine.csv\t\tmcc\t\tepochs=2 folds=5\tx\n")
    dry = snakemake(checkout, "-n", *DEMO, "--", "results/finetune/demo/mine/seed0/metrics.tsv")
    assert dry.returncode == 0, dry.stdout
    assert re.search(r"hyenadna finetune --task mine .*--recipe config/finetuning/demo", dry.stdout)
