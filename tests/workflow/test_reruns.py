"""What a change reruns, on results that a stand-in for `hyenadna` has made.

The stand-in only touches the files that the real commands write: what is tested is when Snakemake
calls them.
"""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

Snakemake = Callable[..., subprocess.CompletedProcess[str]]
CONFIG = """\
genome: demo_human
models: [tiny-1k]
baseline_models: []
scratch_models: []
pretraining: config/training/demo.yaml
pretraining_seed: 0
contexts: []
benchmarks: [demo_promoters, demo_coding_vs_intergenic]
finetuning: config/finetuning/demo.yaml
paper_grid: ""
stages: [finetune]
seeds: [0]
threads: 1
gpus: 0
bench: {lengths: {long_conv: [1024], attention: [1024], model: []}}
"""
STAND_IN = """\
#!/bin/sh
all="$*"
out=${all##*--out } out=${out%% *}
case $1 in
genome) touch "$3" "$3.fai" ;;
tokenize) touch "$3/tokens.u8" "$3/soft_mask.u1" "$3/index.json" ;;
report) touch "$out" && mkdir results/figures results/tables ;;
bench) cd "$out" && touch measurements.tsv run.json ;;
*) cd "$out" && touch config.yaml config.json model.safetensors metrics.tsv run.json \\
    predictions.parquet leaks.tsv ;;
esac
"""
# What a result does not depend on: a file, and a change to it.
INDIFFERENT = {
    "run.yaml": ("threads: 1", "threads: 2"),
    "profiles/default/config.yaml": (r"\Z", "latency-wait: 7\n"),
    "workflow/report/finetune.rst": (r"\Z", "Another sentence.\n"),
    "workflow/rules/finetune.smk": ('category="Runs"', 'category="Elsewhere"'),
    "workflow/rules/pretrain.smk": (r"runtime=.*,", "runtime=7,"),
    "workflow/rules/baselines.smk": (r"mem_mb=.*,", "mem_mb=9000,"),
    "workflow/rules/genome.smk": (r'"../envs/\w+.yaml"', '"../envs/other.yaml"'),
}
PROMOTERS = "results/finetune/tiny-1k/demo_promoters/seed0"
PRETRAINED = "results/pretrain/tiny-1k/demo_human/seed0"
CODING = "results/finetune/tiny-1k/demo_coding_vs_intergenic/seed0"


class Finished(NamedTuple):
    """A folder where all of `CONFIG` has been run, and Snakemake in it."""

    folder: Path
    run: Callable[..., str]

    def reruns(self, *arguments: str) -> set[str]:
        """Return the folders that the next run would write to."""
        printed = self.run("-n", *arguments)
        assert "This was a dry-run" in printed or "Nothing to be done" in printed
        return set(re.findall(r"output: (results\S*)/", printed))


@pytest.fixture(scope="module")
def finished(snakemake: Snakemake, new_checkout: Callable[[], Path]) -> Finished:
    """A finished run; tests put back what they change."""
    folder = new_checkout()
    (folder / "run.yaml").write_text(CONFIG)
    command = folder / "bin" / "hyenadna"
    command.parent.mkdir()
    command.write_text(STAND_IN)
    command.chmod(0o755)

    def run(*arguments: str) -> str:
        always = ("--configfile", "run.yaml", "--cores", "2")
        done = snakemake(folder, *always, *arguments, commands=command.parent)
        assert done.returncode == 0, done.stdout
        return done.stdout

    run()
    return Finished(folder, run)


@contextmanager
def edited(path: Path, pattern: str, replacement: str) -> Iterator[None]:
    """Replace what matches in a file, and put it back at the end."""
    before = path.read_text()
    after = re.sub(pattern, replacement, before)
    assert after != before
    path.write_text(after)
    try:
        yield
    finally:
        path.write_text(before)


def test_second_run_finds_nothing_to_do(finished: Finished) -> None:
    assert "Nothing to be done" in finished.run()


def test_comments_rerun_nothing(finished: Finished) -> None:
    rule = finished.folder / "workflow" / "rules" / "pretrain.smk"
    recipe = finished.folder / "config" / "training" / "demo.yaml"
    with edited(rule, "^", "# A comment.\n"), edited(recipe, "^", "# A comment.\n"):
        assert not finished.reruns()


def test_what_no_result_depends_on_reruns_nothing(finished: Finished) -> None:
    with ExitStack() as changes:
        for name, change in INDIFFERENT.items():
            changes.enter_context(edited(finished.folder / name, *change))
        assert not finished.reruns()


def test_result_of_a_stopped_rerun_is_missed_though_a_report_is_there(finished: Finished) -> None:
    metrics = finished.folder / CODING / "metrics.tsv"
    aside = metrics.rename(finished.folder / "aside.tsv")
    try:
        assert CODING in finished.reruns()
    finally:
        aside.rename(metrics)


def test_changed_row_reruns_its_benchmark_alone(finished: Finished) -> None:
    table = finished.folder / "config" / "benchmarks.tsv"
    with edited(table, r"(demo_promoters\t.*\t)mcc", r"\1accuracy"):
        assert finished.reruns() == {PROMOTERS, "results/baselines/demo_promoters", "results"}


def test_changed_recipe_reruns_what_uses_it(finished: Finished) -> None:
    recipe = finished.folder / "config" / "finetuning" / "demo.yaml"
    with edited(recipe, r"\Z", "gradient_clip: 0.5\n"):
        assert finished.reruns() == {PROMOTERS, CODING, "results"}


def test_another_length_measures_its_operation_alone(finished: Finished) -> None:
    with edited(finished.folder / "run.yaml", r"(attention: )\[1024", r"\1[2048"):
        assert finished.reruns() == {"results/bench/attention", "results"}


def test_forcing_one_result_reruns_it_alone(finished: Finished) -> None:
    assert finished.reruns("--force", "--", f"{PROMOTERS}/metrics.tsv") == {PROMOTERS}


def test_forcing_a_rule_for_a_family_reruns_it_there_alone(finished: Finished) -> None:
    assert finished.reruns("--forcerun", "finetune", "--", "genomic_benchmarks") == {CODING}


def test_a_run_can_end_before_the_report(finished: Finished) -> None:
    forced = finished.reruns("--forcerun", "pretrain", "--until", "finetune")
    assert forced == {PRETRAINED, PROMOTERS, CODING}


def test_touching_accepts_what_is_there(finished: Finished) -> None:
    table = finished.folder / "config" / "benchmarks.tsv"
    with edited(table, r"(demo_promoters\t.*\t)mcc", r"\1accuracy"):
        finished.run("--touch")
        assert not finished.reruns()
    # The row is as it was again, and accepted too, for the tests that follow.
    finished.run("--touch")
