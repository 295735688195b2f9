"""Intervals of scores and differences: what they allow for, and that they hold what they claim."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, norm, ttest_ind
from scipy.stats import t as student
from task_results import set_info, write_table

from hyenadna.report import intervals
from hyenadna.report.inputs.reading import read
from hyenadna.report.inputs.results import Results
from hyenadna.report.intervals import Interval, Sample, against, between, difference, level, of_one
from hyenadna.report.scores import Score, summarise
from hyenadna.tasks.bootstrap import counts_of

RUN = "finetune/m/b/seed{}"


def bounds(of: Interval) -> tuple[float, float]:
    return of.low, of.high


def noise(scale: float, *, seed: int = 0, rows: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.8, scale, (rows, 1000))


@pytest.mark.filterwarnings("ignore:Precision loss")  # of scipy, where a side does not vary
@pytest.mark.parametrize(
    ("a", "b"),
    [((0.8, 0.81, 0.84), (0.85, 0.9, 0.86)), ((0.1, 0.2), (0.3, 0.31, 0.32, 0.9)),
     ((0.5, 0.51), (0.4, 0.6)), ((0.5, 0.5), (0.4, 0.6))],
)  # fmt: skip
def test_of_seeds_alone_it_is_welch_s(a, b):
    theirs = ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    found = between(Sample(b), Sample(a))
    assert bounds(found) == pytest.approx((theirs.low, theirs.high))
    assert found.covers == "seeds"


@pytest.mark.parametrize(
    ("a", "b"), [((0.8,), (0.9, 0.91)), ((), (0.9, 0.91)), ((0.8, 0.8), (0.9, 0.9))]
)
def test_too_few_seeds_or_none_that_vary_give_no_interval(a, b):
    found = between(Sample(b), Sample(a))
    assert (found.is_known, found.covers) == (False, "")


def test_a_baseline_has_no_seeds_and_needs_items_alone():
    found = of_one(Sample((0.8,), noise(0.01), "same", has_seeds=False))
    assert bounds(found) == pytest.approx((0.8 - 0.0196, 0.8 + 0.0196), abs=0.001)
    assert found.covers == "items"


def test_one_seed_of_a_network_says_nothing_of_seeds():
    assert of_one(Sample((0.8,), noise(0.01))).covers == "items"
    both = between(Sample((0.8, 0.81), noise(0.01, rows=2), "s"), Sample((0.8,), noise(0.01), "s"))
    assert both.covers == "items"


def test_items_and_seeds_widen_the_interval_together():
    values, of_items = (0.79, 0.80, 0.81), np.repeat(noise(0.01), 3, axis=0)
    found = of_one(Sample(values, of_items, "same"))
    total = of_items[0].var(ddof=1) + 0.01**2 / 3
    freedom = total**2 / ((0.01**2 / 3) ** 2 / 2)
    half = student.ppf(0.975, freedom) * math.sqrt(total)
    assert bounds(found) == pytest.approx((0.8 - half, 0.8 + half))
    assert found.covers == "items and seeds"


def test_two_methods_on_the_same_items_are_subtracted_resample_by_resample():
    shared = noise(0.05)
    one = Sample((0.85,), shared + 0.05, "same", has_seeds=False)
    other = Sample((0.8,), shared + noise(0.001, seed=1) - 0.8, "same", has_seeds=False)
    assert bounds(between(one, other)) == pytest.approx((0.048, 0.052), abs=0.001)


@pytest.mark.parametrize("items", ["", "others"])
def test_methods_on_other_items_are_independent(items):
    one = Sample((0.85,), noise(0.03), items, has_seeds=False)
    other = Sample((0.8,), noise(0.03), items and "same", has_seeds=False)
    half = 1.96 * math.sqrt(2) * 0.03
    assert bounds(between(one, other)) == pytest.approx((0.05 - half, 0.05 + half), abs=0.005)


def test_items_that_each_seed_gets_wrong_by_itself_are_counted_once():
    """Then the values of the seeds vary as much as the resamples of each do."""
    rng = np.random.default_rng(0)
    samples = [
        Sample(tuple(rng.normal(0.8, 0.02, 40)), rng.normal(0.8, 0.02, (40, 1000)), "same")
        for _ in range(30)
    ]
    assert np.mean([of.counted_twice for of in samples]) == pytest.approx(0.02**2 / 40, rel=0.02)
    halves = [(of_one(of).high - of_one(of).low) / 2 for of in samples]
    assert np.mean(halves) == pytest.approx(2.0 * 0.02 / math.sqrt(40), rel=0.1)  # twice: 1.41


def test_few_seeds_that_lie_close_do_not_hide_what_items_do():
    close = of_one(Sample((0.8, 0.8001), noise(0.02, rows=2), "same"))
    assert close.high - close.low > 3.9 * noise(0.02, rows=2).mean(axis=0).std()


def test_seeds_without_a_score_in_some_resample_are_compared_on_the_others():
    values = noise(0.02, rows=2)
    values[1, 7] = math.nan
    assert of_one(Sample((0.8, 0.81), values, "same")).covers == "items and seeds"


def test_too_few_resamples_are_as_good_as_none():
    few = noise(0.01)[:, : intervals.FEWEST_RESAMPLES - 1]
    assert not of_one(Sample((0.8,), few, has_seeds=False)).is_known


def test_a_resample_without_a_score_is_left_out():
    values = noise(0.01)
    values[0, ::3] = math.nan
    kept = Sample((0.8,), values[:, ~np.isnan(values[0])], has_seeds=False)
    assert bounds(of_one(Sample((0.8,), values, has_seeds=False))) == bounds(of_one(kept))


def test_equal_predictions_give_no_interval():
    one = Sample((0.8,), noise(0.01), "same", has_seeds=False)
    found = between(one, one)
    assert (found.value, found.is_known, found.covers) == (0.0, False, "")


@pytest.fixture
def root(tmp_path: Path, tree) -> Path:
    """Three seeds and the baselines of one benchmark, with resamples."""
    for seed, value in enumerate((0.85, 0.86, 0.84)):
        rows = [(1, split, "accuracy", value) for split in ("test", "test_clean")]
        tree.run(tmp_path / RUN.format(seed), rows, metric="accuracy", kind="single")
        write_resamples(tmp_path / RUN.format(seed), {"accuracy": value})
    tree.run(tmp_path / "baselines/b", [(0, "test", "kmer.accuracy", 0.8)], metric="accuracy")
    write_resamples(tmp_path / "baselines/b", {"kmer.accuracy": 0.8})
    return tmp_path


def write_resamples(run: Path, scores: dict[str, float], *, items: str = "same") -> None:
    shared = np.random.default_rng(5).normal(0, 0.01, 300)
    rows = [
        ("test", row, name, f"{value + of:.6g}")
        for name, value in scores.items()
        for row, of in enumerate(shared + np.random.default_rng(6).normal(0, 1e-4, 300))
    ]
    write_table(run / "bootstrap.tsv", "split replicate name value", rows)
    set_info(run, bootstrap={"resamples": {"test": 300}, "items": {"test": items}})


def found(root: Path) -> tuple[Results, Score]:
    results = read(root)
    return results, summarise(results)[0]


def test_a_method_is_compared_with_a_baseline_of_the_same_tree(root):
    of = difference(*found(root), "finetune", "kmer")
    assert (of.value, of.covers) == (pytest.approx(0.05), "items and seeds")
    half = 4.303 * 0.01 / math.sqrt(3)  # of seeds: what items do to both is the same
    assert bounds(of) == pytest.approx((0.05 - half, 0.05 + half), abs=1e-3)


def test_a_published_number_is_taken_as_known(root):
    of, ours = against(*found(root), "finetune", 0.9), level(*found(root), "finetune")
    assert of.value == pytest.approx(-0.05)
    assert of.high - of.low == pytest.approx(ours.high - ours.low)
    assert ours.covers == "items and seeds"


def test_a_split_without_resamples_has_an_interval_of_seeds_alone(root):
    assert level(*found(root), "finetune", clean=True).covers == "seeds"


def test_a_run_without_resamples_leaves_seeds_alone(root):
    (root / RUN.format(1) / "bootstrap.tsv").unlink()
    results, score = found(root)
    assert level(results, score, "finetune").covers == "seeds"
    (problem,) = results.problems
    assert problem.what == "missing: intervals of this run allow for its seeds alone"


def test_seeds_of_different_items_are_not_averaged(root):
    write_resamples(root / RUN.format(1), {"accuracy": 0.86}, items="others")
    assert level(*found(root), "finetune").covers == "seeds"


def test_a_method_does_not_differ_from_itself(root):
    of = difference(*found(root), "finetune", "finetune")
    assert (of.value, of.is_known) == (0.0, False)


def test_a_variance_of_few_seeds_has_no_fewer_degrees_of_freedom_than_seeds():
    """Taking off what would count twice leaves little, of which one seed more would not be sure."""
    shared = noise(0.0095, rows=2)
    one, other = (Sample((mean, mean + 0.014), shared, "same") for mean in (0.80, 0.81))
    of = between(other, one)
    assert 0 < (of.high - of.low) / 2 < 0.05


def test_a_method_that_is_not_there_has_no_difference(root):
    for other in (None, "scratch", "majority"):
        of = difference(*found(root), "finetune", other)
        assert (math.isnan(of.value), of.is_known) == (True, False)


def test_runs_from_before_there_were_resamples_are_no_problem(root):
    for run in (root / "baselines/b", *(root / RUN.format(seed) for seed in range(3))):
        (run / "bootstrap.tsv").unlink()
        set_info(run, bootstrap={})
    results, score = found(root)
    assert results.problems == []
    assert difference(results, score, "finetune", "kmer").covers == "seeds"


@pytest.mark.parametrize(
    ("line", "what"),
    [("test\t-1\taccuracy\t0.5", "'-1' is no number of a resample"),
     ("test\t99999999999\taccuracy\t0.5", "'99999999999' is no number of a resample"),
     ("test\t5\taccuracy\thigh", "'high' is no number"),
     ("test\t5\taccuracy\tinf", "'inf' is no number"), ("test\t5", "2 of 4 columns")],
)  # fmt: skip
def test_broken_lines_are_named_and_the_others_used(root, line, what):
    path = root / RUN.format(0) / "bootstrap.tsv"
    path.write_text(path.read_text() + line + "\n")
    results, score = found(root)
    assert [what in problem.what for problem in results.problems] == [True]
    assert level(results, score, "finetune").covers == "items and seeds"


def test_a_score_that_a_resample_lacks_is_no_problem(root):
    path = root / RUN.format(0) / "bootstrap.tsv"
    path.write_text(path.read_text() + "test\t300\taccuracy\tnan\n")
    assert found(root)[0].problems == []


@pytest.mark.slow
@pytest.mark.parametrize("own", [0.0, 0.7], ids=["seeds agree on items", "seeds differ on items"])
@pytest.mark.parametrize("spread", [0.0, 0.03], ids=["seeds alike", "seeds apart"])
def test_95_of_100_intervals_hold_the_true_difference(own, spread):
    """Two ways of training, four seeds each, on the same 300 items that are drawn anew each time.

    An item has a difficulty that both share, one for each way, and with `own` one for each seed.
    """
    rng, runs, (seeds, size) = np.random.default_rng(1), 1000, (4, 300)
    counts = np.stack([counts_of(size, row) for row in range(400)])
    true = np.array([0.80, 0.74])
    held = 0
    for _ in range(runs):
        common, of_way = rng.normal(size=size), rng.normal(size=(2, 1, size))
        of_seed = rng.normal(size=(2, seeds, size))
        difficulty = math.sqrt(0.6 * (1 - own)) * common + math.sqrt(0.4 * (1 - own)) * of_way
        difficulty = difficulty + math.sqrt(own) * of_seed  # of variance 1
        reached = true[:, None, None] + spread * rng.normal(size=(2, seeds, 1))
        right = difficulty < norm.ppf(reached)
        samples = [
            Sample(tuple(each.mean(axis=1)), each @ counts.T / size, "same") for each in right
        ]
        of = between(*samples)
        held += of.low <= true[0] - true[1] <= of.high
    # Never less than items alone show, it holds somewhat more where seeds differ on items.
    most = 0.97 if own else 0.95
    assert binom.ppf(0.001, runs, 0.95) <= held <= binom.ppf(0.999, runs, most)
