"""What the report says of tasks: leaks, protocols, errors by class, groups of targets, prompts."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from task_results import (
    PROMPTS,
    add_metrics,
    set_info,
    write_confusion,
    write_curves,
    write_leaks,
    write_prompted,
    write_targets,
)
from test_report_page import HOSTILE, SCRIPTS, Page, page_of

from hyenadna import report
from hyenadna.report.figures import by_section
from hyenadna.report.inputs.outcome_reading import best_trained
from hyenadna.report.inputs.reading import read
from hyenadna.report.scores import summarise
from hyenadna.report.tables.leaks import compromised

CLASSES = ["negative", "positive"]
SHARED = {"metric": "accuracy", "kind": "single", "classes": CLASSES, "protocol": "honest"}


def complaints(root: Path, path: str) -> list[str]:
    return [problem.what for problem in read(root).problems if problem.path == path]


@pytest.fixture
def benchmark(tmp_path: Path, tree: SimpleNamespace) -> Path:
    """One benchmark with everything that a run leaves behind its scores."""
    for stage, score in (("scratch", 0.7), ("finetune", 0.8)):
        for seed in range(2):
            directory = tree.run(
                tmp_path / f"{stage}/m/b/seed{seed}",
                [(1, "test", "accuracy", score + 0.02 * seed), (1, "test", "items", 200)],
                **SHARED,
            )
            add_metrics(directory, "test_clean", {"accuracy": score - 0.1, "items": 150})
            write_confusion(directory, CLASSES, right=0.75)
            write_curves(directory, ["positive"], area=0.8)
    directory = tree.run(
        tmp_path / "baselines/b",
        [(0, "test", "kmer.accuracy", 0.75), (0, "test", "lookup.accuracy", 0.99)],
        **SHARED,
    )
    add_metrics(directory, "test_clean", {"kmer.accuracy": 0.71, "lookup.accuracy": 0.4})
    write_leaks(directory, items=200, duplicates=20, overlaps=30)
    return tmp_path


def figure_words(root: Path, title: str) -> str:
    """Return what is said of a figure."""
    results = read(root)
    drawn = by_section.draw(results, summarise(results)).values()
    found = next(of for those in drawn for of in those if of.title.startswith(title))
    return f"{found.caption} {found.description}"


def rows_after(page: Page, title: str) -> list[list[str]]:
    """Return the rows of the table that has a title, without its head."""
    before, table = re.search(
        rf"(.*)(<table(?:(?!</table>).)*?<strong>{re.escape(title)}\.</strong>.*?</table>)",
        page.source,
        re.DOTALL,
    ).groups()
    start = before.count("<tr>")
    return page.rows[start + 1 : start + table.count("<tr>")]


def test_scores_without_leaked_items_stand_beside_those_of_the_whole_split(benchmark):
    page = page_of(benchmark)
    (row,) = rows_after(page, "With and without leaked test items")
    assert row == [
        "b", "accuracy", "200", "50 (25.0 %)20 duplicates, 30 overlaps",
        "0.990look-up by coordinate", "0.710k-mer counts",
        "0.710 ± 0.014n = 2", "0.600 ± 0.000n = 2", "0.810 ± 0.014n = 2", "0.700 ± 0.000n = 2",
    ]  # fmt: skip
    methods = rows_after(page, "Every method with and without leaked test items")
    assert methods[1] == ["b", "accuracy", "Look-up by coordinate", "0.990", "0.400", "−0.590"]


def test_a_set_that_a_look_up_solves_is_named(benchmark):
    (found,) = compromised(summarise(read(benchmark)))
    assert (found.benchmark, found.shortcut, found.best) == ("b", "lookup", pytest.approx(0.81))
    text = page_of(benchmark).text
    assert "“look-up by coordinate” reaches accuracy 0.990 and beats every network" in text
    assert "On b a baseline that reads no base" in text


def test_k_mers_are_no_shortcut(benchmark):
    directory = benchmark / "baselines/b"
    (directory / "metrics.tsv").write_text(
        "step\tsplit\tname\tvalue\n0\ttest\tkmer.accuracy\t0.99\n0\ttest\tlookup.accuracy\t0.5\n"
    )
    assert compromised(summarise(read(benchmark))) == []


def test_confusion_is_summed_over_seeds_of_the_fine_tuned_model(benchmark):
    write_confusion(benchmark / "finetune/m/b/seed1", CLASSES, right=0.25)
    words = figure_words(benchmark, "Confusion: b · m")
    assert "of negative, 50.0 % taken for negative and 50.0 % taken for positive" in words


def test_curves_are_those_of_the_first_seed(benchmark):
    words = figure_words(benchmark, "Curves: b · m")
    assert "ROC and precision-recall curves of positive" in words
    assert "seed 0 alone" in words


def test_the_best_way_of_training_is_drawn(benchmark):
    ((_, runs),) = best_trained(read(benchmark).runs).items()
    assert [run.path for run in runs] == ["finetune/m/b/seed0", "finetune/m/b/seed1"]


@pytest.mark.parametrize("name", ["confusion.tsv", "curves.tsv"])
def test_a_file_that_is_missing_or_broken_is_named_and_the_page_is_written(benchmark, name):
    path = f"finetune/m/b/seed0/{name}"
    (benchmark / path).write_text("nothing\n")
    assert "no usable header" in complaints(benchmark, path)[0]
    (benchmark / path).unlink()
    assert "missing" in complaints(benchmark, path)[0]
    assert any(of.get("id") == "task-b" for of in page_of(benchmark).all("details"))


def test_runs_from_before_such_files_are_not_blamed(benchmark):
    for path in benchmark.glob("*/m/b/seed*"):
        set_info(path, protocol=None)
        (path / "confusion.tsv").unlink()
        (path / "curves.tsv").unlink()
    assert read(benchmark).problems == []


@pytest.mark.parametrize("row", ["b\t9\t1\t1\t2", "all\t9\t1\tsome\t2"])
def test_leaks_without_a_usable_total_are_named(benchmark, row):
    path = benchmark / "baselines/b/leaks.tsv"
    path.write_text(f"label\ttest_items\tduplicates\toverlaps\tleaked\n{row}\n")
    assert "no row all of counts" in complaints(benchmark, "baselines/b/leaks.tsv")[0]
    assert "With and without leaked test items" in page_of(benchmark).text


def test_a_class_named_as_the_total_is_not_taken_for_it(benchmark):
    path = benchmark / "baselines/b/leaks.tsv"
    rows = "all\t100\t1\t1\t2\nall\t200\t3\t4\t7\n"
    path.write_text(f"label\ttest_items\tduplicates\toverlaps\tleaked\n{rows}")
    assert read(benchmark).outcomes.leaks["b"].leaked == 7


def test_scores_selected_on_test_stand_apart_and_say_so(benchmark, tree):
    for point, score in enumerate((0.81, 0.93, 0.85)):
        tree.run(benchmark / f"paper/m/b/point{point}", [(1, "test", "accuracy", score)], **SHARED)
    page = page_of(benchmark)
    (row,) = rows_after(page, "Selected on the test split")
    assert row == [
        "b", "m", "accuracy", "3", "0.930point 1", "0.850", "+0.080", "0.810 ± 0.014n = 2",
    ]  # fmt: skip
    assert "Best point, selected on test" in page.text
    assert page.data["benchmarks"][0]["finetune"]["values"] == [0.8, 0.82]


def test_medians_are_shown_by_group_and_targets_drawn(tmp_path, tree):
    values = {"auroc_median": 0.9, "auroc_median.TF": 0.95, "auroc_median.HM": 0.85}
    rows = [(1, "test", name, value) for name, value in values.items()]
    multi = {**SHARED, "metric": "auroc_median", "kind": "multi"}
    write_targets(
        tree.run(tmp_path / "finetune/m/b/seed0", rows, **multi), {"TF": 30, "HM": 9}, auroc=0.9
    )
    rows = [(0, "test", f"kmer.{name}", value - 0.2) for name, value in values.items()]
    tree.run(tmp_path / "baselines/b", rows, **multi)
    page = page_of(tmp_path)
    assert rows_after(page, "Medians over the targets of each group") == [
        ["b", "", "k-mer counts", "0.650", "0.750"],
        ["b", "m", "Fine-tuned", "0.850n = 1", "0.950n = 1"],
    ]
    assert "HM: median" in figure_words(tmp_path, "Targets: b · m")
    assert page.row("b")[:2] == ["b", "auroc_median"]


def test_measures_of_a_regression_are_shown(tmp_path, tree):
    rows = [(1, "test", name, 0.6) for name in ("pearson", "spearman", "r2", "mse")]
    regression = {**SHARED, "metric": "pearson", "kind": "regression", "classes": ["y"]}
    tree.run(tmp_path / "finetune/m/b/seed0", rows, **regression)
    page = page_of(tmp_path)
    assert rows_after(page, "Every measure on b") == [["Fine-tuned", "m", *["0.600n = 1"] * 4]]
    assert read(tmp_path).problems == []


def test_embeddings_of_other_models_share_a_table_and_a_map_of_two_planes(tmp_path, tree):
    for model in ("tiny-demo", "dnabert"):
        tree.biotypes(tmp_path, model=model)
    page = page_of(tmp_path)
    rows = rows_after(page, "Biotype predicted on demo_biotypes")
    assert [row[:2] for row in rows[:4]] == [
        ["–", "Majority class"], ["–", "Length only"], ["–", "k-mer counts"],
        ["dnabert", "Embedding, boosting"],
    ]  # fmt: skip
    assert len(rows) == 3 + 2 * 4
    assert "UMAP and t-SNE" in figure_words(tmp_path, "Genes of demo_biotypes as dnabert")


def test_in_context_learning_is_drawn_by_tokens_and_by_shots_above_the_majority(tmp_path, tree):
    for index, (setting, accuracy) in enumerate(PROMPTS.items()):
        for seed in range(2):
            directory = tree.run(
                tmp_path / f"in_context/m/b/setting{index}/seed{seed}",
                [(1, "test", "majority.accuracy", 0.51)],
                metric="mcc",
            )
            scores = {"accuracy": accuracy + 0.02 * seed, "majority.accuracy": 0.51, "mcc": 0.1}
            write_prompted(directory, setting, scores)
    page = page_of(tmp_path)
    assert page.text.count("Problems") == 0
    words = figure_words(tmp_path, "Soft prompt: b · m")
    assert "2 shots: 0.560 at 0, 0.640 at 512 prompt tokens" in words
    assert "majority class 0.510" in words
    assert "64 tuning samples: 0.560 at 0" in figure_words(tmp_path, "Few-shot tuning: b · m")
    rows = rows_after(page, "In-context learning")
    assert len(rows) == len(PROMPTS)
    assert rows[0] == [
        "b", "m", "Soft prompt", "0", "2", "900", "accuracy", "0.560 ± 0.014n = 2", "0.510",
    ]  # fmt: skip


def test_hostile_names_of_classes_stay_text(benchmark):
    directory = benchmark / "finetune/m/b/seed0"
    hostile = HOSTILE.replace('"', "")  # in a table, a quotation mark would need another
    write_confusion(directory, [hostile, "</svg></script>"], right=0.6)
    write_curves(directory, [hostile, "</svg></script>", "$\\frac{$"], area=0.8)
    write_targets(directory, {hostile: 3, "": 2}, auroc=0.7)
    page = Page(report.write(benchmark, benchmark / "report.html"))
    assert {of.get("type") for of in page.all("script")} <= SCRIPTS
    assert page.all("img") == []
    labels = [of["aria-label"] for of in page.all("div") if of.get("role") == "img"]
    assert any(hostile in label for label in labels if label.startswith("Confusion: b · m"))


def test_runs_by_point_and_by_setting_say_which_they_are(benchmark, tree):
    tree.run(benchmark / "paper/m/b/point3", [(1, "test", "accuracy", 0.8)], **SHARED)
    tree.run(benchmark / "in_context/m/b/soft/seed1", [(1, "test", "accuracy", 0.8)], **SHARED)
    repeats = {run.stage: run.repeat for run in read(benchmark).runs}
    assert (repeats["paper"], repeats["in_context"]) == ("point 3", "soft, seed 1")
    assert "in_context.tsv" in json.dumps(page_of(benchmark).data["problems"])
