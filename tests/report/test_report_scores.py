"""Summaries of seeds, the best of a row, and the sentences made of them."""

import math
import statistics

import pytest

from hyenadna.report.costs import by_rule
from hyenadna.report.inputs.reading import read
from hyenadna.report.inputs.results import Job, Results, RunInfo
from hyenadna.report.page import answer
from hyenadna.report.page.completeness import inconsistencies, missing
from hyenadna.report.scores import Score, Spread, summarise
from hyenadna.report.tables.cells import Cell, mark_best, number
from hyenadna.report.tables.protocols import judged

NAN = math.nan


def score(baselines: dict[str, float], **stages: tuple[float, ...]) -> Score:
    spreads = {stage: Spread.of(values) for stage, values in stages.items()}
    return Score("b", "m", "accuracy", RunInfo(), baselines, spreads, ())


def answer_to(results: Results) -> answer.Answer:
    return answer.answer(judged(results, summarise(results), {})[0])


def test_a_spread_is_the_mean_and_the_sample_standard_deviation():
    values = (0.842, 0.851, 0.838)
    spread = Spread.of(values)
    assert spread.mean == pytest.approx(statistics.mean(values))
    assert spread.sd == pytest.approx(statistics.stdev(values))
    assert spread.n == 3


def test_one_seed_has_no_standard_deviation():
    assert math.isnan(Spread.of([0.8]).sd)


def test_a_seed_without_a_value_is_set_aside_and_counted():
    spread = Spread.of([0.8, NAN, 0.6, math.inf])
    assert (spread.mean, spread.n, spread.missing) == (pytest.approx(0.7), 2, 2)


def test_no_seed_has_no_mean():
    assert math.isnan(Spread.of([NAN]).mean)


def test_the_highest_score_of_a_row_is_its_best():
    assert score({"kmer": 0.80}, finetune=(0.84, 0.86), probe=(0.70,)).best == {"finetune"}


def test_scores_that_agree_in_the_digits_shown_tie():
    assert score({"kmer": 0.8404}, finetune=(0.8396,)).best == {"kmer", "finetune"}


def test_scores_that_differ_in_the_digits_shown_do_not_tie():
    assert score({"kmer": 0.8406}, finetune=(0.8394,)).best == {"kmer"}


def test_a_score_that_is_no_number_is_never_best():
    assert score({"kmer": NAN, "majority": 0.5}, finetune=(0.4,)).best == {"majority"}


def test_a_score_alone_is_not_marked_as_best():
    assert score({}, finetune=(0.9,)).best == set()


def test_the_baseline_to_beat_is_the_highest_of_those_that_are_numbers():
    assert score({"majority": 0.5, "length": 0.7, "kmer": NAN}).best_baseline == "length"
    assert score({"kmer": NAN}).best_baseline is None


def test_an_equal_score_does_not_beat():
    assert not score({"kmer": 0.84}, finetune=(0.8404,)).beats("finetune", "kmer")
    assert score({"kmer": 0.84}, finetune=(0.8412,)).beats("finetune", "kmer")


def test_a_difference_to_what_is_missing_is_no_number():
    assert math.isnan(score({}, finetune=(0.9,)).difference("finetune", None))


@pytest.mark.parametrize(("highest", "best"), [(True, [0, 2]), (False, [3])])
def test_the_best_of_a_column_is_marked_with_its_ties(highest, best):
    rows = [[number(value)] for value in (0.9004, 0.5, 0.8996, 0.1, NAN)]
    rows.append([Cell("–")])
    mark_best(rows, 0, highest=highest)
    assert [index for index, row in enumerate(rows) if row[0].best] == best


def test_benchmarks_are_summed_up_by_model(finished):
    scores = {score.benchmark: score for score in summarise(read(finished))}
    chromatin = scores["demo_chromatin"]
    assert (chromatin.metric, chromatin.model) == ("auroc", "tiny-demo")
    assert chromatin.means["kmer"] == pytest.approx(0.561)
    assert chromatin.stages["finetune"].values == (0.588, 0.571, 0.602)


def test_a_benchmark_with_baselines_alone_is_kept(tmp_path, tree):
    tree.run(tmp_path / "baselines/b", [(0, "test", "kmer.mcc", 0.3)], metric="mcc")
    (only,) = summarise(read(tmp_path))
    assert (only.model, only.means) == ("", {"kmer": 0.3})


def test_the_metric_is_guessed_where_no_record_names_it(tmp_path, tree):
    directory = tree.run(tmp_path / "probe/m/b/seed0", [(0, "test", "auroc", 0.6)])
    (directory / "run.json").unlink()
    assert summarise(read(tmp_path))[0].metric == "auroc"


def test_the_answer_counts_what_was_won(finished):
    text = " ".join(answer_to(read(finished)).sentences)
    assert (
        "On 3 of 5 benchmarks the fine-tuned tiny-demo scores above the best trivial baseline, on "
        "2 beyond chance."
    ) in text
    assert (
        "On 5 of 5 benchmarks it scores above the same network trained from random weights, on 4 "
        "beyond chance."
    ) in text
    assert "Beyond chance: the 95 % interval of the difference excludes zero" in text
    assert "f1_weighted 0.531; the best trivial baseline (k-mer counts) reaches 0.485" in text


def test_a_gap_within_the_spread_over_seeds_is_not_beyond_chance(tmp_path, tree):
    rows = {"finetune": (0.60, 0.70), "scratch": (0.59, 0.69)}
    for stage, values in rows.items():
        for seed, value in enumerate(values):
            tree.run(
                tmp_path / f"{stage}/m/b/seed{seed}", [(0, "test", "mcc", value)], metric="mcc"
            )
    text = " ".join(answer_to(read(tmp_path)).sentences)
    assert "On b the fine-tuned m scores above the same network" in text
    assert "from random weights, which may be chance." in text


def test_of_a_single_seed_nothing_is_said_about_chance(tmp_path, tree):
    tree.run(tmp_path / "finetune/m/b/seed0", [(0, "test", "mcc", 0.6)], metric="mcc")
    tree.run(tmp_path / "scratch/m/b/seed0", [(0, "test", "mcc", 0.5)], metric="mcc")
    text = " ".join(answer_to(read(tmp_path)).sentences)
    assert "On b the fine-tuned m scores above" in text
    assert "chance" not in text


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (3, "On b the fine-tuned m2 scores above"),
        (4, "On 4 of 4 pairs of model and benchmark a fine-tuned model scores above"),
    ],
)
def test_many_models_share_a_sentence(tmp_path, tree, models, said):
    tree.run(tmp_path / "baselines/b", [(0, "test", "kmer.mcc", 0.3)], metric="mcc")
    for model in range(models):
        rows = [(0, "test", "mcc", 0.4)]
        tree.run(tmp_path / f"finetune/m{model}/b/seed0", rows, metric="mcc")
    assert said in " ".join(answer_to(read(tmp_path)).sentences)


@pytest.mark.parametrize(
    ("bits", "words"),
    [(1.9, "below the best"), (1.99, "above the best"), (1.929, "): level with the best")],
)
def test_the_answer_says_on_which_side_of_the_best_markov_chain_the_model_is(
    tmp_path, tree, bits, words
):
    tree.pretraining(tmp_path)
    path = tmp_path / "pretrain/tiny-demo/demo_human/seed0/metrics.tsv"
    path.write_text(path.read_text() + f"601\ttest\tperplexity\t{2**bits}\n")
    sentence = answer_to(read(tmp_path)).sentences[0]
    assert f"{words} Markov chain (order 5, 3.808)" in sentence


def test_the_answer_says_that_nothing_can_be_compared_yet(tmp_path, tree):
    tree.pretraining(tmp_path)
    assert answer_to(read(tmp_path)).sentences[1:] == [
        "No model trained on a benchmark can be compared with a baseline yet."
    ]


def test_no_results_give_no_sentence(tmp_path):
    assert answer_to(read(tmp_path)).sentences == []


def test_missing_stages_and_seeds_are_listed_with_the_command(results):
    for path in ("scratch/tiny-demo/demo_species/seed2", "baselines/demo_promoters"):
        (results / path / "metrics.tsv").unlink()
    found = read(results)
    commands = {gap.what: gap.command for gap in missing(found, summarise(found))}
    assert commands == {
        "demo_promoters: baselines are missing, and no score says much without":
            "snakemake --cores all results/baselines/demo_promoters/run.json",
        "demo_species · tiny-demo: from scratch is missing for seed 2":
            "snakemake --cores all results/scratch/tiny-demo/demo_species/seed2/run.json",
    }  # fmt: skip


def test_nothing_is_missing_from_a_whole_tree(finished):
    found = read(finished)
    assert missing(found, summarise(found)) == []
    assert inconsistencies(found, summarise(found)) == []


def test_runs_that_contradict_each_other_are_named(tmp_path, tree):
    for seed, (version, checksum, metric) in enumerate((("1", "aa", "mcc"), ("2", "bb", "auroc"))):
        tree.run(
            tmp_path / f"probe/m/b/seed{seed}", [(0, "test", "mcc", 0.1)], version=version,
            metric=metric, data=[{"path": "genome.fa", "sha256": checksum}],
        )  # fmt: skip
    found = read(tmp_path)
    whats = " ".join(problem.what for problem in inconsistencies(found, summarise(found)))
    assert "several versions of hyenadna: 1, 2" in whats
    assert "2 different contents" in whats
    assert "disagree on the metric: auroc, mcc" in whats


def test_a_test_score_that_is_no_number_is_named(tmp_path, tree):
    for seed, value in enumerate((0.4, NAN)):
        tree.run(tmp_path / f"probe/m/b/seed{seed}", [(0, "test", "mcc", value)], metric="mcc")
    found = read(tmp_path)
    (problem,) = inconsistencies(found, summarise(found))
    assert problem.what == "1 of 2 seeds without a test mcc"


def test_costs_add_up_by_rule_and_skip_unknown_memory():
    jobs = [Job("a", "", 1.0, NAN), Job("b", "", 9.0, NAN), Job("a", "", 3.0, 7.0)]
    first, second = by_rule(jobs)
    assert (first.rule, first.total, math.isnan(first.peak)) == ("b", 9.0, True)
    assert (second.jobs, second.total, second.longest, second.peak) == (2, 4.0, 3.0, 7.0)


def test_the_answer_is_about_the_run_with_the_lowest_perplexity(tmp_path, tree):
    for model, perplexity in (("a", NAN), ("b", 3.7), ("c", 3.6), ("d", 3.8)):
        rows = [(1, "valid", "perplexity", perplexity)]
        tree.run(tmp_path / f"pretrain/{model}/g/seed0", rows)
    found = answer_to(read(tmp_path))
    assert "c predicts the next base with perplexity 3.600" in found.sentences[0]
    assert found.facts[0].value == "3.600"
