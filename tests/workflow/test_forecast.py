"""What a run will take is what finished jobs took; what nobody knows is said to be unknown."""

import math
from pathlib import Path

import pytest

from hyenadna.workflow.forecast import Finished, Forecast, PlannedJob

METRICS = "results/{stage}/{model}/{benchmark}/{run}/metrics.tsv"
TIMES = "results/benchmarks/{stage}/{model}.{benchmark}.{run}.tsv"


def finetune(model: str, benchmark: str, run: str, gpus: int = 1) -> PlannedJob:
    """Return a fine-tuning job of at most 12 hours."""
    wildcards = {"stage": "finetune", "model": model, "benchmark": benchmark, "run": run}
    outputs = {METRICS.format(**wildcards): METRICS}
    return PlannedJob("finetune", wildcards, gpus, 720, TIMES, outputs)


def finish(folder: Path, job: PlannedJob, *, hours: float, size: int) -> None:
    """Leave the files of a job that took so long and wrote so much."""
    for path, content in (
        (TIMES.format(**job.wildcards), f"s\th:m:s\n{hours * 3600}\t0:00:00\n"),
        (METRICS.format(**job.wildcards), "x" * size),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)


@pytest.fixture
def finished(tmp_path: Path) -> Finished:
    """One model has been fine-tuned: twice on one benchmark, once on another."""
    finish(tmp_path, finetune("tiny", "H3", "seed0"), hours=1, size=1000)
    finish(tmp_path, finetune("tiny", "H3", "seed1"), hours=2, size=2000)
    finish(tmp_path, finetune("tiny", "H4", "seed0"), hours=6, size=6000)
    return Finished(tmp_path, {})


def test_repeat_of_a_run_takes_what_the_others_took(finished: Finished) -> None:
    job = finetune("tiny", "H3", "seed2")
    assert finished.seconds(job) == pytest.approx(1.5 * 3600)
    assert finished.size(job) == 1500


def test_other_benchmark_takes_what_the_model_took_on_average(finished: Finished) -> None:
    job = finetune("tiny", "promoters", "seed0")
    assert finished.seconds(job) == pytest.approx(3 * 3600)
    assert finished.size(job) == 3000


def test_nothing_is_known_of_a_model_that_has_not_run(finished: Finished) -> None:
    job = finetune("tiny-1k", "H3", "seed0")
    assert math.isnan(finished.seconds(job))
    assert math.isnan(finished.size(job))


def test_files_of_known_size_need_no_finished_job(tmp_path: Path) -> None:
    path = "resources/genomes/hg38.fa.gz"
    pattern = "resources/genomes/{genome}.fa.gz"
    job = PlannedJob("download", {"genome": "hg38"}, 0, 60, "", {path: pattern})
    assert Finished(tmp_path, {path: 7}).size(job) == 7
    assert math.isnan(Finished(tmp_path, {}).size(job))


def test_genomes_are_not_taken_for_repeats_of_each_other(tmp_path: Path) -> None:
    (tmp_path / "worm.fa").write_text("x")
    job = PlannedJob("prepare", {"genome": "hg38"}, 0, 60, "", {"hg38.fa": "{genome}.fa"})
    assert math.isnan(Finished(tmp_path, {}).size(job))


def test_wildcards_side_by_side_are_matched_together(tmp_path: Path) -> None:
    pattern = "run/{label}{tuned}.txt"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tokens8.txt").write_text("abc")
    job = PlannedJob("prompt", {"label": "tokens", "tuned": "2"}, 0, 60, "", {"out": pattern})
    assert Finished(tmp_path, {}).size(job) == 3


def test_time_that_snakemake_could_not_measure_is_left_out(tmp_path: Path) -> None:
    times = tmp_path / "results/benchmarks/finetune/tiny.H3.seed0.tsv"
    times.parent.mkdir(parents=True)
    times.write_text("s\th:m:s\nNA\tNA\n")
    assert math.isnan(Finished(tmp_path, {}).seconds(finetune("tiny", "H3", "seed0")))


def test_gpu_hours_are_expected_where_known_and_limits_elsewhere(finished: Finished) -> None:
    jobs = [finetune("tiny", "H3", "seed2", gpus=2), finetune("large", "H3", "seed0")]
    assert Forecast.of(jobs, finished).gpu_hours == pytest.approx(1.5 * 2 + 12)


def test_jobs_without_a_gpu_take_no_gpu_hours(finished: Finished) -> None:
    assert Forecast.of([finetune("tiny", "H3", "seed2", gpus=0)], finished).gpu_hours == 0


def test_table_says_how_many_jobs_its_numbers_are_of(finished: Finished) -> None:
    jobs = [finetune("tiny", "H3", "seed2"), finetune("large", "H3", "seed0")]
    table = Forecast.of(jobs, finished).table(free=5 * 10**9)
    row = next(line for line in table.splitlines() if line.startswith("finetune (finetune)"))
    assert row.split()[2:] == ["2", "1.5", "(1", "of", "2)", "24.0", "0.0", "(1", "of", "2)"]
    assert "which there are for 1 of 2 jobs on a GPU" in table
    assert "5 GB are free" in table


def test_table_of_jobs_that_nobody_has_run_invents_no_number(tmp_path: Path) -> None:
    table = Forecast.of([finetune("tiny", "H3", "seed0")], Finished(tmp_path, {})).table(free=0)
    row = next(line for line in table.splitlines() if line.startswith("finetune"))
    assert row.split()[2:] == ["1", "unknown", "12.0", "unknown"]
