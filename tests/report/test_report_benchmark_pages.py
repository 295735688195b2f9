"""The page of each benchmark: what stands on it, and what is said where something is missing."""

from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import pytest
from task_results import (
    write_confusion,
    write_leaks,
    write_predictions,
    write_prompted,
    write_published,
)

from hyenadna.report.inputs.reading import read
from hyenadna.report.page import benchmark_pages, contents
from hyenadna.report.page.benchmark_pages import BenchmarkPage
from hyenadna.report.scores import summarise
from hyenadna.report.tables.cells import Table

CLASSES = ["negative", "positive"]
SHARED = {"metric": "accuracy", "kind": "single", "classes": CLASSES}


@pytest.fixture
def root(tmp_path: Path, tree: SimpleNamespace) -> Path:
    """Benchmark b with two models, the second of which is better, and c with baselines alone."""
    for model, score in (("first", 0.7), ("second", 0.8)):
        for stage, gain in (("scratch", -0.05), ("finetune", 0.0)):
            for seed in range(3):
                directory = tree.run(
                    tmp_path / f"results/{stage}/{model}/b/seed{seed}",
                    [(1, "test", "accuracy", score + gain + 0.002 * seed)],
                    command=f"hyenadna finetune --model {model} --stage {stage}",
                    counts={"train": 100, "valid": 10, "test": 60},
                    **SHARED,
                )
                write_confusion(directory, CLASSES, right=score)
                write_predictions(directory, CLASSES, wrong=9 + 3 * seed)
    baselines = tree.run(
        tmp_path / "results/baselines/b", [(0, "test", "kmer.accuracy", 0.75)], **SHARED
    )
    write_leaks(baselines, items=60, duplicates=2, overlaps=1)
    tree.run(tmp_path / "results/baselines/c", [(0, "test", "kmer.accuracy", 0.6)], **SHARED)
    return tmp_path / "results"


def pages_of(root: Path, published: Path | None = None) -> dict[str, BenchmarkPage]:
    results = read(root, published)
    found = benchmark_pages.pages(results, summarise(results), {})
    return {of.benchmark: of for of in found}


def table(of: BenchmarkPage, title: str) -> Table:
    return next(table for table in of.tables if table.title.startswith(title))


def cells(of: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in of.rows]


def test_every_benchmark_has_a_page_and_an_anchor_of_its_own(root):
    found = pages_of(root)
    assert {name: of.anchor for name, of in found.items()} == {"b": "task-b", "c": "task-c"}


def test_the_summary_is_that_of_the_best_model_beside_the_best_baseline(root):
    found = pages_of(root)
    assert found["b"].summary == (
        "accuracy 0.802 ± 0.002 (second, fine-tuned), best baseline 0.750 (k-mer counts)"
    )
    assert found["c"].summary == "best baseline 0.600 (k-mer counts)"


def test_every_method_stands_beside_the_best_baseline_and_training_from_scratch(root):
    rows = cells(table(pages_of(root)["b"], "Every method"))
    assert rows[0][:5] == ["k-mer counts", "–", "0.750", "–", "–"]
    assert [row[:2] + row[3:5] for row in rows[1:]] == [
        ["From scratch", "first", "−0.098", "–"],
        ["Fine-tuned", "first", "−0.048", "+0.050"],
        ["From scratch", "second", "+0.002", "–"],
        ["Fine-tuned", "second", "+0.052", "+0.050"],
    ]


def test_findings_say_whether_a_difference_may_be_chance(root, tree):
    reached, gain, pretraining = pages_of(root)["b"].findings
    assert "second, fine-tuned, reaches accuracy 0.802 ± 0.002 over 3 seeds" in reached
    assert "0.052 above the best baseline, k-mer counts (0.750), beyond chance" in gain
    assert "0.050 above the same network trained from scratch (0.752), beyond chance" in pretraining
    far = root / "finetune/second/b/seed0"
    tree.run(far, [(1, "test", "accuracy", 0.7)], **SHARED)
    assert "which may be chance" in pages_of(root)["b"].findings[1]


def test_examples_are_those_of_the_first_seed_of_the_best_model(root):
    shown = table(pages_of(root)["b"], "Most wrong")
    assert shown.title == "Most wrong: second, fine-tuned, seed 0"
    assert "9 of 60 test items (15.0 %)" in shown.caption
    assert shown.sources == ("finetune/second/b/seed0/predictions.parquet",)
    assert cells(shown)[0] == ["item0", "negative", "positive", "0.950", "yes"]


def test_predictions_that_are_not_there_are_said_on_the_page_and_are_no_problem(root):
    (root / "finetune/second/b/seed0/predictions.parquet").unlink()
    found = pages_of(root)["b"]
    assert found.remarks == [
        "No examples of errors: finetune/second/b/seed0/predictions.parquet is not there."
    ]
    assert found.problems == []


def test_predictions_that_cannot_be_read_are_a_problem_of_the_whole_page(root):
    path = root / "finetune/second/b/seed0/predictions.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    results = read(root)
    content = contents.content(results, defaultdict(list))
    (problem,) = [of for of in content.problems if of.path.endswith(".parquet")]
    assert problem.path == "finetune/second/b/seed0/predictions.parquet"
    assert problem.what.startswith("cannot be read")


def test_figures_of_a_benchmark_stand_on_its_page_and_in_no_section(root):
    results = read(root)
    drawn = contents.drawn(results)
    found = benchmark_pages.pages(results, summarise(results), drawn)[0]
    assert {of.model for of in found.figures} == {"second"}
    assert {of.model for of in found.folded} == {"first"}
    names = {of.name for of in found.figures + found.folded}
    assert {"confusion.b.second", "confusion.b.first"} <= names
    left = {of.name for those in benchmark_pages.left(drawn).values() for of in those}
    assert not names & left
    assert "scores" in left


def test_published_scores_stand_beside_the_difference_to_the_best_model(root):
    published = write_published(root.parent / "published")
    rows = cells(table(pages_of(root, published)["b"], "Published scores"))
    assert rows[0][:5] == ["CNN", "264K", "accuracy", "0.700", "+0.102"]
    assert rows[2][0:5] == ["Large", "–", "accuracy", "0.900", "−0.098"]


def test_facts_count_items_and_leaks(root):
    facts = {of.label: (of.value, of.note) for of in pages_of(root)["b"].facts}
    assert facts["Test items"] == ("60", "")
    assert facts["Leaked test items"] == ("3", "5.0 %")
    assert facts["Classes"] == ("2", "negative, positive")


def test_commands_are_those_of_the_best_model(root):
    lines = [of.line for of in pages_of(root)["b"].commands]
    assert any("--model second --stage finetune" in line for line in lines)
    assert not any("--model first" in line for line in lines)


def test_what_was_shown_in_context_stands_on_the_page_of_its_benchmark(root, tree):
    run = root / "in_context/second/b/soft_prompt/seed0"
    tree.run(run, [(0, "test", "accuracy", 0.6)], stage="in_context", seed=0)
    write_prompted(run, ("soft_prompt", 2, 4, 900), {"accuracy": 0.6})
    found = pages_of(root)
    assert cells(table(found["b"], "In-context learning"))[0][0] == "b"
    assert not any(of.title == "In-context learning" for of in found["c"].tables)


def test_tables_of_all_pages_have_names_of_their_own(root):
    names = [of.name for found in pages_of(root).values() for of in found.tables + found.details]
    assert len(names) == len(set(names))
