"""Reading a results tree: all that is there, and a word on what cannot be used."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from hyenadna.report.inputs.reading import read
from hyenadna.report.inputs.results import Results

PROMOTERS = "finetune/tiny-demo/demo_promoters"


def complaints(results: Results, path: str) -> list[str]:
    return [problem.what for problem in results.problems if problem.path == path]


def run_at(results: Results, path: str):
    return next(run for run in results.runs if run.path == path)


def test_a_whole_tree_is_read_without_complaint(finished):
    found = read(finished)
    assert found.problems == []
    assert Counter(run.stage for run in found.runs) == {
        "pretrain": 1, "context": 2, "scratch": 15, "probe": 15, "finetune": 15, "baselines": 5,
        "biotypes": 1,
    }  # fmt: skip
    assert [len(found.genomes), len(found.maps), len(found.jobs)] == [3, 2, 58]


def test_a_run_knows_what_its_path_and_files_say(finished):
    run = run_at(read(finished), f"{PROMOTERS}/seed1")
    assert (run.stage, run.model, run.subject, run.seed) == (
        "finetune", "tiny-demo", "demo_promoters", 1,
    )  # fmt: skip
    assert run.metrics.last("test", "accuracy") == 0.851
    assert run.info.counts == {"train": 1816, "valid": 202, "test": 512}


def test_seeds_are_in_the_order_of_their_numbers(tmp_path, tree):
    for seed in (10, 9, 1):
        tree.run(tmp_path / f"probe/m/b/seed{seed}", [(0, "test", "accuracy", 0.5)])
    assert [run.seed for run in read(tmp_path).runs] == [1, 9, 10]


def test_the_last_value_of_a_curve_is_that_of_the_last_step(tmp_path, tree):
    rows = [(20, "valid", "mcc", 0.2), (100, "valid", "mcc", 0.9), (30, "valid", "mcc", 0.3)]
    tree.run(tmp_path / "probe/m/b/seed0", rows)
    assert read(tmp_path).runs[0].metrics.last("valid", "mcc") == 0.9


def test_a_line_cut_short_is_named_and_not_used(results):
    path = results / PROMOTERS / "seed1/metrics.tsv"
    text = path.read_text()
    cut = text.index("0.851") + 3  # leaves 0.8, which reads as a number
    path.write_text(text[:cut])
    found = read(results)
    assert "half-written" in complaints(found, f"{PROMOTERS}/seed1/metrics.tsv")[0]
    assert "accuracy" not in run_at(found, f"{PROMOTERS}/seed1").metrics.names("test")


@pytest.mark.parametrize("line", ["20\ttest\taccuracy", "20\ttest\taccuracy\tmany", "x\ta\tb\t1"])
def test_a_malformed_line_is_named_and_the_others_are_used(tmp_path, tree, line):
    path = tree.run(tmp_path / "probe/m/b/seed0", [(20, "test", "mcc", 0.4)]) / "metrics.tsv"
    path.write_text(path.read_text() + line + "\n")
    found = read(tmp_path)
    assert complaints(found, "probe/m/b/seed0/metrics.tsv")[0].startswith("line 3: ")
    assert found.runs[0].metrics.last("test", "mcc") == 0.4


def test_many_malformed_lines_are_counted_and_not_listed(tmp_path, tree):
    path = tree.run(tmp_path / "probe/m/b/seed0", []) / "metrics.tsv"
    path.write_text(path.read_text() + "1\ttest\n" * 500)
    assert complaints(read(tmp_path), "probe/m/b/seed0/metrics.tsv")[3:] == [
        "and 497 more of this kind"
    ]


@pytest.mark.parametrize("content", ["", "step,split,name,value\n", "\ufeff\n", "\x00\n"])
def test_metrics_without_the_header_are_named(tmp_path, tree, content):
    directory = tree.run(tmp_path / "probe/m/b/seed0", [])
    (directory / "metrics.tsv").write_text(content)
    whats = complaints(read(tmp_path), "probe/m/b/seed0/metrics.tsv")
    assert any("no usable header" in what for what in whats)


def test_a_table_with_an_endless_cell_is_named(tmp_path, tree):
    directory = tree.run(tmp_path / "probe/m/b/seed0", [])
    (directory / "metrics.tsv").write_text("x" * 200_000 + "\n")
    assert "not a table" in complaints(read(tmp_path), "probe/m/b/seed0/metrics.tsv")[0]


def test_bytes_that_are_no_text_are_named(tmp_path, tree):
    directory = tree.run(tmp_path / "probe/m/b/seed0", [])
    (directory / "metrics.tsv").write_bytes(b"step\tsplit\xff\xfe\n")
    assert "cannot be read" in complaints(read(tmp_path), "probe/m/b/seed0/metrics.tsv")[0]


@pytest.mark.parametrize("content", ['{"version": "0.1', "[1, 2]", '{"threads": "many"}'])
def test_a_broken_record_is_named_and_its_metrics_are_used(tmp_path, tree, content):
    directory = tree.run(tmp_path / "probe/m/b/seed0", [(0, "test", "mcc", 0.4)])
    (directory / "run.json").write_text(content)
    found = read(tmp_path)
    assert len(complaints(found, "probe/m/b/seed0/run.json")) == 1
    assert found.runs[0].metrics.last("test", "mcc") == 0.4


def test_a_record_may_leave_out_or_empty_any_field(tmp_path, tree):
    directory = tree.run(tmp_path / "probe/m/b/seed0", [(0, "test", "mcc", 0.4)])
    (directory / "run.json").write_text(json.dumps({"metric": None, "seconds": None, "new": 1}))
    assert read(tmp_path).problems == []


def test_a_run_that_only_has_checkpoints_is_named_as_unfinished(tmp_path):
    (tmp_path / "finetune/m/b/seed0/checkpoints").mkdir(parents=True)
    found = read(tmp_path)
    assert found.runs == []
    assert "not finished" in complaints(found, "finetune/m/b/seed0")[0]


def test_metrics_without_a_record_are_named(results):
    (results / PROMOTERS / "seed1/run.json").unlink()
    assert "missing" in complaints(read(results), f"{PROMOTERS}/seed1/run.json")[0]


def test_a_missing_map_is_named(results):
    (results / "biotypes/tiny-demo/demo_biotypes/seed0/umap.tsv").unlink()
    found = read(results)
    assert [plane.method for plane in found.maps] == ["t-SNE"]
    assert "missing" in complaints(found, "biotypes/tiny-demo/demo_biotypes/seed0/umap.tsv")[0]


def test_a_broken_token_index_is_named(results):
    (results / "genomes/demo_fly/tokens/index.json").write_text('{"contigs": 3}')
    found = read(results)
    assert [genome.name for genome in found.genomes] == ["demo_human", "demo_worm"]
    assert len(complaints(found, "genomes/demo_fly/tokens/index.json")) == 1


def test_memory_that_was_not_measured_is_unknown(tmp_path):
    path = tmp_path / "benchmarks/pretrain/x.tsv"
    path.parent.mkdir(parents=True)
    path.write_text("s\th:m:s\tmax_rss\tmean_load\n0.01\t0:00:00\t-\tNA\n")
    found = read(tmp_path)
    assert found.problems == []
    assert [job.seconds for job in found.jobs] == [0.01]
    assert found.jobs[0].peak_bytes != found.jobs[0].peak_bytes  # NaN


def test_memory_of_a_job_is_in_bytes(tmp_path):
    path = tmp_path / "benchmarks/pretrain/x.tsv"
    path.parent.mkdir(parents=True)
    path.write_text("s\th:m:s\tmax_rss\n1.5\t0:00:01\t3.00\n")  # Snakemake counts in MiB
    assert read(tmp_path).jobs[0].peak_bytes == 3 * 1024 * 1024


def test_the_time_that_the_report_itself_took_is_left_out(results):
    source = next((results / "benchmarks/pretrain").iterdir())
    shutil.copy(source, results / "benchmarks/report.tsv")
    assert "report" not in {job.rule for job in read(results).jobs}


def test_nothing_is_found_in_an_empty_tree(tmp_path: Path):
    found = read(tmp_path)
    assert (found.runs, found.genomes, found.jobs, found.problems) == ([], [], [], [])
