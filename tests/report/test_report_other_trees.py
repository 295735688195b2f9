"""Trees of other configurations, with other names than ours: what the page says of them is true."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import ttest_1samp
from task_results import set_info, write_published
from test_report_page import Page

from hyenadna import report
from hyenadna.cli import main
from hyenadna.report import families, intervals
from hyenadna.report.inputs.reading import read
from hyenadna.report.page.answer import Answer, answer
from hyenadna.report.page.origins import Origins
from hyenadna.report.scores import summarise
from hyenadna.report.tables import summaries
from hyenadna.report.tables.protocols import judged

CHAINS = [f"markov{order}.perplexity" for order in range(4)]
Grown = Callable[..., None]


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def grow(root, tree) -> Grown:
    """A writer of runs of one benchmark: scores by stage, and of baselines by name."""

    def written(
        benchmark: str,
        metric: str = "mcc",
        *,
        model: str = "m",
        baselines: dict[str, float] | None = None,
        **stages: Sequence[float],
    ) -> None:
        kind = {"pearson": "regression", "auroc": "multi"}.get(metric, "single")
        info = {"metric": metric, "kind": kind, "classes": ["x", "y"],
                "counts": {"train": 90, "valid": 9, "test": 50}}  # fmt: skip
        if baselines:
            rows = [(0, "test", f"{name}.{metric}", of) for name, of in baselines.items()]
            tree.run(root / f"baselines/{benchmark}", rows, **info)
        for stage, scores in stages.items():
            for seed, score in enumerate(scores):
                rows = [(9, split, metric, score) for split in ("valid", "test")]
                tree.run(root / f"{stage}/{model}/{benchmark}/seed{seed}", rows, **info)

    return written


def answer_to(root: Path) -> Answer:
    results = read(root)
    return answer(judged(results, summarise(results), families.recorded(results, []))[0])


def page_of(root: Path) -> Page:
    return Page(report.write(root, root / "report.html"))


def single_seed(grow: Grown) -> None:
    grow("x", baselines={"kmer": 0.4}, finetune=(0.6,), scratch=(0.5,))


def regression(grow: Grown) -> None:
    grow("expression", "pearson", baselines={"kmer": 0.3}, finetune=(0.5, 0.52))


def multi_label(grow: Grown) -> None:
    grow("marks", "auroc", baselines={"kmer": 0.9}, finetune=(0.70, 0.72))


def probes(grow: Grown) -> None:
    grow("x", baselines={"kmer": 0.3}, probe=(0.5, 0.52), scratch=(0.2, 0.21))
    grow("y", baselines={"kmer": 0.3}, probe=(0.1, 0.11))


def scratch(grow: Grown) -> None:
    grow("x", baselines={"kmer": 0.3}, scratch=(0.5, 0.52))


def equal(grow: Grown) -> None:
    grow("x", baselines={"kmer": 0.5}, finetune=(0.5, 0.5))


def two_models(grow: Grown) -> None:
    grow("x", baselines={"kmer": 0.3}, finetune=(0.5,))
    grow("x", model="n", probe=(0.2,))


SAID = {
    single_seed: [
        "On x the fine-tuned m scores above the best trivial baseline.",
        "On x it scores above the same network trained from random weights.",
    ],
    regression: [
        "On expression the fine-tuned m scores above the best trivial baseline, beyond chance.",
    ],
    multi_label: [
        "On marks the fine-tuned m scores below the best trivial baseline, beyond chance.",
    ],
    probes: [
        "On 1 of 2 benchmarks the frozen m scores above the best trivial baseline, on 1 beyond "
        "chance; on 1 it is below, beyond chance.",
        "On x it scores above the same network trained from random weights, beyond chance.",
    ],
    scratch: [
        "On x the from-scratch m scores above the best trivial baseline, beyond chance.",
    ],
    equal: ["On x the fine-tuned m scores level with the best trivial baseline."],
    two_models: [
        "On x the fine-tuned m scores above the best trivial baseline.",
        "On x the frozen n scores below the best trivial baseline.",
    ],
}


@pytest.mark.parametrize("planted", SAID, ids=lambda of: of.__name__)
def test_the_opening_says_what_was_trained_and_where_it_stands(planted, grow, root):
    planted(grow)
    said = [of for of in answer_to(root).sentences if not of.startswith("Beyond chance:")]
    assert said == SAID[planted]


@pytest.mark.parametrize("planted", [regression, multi_label, probes], ids=lambda of: of.__name__)
def test_a_tree_of_another_kind_has_a_whole_page(planted, grow, root):
    planted(grow)
    page = page_of(root)
    assert "Problems" not in page.text
    for sentence in SAID[planted]:
        assert sentence in page.text
    assert {f"task-{path.name}" for path in root.glob("baselines/*")} <= {
        of.get("id") for _, of in page.elements
    }


def test_without_fine_tuning_the_tables_compare_what_there_is(grow, root):
    probes(grow)
    page = page_of(root)
    head, row = page.rows[:2]
    assert [title.strip() for title in head] == [
        "Benchmark", "Metric", "Frozen probe", "Best baseline", "Gain over baseline",
        "From scratch",
    ]  # fmt: skip
    assert [row[0], row[2], row[4][:6]] == ["x", "0.510 ± 0.014n = 2", "+0.210"]
    assert "A gain is that of the frozen model." in page.text
    (of_x, _) = page.data["benchmarks"]
    assert (of_x["judged"], round(of_x["gains"]["scratch"]["value"], 6)) == ("probe", 0.305)


def test_a_fine_tuned_model_without_a_score_is_not_replaced_by_its_probe(grow, root):
    grow("x", baselines={"kmer": 0.3}, finetune=(float("nan"),), probe=(0.5,))
    assert page_of(root).rows[1][2] == "–n = 0 of 1"


@pytest.mark.parametrize(
    ("parts", "title"),
    [
        (["pretraining"], "HyenaDNA tiny-demo, pretrained on demo_human"),
        (["contexts"], "HyenaDNA tiny-demo"),
        (["biotypes"], "HyenaDNA tiny-demo"),
    ],
)
def test_a_part_of_a_run_alone_is_called_what_it_is(root, tree, parts, title):
    for part in parts:
        getattr(tree, part)(root)
    assert answer_to(root).title == title


def test_baselines_alone_are_called_that(grow, root):
    grow("x", baselines={"kmer": 0.3})
    assert answer_to(root).title == "HyenaDNA: baselines alone"


def test_costs_alone_are_no_missing_results(root, tree):
    tree.bench(root / "bench/model", tree.timed("model", (1024, 4096)))
    page = page_of(root)
    assert "HyenaDNA: cost against length" in page.text
    assert "no results yet" not in page.text


def test_genomes_have_tables_of_their_own_names(root, tree):
    for genome in ("hg", "mm"):
        rows = [(9, "test", "perplexity", 3.5)]
        tree.run(root / f"pretrain/m/{genome}/seed0", rows, metric="perplexity")
    page_of(root)
    found = {path.name for path in root.glob("tables/pretraining/*.tsv")}
    assert found == {"perplexities-hg.tsv", "perplexities-mm.tsv"}


def test_a_benchmark_that_is_rerun_changes_its_own_numbers_and_nothing_else(grow, root):
    two = {"x": (0.5, 0.52), "y": (0.4, 0.43)}
    for name, scores in two.items():
        grow(name, baselines={"kmer": 0.3}, finetune=scores)
    before = page_of(root)
    shutil.rmtree(root / "finetune/m/y")
    grow("y", finetune=(0.6, 0.63))
    after = page_of(root)
    changed = [
        (one, other) for one, other in zip(before.rows, after.rows, strict=True) if one != other
    ]
    assert changed
    assert {cell for row, _ in changed for cell in row[:1]} <= {"y", "Fine-tuned"}
    assert "0.615 ± 0.021" in after.text
    assert "0.415 ± 0.021" not in after.text
    assert after.text.count("0.510 ± 0.014") == before.text.count("0.510 ± 0.014") > 0
    of_x, of_y = ([of.data["benchmarks"][at] for of in (before, after)] for at in (0, 1))
    assert of_x[0] == of_x[1]
    assert of_y[0] != of_y[1]


def test_one_malformed_entry_of_a_record_leaves_the_others(grow, root):
    regression(grow)
    run = root / "finetune/m/expression/seed0"
    set_info(run, bootstrap={"resamples": {"test": "many"}}, device="abacus")
    found = read(root)
    (info,) = (of.info for of in found.runs if root / of.path == run)
    assert (info.device, info.metric, info.bootstrap.resamples) == ("abacus", "pearson", {})
    (problem,) = found.problems
    assert problem.what == "not the expected content in: bootstrap.resamples.test"


@pytest.mark.parametrize("length", ["0", "-5", "1" + "0" * 30, "9" * 5000])
def test_lengths_that_nothing_has_are_named(root, tree, length):
    rows = tree.timed("model", (1024, 4096))
    rows[0]["length"] = length
    tree.bench(root / "bench/model", rows)
    page = page_of(root)
    assert "bench/model/measurements.tsv line 2: batch, channels or length" in page.text


def test_measures_whose_names_hold_a_number_without_end_are_no_contexts(root, tree):
    endless = "9" * 5000
    names = (f"context{endless}.perplexity", f"markov{endless}.perplexity", "perplexity")
    rows = [(9, split, name, 3.5) for name in names for split in ("valid", "test")]
    for stage in ("pretrain", "context"):
        tree.run(root / f"{stage}/m/g/seed0", rows, metric="perplexity")
    assert "3.500" in page_of(root).text
    Page(report.compare(root, root, root / "comparison.html"))


def test_published_tables_name_the_files_of_our_columns(grow, root):
    grow("b", "accuracy", finetune=(0.6, 0.7))
    folder = write_published(root.parent / "published")
    report.write(root, root / "report.html", published=folder)
    table = root / "tables/published/published-genomic_benchmarks-5-fold.tsv"
    assert "Ours: m, fine-tuned" in table.read_text()
    for name in ("published/published-genomic_benchmarks-5-fold", "task-b/published.b"):
        caption = (root / f"tables/{name}.rst").read_text().replace("\\", "")
        assert "genomic_benchmarks.tsv" in caption
        assert "finetune/m/b/seed1/metrics.tsv" in caption


def test_rows_of_the_same_files_are_listed_together(root, tree):
    for seed in range(2):
        rows = [(9, "test", name, 3.5) for name in ("perplexity", *CHAINS)]
        tree.run(root / f"pretrain/m/g/seed{seed}", rows, metric="perplexity")
    results = read(root)
    traces = Origins({"": results}).of(summaries.perplexities(results.of("pretrain")))
    assert {of.row: [file.source for file in of.files] for of in traces} == {
        "m, seed 0, Markov chain, order 0 and 3 more": ["pretrain/m/g/seed0/metrics.tsv"],
        "m, seed 1": ["pretrain/m/g/seed1/metrics.tsv"],
    }


def test_files_of_a_table_that_no_row_names_are_listed_too(root, tree):
    tree.run(root / "pretrain/m/g/seed0", [(9, "test", "perplexity", 3.5)])
    tree.run(root / "pretrain/m/g/seed1", [(9, "test", "perplexity", 3.5)])
    results = read(root)
    shown = summaries.perplexities(results.of("pretrain"))
    traces = Origins({"": results}).of(replace(shown, sources=(*shown.sources, "other/x.tsv")))
    assert [file.source for of in traces for file in of.files if not of.row] == ["other/x.tsv"]


def test_the_opening_names_which_published_scores_were_selected_on_test(grow, root):
    folder = write_published(root.parent / "published")
    rows = "".join(
        f"{name}\tHyenaDNA\t1M\taccuracy\t0.69\t\t\t{protocol}\tpaper A\t\n"
        for name, protocol in {"b": "5-fold", "c": "paper"}.items()
    )
    table = folder / "genomic_benchmarks.tsv"
    table.write_text(table.read_text() + rows)
    (folder / "protocols.tsv").write_text(
        "family\tprotocol\tmeaning\tselected_on\n"
        "genomic_benchmarks\t5-fold\tx\ttest\ngenomic_benchmarks\tpaper\tx\ttest\n"
    )
    for name in "bc":
        grow(name, "accuracy", finetune=(0.71, 0.74, 0.73))
    page = Page(report.write(root, root / "report.html", published=folder))
    assert (
        "The published HyenaDNA reached accuracy 0.690 on b (ours: 0.727) and accuracy 0.690 on c "
        "(ours: 0.727). What it reached on b and c was selected on the test split, which ours was "
        "not."
    ) in page.text


def test_a_gain_over_a_published_score_is_student_s(grow, root):
    scores = (0.71, 0.74, 0.73, 0.70)
    grow("b", "accuracy", finetune=scores)
    results = read(root)
    (score,) = summarise(results)
    gain = intervals.against(results, score, "finetune", 0.69)
    theirs = ttest_1samp(scores, 0.69).confidence_interval(0.95)
    expected = (0.03, theirs.low - 0.69, theirs.high - 0.69)
    assert (gain.value, gain.low, gain.high) == pytest.approx(expected)


def test_the_command_writes_the_page_among_the_results_that_it_was_given(
    grow, root, tmp_path, monkeypatch, capsys
):
    single_seed(grow)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").rename(tmp_path / "elsewhere")
    monkeypatch.setattr("sys.argv", ["hyenadna", "report", "--results", "elsewhere"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().out) == (0, "elsewhere/report.html\n")
    assert (tmp_path / "elsewhere/report.html").is_file()
